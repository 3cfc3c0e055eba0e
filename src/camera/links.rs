//! Where a source puts its packets and states: the links of both jobs, without ever waiting for either.

use std::{collections::VecDeque, sync::Arc};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;

use super::{attention::Attention, status::Status, updates::SnapshotCandidate};
use crate::{
    base::{
        link::{Receiver, Sender, WakeSignal, WhenFull, link},
        telemetry::{CameraLabel, CameraPartLabel, Metrics},
    },
    flow::{CameraId, Mode, Packet, Problem, StreamRole},
    ingest::{PacketSink, SourceState},
    live::Taps,
    recording::continuous::Feed,
};

/// Access units that a job may be behind: at 30 pictures a second about ten seconds, at 10 half a minute.
const PACKETS: usize = 300;
/// Changes of mode that may wait for a job.
const MODES: usize = 16;

/// A link that gives up its oldest whole GOP when it is full.
pub(super) fn packet_link(wake_signal: &WakeSignal) -> (Sender<Packet>, Receiver<Packet>) {
    link(PACKETS, WhenFull::DropOldest(drop_oldest_gop), wake_signal)
}

/// A link of the best view so far: one of the same incident gives way to a better one only.
pub(super) fn view_link(
    wake_signal: &WakeSignal,
) -> (Sender<SnapshotCandidate>, Receiver<SnapshotCandidate>) {
    let keep_best = |queue: &mut VecDeque<SnapshotCandidate>, view: &mut SnapshotCandidate| {
        let before = queue.len();
        if let Some(waiting) = queue.pop_back()
            && (waiting.incident, waiting.label) == (view.incident, view.label)
            && waiting.quality >= view.quality
        {
            *view = waiting;
        }
        queue.clear();
        before
    };
    link(1, WhenFull::DropOldest(keep_best), wake_signal)
}

/// A link of modes. Of too many the newest counts, and that the camera was disarmed meanwhile: nothing from before that
/// moment may be kept.
pub(super) fn mode_link(wake_signal: &WakeSignal) -> (Sender<Mode>, Receiver<Mode>) {
    let fold = |queue: &mut VecDeque<Mode>, _: &mut Mode| {
        let before = queue.len();
        let disarmed = queue.contains(&Mode::Disarmed);
        queue.clear();
        queue.extend(disarmed.then_some(Mode::Disarmed));
        before - queue.len()
    };
    link(MODES, WhenFull::DropOldest(fold), wake_signal)
}

/// Drops from the front up to the next keyframe of the same stream, and marks the gap on it.
pub(super) fn drop_oldest_gop(queue: &mut VecDeque<Packet>, incoming: &mut Packet) -> usize {
    let Some(stream) = queue.front().map(|packet| packet.stream) else {
        return 0;
    };
    let next_key = queue
        .iter()
        .enumerate()
        .skip(1)
        .find(|(_, packet)| packet.stream == stream && packet.key)
        .map_or(queue.len(), |(at, _)| at);
    let before = queue.len();
    let mut at = 0;
    queue.retain(|packet| {
        at += 1;
        at > next_key || packet.stream != stream
    });
    let rest = queue.iter_mut().chain(std::iter::once(incoming));
    if let Some(first) = rest.into_iter().find(|packet| packet.stream == stream) {
        first.discontinuity = true;
    }
    before - queue.len()
}

/// The jobs' ends that a source's packets and states go to.
#[derive(Clone)]
pub(super) struct Lanes {
    pub(super) detect: Sender<Packet>,
    pub(super) record: Sender<Packet>,
    /// That the camera's pictures stay away.
    pub(super) away: Sender<()>,
    /// Which jobs need every packet at once.
    pub(super) attention: Attention,
    /// Those who watch live.
    pub(super) taps: Taps,
    /// What is recorded round the clock.
    pub(super) recorded: Feed,
    pub(super) status: Status,
}

/// One stream's way to the jobs.
pub(super) struct PacketFeed {
    role: StreamRole,
    id: CameraId,
    lanes: Lanes,
    metrics: Arc<Metrics>,
    part: CameraPartLabel,
    sessions: Counter,
    lost_before: u64,
    online: bool,
    /// Why there are no pictures.
    away: Option<Problem>,
    /// What is wrong with the pictures that come.
    impaired: Option<Problem>,
}

