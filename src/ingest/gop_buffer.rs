//! The current group of pictures of a stream, still encoded: what the decoder may need to go back to. Pure.

use std::{collections::VecDeque, time::Duration};

use crate::flow::{MediaTime, Packet};

/// Most bytes kept, whatever the camera's keyframe interval.
const BYTES: usize = 32_000_000;

/// A keyframe and what follows it, in decode order.
#[derive(Default)]
pub(super) struct GopBuffer {
    units: VecDeque<Packet>,
    /// Units that are gone from the front: the group cannot be decoded from its keyframe again.
    gone: usize,
    bytes: usize,
    key_time: Option<MediaTime>,
    interval: Option<Duration>,
}

impl GopBuffer {
    /// Adds a unit; whether it has a place, which is so from the first keyframe on. A keyframe begins the group anew.
    /// `fed` units of the current group are not needed any more to go on decoding.
    pub(super) fn push(&mut self, packet: Packet, fed: usize) -> bool {
        if packet.key {
            let interval = self.key_time.map(|before| packet.time.since(before));
            *self = Self {
                key_time: Some(packet.time),
                interval: interval.or(self.interval),
                ..Self::default()
            };
        }
        if self.key_time.is_none() {
            return false;
        }
        self.bytes += packet.data.len();
        self.units.push_back(packet);
        while self.bytes > BYTES && self.gone < fed {
            let Some(unit) = self.units.pop_front() else {
                break;
            };
            self.bytes -= unit.data.len();
            self.gone += 1;
        }
        if self.bytes > BYTES {
            // Nobody has decoded it and it is too much to keep: wait for the next keyframe.
            self.clear();
        }
        true
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Number of units of the group so far.
    pub(super) fn current_len(&self) -> usize {
        self.gone + self.units.len()
    }

    /// Whether the group is kept from its keyframe on.
    pub(super) fn current_is_whole(&self) -> bool {
        self.key_time.is_some() && self.gone == 0
    }

    /// A unit of the group by its number from the keyframe.
    pub(super) fn current_unit(&self, number: usize) -> Option<&Packet> {
        self.units.get(number.checked_sub(self.gone)?)
    }

    /// Time of the group's keyframe.
    pub(super) fn key_time(&self) -> Option<MediaTime> {
        self.key_time
    }

    /// Distance between the last two keyframes, once there were two.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.interval
    }
}
