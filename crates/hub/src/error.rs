//! What can go wrong with the hub, each in one sentence that says what to do.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    base::sqlite::OpenError,
    net::{EndpointError, server::tls::TlsError},
};

/// Why the hub did not start, or could not do something.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A file of its own.
    #[error("the hub cannot use {path}: {source}. Make it readable and writable for this user")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its database.
    #[error("the hub's database cannot be used: {0}")]
    Database(#[from] rusqlite::Error),
    /// Not a sound database, and one that nobody can make again.
    #[error(
        "the hub's database {path} is damaged ({detail}): put a copy of it back, or move it away and make the accounts again"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// Asked before it is open, or while it is made again.
    #[error("the hub's database {0} is not open yet: its log says why")]
    Closed(PathBuf),
    /// Made by a later version.
    #[error("{0} was made by a newer Lares: update this one")]
    NewerIndex(PathBuf),
    /// Another program has its folder.
    #[error(
        "the hub's folder {0} is in use by another Lares: stop that one first, or give this one its own dir under [hub]"
    )]
    InUse(PathBuf),
    /// The broker.
    #[error("the hub's broker mosquitto cannot be started: {0}. Install it: apt install mosquitto")]
    Broker(String),
    /// The broker has ended.
    #[error("the hub's broker mosquitto has ended ({0}); it is started again")]
    BrokerEnded(String),
    /// The broker hangs.
    #[error("the hub's broker mosquitto runs and does not answer; it is started again")]
    BrokerSilent,
    /// A port in use.
    #[error(
        "the hub cannot listen on {address} for {what}: {source}. Choose another address with {key} under [hub]"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What it is for.
        what: &'static str,
        /// The key that sets it.
        key: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The store's folder.
    #[error("the hub's store cannot be read: {0}")]
    Store(io::Error),
    /// What the box in this program keeps.
    #[error("what this box keeps cannot be read or changed: {0}. Its log says more")]
    Evidence(io::Error),
    /// The certificate of its ports.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Another broker or store that the configuration names.
    #[error(transparent)]
    Elsewhere(#[from] EndpointError),
    /// What the box in this program says.
    #[error("an alert of this box cannot be read: {0}. Report this with the log")]
    Document(serde_json::Error),
    /// An account that cannot be.
    #[error("{0}")]
    Account(String),
    /// Hashing.
    #[error("the password cannot be kept: {0}")]
    Password(String),
}

impl HubError {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// Why the database `path` was not opened.
    pub(super) fn opening(path: &Path, error: OpenError) -> Self {
        let path = path.to_owned();
        match error {
            OpenError::Newer { .. } => Self::NewerIndex(path),
            OpenError::Damaged(detail) => Self::Damaged { path, detail },
            OpenError::File(source) => Self::File { path, source },
            OpenError::Sqlite(source) => Self::Database(source),
        }
    }
}
