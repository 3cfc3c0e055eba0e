//! The last groups of pictures of a stream, still encoded: what the decoder may need to go back to. Pure.

use std::{collections::VecDeque, time::Duration};

use crate::flow::{MediaTime, Packet};

/// Groups kept: the current one and those before it that a look back may need.
const GROUPS: usize = 3;
/// Most bytes kept, whatever the camera's keyframe interval.
const BYTES: usize = 32_000_000;

/// A keyframe and what follows it in decode order.
#[derive(Default)]
pub(super) struct Group {
    units: VecDeque<Packet>,
    /// Units that are gone from the front: the group cannot be decoded again.
    gone: usize,
    key_time: MediaTime,
}

/// Groups of pictures in decode order, the current one last.
#[derive(Default)]
pub(super) struct Ring {
    groups: VecDeque<Group>,
    bytes: usize,
    interval: Option<Duration>,
}

impl Ring {
    /// Adds a unit; whether it has a place, which is so from the first keyframe on. `fed` units of the current group
    /// are not needed any more to go on decoding.
    pub(super) fn push(&mut self, packet: Packet, fed: usize) -> bool {
        if packet.key {
            if let Some(current) = self.groups.back() {
                self.interval = Some(packet.time.since(current.key_time));
            }
            let key_time = packet.time;
            self.groups.push_back(Group {
                key_time,
                ..Group::default()
            });
        }
        let Some(current) = self.groups.back_mut() else {
            return false;
        };
        self.bytes += packet.data.len();
        current.units.push_back(packet);
        self.shrink(fed);
        true
    }

    fn shrink(&mut self, fed: usize) {
        while self.groups.len() > 1 && (self.groups.len() > GROUPS || self.bytes > BYTES) {
            let oldest = self.groups.pop_front().unwrap_or_default();
            self.bytes -= oldest.units.iter().map(|p| p.data.len()).sum::<usize>();
        }
        let Some(current) = self.groups.back_mut() else {
            return;
        };
        while self.bytes > BYTES && current.gone < fed {
            let Some(unit) = current.units.pop_front() else {
                return;
            };
            self.bytes -= unit.data.len();
            current.gone += 1;
        }
        if self.bytes > BYTES {
            // Nobody has decoded it and it is too much to keep: wait for the next keyframe.
            self.clear();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Number of units of the current group so far.
    pub(super) fn current_len(&self) -> usize {
        self.groups.back().map_or(0, |g| g.gone + g.units.len())
    }

    /// Whether the current group is kept from its keyframe on.
    pub(super) fn current_is_whole(&self) -> bool {
        self.groups.back().is_some_and(|g| g.gone == 0)
    }

    /// A unit of the current group by its number from the keyframe.
    pub(super) fn current_unit(&self, number: usize) -> Option<&Packet> {
        let current = self.groups.back()?;
        current.units.get(number.checked_sub(current.gone)?)
    }

    /// Time of the current group's keyframe.
    pub(super) fn key_time(&self) -> Option<MediaTime> {
        self.groups.back().map(|g| g.key_time)
    }

    /// Distance between the last two keyframes, once there were two.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.interval
    }

    /// Whole groups in decode order, from the last keyframe at or before `from` on, or from the oldest one kept.
    pub(super) fn since(&self, from: MediaTime) -> VecDeque<Packet> {
        let whole = |g: &&Group| g.gone == 0;
        let first = self.groups.iter().filter(whole);
        let start = first
            .map(|g| g.key_time)
            .filter(|&time| time <= from)
            .max()
            .unwrap_or(MediaTime::from_nanos(i64::MIN));
        self.groups
            .iter()
            .filter(whole)
            .filter(|g| g.key_time >= start)
            .flat_map(|g| g.units.iter().cloned())
            .collect()
    }
}
