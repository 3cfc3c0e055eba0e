//! What can go wrong with a clip, and what to do about it.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// Why a clip, one of its files or a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The disk, or the quota on it, is used up.
    #[error(
        "the disk is full: {} needs {needed} bytes more; free some space or lower outbox.quota or outbox.retention",
        path.display()
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        needed: u64,
    },
    /// Something else is wrong with the file or its folder.
    #[error(
        "cannot write {}: {source}; check that data_dir is on a mounted disk and that Lares may write to it",
        path.display()
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The stream's coding cannot enter a clip as it is.
    #[error("no clip of {codec} video: {why}; set the camera to H.264 or H.265")]
    Unsuited {
        /// The codec's display name.
        codec: String,
        /// What is missing.
        why: &'static str,
    },
    /// A picture could not be scaled or coded.
    #[error(
        "cannot make a picture of a {width}x{height} frame: {why}; check the camera's resolution"
    )]
    Picture {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// What the library says.
        why: String,
    },
}

impl ClipError {
    /// Sorts what the system said while writing `needed` bytes to `path`.
    pub(super) fn writing(path: &Path, needed: u64, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, needed },
            _ => Self::Write { path, source },
        }
    }
}
