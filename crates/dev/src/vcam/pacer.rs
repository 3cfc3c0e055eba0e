//! The thread that feeds all virtual cameras, each unit at its own absolute deadline.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer_app as gst_app;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{tamper::Faults, video::Video};
use crate::base::link::WakeSignal;

/// How videos are played.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) speed: f64,
    /// Laps until the end of the stream; none: for ever.
    pub(super) laps: Option<u64>,
    /// When the video began, where it runs whether or not anyone watches.
    pub(super) running_since: Option<Instant>,
}

impl Pace {
    fn scale(&self, media: Duration) -> Duration {
        media.div_f64(self.speed)
    }
}

/// One play of a video into one shared session.
struct Player {
    id: u64,
    video: Arc<Video>,
    source: gst_app::AppSrc,
    faults: Arc<Faults>,
    next: u64,
    /// Media time that the session's own time starts at.
    origin: Duration,
    /// Real time of `origin`; none: nobody has pressed play.
    started: Option<Instant>,
}

#[derive(Default)]
struct Shared {
    players: Mutex<Vec<Player>>,
    ids: AtomicU64,
    wake_signal: WakeSignal,
}

/// Handle to the feeding thread's work; cheap to clone.
#[derive(Clone)]
pub(super) struct Pacer {
    shared: Arc<Shared>,
    pace: Pace,
}

/// Names one player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlayerId(u64);

impl Pacer {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            shared: Arc::default(),
            pace,
        }
    }

    /// Adds a player and sends what the session's description needs: the first keyframe.
    pub(super) fn add(
        &self,
        video: &Arc<Video>,
        source: gst_app::AppSrc,
        faults: Arc<Faults>,
    ) -> PlayerId {
        let id = self.shared.ids.fetch_add(1, Ordering::Relaxed);
        let mut player = Player {
            id,
            video: Arc::clone(video),
            source,
            faults,
            next: 0,
            origin: Duration::ZERO,
            started: None,
        };
        match self.pace.running_since {
            None => {
                // It waits, blocked, behind the payloader until the first client plays. Sent even by a stalled camera:
                // a hung one still describes itself.
                player.push(&self.pace);
            }
            Some(began) => player.join(&self.pace, began),
        }
        self.shared.players.lock().push(player);
        self.shared.wake_signal.raise();
        PlayerId(id)
    }

    /// The first client plays: time begins. Later calls change nothing.
    pub(super) fn start(&self, id: PlayerId) {
        let mut players = self.shared.players.lock();
        if let Some(player) = players.iter_mut().find(|player| player.id == id.0) {
            player.started.get_or_insert_with(Instant::now);
        }
        drop(players);
        self.shared.wake_signal.raise();
    }

    /// The session is over.
    pub(super) fn remove(&self, id: PlayerId) {
        self.shared
            .players
            .lock()
            .retain(|player| player.id != id.0);
    }

    /// Wakes the thread, so that it sees its token.
    pub(super) fn wake(&self) {
        self.shared.wake_signal.raise();
    }

    /// The thread's work: until `stop`.
    pub(super) fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let now = Instant::now();
            let earliest = {
                let mut players = self.shared.players.lock();
                players.retain_mut(|player| player.catch_up(&self.pace, now));
                players
                    .iter()
                    .filter_map(|player| player.deadline(&self.pace))
                    .min()
            };
            self.shared.wake_signal.wait(earliest);
        }
        self.shared.players.lock().clear();
    }
}

impl Player {
    /// Begins at the next keyframe of a video that has been running since `began`.
    fn join(&mut self, pace: &Pace, began: Instant) {
        let timeline = &self.video.timeline;
        let position = began.elapsed().mul_f64(pace.speed);
        let mut next = timeline.next_after(position);
        while !self.video.units[timeline.due(next).index].key {
            next += 1;
        }
        self.next = next;
        self.origin = timeline.due(next).decode;
        self.started = Some(began + pace.scale(self.origin));
    }

    fn ended(&self, pace: &Pace) -> bool {
        let len = self.video.timeline.len() as u64;
        pace.laps.is_some_and(|laps| self.next / len >= laps)
    }

    /// When the next unit is to be sent; at the end, when the last one has been shown.
    fn deadline(&self, pace: &Pace) -> Option<Instant> {
        let due = self.video.timeline.due(self.next).decode;
        self.started
            .map(|started| started + pace.scale(due.saturating_sub(self.origin)))
    }

    /// Sends all that is due; false when the session takes no more.
    fn catch_up(&mut self, pace: &Pace, now: Instant) -> bool {
        while self.deadline(pace).is_some_and(|deadline| deadline <= now) {
            if self.ended(pace) {
                // A session that is already gone needs no end.
                let _ = self.source.end_of_stream();
                return false;
            }
            if !self.send(pace) {
                return false;
            }
        }
        true
    }

    /// Sends the next unit, or loses it while the camera is stalled; false when the session takes no more.
    fn send(&mut self, pace: &Pace) -> bool {
        if self.faults.stalled() {
            self.next += 1;
            return true;
        }
        self.push(pace)
    }

    fn push(&mut self, pace: &Pace) -> bool {
        let due = self.video.timeline.due(self.next);
        self.next += 1;
        let unit = &self.video.units[due.index];
        // Shares the bytes; only the times are this session's own.
        let mut buffer = unit.data.copy();
        let time = |media: Duration| {
            let real = pace.scale(media.saturating_sub(self.origin));
            gst::ClockTime::from_nseconds(u64::try_from(real.as_nanos()).unwrap_or(u64::MAX))
        };
        let fields = buffer.make_mut();
        fields.set_pts(time(due.present));
        fields.set_dts(time(due.decode));
        if !unit.key {
            fields.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        self.source.push_buffer(buffer).is_ok()
    }
}
