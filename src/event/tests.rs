//! Scripted visits, one for each rule.

mod gone;
mod properties;
mod scene;
mod still;

use std::collections::HashSet;

use super::*;
use crate::{
    config::ZoneConfig,
    flow::{
        Incident, IncidentState, MotionRegion, NormPoint, NormRect, Polygon, TrackId, TrackState,
    },
};

use scene::{LEAVES, Scene, at, body, lost, motion, poster, square, walker, zone};

use IncidentState::{Began, Ended, Updated};

#[test]
fn one_who_walks_through_is_one_incident() {
    let mut scene = Scene::plain();
    scene.play(1.0, 6.0, |t| {
        vec![walker(1, 1.0, t, 0.05 + 0.19 * (t as f32 - 1.0))]
    });
    scene.play(6.0, 10.0, |_| vec![]);
    assert_eq!(scene.states(), [Began, Ended]);
    let (told, began) = &scene.changes[0];
    assert!(*told < 1.5 && began.recording && began.subject.is_some());
    let (told, ended) = &scene.changes[1];
    assert_eq!(ended.incident.id, began.incident.id);
    assert_eq!(ended.incident.start, at(1.0));
    assert_eq!(ended.incident.end, Some(at(5.8)));
    assert_eq!(ended.incident.end_reason, Some(EndReason::Left));
    assert!((7.8..8.01).contains(told), "two seconds after it left");
    assert!(!ended.recording);
}

#[test]
fn whoever_comes_while_it_is_open_joins() {
    let mut scene = Scene::plain();
    scene.play(0.0, 2.0, |t| vec![walker(1, 0.0, t, 0.5)]);
    scene.play(2.0, 6.0, |_| vec![]);
    scene.play(6.0, 8.0, |t| vec![walker(2, 6.0, t, 0.95)]);
    scene.play(8.0, 12.1, |_| vec![]);
    assert_eq!(scene.states(), [Began, Updated, Ended]);
    assert_eq!(scene.last().tracks, 2);
    assert_eq!(scene.last().start, at(0.0));
    assert_eq!(scene.last().end, Some(at(7.8)));
}

