//! What lies in the folder, and how much of it each site may have.
//!
//! In: the folder, and each upload. Out: incidents with their bytes and age, those that are too much, and whether an upload
//! has to wait. The quota is shared equally. A site may take what others leave, but once the whole is too much, who takes most
//! loses its own oldest incidents first: nobody can push another site's clips out. Segments that a later incident shares lie in
//! the folder of the first one and go with it; a playlist that names them then has a gap.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Folder;
use crate::{
    base::ageing::{EARLIEST, newest},
    flow::{CameraId, IncidentId, SiteId, WallTime},
    wire::{Item, ObjectKey},
};

/// Keys looked at in one go.
const PAGE: usize = 1000;
/// So much of the quota is freed beyond what is needed, so that not every upload has to look for room.
const AHEAD: u64 = 50;
/// With so much above the quota a site that has more than its share waits.
const ABOVE: u64 = 20;

/// An incident in the folder. An incident's id is told apart by its site: a site may use any.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) site: SiteId,
    pub(crate) incident: IncidentId,
    /// When it last got something, by the clock of that time.
    pub(crate) changed: WallTime,
    pub(crate) bytes: u64,
    keys: Vec<ObjectKey>,
}

impl Stored {
    /// Whether nothing of it is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Deletes it.
    pub(crate) fn delete(&self, folder: &Folder) -> io::Result<()> {
        self.keys.iter().try_for_each(|key| folder.delete(key))
    }

    /// Deletes the objects that lie under the same key and as long in `other`, and what only describes them once all of these are
    /// gone. An earlier version had both.
    pub(crate) fn leave_to(&mut self, folder: &Folder, other: &Path) -> io::Result<()> {
        let mut left = Vec::new();
        for key in std::mem::take(&mut self.keys) {
            let bytes = folder.facts(&key)?.map_or(0, |facts| facts.bytes);
            let is_made = matches!(key.item, Item::Playlist(_) | Item::Facts);
            let there = || fs::metadata(other.join(key.to_string())).map(|file| file.len());
            if !is_made && there().is_ok_and(|length| length == bytes) {
                folder.delete(&key)?;
                self.bytes = self.bytes.saturating_sub(bytes);
            } else {
                left.push((key, is_made));
            }
        }
        if left.iter().all(|(_, is_made)| *is_made) {
            for (key, _) in left.drain(..) {
                folder.delete(&key)?;
            }
            self.bytes = 0;
        }
        self.keys = left.into_iter().map(|(key, _)| key).collect();
        Ok(())
    }

    /// Sets a time that cannot be, because the clock was wrong, to `now`.
    pub(crate) fn settle(&mut self, folder: &Folder, now: WallTime) -> io::Result<()> {
        if (EARLIEST..=newest(now)).contains(&self.changed) {
            return Ok(());
        }
        self.changed = now;
        let at = UNIX_EPOCH + Duration::from_millis(now.0.unsigned_abs());
        self.keys.iter().try_for_each(|key| folder.touch(key, at))
    }
}

/// Everything in the folder.
pub(crate) fn look(folder: &Folder) -> io::Result<Vec<Stored>> {
    let mut incidents: BTreeMap<(SiteId, IncidentId), Stored> = BTreeMap::new();
    let (mut after, mut more) = (String::new(), true);
    while more {
        let (keys, rest) = folder.list("v1/", &after, PAGE)?;
        for key in keys {
            after = key.to_string();
            let Some(facts) = folder.facts(&key)? else {
                continue;
            };
            let whose = (key.site.clone(), key.incident);
            let stored = incidents.entry(whose).or_insert_with(|| Stored {
                site: key.site.clone(),
                incident: key.incident,
                changed: WallTime(i64::MIN),
                bytes: 0,
                keys: Vec::new(),
            });
            stored.changed = stored.changed.max(wall(facts.changed));
            stored.bytes += facts.bytes;
            stored.keys.push(key);
        }
        more = rest;
    }
    Ok(incidents.into_values().collect())
}

