//! What is deleted: everything of an incident when it is too old, files of a kind when they are too old for their kind,
//! and files and delivered alerts earlier when they outgrow their share of the disk.
//!
//! Rows go last, so that a cut in between leaves rows without files (parked at the next start, deleted by the next sweep)
//! and never files that nobody knows of. What may go by age is the rule of [`crate::base::ageing`], the same as in a hub: nothing
//! while the clock is unsure, and never much at once. An alert that has not arrived is never deleted for room.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::{
    base::{
        ageing::{self, Counted},
        reserve::free_bytes,
    },
    flow::{ClockState, IncidentId, WallTime},
    outbox::{
        Fail, Outbox, OutboxError, State,
        evict::{Excess, Kept, evict},
        incidents,
        ledger_events::{self, DeletedFor},
    },
};

/// Bytes of files on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::outbox) struct StoredBytes {
    pub(in crate::outbox) clips: u64,
    pub(in crate::outbox) pictures: u64,
}

impl StoredBytes {
    pub(in crate::outbox) fn all(self) -> u64 {
        self.clips + self.pictures
    }

    /// As the rows say.
    pub(in crate::outbox) fn count(db: &Connection) -> rusqlite::Result<Self> {
        Self::sum(db, None)
    }

    /// Those of one incident.
    pub(in crate::outbox) fn of(db: &Connection, incident: IncidentId) -> rusqlite::Result<Self> {
        Self::sum(db, Some(incident.to_string()))
    }

    /// Without what has been deleted.
    pub(in crate::outbox) fn take_off(&mut self, freed: Self) {
        self.clips = self.clips.saturating_sub(freed.clips);
        self.pictures = self.pictures.saturating_sub(freed.pictures);
    }

    fn sum(db: &Connection, of: Option<String>) -> rusqlite::Result<Self> {
        let one = if of.is_some() {
            "AND incident = ?1"
        } else {
            "AND ?1 IS NULL"
        };
        let query = format!(
            "SELECT coalesce(sum(bytes) FILTER (WHERE NOT {IS_PICTURE}), 0), coalesce(sum(bytes) FILTER (WHERE {IS_PICTURE}), 0)
             FROM objects WHERE gone = 0 AND sha256 IS NOT NULL {one}"
        );
        db.query_row(&query, [of], |row| {
            Ok(Self {
                clips: row.get::<_, i64>(0)? as u64,
                pictures: row.get::<_, i64>(1)? as u64,
            })
        })
    }
}

/// What has an age of its own.
#[derive(Debug, Clone, Copy)]
enum Aged {
    Incidents,
    Clips,
    Pictures,
}

/// So much of the quota is freed beyond what is needed, so that not every file has to look for room.
const AHEAD: u64 = 50;
/// Of rows of files.
pub(super) const IS_PICTURE: &str = "(kind IN ('thumb', 'crop'))";

