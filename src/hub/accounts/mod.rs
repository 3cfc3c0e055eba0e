//! Who may look and who may change: accounts, sessions, and a record of what was done by whom.
//!
//! In: names, passwords and tokens of browsers. Out: who it is. Passwords are kept as argon2id hashes, tokens of sessions as
//! SHA-256: who reads the database can log in with neither. The hub without an account has one user on loopback, its owner.

mod book;

use std::{
    collections::HashMap,
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use book::AccountBook;

use super::{HubError, keys};
use crate::flow::WallTime;

/// The file's name in the hub's folder.
const FILE: &str = "accounts.db";
const SCHEMA: i64 = 1;
const TABLES: &str = "
CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
    token BLOB PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    account TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
";

/// Shortest password, in characters.
const SHORTEST: usize = 10;
/// Longest one; hashing more would cost for nothing.
const LONGEST: usize = 256;
/// Longest name of an account. It is what a box writes in its ledger.
const LONGEST_NAME: usize = 64;
/// A session that nobody has used for this long is over.
const SESSION_KEPT: i64 = 30 * 24 * 3600 * 1000;
/// Attempts that one address has at once ...
const ATTEMPTS: u32 = 5;
/// ... and how long it waits for each further one.
const ATTEMPT_EVERY: Duration = Duration::from_secs(20);
/// Addresses whose attempts are remembered.
const MOST_ADDRESSES: usize = 1000;
/// Lines of the record that are kept.
const LOG_KEPT: u32 = 50_000;

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// Look.
    Viewer,
    /// Change.
    Owner,
}

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) role: Role,
}

/// A browser that is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) account: Account,
    pub(super) csrf: String,
}

/// Why an account or a login was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Name and password do not fit.
    Wrong,
    /// Too many attempts.
    SlowDown(Duration),
    /// Not possible; one sentence.
    Impossible(String),
    /// There is none, or one already.
    Conflict(String),
}

/// A line of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LogEntry {
    at: WallTime,
    account: String,
    what: String,
    detail: String,
}

/// Accounts, sessions and the record.
pub(super) struct Accounts {
    database: Mutex<Connection>,
    attempts: Mutex<HashMap<IpAddr, (f64, Instant)>>,
    /// One hash at a time: each takes 19 MB.
    hashing: Mutex<()>,
    /// What a browser on loopback shows while nobody has an account.
    local_csrf: String,
}

impl Accounts {
    /// Opens the database in `dir`.
    ///
    /// # Errors
    /// When it cannot be opened, or is of a newer program.
    pub(super) fn open(dir: &Path) -> Result<Self, HubError> {
        let database = Connection::open(dir.join(FILE))?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        database.pragma_update(None, "foreign_keys", "ON")?;
        let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > SCHEMA {
            return Err(HubError::NewerIndex(dir.join(FILE)));
        }
        if version == 0 {
            database.execute_batch(&format!(
                "BEGIN;{TABLES}PRAGMA user_version = {SCHEMA};COMMIT;"
            ))?;
        }
        Ok(Self {
            database: Mutex::new(database),
            attempts: Mutex::default(),
            hashing: Mutex::default(),
            local_csrf: keys::random(),
        })
    }

    /// The session of whoever is on loopback while nobody has an account.
    pub(super) fn local(&self) -> Session {
        Session {
            account: Account {
                name: "local".to_owned(),
                role: Role::Owner,
            },
            csrf: self.local_csrf.clone(),
        }
    }

    /// Whether nobody has an account.
    pub(super) fn none(&self) -> Result<bool, HubError> {
        let database = self.database.lock();
        let count: i64 =
            database.query_row("SELECT count(*) FROM accounts", [], |row| row.get(0))?;
        Ok(count == 0)
    }

