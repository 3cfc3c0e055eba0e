//! Objects on their way out: what waits, what goes next, and what the store said to it.
//!
//! In: rows that wait, what the data plan allows, the store's answers. Out: parcels with their content, booked in the plan before they leave;
//! rows, clips and ledger brought up to date when they have arrived. It never talks to a store: `worker` and `sinks` do.

use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::outbox::{
    Fail, Held, Outbox, OutboxError, State, Tx,
    budget::TrafficClass,
    incidents::{self, ClipNotified},
    ledger::{self, Departure},
    message, playlists,
    queue::{Class, Lane, LaneKey, QueueHead},
    sinks::{Body, Delivery, DeliveryId, Outcome, Payload, QuotaReservation},
};
use crate::{
    flow::{MediaTime, Rendition, WallTime},
    wire::keys,
};

/// What waits at the front of a lane.
pub(in crate::outbox) fn head(db: &Connection, key: LaneKey) -> Result<Option<QueueHead>, Fail> {
    let id = key.incident.to_string();
    let found: Option<(i64, i64, ClipNotified, i64, bool)> = db
        .prepare_cached(
            "SELECT o.id, i.start_ms, i.told, o.bytes, o.asked FROM objects o JOIN incidents i ON i.id = o.incident
             WHERE o.incident = ?1 AND o.lane = ?2 AND o.waiting = 1 ORDER BY o.id LIMIT 1",
        )?
        .query_row(params![id, key.lane.code()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((row, start, notified, bytes, asked)) = found else {
        return Ok(None);
    };
    let class = match key.lane {
        Lane::Alerts => Class::Alert,
        Lane::Thumb => Class::Thumb,
        Lane::Crop | Lane::Facts => Class::Rest,
        Lane::Playlist(Rendition::Sub) if notified == ClipNotified::None => Class::First,
        Lane::Media(Rendition::Sub) if !any_segment_delivered(db, &id)? => Class::First,
        Lane::Playlist(Rendition::Sub) | Lane::Media(Rendition::Sub) => Class::Rest,
        Lane::Playlist(_) | Lane::Media(_) => Class::Full,
    };
    Ok(Some(QueueHead {
        class: if asked {
            class.min(Class::First)
        } else {
            class
        },
        start: WallTime(start),
        row,
        n: 0,
        what: use_of(key.lane, class),
        bytes: bytes as u64,
        asked,
    }))
}

/// What an object's bytes are spent on. The small ones that complete a clip go with it.
fn use_of(lane: Lane, class: Class) -> TrafficClass {
    match (lane, class) {
        (Lane::Thumb | Lane::Crop | Lane::Facts, _) => TrafficClass::Still,
        (_, Class::First) | (Lane::Playlist(Rendition::Sub), _) => TrafficClass::First,
        (_, Class::Full) => TrafficClass::Full,
        _ => TrafficClass::Rest,
    }
}

fn any_segment_delivered(db: &Connection, incident: &str) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM objects WHERE incident = ?1 AND kind = 'media' AND rendition = 'sub'
         AND delivered_ms IS NOT NULL)",
    )?
    .query_row([incident], |row| row.get(0))
}

