//! Pictures of the past: how a visit began before anybody was sure of it.

use std::collections::VecDeque;

use super::decode::{DecodeError, Decoder};
use crate::flow::{Frame, MediaTime, Packet};

/// Pictures of the past, decoded one by one as they are asked for.
pub struct LookBack {
    units: VecDeque<Packet>,
    decoder: Option<Decoder>,
    frames: VecDeque<Frame>,
    before: MediaTime,
}

impl LookBack {
    /// The pictures of `units`, which begin with a keyframe, that are shown before `before`. `make` makes the decoder.
    pub(super) fn new(
        mut units: VecDeque<Packet>,
        before: MediaTime,
        make: impl FnOnce(&Packet) -> Result<Decoder, DecodeError>,
    ) -> Result<Self, DecodeError> {
        // In decode order everything up to the last unit that is shown before `before` may be needed.
        let last = units.iter().rposition(|unit| unit.time < before);
        units.truncate(last.map_or(0, |last| last + 1));
        Ok(Self {
            decoder: units.front().map(make).transpose()?,
            units,
            frames: VecDeque::new(),
            before,
        })
    }
}

impl Iterator for LookBack {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let decoder = self.decoder.as_mut()?;
        loop {
            if let Some(frame) = self.frames.pop_front() {
                if frame.time < self.before {
                    return Some(frame);
                }
            } else if let Some(unit) = self.units.pop_front() {
                // A damaged unit costs its own picture; what depends on it is still worth a look into the past.
                self.frames
                    .extend(decoder.decode(&unit).unwrap_or_default());
                if self.units.is_empty() {
                    self.frames.extend(decoder.drain());
                }
            } else {
                return None;
            }
        }
    }
}
