//! One object followed over looks.

use super::{Label, MediaTime, NormRect, TrackId};

/// How firmly the tracker believes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackState {
    /// Seen too few times to be believed.
    Tentative,
    /// Believed, and seen in the newest look.
    Tracked,
    /// Believed, but missed in the newest look; its place is predicted.
    Lost,
}

/// A track after a look.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Stable for the life of the track.
    pub id: TrackId,
    /// What.
    pub label: Label,
    /// Belief.
    pub state: TrackState,
    /// Where it is (filtered), or where it is predicted while lost.
    pub rect: NormRect,
    /// The detector's own box in the newest look; none while lost.
    pub seen: Option<NormRect>,
    /// Score of the newest detection.
    pub score: f32,
    /// Best score so far.
    pub top_score: f32,
    /// What its detections say for it, summed: believed from 1 on. A clear one says 1, a doubtful one less.
    pub evidence: f32,
    /// Looks in which it was seen.
    pub hits: u32,
    /// First detection.
    pub first_seen: MediaTime,
    /// Newest detection.
    pub last_seen: MediaTime,
    /// Box of the first detection.
    pub first_rect: NormRect,
    /// How far it has been, as a whole, from where it was first seen, at most, in its own heights. A box that only
    /// grows or shrinks, because the detector sees more or less of the same thing, has not travelled;
    /// nor has what only a swaying camera moved.
    pub travelled: f32,
    /// Velocity of the centre, share of the picture's width and height a second.
    pub velocity: (f32, f32),
    /// Where it was last seen and how it moved there took it out through the picture's edge.
    pub leaving: bool,
}
