//! Pictures, segments, playlists and `incident.json`: what lies in an incident's folder, here and in the store.
//!
//! Playlists and `incident.json` are written anew for each sending from what has arrived, so that a reader of the store
//! never meets a name behind which there is nothing yet.

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{
    Fail, Outbox, OutboxError, Tx, alerts,
    clips::{self, TOLD_FIRST, TOLD_NOTHING},
    files, incidents,
    ledger::{self, Departure},
    plan::{Class, Head, Kept, Lane, LaneKey},
    sinks::{Body, Outcome, Parcel, Payload, Ticket},
    witness,
};
use crate::{
    flow::{IncidentId, MediaFile, MediaKind, MediaTime, Rendition, WallTime},
    wire::{Item, keys},
};

/// Which picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureKind {
    /// The whole picture with a box.
    Thumb,
    /// The one who came.
    Crop,
}

impl PictureKind {
    fn item(self) -> Item {
        match self {
            Self::Thumb => Item::Thumb,
            Self::Crop => Item::Crop,
        }
    }
}

pub(super) fn lane_of(item: Item) -> Lane {
    match item {
        Item::Facts => Lane::Facts,
        Item::Thumb => Lane::Thumb,
        Item::Crop => Lane::Crop,
        Item::Init(rendition, _) | Item::Media(rendition, _) => Lane::Media(rendition),
        Item::Playlist(rendition) => Lane::Playlist(rendition),
    }
}

pub(super) fn kind_of(item: Item) -> &'static str {
    match item {
        Item::Facts => "facts",
        Item::Thumb => "thumb",
        Item::Crop => "crop",
        Item::Init(..) => "init",
        Item::Media(..) => "media",
        Item::Playlist(_) => "playlist",
    }
}

/// What waits at the front of a lane.
pub(super) fn head(db: &Connection, key: LaneKey) -> Result<Option<Head>, Fail> {
    let id = key.incident.to_string();
    let found: Option<(i64, i64, i64)> = db
        .prepare_cached(
            "SELECT o.id, i.start_ms, i.told FROM objects o JOIN incidents i ON i.id = o.incident
             WHERE o.incident = ?1 AND o.lane = ?2 AND o.waiting = 1 ORDER BY o.id LIMIT 1",
        )?
        .query_row(params![id, key.lane.code()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((row, start, told)) = found else {
        return Ok(None);
    };
    let class = match key.lane {
        Lane::Alerts => Class::Alert,
        Lane::Thumb => Class::Thumb,
        Lane::Crop | Lane::Facts => Class::Rest,
        Lane::Playlist(Rendition::Sub) if told == TOLD_NOTHING => Class::First,
        Lane::Media(Rendition::Sub) if !any_segment_delivered(db, &id)? => Class::First,
        Lane::Playlist(Rendition::Sub) | Lane::Media(Rendition::Sub) => Class::Rest,
        Lane::Playlist(_) | Lane::Media(_) => Class::Full,
    };
    Ok(Some(Head {
        class,
        start: WallTime(start),
        row,
        n: 0,
    }))
}

fn any_segment_delivered(db: &Connection, incident: &str) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM objects WHERE incident = ?1 AND kind = 'media' AND rendition = 'sub'
         AND delivered_ms IS NOT NULL)",
    )?
    .query_row([incident], |row| row.get(0))
}

