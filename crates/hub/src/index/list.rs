//! Pages of incidents, and the days that have some.
//!
//! A row that cannot be read is left out, counted and told in the log; those beside it are shown.

use jiff::{Timestamp, civil::Date};
use rusqlite::{OptionalExtension, Row, params};

use super::Index;
use crate::{
    HubError,
    flow::{CameraId, IncidentId, Label, SiteId},
    wire::IncidentMessage,
};

/// Which incidents are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) site: Option<SiteId>,
    pub(crate) camera: Option<CameraId>,
    pub(crate) day: Option<Date>,
    /// What came, such as `person`.
    pub(crate) label: Option<Label>,
    /// Only those before this one.
    pub(crate) before: Option<Cursor>,
}

/// A place in the list of incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    at_ms: i64,
    id: IncidentId,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.at_ms, self.id)
    }
}

impl std::str::FromStr for Cursor {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('.').ok_or(())?;
        Ok(Self {
            at_ms: at.parse().map_err(drop)?,
            id: id.parse().map_err(drop)?,
        })
    }
}

impl Index {
    /// One incident.
    pub(crate) fn incident(&self, id: IncidentId) -> Result<Option<IncidentMessage>, HubError> {
        let found = self.database.read(|db| {
            Ok(db
                .prepare_cached("SELECT message FROM incidents WHERE id = ?1")?
                .query_row([id.to_string()], |row| Ok(message(row, 0)))
                .optional()?)
        })?;
        if found.as_ref().is_some_and(Option::is_none) {
            self.tell_unreadable(1);
        }
        Ok(found.flatten())
    }

    /// At most `most` incidents, newest first, and where the next page begins.
    pub(crate) fn incidents(
        &self,
        filter: &Filter,
        most: usize,
    ) -> Result<(Vec<IncidentMessage>, Option<Cursor>), HubError> {
        let (from, until) = self.span(filter.day);
        let before = filter.before.map_or((i64::MAX, String::new()), |cursor| {
            (cursor.at_ms, cursor.id.to_string())
        });
        let (site, camera) = of(filter.site.as_ref(), filter.camera.as_ref());
        let query = format!(
            "SELECT at_ms, id, message FROM incidents
             WHERE {} AND at_ms >= ?3 AND at_ms < ?4 AND (at_ms, id) < (?5, ?6)
             AND (?8 IS NULL OR (json_valid(message) AND json_extract(message, '$.label') = ?8))
             ORDER BY at_ms DESC, id DESC LIMIT ?7",
            place(site, camera)
        );
        let (rows, unreadable) = self.database.read(|db| {
            let mut select = db.prepare_cached(&query)?;
            let limit = most as i64 + 1;
            let label = filter.label.as_ref().map(ToString::to_string);
            let mut rows = select.query(params![
                site, camera, from, until, before.0, before.1, limit, label
            ])?;
            let (mut found, mut unreadable) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let at_ms: i64 = row.get(0)?;
                let id: Option<IncidentId> =
                    row.get::<_, String>(1).ok().and_then(|id| id.parse().ok());
                let message = message(row, 2);
                unreadable += usize::from(message.is_none() || id.is_none());
                found.push((id.map(|id| Cursor { at_ms, id }), message));
            }
            Ok((found, unreadable))
        })?;
        self.tell_unreadable(unreadable);
        let more = rows.len() > most;
        let page = &rows[..rows.len().min(most)];
        let next = page.iter().rev().find_map(|(cursor, _)| *cursor);
        let page = page.iter().filter_map(|(_, message)| message.clone());
        Ok((page.collect(), next.filter(|_| more)))
    }

    /// Days with incidents, newest first, and how many each has. Each day is two steps in an index, whatever the number of
    /// incidents.
    pub(crate) fn days(
        &self,
        site: Option<&SiteId>,
        camera: Option<&CameraId>,
    ) -> Result<Vec<(Date, u64)>, HubError> {
        let (site, camera) = of(site, camera);
        let place = place(site, camera);
        let newest = format!("SELECT max(at_ms) FROM incidents WHERE {place} AND at_ms < ?3");
        let count =
            format!("SELECT count(*) FROM incidents WHERE {place} AND at_ms >= ?3 AND at_ms < ?4");
        self.database.read(|db| {
            let (mut newest, mut count) = (db.prepare_cached(&newest)?, db.prepare_cached(&count)?);
            let mut days = Vec::new();
            let mut before = i64::MAX;
            while let Some(at) = newest
                .query_row(params![site, camera, before], |row| {
                    row.get::<_, Option<i64>>(0)
                })?
                .filter(|_| days.len() < MOST_DAYS)
            {
                let day = self.day(at);
                // Where the zone has no such instant, at least what was found.
                let from = self.span(Some(day)).0.clamp(i64::MIN + 1, at);
                let incidents: i64 =
                    count.query_row(params![site, camera, from, before], |row| row.get(0))?;
                days.push((day, incidents.unsigned_abs()));
                before = from;
            }
            Ok(days)
        })
    }

    /// Every camera that has an incident. One step of the index for each, however many incidents there are.
    pub(crate) fn cameras(&self) -> Result<Vec<(SiteId, CameraId)>, HubError> {
        self.database.read(|db| {
            let mut next = db.prepare_cached(
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
        })
    }

    fn tell_unreadable(&self, count: usize) {
        if count > 0 && self.unreadable.may() {
            tracing::warn!(
                incidents = count,
                "rows of the hub's index cannot be read and are left out: they are of a newer Lares, or damaged"
            );
        }
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

/// Most days that are counted: twenty years.
const MOST_DAYS: usize = 7400;

fn of<'a>(
    site: Option<&'a SiteId>,
    camera: Option<&'a CameraId>,
) -> (Option<&'a str>, Option<&'a str>) {
    (site.map(SiteId::as_str), camera.map(CameraId::as_str))
}

/// The condition for a place, so that SQLite finds the index for it. Each names both parameters.
fn place(site: Option<&str>, camera: Option<&str>) -> &'static str {
    match (site, camera) {
        (None, None) => "(?1 IS NULL AND ?2 IS NULL)",
        (Some(_), None) => "(site = ?1 AND ?2 IS NULL)",
        (Some(_), Some(_)) => "(site = ?1 AND camera = ?2)",
        (None, Some(_)) => "(?1 IS NULL AND camera = ?2)",
    }
}

/// The message in a column; none where it cannot be read.
fn message(row: &Row<'_>, column: usize) -> Option<IncidentMessage> {
    let text: String = row.get(column).ok()?;
    IncidentMessage::from_json(text.as_bytes()).ok()
}
