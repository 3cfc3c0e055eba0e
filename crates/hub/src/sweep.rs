//! What the hub deletes: incidents that are too old, and those of a site that takes more than its share of the quota.
//!
//! In: the index, the folder of the store, and whether the time is known. Out: less of both, always an incident as a whole, so
//! that nothing leaves the page while its clip stays. What the box in this program keeps, it deletes itself: here its rows follow.
//! What may go by age is the rule of [`crate::base::ageing`], the same as in
//! a box. It looks once an hour, and at once when an upload has exceeded the quota.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use super::{
    HubError,
    home::Home,
    house::House,
    index::Index,
    marks::{Marks, Which},
    parts::{Part, Parts},
    store::{self, Folder, Shares, Stored},
};
use crate::{
    base::{
        ageing::{self, Ageing, Counted},
        clock::Clock,
        reserve,
        tasks::Tasks,
    },
    flow::{ClockState, WallTime},
};

/// How often to look: each time all objects are looked at.
const EVERY: Duration = Duration::from_secs(3600);
/// The same while something did not work, or the reserve is not whole.
const SOON: Duration = Duration::from_secs(60);
/// A burst of uploads asks for one look, not for one each.
const BURST: Duration = Duration::from_secs(2);

/// What a sweep works with.
pub(super) struct Sweep {
    pub(super) dir: std::path::PathBuf,
    pub(super) retention: Duration,
    /// The store's folder, where it is the hub's own and works.
    pub(super) folder: Arc<OnceLock<Folder>>,
    pub(super) shares: Shares,
    pub(super) index: Arc<Index>,
    pub(super) marks: Marks,
    pub(super) house: House,
    /// The box in this program.
    pub(super) home: Option<Home>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) parts: Parts,
    pub(super) ageing: Ageing,
}

