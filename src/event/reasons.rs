//! Why something that moved, or somebody who was seen, became no incident.

use crate::flow::{MediaTime, NormRect, TrackId};

/// What became no incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// A track of a wanted kind.
    Track(TrackId),
    /// Motion.
    Motion,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It was in the motion mask all the time.
    Masked,
    /// It was smaller than the smallest person that matters.
    TooSmall,
    /// It was seen too few times.
    DidNotLast,
    /// It never scored enough.
    LowScore,
    /// It was in a place that keeps giving doubtful boxes, and no surer than those.
    DoubtfulPlace,
    /// It never moved of its own.
    NoMovement,
    /// It entered no required zone and crossed no required line.
    OutsideZones,
    /// Something moved, and nobody was seen.
    NoPerson,
}

impl Reason {
    /// The name in logs and explanations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::TooSmall => "too small",
            Self::DidNotLast => "did not last",
            Self::LowScore => "score too low",
            Self::DoubtfulPlace => "in a place that keeps giving doubtful boxes",
            Self::NoMovement => "no movement of its own",
            Self::OutsideZones => "outside the required zones",
            Self::NoPerson => "motion without a person",
        }
    }
}

/// Something that became no incident, told once, when it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// What.
    pub what: Refused,
    /// Why.
    pub reason: Reason,
    /// When it was first noticed.
    pub from: MediaTime,
    /// When it was over.
    pub to: MediaTime,
    /// Best score, 0..1: of the track; or of any box seen while something moved.
    pub score: f32,
    /// Looks in which it was seen; 0 for motion.
    pub looks: u32,
    /// Where it was last seen; for motion, its largest patch.
    pub place: Option<NormRect>,
}
