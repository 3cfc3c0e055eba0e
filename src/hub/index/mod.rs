//! What the hub knows of incidents: one row for each, with its newest message, and which numbers of each site have arrived.
//!
//! In: messages from the broker, or `incident.json` files where the index was lost. Out: pages of incidents, and which
//! numbers are missing. The bucket is the truth: this file can be deleted and comes back.

mod numbers;
mod rebuild;

use std::path::Path;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(super) use numbers::Missing;
pub(super) use rebuild::rebuild;

use super::HubError;
use crate::{
    flow::{CameraId, IncidentId, SiteId, WallTime},
    wire::IncidentMessage,
};

/// The file's name in the hub's folder.
pub(super) const FILE: &str = "index.db";
const SCHEMA: i64 = 1;
const TABLES: &str = "
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
";

/// Which incidents are asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) site: Option<SiteId>,
    pub(super) camera: Option<CameraId>,
    pub(super) day: Option<Date>,
    /// Only those before this one.
    pub(super) before: Option<Cursor>,
}

/// A place in the list of incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    start_ms: i64,
    id: IncidentId,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.start_ms, self.id)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (start, id) = text.split_once('.').ok_or(())?;
        Ok(Self {
            start_ms: start.parse().map_err(drop)?,
            id: id.parse().map_err(drop)?,
        })
    }
}

/// The index.
pub(super) struct Index {
    database: Mutex<Connection>,
    zone: TimeZone,
}

impl Index {
    /// Opens the index in `dir`, empty where there is none. Days are those of `zone`. True until it has been [filled](Self::filled).
    ///
    /// # Errors
    /// When the database cannot be opened, or is of a newer program.
    pub(super) fn open(dir: &Path, zone: TimeZone) -> Result<(Self, bool), HubError> {
        let database = Connection::open(dir.join(FILE))?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        // What a power cut takes away is asked for again.
        database.pragma_update(None, "synchronous", "NORMAL")?;
        let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > SCHEMA {
            return Err(HubError::NewerIndex(dir.join(FILE)));
        }
        if version == 0 {
            database.execute_batch(&format!(
                "BEGIN;{TABLES}PRAGMA user_version = {SCHEMA};COMMIT;"
            ))?;
        }
        let filled: i64 = database.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let database = Mutex::new(database);
        Ok((Self { database, zone }, filled == 0))
    }

    /// All that the store held when it was made is in it.
    pub(super) fn filled(&self) -> Result<(), HubError> {
        let database = self.database.lock();
        Ok(database.pragma_update(None, "application_id", 1)?)
    }

    /// Takes a message in; true when it is news, false when a newer one is there already.
    pub(super) fn take(&self, message: &IncidentMessage) -> Result<bool, HubError> {
        let mut database = self.database.lock();
        let changes = database.transaction()?;
        let news = changes.execute(
            "INSERT INTO incidents (id, site, camera, start_ms, seq, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, message = excluded.message
             WHERE excluded.seq > incidents.seq AND excluded.site = incidents.site",
            params![
                message.id.to_string(),
                message.site.as_str(),
                message.camera.as_str(),
                message.start.0,
                message.seq,
                String::from_utf8_lossy(&message.to_json()),
            ],
        )? > 0;
        if let Some(n) = message.n {
            numbers::arrived(&changes, &message.site, n)?;
        }
        changes.commit()?;
        Ok(news)
    }

    /// One incident.
    pub(super) fn incident(&self, id: IncidentId) -> Result<Option<IncidentMessage>, HubError> {
        let database = self.database.lock();
        let found = database
            .prepare_cached("SELECT message FROM incidents WHERE id = ?1")?
            .query_row([id.to_string()], message)
            .optional()?;
        Ok(found.flatten())
    }

    /// At most `most` incidents, newest first, and where the next page begins.
    pub(super) fn incidents(
        &self,
        filter: &Filter,
        most: usize,
    ) -> Result<(Vec<IncidentMessage>, Option<Cursor>), HubError> {
        let (from, until) = self.span(filter.day);
        let before = filter.before.map_or((i64::MAX, String::new()), |cursor| {
            (cursor.start_ms, cursor.id.to_string())
        });
        let database = self.database.lock();
        let mut rows = database.prepare_cached(
            "SELECT message FROM incidents
             WHERE (?1 IS NULL OR site = ?1) AND (?2 IS NULL OR camera = ?2)
               AND start_ms >= ?3 AND start_ms < ?4 AND (start_ms, id) < (?5, ?6)
             ORDER BY start_ms DESC, id DESC LIMIT ?7",
        )?;
        let mut found: Vec<IncidentMessage> = rows
            .query_map(
                params![
                    filter.site.as_ref().map(SiteId::as_str),
                    filter.camera.as_ref().map(CameraId::as_str),
                    from,
                    until,
                    before.0,
                    before.1,
                    most as i64 + 1,
                ],
                message,
            )?
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        let more = found.len() > most;
        found.truncate(most);
        let next = found.last().filter(|_| more).map(|last| Cursor {
            start_ms: last.start.0,
            id: last.id,
        });
        Ok((found, next))
    }