/// Deletes what there is of one incident; how many objects that were. Blocks.
///
/// # Errors
/// When the folder cannot be listed, or an object cannot be deleted.
pub(crate) fn delete(
    folder: &Folder,
    site: &SiteId,
    camera: &CameraId,
    incident: IncidentId,
) -> io::Result<usize> {
    let prefix = format!("v1/{site}/{camera}/");
    let (mut after, mut more, mut deleted) = (String::new(), true, 0);
    while more {
        let (keys, rest) = folder.list(&prefix, &after, PAGE)?;
        for key in keys {
            after = key.to_string();
            if key.incident == incident {
                folder.delete(&key)?;
                deleted += 1;
            }
        }
        more = rest;
    }
    Ok(deleted)
}

fn wall(at: SystemTime) -> WallTime {
    let ms = |since: Duration| i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    WallTime(match at.duration_since(UNIX_EPOCH) {
        Ok(since) => ms(since),
        Err(before) => -ms(before.duration()),
    })
}

/// Which of `stored` go so that the rest fits `quota`, by their place: of the site that has most, the oldest; again and again.
/// `since`: when each counts as kept. Pure.
pub(crate) fn too_much(
    stored: &[Stored],
    since: impl Fn(&Stored) -> WallTime,
    quota: u64,
) -> Vec<usize> {
    let mut total: u64 = stored.iter().map(|stored| stored.bytes).sum();
    if total <= quota {
        return Vec::new();
    }
    let enough = quota - quota / AHEAD;
    let mut sites: BTreeMap<&SiteId, (u64, Vec<usize>)> = BTreeMap::new();
    for (place, stored) in stored.iter().enumerate() {
        let (bytes, places) = sites.entry(&stored.site).or_default();
        *bytes += stored.bytes;
        places.push(place);
    }
    // The oldest last, to be taken off.
    for (_, places) in sites.values_mut() {
        places.sort_by_key(|place| std::cmp::Reverse((since(&stored[*place]), *place)));
    }
    let mut gone = Vec::new();
    while total > enough
        && let Some((bytes, places)) = sites.values_mut().max_by_key(|(bytes, _)| *bytes)
        && let Some(place) = places.pop()
    {
        *bytes -= stored[place].bytes;
        total -= stored[place].bytes;
        gone.push(place);
    }
    gone
}

/// What each site has, as far as is known between two looks at the folder. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shares {
    quota: u64,
    sites: u64,
    /// What the box in this program keeps beside the folder.
    at_home: Arc<AtomicU64>,
    used: Arc<Mutex<BTreeMap<SiteId, u64>>>,
    exceeded: Arc<Notify>,
}

impl Shares {
    /// `quota` bytes for `sites` sites; nothing is known of the folder yet.
    pub(crate) fn new(quota: u64, sites: usize) -> Self {
        Self {
            quota,
            sites: (sites as u64).max(1),
            at_home: Arc::default(),
            used: Arc::default(),
            exceeded: Arc::default(),
        }
    }

    /// What lies in the folder.
    pub(crate) fn counted(&self, stored: &[Stored]) {
        let mut used: BTreeMap<SiteId, u64> = BTreeMap::new();
        for stored in stored {
            *used.entry(stored.site.clone()).or_default() += stored.bytes;
        }
        *self.used.lock() = used;
    }

    /// `site` has uploaded `bytes`. Asks for a look at the folder where the whole is too much.
    pub(crate) fn grew(&self, site: &SiteId, bytes: u64) {
        let mut used = self.used.lock();
        *used.entry(site.clone()).or_default() += bytes;
        if used.values().sum::<u64>() > self.quota() {
            self.exceeded.notify_one();
        }
    }

    /// Whether `site` may upload now: not while the whole is far too much and the site has more than its share.
    pub(crate) fn may_grow(&self, site: &SiteId) -> bool {
        let used = self.used.lock();
        let total: u64 = used.values().sum();
        let own = used.get(site).copied().unwrap_or_default();
        let quota = self.quota();
        let may = total <= quota.saturating_add(quota / ABOVE) || own <= self.quota / self.sites;
        if !may {
            self.exceeded.notify_one();
        }
        may
    }

    /// The box in this program keeps `bytes` itself. Of those only as much counts as does not take the share of others.
    pub(crate) fn taken_at_home(&self, bytes: u64) {
        let most = match self.sites {
            1 => self.quota,
            sites => self.quota / sites,
        };
        self.at_home.store(bytes.min(most), Ordering::Relaxed);
    }

