//! Files that are whole or not there at all, even after a power cut.
//!
//! In: a path and its content. Out: the file under its name, its content and its name both on disk. It is
//! written beside its place under a name by which the outbox finds and removes it at its next start.

use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    base::durable::{self, Flush},
    recording::ClipError,
};

/// Content in pieces, so that coded pictures need not be copied together.
#[derive(Debug, Clone)]
pub(in crate::recording) struct Content {
    chunks: Vec<Bytes>,
    /// Length in bytes.
    pub(in crate::recording) bytes: u64,
    /// Digest of the whole.
    pub(in crate::recording) sha256: [u8; 32],
}

impl From<Vec<Bytes>> for Content {
    fn from(chunks: Vec<Bytes>) -> Self {
        let mut digest = Sha256::new();
        let mut bytes = 0;
        for chunk in &chunks {
            digest.update(chunk);
            bytes += chunk.len() as u64;
        }
        Self {
            chunks,
            bytes,
            sha256: digest.finalize().into(),
        }
    }
}

/// Writes `content` to `path`, making its folders where they are missing.
///
/// # Errors
/// When the disk is full or refuses; then nothing stands at `path` that did not stand there before.
pub(in crate::recording) fn write(path: &Path, content: &Content) -> Result<(), ClipError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    durable::make_dir(folder).map_err(|e| ClipError::writing(folder, content.bytes, e))?;
    let pieces = content.chunks.iter().map(AsRef::as_ref);
    durable::write_pieces(path, pieces, Flush::Yes)
        .map_err(|e| ClipError::writing(path, content.bytes, e))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn content() -> Content {
        vec![
            Bytes::from_static(b"lares "),
            Bytes::from_static(b"familiares"),
        ]
        .into()
    }

    #[test]
    fn a_file_appears_whole_with_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/00001.m4s");
        write(&path, &content()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"lares familiares");
        assert_eq!(content().bytes, 16);
        assert_eq!(
            content().sha256,
            <[u8; 32]>::from(Sha256::digest(b"lares familiares"))
        );
        let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn a_full_disk_says_how_much_was_needed_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("00001.m4s");
        // The one device that is always full.
        std::os::unix::fs::symlink("/dev/full", durable::unfinished(&path)).unwrap();
        let error = write(&path, &content()).unwrap_err();
        assert!(
            matches!(error, ClipError::DiskFull { needed: 16, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("needs 16 bytes more"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn other_failures_name_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        fs::write(&blocked, b"").unwrap();
        let error = write(&blocked.join("sub/00001.m4s"), &content()).unwrap_err();
        assert!(error.to_string().contains("file/sub"), "{error}");
    }
}
