//! Who gets alerts: each receiver has a queue and numbers of its own, so that one that is away holds up no other.
//!
//! In: the receivers of this run, changes of incidents. Out: a row for each change and each receiver that wants it; what goes next
//! there. Who gets alerts is kept in the database, because incidents are ended at the next start before receivers are known.
//! Where no receiver is set up, alerts wait for a broker. A receiver that is taken out of the configuration keeps what waits for it
//! until retention ends, and gets it when it is back.

use std::{collections::BTreeSet, sync::Arc};

use rusqlite::{Connection, params};
use tokio::sync::Notify;

use crate::flow::{IncidentId, IncidentState};
use crate::outbox::{
    Fail, Outbox, OutboxError, Tx,
    queue::Plan,
    sinks::{MQTT, Sink, Takes, Wants},
};

/// What waits for one receiver of alerts.
#[derive(Debug, Default)]
pub(in crate::outbox) struct Queue {
    pub(in crate::outbox) plan: Plan,
    /// Alerts handed to it that it has not answered for yet.
    pub(in crate::outbox) on_way: BTreeSet<(IncidentId, i64)>,
    /// Tells its worker that something waits.
    pub(in crate::outbox) wake: Arc<Notify>,
}

/// A receiver's line in the database: name, states, and whether it is to hear only once that a visit began and ended.
type Line = (String, String, bool);

fn lines(db: &Connection) -> rusqlite::Result<Vec<Line>> {
    let mut select =
        db.prepare_cached("SELECT name, states, once FROM alert_sinks ORDER BY name")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

/// Who gets alerts, as far as the database knows.
pub(in crate::outbox) fn names(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let lines = lines(db)?;
    Ok(lines.into_iter().map(|(name, _, _)| name).collect())
}

fn line(name: &str, wants: &Wants) -> Line {
    let states: Vec<_> = wants.states.iter().map(|state| state.as_str()).collect();
    (name.to_owned(), states.join(" "), wants.once)
}

/// The counter of a receiver's numbers.
pub(in crate::outbox) fn counter(sink: &str) -> String {
    match sink {
        // From the time when there was no other.
        MQTT => "alerts.n".to_owned(),
        other => format!("alerts.n.{other}"),
    }
}

impl Tx<'_> {
    /// One row for each receiver that wants to hear of this change, or for the one that is named.
    pub(in crate::outbox) fn address(
        &self,
        incident: &str,
        seq: u32,
        state: IncidentState,
        only: Option<&str>,
    ) -> Result<(), Fail> {
        self.db
            .prepare_cached(
                "INSERT INTO alert_delivery (incident, seq, sink)
                 SELECT ?1, ?2, s.name FROM alert_sinks s
                 WHERE (?4 IS NULL OR s.name = ?4) AND instr(s.states, ?3) > 0 AND NOT (s.once AND ?3 <> 'updated' AND EXISTS (
                     SELECT 1 FROM alert_delivery d JOIN alerts a ON a.incident = d.incident AND a.seq = d.seq
                     WHERE d.incident = ?1 AND d.sink = s.name AND a.state = ?3))",
            )?
            .execute(params![incident, seq, state.as_str(), only])?;
        Ok(())
    }

    /// Nobody there has seen the older update: the one that comes says all that it said, to everybody or to the one that is
    /// named.
    pub(in crate::outbox) fn forget_unsent_updates(
        &self,
        incident: &str,
        only: Option<&str>,
    ) -> Result<(), Fail> {
        self.db
            .prepare_cached(
                "DELETE FROM alert_delivery WHERE incident = ?1 AND n IS NULL AND (?2 IS NULL OR sink = ?2)
                 AND seq IN (SELECT seq FROM alerts WHERE incident = ?1 AND state = 'updated')",
            )?
            .execute(params![incident, only])?;
        self.db
            .prepare_cached(
                "DELETE FROM alerts WHERE incident = ?1 AND state = 'updated' AND NOT EXISTS (
                     SELECT 1 FROM alert_delivery d WHERE d.incident = alerts.incident AND d.seq = alerts.seq)",
            )?
            .execute([incident])?;
        Ok(())
    }
}

impl Outbox {
    /// Writes down who gets alerts from now on.
    pub(in crate::outbox) fn register(&self, sinks: &[Arc<dyn Sink>]) -> Result<(), OutboxError> {
        let alerted = sinks.iter().filter(|sink| sink.takes() == Takes::Alerts);
        let mut wanted: Vec<Line> = alerted
            .map(|sink| line(sink.name(), &sink.wants()))
            .collect();
        if wanted.is_empty() {
            wanted.push(line(MQTT, &Wants::default()));
        }
        wanted.sort();
        if self.read(|db| Ok(lines(db)?))? != wanted {
            self.write(|tx| {
                tx.db.execute("DELETE FROM alert_sinks", [])?;
                for (name, states, once) in &wanted {
                    tx.db
                        .prepare_cached(
                            "INSERT INTO alert_sinks (name, states, once) VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![name, states, once])?;
                }
                Ok(())
            })?;
        }
        let mut state = self.state.lock();
        for (name, _, _) in wanted {
            state.alerts.entry(name).or_default();
        }
        self.reload_in(&mut state)
    }

    /// What wakes the worker of a receiver.
    pub(in crate::outbox) fn wake_of(&self, sink: &dyn Sink) -> Arc<Notify> {
        match sink.takes() {
            Takes::Alerts => {
                let mut state = self.state.lock();
                let queue = state.alerts.entry(sink.name().to_owned()).or_default();
                Arc::clone(&queue.wake)
            }
            Takes::Objects => Arc::clone(&self.objects_wake),
        }
    }
}
