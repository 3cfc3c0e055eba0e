//! What is kept of accounts, in SQLite: one statement or transaction each.
//!
//! Passwords are kept as argon2id hashes, tokens and recovery codes as SHA-256 of what nobody can guess: who reads the file can
//! log in with none of them. Only the secret of a second factor must be kept as it is.

use std::{collections::HashMap, path::Path};

use rusqlite::{Connection, params};

use super::{LogEntry, Role, digest::Digest, second::Second, strangers::Refused};
use crate::{
    HubError,
    base::sqlite::{self, Safety},
    flow::WallTime,
};

/// The file's name in the hub's folder.
pub(super) const FILE: &str = "accounts.db";
pub(super) const FIRST: &str = "
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
/// Second factors, browsers that were logged in before, and what strangers tried, apart from the record of acts.
const SECOND: &str = "
ALTER TABLE accounts ADD COLUMN secret BLOB;
ALTER TABLE accounts ADD COLUMN step INTEGER NOT NULL DEFAULT 0;
CREATE TABLE recovery (
    account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    code BLOB NOT NULL,
    PRIMARY KEY (account, code)
) STRICT, WITHOUT ROWID;
CREATE TABLE devices (
    token BLOB PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
ALTER TABLE log ADD COLUMN about TEXT NOT NULL DEFAULT '';
CREATE TABLE refused (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    account TEXT NOT NULL,
    times INTEGER NOT NULL,
    addresses INTEGER NOT NULL
) STRICT;
";

/// Acts that are kept.
const ACTS_KEPT: u32 = 50_000;
/// Minutes with refused logins that are kept.
const REFUSED_KEPT: u32 = 10_000;
/// Sessions of one account that are kept; the one that was used longest ago goes for another.
pub(super) const SESSIONS_KEPT: usize = 100;
/// Browsers of one account that are remembered.
const DEVICES_KEPT: u32 = 50;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) role: Role,
    pub(super) hash: String,
    pub(super) second: Option<Second>,
}

/// A session, as it is kept.
pub(super) struct KeptSession {
    pub(super) account: String,
    pub(super) csrf: String,
    pub(super) seen: WallTime,
}

/// Everything that the program remembers of the file.
pub(super) struct Snapshot {
    pub(super) accounts: HashMap<String, Known>,
    pub(super) sessions: HashMap<Digest, KeptSession>,
    pub(super) devices: HashMap<Digest, String>,
}

/// The file.
pub(super) struct Database(Connection);

impl Database {
    /// Opens the file in `dir`, for this user alone to read.
    pub(super) fn open(dir: &Path) -> Result<Self, HubError> {
        let path = dir.join(FILE);
        let database = sqlite::open(&path, &[FIRST, SECOND], Safety::Full)
            .map_err(|error| HubError::opening(&path, error))?;
        Ok(Self(database))
    }

