//! Cameras with quirks: a small RTSP server of our own that behaves as odd cameras do, for tests.
//!
//! In: a [`Camera`], which behaves well but for what its fields change, or a recorded session ([`Recording`]).
//! Out: RTSP over TCP, UDP or TLS on loopback, and what the camera [saw](Seen) of its viewers. The [`catalog`] names
//! every kind of camera with what a viewer must make of it; one more camera is one more entry there.
//!
//! Never uses GStreamer (a quirk is a byte that no library would send), never listens off loopback, never decodes or
//! encodes.
//!
//! | file | what it does |
//! |---|---|
//! | `camera` | the behaviours that one camera is made of |
//! | `clip` | pictures to send, as NAL units or JPEG images |
//! | `packetizer`, `jpeg` | RTP out of pictures, with its quirks |
//! | `sdp` | descriptions |
//! | `message` | requests read, answers written |
//! | `login` | challenges, and whether an answer to one is right |
//! | `server`, `dialogue` | listening, and one connection |
//! | `sender` | the pictures of one session in real time |
//! | `recording` | a session recorded by `lares check --record`, played again |
//! | `catalog` | every kind by name |

mod camera;
pub mod catalog;
mod clip;
mod dialogue;
mod jpeg;
mod login;
mod message;
mod packetizer;
pub mod recording;
mod sdp;
mod sender;
mod server;
mod shared;
#[cfg(test)]
mod tests;

pub use camera::{
    Camera, Carriers, End, Lossy, Moment, Packing, Piece, Place, Reply, Source, Stranger, Turn,
};
pub use clip::{Clip, Codec, Unit};
pub use login::{Login, Nonces};
pub use message::{Answer, Request};
pub use recording::Recording;
pub use sdp::Facts;
pub use server::{Running, Server};
pub use shared::Seen;
