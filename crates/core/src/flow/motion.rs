//! What moved in a picture.

use std::sync::Arc;

use super::{Changes, MediaTime, NormRect};

/// A connected patch of foreground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionRegion {
    /// Where.
    pub rect: NormRect,
    /// Share of the picture's pixels that are foreground in it, 0..1.
    pub score: f32,
}

/// The motion model's answer for one look.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionReport {
    /// Time of the picture.
    pub time: MediaTime,
    /// Share of the picture that is foreground, 0..1, masked places left out.
    pub score: f32,
    /// Largest first; masked places left out.
    pub regions: Vec<MotionRegion>,
    /// The largest patch that was too small to be a region.
    pub small: Option<MotionRegion>,
    /// The largest patch that changed where the motion mask is.
    pub masked: Option<MotionRegion>,
    /// The largest patch that differs from the picture in which persons were last looked for, whether or not it is
    /// foreground: who stands still fades into the background, but is not yet looked at.
    pub unseen: Option<MotionRegion>,
    /// What changed within the last moment; none while there is nothing to compare with.
    pub changes: Option<Arc<Changes>>,
    /// False while the background is still being learnt: then there are no regions.
    pub settled: bool,
}

impl MotionReport {
    /// Whether anything moved.
    #[must_use]
    pub fn moving(&self) -> bool {
        !self.regions.is_empty()
    }
}