    /// Days with incidents, newest first, and how many each has.
    pub(super) fn days(
        &self,
        site: Option<&SiteId>,
        camera: Option<&CameraId>,
    ) -> Result<Vec<(Date, u64)>, HubError> {
        let database = self.database.lock();
        let mut rows = database.prepare_cached(
            "SELECT start_ms FROM incidents WHERE (?1 IS NULL OR site = ?1) AND (?2 IS NULL OR camera = ?2)
             ORDER BY start_ms DESC",
        )?;
        let starts = rows.query_map(
            params![site.map(SiteId::as_str), camera.map(CameraId::as_str)],
            |row| row.get::<_, i64>(0),
        )?;
        let mut days: Vec<(Date, u64)> = Vec::new();
        for start in starts {
            let day = self.day(start?);
            match days.last_mut() {
                Some((last, count)) if *last == day => *count += 1,
                _ => days.push((day, 1)),
            }
        }
        Ok(days)
    }

    /// Every camera that has an incident. One step of the index for each, however many incidents there are.
    pub(super) fn cameras(&self) -> Result<Vec<(SiteId, CameraId)>, HubError> {
        let database = self.database.lock();
        let mut next = database.prepare_cached(
            "SELECT site, camera FROM incidents WHERE (site, camera) > (?1, ?2) ORDER BY site, camera LIMIT 1",
        )?;
        let mut last = (String::new(), String::new());
        let mut cameras = Vec::new();
        while let Some(found) = next
            .query_row([&last.0, &last.1], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
        {
            last = found;
            if let (Ok(site), Ok(camera)) = (last.0.parse(), last.1.parse()) {
                cameras.push((site, camera));
            }
        }
        Ok(cameras)
    }

    /// Forgets `gone`, whose objects have been deleted.
    pub(super) fn forget(&self, gone: &[IncidentId]) -> Result<(), HubError> {
        let mut database = self.database.lock();
        let changes = database.transaction()?;
        for id in gone {
            changes.execute("DELETE FROM incidents WHERE id = ?1", [id.to_string()])?;
        }
        Ok(changes.commit()?)
    }

    /// Forgets what began before `start`; how many that were.
    pub(super) fn forget_before(&self, start: WallTime) -> Result<usize, HubError> {
        let database = self.database.lock();
        Ok(database.execute("DELETE FROM incidents WHERE start_ms < ?1", [start.0])?)
    }

    /// What `site` is to be asked for now: what was missed, and everything after the highest number.
    pub(super) fn missing(&self, site: &SiteId) -> Result<Vec<Missing>, HubError> {
        numbers::missing(&self.database.lock(), site)
    }

    /// The highest number of `site` that is known; 0 before the first.
    pub(super) fn highest(&self, site: &SiteId) -> Result<u64, HubError> {
        numbers::highest(&self.database.lock(), site)
    }

    /// `site` has been asked for `missing`. True when that was once too often, and it is given up.
    pub(super) fn asked(&self, site: &SiteId, missing: Missing) -> Result<bool, HubError> {
        numbers::asked(&self.database.lock(), site, missing)
    }

    fn day(&self, ms: i64) -> Date {
        let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        self.zone.to_datetime(at).date()
    }

    /// From the first millisecond of `day` to that of the next; all time without a day.
    fn span(&self, day: Option<Date>) -> (i64, i64) {
        let begins = |day: Date| {
            self.zone
                .to_timestamp(day.at(0, 0, 0, 0))
                .map(Timestamp::as_millisecond)
        };
        let span =
            day.and_then(|day| Some((begins(day).ok()?, begins(day.tomorrow().ok()?).ok()?)));
        span.unwrap_or((i64::MIN, i64::MAX))
    }
}

/// The message of a row; none where it is of a newer program and cannot be read.
fn message(row: &Row<'_>) -> rusqlite::Result<Option<IncidentMessage>> {
    let text: String = row.get(0)?;
    Ok(IncidentMessage::from_json(text.as_bytes()).ok())
}

#[cfg(test)]
mod tests;