impl Sweep {
    /// Starts a thread that sweeps until `tasks` stop.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start(self, tasks: &Tasks) -> std::io::Result<()> {
        let (stop, runtime) = (tasks.token().clone(), tasks.runtime().clone());
        let mut sweep = self;
        tasks.thread("hub-sweep", move || {
            runtime.block_on(async {
                loop {
                    let again = sweep.sweep();
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = sweep.shares.exceeded() => tokio::time::sleep(BURST).await,
                        () = tokio::time::sleep(again) => {}
                    }
                }
            });
        })
    }

    /// Once; how soon to look again.
    fn sweep(&mut self) -> Duration {
        let whole = reserve::ROWS.keep(&self.dir);
        let done = self.once();
        let problem = match &done {
            Ok(_) => self.ageing.problem("incidents of the hub"),
            // Its part tells of it.
            Err(HubError::Closed(_)) => None,
            Err(error) => Some(format!(
                "the hub cannot delete what is too old or too much: {error}"
            )),
        };
        self.parts.set(Part::Sweep, problem);
        match done {
            Ok(gone) if gone > 0 => {
                tracing::info!(
                    incidents = gone,
                    "deleted: too old, or too much for the quota"
                );
            }
            _ => {}
        }
        if done.is_ok() && whole { EVERY } else { SOON }
    }

    /// The time, where it is known: the hub's clock is right as far as it knows, and the boxes do not say otherwise.
    fn now(&self) -> Option<WallTime> {
        let good =
            self.clock.state() == ClockState::Good && !self.house.doubts_our_clock(Instant::now());
        good.then(|| self.clock.wall())
    }

    fn once(&mut self) -> Result<usize, HubError> {
        let now = self.now();
        let folder = self.folder.get().cloned();
        let folder = folder.as_ref();
        let mut stored = match folder {
            Some(folder) => store::look(folder).map_err(HubError::Store)?,
            None => Vec::new(),
        };
        let there = self.at_home()?;
        if let (Some(home), Some(folder)) = (&self.home, folder) {
            let objects = home.evidence.objects();
            for copy in stored
                .iter_mut()
                .filter(|copy| there.contains(&which(copy)))
            {
                copy.leave_to(folder, objects).map_err(HubError::Store)?;
            }
            stored.retain(|stored| !stored.is_empty());
        }
        self.shares.counted(&stored);
        // What came after somebody had deleted its incident.
        let deleted = self.marks.deleted();
        let mut gone: BTreeSet<Which> = stored
            .iter()
            .map(which)
            .filter(|which| deleted.contains(which))
            .collect();
        let held = self.marks.held(now);
        let mut since: BTreeMap<Which, WallTime> = BTreeMap::new();
        if let (Some(now), Some(folder)) = (now, folder) {
            for stored in &mut stored {
                stored.settle(folder, now).map_err(HubError::Store)?;
            }
        }
        // Without the index nothing goes by age; the quota holds all the same.
        let ages = now.map_or(Ok(Vec::new()), |now| self.index.ages(now));
        let (ages, now, trouble) = match ages {
            Ok(ages) => (ages, now, None),
            Err(error) => (Vec::new(), None, Some(error)),
        };
        since.extend(
            ages.into_iter()
                .map(|kept| ((kept.site, kept.id), kept.since)),
        );
        for stored in &stored {
            let known = since.entry(which(stored)).or_insert(stored.changed);
            *known = (*known).max(stored.changed);
        }
        since.retain(|which, _| !held.contains(which) && !there.contains(which));
        if let Some(now) = now {
            gone.extend(self.too_old(&since, now));
        }
        let is_held = |stored: &&Stored| held.contains(&which(stored));
        let bytes_held: u64 = stored.iter().filter(is_held).map(|held| held.bytes).sum();
        let left: Vec<Stored> = stored
            .iter()
            .filter(|stored| !gone.contains(&which(stored)) && !is_held(stored))
            .cloned()
            .collect();
        let since = |stored: &Stored| since.get(&which(stored)).copied().unwrap_or(stored.changed);
        let too_much =
            store::too_much(&left, since, self.shares.quota().saturating_sub(bytes_held));
        gone.extend(too_much.into_iter().map(|place| which(&left[place])));
        if gone.is_empty() {
            return trouble.map_or(Ok(0), Err);
        }
        if let Some(folder) = folder {
            for stored in stored.iter().filter(|stored| gone.contains(&which(stored))) {
                stored.delete(folder).map_err(HubError::Store)?;
            }
            stored.retain(|stored| !gone.contains(&which(stored)));
            self.shares.counted(&stored);
        }
        // The box still has these: what went is an old copy.
        gone.retain(|which| !there.contains(which));
        self.index
            .forget(gone.iter().map(|(site, id)| (site, *id)))?;
        self.marks.forget(&gone).map_err(HubError::Store)?;
        trouble.map_or(Ok(gone.len()), Err)
    }

    /// Tells the box in this program what people want kept and deleted, and takes what it keeps off the quota. Returns the
    /// incidents that it has.
    fn at_home(&self) -> Result<BTreeSet<Which>, HubError> {
        let Some(home) = &self.home else {
            return Ok(BTreeSet::new());
        };
        home.hold(&self.marks)?;
        let mut there = home.incidents()?;
        home.delete_marked(&self.marks, &mut there)?;
        self.shares.taken_at_home(home.evidence.stored());
        let there = there.into_iter().map(|id| (home.site.clone(), id));
        Ok(there.collect())
    }

    /// What goes by age now.
    fn too_old(&mut self, since: &BTreeMap<Which, WallTime>, now: WallTime) -> Vec<Which> {
        let cutoff = ageing::cutoff(now, self.retention);
        let counted = Counted::of(since.values().copied(), cutoff);
        let may = self
            .ageing
            .may_go(self.clock.now(), ClockState::Good, counted);
        let mut oldest: Vec<_> = since.iter().map(|(which, since)| (*since, which)).collect();
        oldest.sort_unstable();
        let going = oldest.into_iter().take(may);
        going.map(|(_, which)| which.clone()).collect()
    }
}

fn which(stored: &Stored) -> Which {
    (stored.site.clone(), stored.incident)
}

#[cfg(test)]
mod tests;
