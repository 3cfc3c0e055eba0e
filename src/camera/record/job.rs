//! The record job: packets wait in the pre-roll ring, and become segments while an incident is open. Runs in the record
//! pool.

use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use super::stage::RecordStage;
use crate::{
    base::{
        clock::Clock,
        link::Receiver,
        pool::{Job, Next, SLICE},
    },
    camera::{IDLE_TICK, TICK, pipeline::RecordEvent, updates::SnapshotCandidate},
    flow::{Packet, StreamRole},
    live::Taps,
};

/// One camera's work for the record pool.
pub(in crate::camera) struct RecordJob {
    pub(in crate::camera) record: RecordStage,
    pub(in crate::camera) packets: Receiver<Packet>,
    pub(in crate::camera) record_events: Receiver<RecordEvent>,
    pub(in crate::camera) views: Receiver<SnapshotCandidate>,
    /// Streams with a new live viewer, which needs the packets since the last keyframe.
    pub(in crate::camera) watched: Receiver<StreamRole>,
    pub(in crate::camera) taps: Taps,
    pub(in crate::camera) clock: Arc<dyn Clock>,
    pub(in crate::camera) stop: CancellationToken,
}

impl Job for RecordJob {
    fn run(&mut self) -> Next {
        let began = Instant::now();
        let stopping = self.stop.is_cancelled();
        // How a clip is made depends on the stream.
        if !self.record.knows_stream()
            && let Some(first) = self.packets.try_recv()
        {
            self.record.packet(&first);
        }
        while let Some(note) = self.record_events.try_recv() {
            match note {
                RecordEvent::IncidentUpdate(report) => self.record.report(&report),
                RecordEvent::Mode(mode) => self.record.set_mode(mode),
            }
        }
        if let Some(view) = self.views.try_recv() {
            self.record.view(view);
        }
        while let Some(packet) = self.packets.try_recv() {
            self.record.packet(&packet);
            if began.elapsed() >= SLICE {
                break;
            }
        }
        if self.packets.is_empty() {
            while let Some(role) = self.watched.try_recv() {
                let since = self.record.since_keyframe(role);
                self.taps.since_keyframe(role, since);
            }
        }
        self.record.tick(self.clock.now());
        for clip in self.record.take_closed() {
            tracing::debug!(incident = %clip.incident, segments = clip.segments, bytes = clip.bytes, "clip closed");
        }
        if began.elapsed() >= SLICE && !self.packets.is_empty() {
            return Next::Again;
        }
        if stopping {
            self.record.finish();
            return Next::Done;
        }
        Next::At(Instant::now() + if self.record.busy() { TICK } else { IDLE_TICK })
    }
}
