//! The newest two groups of pictures of a stream that somebody watches.
//!
//! Two, so that a viewer who is one picture late when a keyframe comes loses nothing. A viewer is a number in here; what has
//! fallen off the end is lost to who was slower than that.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::Bytes;

use super::decode_time::Timing;

/// Groups of pictures that are kept.
const GROUPS: usize = 2;
/// Bytes that are kept at most; a stream whose groups are larger is shown from its next keyframe on.
const MOST_BYTES: usize = 24_000_000;

/// What pictures need before them.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) codecs: Arc<str>,
    pub(super) bytes: Bytes,
}

/// One picture.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) key: bool,
    pub(super) droppable: bool,
    pub(super) timing: Timing,
    /// When it came here.
    pub(super) at: Instant,
    pub(super) header: Arc<Header>,
    pub(super) data: Bytes,
}

/// Units by number, without gaps.
#[derive(Debug, Default)]
pub(super) struct Ring {
    units: VecDeque<Unit>,
    /// Number of the first unit.
    first: u64,
    keys: VecDeque<u64>,
    bytes: usize,
}

impl Ring {
    /// Takes in the next unit.
    pub(super) fn push(&mut self, unit: Unit) {
        let number = self.first + self.units.len() as u64;
        if unit.key {
            self.keys.push_back(number);
        } else if self.keys.is_empty() {
            return;
        }
        self.bytes += unit.data.len();
        self.units.push_back(unit);
        while self.keys.len() > GROUPS || (self.bytes > MOST_BYTES && self.keys.len() > 1) {
            self.keys.pop_front();
            let until = self.keys.front().copied().unwrap_or(self.first);
            self.drop_until(until);
        }
        if self.bytes > MOST_BYTES {
            self.clear();
        }
    }

    fn drop_until(&mut self, number: u64) {
        while self.first < number
            && let Some(unit) = self.units.pop_front()
        {
            self.bytes -= unit.data.len();
            self.first += 1;
        }
    }

    /// Forgets everything but how far it has counted.
    pub(super) fn clear(&mut self) {
        self.first += self.units.len() as u64;
        self.units.clear();
        self.keys.clear();
        self.bytes = 0;
    }

    /// Number of the first unit that is kept.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Number of the newest keyframe.
    pub(super) fn newest_key(&self) -> Option<u64> {
        self.keys.back().copied()
    }

    /// The unit of `number`, if it is here.
    pub(super) fn get(&self, number: u64) -> Option<&Unit> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.units.get(at)
    }
}
