//! Files that are whole or not there, whatever happens to the power, and for this user alone to read.
//!
//! In: a path and its content. Out: the file under its name. It is written beside its place as `.NAME.part`, flushed and
//! renamed, and the folder is flushed too. Every file that must survive is written here, with mode 0600 in folders of mode
//! 0700, whatever the umask of the process. What was there before stays as it is when writing fails.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Ending of a file that is not whole yet; removed at start.
pub const UNFINISHED: &str = "part";
/// Mode of files: read and written by this user alone.
pub const PRIVATE: u32 = 0o600;
/// Mode of folders.
const PRIVATE_FOLDER: u32 = 0o700;
/// Pieces smaller than this are written together.
const BUFFER: usize = 64 * 1024;

/// Whether a file is on the disk when the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Content, name and folder are.
    Yes,
    /// The system writes it when it likes: for what can be made again.
    No,
}

/// Puts `bytes` at `path`, flushed, with mode 0600.
///
/// # Errors
/// When the system refuses, for one because the disk is full.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_pieces(path, [bytes], Flush::Yes)
}

/// The same in the place of a file of the household's own, which keeps the permissions that it has.
///
/// # Errors
/// When there is no such file, or the system refuses.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let permissions = fs::metadata(path)?.permissions();
    put(path, [bytes], Flush::Yes, Some(permissions))
}

/// Puts `pieces`, one after the other, at `path`, with mode 0600.
///
/// # Errors
/// When the system refuses, for one because the disk is full.
pub fn write_pieces<'a>(
    path: &Path,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    flush: Flush,
) -> io::Result<()> {
    put(path, pieces, flush, None)
}

fn put<'a>(
    path: &Path,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    flush: Flush,
    permissions: Option<Permissions>,
) -> io::Result<()> {
    let unfinished = unfinished(path);
    let put = || -> io::Result<()> {
        let mut file = BufWriter::with_capacity(BUFFER, create(&unfinished)?);
        for piece in pieces {
            file.write_all(piece)?;
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        if flush == Flush::Yes {
            file.sync_all()?;
        }
        fs::rename(&unfinished, path)
    };
    if let Err(error) = put() {
        // Room matters more than a trace; if even this fails, it is found at the next start.
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    match path.parent() {
        Some(folder) if flush == Flush::Yes => flush_dir(folder),
        _ => Ok(()),
    }
}

/// A new or emptied file of mode 0600.
///
/// # Errors
/// When the system refuses.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(PRIVATE)
        .open(path)
}

/// A new file of mode 0600, to write and to read; an error where `path` exists.
///
/// # Errors
/// When the system refuses.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .read(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path)
}

/// The file `path` as the sign that its folder belongs to this process, for as long as it is held: none where it belongs to
/// another one.
///
/// # Errors
/// When the system refuses.
pub fn lock(path: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{FlockOperation, flock};
    let file = create(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A file of mode 0600 to add to, made where it is missing.
///
/// # Errors
/// When the system refuses.
pub fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(PRIVATE)
        .open(path)
}

/// Makes `dir` and what is missing above it, with mode 0700, and flushes each folder that got a new entry.
///
/// # Errors
/// When the system refuses.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dir(parent)?;
    }
    match DirBuilder::new().mode(PRIVATE_FOLDER).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !dir.is_dir() => Err(error),
        _ => dir.parent().map_or(Ok(()), flush_dir),
    }
}

/// Brings the names in `dir` to the disk.
///
/// # Errors
/// When the system refuses.
pub fn flush_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    File::open(dir)?.sync_all()
}

/// Removes what a cut left unfinished below `dir`; returns how many files.
pub fn remove_unfinished(dir: &Path) -> usize {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    let mut removed = 0;
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            removed += remove_unfinished(&path);
        } else if path.extension().is_some_and(|e| e == UNFINISHED)
            && fs::remove_file(&path).is_ok()
        {
            removed += 1;
        }
    }
    removed
}

/// Under which name a file grows.
#[must_use]
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(UNFINISHED);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_and_folders_are_for_this_user_alone_whatever_the_umask() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/00001.m4s");
        make_dir(path.parent().unwrap()).unwrap();
        write(&path, b"one").unwrap();
        write_pieces(&path, [&b"lares "[..], b"familiares"], Flush::No).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"lares familiares");
        assert_eq!((mode(&path), mode(&dir.path().join("a"))), (0o600, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_replaced_is_as_open_as_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lares.toml");
        assert!(replace(&path, b"new").is_err(), "there is none");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o640);
    }

    #[test]
    fn a_full_disk_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("facts");
        write(&path, b"before").unwrap();
        // The one device that is always full.
        std::os::unix::fs::symlink("/dev/full", unfinished(&path)).unwrap();
        let error = write(&path, b"after").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_cut_left_is_removed_wherever_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        make_dir(&dir.path().join("a/b")).unwrap();
        fs::write(unfinished(&dir.path().join("a/b/thumb.jpg")), b"half").unwrap();
        fs::write(dir.path().join("thumb.jpg"), b"whole").unwrap();
        assert_eq!(remove_unfinished(dir.path()), 1);
        assert!(dir.path().join("thumb.jpg").exists());
    }
}
