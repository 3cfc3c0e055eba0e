//! What is deleted: everything of an incident when it is too old, and files earlier when they outgrow their share of the disk.
//!
//! Rows go last, so that a cut in between leaves rows without files (parked at the next start, deleted by the next sweep)
//! and never files that nobody knows of. While the system clock is not synchronised nothing is deleted by age.

use std::path::Path;

use rusqlite::params;

use super::{
    Outbox, OutboxError, State,
    accounts::{self, DeletedFor},
    incidents,
    plan::{self, Stored},
};
use crate::flow::{ClockState, IncidentId, WallTime};

/// Free bytes of the disk that holds `dir`; 0 when the system does not say.
pub(super) fn free_bytes(dir: &Path) -> u64 {
    rustix::fs::statvfs(dir).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// A disk with less than this, and less than a twentieth of its size, is nearly full.
const LITTLE: u64 = 100_000_000;
const LITTLE_SHARE: f64 = 0.05;

fn free_share(dir: &Path) -> f64 {
    rustix::fs::statvfs(dir).map_or(0.0, |stat| {
        stat.f_bavail as f64 / (stat.f_blocks as f64).max(1.0)
    })
}

impl Outbox {
    /// What is wrong with the data disk, in one sentence.
    #[must_use]
    pub fn disk_problem(&self) -> Option<&'static str> {
        (free_bytes(&self.dir) < LITTLE && free_share(&self.dir) < LITTLE_SHARE)
            .then_some("the data disk is nearly full: free some space or lower outbox.quota")
    }

    /// Counts bytes that were just written, and asks for a sweep when they are too many.
    pub(super) fn stored_more(&self, state: &mut State, bytes: u64) {
        state.stored += bytes;
        if state.stored > self.settings.quota.0 {
            self.sweep_wake.notify_one();
        }
    }

    /// Deletes what is too old, then what is too much. Returns how many incidents lost something.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn sweep(&self) -> Result<usize, OutboxError> {
        let mut touched = 0;
        if self.clock.state() == ClockState::Good {
            for (incident, prefix) in self.outlived()? {
                let _ = std::fs::remove_dir_all(self.path(&prefix));
                self.write(|tx| {
                    let camera = incidents::known(tx.db, incident)?.facts.camera;
                    let (objects, bytes) = accounts::on_disk(tx.db, incident)?;
                    tx.deleted(incident, &camera, objects, bytes, DeletedFor::Retention)?;
                    tx.db
                        .prepare_cached("DELETE FROM incidents WHERE id = ?1")?
                        .execute([incident.to_string()])?;
                    Ok(())
                })?;
                touched += 1;
            }
        }
        if touched > 0 {
            self.reload()?;
        }
        touched += self.evict()?;
        let stored = self.state.lock().stored;
        self.metrics.stored_bytes.set(stored as i64);
        self.metrics.disk_free.set(free_share(&self.dir));
        Ok(touched)
    }

    /// Ended incidents older than the retention whose files no younger incident shows.
    fn outlived(&self) -> Result<Vec<(IncidentId, String)>, OutboxError> {
        let retention = i64::try_from(self.settings.retention.as_millis()).unwrap_or(i64::MAX);
        let cutoff = self.clock.wall().0.saturating_sub(retention);
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT id, prefix FROM incidents i WHERE start_ms < ?1 AND ended = 1 AND NOT EXISTS (
                     SELECT 1 FROM objects o JOIN clip_uses u ON u.object = o.id JOIN incidents y ON y.id = u.incident
                     WHERE o.incident = i.id AND y.start_ms >= ?1)",
            )?;
            let rows = select.query_map([cutoff], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            let mut found = Vec::new();
            for row in rows {
                let (id, prefix) = row?;
                found.extend(id.parse().map(|id| (id, prefix)));
            }
            Ok(found)
        })
    }

    /// Deletes files until the quota is met; alerts stay.
    fn evict(&self) -> Result<usize, OutboxError> {
        let excess = self
            .state
            .lock()
            .stored
            .saturating_sub(self.settings.quota.0);
        if excess == 0 {
            return Ok(0);
        }
        let stored: Vec<Stored> = self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT i.id, i.start_ms, sum(o.bytes), min(o.delivered_ms IS NOT NULL)
                 FROM incidents i JOIN objects o ON o.incident = i.id
                 WHERE i.ended = 1 AND o.gone = 0 AND o.sha256 IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM clips c WHERE c.incident = i.id AND c.closed = 0)
                 GROUP BY i.id",
            )?;
            let rows = select.query_map([], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, bool>(3)?,
                ))
            })?;
            let mut found = Vec::new();
            for row in rows {
                let (id, start, bytes, delivered) = row?;
                found.extend(id.parse().map(|incident| Stored {
                    incident,
                    start: WallTime(start),
                    bytes: bytes as u64,
                    delivered,
                }));
            }
            Ok(found)
        })?;
        let gone = plan::evict(stored, excess);
        for incident in &gone {
            self.evict_files(*incident)?;
        }
        if !gone.is_empty() {
            tracing::warn!(
                incidents = gone.len(),
                "clips were deleted before their time to stay within outbox.quota"
            );
        }
        Ok(gone.len())
    }

    fn evict_files(&self, incident: IncidentId) -> Result<(), OutboxError> {
        let files: Vec<(i64, String, i64, bool)> = self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT id, key, bytes, waiting FROM objects WHERE incident = ?1 AND gone = 0 AND sha256 IS NOT NULL",
            )?;
            let rows = select.query_map([incident.to_string()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let mut freed = 0;
        for (_, key, bytes, _) in &files {
            match std::fs::remove_file(self.path(key)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(OutboxError::file(&self.path(key), "deleted", error));
                }
                _ => freed += *bytes as u64,
            }
        }
        let mut state = self.state.lock();
        state.stored = state.stored.saturating_sub(freed);
        self.write_in(&mut state, |tx| {
            let camera = incidents::known(tx.db, incident)?.facts.camera;
            tx.deleted(
                incident,
                &camera,
                files.len() as u64,
                freed,
                DeletedFor::Quota,
            )?;
            for (object, _, _, waiting) in &files {
                tx.db
                    .prepare_cached("UPDATE objects SET gone = 1 WHERE id = ?1")?
                    .execute(params![object])?;
                if *waiting {
                    tx.park(
                        *object,
                        "it was deleted before it could leave: the disk quota was reached",
                    )?;
                }
            }
            Ok(())
        })
    }
}
