//! What a change of an incident says to its reader: the facts, and where picture and clip are found.

use rusqlite::Connection;

use crate::{
    flow::WallTime,
    outbox::{Fail, clip_here, clips, incidents::known},
    wire::{Facts, IncidentMessage},
};

/// Where a reader of a message finds picture and clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::outbox) enum Place {
    /// In the store, where there is one.
    Store { uploading: bool },
    /// On this box.
    Here,
}

/// The message for `facts` as the clip stands now at `place`.
pub(in crate::outbox) fn compose(
    db: &Connection,
    place: Place,
    facts: Facts,
    n: Option<u64>,
    sent: WallTime,
) -> Result<IncidentMessage, Fail> {
    let incident = known(db, facts.id)?;
    let (thumbnail, clip) = match place {
        Place::Store { uploading } => (
            clips::thumbnail(db, facts.id, uploading)?,
            clips::clip(db, facts.id, &incident, uploading)?,
        ),
        Place::Here => (
            clip_here::thumbnail(db, facts.id)?,
            clip_here::clip(db, facts.id, &incident)?,
        ),
    };
    Ok(IncidentMessage::new(facts, n, sent, thumbnail, clip))
}
