//! Incidents: one row for each visit, with its newest facts.

use rusqlite::{
    Connection, OptionalExtension, params,
    types::{FromSql, FromSqlError, FromSqlResult, ValueRef},
};

use crate::outbox::{Fail, Outbox, OutboxError, Tx, files};
use crate::{
    flow::{ClockState, Incident, IncidentId, IncidentState, MediaTime, WallTime},
    wire::{Facts, keys},
};

/// What an incident's row says.
pub(in crate::outbox) struct IncidentRow {
    pub(in crate::outbox) prefix: String,
    pub(in crate::outbox) start: WallTime,
    /// The same instant on the monotonic time line of the process that made the row.
    start_media: MediaTime,
    pub(in crate::outbox) facts: Facts,
    pub(in crate::outbox) ended: bool,
    pub(in crate::outbox) refused: bool,
    pub(in crate::outbox) notified: ClipNotified,
}

/// What receivers have been told of an incident's clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::outbox) enum ClipNotified {
    /// They know of none.
    None,
    /// They know that it can be watched.
    Playable,
    /// They know that nothing more will come.
    Complete,
}

impl ClipNotified {
    /// As a number for the database; permanent.
    pub(in crate::outbox) fn code(self) -> i64 {
        self as i64
    }
}

impl FromSql for ClipNotified {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self::None),
            1 => Ok(Self::Playable),
            2 => Ok(Self::Complete),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

/// Reads a column of JSON; what cannot be read means that somebody else wrote it.
pub(in crate::outbox) fn parse_facts(json: &str) -> rusqlite::Result<Facts> {
    serde_json::from_str(json).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

pub(in crate::outbox) fn to_json(facts: &Facts) -> String {
    serde_json::to_string(facts).expect("plain data always serialises")
}

/// The row of an incident, if it is known.
pub(in crate::outbox) fn row(
    db: &Connection,
    incident: IncidentId,
) -> rusqlite::Result<Option<IncidentRow>> {
    db.prepare_cached(
        "SELECT prefix, start_ms, start_ns, facts, ended, refused IS NOT NULL, told FROM incidents WHERE id = ?1",
    )?
    .query_row([incident.to_string()], |row| {
        Ok(IncidentRow {
            prefix: row.get(0)?,
            start: WallTime(row.get(1)?),
            start_media: MediaTime::from_nanos(row.get(2)?),
            facts: parse_facts(&row.get::<_, String>(3)?)?,
            ended: row.get(4)?,
            refused: row.get(5)?,
            notified: row.get(6)?,
        })
    })
    .optional()
}

/// The row of an incident that must be known.
pub(in crate::outbox) fn known(db: &Connection, incident: IncidentId) -> Result<IncidentRow, Fail> {
    row(db, incident)?.ok_or(Fail::Outbox(OutboxError::Unknown(incident)))
}

impl Tx<'_> {
    /// The row of `incident`, made if it is new.
    pub(in crate::outbox) fn ensure(&self, incident: &Incident) -> Result<IncidentRow, Fail> {
        if let Some(row) = row(self.db, incident.id)? {
            return Ok(row);
        }
        let start = self.outbox.clock.wall_at(incident.start);
        let prefix = keys::incident_prefix(&self.outbox.site, &incident.camera, start, incident.id);
        let mut row = IncidentRow {
            prefix,
            start,
            start_media: incident.start,
            facts: Facts {
                id: incident.id,
                seq: 0,
                state: IncidentState::Began,
                end_reason: None,
                site: self.outbox.site.clone(),
                camera: incident.camera.clone(),
                label: incident.label,
                start,
                end: None,
                clock: self.outbox.clock.state(),
                score: 0.0,
                zones: Vec::new(),
                rules: Vec::new(),
                why: None,
                tracks: 0,
                mode: incident.mode,
                purpose: self.outbox.settings.purpose.clone(),
                test: incident.test,
            },
            ended: false,
            refused: false,
            notified: ClipNotified::None,
        };
        self.take_over(&mut row, incident);
        self.db
            .prepare_cached(
                "INSERT INTO incidents (id, camera, prefix, start_ms, start_ns, facts, kept_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                incident.id.to_string(),
                incident.camera.as_str(),
                row.prefix,
                row.start.0,
                row.start_media.nanos(),
                to_json(&row.facts),
                (row.facts.clock == ClockState::Good).then_some(row.start.0)
            ])?;
        Ok(row)
    }

    /// Brings the facts up to what the pipeline says now. Wall times hang on the row's first one, so that a clock that
    /// steps in the middle of a visit does not stretch it.
    pub(in crate::outbox) fn take_over(&self, row: &mut IncidentRow, incident: &Incident) {
        let wall =
            |at: MediaTime| WallTime(row.start.0 + (at - row.start_media).div_euclid(1_000_000));
        let facts = &mut row.facts;
        facts.state = incident.state;
        facts.end_reason = incident.end_reason;
        facts.label = incident.label;
        facts.start = wall(incident.start);
        facts.end = incident.end.map(wall);
        facts.score = (incident.score * 1000.0).round() / 1000.0;
        facts.zones.clone_from(&incident.zones);
        facts.rules.clone_from(&incident.rules);
        facts.why = Some(incident.why);
        facts.tracks = incident.tracks;
        facts.mode = incident.mode;
        facts.test = incident.test;
    }
}

impl Outbox {
    /// The folder for an incident's files, made if it is missing. The same for the whole life of the incident.
    ///
    /// # Errors
    /// When the database or the folder cannot be written.
    pub fn incident_dir(&self, incident: &Incident) -> Result<std::path::PathBuf, OutboxError> {
        let prefix = self.write(|tx| Ok(tx.ensure(incident)?.prefix))?;
        let dir = self.path(&prefix);
        self.with_room_for_file(0, || files::make_dir(&dir))?;
        Ok(dir)
    }
}
