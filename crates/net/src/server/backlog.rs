//! How much of an answer may wait in the system for a client who reads slowly.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use tokio::net::TcpStream;

use crate::base::socket;

/// Lets a handler keep that small, for what is of use only while it is new.
#[derive(Clone)]
pub struct Backlog(Option<Arc<OwnedFd>>);

impl Backlog {
    /// Of a client's connection.
    pub(super) fn of(socket: &TcpStream) -> Self {
        Self(socket.as_fd().try_clone_to_owned().ok().map(Arc::new))
    }

    /// One that belongs to no connection, for requests that come from no socket.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// From now on the system takes no more than `bytes` that it has not sent yet, beside what it is given at once.
    pub fn keep_below(&self, bytes: u32) {
        if let Some(socket) = &self.0 {
            socket::hold_at_most(socket, bytes);
        }
    }
}
