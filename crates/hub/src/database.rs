//! A database of the hub: opened when it can be, written with the room that is kept for it, and noticed when it is damaged.
//!
//! In: work on the connection. Out: what it gives. A full disk costs a row nothing as long as the reserve in the hub's folder
//! lasts. Who finds the file damaged, at its opening or later, closes it; its owner decides what becomes of it.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::Notify;

use super::HubError;
use crate::base::{
    reserve,
    sqlite::{self, Safety, is_damage, is_full},
};

/// Damaged files that are kept for whoever wants to look into them.
const ASIDE: usize = 3;

/// A database, open or not.
pub(super) struct Database {
    path: PathBuf,
    migrations: &'static [&'static str],
    safety: Safety,
    connection: Mutex<Option<Connection>>,
    damaged: AtomicBool,
    damage: Notify,
}

impl Database {
    /// The database `file` in `dir`, not open yet.
    pub(super) fn closed(
        dir: &Path,
        file: &str,
        migrations: &'static [&'static str],
        safety: Safety,
    ) -> Self {
        Self {
            path: dir.join(file),
            migrations,
            safety,
            connection: Mutex::default(),
            damaged: AtomicBool::new(false),
            damage: Notify::new(),
        }
    }

    /// Opens it, made where there is none.
    ///
    /// # Errors
    /// When it cannot be opened, is damaged, or of a newer program.
    pub(super) fn open(&self) -> Result<(), HubError> {
        let mut connection = self.connection.lock();
        *connection = None;
        let opened =
            self.with_room(
                || match sqlite::open(&self.path, self.migrations, self.safety) {
                    Err(sqlite::OpenError::Sqlite(error)) => Err(error),
                    other => Ok(other),
                },
            )?;
        *connection = Some(opened.map_err(|error| HubError::opening(&self.path, error))?);
        self.damaged.store(false, Ordering::Release);
        Ok(())
    }

    /// Renames the damaged file; the next opening makes an empty one. Returns the new name.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn set_aside(&self) -> Result<PathBuf, HubError> {
        let mut connection = self.connection.lock();
        *connection = None;
        sqlite::set_aside(&self.path, ASIDE).map_err(|error| HubError::file(&self.path, error))
    }

    /// Completes when somebody has found the open database damaged.
    pub(super) async fn is_damaged(&self) {
        while !self.damaged.load(Ordering::Acquire) {
            self.damage.notified().await;
        }
    }

    /// Reads something.
    ///
    /// # Errors
    /// When it is closed, or SQLite refuses.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        let connection = self.connection.lock();
        let open = connection
            .as_ref()
            .ok_or_else(|| HubError::Closed(self.path.clone()))?;
        self.noticed(work(open))
    }

    /// Changes something, all of it or nothing. On a full disk it is run again with a bit of the reserve.
    ///
    /// # Errors
    /// When it is closed, or SQLite refuses.
    pub(super) fn write<T>(
        &self,
        work: impl Fn(&Transaction<'_>) -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        let mut connection = self.connection.lock();
        let open = connection
            .as_mut()
            .ok_or_else(|| HubError::Closed(self.path.clone()))?;
        let mut other = None;
        let done = self.with_room(|| {
            let changes = open.transaction_with_behavior(TransactionBehavior::Immediate)?;
            match work(&changes) {
                Ok(done) => changes.commit().map(|()| Some(done)),
                Err(HubError::Database(error)) => Err(error),
                Err(error) => {
                    other = Some(error);
                    Ok(None)
                }
            }
        });
        let done = match (done, other) {
            (Ok(Some(done)), _) => Ok(done),
            (Err(error), _) => Err(error.into()),
            (Ok(None), Some(error)) => Err(error),
            (Ok(None), None) => Err(HubError::Closed(self.path.clone())),
        };
        self.noticed(done)
    }

    /// Runs `write`, again and again while it finds no room and the reserve has some.
    fn with_room<T>(&self, mut write: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        with_room(folder, &mut write)
    }

    fn noticed<T>(&self, done: Result<T, HubError>) -> Result<T, HubError> {
        if let Err(HubError::Database(error)) = &done
            && is_damage(error)
            && !self.damaged.swap(true, Ordering::AcqRel)
        {
            self.damage.notify_waiters();
            self.damage.notify_one();
        }
        done
    }
}

/// Runs `write`, again while it finds no room and the reserve in `folder` has a bit to give.
///
/// # Errors
/// What SQLite says the last time.
pub(super) fn with_room<T>(
    folder: &Path,
    write: &mut dyn FnMut() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    loop {
        match write() {
            // The file that readers of a database share fails in its own way on a full disk.
            Err(error)
                if (is_full(&error)
                    || (is_io(&error) && reserve::free_bytes(folder) < reserve::ROWS.bit))
                    && reserve::ROWS.give(folder, 0) => {}
            done => return done,
        }
    }
}

fn is_io(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, SystemIoFailure};
    matches!(
        error.sqlite_error_code(),
        Some(SystemIoFailure | CannotOpen)
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const STEPS: [&str; 1] = ["CREATE TABLE a (x TEXT) STRICT;"];

    fn database(dir: &Path) -> Database {
        Database::closed(dir, "a.db", &STEPS, Safety::Normal)
    }

    fn insert(database: &Database) -> Result<(), HubError> {
        database.write(|changes| {
            changes.execute("INSERT INTO a VALUES (?1)", ["x".repeat(5000)])?;
            Ok(())
        })
    }

    fn count(database: &Database) -> Result<i64, HubError> {
        database.read(|db| Ok(db.query_row("SELECT count(*) FROM a", [], |row| row.get(0))?))
    }

    #[tokio::test]
    async fn damage_while_it_is_open_is_noticed_and_an_empty_one_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let database = database(dir.path());
        assert!(matches!(count(&database), Err(HubError::Closed(_))));
        database.open().unwrap();
        // More than SQLite keeps in memory.
        for _ in 0..1500 {
            insert(&database).unwrap();
        }
        for name in ["a.db", "a.db-wal"] {
            std::fs::write(dir.path().join(name), vec![0x5a; 1 << 23]).unwrap();
        }
        assert!(count(&database).is_err());
        tokio::time::timeout(Duration::from_secs(5), database.is_damaged())
            .await
            .unwrap();
        database.set_aside().unwrap();
        database.open().unwrap();
        insert(&database).unwrap();
        assert_eq!(count(&database).unwrap(), 1);
    }

    #[test]
    fn a_change_that_fails_half_way_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let database = database(dir.path());
        database.open().unwrap();
        let failed = database.write(|changes| {
            changes.execute("INSERT INTO a VALUES ('b')", [])?;
            Err::<(), _>(HubError::Account("no".to_owned()))
        });
        assert!(matches!(failed, Err(HubError::Account(_))));
        assert_eq!(count(&database).unwrap(), 0);
    }

    #[test]
    fn the_reserve_gives_room_bit_by_bit_and_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        assert!(reserve::ROWS.keep(dir.path()));
        let full = || {
            rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
                None,
            )
        };
        let mut tries = 0;
        let done = with_room(dir.path(), &mut || {
            tries += 1;
            if tries < 3 { Err(full()) } else { Ok(tries) }
        });
        assert_eq!(done.unwrap(), 3);
        let mut tries = 0;
        let never: rusqlite::Result<()> = with_room(dir.path(), &mut || {
            tries += 1;
            Err(full())
        });
        assert!(never.is_err());
        assert_eq!(tries, reserve::ROWS.size / reserve::ROWS.bit - 2 + 1);
    }
}
