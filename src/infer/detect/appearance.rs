//! What somebody in a box wears: a few colours, to tell people apart who pass each other.

use crate::flow::{Clothes, Frame, NormRect};

/// Parts of the box's height that show the upper and the lower body.
const BANDS: [(f32, f32); 2] = [(0.2, 0.5), (0.55, 0.9)];
/// The middle of the box's width: beside it is the background.
const MIDDLE: (f32, f32) = (0.25, 0.75);
/// Samples across and down a band.
const ACROSS: usize = 6;
const DOWN: usize = 10;

/// The clothes of whoever is at `rect`, which may reach out of the picture.
pub(super) fn of(frame: &Frame, rect: &NormRect) -> Clothes {
    Clothes {
        bands: BANDS.map(|(top, bottom)| {
            let mut sum = [0u32; 3];
            for y in spread(rect.y0, rect.y1, (top, bottom), frame.size.height, DOWN) {
                let row = frame.luma_row(y);
                for x in spread(rect.x0, rect.x1, MIDDLE, frame.size.width, ACROSS) {
                    let (u, v) = frame.chroma(x / 2, y / 2);
                    for (sum, sample) in sum.iter_mut().zip([row[x], u, v]) {
                        *sum += u32::from(sample);
                    }
                }
            }
            sum.map(|sum| sum as f32 / (ACROSS * DOWN) as f32)
        }),
    }
}

/// `count` pixels between two parts of an edge, the ends included.
fn spread(
    low: f32,
    high: f32,
    (from, to): (f32, f32),
    pixels: u32,
    count: usize,
) -> impl Iterator<Item = usize> {
    (0..count).map(move |n| {
        let part = from + (to - from) * n as f32 / (count - 1) as f32;
        let at = (low + (high - low) * part) * pixels as f32;
        (at.max(0.0) as usize).min(pixels as usize - 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{flow::MediaTime, testing::models::Painter};

    #[test]
    fn shirt_and_trousers_are_seen_and_the_background_is_not() {
        let place = NormRect::new(0.4, 0.2, 0.5, 0.8);
        // A narrow figure in the middle of its box.
        let frame = Painter::new(160, 120).frame(MediaTime::ZERO, |x, y| match (x, y) {
            (66..78, 24..61) => [200, 90, 150],
            (66..78, 61..96) => [40, 128, 128],
            _ => [120, 10, 250],
        });
        let clothes = of(&frame, &place);
        assert_eq!(clothes.bands, [[200.0, 90.0, 150.0], [40.0, 128.0, 128.0]]);
        let background = of(&frame, &NormRect::new(0.0, 0.2, 0.1, 0.8));
        assert!(clothes.distance(&background) > 1.0 && clothes.distance(&clothes) == 0.0);
    }

    #[test]
    fn a_box_that_reaches_out_of_the_picture_is_read_at_its_edge() {
        let frame = Painter::new(64, 48).frame(MediaTime::ZERO, |_, _| [70, 80, 90]);
        for rect in [
            NormRect::new(-0.5, -0.5, 1.5, 1.5),
            NormRect::new(0.99, 0.99, 1.2, 1.3),
        ] {
            assert_eq!(of(&frame, &rect).bands, [[70.0, 80.0, 90.0]; 2]);
        }
    }
}
