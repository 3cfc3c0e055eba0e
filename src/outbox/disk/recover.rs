//! What a cut left behind, put in order at start.
//!
//! An incident that was open ends as interrupted, its clip is closed; half-written files go; a row whose file is missing is
//! parked with its reason. Nothing that was committed is lost.

use rusqlite::params;

use crate::outbox::{
    Outbox, OutboxError, State,
    queue::{Lane, LaneKey},
    retention::StoredBytes,
};
use crate::{
    base::durable,
    flow::{IncidentId, Rendition},
};

impl Outbox {
    pub(in crate::outbox) fn recover(&self) -> Result<(), OutboxError> {
        let removed = durable::remove_unfinished(&self.path(""));
        let open = self.column("SELECT id FROM incidents WHERE ended = 0")?;
        let unclosed: Vec<(IncidentId, Rendition)> = self.read(|db| {
            let mut select =
                db.prepare("SELECT incident, rendition FROM clips WHERE closed = 0")?;
            let rows = select.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            let mut found = Vec::new();
            for row in rows {
                let (incident, rendition) = row?;
                let rendition = [Rendition::Sub, Rendition::Main, Rendition::Preview]
                    .into_iter()
                    .find(|r| r.as_str() == rendition);
                if let (Ok(incident), Some(rendition)) = (incident.parse(), rendition) {
                    found.push((incident, rendition));
                }
            }
            Ok(found)
        })?;
        for incident in &open {
            self.write(|tx| {
                tx.interrupt(*incident)?;
                tx.facts_later(*incident)
            })?;
        }
        for (incident, rendition) in &unclosed {
            self.clip_closed(*incident, *rendition)?;
        }
        let missing = self.park_missing()?;
        self.reload()?;
        if removed + open.len() + missing > 0 {
            tracing::info!(
                unfinished_files = removed,
                interrupted_incidents = open.len(),
                missing_files = missing,
                "the last run was cut off; the outbox is in order again"
            );
        }
        Ok(())
    }

    fn column(&self, query: &str) -> Result<Vec<IncidentId>, OutboxError> {
        self.read(|db| {
            let mut select = db.prepare(query)?;
            let rows = select.query_map([], |row| row.get::<_, String>(0))?;
            let mut ids = Vec::new();
            for id in rows {
                ids.extend(id?.parse::<IncidentId>());
            }
            Ok(ids)
        })
    }

    fn park_missing(&self) -> Result<usize, OutboxError> {
        let waiting: Vec<(i64, String)> = self.read(|db| {
            let mut select = db.prepare(
                "SELECT id, key FROM objects WHERE waiting = 1 AND kind IN ('thumb', 'crop', 'init', 'media')",
            )?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let mut missing = 0;
        for (object, key) in waiting {
            let path = self.path(&key);
            if !path.is_file() {
                missing += 1;
                self.write(|tx| tx.park(object, "its file is missing on disk"))?;
            }
        }
        Ok(missing)
    }

    /// Reads the plans from the database.
    pub(in crate::outbox) fn reload(&self) -> Result<(), OutboxError> {
        let mut state = self.state.lock();
        self.reload_in(&mut state)
    }

    /// Reads the plans again when another process (`lares outbox retry`) has written.
    pub(in crate::outbox) fn reload_if_changed(&self) -> Result<(), OutboxError> {
        let mut state = self.state.lock();
        let seen = self.data_version(&state)?;
        if seen == state.seen {
            return Ok(());
        }
        self.reload_in(&mut state)
    }

    fn data_version(&self, state: &State) -> Result<i64, OutboxError> {
        state
            .db
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| OutboxError::sqlite(&self.dir.join(crate::outbox::store::FILE), error))
    }

    pub(in crate::outbox) fn reload_in(&self, state: &mut State) -> Result<(), OutboxError> {
        state.seen = self.data_version(state)?;
        for queue in state.alerts.values_mut() {
            queue.plan.clear();
        }
        state.objects.clear();
        let read = |state: &State| {
            let mut lanes = Vec::new();
            let mut select = state.db.prepare(
                "SELECT DISTINCT incident, ?1 FROM alert_delivery WHERE waiting = 1
                 UNION ALL SELECT DISTINCT incident, lane FROM objects WHERE waiting = 1",
            )?;
            let mut rows = select.query(params![Lane::Alerts.code()])?;
            while let Some(row) = rows.next()? {
                let incident: String = row.get(0)?;
                let code = row.get(1)?;
                match (incident.parse(), Lane::from_code(code)) {
                    // Nobody sends them: a home may keep tens of thousands.
                    (Ok(_), Some(lane)) if lane != Lane::Alerts && !self.uploading() => {}
                    (Ok(incident), Some(lane)) => lanes.push(LaneKey { incident, lane }),
                    _ => tracing::error!(
                        incident,
                        lane = code,
                        "a row of the outbox is of a kind that nobody knows: it waits and is not sent"
                    ),
                }
            }
            Ok((lanes, StoredBytes::count(&state.db)?))
        };
        let (lanes, stored) = read(state).map_err(|error| {
            OutboxError::sqlite(&self.dir.join(crate::outbox::store::FILE), error)
        })?;
        state.stored = stored;
        for key in lanes {
            self.refresh(state, key)?;
        }
        Ok(())
    }
}
