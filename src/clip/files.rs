//! Files that are whole or not there at all, even after a power cut.
//!
//! In: a path and its content. Out: the file under its name, its content and its name both synced to disk. It is
//! written beside its place under a name that [`remove_leftovers`] knows.

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
        // Room matters more than a trace; if even this fails, `remove_leftovers` finds it.
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

/// Deletes what an earlier process left half-written in `dir` and the folders in it. Returns how many files it deleted.
///
/// # Errors
/// When a folder cannot be read or a file not deleted; a missing `dir` is no error.
pub fn remove_leftovers(dir: &Path) -> Result<usize, ClipError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ClipError::Write { path, source }
    };
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other.map_err(failed(dir))?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(failed(dir))?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type().map_err(failed(&path))?.is_dir() {
            removed += remove_leftovers(&path)?;
        } else if name.starts_with('.') && name.ends_with(UNFINISHED) {
            fs::remove_file(&path).map_err(failed(&path))?;
            removed += 1;
        }
    }
    Ok(removed)
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

    #[test]
    fn leftovers_are_found_in_all_folders_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("incident/sub");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("00001.m4s"), b"kept").unwrap();
        fs::write(unfinished(&deep.join("00002.m4s")), b"half").unwrap();
        fs::write(dir.path().join("notes.part"), b"kept").unwrap();
        assert_eq!(remove_leftovers(dir.path()).unwrap(), 1);
        assert!(deep.join("00001.m4s").exists() && dir.path().join("notes.part").exists());
        assert_eq!(remove_leftovers(dir.path()).unwrap(), 0);
        assert_eq!(remove_leftovers(&dir.path().join("missing")).unwrap(), 0);
    }
}
