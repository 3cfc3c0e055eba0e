//! Places that keep giving boxes that come to nothing: a sign, a bush, a coat on a hook.
//!
//! What was refused without having left its place is remembered. Who is seen there next must bring more evidence, the
//! more often the place was wrong, and must travel: it does not count as having come into an empty place.

use std::time::Duration;

use crate::flow::{Label, MediaTime, NormRect};

/// A place that gave nothing for this long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
/// Least overlap of two boxes in one place.
const SAME_PLACE: f32 = 0.5;
/// Who scores better than all that was seen in such a place, by this much, is somebody else.
const SOMEBODY_ELSE: f32 = 0.15;
/// Most places; the oldest goes.
const MOST: usize = 64;

/// One such place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FalsePositive {
    rect: NormRect,
    label: Label,
    /// Best score that was refused here.
    top_score: f32,
    /// How often.
    pub(super) times: u32,
    last: MediaTime,
}

impl FalsePositive {
    /// Whether such a score may be of what was refused here.
    pub(super) fn gave(&self, score: f32) -> bool {
        score < self.top_score + SOMEBODY_ELSE
    }
}

/// All such places of a camera.
#[derive(Debug, Default)]
pub(super) struct FalsePositiveMap(Vec<FalsePositive>);

impl FalsePositiveMap {
    /// Something was refused here.
    pub(super) fn refused(&mut self, label: Label, rect: NormRect, score: f32, now: MediaTime) {
        if let Some(known) = self.0.iter_mut().find(|false_positive| {
            false_positive.label == label && false_positive.rect.iou(&rect) >= SAME_PLACE
        }) {
            known.rect = rect;
            known.top_score = known.top_score.max(score);
            known.times += 1;
            known.last = now;
            return;
        }
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(FalsePositive {
            rect,
            label,
            top_score: score,
            times: 1,
            last: now,
        });
    }

    /// What is known of this place.
    pub(super) fn of(
        &mut self,
        label: Label,
        rect: &NormRect,
        now: MediaTime,
    ) -> Option<&FalsePositive> {
        self.0
            .retain(|false_positive| now.since(false_positive.last) < FORGOTTEN_AFTER);
        self.0
            .iter()
            .filter(|false_positive| false_positive.label == label)
            .map(|false_positive| (false_positive.rect.iou(rect), false_positive))
            .filter(|(overlap, _)| *overlap >= SAME_PLACE)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, false_positive)| false_positive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> MediaTime {
        MediaTime::from_secs_f64(seconds)
    }

    #[test]
    fn a_place_is_remembered_for_an_hour_and_by_label() {
        let sign = NormRect::new(0.1, 0.2, 0.2, 0.6);
        let mut memory = FalsePositiveMap::default();
        memory.refused(Label::Person, sign, 0.5, at(0.0));
        memory.refused(Label::Person, sign.grown(0.05), 0.45, at(60.0));
        let known = memory.of(Label::Person, &sign, at(61.0)).unwrap();
        assert_eq!((known.times, known.top_score), (2, 0.5));
        assert!(memory.of(Label::Dog, &sign, at(61.0)).is_none());
        let beside = NormRect::new(0.2, 0.2, 0.3, 0.6);
        assert!(memory.of(Label::Person, &beside, at(61.0)).is_none());
        assert!(memory.of(Label::Person, &sign, at(3700.0)).is_none());
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let mut memory = FalsePositiveMap::default();
        for n in 0..1000u32 {
            let x = n as f32 / 1000.0;
            let rect = NormRect::new(x, 0.0, x + 0.0005, 0.1);
            memory.refused(Label::Person, rect, 0.5, at(f64::from(n)));
        }
        assert_eq!(memory.0.len(), MOST);
    }
}
