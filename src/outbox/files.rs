//! Files that must survive a power cut: written under another name, flushed, renamed, and the folder flushed too.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use super::OutboxError;

/// Ending of a file that is not whole yet; removed at start.
pub(crate) const UNFINISHED: &str = "part";

/// Makes `dir` and what is missing above it, and flushes each folder that got a new entry.
///
/// # Errors
/// When the system refuses.
pub fn make_dir(dir: &Path) -> Result<(), OutboxError> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent() {
        make_dir(parent)?;
    }
    match fs::create_dir(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(OutboxError::file(dir, "created", error));
        }
        _ => {}
    }
    dir.parent().map_or(Ok(()), flush_dir)
}

fn flush_dir(dir: &Path) -> Result<(), OutboxError> {
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| OutboxError::file(dir, "flushed", error))
}

/// Puts `bytes` at `path`, whole or not at all. `durable`: flushed to the disk before this returns.
pub(crate) fn write(path: &Path, bytes: &[u8], durable: bool) -> Result<(), OutboxError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    let unfinished = Path::new(&name);
    let put = || {
        let mut file = File::create(unfinished)?;
        file.write_all(bytes)?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(unfinished, path)
    };
    if let Err(error) = put() {
        let _ = fs::remove_file(unfinished);
        return Err(OutboxError::file(path, "written", error));
    }
    match path.parent() {
        Some(dir) if durable => flush_dir(dir),
        _ => Ok(()),
    }
}

/// Removes what a cut left unfinished below `dir`; returns how many files.
pub(crate) fn remove_unfinished(dir: &Path) -> usize {
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
