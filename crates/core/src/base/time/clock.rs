//! Time as a dependency: the system's, or one that a test or a replay moves by hand.

use std::{
    path::Path,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

use crate::flow::{ClockState, MediaTime, WallTime};

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The box's monotonic time since the agent's start.
    fn now(&self) -> MediaTime;
    /// Universal time.
    fn wall(&self) -> WallTime;
    /// Whether universal time can be trusted.
    fn state(&self) -> ClockState;

    /// The universal time at which `at` was or will be, by today's difference between the two clocks.
    fn wall_at(&self, at: MediaTime) -> WallTime {
        WallTime(self.wall().0 + (at - self.now()) / 1_000_000)
    }
}

/// The clocks of the system.
#[derive(Debug, Clone)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// Starts counting now.
    #[must_use]
    pub fn start() -> Arc<Self> {
        Arc::new(Self {
            origin: Instant::now(),
        })
    }
}

impl Clock for SystemClock {
    fn now(&self) -> MediaTime {
        MediaTime::ZERO + self.origin.elapsed()
    }

    fn wall(&self) -> WallTime {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Good when the date is sane and a time daemon left its mark, a battery-backed clock exists, or there is no
    /// service manager to ask (a container shares its host's clock).
    fn state(&self) -> ClockState {
        // A board without a battery starts in 1970 or at its firmware's build date.
        const EARLIEST_SANE: i64 = 1_767_225_600_000; // 2026-01-01
        const MARKS: [&str; 4] = [
            "/run/systemd/timesync/synchronized",
            "/run/chrony/chronyd.pid",
            "/run/ntpd.pid",
            "/sys/class/rtc/rtc0",
        ];
        let marked = MARKS.iter().any(|mark| Path::new(mark).exists());
        let nobody_to_ask = !Path::new("/run/systemd/system").exists();
        if self.wall().0 >= EARLIEST_SANE && (marked || nobody_to_ask) {
            ClockState::Good
        } else {
            ClockState::Unsure
        }
    }
}

/// A clock that stands still until it is moved: replay moves it along the media, tests as they like.
#[derive(Debug)]
pub struct SimClock {
    inner: Mutex<(MediaTime, WallTime, ClockState)>,
}

impl SimClock {
    /// Media time zero at universal time `wall`.
    #[must_use]
    pub fn new(wall: WallTime) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new((MediaTime::ZERO, wall, ClockState::Good)),
        })
    }

    /// Moves both clocks on to media time `to`; never back.
    pub fn advance_to(&self, to: MediaTime) {
        let mut inner = self.inner.lock();
        let by = to - inner.0;
        if by > 0 {
            inner.1 = WallTime(inner.1.0 + (to.nanos() / 1_000_000 - inner.0.nanos() / 1_000_000));
            inner.0 = to;
        }
    }

    /// Steps universal time alone, as a corrected system clock does.
    pub fn set_wall(&self, wall: WallTime, state: ClockState) {
        let mut inner = self.inner.lock();
        inner.1 = wall;
        inner.2 = state;
    }
}

impl Clock for SimClock {
    fn now(&self) -> MediaTime {
        self.inner.lock().0
    }

    fn wall(&self) -> WallTime {
        self.inner.lock().1
    }

    fn state(&self) -> ClockState {
        self.inner.lock().2
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn simulated_time_moves_only_forwards() {
        let clock = SimClock::new(WallTime(1_000));
        clock.advance_to(MediaTime::from_secs_f64(2.0));
        clock.advance_to(MediaTime::from_secs_f64(1.0));
        assert_eq!(clock.now(), MediaTime::from_secs_f64(2.0));
        assert_eq!(clock.wall(), WallTime(3_000));
        assert_eq!(
            clock.wall_at(clock.now().before(Duration::from_millis(500))),
            WallTime(2_500)
        );
    }
}
