//! Where the hub listens.

pub(crate) mod needed;
pub(crate) mod ports;
pub(crate) mod probe;

use std::net::SocketAddr;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;

use super::HubError;

/// Files that may be open for all connections, and what else the program needs.
const OPEN_FILES: u64 = 4096;

/// What listens, and the key that says where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door {
    what: &'static str,
    key: &'static str,
}

pub(super) const PAGE: Door = Door {
    what: "the page",
    key: "listen",
};
pub(super) const BROKER: Door = Door {
    what: "the broker",
    key: "broker_listen",
};
pub(super) const STORE: Door = Door {
    what: "uploads",
    key: "store_listen",
};

impl Door {
    /// Why it cannot listen on `address`.
    pub(super) fn error(self, address: SocketAddr, source: std::io::Error) -> HubError {
        let Self { what, key } = self;
        HubError::Listen {
            address,
            what,
            key,
            source,
        }
    }

    /// Listens on `address`.
    pub(super) async fn open(self, address: SocketAddr) -> Result<TcpListener, HubError> {
        TcpListener::bind(address)
            .await
            .map_err(|source| self.error(address, source))
    }

    /// The port that `wanted` means: port 0 is a free one. A port in use is told later, by the part that needs it.
    pub(super) async fn settle(self, wanted: SocketAddr) -> SocketAddr {
        match self.open(wanted).await {
            Ok(listener) => listener.local_addr().unwrap_or(wanted),
            Err(_) => wanted,
        }
    }
}

/// Asks for as many open files as connections may need: many systems give a program 1024 unless it asks for more. Where the system
/// gives less all the same, connections that find no room wait.
pub(super) fn allow_open_files() {
    let mut files = getrlimit(Resource::Nofile);
    let most = files
        .maximum
        .map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if files.current.is_some_and(|now| now < most) {
        files.current = Some(most);
        if let Err(error) = setrlimit(Resource::Nofile, files) {
            tracing::debug!(%error, "no more open files");
        }
    }
}
