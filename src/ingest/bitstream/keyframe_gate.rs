//! Where a run may begin: at a picture from which decoding can start, without those that need what came before it. Pure.

use super::unit::Unit;
use crate::flow::{Codec, MediaTime};

/// Lets units in from the first keyframe on. The leading pictures of an open GOP, which come after their key but are
/// shown before it and may refer to the GOP before, are kept out when the run starts at that key.
#[derive(Debug, Default)]
pub(in crate::ingest) enum StartGate {
    /// No keyframe yet.
    #[default]
    Closed,
    /// After a first key of an open GOP.
    Leading(MediaTime),
    /// Everything passes.
    Open,
}

impl StartGate {
    /// Whether `unit`, the next in decode order and with a time, belongs to the run.
    pub(in crate::ingest) fn lets_in(&mut self, unit: &Unit) -> bool {
        let pts = unit.pts.unwrap_or_default();
        match *self {
            Self::Closed if !unit.key => false,
            Self::Closed => {
                *self = match unit.facts.open {
                    true => Self::Leading(pts),
                    false => Self::Open,
                };
                true
            }
            Self::Leading(key) if pts < key => {
                unit.format.codec == Codec::H265 && !unit.facts.skipped_leading
            }
            Self::Leading(_) => {
                *self = Self::Open;
                true
            }
            Self::Open => true,
        }
    }
}

/// Makes entry points of recovery points where no keyframes come: with intra refresh a stream has one keyframe at its start, if
/// that, and then only points from which so many pictures on everything is whole again.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Entries {
    /// There was somewhere to begin.
    begun: bool,
    /// Recovery points since the last keyframe.
    points: u32,
}

impl Entries {
    /// Calls `unit`, the next in decode order, a keyframe if decoding has to begin there. A recovery point between two keyframes is
    /// left alone: those serve better.
    pub(in crate::ingest) fn mark(&mut self, unit: &mut Unit) {
        if unit.key {
            (self.begun, self.points) = (true, 0);
        } else if unit.facts.recovery.is_some() {
            self.points = self.points.saturating_add(1);
            unit.key = !self.begun || self.points > 1;
            self.begun = true;
        }
    }
}
