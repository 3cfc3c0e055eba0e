//! Files that are whole or not there at all, even after a power cut.
//!
//! In: a path and its content. Out: the file under its name, its content and its name both synced to disk. It is
//! written beside its place under a name by which the outbox finds and removes it at its next start.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::ClipError;

/// Unfinished files are called `.NAME.part`.
const UNFINISHED: &str = ".part";

/// Content in pieces, so that coded pictures need not be copied together.
#[derive(Debug, Clone)]
pub(super) struct Content {
    chunks: Vec<Bytes>,
    /// Length in bytes.
    pub(super) bytes: u64,
    /// Digest of the whole.
    pub(super) sha256: [u8; 32],
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
pub(super) fn write(path: &Path, content: &Content) -> Result<(), ClipError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder).map_err(|e| ClipError::writing(folder, content.bytes, e))?;
    let unfinished = unfinished(path);
    let written = write_unfinished(&unfinished, content)
        .and_then(|()| fs::rename(&unfinished, path))
        .and_then(|()| sync_folder(folder));
    written.map_err(|e| {
        // Room matters more than a trace; if even this fails, the outbox finds it at the next start.
        let _ = fs::remove_file(&unfinished);
        ClipError::writing(path, content.bytes, e)
    })
}

fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{UNFINISHED}"))
}

fn write_unfinished(path: &Path, content: &Content) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(64 * 1024, File::create(path)?);
    for chunk in &content.chunks {
        writer.write_all(chunk)?;
    }
    writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes `folder` and its missing parents, each entered in its own parent on disk.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new("."));
    make_folder(parent)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists || !folder.is_dir() => Err(e),
        _ if parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        _ => sync_folder(parent),
    }
}

#[cfg(test)]
mod tests {
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
        std::os::unix::fs::symlink("/dev/full", unfinished(&path)).unwrap();
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
