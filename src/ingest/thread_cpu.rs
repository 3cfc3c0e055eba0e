//! CPU time of threads that GStreamer owns, read whenever one of them comes by.

use std::{
    thread::{self, ThreadId},
    time::Duration,
};

use parking_lot::Mutex;

use crate::base::cpu::{self, Stage, StageCpu};

/// Adds what one thread has spent since it last came by. Another thread starts a count of its own.
pub(super) struct ThreadMeter {
    stages: StageCpu,
    last: Mutex<Option<(ThreadId, Duration)>>,
}

impl ThreadMeter {
    /// A meter that adds to [`Stage::Ingest`].
    pub(super) fn new(stages: StageCpu) -> Self {
        Self {
            stages,
            last: Mutex::new(None),
        }
    }

    /// To be called on the measured thread, once for each thing that it handles.
    pub(super) fn tick(&self) {
        let (id, now) = (thread::current().id(), cpu::thread());
        let before = self.last.lock().replace((id, now));
        if let Some((_, then)) = before.filter(|(known, _)| *known == id) {
            self.stages.add(Stage::Ingest, now.saturating_sub(then));
        }
    }
}
