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
//! | part | what it does |
//! |---|---|
//! | `runtime` | the threads |
//! | `source` | session after session: waits, the other transport, what is told |
//! | `lower_transport` | by what packets travel, and what is tried next; pure |
//! | `session` | one session: prepared, played, ended |
//! | `dialogue`, `negotiate` | requests and answers, login, redirects; how packets travel |
//! | `protocol` | messages, login, descriptions, addresses, keep-alive; pure |
//! | `transport` | TCP, TLS and UDP; how much is read at a time, how many connect at once |
//! | `rtp` | packets to access units on the box's time line |
//! | `diagnostics`, `end_reason` | what is wrong, as sentences for people; pure |
//! | `observer` | a window for `lares check --record` |
//! | `bench_api` | single steps, for fuzzing |

pub(super) mod bench_api;
mod diagnostics;
mod dialogue;
mod end_reason;
mod lower_transport;
#[cfg(test)]
mod manners_tests;
mod negotiate;
mod observer;
mod protocol;
mod rtp;
mod runtime;
#[cfg(test)]
mod scripted;
mod session;
mod source;
#[cfg(test)]
mod tests;
mod transport;
#[cfg(test)]
mod transport_tests;

pub use observer::Observer;
pub use runtime::Receiving;
pub use source::RtspSource;
