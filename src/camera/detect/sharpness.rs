//! How sharp somebody is shown, to tell a good view from one that is blurred by motion or coding.
//!
//! Edges are measured against the contrast of the same box, in steps that follow the person's size: light, clothes and
//! distance matter little. What is measured is how much of the contrast is crossed in one step where there are edges at
//! all, along and across; motion smears one of the two. Each sample is a mean of pixels, so that noise of the sensor
//! adds little; a box without contrast of its own is never sharp.

use crate::flow::{Frame, NormRect};

/// Samples across and down, at most.
const ACROSS: usize = 64;
const DOWN: usize = 128;
/// A sample is a mean of at least this many pixels each way ...
const LEAST_STEP: usize = 2;
/// ... and of at most this many, however large it is.
const MOST_TAPS: usize = 3;
/// Differences up to this many levels are noise.
const NOISE: f32 = 5.0;
/// A box with less contrast than this, in levels, is flat.
const LEAST_CONTRAST: f32 = 32.0;
/// Share of the contrast that a good camera's edges cross in one step.
const CRISP: f32 = 0.4;

/// 0 (all smeared) to 1 (as sharp as cameras are).
pub(in crate::camera) fn sharpness(frame: &Frame, rect: NormRect) -> f32 {
    let samples = Samples::of(frame, rect.clamped());
    let contrast = (2.0 * samples.deviation()).max(LEAST_CONTRAST);
    let [across, down] = samples.steepness();
    ((across * down).sqrt() / contrast / CRISP).min(1.0)
}

/// A grid of mean luma.
struct Samples {
    across: usize,
    luma: Vec<f32>,
}

impl Samples {
    fn of(frame: &Frame, rect: NormRect) -> Self {
        let plane = frame.planes[0];
        let span = |from: f32, to: f32, all: usize| {
            let at = |share: f32| ((share * all as f32).round() as usize).min(all);
            (at(from), at(to).saturating_sub(at(from)))
        };
        let (left, width) = span(rect.x0, rect.x1, plane.width);
        let (top, height) = span(rect.y0, rect.y1, plane.height);
        let step = LEAST_STEP
            .max(width.div_ceil(ACROSS))
            .max(height.div_ceil(DOWN));
        let taps = step.min(MOST_TAPS);
        let tap = |sample: usize, tap: usize| sample * step + tap * step / taps;
        let (across, down) = (width / step, height / step);
        let mut luma = Vec::with_capacity(across * down);
        for y in 0..down {
            let from = luma.len();
            luma.resize(from + across, 0.0);
            for row in (0..taps).map(|t| frame.luma_row(top + tap(y, t))) {
                for (x, sum) in luma[from..].iter_mut().enumerate() {
                    let sample = (0..taps).map(|t| u32::from(row[left + tap(x, t)]));
                    *sum += sample.sum::<u32>() as f32;
                }
            }
        }
        let all = (taps * taps) as f32;
        luma.iter_mut().for_each(|sum| *sum /= all);
        Self { across, luma }
    }

    fn deviation(&self) -> f32 {
        let count = self.luma.len().max(1) as f32;
        let mean = self.luma.iter().sum::<f32>() / count;
        let squares: f32 = self.luma.iter().map(|l| (l - mean).powi(2)).sum();
        (squares / count).sqrt()
    }

    /// How high edges are in one step across and down: the mean of all differences, each weighted by itself, so that the
    /// even parts of a person do not count. Two samples along the edge are taken together, against noise.
    fn steepness(&self) -> [f32; 2] {
        let rows = self.luma.chunks_exact(self.across.max(1));
        let mut sums = [0.0; 2];
        let mut squares = [0.0; 2];
        for (upper, lower) in rows.clone().zip(rows.skip(1)) {
            for (a, b) in upper.windows(2).zip(lower.windows(2)) {
                let across = (a[1] + b[1]) - (a[0] + b[0]);
                let down = (b[0] + b[1]) - (a[0] + a[1]);
                for (at, difference) in [across, down].into_iter().enumerate() {
                    let edge = (difference.abs() / 2.0 - NOISE).max(0.0);
                    sums[at] += edge;
                    squares[at] += edge * edge;
                }
            }
        }
        [0, 1].map(|at| {
            if sums[at] > 0.0 {
                squares[at] / sums[at]
            } else {
                0.0
            }
        })
    }
}
