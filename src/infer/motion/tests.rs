//! With the real graph: scenes painted by hand.

use super::*;
use crate::{
    flow::{NormRect, PixelLayout},
    infer::runtime,
    testing::models::{self, Painter},
};

/// A camera whose scene is painted as luma, looked at every half a second.
struct Scene {
    model: MotionModel,
    state: MotionState,
    rules: MotionRules,
    painter: Painter,
    looks: u32,
}

impl Scene {
    fn new() -> Self {
        models::require();
        let environment = runtime::environment(None).unwrap();
        Self {
            model: MotionModel::open(&environment, &models::dir(), "motion").unwrap(),
            state: MotionState::default(),
            rules: MotionRules {
                area: 0.0008,
                mask: Vec::new(),
            },
            painter: Painter {
                layout: PixelLayout::Nv12,
                ..Painter::new(640, 360)
            },
            looks: 0,
        }
    }

    fn look(&mut self, paint: impl Fn(usize, usize) -> u8) -> MotionReport {
        self.looks += 1;
        let time = MediaTime::from_secs_f64(f64::from(self.looks) / 2.0);
        self.look_at(time, paint)
    }

    fn look_at(&mut self, time: MediaTime, paint: impl Fn(usize, usize) -> u8) -> MotionReport {
        let seed = self.looks;
        let noisy = |x: usize, y: usize| paint(x, y).saturating_add_signed(noise(x, y, seed));
        let frame = self.painter.frame(time, |x, y| [noisy(x, y), 128, 128]);
        self.model
            .look(&frame, &self.rules, &mut self.state)
            .unwrap()
    }

    /// Learns the empty scene.
    fn settle(&mut self) {
        let settled = (0..4)
            .map(|_| self.look(garden).settled)
            .collect::<Vec<_>>();
        assert_eq!(settled, [false, false, true, true]);
    }
}

/// Sensor noise of two levels at most, different in each picture.
fn noise(x: usize, y: usize, seed: u32) -> i8 {
    let mut hash = (x as u32).wrapping_mul(0x9E37_79B1)
        ^ (y as u32).wrapping_mul(0x85EB_CA77)
        ^ seed.wrapping_mul(0xC2B2_AE3D);
    hash ^= hash >> 15;
    hash = hash.wrapping_mul(0x2C1B_3C6D);
    ((hash >> 13) % 5) as i8 - 2
}

fn garden(x: usize, y: usize) -> u8 {
    (60 + (x / 40 % 2) * 40 + y / 6) as u8
}

/// The garden with a dark figure, 30x90 pixels, its upper left corner at `at`.
fn visitor(at: (usize, usize)) -> impl Fn(usize, usize) -> u8 {
    move |x, y| {
        let inside = (at.0..at.0 + 30).contains(&x) && (at.1..at.1 + 90).contains(&y);
        if inside { 20 } else { garden(x, y) }
    }
}

#[test]
fn a_quiet_scene_settles_and_stays_quiet() {
    let mut scene = Scene::new();
    scene.settle();
    for _ in 0..20 {
        let report = scene.look(garden);
        assert!(
            report.settled && !report.moving() && report.score == 0.0,
            "{report:?}"
        );
    }
}

#[test]
fn a_visitor_is_one_region_where_it_stands() {
    let mut scene = Scene::new();
    scene.settle();
    for step in 0..6 {
        let x = 100 + 60 * step;
        let report = scene.look(visitor((x, 150)));
        let true_rect = NormRect::new(
            x as f32 / 640.0,
            150.0 / 360.0,
            (x + 30) as f32 / 640.0,
            240.0 / 360.0,
        );
        let first = report
            .regions
            .first()
            .unwrap_or_else(|| panic!("step {step}: {report:?}"));
        assert!(
            first.rect.iou(&true_rect) > 0.6,
            "{first:?} instead of {true_rect:?}"
        );
        // The graph's closing leaves a cell more on each side.
        let area = true_rect.area();
        assert!((area..2.0 * area).contains(&report.score), "{report:?}");
    }
}

