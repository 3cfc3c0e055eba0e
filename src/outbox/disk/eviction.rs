//! Deletes files of incidents: from the disk first, then from the rows. Which files go is decided by who calls.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::retention::{IS_PICTURE, not_held};
use crate::{
    flow::{IncidentId, WallTime},
    outbox::{
        Fail, Held, Outbox, OutboxError, State,
        evict::{Kept, Stored},
        incidents,
        ledger_events::DeletedFor,
    },
};

/// An incident whose age is not known yet counts as the newest.
const NOT_YET: i64 = i64::MAX / 2;

/// A file of an incident, as its row says.
struct OnDisk {
    object: i64,
    key: String,
    bytes: u64,
    version: i64,
}

fn incidents_of(gone: &[(IncidentId, Kept)]) -> usize {
    let incidents: BTreeSet<_> = gone.iter().map(|(incident, _)| *incident).collect();
    incidents.len()
}

fn kept(picture: bool) -> Kept {
    if picture { Kept::Picture } else { Kept::Clip }
}

impl Outbox {
    /// What lies on disk of incidents that are over.
    pub(in crate::outbox) fn evictable(&self, state: &State) -> Result<Vec<Stored>, OutboxError> {
        let read = |db: &Connection| -> rusqlite::Result<Vec<Stored>> {
            let mut select = db.prepare_cached(&format!(
                "SELECT i.id, coalesce(i.kept_ms, {NOT_YET}), {IS_PICTURE} AS picture, sum(o.bytes), min(o.delivered_ms IS NOT NULL AND o.waiting = 0)
                 FROM incidents i JOIN objects o ON o.incident = i.id
                 WHERE i.ended = 1 AND o.gone = 0 AND o.sha256 IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM clips c WHERE c.incident = i.id AND c.closed = 0)
                   AND {}
                 GROUP BY i.id, picture",
                not_held("?1")
            ))?;
            let mut rows = select.query([self.held_after()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                if let Ok(incident) = row.get::<_, String>(0)?.parse() {
                    found.push(Stored {
                        incident,
                        start: WallTime(row.get(1)?),
                        kept: kept(row.get(2)?),
                        bytes: row.get::<_, i64>(3)? as u64,
                        delivered: row.get(4)?,
                    });
                }
            }
            Ok(found)
        };
        read(&state.db).map_err(|error| Fail::Sql(error).at(&self.dir))
    }

    /// Deletes files; what was still to leave is parked with `reason`. Returns of how many incidents. Nobody waits for the disk
    /// meanwhile: alerts are written between two incidents, and while files are being deleted.
    pub(in crate::outbox) fn evict(
        &self,
        gone: &[(IncidentId, Kept)],
        why: DeletedFor<'_>,
        reason: &str,
    ) -> Result<usize, OutboxError> {
        for of in gone {
            let files = self.files_of(&self.state.lock(), *of)?;
            self.delete(&files)?;
            self.note_deleted(&mut self.state.lock(), *of, &files, why, reason)?;
        }
        Ok(incidents_of(gone))
    }

    fn files_of(
        &self,
        state: &State,
        (incident, kind): (IncidentId, Kept),
    ) -> Result<Vec<OnDisk>, OutboxError> {
        let read = |db: &Connection| -> rusqlite::Result<Vec<OnDisk>> {
            let mut select = db.prepare_cached(&format!(
                "SELECT id, key, bytes, version FROM objects
                 WHERE incident = ?1 AND gone = 0 AND sha256 IS NOT NULL AND {IS_PICTURE} = ?2"
            ))?;
            let rows = select.query_map(
                params![incident.to_string(), kind == Kept::Picture],
                |row| {
                    Ok(OnDisk {
                        object: row.get(0)?,
                        key: row.get(1)?,
                        bytes: row.get::<_, i64>(2)? as u64,
                        version: row.get(3)?,
                    })
                },
            )?;
            rows.collect()
        };
        read(&state.db).map_err(|error| Fail::Sql(error).at(&self.dir))
    }

    fn delete(&self, files: &[OnDisk]) -> Result<(), OutboxError> {
        for file in files {
            let path = self.path(&file.key);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(OutboxError::file(&path, "deleted", error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes in the rows that `files` of an incident are gone.
    fn note_deleted(
        &self,
        state: &mut Held<'_>,
        (incident, kind): (IncidentId, Kept),
        files: &[OnDisk],
        why: DeletedFor<'_>,
        reason: &str,
    ) -> Result<(), OutboxError> {
        let freed: u64 = files.iter().map(|file| file.bytes).sum();
        let stored = match kind {
            Kept::Clip => &mut state.stored.clips,
            Kept::Picture => &mut state.stored.pictures,
        };
        *stored = stored.saturating_sub(freed);
        // Not with more room than there is: this is where room comes from.
        self.write_once(state, |tx| {
            let camera = incidents::known(tx.db, incident)?.facts.camera;
            tx.deleted(incident, &camera, files.len() as u64, freed, why)?;
            for file in files {
                // A file that was written again meanwhile stays, unless that was the one that was deleted.
                let written_again = self.path(&file.key).exists();
                let waiting: Option<bool> = tx
                    .db
                    .prepare_cached(
                        "UPDATE objects SET gone = 1 WHERE id = ?1 AND (version = ?2 OR NOT ?3) RETURNING waiting",
                    )?
                    .query_row(params![file.object, file.version, written_again], |row| row.get(0))
                    .optional()?;
                if waiting == Some(true) {
                    tx.park(file.object, reason)?;
                }
            }
            Ok(())
        })
    }
}
