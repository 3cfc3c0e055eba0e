//! Where a source puts its packets: both lanes, without ever waiting for either.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Order, Shared};
use crate::{
    base::{
        board::Board,
        link::{Bell, Receiver, Sender, WhenFull, link},
        telemetry::{CameraLabel, CameraPartLabel, Metrics},
    },
    flow::{CameraId, CameraState, Packet, StreamRole},
    ingest::{PacketSink, SourceState},
    outbox::sinks::LiveState,
};

/// Access units that a lane may be behind: at 30 pictures a second about ten seconds, at 10 half a minute.
const PACKETS: usize = 300;

/// A link that gives up its oldest whole GOP when it is full.
pub(super) fn packet_link(bell: &Bell) -> (Sender<Packet>, Receiver<Packet>) {
    link(PACKETS, WhenFull::DropOldest(drop_oldest_gop), bell)
}

/// Drops from the front up to the next keyframe of the same stream, and marks the gap on it.
fn drop_oldest_gop(queue: &mut VecDeque<Packet>, incoming: &mut Packet) -> usize {
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

/// One stream's way into the lanes.
pub(super) struct PacketFeed {
    role: StreamRole,
    id: CameraId,
    watch: Option<Sender<Packet>>,
    record: Sender<Packet>,
    orders: Sender<Order>,
    board: Board,
    live: LiveState,
    metrics: Arc<Metrics>,
    part: CameraPartLabel,
    lost_before: u64,
    /// Whether the watch lane wants to be woken for every packet.
    attentive: Arc<AtomicBool>,
}

impl PacketFeed {
    pub(super) fn new(
        id: CameraId,
        role: StreamRole,
        shared: &Shared,
        watch: Option<Sender<Packet>>,
        record: Sender<Packet>,
        orders: Sender<Order>,
        attentive: Arc<AtomicBool>,
    ) -> Self {
        let part = CameraPartLabel {
            camera: id.to_string(),
            part: match role {
                StreamRole::Sub => "sub",
                StreamRole::Main => "main",
            },
        };
        Self {
            role,
            id,
            watch,
            record,
            orders,
            board: shared.board.clone(),
            live: shared.live.clone(),
            metrics: shared.metrics.clone(),
            part,
            lost_before: 0,
            attentive,
        }
    }

    fn count(&mut self, packet: &Packet) {
        self.metrics.packets.get_or_create(&self.part).inc();
        self.metrics
            .received_bytes
            .get_or_create(&self.part)
            .inc_by(packet.data.len() as u64);
        let lost = self.record.dropped() + self.watch.as_ref().map_or(0, Sender::dropped);
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
}

impl PacketSink for PacketFeed {
    fn packet(&mut self, packet: Packet) {
        self.count(&packet);
        // A lane that does not need every unit at once is woken for keyframes only; the others wait in the link.
        let key = packet.key;
        if let Some(watch) = &self.watch {
            if key || self.attentive.load(Ordering::Relaxed) {
                watch.send(packet.clone());
            } else {
                watch.send_quietly(packet.clone());
            }
        }
        if key {
            self.record.send(packet);
        } else {
            self.record.send_quietly(packet);
        }
    }

    fn state(&mut self, state: SourceState) {
        let (camera_state, problem) = match state {
            SourceState::Connecting => return,
            SourceState::Online(format) => {
                self.metrics
                    .camera_sessions
                    .get_or_create(&CameraLabel {
                        camera: self.id.to_string(),
                    })
                    .inc();
                tracing::info!(camera = %self.id, stream = self.part.part, ?format, "pictures arrive");
                (CameraState::Online, None)
            }
            SourceState::Away { problem, .. } => {
                tracing::warn!(
                    camera = %self.id,
                    stream = self.part.part,
                    "{}: {}", problem.message, problem.hint
                );
                (CameraState::Offline, Some(problem))
            }
        };
        if self.role == StreamRole::Sub {
            let up = i64::from(camera_state == CameraState::Online);
            self.metrics
                .camera_up
                .get_or_create(&CameraLabel {
                    camera: self.id.to_string(),
                })
                .set(up);
            self.live.camera_status(&self.id, camera_state);
            if camera_state == CameraState::Offline {
                self.orders.send(Order::Away);
            }
        }
        self.board.camera(&self.id, camera_state, problem);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::flow::{Codec, MediaTime, Size, StreamFormat};

    fn incoming() -> Packet {
        packets("p", StreamRole::Sub).next().unwrap()
    }

    fn packets(keys: &str, stream: StreamRole) -> impl Iterator<Item = Packet> {
        let format = Arc::new(StreamFormat {
            codec: Codec::H264,
            size: Size::new(64, 48),
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
