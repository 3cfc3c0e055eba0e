//! Clips: which segments an incident shows, in which order, and what receivers have been told of it.
//!
//! A clip counts as begun when a playlist with its first segment is in the store, and as complete when every segment and
//! the final playlists are; each is told by one more alert. The playlist here lists everything; the one in the store lists
//! what has arrived.

use rusqlite::{Connection, OptionalExtension, params};

use crate::outbox::{
    Fail, Outbox, OutboxError, Tx, commit_log,
    incidents::{self, ClipNotified, IncidentRow},
    objects::{kind_of, lane_of},
    playlists::{playlist_state, uses},
};
use crate::{
    flow::{IncidentId, MediaFile, MediaKind, Rendition},
    wire::{Clip, ClipState, Item, playlist},
};

pub(in crate::outbox) const RENDITIONS: [Rendition; 3] =
    [Rendition::Sub, Rendition::Main, Rendition::Preview];

pub(in crate::outbox) fn rendition_of(text: &str) -> Option<Rendition> {
    RENDITIONS.into_iter().find(|r| r.as_str() == text)
}

/// Key of the picture that follows the alert, if there is one for the store.
pub(in crate::outbox) fn thumbnail(
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

/// The rendition that is shown of a clip: the watched stream, where there is one.
pub(in crate::outbox) fn lead(
    db: &Connection,
    incident: &str,
) -> rusqlite::Result<Option<Rendition>> {
    let name: Option<String> = db
        .prepare_cached(
            "SELECT rendition FROM clips WHERE incident = ?1 ORDER BY rendition = 'sub' DESC LIMIT 1",
        )?
        .query_row([incident], |row| row.get(0))
        .optional()?;
    Ok(name.as_deref().and_then(rendition_of))
}

/// How much of an incident's clip has arrived.
pub(in crate::outbox) fn clip(
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
    let lead = lead(db, &id)?;
    let all_there = i64::from(segments) == uses;
    let held = segments == 0
        && db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM clips WHERE incident = ?1 AND held = 1)")?
            .query_row([&id], |r| r.get(0))?;
    let state = if uses == 0 || (row.refused && segments == 0) {
        ClipState::None
    } else if !uploading || held || (waiting == 0 && !all_there) {
        ClipState::Held
    } else if row.notified == ClipNotified::Complete {
        ClipState::Complete
    } else if row.notified == ClipNotified::Playable {
        ClipState::First
    } else {
        ClipState::Sending
    };
    let key = lead
        .filter(|_| state != ClipState::None)
        .map(|rendition| format!("{}/{}", row.prefix, Item::Playlist(rendition)));
    Ok(Clip {
        key,
        state,
        segments,
        bytes: bytes as u64,
    })
}