impl Tx<'_> {
    /// Puts an object aside: it is shown to people and not tried again until they ask for it.
    pub(super) fn park(&self, object: i64, reason: &str) -> Result<(), Fail> {
        let parked: Option<(String, i64)> = self
            .db
            .prepare_cached(
                "UPDATE objects SET waiting = 0, problem = ?2, attempts = attempts + 1 WHERE id = ?1 RETURNING incident, lane",
            )?
            .query_row(params![object, reason], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((incident, lane)) = parked
            && let (Ok(incident), Some(lane)) = (incident.parse(), Lane::from_code(lane))
        {
            self.touch(incident, lane);
            self.changed(object)?;
        }
        Ok(())
    }

    fn prepare(&self, key: LaneKey, object: i64) -> Result<Option<Parcel>, Fail> {
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
                let uses = clips::uses(self.db, incident, rendition)?;
                let ended =
                    clips::closed(self.db, incident, rendition)? && !uses.iter().any(|u| u.waiting);
                Body::Bytes(clips::render(&name, &uses, |u| u.delivered, ended).into())
            }
            (Lane::Facts, _) => {
                let row = incidents::known(self.db, incident)?;
                let uploading = self.outbox.uploading();
                let message = alerts::compose(self.db, uploading, row.facts, None, self.wall())?;
                Body::Bytes(message.to_json().into())
            }
            (Lane::Thumb | Lane::Crop, Some(sha256)) => {
                // A picture may be replaced while it is on its way, so it is read here, while its row is held.
                let path = self.outbox.path(&name);
                match std::fs::read(&path) {
                    Ok(jpeg) if <[u8; 32]>::from(Sha256::digest(&jpeg)) == sha256 => {
                        Body::Bytes(jpeg.into())
                    }
                    Ok(_) => {
                        self.park(object, "it has changed on disk since it was written")?;
                        return Ok(None);
                    }
                    Err(error) => {
                        self.park(object, &format!("it cannot be read from disk ({error})"))?;
                        return Ok(None);
                    }
                }
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
        Ok(Some(Parcel {
            ticket: Ticket {
                key,
                row: object,
                version,
                bytes,
            },
            payload: Payload::Object {
                key: name,
                content_type,
                body,
            },
        }))
    }

    fn arrived(&self, ticket: &Ticket, recipient: &str, receipt: Option<&str>) -> Result<(), Fail> {
        let incident = ticket.key.incident;
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
                    ticket.row,
                    now.0,
                    receipt,
                    ticket.bytes as i64,
                    ticket.version
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
            bytes: ticket.bytes,
            purpose: &row.facts.purpose,
            until: self.kept_until(row.start, &kind),
            receipt,
        };
        ledger::append(self.db, &what)?;
        match ticket.key.lane {
            Lane::Media(_) if kind == "media" => self.changed(ticket.row)?,
            Lane::Thumb => self.tell_arrived(incident)?,
            Lane::Playlist(_) => {
                if row.told == TOLD_NOTHING {
                    self.told(incident, TOLD_FIRST)?;
                }
                self.settle_clip(incident)?;
            }
            _ => {}
        }
        self.touch(incident, ticket.key.lane);
        Ok(())
    }

    /// The row of a picture that is on disk. A newer picture replaces an older one.
    pub(super) fn enter_picture(
        &self,
        incident: IncidentId,
        prefix: &str,
        item: Item,
        jpeg: &[u8],
    ) -> Result<(), Fail> {
        let sha256: [u8; 32] = Sha256::digest(jpeg).into();
        let key = format!("{prefix}/{item}");
        let version = self
            .db
            .prepare_cached(
                "INSERT INTO objects (incident, lane, key, kind, bytes, sha256, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (key) DO UPDATE
                 SET version = version + 1, bytes = ?5, sha256 = ?6, waiting = 1, problem = NULL, gone = 0
                 RETURNING version",
            )?
            .query_row(
                params![
                    incident.to_string(),
                    lane_of(item).code(),
                    key,
                    kind_of(item),
                    jpeg.len() as i64,
                    sha256,
                    self.wall().0
                ],
                |row| row.get(0),
            )?;
        self.touch(incident, lane_of(item));
        self.witness(|| witness::object(kind_of(item), incident, version, &key, Some(sha256)));
        Ok(())
    }

    /// Tells receivers of a picture that is news and has arrived.
    fn tell_arrived(&self, incident: IncidentId) -> Result<(), Fail> {
        let arrived = self
            .db
            .prepare_cached(
                "UPDATE objects SET news = 0 WHERE incident = ?1 AND kind = 'thumb' AND news = 1
                 AND waiting = 0 AND problem IS NULL AND delivered_ms IS NOT NULL",
            )?
            .execute([incident.to_string()])?;
        if arrived > 0 {
            self.news(&incidents::known(self.db, incident)?)?;
        }
        Ok(())
    }
}