    /// Changes when another program has written.
    pub(super) fn version(&self) -> Result<i64, HubError> {
        Ok(self
            .0
            .query_row("PRAGMA data_version", [], |row| row.get(0))?)
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, HubError> {
        let mut accounts = HashMap::new();
        let mut rows = self
            .0
            .prepare("SELECT name, role, hash, secret, step FROM accounts")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let step: i64 = row.get(4)?;
            let second = row.get::<_, Option<Vec<u8>>>(3)?.map(|secret| Second {
                secret,
                step: step.cast_unsigned(),
            });
            let known = Known {
                role: Role::of(&row.get::<_, String>(1)?),
                hash: row.get(2)?,
                second,
            };
            accounts.insert(row.get(0)?, known);
        }
        let mut sessions = HashMap::new();
        let mut rows = self
            .0
            .prepare("SELECT token, account, csrf, seen_ms FROM sessions")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let kept = KeptSession {
                account: row.get(1)?,
                csrf: row.get(2)?,
                seen: WallTime(row.get(3)?),
            };
            sessions.insert(row.get(0)?, kept);
        }
        let mut devices = HashMap::new();
        let mut rows = self.0.prepare("SELECT token, account FROM devices")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            devices.insert(row.get(0)?, row.get(1)?);
        }
        Ok(Snapshot {
            accounts,
            sessions,
            devices,
        })
    }

    /// Makes an account; false where there is one of this name. `first`: only where there is none at all.
    pub(super) fn add(
        &self,
        name: &str,
        role: Role,
        hash: &str,
        first: bool,
    ) -> Result<bool, HubError> {
        let added = self.0.execute(
            "INSERT INTO accounts (name, role, hash) SELECT ?1, ?2, ?3
             WHERE NOT ?4 OR NOT EXISTS (SELECT 1 FROM accounts) ON CONFLICT DO NOTHING",
            params![name, role.word(), hash, first],
        )?;
        Ok(added > 0)
    }

    /// Deletes an account with its sessions; none: there is none; false: it is the last owner, who stays.
    pub(super) fn remove(&mut self, name: &str) -> Result<Option<bool>, HubError> {
        let changes = self.0.transaction()?;
        if changes.execute("DELETE FROM accounts WHERE name = ?1", [name])? == 0 {
            return Ok(None);
        }
        let owners: i64 = changes.query_row(
            "SELECT count(*) FROM accounts WHERE role = 'owner'",
            [],
            |row| row.get(0),
        )?;
        if owners == 0 {
            return Ok(Some(false));
        }
        changes.commit()?;
        Ok(Some(true))
    }

    /// Changes a password; all sessions and browsers of the account but `session` and `device` are forgotten.
    pub(super) fn change(
        &mut self,
        name: &str,
        hash: &str,
        keep: Option<(Digest, Option<Digest>)>,
    ) -> Result<bool, HubError> {
        let (session, device) =
            keep.map_or((None, None), |(session, device)| (Some(session), device));
        let changes = self.0.transaction()?;
        let changed = changes.execute(
            "UPDATE accounts SET hash = ?2 WHERE name = ?1",
            params![name, hash],
        )?;
        for (table, kept) in [("sessions", session), ("devices", device)] {
            changes.execute(
                &format!("DELETE FROM {table} WHERE account = ?1 AND token IS NOT ?2"),
                params![name, kept],
            )?;
        }
        changes.commit()?;
        Ok(changed > 0)
    }

    /// Keeps a session, and the browser that has it.
    pub(super) fn open_session(
        &mut self,
        session: (Digest, &KeptSession),
        device: Digest,
    ) -> Result<(), HubError> {
        let (token, kept) = session;
        let changes = self.0.transaction()?;
        changes.execute(
            "INSERT INTO sessions (token, account, csrf, seen_ms) VALUES (?1, ?2, ?3, ?4)",
            params![token, kept.account, kept.csrf, kept.seen.0],
        )?;
        changes.execute(
            "DELETE FROM sessions WHERE account = ?1 AND token <> ?2 AND token NOT IN
             (SELECT token FROM sessions WHERE account = ?1 ORDER BY seen_ms DESC LIMIT ?3)",
            params![kept.account, token, SESSIONS_KEPT as i64],
        )?;
        changes.execute(
            "INSERT INTO devices (token, account, seen_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET account = ?2, seen_ms = ?3",
            params![device, kept.account, kept.seen.0],
        )?;
        changes.execute(
            "DELETE FROM devices WHERE account = ?1 AND token NOT IN
             (SELECT token FROM devices WHERE account = ?1 ORDER BY seen_ms DESC LIMIT ?2)",
            params![kept.account, DEVICES_KEPT],
        )?;
        changes.commit()?;
        Ok(())
    }

    pub(super) fn seen(&self, session: &Digest, at: WallTime) -> Result<(), HubError> {
        self.0.execute(
            "UPDATE sessions SET seen_ms = ?2 WHERE token = ?1",
            params![session, at.0],
        )?;
        Ok(())
    }

    pub(super) fn end_session(&self, session: &Digest) -> Result<(), HubError> {
        self.0
            .execute("DELETE FROM sessions WHERE token = ?1", [session])?;
        Ok(())
    }

    /// Sets or removes a second factor, with the recovery codes that go with it.
    pub(super) fn set_second(
        &mut self,
        name: &str,
        second: Option<&Second>,
        codes: &[Digest],
    ) -> Result<(), HubError> {
        let changes = self.0.transaction()?;
        let step = second.map_or(0, |second| second.step.cast_signed());
        changes.execute(
            "UPDATE accounts SET secret = ?2, step = ?3 WHERE name = ?1",
            params![name, second.map(|second| &second.secret), step],
        )?;
        changes.execute("DELETE FROM recovery WHERE account = ?1", [name])?;
        for code in codes {
            changes.execute(
                "INSERT INTO recovery (account, code) VALUES (?1, ?2)",
                params![name, code],
            )?;
        }
        changes.commit()?;
        Ok(())
    }

    /// Uses up a step; false where it or a later one was used before.
    pub(super) fn use_step(&self, name: &str, step: u64) -> Result<bool, HubError> {
        let used = self.0.execute(
            "UPDATE accounts SET step = ?2 WHERE name = ?1 AND step < ?2",
            params![name, step.cast_signed()],
        )?;
        Ok(used > 0)
    }

    /// Uses up a recovery code; false where there is no such one.
    pub(super) fn use_code(&self, name: &str, code: &Digest) -> Result<bool, HubError> {
        let used = self.0.execute(
            "DELETE FROM recovery WHERE account = ?1 AND code = ?2",
            params![name, code],
        )?;
        Ok(used > 0)
    }

    /// Writes down what somebody did.
    pub(super) fn note(&self, act: &LogEntry) -> Result<(), HubError> {
        self.0.execute(
            "INSERT INTO log (at_ms, account, what, about, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![act.at.0, act.account, act.what, act.about, act.detail],
        )?;
        self.trim("log", ACTS_KEPT)
    }

    /// Writes down what strangers tried in a minute.
    pub(super) fn note_refused(&self, refused: &Refused) -> Result<(), HubError> {
        self.0.execute(
            "INSERT INTO refused (at_ms, account, times, addresses) VALUES (?1, ?2, ?3, ?4)",
            params![
                refused.at.0,
                refused.account,
                refused.times,
                refused.addresses
            ],
        )?;
        self.trim("refused", REFUSED_KEPT)
    }

    fn trim(&self, table: &str, kept: u32) -> Result<(), HubError> {
        self.0.execute(
            &format!("DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?1"),
            [kept],
        )?;
        Ok(())
    }

    /// The newest acts and refused logins, at most `most` of both.
    pub(super) fn log(&self, most: u32) -> Result<Vec<LogEntry>, HubError> {
        let entry = |row: &rusqlite::Row<'_>| {
            Ok(LogEntry {
                at: WallTime(row.get(0)?),
                account: row.get(1)?,
                what: row.get(2)?,
                about: row.get(3)?,
                detail: row.get(4)?,
            })
        };
        let mut acts = self.0.prepare(
            "SELECT at_ms, account, what, about, detail FROM log ORDER BY id DESC LIMIT ?1",
        )?;
        let mut refused = self.0.prepare(
            "SELECT at_ms, account, 'login-failed', '', times || ' from ' || addresses FROM refused ORDER BY id DESC LIMIT ?1",
        )?;
        let mut all: Vec<LogEntry> = acts.query_map([most], entry)?.collect::<Result<_, _>>()?;
        for line in refused.query_map([most], entry)? {
            all.push(line?);
        }
        all.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        all.truncate(most as usize);
        Ok(all)
    }
}
