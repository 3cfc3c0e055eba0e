//! Greedy non-maximum suppression within each class, over one look or several parts of a picture.
//!
//! Looks at several parts see the same person at several scales, and their boxes differ more than those of one look. So
//! across looks less overlap is enough to be the same, and the closer look ranks first.

use crate::flow::{Detection, NormRect};

/// Most boxes that are compared; a picture with more than this many above the floor is noise.
const MOST: usize = 1000;

/// A box that touches an inner edge of the part that was looked at, to within this share of the part's size, is a
/// piece of something larger ...
const EDGE: f32 = 0.02;
/// ... and goes when at least this share of it lies in a whole box of its class.
const PIECE: f32 = 0.6;

/// Overlap from which boxes of two looks show the same thing ...
const ACROSS_LOOKS: f32 = 0.35;
/// ... as they do where this share of the smaller lies in the larger.
const WITHIN: f32 = 0.75;
/// What a closer look is worth, in score.
const CLOSER: f32 = 0.15;

/// A box as one look found it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::infer) struct Found {
    /// The box, in the whole picture.
    pub detection: Detection,
    /// Number of the look; the look at the whole picture has none.
    pub close_up: Option<usize>,
    /// It ends where the part that was looked at ends.
    pub cut: bool,
}

/// Whether a box found in the part `region` may have been cut by the part's edge (the picture's own edges cut nothing
/// that another look could see).
pub(in crate::infer) fn is_cut(rect: &NormRect, region: &NormRect) -> bool {
    let (w, h) = (EDGE * region.width(), EDGE * region.height());
    (region.x0 > 0.0 && rect.x0 <= region.x0 + w)
        || (region.y0 > 0.0 && rect.y0 <= region.y0 + h)
        || (region.x1 < 1.0 && rect.x1 >= region.x1 - w)
        || (region.y1 < 1.0 && rect.y1 >= region.y1 - h)
}

/// One box for each thing that was found, best first: a box goes if it overlaps a better one of its class by more than
/// `iou` (intersection over union). Cut boxes rank behind all whole ones, and go as pieces of those, too.
pub(in crate::infer) fn merge(mut found: Vec<Found>, iou: f32) -> Vec<Detection> {
    let score = |one: &Found| {
        let closer = if one.close_up.is_some() { CLOSER } else { 0.0 };
        one.detection.score + closer
    };
    found.sort_by(|a, b| a.cut.cmp(&b.cut).then(score(b).total_cmp(&score(a))));
    found.truncate(MOST);
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        let gone = kept.iter().any(|better| same(&one, better, iou));
        if !gone {
            kept.push(one);
        }
    }
    let mut all: Vec<Detection> = kept.into_iter().map(|one| one.detection).collect();
    all.sort_by(|a, b| b.score.total_cmp(&a.score));
    all
}

/// Whether `one` shows what the better one shows already.
fn same(one: &Found, better: &Found, iou: f32) -> bool {
    let (rect, known) = (&one.detection.rect, &better.detection.rect);
    let common = rect.intersection(known).area();
    let piece = one.cut && !better.cut && common >= PIECE * rect.area();
    let overlap = rect.iou(known);
    let alike = if one.close_up == better.close_up {
        overlap > iou
    } else {
        overlap > iou.min(ACROSS_LOOKS) || common >= WITHIN * rect.area().min(known.area())
    };
    one.detection.label == better.detection.label && (alike || piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Label;

    fn suppress(all: &mut Vec<Detection>, iou: f32) {
        let whole = |detection: &Detection| Found {
            detection: *detection,
            close_up: None,
            cut: false,
        };
        *all = merge(all.iter().map(whole).collect(), iou);
    }

    fn person(x: f32, score: f32) -> Detection {
        Detection {
            rect: NormRect::new(x, 0.1, x + 0.2, 0.6),
            label: Label::Person,
            score,
            clothes: None,
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

    #[test]
    fn a_person_cut_by_a_parts_edge_is_not_two() {
        let region = NormRect::new(0.3, 0.0, 0.7, 0.5);
        let whole = person(0.4, 0.5);
        let upper = Detection {
            rect: NormRect::new(0.4, 0.1, 0.6, 0.5),
            score: 0.9,
            ..whole
        };
        let corner = Detection {
            rect: NormRect::new(0.42, 0.35, 0.55, 0.5),
            score: 0.8,
            ..whole
        };
        assert!(is_cut(&upper.rect, &region) && is_cut(&corner.rect, &region));
        assert!(!is_cut(&whole.rect, &NormRect::FULL));
        assert!(
            !is_cut(&NormRect::new(0.4, 0.0, 0.6, 0.3), &region),
            "the picture's own edge"
        );
        let cut = [upper, corner].map(|detection| Found {
            detection,
            close_up: Some(0),
            cut: true,
        });
        let all = [
            cut.as_slice(),
            &[Found {
                detection: whole,
                close_up: None,
                cut: false,
            }],
        ]
        .concat();
        assert_eq!(merge(all, 0.5), [whole]);
        // Where nobody saw the whole, the pieces are better than nothing.
        assert_eq!(merge(cut.to_vec(), 0.5), [upper, corner]);
    }

    #[test]
    fn the_closer_look_is_believed_and_neighbours_in_it_stay_two() {
        let close = |x: f32, score: f32| Found {
            detection: person(x, score),
            close_up: Some(0),
            cut: false,
        };
        let from_afar = Found {
            detection: person(0.14, 0.65),
            close_up: None,
            cut: false,
        };
        let neighbours = [close(0.1, 0.6), close(0.2, 0.55)];
        let all = [neighbours.as_slice(), &[from_afar]].concat();
        assert_eq!(merge(all, 0.5), [person(0.1, 0.6), person(0.2, 0.55)]);
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
