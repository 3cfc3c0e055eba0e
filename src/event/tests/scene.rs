//! A hand-driven camera: tracks that walk, places, and a record of what the rules said.

use super::*;

pub(super) fn at(seconds: f64) -> MediaTime {
    MediaTime::from_secs_f64(seconds)
}

/// Box of a person 0.4 high who stands in the middle of the picture's height.
pub(super) fn body(x: f32) -> NormRect {
    NormRect::new(x - 0.05, 0.3, x + 0.05, 0.7)
}

/// A believed track that came from the left edge and is at `x` now.
pub(super) fn walker(id: u64, first_seen: f64, now: f64, x: f32) -> Track {
    Track {
        id: TrackId(id),
        label: Label::Person,
        state: TrackState::Tracked,
        rect: body(x),
        seen: Some(body(x)),
        score: 0.7,
        top_score: 0.7,
        evidence: 1.0 + 2.5 * (now - first_seen).max(0.0) as f32,
        hits: 7,
        first_seen: at(first_seen),
        last_seen: at(now),
        first_rect: body(0.05),
        travelled: (x - 0.05).abs() / 0.4,
        velocity: (0.1, 0.0),
        leaving: x > 0.9,
    }
}

pub(super) fn lost(mut track: Track) -> Track {
    track.state = TrackState::Lost;
    track.seen = None;
    track
}

pub(super) fn poster(now: f64) -> Track {
    let mut track = walker(99, 0.0, now, 0.05);
    track.travelled = 0.1;
    track
}

pub(super) fn square(x0: f32, x1: f32) -> Polygon {
    let corner = |x, y| NormPoint { x, y };
    Polygon(vec![
        corner(x0, 0.0),
        corner(x1, 0.0),
        corner(x1, 1.0),
        corner(x0, 1.0),
    ])
}

pub(super) fn zone(name: &str, x0: f32, x1: f32, required: bool) -> ZoneConfig {
    ZoneConfig {
        name: name.to_owned(),
        area: square(x0, x1),
        required,
        loiter: None,
    }
}

/// Drives the rules by hand and keeps all that happened.
pub(super) struct Scene {
    pub(super) events: Events,
    pub(super) changes: Vec<(f64, IncidentChange)>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) demand: DecodeDemand,
}

impl Scene {
    pub(super) fn new(detect: DetectConfig) -> Self {
        let camera = "door".parse().unwrap();
        let incident = IncidentConfig::default();
        Self {
            events: Events::new(camera, &detect, &incident, Mode::Armed, IncidentId::new),
            changes: Vec::new(),
            refusals: Vec::new(),
            demand: DecodeDemand::Asleep,
        }
    }

    pub(super) fn plain() -> Self {
        Self::new(DetectConfig::default())
    }

    pub(super) fn take(&mut self, time: f64, step: Step) {
        self.changes
            .extend(step.changes.into_iter().map(|c| (time, c)));
        self.refusals.extend(step.refusals);
        self.demand = step.demand;
    }

    pub(super) fn seen(&mut self, time: f64, tracks: &[Track]) {
        let step = self.events.seen(at(time), tracks, 0.3);
        self.take(time, step);
    }

    /// Looks five times a second in `from..to`, with the tracks that `script` gives.
    pub(super) fn play(&mut self, from: f64, to: f64, script: impl Fn(f64) -> Vec<Track>) {
        for look in 0..((to - from) * 5.0).round() as u32 {
            let time = from + f64::from(look) / 5.0;
            self.seen(time, &script(time));
        }
    }

    /// Whether a look is wanted where it would be this camera's turn.
    pub(super) fn wants(&mut self, report: &MotionReport) -> bool {
        self.events.wants_person(report, || true).is_some()
    }

    pub(super) fn motion(&mut self, time: f64, regions: &[NormRect]) {
        let report = motion(time, regions);
        let step = self.events.motion(&report);
        self.take(time, step);
    }

    pub(super) fn tick(&mut self, time: f64) {
        let step = self.events.tick(at(time));
        self.take(time, step);
    }

    pub(super) fn states(&self) -> Vec<IncidentState> {
        self.changes.iter().map(|(_, c)| c.incident.state).collect()
    }

    pub(super) fn last(&self) -> &Incident {
        &self.changes.last().unwrap().1.incident
    }

    pub(super) fn recorded(&self) -> Vec<(f64, bool)> {
        let mut flips: Vec<(f64, bool)> = Vec::new();
        for (time, change) in &self.changes {
            if flips.last().is_none_or(|(_, on)| *on != change.recording) {
                flips.push((*time, change.recording));
            }
        }
        flips
    }
}

pub(super) fn motion(time: f64, regions: &[NormRect]) -> MotionReport {
    let regions: Vec<MotionRegion> = regions
        .iter()
        .map(|&rect| MotionRegion {
            rect,
            score: rect.area(),
        })
        .collect();
    MotionReport {
        time: at(time),
        score: regions.iter().map(|r| r.score).sum(),
        regions,
        small: None,
        masked: None,
        unseen: None,
        changes: None,
        settled: true,
    }
}

pub(super) const LEAVES: NormRect = NormRect::new(0.8, 0.1, 0.9, 0.2);
