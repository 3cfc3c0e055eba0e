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

#[doc(hidden)]
pub mod bench_api;
mod buffer;
mod clip;
pub mod cmaf;
pub mod continuous;
mod error;
mod event;
mod images;

pub use buffer::ring::Ring;
pub use clip::recorder::Recorder;
pub use error::ClipError;
pub use event::ClipEvent;
pub use images::{crop, thumbnail};

#[cfg(test)]
mod real_streams;
#[cfg(test)]
pub(crate) mod scripted;
