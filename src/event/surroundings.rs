//! What is known of a picture beside the boxes of persons, and what of it belongs to one of them.
//!
//! In: foreground, and the cells that changed within the last moment. Out: for a box, whether foreground is its own, and
//! how much of it moves.

use crate::flow::{Changes, MotionRegion, NormRect};

/// Share of a box that foreground of its own must cover.
const COVERED: f32 = 0.3;
/// Share of a patch of foreground that must lie in the box for the patch to be the box's own.
const OWN: f32 = 0.5;
/// Share of its cells that change in a look, at least, when one moves without going anywhere: works, turns ...
const STIRS: f32 = 0.03;
/// ... so many times the share around it, or the light changes, or something goes past ...
const STIRS_BEYOND: f32 = 3.0;
/// ... or so much more than the share around it: among others who move, none moves three times as much ...
const STIRS_MORE: f32 = 0.15;
/// Of these, one look counts so much at most.
const MOST_STIR: f32 = 0.15;

/// What is known of the picture of a look beside the tracks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Foreground that is nobody else's.
    pub(super) foreground: &'a [MotionRegion],
    /// What changed within the last moment.
    pub(super) changes: Option<&'a Changes>,
}

impl Surroundings<'_> {
    /// How much of a place moves of its own in this look; 0 where it moves no more than what is around it.
    pub(super) fn stir(&self, place: &NormRect) -> f32 {
        self.changes.map_or(0.0, |changes| stir(changes, place))
    }

    /// Whether enough of a box is covered by foreground that belongs to it rather than to something much larger.
    pub(super) fn has_foreground_of(&self, rect: &NormRect) -> bool {
        has_own_foreground(rect, self.foreground)
    }
}

/// The share of its cells that changed of its own, clearly more than around it; 0 where that is not so. Foliage, rain and
/// changing light change as much around it.
fn stir(changes: &Changes, rect: &NormRect) -> f32 {
    let (within, around) = changes.within_and_around(rect);
    let clearly_more = within >= STIRS && within >= STIRS_BEYOND * around;
    if clearly_more || within - around >= STIRS_MORE {
        within.min(MOST_STIR)
    } else {
        0.0
    }
}

fn has_own_foreground(rect: &NormRect, foreground: &[MotionRegion]) -> bool {
    let covered: f32 = foreground
        .iter()
        .map(|region| (region.rect.intersection(rect).area(), region.rect.area()))
        .filter(|(common, whole)| *common >= OWN * whole)
        .map(|(common, _)| common)
        .sum();
    covered >= COVERED * rect.area()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of 40 by 40 cells, in which so many of ten in a place, and so many of ten elsewhere, changed.
    fn changes(place: &NormRect, within: usize, around: usize) -> Changes {
        let inside = |at: usize| {
            let (x, y) = ((at % 40) as f32 / 40.0, (at / 40) as f32 / 40.0);
            (place.x0..place.x1).contains(&x) && (place.y0..place.y1).contains(&y)
        };
        let (mut of_place, mut of_rest) = (0, 0);
        let cells: Vec<u8> = (0..1600)
            .map(|at| {
                let (count, every) = if inside(at) {
                    (&mut of_place, within)
                } else {
                    (&mut of_rest, around)
                };
                *count += 1;
                u8::from(*count % 10 < every)
            })
            .collect();
        Changes::new(&cells, 40)
    }

    #[test]
    fn who_moves_does_so_clearly_more_than_what_is_around() {
        let person = NormRect::new(0.4, 0.2, 0.6, 0.8);
        let stir = |within, around| stir(&changes(&person, within, around), &person);
        assert_eq!(stir(0, 0), 0.0, "a poster");
        let works = stir(1, 0);
        assert!(
            (works - 0.1).abs() < 0.01,
            "somebody works at a desk: {works}"
        );
        assert_eq!(stir(4, 4), 0.0, "leaves in the wind");
        assert_eq!(stir(3, 2), 0.0, "rain");
        assert_eq!(stir(5, 2), MOST_STIR, "somebody among others who move");
    }

    #[test]
    fn foreground_must_be_its_own() {
        let person = NormRect::new(0.4, 0.4, 0.5, 0.8);
        let region = |x0, y0, x1, y1| MotionRegion {
            rect: NormRect::new(x0, y0, x1, y1),
            score: 0.01,
        };
        assert!(has_own_foreground(
            &person,
            &[region(0.41, 0.38, 0.5, 0.82)]
        ));
        // Legs and head apart.
        let parts = [region(0.4, 0.6, 0.5, 0.8), region(0.43, 0.4, 0.47, 0.5)];
        assert!(has_own_foreground(&person, &parts));
        // The light went on.
        assert!(!has_own_foreground(&person, &[region(0.0, 0.0, 1.0, 1.0)]));
        assert!(!has_own_foreground(&person, &[region(0.6, 0.4, 0.7, 0.8)]));
    }
}
