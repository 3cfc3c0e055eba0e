//! The window of a close-up: how large, and where it takes in most.

use crate::flow::{NormPoint, NormRect, Size};

/// Pixels of a picture are enlarged at most so much: beyond, nothing is gained.
const MOST_ZOOM: f32 = 1.5;
/// A window that shows its targets less than this much larger than the whole does is not worth a run.
const LEAST_GAIN: f32 = 1.3;
/// Share of a target that must lie in a window: what is cut cannot be recognised.
const HELD: f32 = 0.95;

/// Something to look at more closely.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) rect: NormRect,
    /// How much a close-up of it is worth.
    pub(super) weight: f32,
    /// Worth a close-up however short ago the last one was.
    pub(super) urgent: bool,
}

/// A window and what it gathers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) rect: NormRect,
    pub(super) gain: f32,
}

/// How the model sees a picture of this size.
#[derive(Debug)]
pub(super) struct CropGeometry {
    picture: (f32, f32),
    /// Input rows per picture row in a look at the whole.
    scale: f32,
    inputs: Vec<Size>,
}

impl CropGeometry {
    pub(super) fn new(picture: Size, inputs: &[Size]) -> Self {
        let pixels = (picture.width.max(1) as f32, picture.height.max(1) as f32);
        let input = picture.nearest_shape(inputs).unwrap_or(picture);
        let scale = (input.width as f32 / pixels.0).min(input.height as f32 / pixels.1);
        Self {
            picture: pixels,
            scale,
            inputs: inputs.to_vec(),
        }
    }

    /// Input rows per picture row in a look at the whole.
    pub(super) fn scale(&self) -> f32 {
        self.scale
    }

    /// Input rows of a place in a look at the whole.
    pub(super) fn rows(&self, rect: &NormRect) -> f32 {
        rect.height() * self.picture.1 * self.scale
    }

    /// Width and height, as shares of the picture, of each window that gives a place `wanted` rows: one for each shape of
    /// the input.
    fn windows(&self, rect: &NormRect, wanted: f32) -> impl Iterator<Item = (f32, f32)> {
        let pixels = (rect.height() * self.picture.1).max(1.0);
        let zoom = (wanted / pixels).min(MOST_ZOOM);
        let enough = zoom >= LEAST_GAIN * self.scale;
        let (width, height) = self.picture;
        self.inputs
            .iter()
            .filter(move |_| enough)
            .map(move |input| {
                let share = |input: u32, all: f32| (input as f32 / zoom / all).min(1.0);
                (share(input.width, width), share(input.height, height))
            })
    }
}

/// Whether a window shows nearly all of a place.
pub(super) fn holds(window: &NormRect, rect: &NormRect) -> bool {
    window.intersection(rect).area() >= HELD * rect.area()
}

/// The window that gathers most: around each target, and around the middle of all that it then holds.
pub(super) fn best(geometry: &CropGeometry, targets: &[Target], wanted: f32) -> Option<Window> {
    let mut best: Option<Window> = None;
    for anchor in targets {
        for size in geometry.windows(&anchor.rect, wanted) {
            let first = gather(place(anchor.rect.centre(), size), targets);
            let second = middle(&first, targets)
                .map(|centre| gather(place(centre, size), targets))
                .filter(|window| holds(&window.rect, &anchor.rect));
            for window in [Some(first), second].into_iter().flatten() {
                if best.is_none_or(|best| window.gain > best.gain) {
                    best = Some(window);
                }
            }
        }
    }
    best
}

fn gather(rect: NormRect, targets: &[Target]) -> Window {
    let held = targets.iter().filter(|target| holds(&rect, &target.rect));
    Window {
        rect,
        gain: held.map(|target| target.weight).sum(),
    }
}

/// The middle of all targets whose centre lies in a window twice as large.
fn middle(window: &Window, targets: &[Target]) -> Option<NormPoint> {
    let around = window.rect.grown(0.5);
    let near: Vec<NormPoint> = targets
        .iter()
        .map(|target| target.rect.centre())
        .filter(|c| {
            (around.x0..=around.x1).contains(&c.x) && (around.y0..=around.y1).contains(&c.y)
        })
        .collect();
    let count = near.len() as f32;
    (near.len() > 1).then(|| NormPoint {
        x: near.iter().map(|c| c.x).sum::<f32>() / count,
        y: near.iter().map(|c| c.y).sum::<f32>() / count,
    })
}

/// A window of this size around a point, moved into the picture.
fn place(centre: NormPoint, (width, height): (f32, f32)) -> NormRect {
    let from = |centre: f32, length: f32| (centre - length / 2.0).clamp(0.0, 1.0 - length);
    let (x0, y0) = (from(centre.x, width), from(centre.y, height));
    NormRect::new(x0, y0, x0 + width, y0 + height)
}
