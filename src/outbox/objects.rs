//! Pictures, segments, playlists and `incident.json`: what lies in an incident's folder, here and in the store.
//!
//! Playlists and `incident.json` are written anew for each sending from what has arrived, so that a reader of the store
//! never meets a name behind which there is nothing yet. A clip counts as begun when a playlist with its first segment is
//! there, and as complete when every segment and the final playlists are; each is told by one more alert.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{
    Fail, Outbox, OutboxError, Tx, alerts,
    alerts::IncidentRow,
    files,
    ledger::{self, Departure},
    plan::{Class, Head, Lane, LaneKey},
    sinks::{Body, Outcome, Parcel, Payload, Ticket},
};
use crate::{
    flow::{IncidentId, MediaFile, MediaKind, MediaTime, Rendition, WallTime},
    wire::{Clip, ClipState, Item, keys, playlist},
};

/// Receivers know of no clip.
pub(super) const TOLD_NOTHING: i64 = 0;
/// Receivers know that it can be watched.
const TOLD_FIRST: i64 = 1;
/// Receivers know that nothing more will come.
const TOLD_COMPLETE: i64 = 2;

const RENDITIONS: [Rendition; 3] = [Rendition::Sub, Rendition::Main, Rendition::Preview];

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

fn lane_of(item: Item) -> Lane {
    match item {
        Item::Facts => Lane::Facts,
        Item::Thumb => Lane::Thumb,
        Item::Crop => Lane::Crop,
        Item::Init(rendition, _) | Item::Media(rendition, _) => Lane::Media(rendition),
        Item::Playlist(rendition) => Lane::Playlist(rendition),
    }
}

fn kind_of(item: Item) -> &'static str {
    match item {
        Item::Facts => "facts",
        Item::Thumb => "thumb",
        Item::Crop => "crop",
        Item::Init(..) => "init",
        Item::Media(..) => "media",
        Item::Playlist(_) => "playlist",
    }
}