    /// Makes an account.
    pub(super) fn add(
        &self,
        name: &str,
        password: &str,
        role: Role,
    ) -> Result<Result<(), Refusal>, HubError> {
        if let Err(reason) = sound(name, password) {
            return Ok(Err(Refusal::Impossible(reason)));
        }
        let hash = {
            let _one = self.hashing.lock();
            Argon2::default()
                .hash_password(password.as_bytes())
                .map_err(|error| HubError::Password(error.to_string()))?
                .to_string()
        };
        let added = self.database.lock().execute(
            "INSERT INTO accounts (name, role, hash) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![name, word(role), hash],
        )?;
        if added == 0 {
            let reason = format!("there is an account {name} already: choose another name");
            return Ok(Err(Refusal::Conflict(reason)));
        }
        Ok(Ok(()))
    }

    /// Deletes an account and its sessions; the last owner stays.
    pub(super) fn remove(&self, name: &str) -> Result<Result<(), Refusal>, HubError> {
        let mut database = self.database.lock();
        let changes = database.transaction()?;
        if changes.execute("DELETE FROM accounts WHERE name = ?1", [name])? == 0 {
            let reason = format!("there is no account {name}");
            return Ok(Err(Refusal::Conflict(reason)));
        }
        let owners: i64 = changes.query_row(
            "SELECT count(*) FROM accounts WHERE role = 'owner'",
            [],
            |row| row.get(0),
        )?;
        if owners == 0 {
            let reason = "the last owner stays: make another one first".to_owned();
            return Ok(Err(Refusal::Conflict(reason)));
        }
        changes.commit()?;
        Ok(Ok(()))
    }

    /// Every account.
    pub(super) fn all(&self) -> Result<Vec<Account>, HubError> {
        let database = self.database.lock();
        let mut rows = database.prepare("SELECT name, role FROM accounts ORDER BY name")?;
        let all = rows.query_map([], |row| {
            Ok(Account {
                name: row.get(0)?,
                role: role(&row.get::<_, String>(1)?),
            })
        })?;
        Ok(all.collect::<Result<_, _>>()?)
    }

    /// Opens a session; its token is for the browser alone.
    pub(super) fn log_in(
        &self,
        from: IpAddr,
        name: &str,
        password: &str,
        now: WallTime,
    ) -> Result<Result<(String, Session), Refusal>, HubError> {
        if let Err(wait) = self.attempt(from) {
            return Ok(Err(Refusal::SlowDown(wait)));
        }
        let kept: Option<(String, String)> = self
            .database
            .lock()
            .query_row(
                "SELECT role, hash FROM accounts WHERE name = ?1",
                [name],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        // A name that there is none of costs as much time as one that there is.
        let nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let hash = kept.as_ref().map_or(nobody, |(_, hash)| hash);
        let fits = password.len() <= LONGEST * 4 && {
            let _one = self.hashing.lock();
            PasswordHash::new(hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            })
        };
        let Some((kept_role, _)) = kept.filter(|_| fits) else {
            return Ok(Err(Refusal::Wrong));
        };
        self.attempts.lock().remove(&from);
        let token = keys::random();
        let session = Session {
            account: Account {
                name: name.to_owned(),
                role: role(&kept_role),
            },
            csrf: keys::random(),
        };
        let database = self.database.lock();
        database.execute(
            "DELETE FROM sessions WHERE seen_ms < ?1",
            [now.0 - SESSION_KEPT],
        )?;
        database.execute(
            "INSERT INTO sessions (token, account, csrf, seen_ms) VALUES (?1, ?2, ?3, ?4)",
            params![digest(&token), name, session.csrf, now.0],
        )?;
        Ok(Ok((token, session)))
    }