impl PacketFeed {
    pub(super) fn new(
        id: CameraId,
        role: StreamRole,
        lanes: Lanes,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let camera = id.to_string();
        let part = match role {
            StreamRole::Sub => "sub",
            StreamRole::Main => "main",
        };
        Self {
            role,
            id,
            lanes,
            metrics: Arc::clone(metrics),
            sessions: metrics.camera_sessions.get_or_create_owned(&CameraLabel {
                camera: camera.clone(),
            }),
            part: CameraPartLabel { camera, part },
            lost_before: 0,
            online: false,
            away: None,
            impaired: None,
        }
    }

    fn count(&mut self, packet: &Packet) {
        self.metrics.packets.get_or_create(&self.part).inc();
        self.metrics
            .received_bytes
            .get_or_create(&self.part)
            .inc_by(packet.data.len() as u64);
        let lost = match self.role {
            StreamRole::Sub => self.lanes.record.dropped() + self.lanes.detect.dropped(),
            // Both streams share the record job's link: its losses are counted once.
            StreamRole::Main => self.lost_before,
        };
        if lost > self.lost_before {
            self.metrics
                .dropped
                .get_or_create(&self.part)
                .inc_by(lost - self.lost_before);
            tracing::warn!(
                camera = %self.id,
                lost = lost - self.lost_before,
                "packets dropped: this box is too slow for its cameras, lower their frame rate or use their second stream"
            );
            self.lost_before = lost;
        }
    }

    fn gone(&mut self, problem: Problem) {
        self.online = false;
        self.away = Some(problem);
        self.lanes.taps.offline(self.role);
        self.lanes.recorded.offline(self.role);
        if self.role == StreamRole::Sub {
            self.lanes.away.send(());
        }
    }

    fn warn(&self, problem: &Problem) {
        tracing::warn!(
            camera = %self.id,
            stream = self.part.part,
            "{}: {}", problem.message, problem.hint
        );
    }
}

/// A job that is gone takes nothing: its camera is started again, with links of its own.
fn send(job: &Sender<Packet>, packet: Packet, wake: bool) {
    let _taken = if wake {
        job.send(packet)
    } else {
        job.send_quietly(packet)
    };
}

impl PacketSink for PacketFeed {
    fn attention(&self) -> Option<watch::Receiver<bool>> {
        Some(self.lanes.attention.wanted(self.role))
    }

    fn packet(&mut self, packet: Packet) {
        self.count(&packet);
        // A job that does not need every unit at once is woken for keyframes only; the others wait in the link.
        let key = packet.key;
        if self.role == StreamRole::Sub {
            let wake = key || self.lanes.attention.of_detect();
            send(&self.lanes.detect, packet.clone(), wake);
        }
        send(&self.lanes.record, packet.clone(), key);
        // After the recorder has it: what came before somebody began to watch is there.
        self.lanes.taps.packet(&packet);
        self.lanes.recorded.packet(&packet);
    }

