//! Cameras by RTSP: a session of our own, from the connection to packets on the box's time line.
//!
//! In: a [`SourceConfig`](crate::config::SourceConfig) and a token. Out: [`Packet`](crate::flow::Packet)s and
//! [`SourceState`](super::SourceState)s, to a [`PacketSink`](super::PacketSink) that must not block.
//!
//! All sessions are tasks on a few threads ([`Receiving`]); nothing in here waits for anything but the network, and no
//! session holds up another. Nothing that a camera sends is believed without a bound: heads, bodies, tracks, packets of a
//! picture, sources. A password never enters an address, a log or a state.
//!
//! Cameras keep to the standard as far as their makers' own player needs. What is read here is read tolerantly, and each
//! oddity that is known is a test beside the file that deals with it.
//!
//! | file | what it does |
//! |---|---|
//! | `runtime` | the threads |
//! | `source` | session after session: waits, the other transport, what is told |
//! | `session` | one session: prepared, played, ended |
//! | `dialogue`, `negotiate` | requests and answers, login, redirects; how packets travel |
//! | `connection` | TCP or TLS; messages and packets in any order |
//! | `udp`, `rtcp` | datagrams in order; reports and goodbyes |
//! | `message`, `digest`, `sdp`, `locate`, `keepalive` | what is said; pure |
//! | `tls` | whom TLS trusts |
//! | `rtp`, `rtptime`, `access_units` | packets to pictures with their times; pure |
//! | `depacketize` | pictures to access units, by GStreamer's elements |
//! | `batch` | how much must have arrived before it is read; pure |
//! | `receive` | access units to packets on the box's time line |
//! | `quality`, `end` | what is wrong, as sentences for people; pure |
//! | `observer` | a window for `lares check --record` |
//! | `steps` | single steps, for fuzzing |

mod access_units;
mod batch;
mod connection;
mod depacketize;
mod dialogue;
mod digest;
mod door;
mod end;
mod keepalive;
mod locate;
mod losses;
#[cfg(test)]
mod manners_tests;
mod message;
mod negotiate;
mod observer;
mod quality;
mod receive;
mod rtcp;
mod rtp;
mod rtptime;
mod runtime;
#[cfg(test)]
mod scripted;
mod sdp;
mod session;
mod source;
pub(super) mod steps;
#[cfg(test)]
mod tests;
mod tls;
#[cfg(test)]
mod transport_tests;
mod udp;

pub use observer::Observer;
pub use runtime::Receiving;
pub use source::RtspSource;
