//! Packets become clips on disk: CMAF headers and media segments, cut from the pre-roll on, as the packets are; and pictures.
//!
//! In: the packets of one stream, in decode order, and which incidents want a clip from when to when; decoded frames
//! for the pictures. Out: [`ClipEvent`]s that name whole files, synced to disk before they are named, and JPEG bytes.
//!
//! A [`Recorder`] owns one stream of one camera. Incidents whose clips overlap share segments: each is written once,
//! into the folder of the incident that needed it first.
//!
//! Never here: decoding or encoding of video, playlists, rows in the outbox, uploads, threads, clocks (the times come
//! with the packets). Imports `flow`, `base` and `config`; `camera` drives it.

mod boxes;
mod error;
mod event;
mod files;
mod fmp4;
mod open;
mod picture;
mod preroll;
mod recorder;
pub mod reread;
mod ring;
mod runs;
mod segments;
mod spool;
#[doc(hidden)]
pub mod steps;

pub use error::ClipError;
pub use event::ClipEvent;
pub use picture::{crop, thumbnail};
pub use recorder::Recorder;
pub use ring::Ring;

/// What clips and live pictures are written with.
pub mod cmaf {
    pub use super::{
        fmp4::{Sample, TIMESCALE, fragment, init, ticks},
        runs::{Runs, Unit, same_pictures},
    };
}

#[cfg(test)]
mod real_streams;
#[cfg(test)]
pub(crate) mod scripted;