    fn state(&mut self, state: SourceState) {
        match state {
            SourceState::Connecting => return,
            SourceState::Online(format) => {
                self.sessions.inc();
                tracing::info!(camera = %self.id, stream = self.part.part, ?format, "pictures arrive");
                self.online = true;
                self.away = None;
                self.lanes.taps.online(self.role, &format);
                self.lanes.recorded.online(self.role);
            }
            SourceState::Impaired(problem) => {
                match &problem {
                    Some(problem) => self.warn(problem),
                    None => {
                        tracing::info!(camera = %self.id, stream = self.part.part, "pictures are well again");
                    }
                }
                self.impaired = problem;
            }
            SourceState::Unusable(problem) => {
                self.warn(&problem);
                self.gone(problem);
            }
            SourceState::Away { problem, .. } => {
                self.warn(&problem);
                self.impaired = None;
                self.gone(problem);
            }
        }
        // What is wrong with the pictures may be why there are none.
        let problem = self.impaired.clone().or_else(|| self.away.clone());
        match self.role {
            StreamRole::Sub => {
                self.lanes.status.watched(self.online, problem);
            }
            StreamRole::Main => self.lanes.status.main(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        flow::{Codec, IncidentId, Label, MediaTime, NormRect, Size, StreamFormat, Turn},
        testing::models::Painter,
    };

    fn incoming() -> Packet {
        packets("p", StreamRole::Sub).next().unwrap()
    }

    fn packets(keys: &str, stream: StreamRole) -> impl Iterator<Item = Packet> {
        let format = Arc::new(StreamFormat {
            codec: Codec::H264,
            size: Size::new(64, 48),
            turn: Turn::NONE,
            codec_data: Bytes::new(),
            codec_name: "H.264".to_owned(),
            caps: String::new(),
        });
        keys.chars().enumerate().map(move |(n, c)| Packet {
            stream,
            format: format.clone(),
            time: MediaTime::from_secs_f64(n as f64),
            pts: MediaTime::from_secs_f64(n as f64),
            duration: None,
            key: c == 'K',
            droppable: false,
            discontinuity: false,
            data: Bytes::from_static(b"x"),
            arrived: MediaTime::ZERO,
        })
    }

    #[test]
    fn the_best_view_of_an_incident_waits_and_the_newest_incident_wins() {
        let (tx, rx) = view_link(&WakeSignal::new());
        let view = |incident, quality| SnapshotCandidate {
            incident,
            label: Label::Person,
            frame: Painter::new(16, 16).frame(MediaTime::ZERO, |_, _| [100, 128, 128]),
            rect: NormRect::FULL,
            quality,
        };
        let (first, second) = (IncidentId::new(), IncidentId::new());
        for (incident, quality) in [(first, 0.2), (first, 0.5), (first, 0.3)] {
            assert!(tx.send(view(incident, quality)));
        }
        assert_eq!(rx.try_recv().unwrap().quality, 0.5);
        assert!(rx.try_recv().is_none());
        tx.send(view(first, 0.9));
        tx.send(view(second, 0.1));
        assert_eq!(rx.try_recv().unwrap().incident, second);
        // A person takes the place of the van of the same incident.
        let van = Label::Car;
        assert!(tx.send(SnapshotCandidate {
            label: van,
            ..view(first, 0.9)
        }));
        assert!(tx.send(view(first, 0.1)));
        assert_eq!(rx.try_recv().unwrap().label, Label::Person);
    }

    #[test]
    fn of_too_many_modes_the_newest_counts_and_that_it_was_disarmed() {
        let (tx, rx) = mode_link(&WakeSignal::new());
        for n in 0..100 {
            let mode = if n == 7 { Mode::Disarmed } else { Mode::Armed };
            assert!(tx.send(mode));
        }
        let left: Vec<_> = std::iter::from_fn(|| rx.try_recv()).collect();
        assert!(left.len() <= MODES);
        assert_eq!((left[0], left.last()), (Mode::Disarmed, Some(&Mode::Armed)));
    }

    #[test]
    fn a_full_link_gives_up_its_oldest_gop_and_marks_the_gap() {
        let mut queue: VecDeque<_> = packets("KpppKpp", StreamRole::Sub).collect();
        assert_eq!(drop_oldest_gop(&mut queue, &mut incoming()), 4);
        assert_eq!(queue.len(), 3);
        assert!(queue[0].key && queue[0].discontinuity && !queue[1].discontinuity);
    }

    #[test]
    fn the_other_stream_keeps_its_packets() {
        let mut queue: VecDeque<_> = packets("Kp", StreamRole::Sub)
            .zip(packets("Kp", StreamRole::Main))
            .flat_map(|(a, b)| [a, b])
            .collect();
        assert_eq!(drop_oldest_gop(&mut queue, &mut incoming()), 2);
        assert!(
            queue
                .iter()
                .all(|p| p.stream == StreamRole::Main && !p.discontinuity)
        );
    }

    #[test]
    fn a_link_without_a_second_keyframe_is_emptied() {
        let mut queue: VecDeque<_> = packets("ppp", StreamRole::Sub).collect();
        let mut next = incoming();
        assert_eq!(drop_oldest_gop(&mut queue, &mut next), 3);
        assert!(queue.is_empty() && next.discontinuity);
    }
}