/// The condition that neither the incident `i` is held nor one that has borrowed of its clip. `after`: an end after this is still to
/// come.
pub(super) fn not_held(after: &str) -> String {
    format!(
        "coalesce(i.held_ms <= {after}, 1) AND i.id NOT IN (
             SELECT o2.incident FROM incidents y2 JOIN clip_uses u2 ON u2.incident = y2.id JOIN objects o2 ON o2.id = u2.object
             WHERE y2.held_ms > {after})"
    )
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
    pub(in crate::outbox) fn stored_more(&self, state: &mut State, kept: Kept, bytes: u64) {
        match kept {
            Kept::Clip => state.stored.clips += bytes,
            Kept::Picture => state.stored.pictures += bytes,
        }
        if self.excess(state.stored) != Excess::default() {
            self.sweep_wake.notify_one();
        }
    }

    fn excess(&self, stored: StoredBytes) -> Excess {
        let settings = &self.settings;
        Excess {
            clips: stored.clips.saturating_sub(settings.clips.quota.0),
            pictures: stored.pictures.saturating_sub(settings.pictures.quota.0),
            all: stored.all().saturating_sub(settings.quota.0),
        }
    }

    /// Deletes what is too old, then what is too much. Returns how many incidents lost something.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn sweep(&self) -> Result<usize, OutboxError> {
        let mut touched = 0;
        self.settle_ages()?;
        for (incident, prefix) in self.outlived()? {
            let _ = std::fs::remove_dir_all(self.path(&prefix));
            self.write(|tx| {
                let camera = incidents::known(tx.db, incident)?.facts.camera;
                let (objects, bytes) = ledger_events::on_disk(tx.db, incident)?;
                tx.deleted(incident, &camera, objects, bytes, DeletedFor::Retention)?;
                tx.db
                    .prepare_cached("DELETE FROM incidents WHERE id = ?1")?
                    .execute([incident.to_string()])?;
                Ok(())
            })?;
            touched += 1;
        }
        if touched > 0 {
            self.reload()?;
        }
        {
            let mut state = self.state.lock();
            // A picture that replaced another was counted beside it.
            state.stored =
                StoredBytes::count(&state.db).map_err(|error| Fail::Sql(error).at(&self.dir))?;
        }
        touched += self.age_files()?;
        touched += self.shrink()?;
        self.trim_alerts()?;
        let stored = self.state.lock().stored.all();
        self.metrics.stored_bytes.set(stored as i64);
        self.metrics.disk_free.set(free_share(&self.dir));
        Ok(touched)
    }

    /// Gives each incident that was recorded without a right clock, or with one that was ahead, this moment to be kept from, once
    /// the clock is right.
    fn settle_ages(&self) -> Result<(), OutboxError> {
        if self.clock.state() != ClockState::Good {
            return Ok(());
        }
        let now = self.clock.wall();
        let newest = ageing::newest(now).0;
        let any = self.read(|db| {
            let any =
                "SELECT EXISTS (SELECT 1 FROM incidents WHERE kept_ms IS NULL OR kept_ms > ?1)";
            Ok(db
                .prepare_cached(any)?
                .query_row([newest], |row| row.get(0))?)
        })?;
        if any {
            self.write(|tx| {
                tx.db
                    .prepare_cached(
                        "UPDATE incidents SET kept_ms = ?1 WHERE kept_ms IS NULL OR kept_ms > ?2",
                    )?
                    .execute([now.0, newest])?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Incidents that are held until a time after this one are not deleted; without a clock that is right, whatever is held.
    pub(super) fn held_after(&self) -> i64 {
        match self.clock.state() {
            ClockState::Good => self.clock.wall().0,
            ClockState::Unsure => i64::MIN,
        }
    }

    /// How many of those that are counted may go by age now.
    fn may_go(&self, which: Aged, counted: Counted) -> usize {
        let mut ageing = self.ageing.lock();
        ageing[which as usize].may_go(self.clock.now(), self.clock.state(), counted)
    }

    /// What a person should look at: more is late than a clock that is right explains.
    #[must_use]
    pub fn ageing_problems(&self) -> Vec<String> {
        let ageing = self.ageing.lock();
        let kinds = [
            (Aged::Incidents, "incidents"),
            (Aged::Clips, "clips"),
            (Aged::Pictures, "pictures"),
        ];
        let said = kinds
            .into_iter()
            .find_map(|(which, what)| ageing[which as usize].problem(what));
        said.into_iter().collect()
    }

    /// Ended incidents older than the retention whose files no younger incident shows; those that may go now, the oldest first.
    fn outlived(&self) -> Result<Vec<(IncidentId, String)>, OutboxError> {
        let cutoff = ageing::cutoff(self.clock.wall(), self.settings.retention);
        let (kept, mut old) = self.read(|db| {
            let kept: i64 = db
                .prepare_cached("SELECT count(*) FROM incidents")?
                .query_row([], |row| row.get(0))?;
            let mut select = db.prepare_cached(&format!(
                "SELECT id, prefix, kept_ms FROM incidents i WHERE kept_ms < ?1 AND ended = 1 AND {} AND NOT EXISTS (
                     SELECT 1 FROM objects o JOIN clip_uses u ON u.object = o.id JOIN incidents y ON y.id = u.incident
                     WHERE o.incident = i.id AND (y.kept_ms IS NULL OR y.kept_ms >= ?1))
                 ORDER BY kept_ms, id",
                not_held("?2")
            ))?;
            let rows = select.query_map([cutoff.0, self.held_after()], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    WallTime(row.get(2)?),
                ))
            })?;
            let mut found = Vec::new();
            for row in rows {
                let (id, prefix, since) = row?;
                found.extend(id.parse::<IncidentId>().map(|id| (id, prefix, since)));
            }
            Ok((kept, found))
        })?;
        let mut counted = Counted::of(old.iter().map(|(.., since)| *since), cutoff);
        counted.kept = usize::try_from(kept).unwrap_or(0);
        old.truncate(self.may_go(Aged::Incidents, counted));
        Ok(old
            .into_iter()
            .map(|(id, prefix, _)| (id, prefix))
            .collect())
    }

    /// Deletes files that are too old for their kind; their incidents stay.
    fn age_files(&self) -> Result<usize, OutboxError> {
        let (now, settings) = (self.clock.wall(), &self.settings);
        let mut stored = self.evictable(&self.state.lock())?;
        stored.sort_by_key(|stored| (stored.start, stored.incident));
        let mut gone = Vec::new();
        for (kind, which, retention) in [
            (Kept::Clip, Aged::Clips, settings.clips.retention),
            (Kept::Picture, Aged::Pictures, settings.pictures.retention),
        ] {
            let cutoff = ageing::cutoff(now, retention);
            let of_kind = || stored.iter().filter(|stored| stored.kept == kind);
            let counted = Counted::of(of_kind().map(|stored| stored.start), cutoff);
            let going = of_kind().take(self.may_go(which, counted));
            gone.extend(going.map(|stored| (stored.incident, stored.kept)));
        }
        self.evict(
            &gone,
            DeletedFor::Retention,
            "it was deleted before it could leave: it was too old for its kind",
        )
    }

    /// Deletes files until the quotas are met; alerts stay.
    fn shrink(&self) -> Result<usize, OutboxError> {
        let (excess, stored) = {
            let state = self.state.lock();
            let mut excess = self.excess(state.stored);
            if excess == Excess::default() {
                return Ok(0);
            }
            if excess.all > 0 {
                excess.all += self.settings.quota.0 / AHEAD;
            }
            (excess, self.evictable(&state)?)
        };
        let gone = self.evict(
            &evict(stored, excess),
            DeletedFor::Quota,
            "it was deleted before it could leave: the disk quota was reached",
        )?;
        match gone {
            0 => {}
            // Where they stay at home this is how it is meant.
            _ if !self.uploading() => {
                tracing::info!(
                    incidents = gone,
                    "clips were deleted to stay within the quota"
                );
            }
            _ => tracing::warn!(
                incidents = gone,
                "clips were deleted before their time to stay within outbox.quota"
            ),
        }
        Ok(gone)
    }

    /// Deletes the oldest alerts that have arrived at every receiver, as far as the quota of alerts asks for it. A receiver cannot ask for
    /// these again.
    fn trim_alerts(&self) -> Result<(), OutboxError> {
        let bytes: i64 = self.read(|db| {
            let sum = "SELECT coalesce(sum(length(facts)), 0) FROM alerts";
            Ok(db.prepare_cached(sum)?.query_row([], |row| row.get(0))?)
        })?;
        let mut excess = (bytes as u64).saturating_sub(self.settings.alert_quota.0);
        if excess == 0 {
            return Ok(());
        }
        let oldest: Vec<(String, i64, i64)> = self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT a.incident, a.seq, length(a.facts) FROM alerts a JOIN incidents i ON i.id = a.incident
                 WHERE i.ended = 1 AND NOT EXISTS (SELECT 1 FROM alert_delivery d WHERE d.incident = a.incident AND d.seq = a.seq
                     AND (d.waiting = 1 OR d.delivered_ms IS NULL))
                 ORDER BY i.start_ms, i.id, a.seq",
            )?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let mut gone = Vec::new();
        for row in oldest {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(row.2 as u64);
            gone.push(row);
        }
        self.write(|tx| {
            let mut delete = tx.db.prepare_cached(
                "DELETE FROM alerts WHERE incident = ?1 AND seq = ?2 AND NOT EXISTS (
                     SELECT 1 FROM alert_delivery d WHERE d.incident = ?1 AND d.seq = ?2 AND d.waiting = 1)",
            )?;
            for (incident, seq, _) in &gone {
                delete.execute(params![incident, seq])?;
            }
            Ok(())
        })?;
        tracing::info!(
            alerts = gone.len(),
            "delivered alerts were deleted to stay within outbox.alert_quota"
        );
        Ok(())
    }
}
