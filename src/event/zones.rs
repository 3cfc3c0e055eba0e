//! Where somebody stands and goes: named zones and lines, and the motion mask.

use std::time::Duration;

use crate::{
    config::{DetectConfig, LineConfig, LineDirection, ZoneConfig},
    flow::{MediaTime, NormPoint, NormRect, Polygon, Rule, RuleHit},
};

/// Who was not seen for longer than this has not stayed.
const STAYING: Duration = Duration::from_secs(5);
/// Nearer to a line than this, in the picture's heights or widths, feet are on neither side: boxes shake.
const ON_THE_LINE: f32 = 0.01;
/// Of the smallest person that matters, a box must have this share of the height: boxes are often too small.
const SLACK: f32 = 0.5;

/// The places of one camera.
#[derive(Debug, Clone)]
pub(super) struct Places {
    zones: Vec<ZoneConfig>,
    lines: Vec<LineConfig>,
    mask: Vec<Polygon>,
    least_height: f32,
}

impl Places {
    pub(super) fn new(detect: &DetectConfig) -> Self {
        Self {
            zones: detect.zones.clone(),
            lines: detect.lines.clone(),
            mask: detect.motion_mask.clone(),
            least_height: SLACK * detect.min_height,
        }
    }

    /// Whether somebody this high, as a share of the picture's height, matters.
    pub(super) fn large_enough(&self, height: f32) -> bool {
        height >= self.least_height
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

    /// Whether these zones entered and rules fired make a visit worth reporting.
    pub(super) fn suffice(&self, entered: &[usize], fired: &[RuleHit]) -> bool {
        let zones = self.zones.iter().enumerate().filter(|(_, z)| z.required);
        let lines = self.lines.iter().filter(|line| line.required);
        if zones.clone().next().is_none() && lines.clone().next().is_none() {
            return true;
        }
        let loitered = |name: &str| {
            let hit = |hit: &RuleHit| hit.rule == Rule::Loitered && hit.name == name;
            fired.iter().any(hit)
        };
        let crossed = |name: &str| {
            let hit = |hit: &RuleHit| hit.rule != Rule::Loitered && hit.name == name;
            fired.iter().any(hit)
        };
        zones.into_iter().any(|(number, zone)| match zone.loiter {
            Some(_) => loitered(&zone.name),
            None => entered.contains(&number),
        }) || lines.into_iter().any(|line| crossed(&line.name))
    }
}

/// Where one visitor has been, and the rules that it fired.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// For each zone, since when it has stood there and when it was last seen there.
    stays: Vec<Option<(MediaTime, MediaTime)>>,
    /// For each line, where its feet were when last clearly on one side.
    sides: Vec<Option<NormPoint>>,
    /// Rules fired, in order, each once.
    pub(super) hits: Vec<RuleHit>,
}

impl Route {
    pub(super) fn new(places: &Places) -> Self {
        Self {
            stays: vec![None; places.zones.len()],
            sides: vec![None; places.lines.len()],
            hits: Vec::new(),
        }
    }

    /// It was seen here.
    pub(super) fn step(&mut self, time: MediaTime, rect: &NormRect, places: &Places) {
        let feet = foot(rect);
        for (zone, stay) in places.zones.iter().zip(&mut self.stays) {
            if !zone.area.contains(feet) {
                *stay = stay.filter(|(_, last)| time.since(*last) <= STAYING);
                continue;
            }
            let since = stay
                .filter(|(_, last)| time.since(*last) <= STAYING)
                .map_or(time, |(since, _)| since);
            *stay = Some((since, time));
            if zone.loiter.is_some_and(|long| time.since(since) >= long) {
                fire(&mut self.hits, Rule::Loitered, &zone.name);
            }
        }
        for (line, before) in places.lines.iter().zip(&mut self.sides) {
            let [a, b] = line.ends;
            let side = turn(a, b, feet) / (b.x - a.x).hypot(b.y - a.y);
            if side.abs() < ON_THE_LINE {
                continue;
            }
            if let Some(from) = before.replace(feet) {
                let rule = if side > 0.0 {
                    Rule::CrossedToRight
                } else {
                    Rule::CrossedToLeft
                };
                let wanted = match line.direction {
                    LineDirection::Both => true,
                    LineDirection::ToRight => rule == Rule::CrossedToRight,
                    LineDirection::ToLeft => rule == Rule::CrossedToLeft,
                };
                if wanted && cross([a, b], [from, feet]) {
                    fire(&mut self.hits, rule, &line.name);
                }
            }
        }
    }
}

