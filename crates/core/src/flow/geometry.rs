//! Places in a picture, in 0..1 of its width and height, so that they hold for every resolution of a camera.

use serde::{Deserialize, Serialize};

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Size {
    /// A size.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Width over height; 1 for an empty size.
    #[must_use]
    pub fn aspect(self) -> f32 {
        if self.width == 0 || self.height == 0 {
            1.0
        } else {
            self.width as f32 / self.height as f32
        }
    }

    /// Of `sizes` the one nearest in aspect ratio (by the ratio of the ratios); none of none.
    #[must_use]
    pub fn nearest_shape(self, sizes: &[Self]) -> Option<Self> {
        let misfit = |size: &Self| (size.aspect() / self.aspect()).ln().abs();
        let nearest = |a: &&Self, b: &&Self| misfit(a).total_cmp(&misfit(b));
        sizes.iter().min_by(nearest).copied()
    }
}

/// A point; `x` to the right, `y` down, both 0..1 inside the picture.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct NormPoint {
    /// Right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// An axis-aligned box; may reach beyond 0..1 where a detector guesses outside the picture.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct NormRect {
    /// Left.
    pub x0: f32,
    /// Top.
    pub y0: f32,
    /// Right.
    pub x1: f32,
    /// Bottom.
    pub y1: f32,
}

impl NormRect {
    /// The whole picture.
    pub const FULL: Self = Self::new(0.0, 0.0, 1.0, 1.0);

    /// From left, top, right, bottom.
    #[must_use]
    pub const fn new(x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        Self { x0, y0, x1, y1 }
    }

    /// From the centre, width and height.
    #[must_use]
    pub fn from_centre(centre: NormPoint, width: f32, height: f32) -> Self {
        let (w, h) = (width / 2.0, height / 2.0);
        Self::new(centre.x - w, centre.y - h, centre.x + w, centre.y + h)
    }

    /// Width; never negative.
    #[must_use]
    pub fn width(&self) -> f32 {
        (self.x1 - self.x0).max(0.0)
    }

    /// Height; never negative.
    #[must_use]
    pub fn height(&self) -> f32 {
        (self.y1 - self.y0).max(0.0)
    }

    /// Share of the picture's area.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width() * self.height()
    }

    /// The middle.
    #[must_use]
    pub fn centre(&self) -> NormPoint {
        NormPoint {
            x: (self.x0 + self.x1) / 2.0,
            y: (self.y0 + self.y1) / 2.0,
        }
    }

    /// The middle of the lower edge: where a person stands.
    #[must_use]
    pub fn foot(&self) -> NormPoint {
        NormPoint {
            x: (self.x0 + self.x1) / 2.0,
            y: self.y1,
        }
    }

    /// The part common to both; empty (zero area) if there is none.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::new(
            self.x0.max(other.x0),
            self.y0.max(other.y0),
            self.x1.min(other.x1),
            self.y1.min(other.y1),
        )
    }

    /// Whether at least half of this box lies in the other; never for a box without an area.
    #[must_use]
    pub fn is_mostly_in(&self, other: &Self) -> bool {
        self.is_sound() && 2.0 * self.intersection(other).area() >= self.area()
    }

    /// The smallest box around both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::new(
            self.x0.min(other.x0),
            self.y0.min(other.y0),
            self.x1.max(other.x1),
            self.y1.max(other.y1),
        )
    }

    /// Intersection over union, 0..1.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let common = self.intersection(other).area();
        let all = self.area() + other.area() - common;
        if all > 0.0 { common / all } else { 0.0 }
    }

    /// Cut to the picture.
    #[must_use]
    pub fn clamped(&self) -> Self {
        Self::new(
            self.x0.clamp(0.0, 1.0),
            self.y0.clamp(0.0, 1.0),
            self.x1.clamp(0.0, 1.0),
            self.y1.clamp(0.0, 1.0),
        )
    }

    /// Grown by `by` of its own width and height on every side.
    #[must_use]
    pub fn grown(&self, by: f32) -> Self {
        let (w, h) = (self.width() * by, self.height() * by);
        Self::new(self.x0 - w, self.y0 - h, self.x1 + w, self.y1 + h)
    }

    /// Whether a side lies within `margin` of the picture's edge.
    #[must_use]
    pub fn touches_edge(&self, margin: f32) -> bool {
        self.x0 <= margin || self.y0 <= margin || self.x1 >= 1.0 - margin || self.y1 >= 1.0 - margin
    }

    /// Whether every number is finite and the box has an area.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        [self.x0, self.y0, self.x1, self.y1]
            .iter()
            .all(|v| v.is_finite())
            && self.area() > 0.0
    }
}

/// A closed polygon of at least three points; may be concave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Polygon(pub Vec<NormPoint>);

impl Polygon {
    /// Whether `point` lies inside, by the even-odd rule.
    #[must_use]
    pub fn contains(&self, point: NormPoint) -> bool {
        let mut inside = false;
        let mut previous = match self.0.last() {
            Some(&last) => last,
            None => return false,
        };
        for &current in &self.0 {
            if (current.y > point.y) != (previous.y > point.y) {
                let slope = (previous.x - current.x) / (previous.y - current.y);
                if point.x < current.x + slope * (point.y - current.y) {
                    inside = !inside;
                }
            }
            previous = current;
        }
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(x: f32, y: f32) -> NormPoint {
        NormPoint { x, y }
    }

    #[test]
    fn half_of_a_box_is_most_of_it() {
        let at = |x: f32| NormRect::new(x, 0.2, x + 0.5, 0.7);
        assert!(at(0.0).is_mostly_in(&NormRect::FULL));
        assert!(at(-0.25).is_mostly_in(&NormRect::FULL));
        assert!(!at(-0.375).is_mostly_in(&NormRect::FULL));
        assert!(!at(1.5).is_mostly_in(&NormRect::FULL));
        assert!(!NormRect::new(0.5, 0.5, 0.5, 0.9).is_mostly_in(&NormRect::FULL));
    }

    #[test]
    fn iou_of_known_boxes() {
        let a = NormRect::new(0.0, 0.0, 0.5, 0.5);
        assert!((a.iou(&a) - 1.0).abs() < 1e-6);
        assert_eq!(a.iou(&NormRect::new(0.6, 0.6, 0.9, 0.9)), 0.0);
        let half = NormRect::new(0.25, 0.0, 0.75, 0.5);
        assert!((a.iou(&half) - 1.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn concave_polygon_knows_its_notch() {
        let u = Polygon(vec![
            p(0.0, 0.0),
            p(0.3, 0.0),
            p(0.3, 0.7),
            p(0.7, 0.7),
            p(0.7, 0.0),
            p(1.0, 0.0),
            p(1.0, 1.0),
            p(0.0, 1.0),
        ]);
        assert!(u.contains(p(0.1, 0.1)));
        assert!(u.contains(p(0.5, 0.9)));
        assert!(!u.contains(p(0.5, 0.3)));
        assert!(!Polygon(vec![]).contains(p(0.5, 0.5)));
    }

    #[test]
    fn edges() {
        assert!(NormRect::new(0.0, 0.4, 0.1, 0.6).touches_edge(0.01));
        assert!(!NormRect::new(0.2, 0.4, 0.3, 0.6).touches_edge(0.01));
        assert!(!NormRect::new(f32::NAN, 0.0, 1.0, 1.0).is_sound());
    }
}
