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