#[test]
fn light_that_comes_and_goes_is_not_motion() {
    let mut scene = Scene::new();
    scene.settle();
    for factor in [1.3f32, 0.8, 1.1, 0.7, 1.0] {
        let report = scene.look(|x, y| 16 + (f32::from(garden(x, y) - 16) * factor) as u8);
        assert!(!report.moving(), "at {factor}: {report:?}");
    }
}

#[test]
fn a_masked_place_moves_nothing_however_much_goes_on_there() {
    let mut scene = Scene::new();
    let corner = |x, y| NormPoint { x, y };
    scene.rules.mask = vec![Polygon(vec![
        corner(0.0, 0.0),
        corner(0.6, 0.0),
        corner(0.6, 1.0),
        corner(0.0, 1.0),
    ])];
    scene.settle();
    // A screen that fills the masked three fifths of the picture flickers.
    for level in [200, 20, 220, 40] {
        let report = scene.look(|x, y| if x < 380 { level } else { garden(x, y) });
        assert!(report.settled && !report.moving(), "{report:?}");
    }
    // Nothing is said of a screen that changes as a whole, as light does, but of whoever passes there.
    assert!(scene.look(garden).masked.is_some());
    assert!(scene.look(garden).masked.is_none());
    let hidden = scene.look(visitor((200, 100)));
    let place = hidden.masked.expect("somebody in the mask").rect;
    assert!(
        !hidden.moving() && place.x1 < 0.6 && place.x0 > 0.2,
        "{place:?}"
    );
    let seen = scene.look(visitor((450, 100)));
    assert!(seen.moving());
}

#[test]
fn a_new_scene_is_learnt_and_not_reported() {
    let mut scene = Scene::new();
    scene.settle();
    let infrared = |x: usize, y: usize| (200 - y / 4 + (x / 25 % 2) * 20) as u8;
    let told: Vec<_> = (0..4)
        .map(|_| scene.look(infrared))
        .map(|report| (report.settled, report.moving()))
        .collect();
    assert_eq!(
        told,
        [(false, false), (false, false), (true, false), (true, false)]
    );
}

#[test]
fn something_that_keeps_covering_the_scene_is_motion() {
    let mut scene = Scene::new();
    scene.settle();
    let close_by = |shift: usize| {
        move |x: usize, y: usize| {
            if (x / 80 + y / 60 + shift).is_multiple_of(2) {
                30
            } else {
                210
            }
        }
    };
    let moving: Vec<_> = (0..6)
        .map(|shift| scene.look(close_by(shift)).moving())
        .collect();
    assert_eq!(moving, [false, false, false, true, true, true]);
}

#[test]
fn a_long_gap_and_another_shape_start_afresh() {
    let mut scene = Scene::new();
    scene.settle();
    let later = MediaTime::from_secs_f64(3600.0);
    assert!(!scene.look_at(later, visitor((300, 100))).settled);
    scene.painter = Painter::new(480, 640);
    scene.looks = 2 * 3602;
    assert!(!scene.look(garden).settled);
}

#[test]
fn pictures_out_of_order_do_no_harm() {
    let mut scene = Scene::new();
    scene.settle();
    let before = scene.state.background.clone();
    let report = scene.look_at(MediaTime::ZERO, garden);
    assert!(!report.moving());
    let drift = before
        .iter()
        .zip(&scene.state.background)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(drift < 1.0, "{drift}");
    assert!(scene.look(visitor((300, 100))).moving());
}

#[test]
fn a_background_that_is_no_number_is_learnt_anew() {
    let mut scene = Scene::new();
    scene.settle();
    scene.state.background[1000] = f32::NAN;
    let frame = scene.painter.frame(MediaTime::from_secs_f64(2.5), |x, y| {
        [garden(x, y), 128, 128]
    });
    let failed = scene.model.look(&frame, &scene.rules, &mut scene.state);
    assert!(matches!(failed, Err(InferError::Run { .. })));
    scene.looks = 5;
    scene.settle();
}
