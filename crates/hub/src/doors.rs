//! Where the hub listens: binding, and what `lares check` says of it.

use std::net::SocketAddr;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;

use super::{HubError, broker, ports};
use crate::config::HubConfig;

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
    fn error(self, address: SocketAddr, source: std::io::Error) -> HubError {
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

/// Whether a hub with such a configuration could start, or is running; what it would say.
///
/// # Errors
/// One sentence that says what to do.
pub fn probe(config: &HubConfig) -> Result<String, HubError> {
    let mut doors = vec![(config.listen, PAGE)];
    if config.broker.is_none() {
        broker::is_installed()?;
        doors.push((config.broker_listen, BROKER));
    }
    if config.store.is_none() {
        doors.push((config.store_listen, STORE));
    }
    let count = doors.len();
    let taken: Vec<HubError> = doors
        .into_iter()
        .filter_map(|(address, door)| {
            let source = std::net::TcpListener::bind(address).err()?;
            Some(door.error(address, source))
        })
        .collect();
    // All of them at once are most likely taken by the hub itself.
    let running = taken.len() == count;
    match taken.into_iter().next() {
        Some(error) if !running => Err(error),
        _ => Ok(format!(
            "{} at {}{}",
            if running { "is open" } else { "can open" },
            ports::url(config, config.listen),
            ports::certificate(config)?
        )),
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
