//! Stopping cameras: part after part, and what is left after a job was lost.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use super::{Camera, RecordEvent};
use crate::base::tasks::Tasks;

/// Parts of a camera that stop one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Sources,
    Detect,
    RecordStage,
    Transcode,
}

impl Part {
    const IN_ORDER: [Self; 4] = [
        Self::Sources,
        Self::Detect,
        Self::RecordStage,
        Self::Transcode,
    ];
}

impl Camera {
    /// Stops all of `cameras` together, in order: sources, then detection (open incidents end), then recording (clips are
    /// closed), then what is encoded again. Returns the names of what has not ended by `deadline`.
    #[must_use = "work that did not end must be told"]
    pub fn stop_all(cameras: &[Arc<Self>], deadline: Instant) -> Vec<String> {
        let mut stubborn = Vec::new();
        for part in Part::IN_ORDER {
            for camera in cameras {
                camera.ask_to_stop(part);
            }
            for camera in cameras {
                let left = deadline.saturating_duration_since(Instant::now());
                stubborn.extend(camera.tasks(part).close(left));
            }
        }
        stubborn
    }

    /// Stops what is left after a job was lost: an open incident ends as interrupted, its clip with what there is.
    #[must_use = "work that did not end must be told"]
    pub fn stop_after_loss(self: &Arc<Self>, deadline: Instant) -> Vec<String> {
        self.interrupted.store(true, Ordering::Relaxed);
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut stubborn = Vec::new();
        for part in Part::IN_ORDER {
            self.ask_to_stop(part);
            stubborn.extend(self.tasks(part).close(left()));
            if part == Part::Detect {
                self.interrupt();
            }
        }
        self.clips.close(&self.shared.outbox);
        stubborn
    }

    /// Ends what a lost detect job left open; one that stopped in order has left nothing.
    fn interrupt(&self) {
        match self.open.interrupt(&self.shared.outbox, &self.shared.live) {
            Ok(None) => {}
            Ok(Some(report)) => {
                tracing::warn!(incident = %report.change.incident.id, "incident ended as interrupted");
                let _taken = self
                    .record_events
                    .send(RecordEvent::IncidentUpdate(Box::new(report)));
            }
            Err(error) => {
                tracing::error!(camera = %self.id, %error, "an incident that was cut off could not be ended; the next start ends it");
            }
        }
    }

    fn tasks(&self, part: Part) -> &Tasks {
        match part {
            Part::Sources => &self.sources,
            Part::Detect => &self.detecting,
            Part::RecordStage => &self.recording,
            Part::Transcode => &self.transcoding,
        }
    }

    fn ask_to_stop(&self, part: Part) {
        self.tasks(part).token().cancel();
        match part {
            Part::Sources => {}
            Part::Detect => self.wake_signals[0].raise(),
            Part::RecordStage => self.wake_signals[1].raise(),
            // As its record job has done, unless it was lost.
            Part::Transcode => {
                for queue in &self.queues {
                    queue.close();
                }
            }
        }
    }
}
