//! The database file: how it is opened, its schema, and nothing about what the rows mean.
//!
//! WAL, because readers (`lares outbox ls`) must not stop the agent; `synchronous=FULL`, because with WAL anything less
//! may lose the newest transactions in a power cut, and a committed alert must not be lost. The schema's version is in
//! `user_version`; each step of [`MIGRATIONS`] brings it one further.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::base::sqlite::{self, OpenError, Safety};
use crate::outbox::OutboxError;

/// The database's name in `data_dir`.
pub(crate) const FILE: &str = "outbox.db";

/// Step `i` brings schema `i` to `i + 1`. Never changed once released, only added to.
const MIGRATIONS: [&str; 7] = [
    "
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each visit. `facts` is its newest whole state; `start_ms` and `prefix` never change.
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    camera TEXT NOT NULL,
    prefix TEXT NOT NULL UNIQUE,
    start_ms INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    seq INTEGER NOT NULL DEFAULT 0,
    facts TEXT NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0,
    refused TEXT,
    told INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_by_start ON incidents (start_ms);
CREATE INDEX incidents_open ON incidents (id) WHERE ended = 0;

-- One row for each change. `n` is given when it is first sent.
CREATE TABLE alerts (
    incident TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL,
    facts TEXT NOT NULL,
    n INTEGER UNIQUE,
    created_ms INTEGER NOT NULL,
    first_sent_ms INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    delivered_ms INTEGER,
    waiting INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (incident, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_waiting ON alerts (incident, seq) WHERE waiting = 1;

-- One row for each object of the store. `version` rises when the content is replaced.
-- `waiting`: to be sent. `problem` without `waiting`: parked. `gone`: its file was deleted.
CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    incident TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    lane INTEGER NOT NULL,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    rendition TEXT,
    number INTEGER,
    init INTEGER,
    bytes INTEGER NOT NULL,
    sha256 BLOB,
    duration_ns INTEGER NOT NULL DEFAULT 0,
    frames INTEGER NOT NULL DEFAULT 0,
    discontinuity INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1,
    created_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    delivered_ms INTEGER,
    etag TEXT,
    waiting INTEGER NOT NULL DEFAULT 1,
    gone INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX objects_waiting ON objects (incident, lane, id) WHERE waiting = 1;
CREATE INDEX objects_by_incident ON objects (incident);

-- A rendition of an incident's clip; its segments, in the order they play, may lie in another incident's folder.
CREATE TABLE clips (
    incident TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    rendition TEXT NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (incident, rendition)
) STRICT, WITHOUT ROWID;
CREATE TABLE clip_uses (
    id INTEGER PRIMARY KEY,
    incident TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    rendition TEXT NOT NULL,
    object INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    UNIQUE (incident, object)
) STRICT;
CREATE INDEX clip_uses_by_object ON clip_uses (object);

-- What left, when and to whom. Append-only; each row's hash covers the one before.
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    incident TEXT,
    camera TEXT,
    recipient TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    receipt TEXT,
    prev_hash BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX ledger_by_time ON ledger (at_ms);
",
    "
-- `news`: one more alert tells when it has arrived.
ALTER TABLE objects ADD COLUMN news INTEGER NOT NULL DEFAULT 0;
",
    "
-- `asked`: somebody wants to see it, so that it leaves before what nobody has asked for.
ALTER TABLE objects ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
-- `held`: the data plan has no room for its first segment.
ALTER TABLE clips ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
-- Estimated bytes on the wire, for each day of the box's time zone and each `budget::Use`.
CREATE TABLE spent (
    day TEXT NOT NULL,
    use INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (day, use)
) STRICT, WITHOUT ROWID;
",
    "
-- What else a record of the ledger may say.
ALTER TABLE ledger ADD COLUMN count INTEGER;
ALTER TABLE ledger ADD COLUMN account TEXT;
ALTER TABLE ledger ADD COLUMN detail TEXT;

-- Live values and keep-alives, until their day (UTC, counted from 1970) is over and they become a record.
CREATE TABLE ledger_live (
    day INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    packets INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (day, recipient)
) STRICT, WITHOUT ROWID;
",
    "
-- Who gets alerts from now on: which states (separated by blanks), and whether only once that a visit began and ended.
CREATE TABLE alert_sinks (
    name TEXT PRIMARY KEY,
    states TEXT NOT NULL,
    once INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO alert_sinks (name, states, once) VALUES ('mqtt', 'began updated ended', 0);

-- One row for each change, and one below for each receiver that is to hear of it.
ALTER TABLE alerts RENAME TO alerts_4;
CREATE TABLE alerts (
    incident TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    state TEXT NOT NULL,
    facts TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (incident, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO alerts (incident, seq, state, facts, created_ms)
    SELECT incident, seq, state, facts, created_ms FROM alerts_4;

-- `n` is given when it is first sent there. `waiting`: to be sent. `problem` without `waiting`: parked.
CREATE TABLE alert_delivery (
    incident TEXT NOT NULL,
    seq INTEGER NOT NULL,
    sink TEXT NOT NULL,
    n INTEGER,
    first_sent_ms INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    delivered_ms INTEGER,
    waiting INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (incident, seq, sink),
    UNIQUE (sink, n),
    FOREIGN KEY (incident, seq) REFERENCES alerts (incident, seq) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO alert_delivery (incident, seq, sink, n, first_sent_ms, attempts, problem, delivered_ms, waiting)
    SELECT incident, seq, 'mqtt', n, first_sent_ms, attempts, problem, delivered_ms, waiting FROM alerts_4;
DROP TABLE alerts_4;
CREATE INDEX alert_delivery_waiting ON alert_delivery (sink, incident, seq) WHERE waiting = 1;
",
    "
-- Since when an incident counts as kept; NULL until the clock is right.
ALTER TABLE incidents ADD COLUMN kept_ms INTEGER;
UPDATE incidents SET kept_ms = start_ms
    WHERE start_ms >= 1767225600000 AND json_valid(facts) AND json_extract(facts, '$.clock') = 'good';
CREATE INDEX incidents_by_kept ON incidents (kept_ms);
-- The target duration of its playlists, in seconds, for as long as they live; NULL where it was not known.
ALTER TABLE clips ADD COLUMN target INTEGER;
",
    "
-- Until when neither age nor quota deletes it; NULL: nobody has asked for that.
ALTER TABLE incidents ADD COLUMN held_ms INTEGER;
",
];

/// Opens the database in `dir` and brings its schema up to date.
pub(crate) fn open(dir: &Path) -> Result<Connection, OutboxError> {
    let path = dir.join(FILE);
    sqlite::open(&path, &MIGRATIONS, Safety::Full).map_err(|error| match error {
        OpenError::Newer { found, known } => OutboxError::Newer { path, found, known },
        OpenError::Damaged(detail) => OutboxError::Damaged { path, detail },
        OpenError::File(source) => OutboxError::file(&path, "opened", source),
        OpenError::Sqlite(source) => OutboxError::sqlite(&path, source),
    })
}

/// A setting that must survive a restart.
pub(crate) fn setting(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// Keeps a setting.
pub(crate) fn set_setting(db: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])?;
    Ok(())
}

/// The next number of a counter, from 1; without gaps when the transaction commits.
pub(crate) fn count(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    let last: i64 = setting(db, name)?
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    set_setting(db, name, &(last + 1).to_string())?;
    Ok(last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_refused_in_one_sentence() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path()).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        drop(db);
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("newer Lares (schema 99, this one knows 7)"),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }

    #[test]
    fn alerts_of_the_schema_for_one_receiver_are_the_brokers() {
        let dir = tempfile::tempdir().unwrap();
        let mut db = Connection::open(dir.path().join(FILE)).unwrap();
        for (from, step) in MIGRATIONS.iter().enumerate().take(4) {
            sqlite::migrate(&mut db, from as u32 + 1, step).unwrap();
        }
        db.execute_batch(
            "INSERT INTO incidents (id, camera, prefix, start_ms, start_ns, facts) VALUES ('a', 'door', 'p', 1, 1, '{}');
             INSERT INTO alerts VALUES ('a', 1, 'began', 'f1', 7, 10, 11, 2, NULL, 12, 0);
             INSERT INTO alerts VALUES ('a', 2, 'updated', 'f2', 8, 20, 21, 3, 'refused', NULL, 0);
             INSERT INTO alerts VALUES ('a', 3, 'updated', 'f3', 9, 30, 31, 1, 'away', NULL, 1);
             INSERT INTO alerts VALUES ('a', 4, 'ended', 'f4', NULL, 40, NULL, 0, NULL, NULL, 1);
             INSERT INTO settings VALUES ('alerts.n', '9');",
        )
        .unwrap();
        drop(db);
        let db = open(dir.path()).unwrap();
        type Row = (
            i64,
            String,
            Option<i64>,
            Option<i64>,
            i64,
            Option<String>,
            Option<i64>,
            bool,
        );
        let mut select = db
            .prepare(
                "SELECT d.seq, a.facts, d.n, d.first_sent_ms, d.attempts, d.problem, d.delivered_ms, d.waiting
                 FROM alert_delivery d JOIN alerts a USING (incident, seq) WHERE d.sink = 'mqtt' ORDER BY d.seq",
            )
            .unwrap();
        let rows: Vec<Row> = select
            .query_map([], |r| {
                Ok((
                    r.get(0)?,
                    r.get(1)?,
                    r.get(2)?,
                    r.get(3)?,
                    r.get(4)?,
                    r.get(5)?,
                    r.get(6)?,
                    r.get(7)?,
                ))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let text = |text: &str| text.to_owned();
        assert_eq!(
            rows,
            [
                (1, text("f1"), Some(7), Some(11), 2, None, Some(12), false),
                (
                    2,
                    text("f2"),
                    Some(8),
                    Some(21),
                    3,
                    Some(text("refused")),
                    None,
                    false
                ),
                (
                    3,
                    text("f3"),
                    Some(9),
                    Some(31),
                    1,
                    Some(text("away")),
                    None,
                    true
                ),
                (4, text("f4"), None, None, 0, None, None, true),
            ]
        );
        drop(select);
        assert_eq!(count(&db, "alerts.n").unwrap(), 10);
        let gone = db.execute("DELETE FROM incidents", []).unwrap();
        let left: i64 = db
            .query_row("SELECT count(*) FROM alert_delivery", [], |row| row.get(0))
            .unwrap();
        assert_eq!(
            (gone, left),
            (1, 0),
            "rows of a deleted incident go with it"
        );
        let broken = db.prepare("PRAGMA foreign_key_check").unwrap().exists([]);
        assert!(!broken.unwrap());
    }

    #[test]
    fn what_is_no_database_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, vec![7u8; 8192]).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, OutboxError::Damaged { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), vec![7u8; 8192]);
    }

    #[test]
    fn torn_pages_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()).unwrap());
        let path = dir.path().join(FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        for byte in &mut bytes[4096..8192] {
            *byte ^= 0x5a;
        }
        std::fs::write(&path, bytes).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, OutboxError::Damaged { .. }), "{error}");
    }

    #[test]
    fn durable_settings_and_counters() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path()).unwrap();
        assert_eq!((count(&db, "n").unwrap(), count(&db, "n").unwrap()), (1, 2));
        drop(db);
        let db = open(dir.path()).unwrap();
        assert_eq!(count(&db, "n").unwrap(), 3);
        let level: i64 = db
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        assert_eq!(level, 2, "FULL");
    }
}