fn fire(hits: &mut Vec<RuleHit>, rule: Rule, name: &str) {
    if !hits.iter().any(|hit| hit.rule == rule && hit.name == name) {
        hits.push(RuleHit {
            rule,
            name: name.to_owned(),
        });
    }
}

/// Positive where `c` lies to the right of the way from `a` to `b`, as seen in a picture whose y goes down.
fn turn(a: NormPoint, b: NormPoint, c: NormPoint) -> f32 {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
}

/// Whether two stretches cross each other.
fn cross([a, b]: [NormPoint; 2], [c, d]: [NormPoint; 2]) -> bool {
    turn(a, b, c) * turn(a, b, d) < 0.0 && turn(c, d, a) * turn(c, d, b) < 0.0
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
            loiter: None,
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
        assert!(!places(true).suffice(&[], &[]));
        assert!(!places(true).suffice(&[1], &[]));
        assert!(places(true).suffice(&[1, 0], &[]));
        assert!(places(false).suffice(&[], &[]));
    }

    /// Feet at these points, a second apart.
    fn walk(places: &Places, feet: &[(f32, f32)]) -> Vec<RuleHit> {
        let mut route = Route::new(places);
        for (second, (x, y)) in feet.iter().enumerate() {
            let time = MediaTime::from_secs_f64(second as f64);
            let rect = NormRect::new(x - 0.02, y - 0.2, x + 0.02, *y);
            route.step(time, &rect, places);
        }
        route.hits
    }

    fn gate(direction: LineDirection, required: bool) -> Places {
        let ends = [NormPoint { x: 0.5, y: 0.9 }, NormPoint { x: 0.5, y: 0.4 }];
        Places::new(&DetectConfig {
            lines: vec![LineConfig {
                name: "gate".to_owned(),
                ends,
                direction,
                required,
            }],
            ..DetectConfig::default()
        })
    }

    #[test]
    fn a_line_is_crossed_in_its_direction_and_between_its_ends() {
        let hit = |rule| {
            vec![RuleHit {
                rule,
                name: "gate".to_owned(),
            }]
        };
        let both = gate(LineDirection::Both, false);
        // The first end is below, so who stands there looks up the picture: right is right.
        assert_eq!(
            walk(&both, &[(0.3, 0.6), (0.7, 0.6)]),
            hit(Rule::CrossedToRight)
        );
        assert_eq!(
            walk(&both, &[(0.7, 0.6), (0.3, 0.6)]),
            hit(Rule::CrossedToLeft)
        );
        assert_eq!(walk(&both, &[(0.3, 0.2), (0.7, 0.2)]), [], "past its end");
        let out = gate(LineDirection::ToLeft, true);
        assert_eq!(walk(&out, &[(0.3, 0.6), (0.7, 0.6)]), []);
        let left = walk(&out, &[(0.7, 0.6), (0.3, 0.6)]);
        assert!(out.suffice(&[], &left) && !out.suffice(&[], &[]));
        // Feet that shake on the line have not crossed it.
        let shaking = [(0.495, 0.6), (0.505, 0.6), (0.495, 0.6), (0.508, 0.6)];
        assert_eq!(walk(&both, &shaking), []);
    }

    #[test]
    fn who_stays_loiters_once_and_who_passes_does_not() {
        let mut detect = DetectConfig {
            zones: vec![ZoneConfig {
                name: "porch".to_owned(),
                area: area(0.0, 0.5, 0.5, 1.0),
                required: true,
                loiter: Some(Duration::from_secs(10)),
            }],
            ..DetectConfig::default()
        };
        let places = Places::new(&detect);
        let staying = walk(&places, &[(0.2, 0.7); 30]);
        assert_eq!(staying.len(), 1);
        assert!(places.suffice(&[0], &staying));
        let passing = walk(&places, &[(0.2, 0.7); 8]);
        assert!(passing.is_empty() && !places.suffice(&[0], &passing));
        detect.zones[0].loiter = None;
        assert!(Places::new(&detect).suffice(&[0], &[]));
    }
}
