//! Why something that moved, or somebody who was seen, became no incident.

use crate::flow::{MediaTime, TrackId};

/// What became no incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// A track of the wanted kind.
    Track(TrackId),
    /// Motion that kept the camera awake.
    Motion,
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It was in the motion mask all the time.
    Masked,
    /// It was seen too few times, or too doubtfully.
    DidNotLast,
    /// It never moved of its own.
    NoMovement,
    /// It entered no required zone.
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
            Self::DidNotLast => "did not last",
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
    /// Best score of the track, 0..1; 0 for motion.
    pub score: f32,
}
