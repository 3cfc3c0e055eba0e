//! The tables of the index.

use rusqlite::{Connection, OptionalExtension, params};

/// Set once the index holds all that the store held when it was made.
pub(super) const FILLED: &str = "filled";

/// Step `i` brings schema `i` to `i + 1`. Never changed once released, only added to.
pub(super) const STEPS: [&str; 2] = [
    "
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    camera TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    message TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_by_start ON incidents (start_ms, id);
CREATE INDEX incidents_by_camera ON incidents (site, camera, start_ms, id);

-- The highest number of each site up to which every one has arrived or is given up.
CREATE TABLE sites (
    site TEXT PRIMARY KEY,
    highest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Numbers below the highest that have not arrived, as closed ranges.
CREATE TABLE missing (
    site TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (site, first)
) STRICT, WITHOUT ROWID;
",
    "
-- `at_ms`: the incident's place in the list. `kept_ms`: since when it counts as kept; NULL until a clock is right.
ALTER TABLE incidents ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN kept_ms INTEGER;
UPDATE incidents SET at_ms = start_ms, kept_ms = start_ms
    WHERE start_ms BETWEEN 1767225600000 AND (CAST(strftime('%s', 'now') AS INTEGER) + 86400) * 1000;
UPDATE incidents SET at_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000 WHERE at_ms = 0;
DROP INDEX incidents_by_start;
DROP INDEX incidents_by_camera;
CREATE INDEX incidents_by_time ON incidents (at_ms, id);
CREATE INDEX incidents_by_site ON incidents (site, at_ms, id);
CREATE INDEX incidents_by_camera ON incidents (site, camera, at_ms, id);

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- It was the application's id that said so.
INSERT INTO settings (name, value) SELECT 'filled', '1' FROM pragma_application_id WHERE application_id = 1;
PRAGMA application_id = 0;
",
];

pub(super) fn setting(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

pub(super) fn set(db: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO settings (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])?;
    Ok(())
}
