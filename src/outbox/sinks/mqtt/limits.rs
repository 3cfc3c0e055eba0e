//! Bounds on what a broker, or somebody who speaks through it, can do to the box: how much it may ask, how long it may keep silent.

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::ConnAck;
use tokio::time::Instant;

use crate::{
    base::{log_throttle::LogThrottle, rate::RateLimit},
    flow::MediaTime,
};

/// A broker that takes alerts and acknowledges none for this long is not well, whatever it answers to pings.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(20);
/// Messages to the box that may come at once ...
const COMMANDS_AT_ONCE: u64 = 32;
/// ... and how often one more.
const COMMAND_EVERY: Duration = Duration::from_secs(1);
/// How often the log says that messages are dropped.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Keeps a flood of messages from filling its log and its queues.
pub(super) struct CommandLimit {
    began: Instant,
    rate: RateLimit,
    tells: LogThrottle,
}

impl CommandLimit {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            rate: RateLimit::new(COMMANDS_AT_ONCE, COMMAND_EVERY),
            tells: LogThrottle::new(TELL_EVERY),
        }
    }

    /// Whether one more message may be looked at.
    pub(super) fn admits(&self, topic: &str) -> bool {
        let now = MediaTime::ZERO + self.began.elapsed();
        let admitted = self.rate.take(1, now) == 1;
        if !admitted {
            self.dropped(topic);
        }
        admitted
    }

    /// Tells that one was dropped, but not of each in a flood.
    pub(super) fn dropped(&self, topic: &str) {
        if self.tells.may() {
            tracing::warn!(%topic, "a command was dropped: too many at once");
        }
    }
}

/// When the oldest message without an acknowledgement counts as lost; none: all are acknowledged.
pub(super) struct Patience {
    allowed: Duration,
    until: Option<Instant>,
    waiting: usize,
}

impl Patience {
    pub(super) fn new(keep_alive: Duration) -> Self {
        Self {
            allowed: keep_alive.min(ACKNOWLEDGED_WITHIN),
            until: None,
            waiting: 0,
        }
    }

    /// Takes notice of how many wait now. One that was answered gives the others the whole time again.
    pub(super) fn now(&mut self, waiting: usize) {
        if waiting == 0 {
            self.until = None;
        } else if waiting < self.waiting || self.until.is_none() {
            self.until = Some(Instant::now() + self.allowed);
        }
        self.waiting = waiting;
    }

    pub(super) async fn is_over(&self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}

/// Largest message that the broker takes, in bytes.
pub(super) fn largest_out(ack: &ConnAck) -> usize {
    ack.properties
        .as_ref()
        .and_then(|properties| properties.max_packet_size)
        .map_or(usize::MAX, |bytes| bytes as usize)
}
