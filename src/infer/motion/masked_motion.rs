//! What moves where the motion mask is, to be able to say that it was left out for that. From one look to the next only:
//! no background is kept of what nobody wants to know.

use super::regions::Finder;
use crate::flow::MotionRegion;

/// A cell has changed by this much luma more than the masked cells have in the mean, as at dusk.
const CHANGED: f32 = 24.0;

/// The masked cells of one camera at the last look.
#[derive(Debug, Default)]
pub(super) struct MaskedMotion {
    /// Luma of the masked cells, in order.
    before: Vec<u8>,
    changed: Vec<u8>,
    finder: Finder,
}

impl MaskedMotion {
    /// The largest patch of at least `least` of the picture that has changed since the last look where `masked` is; rows
    /// of `width` cells.
    pub(super) fn look(
        &mut self,
        luma: &[u8],
        masked: &[bool],
        width: usize,
        least: f32,
    ) -> Option<MotionRegion> {
        let now: Vec<u8> = luma
            .iter()
            .zip(masked)
            .filter_map(|(luma, masked)| masked.then_some(*luma))
            .collect();
        let before = std::mem::replace(&mut self.before, now);
        let now = &self.before;
        if now.is_empty() || before.len() != now.len() {
            return None;
        }
        let difference = |at: usize| f32::from(now[at]) - f32::from(before[at]);
        let mean = (0..now.len()).map(difference).sum::<f32>() / now.len() as f32;
        let mut at = 0;
        self.changed.clear();
        self.changed.extend(masked.iter().map(|masked| {
            let changed = *masked && (difference(at) - mean).abs() > CHANGED;
            at += usize::from(*masked);
            u8::from(changed)
        }));
        let (regions, _) = self.finder.find(&self.changed, width, least);
        regions.first().copied()
    }
}
