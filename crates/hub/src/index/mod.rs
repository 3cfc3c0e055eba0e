//! What the hub knows of incidents: one row for each, with its newest message, and which numbers of each site have arrived.
//!
//! In: messages from the broker, or `incident.json` files where the index was lost. Out: pages of incidents, and which
//! numbers are missing. The bucket is the truth: this file can be deleted, and is made again when it is damaged.
//!
//! A box may have no clock. An incident's place in the list (`at_ms`) is therefore when it began only where that can be
//! true, else when it was heard of; and it counts as kept since `kept_ms`, which waits for a right clock.

mod list;
mod numbers;
mod schema;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::tz::TimeZone;
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, params};

pub(super) use list::{Cursor, Filter};
pub(super) use numbers::Missing;

use super::{HubError, database::Database, marks::Marks};
use crate::{
    base::{
        ageing::{kept_since, newest},
        clock::Clock,
        log_throttle::LogThrottle,
        sqlite::Safety,
    },
    flow::{ClockState, IncidentId, SiteId, WallTime},
    wire::IncidentMessage,
};

/// The file's name in the hub's folder.
pub(super) const FILE: &str = "index.db";
/// Most bytes of messages of one site: some fifty thousand incidents. Beyond it the site's own oldest rows go.
const MOST_BYTES: u64 = 64_000_000;
/// A row takes this much beside its message.
const ROW: u64 = 200;
/// When a site has too much, this part of its rows goes at once.
const TRIM: u64 = 20;
/// Rows that cannot be read are told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// An incident, and since when it counts as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) id: IncidentId,
    pub(super) site: SiteId,
    pub(super) since: WallTime,
}

/// The index.
pub(super) struct Index {
    database: Database,
    zone: TimeZone,
    clock: Arc<dyn Clock>,
    /// Bytes of each site.
    sizes: Mutex<BTreeMap<String, u64>>,
    most_bytes: u64,
    /// Counts how often it began empty.
    generation: AtomicU64,
    unreadable: LogThrottle,
    /// A message about a deleted incident is ignored, and a kept one stays in the list.
    marks: Marks,
}

impl Index {
    /// The index in `dir`, not open yet. Days are those of `zone`.
    pub(super) fn closed(dir: &Path, zone: TimeZone, clock: Arc<dyn Clock>, marks: Marks) -> Self {
        Self {
            database: Database::closed(dir, FILE, &schema::STEPS, Safety::Normal),
            zone,
            clock,
            sizes: Mutex::default(),
            most_bytes: MOST_BYTES,
            generation: AtomicU64::new(0),
            unreadable: LogThrottle::new(TELL_EVERY),
            marks,
        }
    }

    /// Opens the index in `dir`, empty where there is none. True until it has been [filled](Self::filled).
    ///
    /// # Errors
    /// When the database cannot be opened, is damaged, or of a newer program.
    #[cfg(test)]
    pub(super) fn open(dir: &Path, zone: TimeZone) -> Result<(Self, bool), HubError> {
        let clock = crate::base::clock::SystemClock::start();
        let marks = Marks::load(&dir.join("marks")).map_err(HubError::Store)?;
        let index = Self::closed(dir, zone, clock, marks);
        let fresh = index.begin()?;
        Ok((index, fresh))
    }

