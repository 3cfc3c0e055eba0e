//! The format of a recorded RTSP session, which `lares check --record` writes and a virtual camera plays again.
//!
//! JSON lines: first a [`Head`], then in order of time what was [`said`](Line::Said) and [`heard`](Line::Heard) on the
//! connection, and every [`packet`](Line::Packet) of the video track in base64. What the writer takes out of it is
//! described in docs/cameras.md.

use serde::{Deserialize, Serialize};

/// The newest version of the format.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`VERSION`].
    pub lares_recording: u32,
    /// The program that wrote it.
    pub program: String,
    /// Slices are as the camera sent them: it shows what the camera saw.
    pub pictures: bool,
}

/// Any other line. Times are in seconds since the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A message of ours.
    Said {
        /// When.
        at: f64,
        /// The message.
        said: String,
    },
    /// A message of the camera.
    Heard {
        /// When.
        at: f64,
        /// The message.
        heard: String,
    },
    /// A packet of the video track.
    Packet {
        /// When.
        at: f64,
        /// It is RTCP.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rtcp: bool,
        /// Its bytes in base64.
        packet: String,
    },
}
