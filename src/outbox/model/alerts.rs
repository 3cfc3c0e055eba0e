//! Incidents and their alerts: one row for each change, numbered for each receiver when it is first sent there.

use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use crate::outbox::{
    Fail, Outbox, OutboxError, Tx,
    budget::TrafficClass,
    commit_log,
    incidents::{self, IncidentRow, parse_facts, to_json},
    ledger::{self, Departure},
    message::{Place, compose},
    queue::{Class, Lane, LaneKey, QueueHead},
    sinks::{Delivery, DeliveryId, MQTT, NEAR, Outcome, Payload, QuotaReservation},
    store, subscriptions,
};
use crate::{
    flow::{EndReason, Incident, IncidentId, IncidentState, MediaTime, WallTime},
    wire::Facts,
};

/// Alerts whose latency can be measured at the same time.
const MOST_LATENCIES: usize = 256;

/// The first alert of an incident that waits for a receiver and is not on its way; what never arrived goes before what is asked for again.
pub(in crate::outbox) fn head(
    db: &Connection,
    incident: IncidentId,
    sink: &str,
    on_way: &BTreeSet<(IncidentId, i64)>,
) -> Result<Option<QueueHead>, Fail> {
    let mut select = db.prepare_cached(
        "SELECT d.seq, d.n, i.start_ms, d.delivered_ms IS NOT NULL
         FROM alert_delivery d JOIN incidents i ON i.id = d.incident
         WHERE d.sink = ?1 AND d.incident = ?2 AND d.waiting = 1 ORDER BY d.delivered_ms IS NOT NULL, d.seq",
    )?;
    let mut rows = select.query([sink, &incident.to_string()])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        if on_way.contains(&(incident, seq)) {
            continue;
        }
        let n: Option<i64> = row.get(1)?;
        return Ok(Some(QueueHead {
            class: match (n, row.get::<_, bool>(3)?) {
                (None, _) => Class::Alert,
                (Some(_), false) => Class::Again,
                (Some(_), true) => Class::Resent,
            },
            start: WallTime(row.get(2)?),
            row: seq,
            n: n.unwrap_or(0) as u64,
            what: TrafficClass::Text,
            bytes: 0,
            asked: false,
        }));
    }
    Ok(None)
}

impl Tx<'_> {
    /// Adds a row for the newest state of an incident; returns its `seq`.
    pub(in crate::outbox) fn change(&self, facts: &Facts) -> Result<u32, Fail> {
        self.change_for(facts, None)
    }

    /// The same for one receiver alone, where one is named.
    pub(in crate::outbox) fn change_for(
        &self,
        facts: &Facts,
        only: Option<&str>,
    ) -> Result<u32, Fail> {
        let id = facts.id.to_string();
        let mut facts = facts.clone();
        facts.seq += 1;
        let json = to_json(&facts);
        if facts.state == IncidentState::Updated {
            self.forget_unsent_updates(&id, only)?;
        }
        self.db
            .prepare_cached(
                "INSERT INTO alerts (incident, seq, state, facts, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![id, facts.seq, facts.state.as_str(), json, self.wall().0])?;
        self.address(&id, facts.seq, facts.state, only)?;
        self.db
            .prepare_cached("UPDATE incidents SET seq = ?2, facts = ?3, ended = ?4 WHERE id = ?1")?
            .execute(params![
                id,
                facts.seq,
                json,
                facts.state == IncidentState::Ended
            ])?;
        self.touch(facts.id, Lane::Alerts);
        self.witness(|| commit_log::alert(&facts, &json));
        Ok(facts.seq)
    }

    /// Adds a row because delivery has something to tell about the clip or the picture.
    pub(in crate::outbox) fn tell(&self, incident: &IncidentRow) -> Result<(), Fail> {
        let mut facts = incident.facts.clone();
        if facts.state == IncidentState::Began {
            facts.state = IncidentState::Updated;
        }
        self.change(&facts).map(drop)
    }

    /// Ends an incident that the last run left open. Its end is the last that was heard of it.
    pub(in crate::outbox) fn interrupt(&self, incident: IncidentId) -> Result<(), Fail> {
        let mut facts = incidents::known(self.db, incident)?.facts;
        let id = incident.to_string();
        let last: Option<i64> = self
            .db
            .prepare_cached(
                "SELECT max(at) FROM (SELECT max(created_ms) AS at FROM alerts WHERE incident = ?1
                 UNION ALL SELECT max(created_ms) FROM objects WHERE incident = ?1)",
            )?
            .query_row([id], |row| row.get(0))?;
        facts.state = IncidentState::Ended;
        facts.end_reason = Some(EndReason::Interrupted);
        facts.end = Some(WallTime(last.unwrap_or(0).max(facts.start.0)));
        self.change(&facts).map(drop)
    }
}

