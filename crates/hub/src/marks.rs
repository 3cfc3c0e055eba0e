//! What people have said of incidents: that one is kept longer, that one was a false alarm, that one is deleted.
//!
//! In: requests of the page. Out: what the retention must leave, what the page says of an incident, and which incidents never
//! come back. One small file for each incident, flushed, beside the index and not in it: an index that is lost takes nothing of
//! this along. A file that cannot be read counts as kept, so that its incident is not lost as well. Nothing here deletes objects.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{
    base::durable,
    flow::{IncidentId, SiteId, WallTime},
};

/// Incidents that something may be said of. Beyond it the oldest deletions are forgotten, and then nothing more is taken in.
const MOST: usize = 10_000;
/// Longest file that is read.
const LONGEST: u64 = 16 * 1024;

/// An incident, wherever something of it is. A site may use any id.
pub(super) type Which = (SiteId, IncidentId);

/// Who said it, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) by: String,
    pub(super) at: WallTime,
}

/// That an incident is kept longer than the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keep {
    pub(super) reason: String,
    /// None only where the file could not be read: until somebody ends it.
    pub(super) until: Option<WallTime>,
    pub(super) by: String,
    pub(super) at: WallTime,
}

/// What was said of one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    #[serde(default)]
    pub(super) kept: Option<Keep>,
    #[serde(default)]
    pub(super) false_alarm: Option<Said>,
    #[serde(default)]
    pub(super) deleted: Option<Said>,
}

impl Mark {
    /// Whether it must not be deleted at `now`; without a clock that is right, whatever is kept.
    fn holds(&self, now: Option<WallTime>) -> bool {
        self.kept.as_ref().is_some_and(|kept| {
            let over = kept.until.zip(now).is_some_and(|(until, now)| now >= until);
            !over
        })
    }
}

/// There is no room for one more.
#[derive(Debug)]
pub(super) struct Full;

/// All that was said. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    dir: Arc<Path>,
    known: Arc<Mutex<BTreeMap<Which, Mark>>>,
}

impl Marks {
    /// What lies in the folder `dir`, made where there is none.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub(super) fn load(dir: &Path) -> io::Result<Self> {
        durable::make_dir(dir)?;
        durable::remove_unfinished(dir);
        let mut known = BTreeMap::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let Some(which) = which(&path) else { continue };
            let mark = read(&path).unwrap_or_else(|error| {
                tracing::warn!(file = %path.display(), "{error}: its incident is kept until somebody ends that on the page");
                unreadable()
            });
            known.insert(which, mark);
        }
        Ok(Self {
            dir: dir.into(),
            known: Arc::new(Mutex::new(known)),
        })
    }

    fn path(&self, (site, id): &Which) -> PathBuf {
        self.dir.join(format!("{site}.{id}.json"))
    }

    /// What was said of an incident.
    pub(super) fn of(&self, which: &Which) -> Mark {
        self.known.lock().get(which).cloned().unwrap_or_default()
    }

    /// Has `change` say something of an incident: what is said of it now. It is on the disk when this returns. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written. Then nothing has changed.
    pub(super) fn change(
        &self,
        which: &Which,
        change: impl FnOnce(&mut Mark),
    ) -> io::Result<Result<Mark, Full>> {
        let mut known = self.known.lock();
        let mut mark = known.get(which).cloned().unwrap_or_default();
        change(&mut mark);
        if mark == Mark::default() {
            self.remove(which)?;
            known.remove(which);
            return Ok(Ok(mark));
        }
        if !known.contains_key(which) && known.len() >= MOST {
            let Some(oldest) = oldest_deletion(&known) else {
                return Ok(Err(Full));
            };
            self.remove(&oldest)?;
            known.remove(&oldest);
        }
        let json = serde_json::to_vec(&mark).map_err(io::Error::other)?;
        durable::write(&self.path(which), &json)?;
        known.insert(which.clone(), mark.clone());
        Ok(Ok(mark))
    }

    /// Incidents that must not be deleted at `now`; none: the clock is not known to be right.
    pub(super) fn held(&self, now: Option<WallTime>) -> BTreeSet<Which> {
        let known = self.known.lock();
        let held = known.iter().filter(|(_, mark)| mark.holds(now));
        held.map(|(which, _)| which.clone()).collect()
    }

    /// Incidents that somebody has deleted.
    pub(super) fn deleted(&self) -> BTreeSet<Which> {
        let known = self.known.lock();
        let deleted = known.iter().filter(|(_, mark)| mark.deleted.is_some());
        deleted.map(|(which, _)| which.clone()).collect()
    }

    /// Everything that was said, by incident.
    pub(super) fn all(&self) -> Vec<(Which, Mark)> {
        let known = self.known.lock();
        let all = known.iter();
        all.map(|(which, mark)| (which.clone(), mark.clone()))
            .collect()
    }

    /// Incidents that are gone by age or quota: what was said of them goes too, but that one was deleted stays. Blocks.
    ///
    /// # Errors
    /// When a file cannot be deleted.
    pub(super) fn forget<'a>(&self, gone: impl IntoIterator<Item = &'a Which>) -> io::Result<()> {
        let mut known = self.known.lock();
        for which in gone {
            if known.get(which).is_some_and(|mark| mark.deleted.is_none()) {
                self.remove(which)?;
                known.remove(which);
            }
        }
        Ok(())
    }

    fn remove(&self, which: &Which) -> io::Result<()> {
        match fs::remove_file(self.path(which)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => durable::flush_dir(&self.dir),
        }
    }
}

