//! Who must be heard of, and how often: a thread that hangs is told from one that has nothing to do.
//!
//! In: beats. Out: the names of those that are overdue, for health and the system's watchdog. Never ends or restarts anything.

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
    name: String,
    last: Instant,
    patience: Duration,
}

/// One of them. Dropping it takes it off the list; but one whose thread panics stays, and becomes overdue.
#[derive(Debug)]
pub struct Heartbeat {
    all: Heartbeats,
    key: u64,
}

impl Heartbeats {
    /// From now on `name` must be heard of at least once in `patience`.
    #[must_use]
    pub fn expect(&self, name: &str, patience: Duration) -> Heartbeat {
        let mut all = self.0.lock();
        let key = all.keys().next_back().map_or(0, |last| last + 1);
        let pulse = Pulse {
            name: name.to_owned(),
            last: Instant::now(),
            patience,
        };
        all.insert(key, pulse);
        Heartbeat {
            all: self.clone(),
            key,
        }
    }

    /// The names of those that have not been heard of for longer than they should, in the order in which they began.
    #[must_use]
    pub fn overdue(&self) -> Vec<String> {
        let now = Instant::now();
        let all = self.0.lock();
        all.values()
            .filter(|pulse| now.saturating_duration_since(pulse.last) > pulse.patience)
            .map(|pulse| pulse.name.clone())
            .collect()
    }
}

impl Heartbeat {
    /// All is well.
    pub fn beat(&self) {
        if let Some(pulse) = self.all.0.lock().get_mut(&self.key) {
            pulse.last = Instant::now();
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