impl Outbox {
    /// Takes in a change of an incident; on disk when this returns. `arrived`: when the frame was received that
    /// confirmed it. Returns the change's `seq`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn alert(
        &self,
        incident: &Incident,
        arrived: Option<MediaTime>,
    ) -> Result<u32, OutboxError> {
        let mut state = self.state.lock();
        let seq = self.write_in(&mut state, |tx| {
            let mut row = tx.ensure(incident)?;
            tx.take_over(&mut row, incident);
            let seq = tx.change(&row.facts)?;
            if incident.state == IncidentState::Ended {
                tx.facts_later(incident.id)?;
                tx.settle_clip(incident.id)?;
            }
            Ok(seq)
        })?;
        if let Some(arrived) = arrived {
            // Days without a broker must not fill the memory; such old latencies mean nothing.
            while state.arrived.len() >= MOST_LATENCIES {
                state.arrived.pop_first();
            }
            state.arrived.insert((incident.id, i64::from(seq)), arrived);
        }
        Ok(seq)
    }

    /// Sends the broker every alert with a number from `from` to `to` (none: the newest) once more, in the order of their numbers.
    /// Returns how many.
    ///
    /// What was asked for too often is left out, from the end: the receiver still sees the gap and asks again later.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn resend(&self, from: u64, to: Option<u64>) -> Result<u64, OutboxError> {
        let range = [from, to.unwrap_or(u64::MAX)].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        self.write(|tx| {
            let wanted: u64 = tx
                .db
                .prepare_cached(
                    "SELECT count(*) FROM alert_delivery WHERE sink = ?3 AND n BETWEEN ?1 AND ?2 AND waiting = 0",
                )?
                .query_row(params![range[0], range[1], MQTT], |row| {
                    row.get::<_, i64>(0).map(i64::unsigned_abs)
                })?;
            let granted = self.resends.take(wanted, self.clock.now());
            if granted < wanted {
                tracing::warn!(
                    asked = wanted,
                    granted,
                    "alerts are asked for again too often; the rest may be asked for later"
                );
            }
            let mut update = tx.db.prepare_cached(
                "UPDATE alert_delivery SET waiting = 1 WHERE sink = ?4 AND n IN (SELECT n FROM alert_delivery
                 WHERE sink = ?4 AND n BETWEEN ?1 AND ?2 AND waiting = 0 ORDER BY n LIMIT ?3) RETURNING incident",
            )?;
            let mut rows = update.query(params![range[0], range[1], granted as i64, MQTT])?;
            while let Some(row) = rows.next()? {
                if let Ok(incident) = row.get::<_, String>(0)?.parse() {
                    tx.touch(incident, Lane::Alerts);
                }
            }
            Ok(granted)
        })
    }

    /// The alert to send to a receiver next, numbered, if any waits. `on_top`: bytes on the wire that its
    /// protocol adds to each; none where it costs nothing of the data plan.
    pub(in crate::outbox) fn next_alert(
        &self,
        sink: &str,
        on_top: Option<u64>,
    ) -> Result<Option<Delivery>, OutboxError> {
        let mut state = self.state.lock();
        let now = self.clock.now();
        let queue = state.alerts.entry(sink.to_owned()).or_default();
        let Some((key, head)) = queue.plan.next(now, |_| true) else {
            return Ok(None);
        };
        let numbered = self.write_in(&mut state, |tx| tx.number(key.incident, head.row, sink));
        if let Some(queue) = state.alerts.get_mut(sink) {
            queue.plan.release(key);
        }
        let delivery = match numbered? {
            Some(delivery) => delivery,
            None => {
                self.refresh(&mut state, key)?;
                return Ok(None);
            }
        };
        if let Some(on_top) = on_top
            && let Err(error) =
                self.reserve(&mut state, TrafficClass::Text, delivery.bytes() + on_top)
        {
            self.refresh(&mut state, key)?;
            return Err(error);
        }
        if let Some(queue) = state.alerts.get_mut(sink) {
            queue.on_way.insert((key.incident, head.row));
        }
        self.refresh(&mut state, key)?;
        Ok(Some(delivery))
    }

    /// Takes a receiver's answer for an alert.
    pub(in crate::outbox) fn settle_alert(
        &self,
        delivery_id: &DeliveryId,
        (sink, recipient): (&str, &str),
        outcome: &Outcome,
        until: Option<MediaTime>,
    ) -> Result<(), OutboxError> {
        let incident = delivery_id.key.incident;
        let mut state = self.state.lock();
        // On its way until its row says what became of it: nobody may send it again while room is made for that.
        let result = self.write_in(&mut state, |tx| {
            tx.answered(delivery_id, (sink, recipient), outcome)
        });
        if let Some(queue) = state.alerts.get_mut(sink) {
            queue.on_way.remove(&(incident, delivery_id.row));
            if let Some(until) = until {
                queue.plan.postpone(delivery_id.key, until);
            }
        }
        // Also when the row could not be written: the alert is not on its way any more.
        self.refresh(&mut state, delivery_id.key)?;
        result?;
        // How long an alert takes is how long it takes to somebody.
        if matches!(outcome, Outcome::Delivered { .. })
            && sink != NEAR
            && let Some(arrived) = state.arrived.remove(&(incident, delivery_id.row))
        {
            drop(state);
            let latency = self.clock.now().since(arrived);
            self.metrics.alert_latency.observe(latency.as_secs_f64());
            if let Some(observer) = &*self.observer.lock() {
                observer(incident, delivery_id.row as u32, latency);
            }
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// Gives an alert its number at a receiver, if it has none, and writes the message.
    fn number(&self, incident: IncidentId, seq: i64, sink: &str) -> Result<Option<Delivery>, Fail> {
        let id = incident.to_string();
        let found: Option<(String, Option<i64>)> = self
            .db
            .prepare_cached(
                "SELECT a.facts, d.n FROM alert_delivery d JOIN alerts a ON a.incident = d.incident AND a.seq = d.seq
                 WHERE d.incident = ?1 AND d.seq = ?2 AND d.sink = ?3 AND d.waiting = 1",
            )?
            .query_row(params![id, seq, sink], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((facts, n)) = found else {
            return Ok(None);
        };
        let sent = self.wall();
        let n = match n {
            Some(n) => n,
            None => self.give_number(&id, seq, sink, sent)?,
        };
        let facts = parse_facts(&facts)?;
        let camera = facts.camera.clone();
        let place = match sink {
            NEAR => Place::Here,
            _ => self.outbox.in_store(),
        };
        let message = compose(self.db, place, facts, Some(n as u64), sent)?;
        let json = Bytes::from(message.to_json());
        let key = LaneKey {
            incident,
            lane: Lane::Alerts,
        };
        Ok(Some(Delivery {
            delivery_id: DeliveryId {
                key,
                row: seq,
                version: n,
                bytes: json.len() as u64,
                reservation: QuotaReservation::default(),
            },
            payload: Payload::Alert {
                camera,
                n: n as u64,
                sent,
                json,
            },
        }))
    }

    fn give_number(
        &self,
        incident: &str,
        seq: i64,
        sink: &str,
        now: WallTime,
    ) -> Result<i64, Fail> {
        let n = store::count(self.db, &subscriptions::counter(sink))?;
        self.db
            .prepare_cached(
                "UPDATE alert_delivery SET n = ?4, first_sent_ms = ?5 WHERE incident = ?1 AND seq = ?2 AND sink = ?3",
            )?
            .execute(params![incident, seq, sink, n, now.0])?;
        Ok(n)
    }

    fn answered(
        &self,
        delivery_id: &DeliveryId,
        (sink, recipient): (&str, &str),
        outcome: &Outcome,
    ) -> Result<(), Fail> {
        let incident = delivery_id.key.incident;
        let id = incident.to_string();
        match outcome {
            Outcome::Delivered { receipt } => {
                let now = self.wall();
                self.db
                    .prepare_cached(
                        "UPDATE alert_delivery SET waiting = 0, problem = NULL, delivered_ms = ?4, attempts = attempts + 1
                         WHERE incident = ?1 AND seq = ?2 AND sink = ?3",
                    )?
                    .execute(params![id, delivery_id.row, sink, now.0])?;
                // Retention may have taken the incident while its alert was on its way.
                if let Some(row) = incidents::row(self.db, incident)? {
                    let n = delivery_id.version;
                    let receipt = match receipt {
                        Some(said) => format!("{n} {said}"),
                        None => n.to_string(),
                    };
                    // A receiver may get other words than the document.
                    let bytes = match delivery_id.reservation.transfer.sent() {
                        0 => delivery_id.bytes,
                        sent => sent,
                    };
                    let what = Departure {
                        at: now,
                        kind: "alert",
                        incident,
                        camera: &row.facts.camera,
                        recipient,
                        bytes,
                        purpose: &row.facts.purpose,
                        until: self.kept_until(row.start, "alert"),
                        receipt: Some(&receipt),
                    };
                    ledger::append(self.db, &what)?;
                }
            }
            Outcome::Retry { reason, .. } => {
                self.db
                    .prepare_cached(
                        "UPDATE alert_delivery SET problem = ?4, attempts = attempts + 1
                         WHERE incident = ?1 AND seq = ?2 AND sink = ?3",
                    )?
                    .execute(params![id, delivery_id.row, sink, reason])?;
            }
            Outcome::Reject { reason } => {
                self.db
                    .prepare_cached(
                        "UPDATE alert_delivery SET waiting = 0, problem = ?4, attempts = attempts + 1
                         WHERE incident = ?1 AND seq = ?2 AND sink = ?3",
                    )?
                    .execute(params![id, delivery_id.row, sink, reason])?;
            }
        }
        Ok(())
    }

    /// When the copy here of something of that kind, of an incident of that start, is deleted.
    pub(in crate::outbox) fn kept_until(&self, start: WallTime, kind: &str) -> WallTime {
        let settings = &self.outbox.settings;
        let retention = match kind {
            "init" | "media" => settings.clips.retention,
            "thumb" | "crop" => settings.pictures.retention,
            _ => settings.retention,
        };
        WallTime(
            start
                .0
                .saturating_add(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

/// How many alerts there are (of one incident, or in all), and how many bytes they take as messages.
pub(in crate::outbox) fn text(
    db: &Connection,
    incident: Option<&str>,
    uploading: bool,
) -> Result<(u64, u64), Fail> {
    let mut select = db.prepare_cached(
        "SELECT a.facts, d.n, a.created_ms
         FROM alerts a LEFT JOIN alert_delivery d ON d.incident = a.incident AND d.seq = a.seq AND d.sink = ?2
         WHERE ?1 IS NULL OR a.incident = ?1 ORDER BY a.incident, a.seq",
    )?;
    let mut rows = select.query(params![incident, MQTT])?;
    let (mut count, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        let facts = parse_facts(&row.get::<_, String>(0)?)?;
        count += 1;
        let n = row.get::<_, Option<i64>>(1)?.unwrap_or(count as i64);
        let sent = WallTime(row.get(2)?);
        let place = Place::Store { uploading };
        let message = compose(db, place, facts, Some(n as u64), sent)?;
        bytes += message.to_json().len() as u64;
    }
    Ok((count, bytes))
}
