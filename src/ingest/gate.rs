//! Where a run may begin: at a picture from which decoding can start, without those that need what came before it.

use super::parse::Unit;
use crate::flow::{Codec, MediaTime};

/// Lets units in from the first keyframe on. The leading pictures of an open GOP, which come after their key but are
/// shown before it and may refer to the GOP before, are kept out when the run starts at that key.
#[derive(Debug, Default)]
pub(super) enum StartGate {
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
    pub(super) fn lets_in(&mut self, unit: &Unit) -> bool {
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