/// Whose file `path` is.
fn which(path: &Path) -> Option<Which> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
    let (site, id) = name.split_once('.')?;
    Some((site.parse().ok()?, id.parse().ok()?))
}

fn read(path: &Path) -> io::Result<Mark> {
    if fs::metadata(path)?.len() > LONGEST {
        return Err(io::Error::other("the file is too long"));
    }
    serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
}

fn unreadable() -> Mark {
    Mark {
        kept: Some(Keep {
            reason: String::new(),
            until: None,
            by: String::new(),
            at: WallTime(0),
        }),
        ..Mark::default()
    }
}

fn oldest_deletion(known: &BTreeMap<Which, Mark>) -> Option<Which> {
    let deleted = known
        .iter()
        .filter_map(|(which, mark)| Some((mark.deleted.as_ref()?.at, which)));
    deleted.min().map(|(_, which)| which.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(n: u32) -> Which {
        let id = format!("01990000-0000-7000-8000-{n:012}");
        ("home".parse().unwrap(), id.parse().unwrap())
    }

    fn keep(until: i64) -> Option<Keep> {
        Some(Keep {
            reason: "parcel taken".to_owned(),
            until: Some(WallTime(until)),
            by: "anna".to_owned(),
            at: WallTime(1),
        })
    }

    fn said(at: i64) -> Option<Said> {
        Some(Said {
            by: "anna".to_owned(),
            at: WallTime(at),
        })
    }

    #[test]
    fn what_is_kept_is_held_until_its_end_and_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let marks = Marks::load(dir.path()).unwrap();
        let kept = marks.change(&which(1), |mark| mark.kept = keep(100));
        assert_eq!(kept.unwrap().unwrap().kept, keep(100));
        let again = Marks::load(dir.path()).unwrap();
        assert_eq!(again.of(&which(1)).kept, keep(100));
        assert!(again.held(Some(WallTime(99))).contains(&which(1)));
        assert!(again.held(Some(WallTime(100))).is_empty());
        // A clock that nobody trusts ends nothing.
        assert!(again.held(None).contains(&which(1)));
        again
            .change(&which(1), |mark| mark.kept = None)
            .unwrap()
            .unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_read_holds_its_incident() {
        let dir = tempfile::tempdir().unwrap();
        let marks = Marks::load(dir.path()).unwrap();
        fs::write(marks.path(&which(1)), b"rubbish").unwrap();
        fs::write(marks.path(&which(2)), vec![b' '; 20_000]).unwrap();
        fs::write(dir.path().join("notes.txt"), b"not ours").unwrap();
        let again = Marks::load(dir.path()).unwrap();
        assert_eq!(again.held(Some(WallTime(i64::MAX))).len(), 2);
    }

    #[test]
    fn a_deletion_outlives_its_incident_and_the_rest_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let marks = Marks::load(dir.path()).unwrap();
        marks
            .change(&which(1), |mark| mark.false_alarm = said(1))
            .unwrap()
            .unwrap();
        marks
            .change(&which(2), |mark| mark.deleted = said(1))
            .unwrap()
            .unwrap();
        marks.forget(&[which(1), which(2), which(3)]).unwrap();
        let again = Marks::load(dir.path()).unwrap();
        assert_eq!(again.of(&which(1)), Mark::default());
        assert_eq!(again.deleted(), BTreeSet::from([which(2)]));
    }

    #[test]
    fn there_is_an_end_and_old_deletions_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let marks = Marks::load(dir.path()).unwrap();
        {
            let mut known = marks.known.lock();
            for n in 0..MOST as u32 {
                let mark = Mark {
                    deleted: (n < 2).then(|| said(i64::from(9 - n)).unwrap()),
                    false_alarm: said(1),
                    ..Mark::default()
                };
                known.insert(which(n), mark);
            }
        }
        let more = |n: u32| marks.change(&which(n), |mark| mark.kept = keep(5)).unwrap();
        assert!(more(20_000).is_ok());
        assert!(marks.deleted().contains(&which(0)), "the older one went");
        assert!(more(20_001).is_ok());
        assert!(more(20_002).is_err());
        assert!(more(5).is_ok(), "what is known already can change");
    }
}
