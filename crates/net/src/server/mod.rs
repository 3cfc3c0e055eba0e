//! The one HTTP server of the program: agent, page and store listen through it, with the same rules. The broker's gate takes its
//! connections in by those rules as well.
//!
//! In: connections of clients that may be slow, many or hostile. Out: their requests, each with a [`Peer`], a [`Secure`] and a
//! [`Standing`] among its extensions. What one client can take is bounded in number, size and time; what it asks is not looked
//! at here.
//!
//! | part | what it bounds |
//! |---|---|
//! | [`Limits`] | the numbers of a port |
//! | `crowd` | connections: strangers few and short, known clients more |
//! | `body` | bodies of requests: their size, and how long they may take |
//! | [`Backlog`] | what the system holds for a client who reads slowly |
//! | [`names`] | by which names a browser may ask, and from which page it may change something |
//! | [`proxy`] | whose word on a client's address counts |
//! | [`tls`] | the certificate, and its renewal |
//! | [`encoding`] | what goes out compressed |

mod accept;
mod backlog;
mod body;
mod crowd;
pub mod encoding;
mod limits;
pub mod names;
pub mod proxy;
mod serve;
pub mod tls;

use std::net::SocketAddr;

pub use accept::accept;
pub use backlog::Backlog;
pub use crowd::Standing;
pub use crowd::{Place, party};
pub use limits::{Limits, Pace};
pub use serve::{Server, connection, serve};

/// Who is at the other end, as far as it can be known: behind a trusted proxy it is the proxy's client.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Whether the browser's own connection is encrypted: ours, or that to a trusted proxy.
#[derive(Debug, Clone, Copy)]
pub struct Secure(pub bool);