impl Tx<'_> {
    fn prepare(&self, key: LaneKey, object: i64) -> Result<Option<Delivery>, Fail> {
        type Row = (String, i64, i64, Option<[u8; 32]>);
        let found: Option<Row> = self
            .db
            .prepare_cached(
                "SELECT key, version, bytes, sha256 FROM objects WHERE id = ?1 AND waiting = 1",
            )?
            .query_row([object], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        let Some((name, version, bytes, sha256)) = found else {
            return Ok(None);
        };
        let incident = key.incident;
        let body = match (key.lane, sha256) {
            (Lane::Playlist(rendition), _) => {
                let uses = playlists::uses(self.db, incident, rendition)?;
                let mut state = playlists::playlist_state(self.db, incident, rendition)?;
                state.ended &= !uses.iter().any(|u| u.waiting);
                Body::Bytes(playlists::render(&name, &uses, |u| u.delivered, &state).into())
            }
            (Lane::Facts, _) => {
                let row = incidents::known(self.db, incident)?;
                let place = self.outbox.in_store();
                let message = message::compose(self.db, place, row.facts, None, self.wall())?;
                Body::Bytes(message.to_json().into())
            }
            (_, Some(sha256)) => Body::File {
                path: self.outbox.path(&name),
                bytes: bytes as u64,
                sha256,
            },
            (_, None) => {
                self.park(object, "its checksum is missing from the outbox")?;
                return Ok(None);
            }
        };
        let item: Option<keys::ObjectKey> = name.parse().ok();
        let content_type = item.map_or("application/octet-stream", |key| key.item.content_type());
        let bytes = match &body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File { bytes, .. } => *bytes,
        };
        Ok(Some(Delivery {
            delivery_id: DeliveryId {
                key,
                row: object,
                version,
                bytes,
                reservation: QuotaReservation::default(),
            },
            payload: Payload::Object {
                key: name,
                content_type,
                body,
            },
        }))
    }

    fn arrived(
        &self,
        delivery_id: &DeliveryId,
        recipient: &str,
        receipt: Option<&str>,
    ) -> Result<(), Fail> {
        let incident = delivery_id.key.incident;
        let now = self.wall();
        let kind: Option<String> = self
            .db
            .prepare_cached(
                "UPDATE objects SET delivered_ms = ?2, etag = ?3, bytes = ?4, problem = NULL,
                        attempts = attempts + 1, waiting = (version <> ?5)
                 WHERE id = ?1 RETURNING kind",
            )?
            .query_row(
                params![
                    delivery_id.row,
                    now.0,
                    receipt,
                    delivery_id.bytes as i64,
                    delivery_id.version
                ],
                |row| row.get(0),
            )
            .optional()?;
        // Retention may have taken the incident while its object was on its way.
        let Some(kind) = kind else { return Ok(()) };
        let row = incidents::known(self.db, incident)?;
        let what = Departure {
            at: now,
            kind: &kind,
            incident,
            camera: &row.facts.camera,
            recipient,
            bytes: delivery_id.bytes,
            purpose: &row.facts.purpose,
            until: self.kept_until(row.start, &kind),
            receipt,
        };
        ledger::append(self.db, &what)?;
        match delivery_id.key.lane {
            Lane::Media(_) if kind == "media" => self.changed(delivery_id.row)?,
            Lane::Thumb => self.tell_arrived(incident)?,
            Lane::Playlist(_) => {
                if row.notified == ClipNotified::None {
                    self.notified(incident, ClipNotified::Playable)?;
                }
                self.settle_clip(incident)?;
            }
            _ => {}
        }
        self.touch(incident, delivery_id.key.lane);
        Ok(())
    }
}

/// What came of writing an object's content.
enum Prepared {
    Ready(Delivery),
    /// The data plan has no room for it.
    Held,
    /// It is gone, or was parked.
    Nothing,
}

impl Outbox {
    /// The object to send next, if any waits.
    pub(in crate::outbox) fn next_object(&self) -> Result<Option<Delivery>, OutboxError> {
        loop {
            let Some(delivery) = self.next_prepared()? else {
                return Ok(None);
            };
            // A picture may be replaced while it is on its way, so it is read whole: before it leaves, and not while the database
            // is held.
            if !matches!(delivery.delivery_id.key.lane, Lane::Thumb | Lane::Crop) {
                return Ok(Some(delivery));
            }
            if let Some(delivery) = self.with_picture(delivery)? {
                return Ok(Some(delivery));
            }
        }
    }

    fn next_prepared(&self) -> Result<Option<Delivery>, OutboxError> {
        let mut state = self.state.lock();
        self.refresh_budget(&mut state)?;
        loop {
            let State {
                objects, spending, ..
            } = &mut *state;
            let (now, wall) = (self.clock.now(), self.clock.wall());
            let free = !self.metered.load(Ordering::Relaxed);
            let picked = objects.next(now, |head| free || spending.may_leave(head, wall));
            let Some((key, head)) = picked else {
                self.hold_clips(&mut state, wall)?;
                return Ok(None);
            };
            match self.prepared(&mut state, key, &head) {
                Ok(Prepared::Ready(delivery)) => return Ok(Some(delivery)),
                Ok(Prepared::Held) => {}
                Ok(Prepared::Nothing) => {
                    state.objects.release(key);
                    self.refresh(&mut state, key)?;
                }
                Err(error) => {
                    state.objects.release(key);
                    return Err(error);
                }
            }
        }
    }

