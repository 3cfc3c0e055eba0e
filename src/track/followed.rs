//! One track: its filter, its history, and whether it is walking out of the picture.

use std::time::Duration;

use super::{
    FADING, TrackerConfig,
    kalman::{BoxFilter, Shape},
};
use crate::flow::{Clothes, Detection, MediaTime, NormPoint, NormRect, Track, TrackId, TrackState};

/// So many looks tell luck from likeness.
const MANY: u32 = 6;
/// Evidence of a look, on the average, from which a thing that stays where it is looks like a person.
const LIKENESS: f32 = 0.6;
/// How far is some way, in own heights.
const SOME_WAY: f32 = 0.15;
/// Less than this share of the picture's height is no way at all: a camera on a pole sways.
const SWAY: f32 = 0.015;
/// A box with less than this share of the height it had is cut by something in front of it ...
const CUT: f32 = 0.8;
/// ... unless it stays so for this long: then it has really shrunk.
const CUT_FOR: Duration = Duration::from_secs(2);
/// What one look counts for what is known of somebody's clothes.
const CLOTHES_SHARE: f32 = 0.1;
/// How different clothes are taken to be that nobody has seen: neither the same nor others.
const UNKNOWN_CLOTHES: f32 = 0.5;
/// Unseen, a track is taken to walk on for this long, then to wait.
const COAST: Duration = Duration::from_secs(1);
/// A box whose side is this near to the picture's edge touches it; detectors miss the edge by about a hundredth.
const EDGE: f32 = 0.02;
/// Slowest way out through the left or right edge, own heights a second: a box cut by the edge moves at half the
/// walker's speed.
const LEAST_SPEED_OUT: f32 = 0.1;
/// As far ahead one looks to see whether a walker not yet at the edge was on the way out.
const LOOK_AHEAD: f32 = 1.0;
/// Less than this share of the box being in the picture is being out of it.
const OUT: f32 = 0.5;
/// Whoever was walking out and still touches the edge is on the way out for this long: what is left of a box at the
/// edge hardly moves.
const STILL_LEAVING: Duration = Duration::from_secs(2);

/// A track in the tracker's hands.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    pub(super) track: Track,
    filter: BoxFilter,
    /// Box of the first sight in picture heights: left, top, right, bottom.
    origin: [f32; 4],
    /// Its newest sighting, that is a box of a high score.
    last_sighting: MediaTime,
    /// When it was last seen to walk out of the picture.
    walked_out: Option<MediaTime>,
    /// The filter as it was when all of it was last in view, and when that was.
    whole: (BoxFilter, MediaTime),
    /// What it wears, seen where nobody covered it.
    pub(super) clothes: Option<Clothes>,
    /// More is known of it than its boxes say, as of the look before.
    vouched: bool,
    /// Looks without it since it was last seen.
    pub(super) misses: u32,
    predicted_to: MediaTime,
}

impl Followed {
    pub(super) fn new(
        id: TrackId,
        time: MediaTime,
        seen: &Detection,
        aspect: f32,
        config: &TrackerConfig,
    ) -> Self {
        let rect = seen.rect;
        let evidence = config.evidence(seen.score);
        let filter = BoxFilter::new(shape(&rect, aspect));
        Self {
            track: Track {
                id,
                label: seen.label,
                state: believed(evidence, seen.score, 0.0, config),
                rect,
                seen: Some(rect),
                score: seen.score,
                top_score: seen.score,
                evidence,
                hits: 1,
                first_seen: time,
                last_seen: time,
                first_rect: rect,
                travelled: 0.0,
                velocity: (0.0, 0.0),
                leaving: false,
            },
            whole: (filter.clone(), time),
            filter,
            origin: sides(&rect, aspect),
            last_sighting: time,
            walked_out: None,
            clothes: seen.clothes,
            vouched: false,
            misses: 0,
            predicted_to: time,
        }
    }

    /// It is believed for what else is known of it, and will be in the next look that sees it.
    pub(super) fn vouch(&mut self) {
        self.vouched = true;
        if self.track.state == TrackState::Tentative {
            self.track.state = TrackState::Tracked;
        }
    }

    /// Its first sight says this.
    pub(super) fn doubt(&mut self, evidence: f32) {
        self.track.evidence = evidence;
        self.track.state = TrackState::Tentative;
    }

    /// Moves the prediction on to `time`.
    pub(super) fn predict(&mut self, time: MediaTime, aspect: f32) {
        let coasted = |at: MediaTime| at.since(self.track.last_seen).min(COAST).as_secs_f32();
        let moving = coasted(time) - coasted(self.predicted_to);
        let dt = time.since(self.predicted_to).as_secs_f32();
        self.filter.predict(dt, moving);
        self.predicted_to = self.predicted_to.max(time);
        self.track.rect = rect(self.filter.shape(), aspect);
    }

