//! How every database of ours is opened: for this user alone, with the same settings, checked, and brought up to date.
//!
//! In: a path, the steps of its schema, and how safe its newest rows must be. Out: a connection, or one of three reasons:
//! made by a newer program, damaged, or not to be used now. It never deletes: what is damaged is refused, or renamed by
//! [`set_aside`] where its owner can make it again.

use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};

use crate::base::durable::PRIVATE;

/// How long to wait for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);
/// Statements that stay prepared. With rusqlite's usual 16 most of one delivery's are parsed again for each object.
const PREPARED: usize = 128;

/// What a power cut may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// Nothing that was committed (`synchronous=FULL`).
    Full,
    /// The newest transactions (`synchronous=NORMAL`): for what can be asked for again.
    Normal,
}

/// Why a database was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// Written by a newer program.
    Newer {
        /// Its schema.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// Not a sound database; what SQLite says.
    Damaged(String),
    /// The file cannot be made or read.
    File(io::Error),
    /// Anything else that SQLite reports.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) {
            Self::Damaged(error.to_string())
        } else {
            Self::Sqlite(error)
        }
    }
}

/// Opens the database `path`, made where there is none, and brings its schema up to date. Step `i` of `migrations` brings
/// schema `i` (`user_version`) to `i + 1`; released steps never change.
///
/// # Errors
/// See [`OpenError`]. The file is as it was then.
pub fn open(path: &Path, migrations: &[&str], safety: Safety) -> Result<Connection, OpenError> {
    // SQLite would make it with the umask's mode, and gives the files beside it the mode of this one.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE)
        .open(path)
        .map_err(OpenError::File)?;
    let mut db = Connection::open(path)?;
    db.set_prepared_statement_cache_capacity(PREPARED);
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match safety {
        Safety::Full => "FULL",
        Safety::Normal => "NORMAL",
    };
    db.pragma_update(None, "synchronous", synchronous)?;
    db.pragma_update(None, "foreign_keys", true)?;
    let known = migrations.len() as u32;
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    let sound: String = db.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if sound != "ok" {
        return Err(OpenError::Damaged(sound));
    }
    for (from, step) in migrations.iter().enumerate().skip(found as usize) {
        migrate(&mut db, from as u32 + 1, step)?;
    }
    for name in files(path) {
        // Made by an earlier program, with the umask of its time.
        let _ = fs::set_permissions(name, Permissions::from_mode(PRIVATE));
    }
    Ok(db)
}

/// Runs the step that leads to schema `to`.
///
/// # Errors
/// When SQLite refuses; then nothing of it was done.
pub fn migrate(db: &mut Connection, to: u32, step: &str) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    tx.execute_batch(step)?;
    tx.pragma_update(None, "user_version", to)?;
    tx.commit()
}

/// Whether SQLite says that the file itself is at fault.
#[must_use]
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// Whether SQLite found no room.
#[must_use]
pub fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Renames the database `path` and what lies beside it to `NAME.damaged-SECONDS`, and deletes all but the `keep` newest of
/// those. Nobody may have it open. Returns the new name.
///
/// # Errors
/// When the system refuses.
pub fn set_aside(path: &Path, keep: usize) -> io::Result<PathBuf> {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mark = format!("{name}.damaged-");
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut earlier: Vec<(u64, PathBuf)> = fs::read_dir(folder)?
        .flatten()
        .filter_map(|entry| {
            let entry_name = entry.file_name().into_string().ok()?;
            Some((entry_name.strip_prefix(&mark)?.parse().ok()?, entry.path()))
        })
        .collect();
    earlier.sort_unstable();
    // The clock may stand still or go back.
    let seconds = earlier
        .last()
        .map_or(seconds, |(last, _)| seconds.max(last + 1));
    let aside = folder.join(format!("{mark}{seconds}"));
    // What was newest may be in the log that belongs to it. First, as a log without its database is taken for that of the next.
    let ([_, log, shared], [_, log_aside, _]) = (files(path), files(&aside));
    let _ = fs::remove_file(shared);
    let _ = fs::rename(log, log_aside);
    fs::rename(path, &aside)?;
    let too_many = (earlier.len() + 1).saturating_sub(keep);
    for (_, path) in earlier.into_iter().take(too_many) {
        for file in files(&path) {
            let _ = fs::remove_file(file);
        }
    }
    Ok(aside)
}

/// A database, and what SQLite keeps beside it.
fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [&str; 2] = [
        "CREATE TABLE a (x INTEGER) STRICT;",
        "ALTER TABLE a ADD COLUMN y TEXT;",
    ];

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn steps_are_taken_once_and_nobody_else_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        fs::write(&path, b"").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        drop(open(&path, &STEPS[..1], Safety::Normal).unwrap());
        let db = open(&path, &STEPS, Safety::Full).unwrap();
        db.execute("INSERT INTO a VALUES (1, 'b')", []).unwrap();
        for name in files(&path) {
            assert_eq!(mode(&name), 0o600, "{}", name.display());
        }
        let error = open(&path, &STEPS[..1], Safety::Full).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 2, known: 1 }));
    }

    #[test]
    fn a_step_that_fails_leaves_the_schema_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        drop(open(&path, &STEPS[..1], Safety::Normal).unwrap());
        let bad = [
            STEPS[0],
            "ALTER TABLE a ADD COLUMN y TEXT; CREATE NONSENSE;",
        ];
        assert!(open(&path, &bad, Safety::Normal).is_err());
        open(&path, &STEPS, Safety::Normal).unwrap();
    }

    #[test]
    fn rubbish_is_refused_left_alone_and_set_aside_a_few_times() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        for round in 1..=5u8 {
            fs::write(&path, vec![round; 8192]).unwrap();
            let error = open(&path, &STEPS, Safety::Normal).unwrap_err();
            assert!(matches!(error, OpenError::Damaged(_)));
            assert_eq!(fs::read(&path).unwrap(), vec![round; 8192]);
            let aside = set_aside(&path, 3).unwrap();
            assert_eq!(fs::read(aside).unwrap(), vec![round; 8192]);
        }
        open(&path, &STEPS, Safety::Normal).unwrap();
        let kept = fs::read_dir(dir.path()).unwrap().flatten();
        let kept = kept.filter(|entry| entry.file_name().to_string_lossy().contains("damaged"));
        assert_eq!(kept.count(), 3);
    }
}
