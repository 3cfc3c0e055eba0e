//! What can go wrong with the outbox, each in one sentence that says what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

/// Why the outbox could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Written by a newer program.
    #[error(
        "the outbox {path} was written by a newer Lares (schema {found}, this one knows {known}): install that version \
         again, or move the file away to start with an empty outbox"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// Not a sound database.
    #[error(
        "the outbox {path} is damaged ({detail}): move the file away to start with an empty one; the clips beside it \
         are set aside, not deleted"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// No room.
    #[error("the disk of {path} is full: free some space or lower outbox.quota")]
    Full {
        /// Where no more fits.
        path: PathBuf,
    },
    /// Another process is using it.
    #[error(
        "the outbox {path} is in use by another Lares: stop that one first, or give this one its own data_dir"
    )]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error(
        "{path} cannot be {action} ({source}): check that the disk is well and that this user may write to data_dir"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Anything else that SQLite reports.
    #[error(
        "the outbox {path} cannot be used ({source}): check that the disk is well and that this user may write to data_dir"
    )]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Something was handed in for an incident that the outbox has never heard of.
    #[error(
        "incident {0} is not in the outbox: it was never announced, or its retention has ended"
    )]
    Unknown(crate::flow::IncidentId),
}

impl OutboxError {
    /// Sorts what SQLite reports about the database `path`.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                path,
                detail: source.to_string(),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse { path },
            _ => Self::Database { path, source },
        }
    }

    /// Sorts what the system reports about `path`.
    pub(crate) fn file(path: &Path, action: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        if matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            Self::Full { path }
        } else {
            Self::File {
                path,
                action,
                source,
            }
        }
    }
}
