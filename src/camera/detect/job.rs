//! The detect job: packets become frames, frames are looked at, looks become incidents. Runs in the detect pool.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    base::{
        clock::Clock,
        link::{Receiver, Sender},
        pool::{Job, Next, SLICE},
    },
    camera::{
        IDLE_TICK, TICK,
        attention::Attention,
        pipeline::{CameraPipeline, Keeper, RecordEvent},
        stills::Stills,
        updates::SnapshotCandidate,
    },
    flow::{EndReason, MediaTime, Mode, Packet},
    outbox::OutboxError,
};

/// How long a job that stops tries to get rid of alerts that the disk refuses.
const LAST_TRIES: Duration = Duration::from_secs(3);

/// The record job's links, as the detect job sees them.
pub(in crate::camera) struct RecordLinks {
    pub(in crate::camera) record_events: Sender<RecordEvent>,
    pub(in crate::camera) views: Sender<SnapshotCandidate>,
}

impl Keeper for RecordLinks {
    fn note(&mut self, note: RecordEvent) -> Result<(), RecordEvent> {
        match self.record_events.offer(note) {
            // The whole camera is started again when its record job is lost.
            Err(_) if self.record_events.is_closed() => Ok(()),
            taken => taken,
        }
    }

    fn view(&mut self, view: SnapshotCandidate) {
        let _taken = self.views.send(view);
    }
}

/// One camera's work for the detect pool.
pub(in crate::camera) struct DetectJob {
    pub(in crate::camera) pipeline: CameraPipeline<RecordLinks>,
    pub(in crate::camera) packets: Receiver<Packet>,
    pub(in crate::camera) modes: Receiver<Mode>,
    pub(in crate::camera) away: Receiver<()>,
    pub(in crate::camera) clock: Arc<dyn Clock>,
    pub(in crate::camera) stills: Stills,
    /// Tells the source whether this job wants to be woken for every packet.
    pub(in crate::camera) attention: Attention,
    pub(in crate::camera) stop: CancellationToken,
    /// Why an open incident ends when this job stops.
    pub(in crate::camera) interrupted: Arc<AtomicBool>,
    /// Since when no pictures come, and for how long an open incident waits for them.
    pub(in crate::camera) away_since: Option<MediaTime>,
    pub(in crate::camera) patience: Duration,
    /// The last error of the disk has been logged.
    pub(in crate::camera) refusal_told: bool,
    /// Until when what is held is tried again, once it stops.
    pub(in crate::camera) last_tries: Option<Instant>,
    #[cfg(test)]
    pub(in crate::camera) fault: crate::camera::workers::Fault,
}

impl Job for DetectJob {
    fn run(&mut self) -> Next {
        if self.stop.is_cancelled() {
            return self.end();
        }
        let began = Instant::now();
        if self.away.try_recv().is_some() {
            self.away_since = Some(self.clock.now());
        }
        while let Some(mode) = self.modes.try_recv() {
            self.set_mode(mode);
        }
        while let Some(packet) = self.packets.try_recv() {
            // What was received before the camera went away says nothing about now.
            self.away_since.take_if(|since| packet.arrived > *since);
            #[cfg(test)]
            self.fault.before(&packet, self.pipeline.watch().camera());
            let told = self.pipeline.step(|watch| {
                watch.packet(packet);
                watch.collect();
            });
            self.note(&told);
            if began.elapsed() >= SLICE || self.stop.is_cancelled() {
                break;
            }
        }
        self.pass_time();
        let watch = self.pipeline.watch();
        self.attention.detect(watch.attentive());
        if !self.packets.is_empty() && (watch.attentive() || began.elapsed() >= SLICE) {
            return Next::Again;
        }
        let busy = watch.busy() || self.away_since.is_some() || self.pipeline.holds();
        Next::At(Instant::now() + if busy { TICK } else { IDLE_TICK })
    }
}

impl DetectJob {
    fn pass_time(&mut self) {
        let now = self.clock.now();
        let patience = self.patience;
        let given_up = self
            .away_since
            .take_if(|since| now.since(*since) >= patience)
            .is_some();
        let told = self.pipeline.step(|watch| {
            watch.collect();
            if given_up {
                watch.finish(EndReason::Stream);
            }
            watch.tick(now);
        });
        self.note(&told);
    }

    fn set_mode(&mut self, mode: Mode) {
        let told = self.pipeline.set_mode(mode, self.clock.now());
        if mode == Mode::Disarmed {
            self.stills.forget(self.pipeline.watch().camera());
        }
        self.note(&told);
    }

    /// Says once that alerts are held.
    fn note<T>(&mut self, told: &Result<T, OutboxError>) {
        if let Err(error) = told
            && !self.refusal_told
        {
            tracing::error!(%error, "an alert cannot be written yet; it is held and tried again");
        }
        self.refusal_told = told.is_err();
    }

    fn end(&mut self) -> Next {
        let reason = if self.interrupted.load(Ordering::Relaxed) {
            EndReason::Interrupted
        } else {
            EndReason::Stopped
        };
        let first = self.last_tries.is_none();
        let deadline = *self
            .last_tries
            .get_or_insert_with(|| Instant::now() + LAST_TRIES);
        let told = self.pipeline.step(|watch| {
            if first {
                watch.finish(reason);
            }
        });
        self.note(&told);
        // Perhaps there is room in a moment; what is still held then is lost with this process.
        let now = Instant::now();
        if self.pipeline.holds() && now < deadline {
            return Next::At(now + TICK);
        }
        for report in self.pipeline.uncommitted() {
            let incident = &report.change.incident;
            tracing::error!(incident = %incident.id, state = incident.state.as_str(), "alert lost: the data disk refused writes until shutdown");
        }
        Next::Done
    }
}
