//! What is deleted, and when: by age, by each camera's quota, and where the disk is nearly full.
//!
//! By age goes what [`ageing`](crate::base::ageing) allows: nothing while the clock is not known to be right. For room the oldest
//! goes first, of whichever camera. What is being written stays.

use std::{collections::BTreeMap, fs, time::Duration};

use super::{
    Inner, Policy,
    index::{Entry, Files, wall},
    place::{self, Key},
};
use crate::{
    base::{
        ageing::{self, Ageing, Counted},
        reserve::free_bytes,
    },
    flow::{CameraId, ClockState, WallTime},
};

/// How long recordings stay of a camera that is not recorded any more.
const ABANDONED: Duration = Duration::from_secs(7 * 24 * 3600);

/// How much has gone by age of each camera.
#[derive(Default)]
pub(super) struct Sweep(BTreeMap<CameraId, Ageing>);

impl Sweep {
    /// Deletes what must go now.
    pub(super) fn run(&mut self, inner: &Inner) {
        let (now, state) = (inner.clock.now(), inner.clock.state());
        let today = (state == ClockState::Good).then(|| inner.clock.wall());
        let mut going: Vec<(CameraId, Key)> = Vec::new();
        let mut problems = Vec::new();
        {
            let (policies, mut index) = (inner.policies.lock(), inner.index.lock());
            for (camera, files) in &mut index.0 {
                let policy = policies.get(camera);
                let ageing = self.0.entry(camera.clone()).or_default();
                if let Some(today) = today {
                    let keep = policy.and_then(Policy::keep).unwrap_or(ABANDONED);
                    let cutoff = ageing::cutoff(today, keep);
                    let since: Vec<(Key, WallTime)> = files
                        .iter_mut()
                        .filter(|(_, file)| file.open.is_none())
                        .map(|(key, file)| (*key, kept_since(file, today)))
                        .collect();
                    let counted = Counted::of(since.iter().map(|(_, since)| *since), cutoff);
                    let count = ageing.may_go(now, state, counted);
                    let due = since.iter().filter(|(_, since)| *since < cutoff);
                    going.extend(due.take(count).map(|(key, _)| (camera.clone(), *key)));
                    problems.extend(ageing.problem(&format!("recordings of {camera}")));
                }
                let quota = policy.and_then(Policy::quota).unwrap_or(u64::MAX);
                going.extend(beyond(files, quota).map(|key| (camera.clone(), key)));
            }
        }
        inner.ageing(problems);
        for (camera, key) in going {
            inner.delete(&camera, key);
        }
        let free = free_bytes(&inner.root);
        if free < inner.floor {
            inner.make_room(inner.floor - free);
        }
    }
}

fn kept_since(file: &mut Entry, today: WallTime) -> WallTime {
    let met = *file.met.get_or_insert(today);
    ageing::kept_since(wall(file.end), file.clock_sure, Some(met)).unwrap_or(met)
}

/// The oldest closed files, until the others are no more than `quota`.
fn beyond(files: &Files, quota: u64) -> impl Iterator<Item = Key> {
    let all: u64 = files.values().map(|file| file.bytes).sum();
    let mut excess = all.saturating_sub(quota);
    let closed = files.iter().filter(|(_, file)| file.open.is_none());
    closed
        .take_while(move |(_, file)| {
            let goes = excess > 0;
            excess = excess.saturating_sub(file.bytes);
            goes
        })
        .map(|(key, _)| *key)
}

impl Inner {
    /// Deletes the oldest recordings until `bytes` are free that were not; false when there was nothing to delete.
    pub(super) fn make_room(&self, bytes: u64) -> bool {
        let mut freed = 0;
        while freed < bytes {
            let oldest = {
                let index = self.index.lock();
                let closed = index.0.iter().flat_map(|(camera, files)| {
                    let mut closed = files.iter().filter(|(_, file)| file.open.is_none());
                    closed
                        .next()
                        .map(|(key, file)| (camera.clone(), *key, file.bytes))
                });
                closed.min_by_key(|(_, key, _)| *key)
            };
            let Some((camera, key, bytes)) = oldest else {
                break;
            };
            self.delete(&camera, key);
            freed += bytes;
        }
        if freed > 0 {
            tracing::warn!(
                freed,
                "little room on the disk: the oldest recordings were deleted"
            );
        }
        freed > 0
    }

    /// Deletes a file, and its day's folder after the last one.
    fn delete(&self, camera: &CameraId, key: Key) {
        self.forget(camera, key);
        let path = place::path(&self.root, camera, key);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "a recording could not be deleted");
            }
            _ => {}
        }
        // Fails while there is something in it.
        if let Some(day) = path.parent() {
            let _ = fs::remove_dir(day);
        }
    }
}