    /// The parcel with its picture's content. None where it has been replaced since its row was read, and is sent later, or where
    /// its file is not what was written, and is put aside.
    fn with_picture(&self, mut delivery: Delivery) -> Result<Option<Delivery>, OutboxError> {
        let Payload::Object {
            body: body @ Body::File { .. },
            ..
        } = &mut delivery.payload
        else {
            return Ok(Some(delivery));
        };
        let Body::File { path, sha256, .. } = &*body else {
            return Ok(Some(delivery));
        };
        let delivery_id = &delivery.delivery_id;
        let reason = {
            let _one = self.pictures.lock();
            match std::fs::read(path) {
                Ok(jpeg) if <[u8; 32]>::from(Sha256::digest(&jpeg)) == *sha256 => {
                    *body = Body::Bytes(jpeg.into());
                    return Ok(Some(delivery));
                }
                Ok(_) => "it has changed on disk since it was written".to_owned(),
                Err(error) => format!("it cannot be read from disk ({error})"),
            }
        };
        let mut state = self.state.lock();
        let reservation = &delivery_id.reservation;
        self.refund(&mut state, reservation.what, reservation.reserved, 0)?;
        let done = self.write_in(&mut state, |tx| {
            let version: Option<i64> = tx
                .db
                .prepare_cached("SELECT version FROM objects WHERE id = ?1 AND waiting = 1")?
                .query_row([delivery_id.row], |row| row.get(0))
                .optional()?;
            if version == Some(delivery_id.version) {
                tx.park(delivery_id.row, &reason)?;
            }
            Ok(())
        });
        state.objects.release(delivery_id.key);
        self.refresh(&mut state, delivery_id.key)?;
        done.map(|()| None)
    }

    /// Notes which clips could begin if the data plan had room for them.
    fn hold_clips(&self, state: &mut Held<'_>, wall: WallTime) -> Result<(), OutboxError> {
        if !self.metered.load(Ordering::Relaxed) || !self.settings.budget.limited() {
            return Ok(());
        }
        let State {
            objects, spending, ..
        } = &mut **state;
        let newly: Vec<_> = objects
            .waiting()
            .filter(|(_, head)| head.class == Class::First && !spending.may_leave(head, wall))
            .filter_map(|(key, _)| match key.lane {
                Lane::Media(rendition) => Some((key.incident, rendition)),
                _ => None,
            })
            .filter(|clip| !spending.held.contains(clip))
            .collect();
        spending.held.extend(newly.iter().copied());
        for (incident, rendition) in newly {
            self.write_in(state, |tx| tx.hold(incident, rendition, true))?;
        }
        Ok(())
    }

    fn prepared(
        &self,
        state: &mut Held<'_>,
        key: LaneKey,
        head: &QueueHead,
    ) -> Result<Prepared, OutboxError> {
        let Some(mut delivery) = self.write_in(state, |tx| tx.prepare(key, head.row))? else {
            return Ok(Prepared::Nothing);
        };
        let bytes = delivery.delivery_id.bytes;
        let wall = self.clock.wall();
        let real = QueueHead { bytes, ..*head };
        if self.metered.load(Ordering::Relaxed) && !state.spending.may_leave(&real, wall) {
            // What is written for each sending turned out larger than the plan has room for.
            state.objects.release(key);
            state.objects.set(key, Some(real));
            return Ok(Prepared::Held);
        }
        if let Lane::Media(rendition) = key.lane
            && state.spending.held.remove(&(key.incident, rendition))
        {
            self.write_in(state, |tx| tx.hold(key.incident, rendition, false))?;
        }
        delivery.delivery_id.reservation.what = head.what;
        if self.metered.load(Ordering::Relaxed) {
            delivery.delivery_id.reservation.reserved = self.reserve(state, head.what, bytes)?;
        }
        Ok(Prepared::Ready(delivery))
    }

    /// Takes the store's answer for an object.
    pub(in crate::outbox) fn settle_object(
        &self,
        delivery_id: &DeliveryId,
        recipient: &str,
        outcome: &Outcome,
        until: Option<MediaTime>,
    ) -> Result<(), OutboxError> {
        let mut state = self.state.lock();
        let reservation = &delivery_id.reservation;
        let mut result = self.write_in(&mut state, |tx| match outcome {
            Outcome::Delivered { receipt } => {
                tx.arrived(delivery_id, recipient, receipt.as_deref())
            }
            Outcome::Retry { reason, .. } => {
                tx.db
                    .prepare_cached(
                        "UPDATE objects SET problem = ?2, attempts = attempts + 1 WHERE id = ?1",
                    )?
                    .execute(params![delivery_id.row, reason])?;
                Ok(())
            }
            Outcome::Reject { reason } => tx.park(delivery_id.row, reason),
        });
        match until {
            Some(until) => state.objects.postpone(delivery_id.key, until),
            None => state.objects.release(delivery_id.key),
        }
        if !matches!(outcome, Outcome::Delivered { .. }) {
            let sent = reservation.transfer.sent();
            let back = self.refund(&mut state, reservation.what, reservation.reserved, sent);
            result = result.and(back);
        }
        // Also when the row could not be written: the object is not on its way any more.
        self.refresh(&mut state, delivery_id.key)?;
        result
    }
}