    /// Counts an attempt to log in from `from`; how long it has to wait where there were too many.
    fn attempt(&self, from: IpAddr) -> Result<(), Duration> {
        let mut attempts = self.attempts.lock();
        let now = Instant::now();
        let every = ATTEMPT_EVERY.as_secs_f64();
        let left = |spent: f64, since: Instant| {
            (spent - now.duration_since(since).as_secs_f64() / every).max(0.0)
        };
        if attempts.len() >= MOST_ADDRESSES {
            attempts.retain(|_, (spent, since)| left(*spent, *since) > 0.0);
        }
        let (spent, since) = attempts.entry(from).or_insert((0.0, now));
        let spent_now = left(*spent, *since);
        if spent_now + 1.0 > f64::from(ATTEMPTS) {
            let wait = (spent_now + 1.0 - f64::from(ATTEMPTS)) * every;
            return Err(Duration::from_secs_f64(wait));
        }
        (*spent, *since) = (spent_now + 1.0, now);
        Ok(())
    }

    /// The session of a token; none where it is over.
    pub(super) fn session(&self, token: &str, now: WallTime) -> Result<Option<Session>, HubError> {
        let database = self.database.lock();
        let found = database
            .prepare_cached(
                "SELECT a.name, a.role, s.csrf, s.seen_ms FROM sessions s JOIN accounts a ON a.name = s.account
                 WHERE s.token = ?1 AND s.seen_ms > ?2",
            )?
            .query_row(params![digest(token), now.0 - SESSION_KEPT], |row| {
                let account = Account {
                    name: row.get(0)?,
                    role: role(&row.get::<_, String>(1)?),
                };
                let session = Session {
                    account,
                    csrf: row.get(2)?,
                };
                Ok((session, row.get::<_, i64>(3)?))
            })
            .optional()?;
        let Some((session, seen)) = found else {
            return Ok(None);
        };
        // Once an hour is enough, and spares the disk.
        if now.0 - seen > 3_600_000 {
            database.execute(
                "UPDATE sessions SET seen_ms = ?2 WHERE token = ?1",
                params![digest(token), now.0],
            )?;
        }
        Ok(Some(session))
    }

    /// Ends a session.
    pub(super) fn log_out(&self, token: &str) -> Result<(), HubError> {
        let database = self.database.lock();
        database.execute("DELETE FROM sessions WHERE token = ?1", [digest(token)])?;
        Ok(())
    }

    /// Writes down what somebody did.
    pub(super) fn note(
        &self,
        at: WallTime,
        account: &str,
        what: &str,
        detail: &str,
    ) -> Result<(), HubError> {
        let database = self.database.lock();
        database.execute(
            "INSERT INTO log (at_ms, account, what, detail) VALUES (?1, ?2, ?3, ?4)",
            params![at.0, account, what, detail],
        )?;
        database.execute(
            "DELETE FROM log WHERE id <= (SELECT max(id) FROM log) - ?1",
            [LOG_KEPT],
        )?;
        Ok(())
    }

    /// The newest lines of the record, at most `most`.
    pub(super) fn log(&self, most: u32) -> Result<Vec<LogEntry>, HubError> {
        let database = self.database.lock();
        let mut rows = database
            .prepare("SELECT at_ms, account, what, detail FROM log ORDER BY id DESC LIMIT ?1")?;
        let lines = rows.query_map([most], |row| {
            Ok(LogEntry {
                at: WallTime(row.get(0)?),
                account: row.get(1)?,
                what: row.get(2)?,
                detail: row.get(3)?,
            })
        })?;
        Ok(lines.collect::<Result<_, _>>()?)
    }
}

fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Owner => "owner",
    }
}

fn role(word: &str) -> Role {
    if word == "owner" {
        Role::Owner
    } else {
        Role::Viewer
    }
}

/// Whether name and password can be used; else what to change.
fn sound(name: &str, password: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        return Err(format!(
            "choose a name of 1 to {LONGEST_NAME} letters, digits, \".\", \"_\" or \"-\""
        ));
    }
    let length = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Err(format!(
            "choose a password of {SHORTEST} to {LONGEST} characters"
        ));
    }
    if password.eq_ignore_ascii_case(name) {
        return Err("choose a password that is not the name".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
