//! Those who do not move from their place: who works there, who fades into the background, and what
//! only looks so.

use std::sync::Arc;

use super::*;
use crate::flow::{Changes, Movement};

/// A report in which so many of a hundred columns of a place changed, and so many of the picture
/// beside it.
fn changed(time: f64, place: &NormRect, within: f32, beside: f32) -> MotionReport {
    const SIDE: usize = 100;
    let cells: Vec<u8> = (0..SIDE * SIDE)
        .map(|cell| {
            let (x, y) = (cell % SIDE, cell / SIDE);
            let point = ((x as f32 + 0.5) / 100.0, (y as f32 + 0.5) / 100.0);
            let inside =
                (place.x0..place.x1).contains(&point.0) && (place.y0..place.y1).contains(&point.1);
            let share = if inside { within } else { beside };
            // Rows are filled one after the other, so that any place has its share.
            u8::from((y * 37 % SIDE) as f32 / 100.0 < share)
        })
        .collect();
    MotionReport {
        changes: Some(Arc::new(Changes::new(&cells, SIDE))),
        ..motion(time, &[])
    }
}

/// Somebody who was there when the watch began and stays in the place.
fn stays(now: f64, score: f32) -> Track {
    Track {
        travelled: 0.0,
        first_rect: body(0.5),
        score,
        ..walker(1, 0.0, now, 0.5)
    }
}

fn watch(scene: &mut Scene, from: f64, to: f64, score: f32, within: f32, beside: f32) {
    watch_as(scene, (from, to), (within, beside), |t| stays(t, score));
}

/// Looks five times a second at one who stays in the place, of whose cells so many changed.
fn watch_as(
    scene: &mut Scene,
    (from, to): (f64, f64),
    (within, beside): (f32, f32),
    who: impl Fn(f64) -> Track,
) {
    for look in 0..((to - from) * 5.0).round() as u32 {
        let time = from + f64::from(look) / 5.0;
        let step = scene
            .events
            .motion(&changed(time, &body(0.5), within, beside));
        scene.take(time, step);
        scene.seen(time, &[who(time)]);
    }
}

/// The same, in doubt: never clear, so that the tracker does not believe in it.
fn in_doubt(now: f64, score: f32) -> Track {
    Track {
        state: TrackState::Tentative,
        top_score: score,
        ..stays(now, score)
    }
}

#[test]
fn one_who_works_in_the_place_has_moved() {
    let mut scene = Scene::plain();
    watch(&mut scene, 0.0, 4.0, 0.7, 0.1, 0.01);
    assert_eq!(scene.states(), [IncidentState::Began]);
    assert_eq!(scene.last().why.movement, Movement::Stirred);
}

#[test]
fn a_poster_does_not_move_though_the_light_does_or_a_few_of_its_pixels() {
    for (within, beside) in [(0.0, 0.0), (0.02, 0.0), (0.4, 0.3), (0.1, 0.9)] {
        let mut scene = Scene::plain();
        watch(&mut scene, 0.0, 120.0, 0.7, within, beside);
        assert_eq!(scene.states(), [], "{within} within, {beside} beside");
    }
}

#[test]
fn one_in_doubt_is_believed_for_moving_if_it_was_fair_to_look_at_once() {
    let states = |score: f32, within: f32, beside: f32| {
        let mut scene = Scene::plain();
        watch_as(&mut scene, (0.0, 4.0), (within, beside), |t| {
            in_doubt(t, score)
        });
        scene.states()
    };
    assert_eq!(states(0.55, 0.1, 0.01), [IncidentState::Began]);
    assert_eq!(states(0.55, 0.0, 0.0), [], "it does not move");
    assert_eq!(states(0.55, 0.1, 0.1), [], "all moves: leaves");
    assert_eq!(states(0.45, 0.1, 0.01), [], "an animal, most likely");
}

#[test]
fn one_among_others_who_move_has_moved() {
    let mut scene = Scene::plain();
    watch(&mut scene, 0.0, 4.0, 0.7, 0.5, 0.25);
    assert_eq!(scene.states(), [IncidentState::Began]);
}

#[test]
fn what_scores_little_and_does_not_stir_does_not_hold_an_incident_open() {
    let mut scene = Scene::plain();
    watch(&mut scene, 0.0, 4.0, 0.7, 0.1, 0.01);
    watch(&mut scene, 4.0, 20.0, 0.4, 0.0, 0.0);
    assert_eq!(scene.states(), [IncidentState::Began, IncidentState::Ended]);
    let ended = scene.changes.last().unwrap().0;
    assert!((7.0..9.0).contains(&ended), "ended at {ended} s");
}

#[test]
fn who_is_clear_or_stirs_holds_it_open() {
    for (score, within) in [(0.7, 0.0), (0.4, 0.1)] {
        let mut scene = Scene::plain();
        watch(&mut scene, 0.0, 4.0, 0.7, 0.1, 0.01);
        watch(&mut scene, 4.0, 30.0, score, within, 0.0);
        assert_eq!(
            scene.last().state,
            IncidentState::Began,
            "{score}, {within}"
        );
    }
}

#[test]
fn a_place_that_differs_from_the_last_look_is_looked_at_though_nothing_moves() {
    let mut scene = Scene::plain();
    scene.motion(0.0, &[]);
    scene.seen(0.0, &[]);
    let faded = |time: f64| MotionReport {
        unseen: Some(MotionRegion {
            rect: body(0.5),
            score: body(0.5).area(),
        }),
        ..motion(time, &[])
    };
    assert!(scene.wants(&faded(2.0)));
    let many = (0..1000).filter(|n| scene.wants(&faded(4.0 + f64::from(*n) / 100.0)));
    assert!(many.count() < 10, "as often as there are looks to spare");
}

#[test]
fn a_change_wakes_before_the_background_is_known_and_not_after() {
    let differs = |time: f64, settled: bool| MotionReport {
        unseen: Some(MotionRegion {
            rect: body(0.5),
            score: body(0.5).area(),
        }),
        settled,
        ..motion(time, &[])
    };
    let mut scene = Scene::plain();
    let mut look = |report: MotionReport| {
        let time = report.time.secs_f64();
        let step = scene.events.motion(&report);
        scene.take(time, step);
        scene.seen(time, &[]);
        scene.demand
    };
    let first = MotionReport {
        settled: false,
        ..motion(0.0, &[])
    };
    assert_eq!(look(first), DecodeDemand::Asleep);
    assert_ne!(look(differs(2.0, false)), DecodeDemand::Asleep);
    let later = [4.0, 12.0].map(|time| look(motion(time, &[])));
    assert_eq!(later[1], DecodeDemand::Asleep);
    let new_scene = look(differs(14.0, false));
    assert_eq!(new_scene, DecodeDemand::Asleep, "a light went on");
}
