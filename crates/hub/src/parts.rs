//! How each part of the hub is doing. A part that cannot work now is tried again and holds up no other, least of all the
//! cameras beside it.
//!
//! In: what became of each attempt. Out: one sentence for each part that is broken, for the log (once), the health report
//! and the page.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::HubError;
use crate::base::backoff::Backoff;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A part of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Mosquitto.
    Broker,
    /// The connection to the broker.
    Listener,
    /// The S3 endpoint.
    Store,
    /// The room that uploads need.
    Room,
    /// The list of incidents.
    Index,
    /// Accounts and page.
    Page,
    /// Deletion of what is too old or too much.
    Sweep,
}

/// The parts that tell of their first attempt.
const STARTED: [Part; 4] = [Part::Broker, Part::Store, Part::Index, Part::Page];

/// Told of each change: all sentences.
pub(super) type Observer = Arc<dyn Fn(&[String]) + Send + Sync>;

type States = BTreeMap<Part, Option<String>>;

/// The state of each part. Cheap to clone.
#[derive(Clone)]
pub(super) struct Parts {
    states: Arc<Mutex<States>>,
    attempts: watch::Sender<usize>,
    observer: Option<Observer>,
}

impl Parts {
    /// Nothing has been tried yet.
    pub(super) fn new(observer: Option<Observer>) -> Self {
        Self {
            states: Arc::default(),
            attempts: watch::channel(0).0,
            observer,
        }
    }

    /// `part` works (none), or is broken: a sentence. The log is told of changes.
    pub(super) fn set(&self, part: Part, problem: Option<String>) {
        let (before, problems) = {
            let mut states = self.states.lock();
            let before = states.insert(part, problem.clone());
            (before, sentences(&states))
        };
        match (&before, &problem) {
            (_, Some(now)) if before.as_ref() != Some(&problem) => tracing::error!("{now}"),
            (Some(Some(_)), None) => tracing::info!(?part, "this part of the hub works again"),
            _ => {}
        }
        if before.as_ref() != Some(&problem) {
            if let Some(observer) = &self.observer {
                observer(&problems);
            }
            self.attempts.send_modify(|attempts| *attempts += 1);
        }
    }

    /// A sentence for each part that is broken.
    pub(super) fn problems(&self) -> Vec<String> {
        sentences(&self.states.lock())
    }

    /// Waits until each part was tried once, at most `patience`.
    pub(super) async fn tried(&self, patience: Duration) {
        let mut attempts = self.attempts.subscribe();
        let all = attempts.wait_for(|_| {
            let states = self.states.lock();
            STARTED.iter().all(|part| states.contains_key(part))
        });
        let _ = tokio::time::timeout(patience, all).await;
    }

    /// Tries `start` until it succeeds; none when we are stopped before.
    pub(super) async fn try_until<T, F>(
        &self,
        part: Part,
        stop: &CancellationToken,
        mut start: impl FnMut() -> F,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, HubError>>,
    {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            let tried = tokio::select! {
                () = stop.cancelled() => return None,
                tried = start() => tried,
            };
            match tried {
                Ok(started) => {
                    self.set(part, None);
                    return Some(started);
                }
                Err(error) => self.set(part, Some(error.to_string())),
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(backoff.wait()) => {}
            }
        }
    }
}

fn sentences(states: &States) -> Vec<String> {
    states.values().flatten().cloned().collect()
}

/// How long to wait before something that has ended is started again: longer each time that it does not last.
pub(super) struct Restarts {
    backoff: Backoff,
    began: Instant,
}

impl Restarts {
    /// One that has run for this long was a good one.
    const GOOD_AFTER: Duration = Duration::from_secs(30);

    pub(super) fn new() -> Self {
        Self {
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
            began: Instant::now(),
        }
    }

    pub(super) fn begins(&mut self) {
        self.began = Instant::now();
    }

    pub(super) fn wait(&mut self) -> Duration {
        if self.began.elapsed() >= Self::GOOD_AFTER {
            self.backoff.reset();
        }
        self.backoff.wait()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(n: u32) -> HubError {
        HubError::Broker(format!("attempt {n}"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_is_tried_until_it_works_and_the_observer_knows() {
        let told: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
        let parts = Parts::new(Some({
            let told = Arc::clone(&told);
            Arc::new(move |problems: &[String]| told.lock().push(problems.to_vec()))
        }));
        let stop = CancellationToken::new();
        let mut n = 0;
        let started = parts.try_until(Part::Broker, &stop, || {
            n += 1;
            std::future::ready(if n < 4 { Err(broken(n)) } else { Ok(n) })
        });
        assert_eq!(started.await, Some(4));
        assert!(parts.problems().is_empty());
        let told = told.lock();
        assert_eq!(told.len(), 4);
        assert!(told[0][0].contains("attempt 1") && told[3].is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_never_works_ends_with_us_and_nobody_waits_for_it() {
        let parts = Parts::new(None);
        let stop = CancellationToken::new();
        let until = parts.try_until(Part::Page, &stop, || {
            std::future::ready(Err::<(), _>(broken(0)))
        });
        let ended = async {
            parts.tried(Duration::from_secs(3)).await;
            stop.cancel();
        };
        assert_eq!(tokio::join!(until, ended).0, None);
        assert_eq!(parts.problems().len(), 1);
    }
}
