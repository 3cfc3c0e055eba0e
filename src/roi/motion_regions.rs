//! The other way to look, for comparison: no look at the whole, but a square region around each thing that moves or is
//! followed, however many there are. (After Frigate, `frigate/util/object.py` and its documentation.)

use crate::flow::{MotionRegion, NormRect, Size, Track};

/// A region is larger than what it is made for by this factor.
const AROUND: f32 = 1.35;

/// One region for each group of places that share one; the whole picture where there is nothing.
pub(super) fn regions(
    picture: Size,
    motion: &[MotionRegion],
    tracks: &[Track],
    inputs: &[Size],
) -> Vec<NormRect> {
    let least = inputs.iter().map(|size| size.height).min().unwrap_or(1) as f32;
    let mut places: Vec<NormRect> = tracks.iter().map(|track| track.rect.clamped()).collect();
    places.extend(motion.iter().map(|region| region.rect.clamped()));
    let mut regions: Vec<NormRect> = Vec::new();
    for place in places.iter().filter(|place| place.is_sound()) {
        if !regions
            .iter()
            .any(|region| region.intersection(place).area() >= place.area())
        {
            regions.push(square(place, picture, least));
        }
    }
    if regions.is_empty() {
        regions.push(NormRect::FULL);
    }
    regions
}

/// A square of at least `least` pixels around a place, moved into the picture.
fn square(place: &NormRect, picture: Size, least: f32) -> NormRect {
    let (width, height) = (picture.width as f32, picture.height as f32);
    let side = (AROUND * (place.width() * width).max(place.height() * height)).max(least);
    let (w, h) = ((side / width).min(1.0), (side / height).min(1.0));
    let centre = place.centre();
    let x0 = (centre.x - w / 2.0).clamp(0.0, 1.0 - w);
    let y0 = (centre.y - h / 2.0).clamp(0.0, 1.0 - h);
    NormRect::new(x0, y0, x0 + w, y0 + h)
}
