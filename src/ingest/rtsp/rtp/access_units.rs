//! RTP packets become access units: all packets of one picture, with its time. Pure.
//!
//! Packets are sorted into lanes by source (SSRC) and payload type. A camera may begin another source at any time, and
//! some send packets of other clients on our channel. One lane is listened to; another takes its place when it has
//! given some pictures of which none came from the first, or when it is the better one: of the payload type, source and
//! parameter sets that the description announces.
//!
//! A picture ends where the timestamp changes. Waiting for that would hold each picture back until the next one, so
//! the marker bit ends it where it has proved to be right; cameras set it on each unit, on each slice, or never.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::{
    packet::{Content, Head, SPS, set_kind, strip_start_code},
    rtp_time::Times,
};
use crate::{
    flow::MediaTime,
    ingest::rtsp::protocol::sdp::{Encoding, Track},
};

/// Pictures of another source before it is listened to, ...
const PICTURES: usize = 3;
/// ... and for how long it must have been heard, in nanoseconds: packets come in bursts.
const HEARD: i64 = 150_000_000;
/// Sources that are told apart.
const LANES: usize = 4;
/// What is held of one source at most: pictures, packets of one picture, and bytes.
const MOST_WHOLE: usize = 50;
const MOST_PACKETS: usize = 8192;
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Pictures whose marker was right before it is relied on.
const CONFIRMED: u32 = 3;
/// A greater step of sequence numbers is a new beginning, not a loss.
const MOST_LOST: u16 = 3000;

/// One picture.
#[derive(Debug)]
pub(in crate::ingest::rtsp) struct AccessUnit {
    /// In order.
    pub(in crate::ingest::rtsp) packets: Vec<BytesMut>,
    pub(in crate::ingest::rtsp) content: Content,
    pub(in crate::ingest::rtsp) time: MediaTime,
    pub(in crate::ingest::rtsp) arrived: MediaTime,
    /// Something before its end is missing.
    pub(in crate::ingest::rtsp) lost: bool,
    /// It does not continue what came before.
    pub(in crate::ingest::rtsp) cut: bool,
}

/// Packets of one picture, until its time is known.
#[derive(Debug, Default)]
struct Raw {
    packets: Vec<BytesMut>,
    bytes: usize,
    content: Content,
    timestamp: u32,
    arrived: MediaTime,
    lost: bool,
    /// The last part of the picture so far had the marker.
    marked: bool,
}

#[derive(Debug)]
struct Lane {
    ssrc: u32,
    payload_type: u8,
    open: Raw,
    whole: VecDeque<Raw>,
    /// Whether its parameter sets are those of the description.
    ours: Option<bool>,
    /// Since when it waits to be listened to.
    since: Option<MediaTime>,
    next: Option<u16>,
    markers: Markers,
}

/// Whether the marker bit ends a picture.
#[derive(Debug, Default)]
struct Markers {
    confirmed: u32,
    lie: bool,
    /// Timestamp of a picture that was ended by its marker.
    ended: Option<u32>,
}

/// Sorts the packets of one session.
pub(in crate::ingest::rtsp) struct AccessUnits {
    encoding: Encoding,
    payload_type: u8,
    /// The source that the camera has announced.
    ssrc: Option<u32>,
    sets: Vec<Vec<u8>>,
    lanes: Vec<Lane>,
    chosen: Option<(u32, u8)>,
    times: Times,
    /// The next picture does not continue the last.
    cut: bool,
}

impl AccessUnits {
    /// For the packets of `track`, in `encoding`, from the source `ssrc` where that is known.
    pub(in crate::ingest::rtsp) fn new(
        track: &Track,
        encoding: Encoding,
        ssrc: Option<u32>,
    ) -> Self {
        Self {
            encoding,
            payload_type: track.payload_type,
            ssrc,
            sets: track.sets.clone(),
            lanes: Vec::new(),
            chosen: None,
            times: Times::new(track.clock_rate),
            cut: false,
        }
    }

    /// Takes a packet; gives the pictures that are whole now.
    pub(in crate::ingest::rtsp) fn packet(
        &mut self,
        mut packet: BytesMut,
        head: &Head,
        arrived: MediaTime,
    ) -> Vec<AccessUnit> {
        let at = self.lane(head);
        let lane = &mut self.lanes[at];
        let mut head = *head;
        if self.encoding != Encoding::Jpeg && strip_start_code(&mut packet, &head) {
            head = Head::read(&packet).unwrap_or(head);
        }
        let payload = head.payload(&packet);
        if set_kind(self.encoding, payload) == SPS && !self.sets.is_empty() {
            lane.ours = Some(self.sets.iter().any(|set| set == payload));
        }
        let content = Content::of(self.encoding, payload);
        lane.push(packet, &head, content, arrived);
        if lane.whole.is_empty() || !self.listened(at, arrived) {
            return Vec::new();
        }
        let whole = std::mem::take(&mut self.lanes[at].whole);
        whole.into_iter().map(|raw| self.placed(raw)).collect()
    }

    /// Whether part of a keyframe has come, and not yet all of it.
    pub(in crate::ingest::rtsp) fn amid_keyframe(&self) -> bool {
        let open = |lane: &Lane| lane.open.content.key || lane.open.content.sets != 0;
        self.lanes.iter().any(open)
    }