fn rendition_of(text: &str) -> Option<Rendition> {
    RENDITIONS.into_iter().find(|r| r.as_str() == text)
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

/// Key of the picture that follows the alert, if there is one for the store.
pub(super) fn thumbnail(
    db: &Connection,
    incident: IncidentId,
    uploading: bool,
) -> rusqlite::Result<Option<String>> {
    if !uploading {
        return Ok(None);
    }
    db.prepare_cached(
        "SELECT key FROM objects WHERE incident = ?1 AND kind = 'thumb'
         AND (waiting = 1 OR delivered_ms IS NOT NULL)",
    )?
    .query_row([incident.to_string()], |row| row.get(0))
    .optional()
}

/// How much of an incident's clip has arrived.
pub(super) fn clip(
    db: &Connection,
    incident: IncidentId,
    row: &IncidentRow,
    uploading: bool,
) -> Result<Clip, Fail> {
    let id = incident.to_string();
    let (uses, segments, bytes, waiting): (i64, u32, i64, i64) = db
        .prepare_cached(
            "SELECT count(*), count(o.delivered_ms),
                    coalesce(sum(o.bytes) FILTER (WHERE o.delivered_ms IS NOT NULL), 0),
                    count(*) FILTER (WHERE o.waiting = 1)
             FROM clip_uses u JOIN objects o ON o.id = u.object WHERE u.incident = ?1",
        )?
        .query_row([&id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
    let lead: Option<String> = db
        .prepare_cached(
            "SELECT rendition FROM clips WHERE incident = ?1 ORDER BY rendition = 'sub' DESC LIMIT 1",
        )?
        .query_row([&id], |r| r.get(0))
        .optional()?;
    let all_there = i64::from(segments) == uses;
    let state = if uses == 0 || (row.refused && segments == 0) {
        ClipState::None
    } else if !uploading || (waiting == 0 && !all_there) {
        ClipState::Held
    } else if row.told == TOLD_COMPLETE {
        ClipState::Complete
    } else if row.told == TOLD_FIRST {
        ClipState::First
    } else {
        ClipState::Sending
    };
    let key = lead
        .as_deref()
        .and_then(rendition_of)
        .filter(|_| state != ClipState::None)
        .map(|rendition| format!("{}/{}", row.prefix, Item::Playlist(rendition)));
    Ok(Clip {
        key,
        state,
        segments,
        bytes: bytes as u64,
    })
}

/// One segment of a clip, in the order it plays.
struct Use {
    key: String,
    init_key: String,
    duration: Duration,
    discontinuity: bool,
    delivered: bool,
    waiting: bool,
}

fn uses(db: &Connection, incident: IncidentId, rendition: Rendition) -> Result<Vec<Use>, Fail> {
    let mut select = db.prepare_cached(
        "SELECT o.key, h.key, o.duration_ns, o.discontinuity, o.delivered_ms IS NOT NULL, o.waiting
         FROM clip_uses u JOIN objects o ON o.id = u.object
         JOIN objects h ON h.incident = o.incident AND h.kind = 'init' AND h.rendition = o.rendition AND h.number = o.init
         WHERE u.incident = ?1 AND u.rendition = ?2 ORDER BY u.id",
    )?;
    let rows = select.query_map(params![incident.to_string(), rendition.as_str()], |row| {
        Ok(Use {
            key: row.get(0)?,
            init_key: row.get(1)?,
            duration: Duration::from_nanos(row.get::<_, i64>(2)? as u64),
            discontinuity: row.get(3)?,
            delivered: row.get(4)?,
            waiting: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn closed(db: &Connection, incident: IncidentId, rendition: Rendition) -> rusqlite::Result<bool> {
    let closed = db
        .prepare_cached("SELECT closed FROM clips WHERE incident = ?1 AND rendition = ?2")?
        .query_row(params![incident.to_string(), rendition.as_str()], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(closed.unwrap_or(false))
}

/// The playlist of those `uses` that `keep` lets through. What is left out in the middle leaves a discontinuity.
fn render(own_key: &str, uses: &[Use], keep: impl Fn(&Use) -> bool, ended: bool) -> String {
    let mut hole = false;
    let mut entries = Vec::new();
    for segment in uses {
        if !keep(segment) {
            hole = true;
            continue;
        }
        entries.push(playlist::Entry {
            uri: keys::relative(own_key, &segment.key),
            init: keys::relative(own_key, &segment.init_key),
            duration: segment.duration,
            discontinuity: segment.discontinuity || hole,
        });
        hole = false;
    }
    playlist::render(&entries, ended)
}

impl Tx<'_> {
    /// A composed object (playlist, `incident.json`) is to be sent, or sent again.
    fn compose_later(&self, incident: IncidentId, prefix: &str, item: Item) -> Result<(), Fail> {
        let rendition = match item {
            Item::Playlist(rendition) => Some(rendition.as_str()),
            _ => None,
        };
        self.db
            .prepare_cached(
                "INSERT INTO objects (incident, lane, key, kind, rendition, bytes, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
                 ON CONFLICT (key) DO UPDATE SET version = version + 1, waiting = 1, problem = NULL",
            )?
            .execute(params![
                incident.to_string(),
                lane_of(item).code(),
                format!("{prefix}/{item}"),
                kind_of(item),
                rendition,
                self.wall().0
            ])?;
        self.touch(incident, lane_of(item));
        Ok(())
    }

    fn add_use(&self, incident: IncidentId, rendition: Rendition, object: i64) -> Result<(), Fail> {
        let id = incident.to_string();
        let r = rendition.as_str();
        self.db
            .prepare_cached("INSERT OR IGNORE INTO clips (incident, rendition) VALUES (?1, ?2)")?
            .execute(params![id, r])?;
        self.db
            .prepare_cached(
                "INSERT OR IGNORE INTO clip_uses (incident, rendition, object) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![id, r, object])?;
        Ok(())
    }

    /// The playlists of everyone who shows this object need to be sent again.
    fn changed(&self, object: i64) -> Result<(), Fail> {
        let mut select = self.db.prepare_cached(
            "SELECT u.incident, u.rendition, i.prefix FROM clip_uses u JOIN incidents i ON i.id = u.incident
             WHERE u.object = ?1",
        )?;
        let mut rows = select.query([object])?;
        while let Some(row) = rows.next()? {
            let (incident, rendition): (String, String) = (row.get(0)?, row.get(1)?);
            let prefix: String = row.get(2)?;
            if let (Ok(incident), Some(rendition)) = (incident.parse(), rendition_of(&rendition)) {
                if uses(self.db, incident, rendition)?
                    .iter()
                    .any(|u| u.delivered)
                {
                    self.compose_later(incident, &prefix, Item::Playlist(rendition))?;
                }
                self.settle_clip(incident)?;
            }
        }
        Ok(())
    }

    /// Closes a rendition of a clip: its playlist gets its end.
    pub(super) fn close_clip(
        &self,
        incident: IncidentId,
        rendition: Rendition,
    ) -> Result<(), Fail> {
        let row = alerts::known(self.db, incident)?;
        let changed = self
            .db
            .prepare_cached(
                "UPDATE clips SET closed = 1 WHERE incident = ?1 AND rendition = ?2 AND closed = 0",
            )?
            .execute(params![incident.to_string(), rendition.as_str()])?;
        if changed > 0 {
            let something_there = uses(self.db, incident, rendition)?
                .iter()
                .any(|u| u.delivered);
            if something_there {
                self.compose_later(incident, &row.prefix, Item::Playlist(rendition))?;
            }
            self.settle_clip(incident)?;
        }
        Ok(())
    }

    /// Tells receivers when a clip has become whole: nothing more will come and all of it has arrived or is parked.
    pub(super) fn settle_clip(&self, incident: IncidentId) -> Result<(), Fail> {
        let row = alerts::known(self.db, incident)?;
        if row.told == TOLD_COMPLETE || !row.ended || !self.outbox.uploading() {
            return Ok(());
        }
        let id = incident.to_string();
        let (clips, open): (i64, i64) = self
            .db
            .prepare_cached(
                "SELECT count(*), count(*) FILTER (WHERE closed = 0) FROM clips WHERE incident = ?1",
            )?
            .query_row([&id], |r| Ok((r.get(0)?, r.get(1)?)))?;
        let unsettled: i64 = self
            .db
            .prepare_cached(
                "SELECT (SELECT count(*) FROM clip_uses u JOIN objects o ON o.id = u.object
                         WHERE u.incident = ?1 AND o.waiting = 1)
                      + (SELECT count(*) FROM objects WHERE incident = ?1 AND kind = 'playlist' AND waiting = 1)",
            )?
            .query_row([&id], |r| r.get(0))?;
        if clips == 0 || open > 0 || unsettled > 0 {
            return Ok(());
        }
        self.told(incident, TOLD_COMPLETE)
    }

    /// One more alert, and `incident.json` with the same facts.
    fn told(&self, incident: IncidentId, what: i64) -> Result<(), Fail> {
        self.db
            .prepare_cached("UPDATE incidents SET told = ?2 WHERE id = ?1")?
            .execute(params![incident.to_string(), what])?;
        let row = alerts::known(self.db, incident)?;
        self.tell(&row)?;
        if row.ended {
            self.compose_later(incident, &row.prefix, Item::Facts)?;
        }
        Ok(())
    }

    /// `incident.json` says that the incident has ended; it is sent again when the clip is complete.
    pub(super) fn facts_later(&self, incident: IncidentId) -> Result<(), Fail> {
        let row = alerts::known(self.db, incident)?;
        self.compose_later(incident, &row.prefix, Item::Facts)
    }

    /// Puts an object aside: it is shown to people and not tried again until they ask for it.
    pub(super) fn park(&self, object: i64, reason: &str) -> Result<(), Fail> {
        let parked: Option<(String, i64)> = self
            .db
            .prepare_cached(
                "UPDATE objects SET waiting = 0, problem = ?2 WHERE id = ?1 RETURNING incident, lane",
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
        type Row = (String, String, i64, i64, Option<[u8; 32]>);
        let found: Option<Row> = self
            .db
            .prepare_cached(
                "SELECT key, kind, version, bytes, sha256 FROM objects WHERE id = ?1 AND waiting = 1",
            )?
            .query_row([object], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ))
            })
            .optional()?;
        let Some((name, kind, version, bytes, sha256)) = found else {
            return Ok(None);
        };
        let incident = key.incident;
        let body = match (key.lane, sha256) {
            (Lane::Playlist(rendition), _) => {
                let uses = uses(self.db, incident, rendition)?;
                let ended =
                    closed(self.db, incident, rendition)? && !uses.iter().any(|u| u.waiting);
                Body::Bytes(render(&name, &uses, |u| u.delivered, ended).into())
            }
            (Lane::Facts, _) => {
                let row = alerts::known(self.db, incident)?;
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
        self.db
            .prepare_cached("UPDATE objects SET attempts = attempts + 1 WHERE id = ?1")?
            .execute([object])?;
        tracing::trace!(kind, key = name, "object leaves");
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
                "UPDATE objects SET delivered_ms = ?2, etag = ?3, bytes = ?4, problem = NULL, waiting = (version <> ?5)
                 WHERE id = ?1 RETURNING kind",
            )?
            .query_row(
                params![ticket.row, now.0, receipt, ticket.bytes as i64, ticket.version],
                |row| row.get(0),
            )
            .optional()?;
        // Retention may have taken the incident while its object was on its way.
        let Some(kind) = kind else { return Ok(()) };
        let row = alerts::known(self.db, incident)?;
        let what = Departure {
            at: now,
            kind: &kind,
            incident,
            camera: &row.facts.camera,
            recipient,
            bytes: ticket.bytes,
            purpose: &row.facts.purpose,
            until: self.kept_until(row.start),
            receipt,
        };
        ledger::append(self.db, &what)?;
        match ticket.key.lane {
            Lane::Media(_) if kind == "media" => self.changed(ticket.row)?,
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
            let row = alerts::known(tx.db, file.incident)?;
            let key = format!("{}/{item}", row.prefix);
            let object: i64 = tx
                .db
                .prepare_cached(
                    "INSERT INTO objects (incident, lane, key, kind, rendition, number, init, bytes, sha256, duration_ns,
                                          frames, discontinuity, created_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                     ON CONFLICT (key) DO UPDATE SET version = version + 1, bytes = ?8, sha256 = ?9, waiting = 1
                     RETURNING id",
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
                    |row| row.get(0),
                )?;
            if file.kind == MediaKind::Media {
                tx.add_use(file.incident, file.rendition, object)?;
            }
            tx.touch(file.incident, lane_of(item));
            Ok(())
        })?;
        self.stored_more(&mut state, file.bytes);
        drop(state);
        self.local_playlist(file.incident, file.rendition)
    }

    /// Says that the clip of `incident` shows the segment `file` too, after those that it shows already.
    ///
    /// # Errors
    /// When the database cannot be written, or the incident or the file is unknown.
    pub fn uses(&self, incident: IncidentId, file: &MediaFile) -> Result<(), OutboxError> {
        if file.kind == MediaKind::Init {
            return Ok(());
        }
        let item = Item::of(file.kind, file.rendition, file.number);
        self.write(|tx| {
            let row = alerts::known(tx.db, incident)?;
            let owner = alerts::known(tx.db, file.incident)?;
            let found: Option<(i64, bool)> = tx
                .db
                .prepare_cached("SELECT id, delivered_ms IS NOT NULL FROM objects WHERE key = ?1")?
                .query_row([format!("{}/{item}", owner.prefix)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let (object, delivered) = found.ok_or(OutboxError::Unknown(file.incident))?;
            tx.add_use(incident, file.rendition, object)?;
            if delivered && incident != file.incident {
                tx.compose_later(incident, &row.prefix, Item::Playlist(file.rendition))?;
            }
            Ok(())
        })?;
        self.local_playlist(incident, file.rendition)
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
        let prefix = self.read(|db| Ok(alerts::known(db, incident)?.prefix))?;
        let dir = self.path(&prefix);
        let sha256: [u8; 32] = Sha256::digest(jpeg).into();
        files::make_dir(&dir)?;
        // File and row change under one lock: whoever reads both sees a pair that fits.
        let mut state = self.state.lock();
        files::write(&dir.join(item.to_string()), jpeg, true)?;
        self.write_in(&mut state, |tx| {
            tx.db
                .prepare_cached(
                    "INSERT INTO objects (incident, lane, key, kind, bytes, sha256, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (key) DO UPDATE
                     SET version = version + 1, bytes = ?5, sha256 = ?6, waiting = 1, problem = NULL, gone = 0",
                )?
                .execute(params![
                    incident.to_string(),
                    lane_of(item).code(),
                    format!("{prefix}/{item}"),
                    kind_of(item),
                    jpeg.len() as i64,
                    sha256,
                    tx.wall().0
                ])?;
            tx.touch(incident, lane_of(item));
            Ok(())
        })?;
        self.stored_more(&mut state, jpeg.len() as u64);
        Ok(())
    }

    /// No more segments will come for this rendition of the incident's clip.
    ///
    /// # Errors
    /// When the database cannot be written or the incident is unknown.
    pub fn clip_closed(
        &self,
        incident: IncidentId,
        rendition: Rendition,
    ) -> Result<(), OutboxError> {
        self.write(|tx| tx.close_clip(incident, rendition))?;
        self.local_playlist(incident, rendition)
    }

    /// There will be no clip, and why: receivers are told `none`.
    ///
    /// # Errors
    /// When the database cannot be written or the incident is unknown.
    pub fn clip_refused(&self, incident: IncidentId, reason: &str) -> Result<(), OutboxError> {
        self.write(|tx| {
            alerts::known(tx.db, incident)?;
            tx.db
                .prepare_cached("UPDATE incidents SET refused = ?2 WHERE id = ?1")?
                .execute(params![incident.to_string(), reason])?;
            Ok(())
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
                    .prepare_cached("UPDATE objects SET problem = ?2 WHERE id = ?1")?
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

    /// Writes the playlist beside the segments here: it lists all of them, arrived elsewhere or not.
    pub(super) fn local_playlist(
        &self,
        incident: IncidentId,
        rendition: Rendition,
    ) -> Result<(), OutboxError> {
        let (key, text, ended) = self.read(|db| {
            let row = alerts::known(db, incident)?;
            let key = format!("{}/{}", row.prefix, Item::Playlist(rendition));
            let ended = closed(db, incident, rendition)?;
            let uses = uses(db, incident, rendition)?;
            let text = (!uses.is_empty()).then(|| render(&key, &uses, |_| true, ended));
            Ok((key, text, ended))
        })?;
        let Some(text) = text else { return Ok(()) };
        let path = self.path(&key);
        if let Some(dir) = path.parent() {
            files::make_dir(dir)?;
        }
        // While it grows it can be written anew from the rows; only the last one is flushed.
        files::write(&path, &Bytes::from(text), ended)
    }
}