impl Tx<'_> {
    /// A composed object (playlist, `incident.json`) is to be sent, or sent again.
    pub(in crate::outbox) fn compose_later(
        &self,
        incident: IncidentId,
        prefix: &str,
        item: Item,
    ) -> Result<(), Fail> {
        let rendition = match item {
            Item::Playlist(rendition) => Some(rendition.as_str()),
            _ => None,
        };
        let key = format!("{prefix}/{item}");
        let version = self
            .db
            .prepare_cached(
                "INSERT INTO objects (incident, lane, key, kind, rendition, bytes, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
                 ON CONFLICT (key) DO UPDATE SET version = version + 1, waiting = 1, problem = NULL
                 RETURNING version",
            )?
            .query_row(
                params![
                    incident.to_string(),
                    lane_of(item).code(),
                    key,
                    kind_of(item),
                    rendition,
                    self.wall().0
                ],
                |row| row.get(0),
            )?;
        self.witness(|| commit_log::object(kind_of(item), incident, version, &key, None));
        self.touch(incident, lane_of(item));
        Ok(())
    }

    pub(in crate::outbox) fn add_use(
        &self,
        incident: IncidentId,
        rendition: Rendition,
        object: i64,
    ) -> Result<(), Fail> {
        let id = incident.to_string();
        let r = rendition.as_str();
        let begun: bool = self
            .db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM clips WHERE incident = ?1 AND rendition = ?2)",
            )?
            .query_row(params![id, r], |row| row.get(0))?;
        if !begun {
            let camera = incidents::known(self.db, incident)?.facts.camera;
            let longest = self.outbox.longest.lock().get(&camera).copied();
            self.db
                .prepare_cached(
                    "INSERT INTO clips (incident, rendition, target) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![
                    id,
                    r,
                    playlist::target(longest.unwrap_or_default())
                ])?;
        }
        self.db
            .prepare_cached(
                "INSERT OR IGNORE INTO clip_uses (incident, rendition, object) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![id, r, object])?;
        Ok(())
    }

    /// The playlists of everyone who shows this object need to be sent again.
    pub(in crate::outbox) fn changed(&self, object: i64) -> Result<(), Fail> {
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

    /// The data plan has no room for the first segment of a clip, or has room again. Receivers are told when they wait for it.
    pub(in crate::outbox) fn hold(
        &self,
        incident: IncidentId,
        rendition: Rendition,
        held: bool,
    ) -> Result<(), Fail> {
        let changed = self
            .db
            .prepare_cached(
                "UPDATE clips SET held = ?3 WHERE incident = ?1 AND rendition = ?2 AND held <> ?3",
            )?
            .execute(params![incident.to_string(), rendition.as_str(), held])?;
        if changed > 0 && held {
            self.news(&incidents::known(self.db, incident)?)?;
        }
        Ok(())
    }

    /// Closes a rendition of a clip: its playlist gets its end.
    pub(in crate::outbox) fn close_clip(
        &self,
        incident: IncidentId,
        rendition: Rendition,
    ) -> Result<(), Fail> {
        let row = incidents::known(self.db, incident)?;
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
            self.closed_here(incident)?;
            self.settle_clip(incident)?;
        }
        Ok(())
    }

    /// Tells receivers when a clip has become whole: nothing more will come and all of it has arrived or is parked.
    pub(in crate::outbox) fn settle_clip(&self, incident: IncidentId) -> Result<(), Fail> {
        let row = incidents::known(self.db, incident)?;
        if row.notified == ClipNotified::Complete || !row.ended || !self.outbox.uploading() {
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
        self.notified(incident, ClipNotified::Complete)
    }

    /// Receivers learn of the clip: one more alert.
    pub(in crate::outbox) fn notified(
        &self,
        incident: IncidentId,
        what: ClipNotified,
    ) -> Result<(), Fail> {
        self.db
            .prepare_cached("UPDATE incidents SET told = ?2 WHERE id = ?1")?
            .execute(params![incident.to_string(), what.code()])?;
        let row = incidents::known(self.db, incident)?;
        self.news(&row)
    }

    /// One more alert, and `incident.json` with the same facts.
    pub(in crate::outbox) fn news(&self, row: &IncidentRow) -> Result<(), Fail> {
        self.tell(row)?;
        if row.ended {
            self.compose_later(row.facts.id, &row.prefix, Item::Facts)?;
        }
        Ok(())
    }

    /// `incident.json` says that the incident has ended; it is sent again when the clip is complete.
    pub(in crate::outbox) fn facts_later(&self, incident: IncidentId) -> Result<(), Fail> {
        let row = incidents::known(self.db, incident)?;
        self.compose_later(incident, &row.prefix, Item::Facts)
    }
}

impl Outbox {
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
            let row = incidents::known(tx.db, incident)?;
            let owner = incidents::known(tx.db, file.incident)?;
            let found: Option<(i64, bool)> = tx
                .db
                .prepare_cached("SELECT id, delivered_ms IS NOT NULL FROM objects WHERE key = ?1")?
                .query_row([format!("{}/{item}", owner.prefix)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            let (object, delivered) = found.ok_or(OutboxError::Unknown(file.incident))?;
            tx.add_use(incident, file.rendition, object)?;
            tx.grew_here(incident)?;
            if delivered && incident != file.incident {
                tx.compose_later(incident, &row.prefix, Item::Playlist(file.rendition))?;
            }
            Ok(playlist_state(tx.db, incident, file.rendition)?.ended)
        })
        .and_then(|ended| self.playlist_if(ended, incident, file.rendition))
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
        // Before the row says so: a cut in between leaves a clip that is closed once more at the next start.
        let written = self.local_playlist(incident, rendition, true);
        self.write(|tx| tx.close_clip(incident, rendition))?;
        written
    }

    /// There will be no clip, and why: receivers are told `none`.
    ///
    /// # Errors
    /// When the database cannot be written or the incident is unknown.
    pub fn clip_refused(&self, incident: IncidentId, reason: &str) -> Result<(), OutboxError> {
        self.write(|tx| {
            incidents::known(tx.db, incident)?;
            tx.db
                .prepare_cached("UPDATE incidents SET refused = ?2 WHERE id = ?1")?
                .execute(params![incident.to_string(), reason])?;
            Ok(())
        })
    }
}
