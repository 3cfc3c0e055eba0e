//! Second looks: a doubtful box is looked at again in a window of its own, and becomes clear or
//! vanishes.
//!
//! A person far away, in the dark, bent or from behind scores little in a look at the whole for
//! seconds; in a square window around it the same model mostly knows. Windows alternate between
//! [`WIDE`] and [`NARROW`] times the longer side of the box: what is around a person says as much
//! as its pixels do. Each place gets a few, so that furniture that looks a little like somebody
//! costs little.

use std::time::Duration;

use crate::flow::{Detection, MediaTime, NormRect, Size, Track, TrackState};

/// Scores of boxes that are worth a second look: below, they are mostly nothing, and above there is
/// no doubt.
const FROM: f32 = 0.25;
const CLEAR: f32 = 0.62;
/// Sides of a window, in longer sides of the box.
const WIDE: f32 = 3.0;
const NARROW: f32 = 1.5;
/// A window is at least so many pixels wide ...
const LEAST_SIDE: f32 = 64.0;
/// ... and shows the box so much larger than the whole does.
const LEAST_GAIN: f32 = 1.15;
/// Second looks at one place ...
const MOST_LOOKS: u32 = 4;
/// ... so far apart ...
const APART: Duration = Duration::from_millis(300);
/// ... until nothing doubtful was seen there for so long.
const FORGOTTEN: Duration = Duration::from_secs(20);
/// Overlap of two boxes in one place.
const SAME_PLACE: f32 = 0.3;
/// Most places kept in mind.
const MOST: usize = 32;

#[derive(Debug)]
struct Doubt {
    rect: NormRect,
    score: f32,
    seen: MediaTime,
    looked: Option<MediaTime>,
    looks: u32,
}

/// The places in doubt.
#[derive(Debug, Default)]
pub(super) struct SecondLooks {
    doubts: Vec<Doubt>,
    /// The newest look.
    newest: Option<MediaTime>,
}

impl SecondLooks {
    /// Takes in what a look saw. While somebody is known, nobody waits for second looks.
    pub(super) fn note(&mut self, time: MediaTime, seen: &[Detection], tracks: &[Track]) {
        self.newest = Some(time);
        self.doubts
            .retain(|doubt| time.since(doubt.seen) < FORGOTTEN);
        if tracks.iter().any(|t| t.state == TrackState::Tracked) {
            return;
        }
        for detection in seen {
            let worth = detection.rect.is_sound() && (FROM..CLEAR).contains(&detection.score);
            if !worth {
                continue;
            }
            let (rect, score) = (detection.rect, detection.score);
            let known = self
                .doubts
                .iter_mut()
                .find(|d| d.rect.iou(&rect) >= SAME_PLACE);
            if let Some(doubt) = known {
                (doubt.rect, doubt.score, doubt.seen) = (rect, score, time);
            } else if self.doubts.len() < MOST {
                self.doubts.push(Doubt {
                    rect,
                    score,
                    seen: time,
                    looked: None,
                    looks: 0,
                });
            }
        }
    }

    /// The window worth most in a picture of this size, if there is one; `scale`: input rows per
    /// picture row in a look at the whole; `input`: the square input.
    pub(super) fn choose(
        &mut self,
        time: MediaTime,
        picture: Size,
        scale: f32,
        input: Size,
    ) -> Option<NormRect> {
        let newest = self.newest?;
        let best = self
            .doubts
            .iter_mut()
            .filter(|d| d.seen == newest && d.looks < MOST_LOOKS)
            .filter(|d| d.looked.is_none_or(|at| time.since(at) >= APART))
            .max_by(|a, b| a.score.total_cmp(&b.score))?;
        let times = if best.looks % 2 == 0 { WIDE } else { NARROW };
        let rect = window(&best.rect, times, picture, scale, input)?;
        (best.looked, best.looks) = (Some(time), best.looks + 1);
        Some(rect)
    }
}

/// The square of `times` the longer side of a box around its middle, moved into the picture.
fn window(rect: &NormRect, times: f32, picture: Size, scale: f32, input: Size) -> Option<NormRect> {
    let rect = rect.clamped();
    let (width, height) = (picture.width as f32, picture.height as f32);
    let longer = (rect.width() * width).max(rect.height() * height);
    let most = width.min(height);
    let side = (longer * times).clamp(LEAST_SIDE.min(most), most);
    // Who fills the picture is not made clearer by cutting off a part.
    let holds = side >= NARROW * longer;
    let gains = holds && input.width.min(input.height) as f32 / side >= LEAST_GAIN * scale;
    let (w, h) = (side / width, side / height);
    let centre = rect.centre();
    let from = |centre: f32, length: f32| (centre - length / 2.0).clamp(0.0, 1.0 - length);
    let (x0, y0) = (from(centre.x, w), from(centre.y, h));
    gains.then(|| NormRect::new(x0, y0, x0 + w, y0 + h))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Label;

    const HD: Size = Size {
        width: 1280,
        height: 720,
    };
    const SQUARE: Size = Size {
        width: 288,
        height: 288,
    };
    const SCALE: f32 = 416.0 / 1280.0;

    fn at(seconds: f64) -> MediaTime {
        MediaTime::from_secs_f64(seconds)
    }

    fn seen(score: f32) -> Detection {
        Detection {
            rect: NormRect::new(0.9, 0.4, 0.95, 0.6),
            label: Label::Person,
            score,
            clothes: None,
        }
    }

    fn look(second: &mut SecondLooks, time: f64, score: f32) -> Option<NormRect> {
        second.note(at(time), &[seen(score)], &[]);
        second.choose(at(time), HD, SCALE, SQUARE)
    }

    #[test]
    fn a_doubtful_box_gets_a_wide_and_a_narrow_square_inside_the_picture() {
        let mut second = SecondLooks::default();
        let wide = look(&mut second, 1.0, 0.4).unwrap();
        let narrow = look(&mut second, 1.4, 0.4).unwrap();
        for (window, side) in [(wide, 3.0 * 144.0), (narrow, 1.5 * 144.0)] {
            assert!((window.width() * 1280.0 - side).abs() < 0.5, "{window:?}");
            assert!((window.height() * 720.0 - side).abs() < 0.5, "{window:?}");
            assert!(window.x1 <= 1.0 + 1e-6 && window.y0 >= 0.0);
        }
    }

    #[test]
    fn a_place_gets_a_few_and_new_ones_when_it_was_forgotten() {
        let mut second = SecondLooks::default();
        let looks = (0..100).filter(|n| look(&mut second, f64::from(*n) / 5.0, 0.4).is_some());
        assert_eq!(looks.count(), 4);
        assert!(look(&mut second, 60.0, 0.4).is_some());
    }

    #[test]
    fn what_is_clear_or_nothing_gets_none_and_neither_does_what_fills_the_picture() {
        let mut second = SecondLooks::default();
        assert_eq!(look(&mut second, 1.0, 0.2), None);
        assert_eq!(look(&mut second, 1.0, 0.7), None);
        let large = Detection {
            rect: NormRect::FULL,
            ..seen(0.4)
        };
        second.note(at(2.0), &[large], &[]);
        assert_eq!(second.choose(at(2.0), HD, SCALE, SQUARE), None);
    }

    #[test]
    fn a_box_that_is_gone_gets_none() {
        let mut second = SecondLooks::default();
        second.note(at(1.0), &[seen(0.4)], &[]);
        second.note(at(1.2), &[], &[]);
        let looked = second.choose(at(1.2), HD, SCALE, SQUARE);
        assert_eq!(looked, None);
    }
}
