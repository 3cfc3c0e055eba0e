//! The last seconds of a stream as packets, for other uses than a clip.

use std::time::Duration;

use super::{continuity::Runs, preroll::Preroll};
use crate::{
    config::ClipConfig,
    flow::{MediaTime, Packet},
    recording::clip::recorder::BELIEF,
};

/// Keeps as much of a stream as a [`Recorder`](crate::recording::Recorder) does. The data of a packet is shared with it.
#[derive(Debug)]
pub struct Ring {
    pre_roll: Duration,
    runs: Runs,
    ring: Preroll,
}

impl Ring {
    /// An empty ring.
    #[must_use]
    pub fn new(config: &ClipConfig) -> Self {
        Self {
            pre_roll: config.pre_roll,
            runs: Runs::default(),
            ring: Preroll::new(config.pre_roll + BELIEF, config.pre_roll_bytes.0),
        }
    }

    /// Takes in the stream's next packet.
    pub fn push(&mut self, packet: &Packet) {
        if let Some(unit) = self.runs.admit(packet) {
            self.ring.push(unit);
        }
    }

    /// What a clip that starts at `start` shows and is here already: from the keyframe at or before `start` minus the
    /// pre-roll on.
    pub fn since(&self, start: MediaTime) -> impl Iterator<Item = &Packet> {
        let first = self.ring.keyframe_before(start.before(self.pre_roll));
        let units = first.map(|first| self.ring.units_from(first));
        units.into_iter().flatten().map(|unit| &unit.packet)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.ring.clear();
        self.runs.interrupt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::scripted::{Camera, at};

    #[test]
    fn it_begins_with_a_keyframe_before_the_pre_roll() {
        let mut ring = Ring::new(&ClipConfig::default());
        let mut camera = Camera::new(10);
        for _ in 0..300 {
            ring.push(&camera.picture());
        }
        let kept: Vec<_> = ring.since(at(25.0)).collect();
        assert!(kept[0].key);
        assert_eq!(kept[0].time, at(20.0));
        assert_eq!(kept.last().unwrap().time, at(29.9));
        ring.clear();
        assert_eq!(ring.since(at(25.0)).count(), 0);
    }
}
