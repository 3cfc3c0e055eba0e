//! Greedy non-maximum suppression within each class.

use crate::flow::Detection;

/// Most boxes that are compared; a picture with more than this many above the floor is noise.
const MOST: usize = 1000;

/// Sorts `detections` by score, best first, and removes each one that overlaps a better one of its class by more
/// than `iou` (intersection over union).
pub(super) fn suppress(detections: &mut Vec<Detection>, iou: f32) {
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    detections.truncate(MOST);
    let mut kept = 0;
    for index in 0..detections.len() {
        let one = detections[index];
        let doubled = detections[..kept]
            .iter()
            .any(|better| better.label == one.label && better.rect.iou(&one.rect) > iou);
        if !doubled {
            detections[kept] = one;
            kept += 1;
        }
    }
    detections.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Label, NormRect};

    fn person(x: f32, score: f32) -> Detection {
        Detection {
            rect: NormRect::new(x, 0.1, x + 0.2, 0.6),
            label: Label::Person,
            score,
        }
    }

    #[test]
    fn the_better_of_two_stays_and_other_classes_do_not_count() {
        let dog = Detection {
            label: Label::Dog,
            ..person(0.11, 0.3)
        };
        let mut all = vec![person(0.12, 0.5), dog, person(0.1, 0.9), person(0.25, 0.4)];
        suppress(&mut all, 0.5);
        assert_eq!(all, [person(0.1, 0.9), person(0.25, 0.4), dog]);
    }

    #[test]
    fn a_suppressed_box_suppresses_nothing() {
        // b overlaps a, c overlaps b but not a.
        let mut all = vec![person(0.0, 0.9), person(0.06, 0.8), person(0.12, 0.7)];
        suppress(&mut all, 0.5);
        assert_eq!(all, [person(0.0, 0.9), person(0.12, 0.7)]);
        suppress(&mut Vec::new(), 0.5);
    }

    proptest::proptest! {
        #[test]
        fn what_is_left_does_not_overlap(boxes in proptest::collection::vec((0f32..1.0, 0f32..1.0), 0..60)) {
            let mut all: Vec<_> = boxes.iter().map(|&(x, score)| person(x, score)).collect();
            suppress(&mut all, 0.4);
            proptest::prop_assert!(all.is_sorted_by(|a, b| a.score >= b.score));
            for (i, a) in all.iter().enumerate() {
                proptest::prop_assert!(all[..i].iter().all(|b| a.rect.iou(&b.rect) <= 0.4));
            }
            proptest::prop_assert_eq!(all.is_empty(), boxes.is_empty());
        }
    }
}
