//! Who must be heard of, and how often: a thread that hangs is told from one that has nothing to do.
//!
//! In: beats of threads, and what a worker is doing. Out: the names of those that are overdue, for health and the system's
//! watchdog. Never ends or restarts anything.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// All that must be heard of. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats(Arc<Mutex<BTreeMap<u64, Pulse>>>);

#[derive(Debug)]
struct Pulse {
    name: Arc<str>,
    /// Since when nothing has been heard; none while nothing has to be.
    since: Option<Instant>,
    patience: Duration,
    /// The program goes on without it.
    replaceable: bool,
}

/// One of them. Dropping it takes it off the list; but one whose thread panics stays, and becomes overdue.
#[derive(Debug)]
pub struct Heartbeat {
    all: Heartbeats,
    key: u64,
}

impl Heartbeats {
    /// From now on `name` must be heard of at least once in `patience`, and the program is ill when it is not.
    #[must_use]
    pub fn expect(&self, name: &str, patience: Duration) -> Heartbeat {
        self.enter(name, patience, Some(Instant::now()), false)
    }

    /// A thread that nothing replaces works on one thing after the other, each for no longer than `patience`.
    #[must_use]
    pub fn expect_busy(&self, name: &str, patience: Duration) -> Heartbeat {
        self.enter(name, patience, None, false)
    }

    /// The same for a thread that another one replaces when it hangs.
    #[must_use]
    pub fn expect_replaceable(&self, name: &str, patience: Duration) -> Heartbeat {
        self.enter(name, patience, None, true)
    }

    fn enter(
        &self,
        name: &str,
        patience: Duration,
        since: Option<Instant>,
        replaceable: bool,
    ) -> Heartbeat {
        let mut all = self.0.lock();
        let key = all.keys().next_back().map_or(0, |last| last + 1);
        let pulse = Pulse {
            name: Arc::from(name),
            since,
            patience,
            replaceable,
        };
        all.insert(key, pulse);
        Heartbeat {
            all: self.clone(),
            key,
        }
    }

    /// The names of those that have not been heard of for longer than they should and that nothing replaces, in the order
    /// in which they began.
    #[must_use]
    pub fn overdue(&self) -> Vec<String> {
        self.late(false)
    }

    /// What replaceable workers hang at, in the order in which they began. It stays here for as long as it hangs.
    #[must_use]
    pub fn hanging(&self) -> Vec<String> {
        self.late(true)
    }

    fn late(&self, replaceable: bool) -> Vec<String> {
        let now = Instant::now();
        let late = |pulse: &&Pulse| {
            let silent = pulse.since.map(|at| now.saturating_duration_since(at));
            pulse.replaceable == replaceable && silent.is_some_and(|time| time > pulse.patience)
        };
        let all = self.0.lock();
        all.values()
            .filter(late)
            .map(|pulse| pulse.name.to_string())
            .collect()
    }
}

impl Heartbeat {
    /// All is well.
    pub fn beat(&self) {
        self.with(|pulse| pulse.since = Some(Instant::now()));
    }

    /// Work on `what` begins. It is named by it from now on.
    pub fn begin(&self, what: &Arc<str>) {
        self.with(|pulse| {
            pulse.since = Some(Instant::now());
            if !Arc::ptr_eq(&pulse.name, what) {
                pulse.name = Arc::clone(what);
            }
        });
    }

    /// The work is done; nothing has to be heard until the next begins.
    pub fn rest(&self) {
        self.with(|pulse| pulse.since = None);
    }

    fn with(&self, change: impl FnOnce(&mut Pulse)) {
        if let Some(pulse) = self.all.0.lock().get_mut(&self.key) {
            change(pulse);
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.all.0.lock().remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::base::tasks::Tasks;

    const SHORT: Duration = Duration::from_millis(30);

    #[test]
    fn who_is_silent_is_named_and_who_has_ended_is_not() {
        let all = Heartbeats::default();
        let silent = all.expect("silent", SHORT);
        let patient = all.expect("patient", Duration::from_secs(60));
        std::thread::sleep(2 * SHORT);
        assert_eq!(all.overdue(), ["silent"]);
        silent.beat();
        patient.beat();
        assert!(all.overdue().is_empty());
        drop(silent);
        std::thread::sleep(2 * SHORT);
        assert!(all.overdue().is_empty());
    }

    #[test]
    fn a_worker_is_named_by_what_it_hangs_at_and_only_while_it_works() {
        let all = Heartbeats::default();
        let worker = all.expect_replaceable("detect", SHORT);
        let model = all.expect_busy("model", SHORT);
        std::thread::sleep(2 * SHORT);
        assert!(all.hanging().is_empty() && all.overdue().is_empty());
        worker.begin(&Arc::from("detect of camera door"));
        model.beat();
        std::thread::sleep(2 * SHORT);
        assert_eq!(all.hanging(), ["detect of camera door"]);
        assert_eq!(all.overdue(), ["model"]);
        worker.rest();
        model.rest();
        assert!(all.hanging().is_empty() && all.overdue().is_empty());
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn a_thread_that_panics_is_overdue() {
        let all = Heartbeats::default();
        let pulse = all.expect("lane", SHORT);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        tasks
            .thread("lane", move || {
                let _pulse = pulse;
                panic!("as a fault would");
            })
            .unwrap();
        assert!(tasks.close(Duration::from_secs(5)).is_empty());
        std::thread::sleep(2 * SHORT);
        assert_eq!(all.overdue(), ["lane"]);
    }
}
