//! The last seconds of a stream as it came, so that a clip can begin before its incident was believed.
//!
//! In: the units of one stream. Out: the units from the last keyframe at or before a time. Always whole GOPs, the
//! oldest first; bounded by time and by bytes. A single GOP that is larger than the byte bound is dropped as a whole,
//! and nothing is kept until the next keyframe: without its keyframe none of it could be decoded, and memory must stay
//! bounded on a camera that sends a keyframe an hour. Packets on both sides of a break are kept; they know their runs.

use std::{collections::VecDeque, time::Duration};

use super::runs::Unit;
use crate::flow::MediaTime;

/// A ring of whole GOPs.
#[derive(Debug)]
pub(super) struct Preroll {
    span: Duration,
    most_bytes: u64,
    units: VecDeque<Unit>,
    /// Numbers of the keyframes in `units`.
    keys: VecDeque<u64>,
    bytes: u64,
}

impl Preroll {
    /// Keeps at least the last `span` where `most_bytes` allow it.
    pub(super) fn new(span: Duration, most_bytes: u64) -> Self {
        Self {
            span,
            most_bytes,
            units: VecDeque::new(),
            keys: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Takes in the stream's next unit.
    pub(super) fn push(&mut self, unit: Unit) {
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
    pub(super) fn first_seq(&self) -> Option<u64> {
        self.keys.front().copied()
    }

    /// Number of the last keyframe at or before `time`, or else of the oldest keyframe.
    pub(super) fn keyframe_before(&self, time: MediaTime) -> Option<u64> {
        let before = |&&key: &&u64| self.units[self.index(key)].at <= time;
        self.keys
            .iter()
            .rev()
            .find(before)
            .or(self.keys.front())
            .copied()
    }

    /// The units from number `seq` on.
    pub(super) fn units_from(&self, seq: u64) -> impl Iterator<Item = &Unit> {
        self.units.iter().skip(self.index(seq))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.units.clear();
        self.keys.clear();
        self.bytes = 0;
    }
}
