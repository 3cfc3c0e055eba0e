//! Ingest: cameras and files become packets, packets become pictures when somebody asks for them.
//!
//! In: an RTSP session or a video file, and the [`DecodeDemand`](crate::flow::DecodeDemand) of the rules.
//! Out: [`Packet`]s in decode order on the box's own time line, [`SourceState`]s as sentences for people, and
//! [`Frame`](crate::flow::Frame)s in presentation order.
//!
//! Never looks into a picture, never writes to disk, never waits for whoever takes its packets.
//! It starts the few threads on which all cameras are received ([`Receiving`]), and those that GStreamer's file elements
//! bring; decoders run on the caller's thread ([`Decoder`]). Imports `flow`, `base` and `config`; only this room and `vcam` name GStreamer.
//!
//! | part | what it does |
//! |---|---|
//! | `setup` | starts GStreamer, names what is missing |
//! | `rtsp` | cameras: sessions by RTSP |
//! | `file` | video files |
//! | `bitstream` | access units: what their headers say, where decoding can begin, when a frame is shown |
//! | `time` | the box's time for each timestamp, and which timestamps can be relied on; pure |
//! | `codec` | decoders and the encoder, privacy masks, rotation |
//! | `gop_buffer` | the current group of pictures; pure |
//! | `on_demand` | decides what is decoded, and when |
//! | `thread_cpu` | CPU time of GStreamer's threads |
//! | `bench_api` | single steps, for benches and fuzzing |

#[doc(hidden)]
pub mod bench_api;
mod bitstream;
mod codec;
mod file;
mod gop_buffer;
mod on_demand;
#[cfg(test)]
mod on_demand_tests;
mod rtsp;
#[cfg(test)]
mod samples;
mod setup;
mod thread_cpu;
mod time;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::watch;

pub use codec::decoder::{Decoder, Feed};
pub use codec::encoder::{Encoder, Purpose};
pub use codec::error::DecodeError;
pub(crate) use codec::hw_select::describe as describe_decoder;
pub use codec::idle_decoders::IdleDecoders;
pub use codec::rotation::turned_sink;
pub use file::source::FileSource;
pub use on_demand::OnDemand;
pub use rtsp::{Observer, Receiving, RtspSource};
pub use setup::init;

use crate::flow::{Packet, Problem, StreamFormat};

/// Why packets cannot be had. Each text is one sentence and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// GStreamer itself does not start.
    #[error("GStreamer does not start ({detail}): install it with `apt install libgstreamer1.0-0`")]
    Start {
        /// What the library says.
        detail: String,
    },
    /// A plugin is not installed.
    #[error(
        "GStreamer's element \"{element}\" is missing: install it with `apt install {package}`"
    )]
    MissingElement {
        /// Name of the element.
        element: String,
        /// Debian's package that holds it.
        package: String,
    },
    /// No decoder for what the stream holds.
    #[error("no decoder for {codec} is installed: install one with `apt install {package}`")]
    MissingDecoder {
        /// The codec's name for people.
        codec: String,
        /// Debian's package that most likely holds one.
        package: &'static str,
    },
    /// The file cannot be opened.
    #[error("cannot read {path}: {reason}; check the path and its permissions")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file holds nothing.
    #[error("{path} is empty: the recording or copy did not finish, make it again")]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// There is something in the file, but no pictures.
    #[error("{path} holds no video stream: give a file with video in it")]
    NoVideo {
        /// Which file.
        path: PathBuf,
    },
    /// Pictures, but none to begin with.
    #[error(
        "{path} holds no keyframe, without which no picture can be decoded: cut it again from where a keyframe is"
    )]
    NoKeyframe {
        /// Which file.
        path: PathBuf,
    },
    /// Not a video file, or damaged from the start.
    #[error(
        "{path} cannot be read as video, it is damaged or of an unknown kind: try to play it, or convert it with `ffmpeg -i FILE -c copy new.mp4`"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
}

/// How a live source is doing.
#[derive(Debug, Clone)]
pub enum SourceState {
    /// The first try is under way.
    Connecting,
    /// Pictures arrive, in this format.
    Online(Arc<StreamFormat>),
    /// Pictures arrive, but something is wrong with them; or, without a problem, no longer is.
    Impaired(Option<Problem>),
    /// The session stands, but nothing comes that can be decoded. [`Online`](Self::Online) ends it.
    Unusable(Problem),
    /// No pictures. Told once for each problem, not at each try.
    Away {
        /// What is wrong and what to do.
        problem: Problem,
        /// Time to the next try.
        retry_in: Duration,
    },
}

/// Where a live source puts what it receives. Called on threads that all sources share; must not block.
pub trait PacketSink: Send {
    /// One access unit, in decode order; the first of a session is a keyframe.
    fn packet(&mut self, packet: Packet);
    /// The source's state has changed.
    fn state(&mut self, state: SourceState);
    /// Whether each unit is wanted as soon as it is there, and when that changes. Where it is not, units between keyframes
    /// may come a few at a time and half a second late. By default all are wanted at once.
    fn attention(&self) -> Option<watch::Receiver<bool>> {
        None
    }
}
