//! The transcode job: decodes and encodes what its queue holds, a slice at a time. Runs in the preview pool.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{TranscodeQueue, Transcoder};
use crate::{
    base::{
        clock::Clock,
        pool::{Job, Next, SLICE},
    },
    camera::{TICK, record::clip_entry::ClipEntry},
    recording::ClipEvent,
};

/// A preview is worked on for so long after the end of its camera; the original is whole.
const LAST_PREVIEWS: Duration = Duration::from_secs(3);

/// One camera's work for the preview pool.
pub(in crate::camera) struct TranscodeJob {
    pub(in crate::camera) transcoder: Transcoder,
    pub(in crate::camera) entry: ClipEntry,
    pub(in crate::camera) queue: Arc<TranscodeQueue>,
    pub(in crate::camera) clock: Arc<dyn Clock>,
    /// What it makes is all that is kept: nothing of it is left out.
    pub(in crate::camera) evidence: bool,
    /// When it saw that there will be no more.
    pub(in crate::camera) closed_at: Option<Instant>,
}

impl Job for TranscodeJob {
    fn run(&mut self) -> Next {
        let began = Instant::now();
        let closed = self.queue.is_closed();
        if closed && !self.evidence {
            let since = *self.closed_at.get_or_insert(began);
            if began - since >= LAST_PREVIEWS {
                self.queue.forget();
            }
        }
        while let Some(item) = self.queue.take() {
            let events = self.transcoder.take(item);
            self.enter(events);
            if began.elapsed() >= SLICE {
                return Next::Again;
            }
        }
        if closed {
            let events = self.transcoder.finish();
            self.enter(events);
            return Next::Done;
        }
        let events = self.transcoder.tick(self.clock.now());
        self.enter(events);
        if self.transcoder.idle() {
            Next::Idle
        } else {
            Next::At(Instant::now() + TICK)
        }
    }
}

impl TranscodeJob {
    fn enter(&mut self, events: Vec<ClipEvent>) {
        events.into_iter().for_each(|event| self.entry.enter(event));
    }
}