    /// What there may be in the folder.
    pub(crate) fn quota(&self) -> u64 {
        let at_home = self.at_home.load(Ordering::Relaxed);
        self.quota.saturating_sub(at_home)
    }

    /// Completes when the whole has become too much.
    pub(crate) async fn exceeded(&self) {
        self.exceeded.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn site(name: &str) -> SiteId {
        name.parse().unwrap()
    }

    fn stored(whose: &str, which: u8, bytes: u64) -> Stored {
        Stored {
            site: site(whose),
            incident: format!("01990000-0000-7000-8000-000000000{which:03}")
                .parse()
                .unwrap(),
            changed: WallTime(i64::from(which)),
            bytes,
            keys: Vec::new(),
        }
    }

    #[test]
    fn who_takes_most_loses_its_own_oldest() {
        let all: Vec<_> = (0..3)
            .map(|which| stored("home", which, 500_000))
            .chain((10..12).map(|which| stored("annex", which, 60_000_000)))
            .collect();
        let gone = too_much(&all, |stored| stored.changed, 100_000_000);
        let gone: Vec<_> = gone.iter().map(|place| &all[*place]).collect();
        assert_eq!(gone.len(), 1);
        assert_eq!((gone[0].site.as_str(), gone[0].changed.0), ("annex", 10));
    }

    proptest! {
        #[test]
        fn nobody_within_its_share_loses_anything(
            sizes in proptest::collection::vec((0usize..4, 1u64..100), 1..60),
            quota in 1u64..3000,
        ) {
            let names = ["a", "b", "c", "d"];
            let all: Vec<_> = (0u8..).zip(&sizes).map(|(at, (whose, bytes))| stored(names[*whose], at, *bytes)).collect();
            let gone = too_much(&all, |stored| stored.changed, quota);
            let left: u64 = all.iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, s)| s.bytes).sum();
            prop_assert!(left <= quota);
            for name in names {
                let own: Vec<_> = all.iter().enumerate().filter(|(_, s)| s.site.as_str() == name).collect();
                let bytes: u64 = own.iter().map(|(_, s)| s.bytes).sum();
                let lost: Vec<_> = own.iter().map(|(at, _)| gone.contains(at)).collect();
                prop_assert!(bytes > (quota - quota / AHEAD) / 4 || !lost.contains(&true), "{name} had {bytes}");
                prop_assert!(lost.is_sorted_by(|a, b| a >= b), "the oldest first");
            }
        }
    }

    #[tokio::test]
    async fn an_upload_beyond_the_quota_is_noticed_at_once_and_one_far_beyond_waits() {
        let shares = Shares::new(1000, 2);
        shares.counted(&[stored("home", 1, 400)]);
        shares.grew(&site("annex"), 550);
        assert!(shares.may_grow(&site("annex")), "what others leave is free");
        shares.grew(&site("annex"), 60);
        shares.exceeded().await;
        shares.grew(&site("annex"), 100);
        assert!(!shares.may_grow(&site("annex")));
        assert!(shares.may_grow(&site("home")), "it has less than its share");
    }

    #[test]
    fn times_that_cannot_be_are_set_right_and_whose_it_is_counts() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let id = "01990000-0000-7000-8000-000000000001";
        let now = SystemTime::now();
        for (whose, changed) in [
            ("home", UNIX_EPOCH + Duration::from_secs(5000)),
            ("annex", now + Duration::from_secs(10 * 365 * 86_400)),
            ("barn", now - Duration::from_secs(3600)),
        ] {
            let path = dir
                .path()
                .join(format!("v1/{whose}/door/2026-02-01/{id}/thumb.jpg"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, b"x").unwrap();
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(changed).unwrap();
        }
        let mut all = look(&folder).unwrap();
        assert_eq!(all.len(), 3, "one for each site");
        let now = wall(now);
        for stored in &mut all {
            stored.settle(&folder, now).unwrap();
        }
        for stored in look(&folder).unwrap() {
            let age = now.0 - stored.changed.0;
            let expected = if stored.site.as_str() == "barn" {
                3_600_000
            } else {
                0
            };
            assert!((age - expected).abs() < 2000, "{stored:?}");
        }
        all[0].delete(&folder).unwrap();
        assert_eq!(look(&folder).unwrap().len(), 2);
    }
}