    /// It was seen in this look.
    pub(super) fn seen(
        &mut self,
        time: MediaTime,
        detection: &Detection,
        aspect: f32,
        config: &TrackerConfig,
    ) {
        let sighting = detection.score >= config.sighting_score;
        self.filter
            .update(shape(&detection.rect, aspect), !sighting);
        self.misses = 0;
        let (whole, whole_at) = &self.whole;
        let cut = detection.rect.height() < CUT * whole.shape().height;
        if !cut || time.since(*whole_at) >= CUT_FOR {
            self.whole = (self.filter.clone(), time);
        }
        if sighting {
            self.last_sighting = time;
        }

        let track = &mut self.track;
        track.rect = rect(self.filter.shape(), aspect);
        track.seen = Some(detection.rect);
        track.score = detection.score;
        track.top_score = track.top_score.max(detection.score);
        track.evidence += config.evidence(detection.score);
        track.hits += 1;
        track.last_seen = track.last_seen.max(time);
        let (vx, vy) = self.filter.velocity();
        track.velocity = (vx / aspect, vy);
        track.travelled = track
            .travelled
            .max(travelled(&self.origin, &sides(&track.rect, aspect)));
        track.state = match track.state {
            _ if lucky(track) && !self.vouched => TrackState::Tentative,
            TrackState::Tentative => {
                believed(track.evidence, track.top_score, track.travelled, config)
            }
            TrackState::Tracked | TrackState::Lost => TrackState::Tracked,
        };
        if leaving(&detection.rect, (vx, vy), aspect) {
            self.walked_out = Some(time);
        }
        track.leaving = self.walked_out.is_some_and(|then| {
            then == time || (time.since(then) < STILL_LEAVING && held_by_edge(&detection.rect, vx))
        });
        self.vouched = false;
    }

    /// Learns what it wears.
    pub(super) fn dress(&mut self, seen: &Detection) {
        match (&mut self.clothes, &seen.clothes) {
            (Some(mine), Some(seen)) => mine.follow(seen, CLOTHES_SHARE),
            (mine @ None, Some(seen)) => *mine = Some(*seen),
            (_, None) => {}
        }
    }

    /// How different a box's clothes are from its own.
    pub(super) fn strange(&self, seen: &Detection) -> f32 {
        match (&self.clothes, &seen.clothes) {
            (Some(mine), Some(seen)) => mine.distance(seen),
            _ => UNKNOWN_CLOTHES,
        }
    }

    /// Whether a doubtful box may stand for it: it was there just now, and not long ago beyond doubt.
    pub(super) fn takes_doubt(&self, time: MediaTime, config: &TrackerConfig) -> bool {
        self.misses <= 1 && time.since(self.last_sighting) <= config.doubt_keep
    }

    /// How long it is remembered after it was last seen.
    pub(super) fn keep(&self, config: &TrackerConfig) -> Duration {
        if self.track.leaving {
            config.left_keep
        } else {
            config.lost_keep
        }
    }

    /// It was not seen in this look.
    pub(super) fn missed(&mut self) {
        if self.misses == 0 {
            self.recall_whole();
        }
        self.filter.missed();
        self.misses += 1;
        self.track.seen = None;
        match self.track.state {
            // What it owes does not fade.
            TrackState::Tentative => {
                let evidence = self.track.evidence;
                self.track.evidence = evidence.min(evidence * FADING);
            }
            TrackState::Tracked | TrackState::Lost => self.track.state = TrackState::Lost,
        }
    }

    /// Who walks behind something is seen in ever smaller parts, which say little of where all of it is or goes: once
    /// it is lost, the walk is taken up where it was last whole.
    fn recall_whole(&mut self) {
        let (whole, since) = &self.whole;
        let unseen = self.predicted_to.since(*since);
        self.filter = whole.clone();
        self.filter
            .predict(unseen.as_secs_f32(), unseen.min(COAST).as_secs_f32());
    }
}

/// Whether enough speaks for a track; what was never clear must have gone some way: furniture gives doubtful boxes too,
/// look after look.
fn believed(evidence: f32, top_score: f32, travelled: f32, config: &TrackerConfig) -> TrackState {
    if evidence >= 1.0 && (top_score >= config.clear_score || travelled >= SOME_WAY) {
        TrackState::Tracked
    } else {
        TrackState::Tentative
    }
}

/// Whether it was believed for one clear look among many doubtful ones, and never went anywhere.
fn lucky(track: &Track) -> bool {
    track.hits >= MANY
        && track.evidence < LIKENESS * track.hits as f32
        && track.travelled < SOME_WAY
}

/// Left, top, right and bottom in picture heights.
fn sides(rect: &NormRect, aspect: f32) -> [f32; 4] {
    [rect.x0 * aspect, rect.y0, rect.x1 * aspect, rect.y1]
}

fn shape(rect: &NormRect, aspect: f32) -> Shape {
    let centre = rect.centre();
    Shape {
        cx: centre.x * aspect,
        cy: centre.y,
        height: rect.height(),
        aspect: rect.width() * aspect / rect.height(),
    }
}

