//! Decoders that no stream needs at the moment, for whichever needs one of the same kind next.
//!
//! A sleeping camera decodes a keyframe each second or two, alone: a decoder of its own would hold megabytes for a few
//! milliseconds of work. Cameras of one kind share the few that are at work at the same time.
//!
//! In: the elements of decoders that were flushed. Out: the same, for a stream of exactly the same capabilities. Holds at
//! most one for each stream, so that streams which all differ need no more than if each kept its own.

use std::sync::Arc;

use parking_lot::Mutex;

use super::engine::Engine;
use crate::{config::DecoderChoice, flow::StreamFormat};

/// The decoders that wait. Cheap to clone.
#[derive(Clone, Default)]
pub struct IdleDecoders(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    /// Streams that may bring decoders.
    streams: usize,
    /// The one that has waited longest comes first.
    engines: Vec<Engine>,
}

impl Waiting {
    fn trim(&mut self) -> Vec<Engine> {
        let excess = self.engines.len().saturating_sub(self.streams);
        self.engines.drain(..excess).collect()
    }
}

/// A stream's right to take and to bring one.
pub(in crate::ingest) struct Borrower(IdleDecoders);

impl IdleDecoders {
    pub(in crate::ingest) fn borrower(&self) -> Borrower {
        self.0.lock().streams += 1;
        Borrower(self.clone())
    }
}

impl Borrower {
    /// One that waits for a stream of this format, made for `choice`.
    pub(in crate::ingest) fn take(
        &self,
        format: &StreamFormat,
        choice: DecoderChoice,
    ) -> Option<Engine> {
        let mut waiting = self.0.0.lock();
        let fits = |engine: &Engine| engine.choice == choice && engine.caps == format.caps;
        // The newest: its memory is warm.
        let at = waiting.engines.iter().rposition(fits)?;
        Some(waiting.engines.remove(at))
    }

    /// Brings one that is no longer needed.
    pub(in crate::ingest) fn bring(&self, engine: Engine) {
        let gone = {
            let mut waiting = self.0.0.lock();
            waiting.engines.push(engine);
            waiting.trim()
        };
        // Elements are stopped outside the lock.
        drop(gone);
    }
}

impl Drop for Borrower {
    fn drop(&mut self) {
        let gone = {
            let mut waiting = self.0.0.lock();
            waiting.streams -= 1;
            waiting.trim()
        };
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::samples::*;

    #[test]
    fn one_waits_for_each_stream_at_most_and_fits_its_own_kind_alone() {
        let studio = Studio::new();
        let format = |name: &str, options: &str| {
            Arc::clone(&packets(&studio.video(name, 2, options))[0].format)
        };
        let (h264, h265) = (
            format("a.mp4", &x264(2, 0)),
            format("b.mp4", &x265(2, false)),
        );
        let engine = || Engine::new(&h264, DecoderChoice::Software).unwrap();
        let idle = IdleDecoders::default();
        let first = idle.borrower();
        let second = idle.borrower();
        for _ in 0..3 {
            first.bring(engine());
        }
        assert!(second.take(&h265, DecoderChoice::Software).is_none());
        assert!(second.take(&h264, DecoderChoice::Auto).is_none());
        assert!(second.take(&h264, DecoderChoice::Software).is_some());
        first.bring(engine());
        drop(second);
        assert!(first.take(&h264, DecoderChoice::Software).is_some());
        assert!(first.take(&h264, DecoderChoice::Software).is_none());
    }
}
