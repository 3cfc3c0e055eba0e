//! The numbers of a port.

use std::time::Duration;

/// A head must have come within this time; so long may a connection also be idle between two requests.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// A connection that takes no more requests has this long to take the last answer.
const LAST_ANSWER: Duration = Duration::from_secs(10);
/// How long a stranger may stay: time enough for the page and a login over a slow line.
const STRANGER: Duration = Duration::from_secs(60);

/// How slowly a body may come.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// A sender may be waited for this long; each byte that comes gives some of it back.
    pub patience: Duration,
    /// Bytes that give back one second.
    pub per_second: u32,
    /// Largest body, in bytes.
    pub most: u64,
}

/// How much the clients of a port may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections that have shown no session and no key yet.
    pub strangers: usize,
    /// Connections that have, beside those.
    pub known: usize,
    /// Of the known ones, connections from one address.
    pub from_one: usize,
    /// How long a stranger's connection may last.
    pub stranger_life: Duration,
    /// A known connection takes no more requests after this long.
    pub life: Duration,
    /// Bodies of requests.
    pub pace: Pace,
    pub(super) head_within: Duration,
    pub(super) last_answer: Duration,
}

impl Limits {
    /// At most `strangers` and `known` connections, each of the latter for `life`, and half of them from one address.
    #[must_use]
    pub fn new(strangers: usize, known: usize, life: Duration, pace: Pace) -> Self {
        Self {
            strangers,
            known,
            from_one: known.div_ceil(2),
            stranger_life: STRANGER.min(life),
            life,
            pace,
            head_within: HEAD_WITHIN,
            last_answer: LAST_ANSWER,
        }
    }

    /// The same with shorter waits, for tests.
    #[cfg(test)]
    pub fn hurried(mut self) -> Self {
        self.head_within = Duration::from_millis(300);
        self.last_answer = Duration::from_millis(300);
        self.pace.patience = Duration::from_millis(300);
        self
    }
}
