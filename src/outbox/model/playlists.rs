//! Playlists: what a clip shows, in which order. The one here lists everything; the one in the store lists what has arrived.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::outbox::{Fail, Outbox, OutboxError, files, incidents};
use crate::{
    base::durable::Flush,
    flow::{IncidentId, Rendition},
    wire::{Item, keys, playlist},
};

/// One segment of a clip, in the order it plays.
pub(in crate::outbox) struct Use {
    key: String,
    init_key: String,
    duration: Duration,
    discontinuity: bool,
    pub(in crate::outbox) delivered: bool,
    pub(in crate::outbox) waiting: bool,
    /// No longer on disk here.
    pub(in crate::outbox) gone: bool,
}

pub(in crate::outbox) fn uses(
    db: &Connection,
    incident: IncidentId,
    rendition: Rendition,
) -> Result<Vec<Use>, Fail> {
    let mut select = db.prepare_cached(
        "SELECT o.key, h.key, o.duration_ns, o.discontinuity, o.delivered_ms IS NOT NULL, o.waiting,
                o.gone = 1 OR h.gone = 1
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
            gone: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a playlist says beside its segments.
pub(in crate::outbox) struct PlaylistState {
    target: u32,
    pub(in crate::outbox) ended: bool,
}

/// What the playlist of a rendition says beside its segments: none will come once it is closed.
pub(in crate::outbox) fn playlist_state(
    db: &Connection,
    incident: IncidentId,
    rendition: Rendition,
) -> rusqlite::Result<PlaylistState> {
    let found: Option<(bool, Option<u32>)> = db
        .prepare_cached("SELECT closed, target FROM clips WHERE incident = ?1 AND rendition = ?2")?
        .query_row(params![incident.to_string(), rendition.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (ended, target) = found.unwrap_or((false, None));
    Ok(PlaylistState {
        target: target.unwrap_or(playlist::TARGET),
        ended,
    })
}

/// The playlist of those `uses` that `keep` lets through. What is left out in the middle leaves a discontinuity.
pub(in crate::outbox) fn render(
    own_key: &str,
    uses: &[Use],
    keep: impl Fn(&Use) -> bool,
    state: &PlaylistState,
) -> String {
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
    playlist::render(&entries, state.target, state.ended)
}

impl Outbox {
    /// A clip that was closed has got one more segment: its playlist here is written once more.
    pub(in crate::outbox) fn playlist_if(
        &self,
        ended: bool,
        incident: IncidentId,
        rendition: Rendition,
    ) -> Result<(), OutboxError> {
        if ended {
            self.local_playlist(incident, rendition, ended)?;
        }
        Ok(())
    }

    /// Writes the playlist beside the segments here: it lists all of them, arrived elsewhere or not. Only once a clip is over:
    /// while it grows, nobody reads it here, and a lane that writes segments does not wait for it.
    pub(in crate::outbox) fn local_playlist(
        &self,
        incident: IncidentId,
        rendition: Rendition,
        ended: bool,
    ) -> Result<(), OutboxError> {
        let (key, text) = self.read(|db| {
            let row = incidents::known(db, incident)?;
            let key = format!("{}/{}", row.prefix, Item::Playlist(rendition));
            let mut state = playlist_state(db, incident, rendition)?;
            state.ended |= ended;
            let uses = uses(db, incident, rendition)?;
            let text = (!uses.is_empty()).then(|| render(&key, &uses, |_| true, &state));
            Ok((key, text))
        })?;
        let Some(text) = text else { return Ok(()) };
        let path = self.path(&key);
        if let Some(dir) = path.parent() {
            files::make_dir(dir)?;
        }
        self.with_room_for_file(text.len() as u64, || {
            files::write(&path, text.as_bytes(), Flush::Yes)
        })
    }
}