#[test]
fn visits_apart_are_incidents_apart() {
    let mut scene = Scene::plain();
    for visit in 0..3_u32 {
        let start = 5.0 * f64::from(visit);
        let id = u64::from(visit) + 1;
        scene.play(start, start + 2.0, |t| vec![walker(id, start, t, 0.95)]);
        scene.play(start + 2.0, start + 5.0, |_| vec![]);
    }
    assert_eq!(scene.states(), [Began, Ended, Began, Ended, Began, Ended]);
    let ids: HashSet<IncidentId> = scene.changes.iter().map(|(_, c)| c.incident.id).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn nobody_is_gone_who_was_not_looked_for() {
    let mut scene = Scene::plain();
    scene.play(0.0, 1.0, |t| vec![walker(1, 0.0, t, 0.95)]);
    for second in 1..10 {
        scene.tick(f64::from(second));
    }
    assert_eq!(scene.states(), [Began], "the person model is behind");
    scene.tick(11.0);
    assert_eq!(scene.states(), [Began, Ended], "no look comes any more");
}

/// The picture of an incident is of who came, however clear the poster beside is.
#[test]
fn a_poster_beside_a_visitor_does_not_belong_to_the_incident() {
    let mut scene = Scene::plain();
    let both = |t: f64| [poster(t), walker(1, 4.0, t, 0.05 + 0.08 * (t - 4.0) as f32)];
    scene.play(0.0, 4.0, |t| vec![poster(t)]);
    scene.play(4.0, 7.0, |t| both(t).to_vec());
    assert_eq!(scene.states().first(), Some(&IncidentState::Began));
    let joined = both(7.0).map(|track| scene.events.has_joined(track.id));
    assert_eq!(joined, [false, true]);
}

#[test]
fn a_poster_is_never_reported_and_the_reason_is_told() {
    let mut scene = Scene::plain();
    scene.motion(0.0, &[]);
    scene.play(0.0, 60.0, |t| vec![poster(t)]);
    scene.play(60.0, 61.0, |_| vec![]);
    assert!(scene.changes.is_empty());
    assert_eq!(scene.refusals.len(), 1);
    assert_eq!(scene.refusals[0].reason, Reason::NoMovement);
    assert_eq!(scene.refusals[0].what, Refused::Track(TrackId(99)));
    assert!(!scene.wants(&motion(62.0, &[])));
}

#[test]
fn one_at_rest_is_reported_once_moving_and_not_from_long_before() {
    let mut scene = Scene::plain();
    let sitting = |t: f64, travelled: f32| {
        let mut track = walker(1, 0.0, t, 0.5);
        track.travelled = travelled;
        vec![track]
    };
    scene.play(0.0, 10.0, |t| sitting(t, 0.1));
    scene.play(10.0, 100.0, |t| sitting(t, 0.2));
    assert!(scene.changes.is_empty(), "a box that shakes is no movement");
    scene.play(100.0, 160.0, |t| sitting(t, 0.4));
    assert_eq!(scene.states()[0], Began);
    assert_eq!(scene.last().start, at(90.0));
    assert_eq!(scene.states().iter().filter(|s| **s == Began).count(), 1);
}

#[test]
fn one_who_comes_straight_at_the_camera_moves_by_growing() {
    let mut scene = Scene::plain();
    for look in 0..15_u8 {
        let time = f64::from(look) / 5.0;
        let mut track = walker(1, 0.0, time, 0.5);
        let grown = track.rect.grown(0.02 * f32::from(look));
        (track.first_rect, track.rect, track.seen) = (body(0.5), grown, Some(grown));
        track.travelled = 0.0;
        scene.motion(time, &[grown]);
        scene.seen(time, &[track]);
    }
    assert_eq!(scene.states(), [Began]);
}

/// Somebody who does not move, in a place that is foreground, from `from` on.
fn standing(id: u64, from: f64, now: f64) -> Track {
    let mut track = walker(id, from, now, 0.5);
    (track.first_rect, track.travelled) = (body(0.5), 0.0);
    track
}

#[test]
fn one_who_was_not_there_before_need_not_walk() {
    let appears_at = |from: f64| {
        let mut scene = Scene::plain();
        for look in 0..30_u8 {
            let time = f64::from(look) / 5.0;
            scene.motion(time, &[body(0.5)]);
            let there = (time >= from).then(|| standing(1, from, time));
            scene.seen(time, there.as_slice());
        }
        scene.states()
    };
    assert_eq!(appears_at(1.0), [Began]);
    assert_eq!(appears_at(0.0), [], "the first look finds what was there");
}

#[test]
fn a_coat_that_a_visitor_hung_up_is_no_visitor() {
    let mut scene = Scene::plain();
    for look in 0..200_u8 {
        let time = f64::from(look) / 5.0;
        let mut tracks = Vec::new();
        if time < 4.0 {
            tracks.push(walker(1, 0.0, time, 0.95));
        }
        if time >= 2.0 {
            tracks.push(standing(2, 2.0, time));
        }
        scene.motion(time, &[body(0.5)]);
        scene.seen(time, &tracks);
    }
    assert_eq!(scene.states(), [Began, Ended]);
    assert_eq!(scene.last().tracks, 1);
}

#[test]
fn the_mask_hides_and_the_required_zone_must_be_entered() {
    let mut scene = Scene::new(DetectConfig {
        motion_mask: vec![square(0.0, 0.3)],
        zones: vec![zone("path", 0.3, 0.7, false), zone("door", 0.6, 0.9, true)],
        ..DetectConfig::default()
    });
    scene.play(0.0, 2.0, |t| vec![walker(1, 0.0, t, 0.2)]);
    scene.play(2.0, 3.0, |_| vec![]);
    scene.play(3.0, 5.0, |t| vec![walker(2, 3.0, t, 0.5)]);
    scene.play(5.0, 6.0, |_| vec![]);
    assert!(scene.changes.is_empty());
    let reasons: Vec<Reason> = scene.refusals.iter().map(|r| r.reason).collect();
    assert_eq!(reasons, [Reason::Masked, Reason::OutsideZones]);
    scene.play(6.0, 10.0, |t| {
        vec![walker(3, 6.0, t, 0.2 + 0.15 * (t as f32 - 6.0))]
    });
    assert_eq!(scene.states(), [Began]);
    assert_eq!(scene.last().zones, ["path", "door"]);
    assert_eq!(scene.last().start, at(6.8), "first sight outside the mask");
}

#[test]
fn a_zone_entered_later_and_a_better_score_are_told_without_haste() {
    let mut scene = Scene::new(DetectConfig {
        zones: vec![zone("door", 0.6, 0.9, false)],
        ..DetectConfig::default()
    });
    scene.play(0.0, 1.0, |t| vec![walker(1, 0.0, t, 0.5)]);
    scene.play(1.0, 10.0, |t| {
        let mut track = walker(1, 0.0, t, 0.7);
        track.score = if t < 5.0 { 0.7 } else { 0.9 };
        vec![track]
    });
    assert_eq!(scene.states(), [Began, Updated, Updated]);
    assert_eq!(scene.changes[1].1.incident.zones, ["door"]);
    assert!(scene.changes[1].0 >= scene.changes[0].0 + 3.0);
    assert_eq!(scene.last().score, 0.9);
}

#[test]
fn recording_stops_and_resumes_when_another_one_comes() {
    let mut scene = Scene::plain();
    scene.play(0.0, 100.0, |t| {
        let mut tracks = vec![walker(1, 0.0, t, 0.5)];
        if t >= 80.0 {
            tracks.push(walker(2, 80.0, t, 0.3));
        }
        tracks
    });
    scene.play(100.0, 115.0, |_| vec![]);
    let flips: Vec<(i64, bool)> = scene
        .recorded()
        .iter()
        .map(|&(t, on)| (t.round() as i64, on))
        .collect();
    assert_eq!(flips, [(0, true), (60, false), (80, true), (100, false)]);
    assert_eq!(scene.states().last(), Some(&Ended));
}

#[test]
fn what_is_not_wanted_or_did_not_last_is_no_incident() {
    let mut scene = Scene::plain();
    scene.play(0.0, 3.0, |t| {
        let (mut dog, mut doubtful) = (walker(1, 0.0, t, 0.5), walker(2, 0.0, t, 0.6));
        dog.label = Label::Dog;
        doubtful.state = TrackState::Tentative;
        vec![dog, doubtful]
    });
    scene.seen(3.0, &[]);
    assert!(scene.changes.is_empty());
    let reasons: Vec<Reason> = scene.refusals.iter().map(|r| r.reason).collect();
    assert_eq!(reasons, [Reason::LowScore]);

    let mut glimpsed = walker(3, 4.0, 4.0, 0.5);
    glimpsed.state = TrackState::Tentative;
    scene.seen(4.0, &[glimpsed]);
    scene.seen(4.2, &[]);
    assert_eq!(scene.refusals[1].reason, Reason::DidNotLast);
}

#[test]
fn who_gets_out_of_a_car_is_what_the_visit_is_about() {
    let detect = DetectConfig {
        labels: vec![Label::Person, Label::Car],
        ..DetectConfig::default()
    };
    let mut scene = Scene::new(detect);
    let car = |t: f64| {
        let mut car = walker(1, 0.0, t, 0.1 + 0.05 * t as f32);
        car.label = Label::Car;
        car
    };
    scene.play(0.0, 4.0, |t| vec![car(t)]);
    assert_eq!(scene.last().label, Label::Car);
    scene.play(4.0, 12.0, |t| {
        vec![car(t), walker(2, 4.0, t, 0.3 + 0.05 * (t - 4.0) as f32)]
    });
    assert_eq!(
        (scene.last().label, scene.last().tracks),
        (Label::Person, 2)
    );
    assert_eq!(scene.states().iter().filter(|s| **s == Began).count(), 1);
}

#[test]
fn who_is_smaller_than_what_matters_is_no_incident() {
    let mut scene = Scene::plain();
    scene.play(0.0, 3.0, |t| {
        let mut bird = walker(1, 0.0, t, 0.3 + 0.1 * t as f32);
        let small = NormRect::new(bird.rect.x0, 0.3, bird.rect.x0 + 0.02, 0.33);
        (bird.rect, bird.seen) = (small, Some(small));
        vec![bird]
    });
    scene.seen(3.0, &[]);
    assert!(scene.changes.is_empty());
    assert_eq!(scene.refusals[0].reason, Reason::TooSmall);
}

#[test]
fn a_place_that_gave_doubtful_boxes_must_bring_more() {
    let doubtful = |id, from: f64, t: f64| {
        let mut track = walker(id, from, t, 0.5);
        (track.score, track.top_score, track.evidence) = (0.45, 0.45, 1.2);
        (track.first_rect, track.travelled) = (body(0.5), 0.0);
        track
    };
    let mut scene = Scene::plain();
    scene.motion(0.0, &[]);
    scene.seen(0.0, &[]);
    // A bush, twice.
    for (id, from) in [(1, 1.0), (2, 10.0)] {
        scene.play(from, from + 2.0, |t| vec![doubtful(id, from, t)]);
        scene.play(from + 2.0, from + 3.0, |_| vec![]);
    }
    assert_eq!(scene.refusals.len(), 2);
    // What steps out of the bush must be surer than the bush was ...
    let steps_out = |id, from: f64, t: f64, score: f32| {
        let mut track = doubtful(id, from, t);
        (track.travelled, track.score, track.top_score) = (0.4, score, score);
        track
    };
    scene.play(20.0, 22.0, |t| vec![steps_out(3, 20.0, t, 0.45)]);
    scene.play(22.0, 23.0, |_| vec![]);
    assert!(scene.changes.is_empty());
    assert_eq!(scene.refusals[2].reason, Reason::DoubtfulPlace);
    // ... and a clear person is.
    scene.play(30.0, 32.0, |t| vec![steps_out(4, 30.0, t, 0.8)]);
    assert_eq!(scene.states(), [Began]);
}

#[test]
fn a_sign_beside_whoever_walks_past_keeps_no_incident_open() {
    let mut scene = Scene::plain();
    let sign = |t: f64| {
        let mut sign = walker(2, 1.0, t, 0.6);
        (sign.first_rect, sign.travelled) = (body(0.55), 0.2);
        sign
    };
    scene.play(0.0, 3.0, |t| {
        let passing = walker(1, 0.0, t, 0.05 + 0.32 * t as f32);
        if t < 1.0 {
            vec![passing]
        } else {
            vec![passing, sign(t)]
        }
    });
    scene.play(3.0, 6.0, |t| vec![sign(t)]);
    assert_eq!(
        scene.states(),
        [Began, Ended],
        "and it begins none of its own"
    );
    assert_eq!(scene.last().tracks, 1);
}

#[test]
fn disarming_ends_it_and_arming_asks_for_new_movement() {
    let mut scene = Scene::plain();
    scene.play(0.0, 2.0, |t| vec![walker(1, 0.0, t, 0.5)]);
    let step = scene.events.set_mode(Mode::Disarmed, at(2.0));
    scene.take(2.0, step);
    assert_eq!(scene.states(), [Began, Ended]);
    assert_eq!(scene.last().end_reason, Some(EndReason::Disarmed));
    assert_eq!(scene.demand, DecodeDemand::Off);
    scene.play(2.0, 4.0, |t| vec![walker(1, 0.0, t, 0.5)]);
    assert_eq!(scene.states().len(), 2);
    assert!(!scene.wants(&motion(4.0, &[LEAVES])));

    let step = scene.events.set_mode(Mode::Armed, at(4.0));
    scene.take(4.0, step);
    assert_eq!(scene.demand, DecodeDemand::Asleep);
    assert!(scene.wants(&motion(4.0, &[])), "who is there?");
    scene.play(4.2, 6.0, |t| vec![walker(1, 0.0, t, 0.5)]);
    assert_eq!(scene.states().len(), 2, "still where the arming found it");
    for look in 0..10_u8 {
        let time = 6.0 + f64::from(look) / 5.0;
        let track = walker(1, 0.0, time, 0.5 + 0.02 * f32::from(look));
        scene.motion(time, &[track.rect]);
        scene.seen(time, &[track]);
    }
    assert_eq!(scene.states()[2..], [Began]);
    assert_eq!(scene.last().start, at(4.2));
}

#[test]
fn a_stream_that_ends_ends_the_incident_once() {
    let mut scene = Scene::plain();
    scene.play(0.0, 2.0, |t| vec![walker(1, 0.0, t, 0.5)]);
    for _ in 0..2 {
        let step = scene.events.finish(at(2.0), EndReason::Stream);
        scene.take(2.0, step);
    }
    assert_eq!(scene.states(), [Began, Ended]);
    assert_eq!(scene.last().end_reason, Some(EndReason::Stream));
}

#[test]
fn the_person_model_is_asked_only_when_there_is_something_to_learn() {
    let mut scene = Scene::plain();
    let mut unsettled = motion(0.0, &[]);
    unsettled.settled = false;
    assert!(
        scene.events.wants_person(&unsettled, || false).is_none(),
        "not its turn"
    );
    assert_eq!(
        scene.events.wants_person(&unsettled, || true),
        Some(Want::Spare),
        "the first look"
    );
    scene.motion(0.0, &[]);
    scene.seen(0.0, &[]);
    let quiet = motion(1.0, &[]);
    assert!(!scene.wants(&quiet));
    assert_eq!(
        scene.events.wants_person(&motion(1.0, &[LEAVES]), || false),
        Some(Want::Now),
        "motion waits for no turn"
    );
    let speck = NormRect::new(0.5, 0.5, 0.52, 0.52);
    assert!(!scene.wants(&motion(1.0, &[speck])), "too small");
    scene.play(1.0, 10.0, |t| vec![walker(1, 1.0, t, 0.5)]);
    assert!(scene.wants(&motion(10.0, &[])), "one who stands still");
}