impl Outbox {
    /// Takes in a finished file of a clip. The file must lie whole and flushed in its incident's folder, under the name
    /// of its key. A segment counts as used by its own incident; other incidents that show it call [`Outbox::uses`].
    ///
    /// # Errors
    /// When the database cannot be written or the incident is unknown.
    pub fn media(&self, file: &MediaFile) -> Result<(), OutboxError> {
        let item = Item::of(file.kind, file.rendition, file.number);
        let mut state = self.state.lock();
        self.write_in(&mut state, |tx| {
            let row = incidents::known(tx.db, file.incident)?;
            let key = format!("{}/{item}", row.prefix);
            let (object, version): (i64, i64) = tx
                .db
                .prepare_cached(
                    "INSERT INTO objects (incident, lane, key, kind, rendition, number, init, bytes, sha256, duration_ns,
                                          frames, discontinuity, created_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                     ON CONFLICT (key) DO UPDATE SET version = version + 1, bytes = ?8, sha256 = ?9, waiting = 1
                     RETURNING id, version",
                )?
                .query_row(
                    params![
                        file.incident.to_string(),
                        lane_of(item).code(),
                        key,
                        kind_of(item),
                        file.rendition.as_str(),
                        file.number,
                        file.init,
                        file.bytes as i64,
                        file.sha256,
                        file.duration.as_nanos() as i64,
                        file.frames,
                        file.discontinuity,
                        tx.wall().0
                    ],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?;
            if file.kind == MediaKind::Media {
                tx.add_use(file.incident, file.rendition, object)?;
            }
            tx.touch(file.incident, lane_of(item));
            tx.witness(|| {
                let sum = Some(file.sha256);
                witness::object(kind_of(item), file.incident, version, &key, sum)
            });
            Ok(())
        })?;
        self.stored_more(&mut state, Kept::Clip, file.bytes);
        drop(state);
        self.local_playlist(file.incident, file.rendition)
    }

    /// Takes in a picture: writes it, flushed, beside the clip. A newer one replaces an older one, here and in the store.
    ///
    /// # Errors
    /// When the file or the database cannot be written, or the incident is unknown.
    pub fn picture(
        &self,
        incident: IncidentId,
        kind: PictureKind,
        jpeg: &[u8],
    ) -> Result<(), OutboxError> {
        let item = kind.item();
        let prefix = self.read(|db| Ok(incidents::known(db, incident)?.prefix))?;
        let dir = self.path(&prefix);
        // File and row change under one lock: whoever reads both sees a pair that fits.
        let mut state = self.state.lock();
        self.with_room_for_file(&mut state, jpeg.len() as u64, || {
            files::make_dir(&dir)?;
            files::write(&dir.join(item.to_string()), jpeg, true)
        })?;
        self.write_in(&mut state, |tx| {
            tx.enter_picture(incident, &prefix, item, jpeg)
        })?;
        self.stored_more(&mut state, Kept::Picture, jpeg.len() as u64);
        Ok(())
    }

    /// The picture of an incident has become much better: one more alert tells so, once it has arrived in the store. Where
    /// there is no store there is nothing to fetch anew; the broker gets the picture itself.
    ///
    /// # Errors
    /// When the database cannot be written or the incident is unknown.
    pub fn better_picture(&self, incident: IncidentId) -> Result<(), OutboxError> {
        if !self.uploading() {
            return Ok(());
        }
        self.write(|tx| {
            tx.db
                .prepare_cached(
                    "UPDATE objects SET news = 1 WHERE incident = ?1 AND kind = 'thumb'",
                )?
                .execute([incident.to_string()])?;
            tx.tell_arrived(incident)
        })
    }

    /// The object to send next, if any waits.
    pub(super) fn next_object(&self) -> Result<Option<Parcel>, OutboxError> {
        let mut state = self.state.lock();
        while let Some((key, head)) = state.objects.next(self.clock.now()) {
            match self.write_in(&mut state, |tx| tx.prepare(key, head.row)) {
                Ok(Some(parcel)) => return Ok(Some(parcel)),
                Ok(None) => {
                    state.objects.release(key);
                    self.refresh(&mut state, key)?;
                }
                Err(error) => {
                    state.objects.release(key);
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// Takes the store's answer for an object.
    pub(super) fn settle_object(
        &self,
        ticket: &Ticket,
        recipient: &str,
        outcome: &Outcome,
        until: Option<MediaTime>,
    ) -> Result<(), OutboxError> {
        let mut state = self.state.lock();
        let result = self.write_in(&mut state, |tx| match outcome {
            Outcome::Delivered { receipt } => tx.arrived(ticket, recipient, receipt.as_deref()),
            Outcome::Retry { reason, .. } => {
                tx.db
                    .prepare_cached(
                        "UPDATE objects SET problem = ?2, attempts = attempts + 1 WHERE id = ?1",
                    )?
                    .execute(params![ticket.row, reason])?;
                Ok(())
            }
            Outcome::Reject { reason } => tx.park(ticket.row, reason),
        });
        match until {
            Some(until) => state.objects.postpone(ticket.key, until),
            None => state.objects.release(ticket.key),
        }
        // Also when the row could not be written: the object is not on its way any more.
        self.refresh(&mut state, ticket.key)?;
        result
    }
}
