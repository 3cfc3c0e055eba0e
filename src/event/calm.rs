//! For how long nothing has changed: the same patches of motion in the same places, or none.
//!
//! Somebody who sits or stands is a patch of foreground, look after look; what changes is worth looking at.

use std::time::Duration;

use crate::flow::{MediaTime, NormRect};

/// Least overlap of a patch with itself from look to look: an arm may move, a step may not.
const SAME_PATCH: f32 = 0.6;

/// What the picture has looked like since when.
#[derive(Debug, Default)]
pub(super) struct UnchangedScene {
    patches: Vec<NormRect>,
    since: Option<MediaTime>,
    newest: MediaTime,
}

impl UnchangedScene {
    /// Takes in the patches of motion of a look; none at all while the background is not known.
    pub(super) fn look(&mut self, time: MediaTime, patches: Option<Vec<NormRect>>) {
        self.newest = time;
        match patches {
            Some(patches) if self.since.is_some() && same(&self.patches, &patches) => {}
            Some(patches) => (self.patches, self.since) = (patches, Some(time)),
            None => self.since = None,
        }
    }

    /// How long it has lasted up to the newest look.
    pub(super) fn lasted(&self) -> Duration {
        self.since
            .map_or(Duration::ZERO, |since| self.newest.since(since))
    }

    /// Since when nothing at all has moved, and for how long.
    pub(super) fn still(&self) -> Option<(MediaTime, Duration)> {
        self.since
            .filter(|_| self.patches.is_empty())
            .map(|since| (since, self.lasted()))
    }
}

fn same(before: &[NormRect], now: &[NormRect]) -> bool {
    let in_place = |patch: &NormRect, others: &[NormRect]| {
        others.iter().any(|other| patch.iou(other) >= SAME_PATCH)
    };
    before.iter().all(|patch| in_place(patch, now))
        && now.iter().all(|patch| in_place(patch, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u32) -> MediaTime {
        MediaTime::from_secs_f64(f64::from(seconds))
    }

    fn body(x: f32) -> NormRect {
        NormRect::new(x, 0.3, x + 0.1, 0.7)
    }

    #[test]
    fn one_who_sits_is_calm_and_whoever_comes_ends_it() {
        let mut calm = UnchangedScene::default();
        for second in 0..20 {
            let shifts = 0.005 * (second % 3) as f32;
            calm.look(at(second), Some(vec![body(0.4 + shifts)]));
        }
        assert_eq!(calm.lasted(), Duration::from_secs(19));
        assert_eq!(calm.still(), None, "somebody is there");
        calm.look(at(20), Some(vec![body(0.4), body(0.9)]));
        assert_eq!(calm.lasted(), Duration::ZERO);
    }

    #[test]
    fn a_walk_is_no_calm() {
        let mut calm = UnchangedScene::default();
        for second in 0..20 {
            calm.look(at(second), Some(vec![body(0.04 * second as f32)]));
            assert!(calm.lasted() <= Duration::from_secs(1));
        }
    }

    #[test]
    fn still_is_when_nothing_moves_and_the_background_is_known() {
        let mut calm = UnchangedScene::default();
        calm.look(at(1), Some(vec![body(0.5)]));
        calm.look(at(2), Some(vec![]));
        calm.look(at(5), Some(vec![]));
        assert_eq!(calm.still(), Some((at(2), Duration::from_secs(3))));
        calm.look(at(6), None);
        assert_eq!(calm.still(), None);
    }
}
