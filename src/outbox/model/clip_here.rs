//! Image and clip of an incident as they lie on this box, whether or not anything has left it.
//!
//! In: rows of the outbox. Out: what a document for the hub in this program says of them.

use rusqlite::{Connection, OptionalExtension};

use crate::{
    flow::IncidentId,
    outbox::{Fail, clips, incidents::IncidentRow},
    wire::{Clip, ClipState, Item},
};

/// Key of the picture, if there is one on disk.
pub(in crate::outbox) fn thumbnail(
    db: &Connection,
    incident: IncidentId,
) -> rusqlite::Result<Option<String>> {
    db.prepare_cached(
        "SELECT key FROM objects WHERE incident = ?1 AND kind = 'thumb' AND gone = 0",
    )?
    .query_row([incident.to_string()], |row| row.get(0))
    .optional()
}

/// How much of an incident's clip is on disk.
pub(in crate::outbox) fn clip(
    db: &Connection,
    incident: IncidentId,
    row: &IncidentRow,
) -> Result<Clip, Fail> {
    let id = incident.to_string();
    let (segments, bytes): (u32, i64) = db
        .prepare_cached(
            "SELECT count(*), coalesce(sum(o.bytes), 0)
             FROM clip_uses u JOIN objects o ON o.id = u.object WHERE u.incident = ?1 AND o.gone = 0",
        )?
        .query_row([&id], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let lead = clips::lead(db, &id)?;
    let state = match lead {
        None => ClipState::None,
        Some(_) if segments == 0 => ClipState::None,
        Some(_) if row.ended && !grows(db, &id)? => ClipState::Complete,
        Some(_) => ClipState::First,
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

/// Whether a rendition of its clip is still being written.
pub(in crate::outbox) fn grows(db: &Connection, incident: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM clips WHERE incident = ?1 AND closed = 0)")?
        .query_row([incident], |row| row.get(0))
}
