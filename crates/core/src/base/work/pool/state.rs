//! Which jobs a pool has, which of them are ready, and which want to run later. Pure: the caller holds the lock.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use super::{Job, Lease, Next};
use crate::{
    base::tasks::{self, Tasks},
    flow::CameraId,
};

/// All of it.
#[derive(Default)]
pub(super) struct State {
    pub(super) jobs: BTreeMap<u64, Entry>,
    pub(super) ready: VecDeque<u64>,
    pub(super) timers: BTreeSet<(Instant, u64)>,
    /// The earliest time that a worker waits for.
    pub(super) watched: Option<Instant>,
    /// Workers at `work`.
    pub(super) asleep: usize,
    pub(super) workers: BTreeMap<u64, Tasks>,
    pub(super) numbers: u64,
    pub(super) closing: bool,
}

/// One job.
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) camera: CameraId,
    /// None while it runs, and before it has been started.
    pub(super) job: Option<Box<dyn Job>>,
    pub(super) stage: Stage,
    pub(super) timer: Option<Instant>,
    pub(super) lease: Lease,
    /// Dropped last: those who wait for the job may go on then.
    pub(super) _task: tasks::Entry,
}

/// What a job is at.
pub(super) enum Stage {
    /// Has a signal, and no job yet.
    Reserved {
        rung: bool,
    },
    Idle,
    Ready,
    Running {
        worker: u64,
        since: Instant,
        rung: bool,
    },
}

/// A job in the hands of a worker.
pub(super) struct Turn {
    pub(super) key: u64,
    pub(super) name: Arc<str>,
    pub(super) job: Box<dyn Job>,
}

impl State {
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn make_ready(&mut self, key: u64) {
        if let Some(entry) = self.jobs.get_mut(&key) {
            entry.stage = Stage::Ready;
            if let Some(at) = entry.timer.take() {
                self.timers.remove(&(at, key));
            }
            self.ready.push_back(key);
        }
    }

    pub(super) fn take_due(&mut self, now: Instant) {
        while let Some(&(_, key)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            if let Some(entry) = self.jobs.get_mut(&key) {
                entry.timer = None;
                self.make_ready(key);
            }
        }
    }

    pub(super) fn take_ready(&mut self, worker: u64, now: Instant) -> Option<Turn> {
        while let Some(key) = self.ready.pop_front() {
            let Some(entry) = self.jobs.get_mut(&key) else {
                continue;
            };
            let Some(job) = entry.job.take() else {
                continue;
            };
            entry.stage = Stage::Running {
                worker,
                since: now,
                rung: false,
            };
            let name = Arc::clone(&entry.name);
            return Some(Turn { key, name, job });
        }
        None
    }

    pub(super) fn put_back(&mut self, key: u64, job: Box<dyn Job>, next: Next, rung: bool) {
        let Some(entry) = self.jobs.get_mut(&key) else {
            return;
        };
        entry.job = Some(job);
        entry.stage = Stage::Idle;
        match next {
            Next::At(at) if !rung => {
                entry.timer = Some(at);
                self.timers.insert((at, key));
            }
            Next::Idle if !rung => {}
            _ => self.make_ready(key),
        }
    }
}
