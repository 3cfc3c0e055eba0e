//! How a receiver stands: what is wrong with it now, and until when it asked to be left alone.
//!
//! In: what a delivery came to. Out: the [`Outcome`] for the pump, and the sentence for the health report. Knows no protocol.

use std::time::Duration;

use futures::{
    FutureExt,
    future::{BoxFuture, ready},
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::{Outcome, Scope};

/// A wrong password or a missing folder needs a person: there is no hurry.
const NEEDS_A_PERSON: Duration = Duration::from_secs(60);

/// Of one receiver.
#[derive(Debug)]
pub(super) struct EndpointHealth {
    /// Pause after what a person has to put right.
    pause: Duration,
    /// Until when the receiver asked to be left alone.
    quiet_until: Mutex<Option<Instant>>,
    /// What the last answer said was wrong.
    problem: Mutex<Option<String>>,
}

impl EndpointHealth {
    pub(super) fn new() -> Self {
        Self::with_pause(NEEDS_A_PERSON)
    }

    pub(super) fn with_pause(pause: Duration) -> Self {
        Self {
            pause,
            quiet_until: Mutex::new(None),
            problem: Mutex::new(None),
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        self.problem.lock().clone()
    }

    /// It took something.
    pub(super) fn good(&self) {
        *self.problem.lock() = None;
    }

    /// Nothing gets through to it.
    pub(super) fn away(&self, reason: String) -> Outcome {
        self.wrong(Scope::Sink, None, reason)
    }

    /// It refuses everything until somebody does something about it.
    pub(super) fn needs_a_person(&self, reason: String) -> Outcome {
        self.wrong(Scope::Sink, Some(self.pause), reason)
    }

    /// This one did not get through, which may be its own fault.
    pub(super) fn stuck(&self, reason: String) -> Outcome {
        self.wrong(Scope::Delivery, None, reason)
    }

    fn wrong(&self, scope: Scope, after: Option<Duration>, reason: String) -> Outcome {
        *self.problem.lock() = Some(reason.clone());
        Outcome::Retry {
            scope,
            after,
            reason,
        }
    }

    /// It is well, but has no time; `after`: for how long it asks to be left alone.
    pub(super) fn busy(&self, after: Option<Duration>, reason: String) -> Outcome {
        if let Some(pause) = after {
            // Also while other deliveries succeed, which tells the pump that all is well.
            let mut quiet = self.quiet_until.lock();
            *quiet = (*quiet).max(Some(Instant::now() + pause));
        }
        Outcome::Retry {
            scope: Scope::Sink,
            after,
            reason,
        }
    }

    /// Completes when it may be asked again.
    pub(super) fn ready(&self) -> BoxFuture<'static, ()> {
        let until = *self.quiet_until.lock();
        match until {
            Some(until) => sleep_until(until).boxed(),
            None => ready(()).boxed(),
        }
    }
}

/// This one did not get through; nothing is said about the receiver.
pub(super) fn later(reason: String) -> Outcome {
    Outcome::Retry {
        scope: Scope::Delivery,
        after: None,
        reason,
    }
}
