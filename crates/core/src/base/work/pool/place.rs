//! A place in a pool: a job's signal and lease, before the job is there.

use std::sync::Arc;

use super::{Job, Lease, Pool};
use crate::base::link::WakeSignal;

/// A place in the pool for a job, whose signal others may have before the job is there.
pub struct Place {
    pub(super) pool: Pool,
    pub(super) key: u64,
    pub(super) lease: Lease,
    pub(super) started: bool,
}

impl Place {
    /// Has the job run; also before there is one.
    #[must_use]
    pub fn wake_signal(&self) -> WakeSignal {
        let (pool, key) = (Arc::downgrade(&self.pool.0), self.key);
        WakeSignal::calling(move || {
            if let Some(inner) = pool.upgrade() {
                Pool(inner).ring(key);
            }
        })
    }

    /// For the job: whether it has been given up.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// The job is there. It runs once, and then as it wants.
    pub fn start(mut self, job: impl Job) {
        self.started = true;
        let mut state = self.pool.lock();
        if let Some(entry) = state.jobs.get_mut(&self.key) {
            entry.job = Some(Box::new(job));
            state.make_ready(self.key);
            self.pool.wake_one(&state);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.started {
            let entry = self.pool.lock().jobs.remove(&self.key);
            drop(entry);
        }
    }
}