fn rect(shape: Shape, aspect: f32) -> NormRect {
    let centre = NormPoint {
        x: shape.cx / aspect,
        y: shape.cy,
    };
    NormRect::from_centre(centre, shape.height * shape.aspect / aspect, shape.height)
}

/// How far a box has moved as a whole, in its own heights. A side that stays, or goes the other way, means that the
/// box was cut differently on that axis, which is no movement.
fn travelled(from: &[f32; 4], to: &[f32; 4]) -> f32 {
    let along = |low: usize, high: usize| -> f32 {
        let (a, b) = (to[low] - from[low], to[high] - from[high]);
        if a * b > 0.0 {
            a.abs().min(b.abs())
        } else {
            0.0
        }
    };
    let height = (from[3] - from[1]).max(to[3] - to[1]);
    let way = along(0, 2).hypot(along(1, 3));
    if way < SWAY { 0.0 } else { way / height }
}

/// Whether a box last seen here, moving so (picture heights a second), went out through the picture's edge.
///
/// A box at the edge is on its way out if it moves outwards at all; people also stand with their head or their feet
/// cut off, so at the top and at the bottom the way out must be the main part of the movement. A box not yet at the
/// edge must get there within [`LOOK_AHEAD`].
fn leaving(seen: &NormRect, (vx, vy): (f32, f32), aspect: f32) -> bool {
    let least = LEAST_SPEED_OUT * seen.height();
    let sideways = (seen.x0 <= EDGE && vx <= -least) || (seen.x1 >= 1.0 - EDGE && vx >= least);
    let upright = vy.abs() >= vx.abs()
        && ((seen.y0 <= EDGE && vy <= -least) || (seen.y1 >= 1.0 - EDGE && vy >= least));
    let (dx, dy) = (vx / aspect * LOOK_AHEAD, vy * LOOK_AHEAD);
    let ahead = NormRect::new(seen.x0 + dx, seen.y0 + dy, seen.x1 + dx, seen.y1 + dy);
    let inside = ahead.intersection(&NormRect::FULL).area();
    sideways || upright || inside < OUT * ahead.area()
}

/// Whether a box touches the picture's left or right edge and is not coming in from there.
fn held_by_edge(seen: &NormRect, vx: f32) -> bool {
    let least = LEAST_SPEED_OUT * seen.height();
    (seen.x0 <= EDGE && vx < least) || (seen.x1 >= 1.0 - EDGE && vx > -least)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: f32 = 16.0 / 9.0;

    #[test]
    fn a_box_that_is_cut_differently_has_not_travelled() {
        let whole = [0.4, 0.2, 0.6, 0.8];
        assert_eq!(travelled(&whole, &[0.4, 0.2, 0.6, 0.4]), 0.0);
        assert_eq!(travelled(&whole, &[0.3, 0.1, 0.7, 0.9]), 0.0);
        assert!((travelled(&whole, &[0.7, 0.2, 0.9, 0.8]) - 0.5).abs() < 1e-5);
        // A small one, and the camera sways.
        let small = [0.4, 0.2, 0.42, 0.25];
        assert_eq!(travelled(&small, &[0.39, 0.19, 0.41, 0.24]), 0.0);
        assert!((travelled(&small, &[0.38, 0.2, 0.4, 0.25]) - 0.4).abs() < 1e-5);
    }

    #[test]
    fn shape_and_back() {
        let there = NormRect::new(0.1, 0.2, 0.3, 0.9);
        let back = rect(shape(&there, WIDE), WIDE);
        assert!(there.iou(&back) > 0.999);
    }

    #[test]
    fn what_is_left_at_the_edge_is_still_on_the_way_out() {
        let part = NormRect::new(0.0, 0.3, 0.03, 0.4);
        assert!(held_by_edge(&part, 0.0));
        assert!(!held_by_edge(&part, 0.05), "coming back");
        assert!(!held_by_edge(&NormRect::new(0.1, 0.3, 0.13, 0.4), 0.0));
    }

    #[test]
    fn ways_out() {
        let right_edge = NormRect::new(0.8, 0.1, 1.0, 0.9);
        assert!(leaving(&right_edge, (0.3, 0.0), WIDE));
        assert!(!leaving(&right_edge, (-0.3, 0.0), WIDE));
        assert!(!leaving(&right_edge, (0.0, 0.0), WIDE));
        // Close to the camera, head and feet cut off, walking across.
        let close = NormRect::new(0.4, 0.0, 0.6, 1.0);
        assert!(!leaving(&close, (0.4, 0.15), WIDE));
        assert!(leaving(&close, (0.05, 0.15), WIDE));
        // The detector loses a runner just before the edge.
        let near = NormRect::new(0.8, 0.4, 0.9, 0.7);
        assert!(leaving(&near, (0.5, 0.0), WIDE));
        assert!(!leaving(&near, (0.1, 0.0), WIDE));
    }
}