    /// Opens the file, empty where there is none. True until it has been [filled](Self::filled).
    ///
    /// # Errors
    /// When the database cannot be opened, is damaged, or of a newer program.
    pub(super) fn begin(&self) -> Result<bool, HubError> {
        self.database.open()?;
        let (filled, sizes) = self.database.read(|db| {
            let filled: Option<String> = schema::setting(db, schema::FILLED)?;
            Ok((filled.is_some(), sizes(db)?))
        })?;
        *self.sizes.lock() = sizes;
        if !filled {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
        Ok(!filled)
    }

    /// Opens the file; one that is damaged is renamed, and an empty one takes its place: the new name, and true until it has
    /// been [filled](Self::filled).
    ///
    /// # Errors
    /// When the database cannot be opened or made.
    pub(super) fn begin_or_renew(&self) -> Result<(Option<PathBuf>, bool), HubError> {
        match self.begin() {
            Err(HubError::Damaged { .. }) => {
                self.renew().map(|(aside, fresh)| (Some(aside), fresh))
            }
            other => other.map(|fresh| (None, fresh)),
        }
    }

    /// Closes the file, as if it were damaged.
    #[cfg(test)]
    pub(super) fn set_aside_for_test(&self) {
        self.database.set_aside().unwrap();
    }

    /// Renames the damaged file and begins with an empty one.
    ///
    /// # Errors
    /// When the database cannot be renamed or made.
    pub(super) fn renew(&self) -> Result<(PathBuf, bool), HubError> {
        let aside = self.database.set_aside()?;
        Ok((aside, self.begin()?))
    }

    /// Completes when somebody has found the file damaged.
    pub(super) async fn is_damaged(&self) {
        self.database.is_damaged().await;
    }

    /// Changes when what was known of numbers was lost.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// All that the store held when it was made is in it.
    pub(super) fn filled(&self) -> Result<(), HubError> {
        self.database
            .write(|changes| Ok(schema::set(changes, schema::FILLED, "1")?))
    }

    /// This moment, where it is known.
    fn sure_now(&self) -> Option<WallTime> {
        (self.clock.state() == ClockState::Good).then(|| self.clock.wall())
    }

    /// Takes a message in; true when it is news, false when a newer one is there already.
    pub(super) fn take(&self, message: &IncidentMessage) -> Result<bool, HubError> {
        let json = String::from_utf8_lossy(&message.to_json()).into_owned();
        let good = message.clock == ClockState::Good;
        let kept = kept_since(message.start, good, self.sure_now());
        // Without any right clock: what the box says last, else what we believe.
        let at = kept
            .or_else(|| kept_since(message.sent, true, None))
            .unwrap_or_else(|| self.clock.wall());
        let which = (message.site.clone(), message.id);
        let deleted = self.marks.of(&which).deleted.is_some();
        let news = self.database.write(|changes| {
            // Its number has arrived all the same.
            let news = !deleted && changes
                .prepare_cached(
                    "INSERT INTO incidents (id, site, camera, start_ms, at_ms, kept_ms, seq, message)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, message = excluded.message
                     WHERE excluded.seq > incidents.seq AND excluded.site = incidents.site",
                )?
                .execute(params![
                    message.id.to_string(),
                    message.site.as_str(),
                    message.camera.as_str(),
                    message.start.0,
                    at.0,
                    kept.map(|kept| kept.0),
                    message.seq,
                    json,
                ])?
                > 0;
            if let Some(n) = message.n {
                numbers::arrived(changes, &message.site, n)?;
            }
            Ok(news)
        })?;
        if news {
            self.weigh(&message.site, json.len() as u64 + ROW)?;
        }
        Ok(news)
    }

    /// Counts bytes of `site`; where they are too many, its own oldest rows go, except those that are kept. A row that was replaced counts twice until the
    /// next count.
    fn weigh(&self, site: &SiteId, bytes: u64) -> Result<(), HubError> {
        let mut sizes = self.sizes.lock();
        let size = sizes.entry(site.to_string()).or_default();
        *size += bytes;
        if *size <= self.most_bytes {
            return Ok(());
        }
        let held = self.marks.held(self.sure_now());
        let held: Vec<_> = held
            .iter()
            .filter(|(of, _)| of == site)
            .map(|(_, id)| id.to_string())
            .collect();
        let gone = self
            .database
            .write(|changes| trim(changes, site, self.most_bytes, &held))?;
        *size = self.database.read(|db| size_of(db, site))?;
        if gone > 0 {
            tracing::warn!(%site, incidents = gone, "the site has told of more incidents than the index keeps for one site: its oldest left the list");
        }
        Ok(())
    }

    /// Every incident, and since when it counts as kept. Times that cannot be are set to this moment, so only with a clock that is
    /// right.
    pub(super) fn ages(&self, now: WallTime) -> Result<Vec<Kept>, HubError> {
        self.database.write(|changes| {
            changes.execute(
                "UPDATE incidents SET kept_ms = ?1 WHERE kept_ms IS NULL OR kept_ms > ?2",
                [now.0, newest(now).0],
            )?;
            changes.execute(
                "UPDATE incidents SET at_ms = kept_ms WHERE at_ms > ?1",
                [newest(now).0],
            )?;
            Ok(())
        })?;
        self.database.read(|db| {
            let mut rows = db.prepare_cached("SELECT id, site, kept_ms FROM incidents")?;
            let rows = rows.query_map([], |row| {
                let (id, site, since): (String, String, i64) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((id, site, since))
            })?;
            let mut kept = Vec::new();
            for row in rows {
                let (id, site, since) = row?;
                if let (Ok(id), Ok(site)) = (id.parse(), site.parse()) {
                    let since = WallTime(since);
                    kept.push(Kept { id, site, since });
                }
            }
            Ok(kept)
        })
    }

    /// Forgets `gone`, whose objects have been deleted.
    pub(super) fn forget<'a>(
        &self,
        gone: impl IntoIterator<Item = (&'a SiteId, IncidentId)> + Clone,
    ) -> Result<(), HubError> {
        self.database.write(|changes| {
            let mut delete =
                changes.prepare_cached("DELETE FROM incidents WHERE id = ?1 AND site = ?2")?;
            for (site, id) in gone.clone() {
                delete.execute(params![id.to_string(), site.as_str()])?;
            }
            Ok(())
        })?;
        *self.sizes.lock() = self.database.read(sizes)?;
        Ok(())
    }

    /// What `site` is to be asked for now: what was missed, and everything after the highest number.
    pub(super) fn missing(&self, site: &SiteId) -> Result<Vec<Missing>, HubError> {
        self.database.read(|db| numbers::missing(db, site))
    }

    /// The highest number of `site` that is known; 0 before the first.
    pub(super) fn highest(&self, site: &SiteId) -> Result<u64, HubError> {
        self.database.read(|db| numbers::highest(db, site))
    }

    /// `site` has been asked for `missing`. True when that was once too often, and it is given up.
    pub(super) fn asked(&self, site: &SiteId, missing: Missing) -> Result<bool, HubError> {
        self.database
            .write(|changes| numbers::asked(changes, site, missing))
    }
}

fn sizes(db: &Connection) -> Result<BTreeMap<String, u64>, HubError> {
    let mut rows = db.prepare_cached(
        "SELECT site, sum(length(message)), count(*) FROM incidents GROUP BY site",
    )?;
    let sizes = rows.query_map([], |row| {
        let (site, bytes, count): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((site, bytes.unsigned_abs() + count.unsigned_abs() * ROW))
    })?;
    Ok(sizes.collect::<Result<_, _>>()?)
}

fn size_of(db: &Connection, site: &SiteId) -> Result<u64, HubError> {
    let (bytes, count): (i64, i64) = db
        .prepare_cached(
            "SELECT coalesce(sum(length(message)), 0), count(*) FROM incidents WHERE site = ?1",
        )?
        .query_row([site.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(bytes.unsigned_abs() + count.unsigned_abs() * ROW)
}

/// Deletes the oldest rows of `site` but those of `held` where they take more than `most`; how many.
fn trim(
    changes: &Transaction<'_>,
    site: &SiteId,
    most: u64,
    held: &[String],
) -> Result<usize, HubError> {
    if size_of(changes, site)? <= most {
        return Ok(0);
    }
    let count: i64 = changes.query_row(
        "SELECT count(*) FROM incidents WHERE site = ?1",
        [site.as_str()],
        |row| row.get(0),
    )?;
    let going = count.unsigned_abs().div_ceil(TRIM);
    Ok(changes.execute(
        "DELETE FROM incidents WHERE id IN (
             SELECT id FROM incidents WHERE site = ?1 AND id NOT IN (SELECT value FROM json_each(?3))
             ORDER BY at_ms, id LIMIT ?2)",
        params![site.as_str(), going as i64, serde_json::json!(held).to_string()],
    )?)
}

#[cfg(test)]
mod tests;
