//! Where somebody stands: named zones and the motion mask.

use crate::{
    config::{DetectConfig, ZoneConfig},
    flow::{NormPoint, NormRect, Polygon},
};

/// The places of one camera.
#[derive(Debug, Clone)]
pub(super) struct Places {
    zones: Vec<ZoneConfig>,
    mask: Vec<Polygon>,
}

impl Places {
    pub(super) fn new(detect: &DetectConfig) -> Self {
        Self {
            zones: detect.zones.clone(),
            mask: detect.motion_mask.clone(),
        }
    }

    /// Whether somebody seen in this box counts for nothing.
    pub(super) fn masked(&self, rect: &NormRect) -> bool {
        let foot = foot(rect);
        self.mask.iter().any(|area| area.contains(foot))
    }

    /// The zones, by number, in which somebody seen in this box stands.
    pub(super) fn around(&self, rect: &NormRect) -> impl Iterator<Item = usize> {
        let foot = foot(rect);
        self.zones
            .iter()
            .enumerate()
            .filter(move |(_, zone)| zone.area.contains(foot))
            .map(|(number, _)| number)
    }

    pub(super) fn name(&self, zone: usize) -> &str {
        &self.zones[zone].name
    }

    pub(super) fn count(&self) -> usize {
        self.zones.len()
    }

    /// Whether entering these zones makes a visit worth reporting.
    pub(super) fn suffice(&self, entered: &[usize]) -> bool {
        entered.iter().any(|&zone| self.zones[zone].required)
            || !self.zones.iter().any(|zone| zone.required)
    }
}

/// Where a box stands, inside the picture: feet cut off by its lower edge stand on that edge. A hair inside, because a
/// polygon drawn up to the edge does not hold the edge itself.
fn foot(rect: &NormRect) -> NormPoint {
    const HAIR: f32 = 1e-4;
    let foot = rect.clamped().foot();
    NormPoint {
        x: foot.x.clamp(HAIR, 1.0 - HAIR),
        y: foot.y.clamp(HAIR, 1.0 - HAIR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(x0: f32, y0: f32, x1: f32, y1: f32) -> Polygon {
        Polygon(vec![
            NormPoint { x: x0, y: y0 },
            NormPoint { x: x1, y: y0 },
            NormPoint { x: x1, y: y1 },
            NormPoint { x: x0, y: y1 },
        ])
    }

    fn places(required: bool) -> Places {
        let zone = |name: &str, area, required| ZoneConfig {
            name: name.to_owned(),
            area,
            required,
        };
        Places::new(&DetectConfig {
            zones: vec![
                zone("porch", area(0.0, 0.5, 0.5, 1.0), required),
                zone("lawn", area(0.4, 0.5, 1.0, 1.0), false),
            ],
            motion_mask: vec![area(0.0, 0.0, 1.0, 0.3)],
            ..DetectConfig::default()
        })
    }

    #[test]
    fn the_feet_decide() {
        let places = places(true);
        let standing = |x: f32, y: f32| NormRect::new(x - 0.05, y - 0.4, x + 0.05, y);
        let around = |x, y| places.around(&standing(x, y)).collect::<Vec<_>>();
        assert_eq!(around(0.2, 0.6), [0]);
        assert_eq!(around(0.45, 0.6), [0, 1]);
        assert_eq!(around(0.45, 0.45), Vec::<usize>::new());
        assert_eq!(around(0.2, 1.0), [0], "feet cut off");
        assert!(places.masked(&standing(0.5, 0.25)));
        assert!(
            !places.masked(&standing(0.5, 0.35)),
            "only the head is in it"
        );
    }

    #[test]
    fn a_required_zone_must_be_entered() {
        assert!(!places(true).suffice(&[]));
        assert!(!places(true).suffice(&[1]));
        assert!(places(true).suffice(&[1, 0]));
        assert!(places(false).suffice(&[]));
    }
}