    /// The source that is listened to (SSRC), once there is one.
    pub(in crate::ingest::rtsp) fn source(&self) -> Option<u32> {
        self.chosen.map(|(source, _)| source)
    }

    fn placed(&mut self, raw: Raw) -> AccessUnit {
        let placed = self.times.place(raw.timestamp, raw.arrived);
        AccessUnit {
            packets: raw.packets,
            content: raw.content,
            time: placed.time,
            arrived: raw.arrived,
            lost: raw.lost,
            cut: std::mem::take(&mut self.cut) || placed.corrected,
        }
    }

    fn lane(&mut self, head: &Head) -> usize {
        let key = (head.ssrc, head.payload_type);
        let known = self.lanes.iter().position(|lane| lane.key() == key);
        known.unwrap_or_else(|| {
            if self.lanes.len() >= LANES {
                let chosen = self.chosen;
                self.lanes.retain(|lane| Some(lane.key()) == chosen);
            }
            self.lanes.push(Lane::new(key));
            self.lanes.len() - 1
        })
    }

    /// Not what the description announces.
    fn strange(&self, lane: &Lane) -> bool {
        lane.payload_type != self.payload_type
            || lane.ours == Some(false)
            || self.ssrc.is_some_and(|ssrc| ssrc != lane.ssrc)
    }

    /// Whether the lane `at`, which has whole pictures, is the one that is listened to, perhaps from now on.
    fn listened(&mut self, at: usize, now: MediaTime) -> bool {
        let lane = &mut self.lanes[at];
        let since = *lane.since.get_or_insert(now);
        let (lane, key) = (&self.lanes[at], self.lanes[at].key());
        let ready = lane.whole.len() >= PICTURES;
        let strange = self.strange(lane);
        let chosen = self
            .lanes
            .iter()
            .find(|lane| Some(lane.key()) == self.chosen);
        let take = match chosen {
            Some(chosen) if chosen.key() == key => {
                // While it lives, nobody takes its place.
                for other in self.lanes.iter_mut().filter(|other| other.key() != key) {
                    other.whole.clear();
                    other.since = None;
                }
                self.lanes[at].since = None;
                return true;
            }
            Some(chosen) => {
                let better = !strange && self.strange(chosen);
                better || (ready && now - since >= HEARD)
            }
            None => !strange || ready,
        };
        if take {
            if let (Some(_), Some(first)) = (self.chosen, self.lanes[at].whole.front()) {
                self.times.switch(first.timestamp, first.arrived);
                self.cut = true;
            }
            self.chosen = Some(key);
            self.lanes[at].since = None;
        }
        take
    }
}

impl Lane {
    fn new((ssrc, payload_type): (u32, u8)) -> Self {
        Self {
            ssrc,
            payload_type,
            open: Raw::default(),
            whole: VecDeque::new(),
            ours: None,
            since: None,
            next: None,
            markers: Markers::default(),
        }
    }

    fn key(&self) -> (u32, u8) {
        (self.ssrc, self.payload_type)
    }

    fn push(&mut self, packet: BytesMut, head: &Head, content: Content, arrived: MediaTime) {
        let next = self.next.replace(head.sequence.wrapping_add(1));
        let missing = next.map_or(0, |next| head.sequence.wrapping_sub(next));
        let lost = (1..MOST_LOST).contains(&missing);
        let ended = self.open.packets.is_empty() && self.markers.ended == Some(head.timestamp);
        if missing == u16::MAX && (ended || self.open.packets.last() == Some(&packet)) {
            // Some cameras send every packet twice.
            return;
        }
        if self.open.content.picture {
            let moved_on = head.timestamp != self.open.timestamp;
            if self.open.marked && !moved_on && content.picture && !content.start && !lost {
                // The picture went on behind its marker.
                self.markers.lie = true;
            }
            if moved_on || (self.open.marked && content.start) {
                if self.open.marked {
                    self.markers.confirmed = self.markers.confirmed.saturating_add(1);
                }
                self.close();
            }
        } else if self.markers.ended == Some(head.timestamp)
            && content.picture
            && !content.start
            && !lost
        {
            self.markers.lie = true;
        }
        let open = &mut self.open;
        if open.packets.len() >= MOST_PACKETS || open.bytes + packet.len() > MOST_BYTES {
            // Nobody sends such a picture. The next one may be sound.
            *open = Raw {
                lost: true,
                ..Raw::default()
            };
        }
        if !open.content.picture {
            open.timestamp = head.timestamp;
            open.arrived = arrived;
        }
        open.bytes += packet.len();
        open.packets.push(packet);
        open.lost |= lost;
        open.content.picture |= content.picture;
        open.content.key |= content.key;
        open.content.sets |= content.sets;
        if content.picture || head.marker {
            open.marked = head.marker && open.content.picture;
        }
        if open.marked && self.markers.confirmed >= CONFIRMED && !self.markers.lie {
            self.markers.ended = Some(open.timestamp);
            self.close();
        }
    }

    fn close(&mut self) {
        self.whole.push_back(std::mem::take(&mut self.open));
        let bytes: usize = self.whole.iter().map(|raw| raw.bytes).sum();
        if (self.whole.len() > MOST_WHOLE || bytes > MOST_BYTES)
            && self.whole.pop_front().is_some()
            && let Some(first) = self.whole.front_mut()
        {
            first.lost = true;
        }
    }
}

#[cfg(test)]
#[path = "access_units_tests.rs"]
mod tests;
