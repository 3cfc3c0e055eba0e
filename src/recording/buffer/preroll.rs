//! The last seconds of a stream as it came, so that a clip can begin before its incident was believed.
//!
//! In: the units of one stream. Out: the units from the last keyframe at or before a time. Always whole GOPs, the
//! oldest first; bounded by time and by bytes. A single GOP that is larger than the byte bound is dropped as a whole,
//! and nothing is kept until the next keyframe: without its keyframe none of it could be decoded, and memory must stay
//! bounded on a camera that sends a keyframe an hour. Packets on both sides of a break are kept; they know their runs.

use std::{collections::VecDeque, time::Duration};

use super::continuity::Unit;
use crate::flow::MediaTime;

/// A ring of whole GOPs.
#[derive(Debug)]
pub(in crate::recording) struct Preroll {
    span: Duration,
    most_bytes: u64,
    units: VecDeque<Unit>,
    /// Numbers of the keyframes in `units`.
    keys: VecDeque<u64>,
    bytes: u64,
}

impl Preroll {
    /// Keeps at least the last `span` where `most_bytes` allow it.
    pub(in crate::recording) fn new(span: Duration, most_bytes: u64) -> Self {
        Self {
            span,
            most_bytes,
            units: VecDeque::new(),
            keys: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Takes in the stream's next unit.
    pub(in crate::recording) fn push(&mut self, unit: Unit) {
        if unit.packet.key {
            self.keys.push_back(unit.seq);
        } else if self.units.is_empty() {
            return;
        }
        let horizon = unit.at.before(self.span);
        self.bytes += unit.packet.data.len() as u64;
        self.units.push_back(unit);
        while self.first_gop_can_go(horizon) {
            self.drop_first_gop();
        }
    }

    fn first_gop_can_go(&self, horizon: MediaTime) -> bool {
        let not_needed = self
            .keys
            .get(1)
            .is_some_and(|&second| self.units[self.index(second)].at <= horizon);
        not_needed || self.bytes > self.most_bytes
    }

    fn drop_first_gop(&mut self) {
        self.keys.pop_front();
        let end = self
            .keys
            .front()
            .map_or(self.units.len(), |&key| self.index(key));
        for unit in self.units.drain(..end) {
            self.bytes -= unit.packet.data.len() as u64;
        }
    }

    /// Units are numbered without gaps, so a number is a place.
    fn index(&self, seq: u64) -> usize {
        let first = self.units.front().map_or(seq, |unit| unit.seq);
        usize::try_from(seq.saturating_sub(first)).expect("the ring fits in memory")
    }

    /// Number of the oldest unit, a keyframe.
    pub(in crate::recording) fn first_seq(&self) -> Option<u64> {
        self.keys.front().copied()
    }

    /// Number of the newest keyframe.
    pub(in crate::recording) fn newest_key(&self) -> Option<u64> {
        self.keys.back().copied()
    }

    /// Number of the last keyframe at or before `time`, or else of the oldest keyframe.
    pub(in crate::recording) fn keyframe_before(&self, time: MediaTime) -> Option<u64> {
        let before = |&&key: &&u64| self.units[self.index(key)].at <= time;
        self.keys
            .iter()
            .rev()
            .find(before)
            .or(self.keys.front())
            .copied()
    }

    /// The units from number `seq` on.
    pub(in crate::recording) fn units_from(&self, seq: u64) -> impl Iterator<Item = &Unit> {
        self.units.iter().skip(self.index(seq))
    }

    /// Forgets everything.
    pub(in crate::recording) fn clear(&mut self) {
        self.units.clear();
        self.keys.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{
        buffer::continuity::Runs,
        scripted::{Camera, at},
    };

    /// A ring that has seen `pictures` of a camera with a keyframe each `gop` pictures of 100 bytes.
    fn ring(span: f64, most_bytes: u64, gop: u64, pictures: u64) -> Preroll {
        let mut ring = Preroll::new(Duration::from_secs_f64(span), most_bytes);
        let (mut runs, mut camera) = (Runs::default(), Camera::new(gop));
        for _ in 0..pictures {
            ring.push(runs.admit(&camera.picture()).unwrap());
        }
        ring
    }

    #[test]
    fn keeps_whole_gops_that_cover_its_span() {
        let ring = ring(3.0, 1 << 20, 10, 58); // the newest is shown at 5.7 s
        assert_eq!(ring.first_seq(), Some(20));
        assert_eq!(ring.units.len(), 38);
        assert_eq!(ring.bytes, 3800);
    }

    #[test]
    fn bytes_bound_it_by_whole_gops() {
        let ring = ring(60.0, 2500, 10, 58);
        assert_eq!(ring.first_seq(), Some(40));
        assert!(ring.bytes <= 2500);
    }

    #[test]
    fn a_gop_larger_than_the_bound_is_dropped_until_the_next_keyframe() {
        assert_eq!(ring(3.0, 2500, 50, 49).first_seq(), None);
        let ring = ring(3.0, 2500, 50, 60);
        assert_eq!(ring.first_seq(), Some(50));
        assert_eq!(ring.bytes, 1000);
    }

    #[test]
    fn reaches_back_to_the_keyframe_before() {
        let ring = ring(30.0, 1 << 20, 10, 58);
        assert_eq!(ring.keyframe_before(at(3.0)), Some(30));
        assert_eq!(ring.keyframe_before(at(2.95)), Some(20));
        assert_eq!(ring.keyframe_before(at(-1.0)), Some(0));
        assert_eq!(
            ring.units_from(55).map(|unit| unit.seq).collect::<Vec<_>>(),
            [55, 56, 57]
        );
    }

    #[test]
    fn forgets_when_told() {
        let mut ring = ring(30.0, 1 << 20, 10, 58);
        ring.clear();
        assert_eq!(ring.keyframe_before(at(3.0)), None);
        assert_eq!(ring.units_from(0).count(), 0);
    }
}
