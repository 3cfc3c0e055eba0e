use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::flow::{Clothes, Label};

fn at(seconds: f64) -> MediaTime {
    MediaTime::from_secs_f64(seconds)
}

/// A person 0.3 of the picture high, centred here.
fn person(cx: f32, cy: f32, score: f32) -> Detection {
    boxed(
        NormRect::new(cx - 0.03, cy - 0.15, cx + 0.03, cy + 0.15),
        score,
    )
}

fn boxed(rect: NormRect, score: f32) -> Detection {
    Detection {
        rect,
        label: Label::Person,
        score,
        clothes: None,
    }
}

fn tracker() -> Tracker {
    Tracker::new(TrackerConfig::default())
}

fn ids(tracks: &[Track]) -> Vec<u64> {
    tracks.iter().map(|t| t.id.0).collect()
}

#[test]
fn a_clear_person_is_believed_at_once_a_doubtful_one_needs_more_looks() {
    for (score, looks) in [(0.7, 1), (0.55, 2), (0.42, 2), (0.4, 3)] {
        let mut tracker = tracker();
        let states: Vec<TrackState> = (0..4)
            .map(|i| {
                let walking = person(0.3 + 0.05 * i as f32, 0.5, score);
                tracker.step(at(0.2 * f64::from(i)), &[walking])[0].state
            })
            .collect();
        let believed = states.iter().position(|s| *s == TrackState::Tracked);
        assert_eq!(believed, Some(looks - 1), "score {score}");
    }
}

#[test]
fn furniture_is_not_believed_however_often_it_is_seen() {
    let mut tracker = tracker();
    let scores = [0.45, 0.42, 0.7, 0.41, 0.45, 0.42, 0.43, 0.44, 0.42, 0.45];
    let states: Vec<TrackState> = (0..)
        .zip(scores)
        .map(|(i, score)| {
            let sign = person(0.5, 0.5, score);
            tracker.step(at(0.2 * f64::from(i)), &[sign])[0].state
        })
        .collect();
    assert_eq!(states[1], TrackState::Tentative);
    assert_eq!(states[2], TrackState::Tracked, "one clear look");
    assert_eq!(states[9], TrackState::Tentative, "was luck");
}

#[test]
fn one_who_is_vouched_for_is_believed_and_outlasts_a_miss() {
    let mut tracker = tracker();
    let look = |tracker: &mut Tracker, i: u8, seen: bool| {
        let doubtful = seen.then(|| person(0.5, 0.5, 0.42));
        let tracks = tracker.step(at(0.2 * f64::from(i)), doubtful.as_slice());
        tracks.first().map(|t| (t.id, t.state))
    };
    let (id, state) = look(&mut tracker, 0, true).unwrap();
    assert_eq!(state, TrackState::Tentative);
    for i in 1..10 {
        tracker.vouch(id);
        let state = look(&mut tracker, i, true);
        assert_eq!(state, Some((id, TrackState::Tracked)), "look {i}");
    }
    let alone = look(&mut tracker, 10, true);
    assert_eq!(alone, Some((id, TrackState::Tentative)), "its boxes alone");
    tracker.vouch(id);
    for i in 11..18 {
        let state = look(&mut tracker, i, false);
        assert_eq!(state, Some((id, TrackState::Lost)), "look {i}");
    }
}

#[test]
fn doubt_alone_makes_no_track_but_keeps_one() {
    let mut tracker = tracker();
    for i in 0..5 {
        assert!(
            tracker
                .step(at(0.2 * f64::from(i)), &[person(0.5, 0.5, 0.3)])
                .is_empty()
        );
    }
    tracker.step(at(1.0), &[person(0.5, 0.5, 0.7)]);
    tracker.step(at(1.2), &[person(0.5, 0.5, 0.7)]);
    let tracks = tracker.step(at(1.4), &[person(0.5, 0.5, 0.2)]);
    assert_eq!(tracks[0].state, TrackState::Tracked);
    assert_eq!(tracks[0].hits, 3);
}

#[test]
fn a_runner_whose_boxes_do_not_overlap_keeps_the_id() {
    let mut tracker = tracker();
    for i in 0..8 {
        // 0.45 of the picture's width a second: 2.7 of the person's heights, each step wider than the box.
        let x = 0.05 + 0.09 * i as f32;
        let tracks = tracker.step(at(0.2 * f64::from(i)), &[person(x, 0.5, 0.8)]);
        assert_eq!(ids(tracks), [1], "look {i}");
    }
}

#[test]
fn ids_survive_two_people_crossing() {
    let mut tracker = tracker();
    for i in 0..=20 {
        let x = 0.2 + 0.03 * i as f32;
        let (left, right) = (person(x, 0.5, 0.8), person(1.0 - x, 0.56, 0.75));
        // Where they cover each other the detector sees the nearer one only.
        let both = [left, right];
        let hidden = (x - 0.5).abs() < 0.02;
        tracker.step(
            at(0.2 * f64::from(i)),
            if hidden { &both[1..] } else { &both },
        );
    }
    let tracks = tracker.tracks.clone();
    assert_eq!(ids(&tracks), [1, 2]);
    assert!(tracks[0].velocity.0 > 0.1 && tracks[1].velocity.0 < -0.1);
    assert!(tracks[0].rect.centre().x > 0.7);
}

/// Somebody of 0.3 of the picture's height who wears one colour.
fn dressed(cx: f32, score: f32, luma: f32) -> Detection {
    let bands = [[luma, 128.0, 128.0]; 2];
    Detection {
        clothes: Some(Clothes { bands }),
        ..person(cx, 0.5, score)
    }
}

#[test]
fn clothes_tell_two_apart_who_come_back_on_the_other_side() {
    for (dark, light) in [(0.45, 0.55), (0.55, 0.45)] {
        let mut tracker = tracker();
        for i in 0..5 {
            let pair = [dressed(0.3, 0.8, 50.0), dressed(0.7, 0.75, 170.0)];
            tracker.step(at(0.2 * f64::from(i)), &pair);
        }
        for second in [2.0, 3.0] {
            tracker.step(at(second), &[]);
        }
        let tracks = tracker.step(
            at(4.0),
            &[dressed(dark, 0.8, 50.0), dressed(light, 0.75, 170.0)],
        );
        assert_eq!(ids(tracks), [1, 2]);
        let places = [tracks[0].seen, tracks[1].seen].map(|seen| seen.unwrap().centre().x);
        assert!(
            (places[0] - dark).abs() < 0.01 && (places[1] - light).abs() < 0.01,
            "{places:?}"
        );
    }
}

#[test]
fn clothes_are_not_learnt_from_whoever_covers_them() {
    let mut tracker = tracker();
    for i in 0..40 {
        // Another comes from the right, and stays in front of the first.
        let other = (0.9 - 0.02 * i as f32).max(0.52);
        let covered = other < 0.55;
        let first = dressed(0.5, 0.9, if covered { 200.0 } else { 50.0 });
        tracker.step(at(0.2 * f64::from(i)), &[first, dressed(other, 0.8, 200.0)]);
    }
    let clothes = tracker.followed[0].clothes.expect("it was seen");
    assert!((clothes.bands[0][0] - 50.0).abs() < 1.0, "{clothes:?}");
}

#[test]
fn somebody_lost_behind_a_pillar_comes_back_under_the_same_id() {
    let mut tracker = tracker();
    let mut step = |i: i32, seen: bool| {
        let there = [person(0.2 + 0.02 * i as f32, 0.5, 0.8)];
        let tracks = tracker.step(at(0.2 * f64::from(i)), if seen { &there } else { &[] });
        (ids(tracks), tracks[0].state, tracks[0].seen)
    };
    for i in 0..10 {
        step(i, true);
    }
    for i in 10..16 {
        assert_eq!(step(i, false), (vec![1], TrackState::Lost, None));
    }
    assert_eq!(step(16, true).1, TrackState::Tracked);
}

#[test]
fn somebody_seen_in_ever_smaller_parts_before_being_lost_is_found_again_as_a_whole() {
    let mut tracker = tracker();
    let walking = |i: i32| person(0.2 + 0.01 * i as f32, 0.5, 0.8);
    let mut look = |i: i32, seen: &[Detection]| {
        let tracks = tracker.step(at(0.2 * f64::from(i)), seen);
        (ids(tracks), tracks[0].rect.height())
    };
    for i in 0..10 {
        look(i, &[walking(i)]);
    }
    // A sign covers the legs, then the body, then the head.
    for (i, covered) in (10..).zip([0.08, 0.14, 0.2, 0.24]) {
        let mut head = walking(i);
        head.rect.y1 -= covered;
        look(i, &[head]);
    }
    let (_, sought) = look(14, &[]);
    assert!(sought < 0.15, "the filter follows what is seen");
    let (_, sought) = look(15, &[]);
    assert!((0.25..0.35).contains(&sought), "{sought} high");
    assert_eq!(look(16, &[walking(16)]).0, [1]);
}

#[test]
fn lost_inside_is_remembered_longer_than_left_through_the_edge() {
    let gone_after = |speed: f32| {
        let mut tracker = tracker();
        for i in 0..10 {
            tracker.step(
                at(0.2 * f64::from(i)),
                &[person(0.5 + speed * i as f32, 0.5, 0.8)],
            );
        }
        let last = at(1.8);
        (10..)
            .map(|i| at(0.2 * f64::from(i)))
            .find(|&t| tracker.step(t, &[]).is_empty())
            .map_or(0.0, |t| t.since(last).as_secs_f64())
    };
    assert!((10.0..10.5).contains(&gone_after(0.0)));
    assert!((1.0..1.5).contains(&gone_after(0.05)));
}

#[test]
fn what_is_left_of_a_leaver_at_the_edge_is_leaving_still() {
    let mut tracker = tracker();
    let walking = |i: i32| person(0.7 + 0.03 * i as f32, 0.5, 0.8).rect;
    for i in 0..9 {
        tracker.step(at(0.2 * f64::from(i)), &[boxed(walking(i), 0.8)]);
    }
    // A back and a heel, which no longer move.
    let part = NormRect::new(0.96, 0.36, 1.0, 0.64);
    for i in 9..12 {
        let tracks = tracker.step(at(0.2 * f64::from(i)), &[boxed(part, 0.5)]);
        assert_eq!((ids(tracks), tracks[0].leaving), (vec![1], true));
    }
    let mut then = 12..;
    let stays = then.find(|&i| {
        let tracks = tracker.step(at(0.2 * f64::from(i)), &[boxed(part, 0.5)]);
        !tracks[0].leaving
    });
    assert!(
        stays.is_some_and(|i| i < 30),
        "who stays there has not left"
    );
}

#[test]
fn a_box_inside_a_better_one_is_the_same_person() {
    let mut tracker = tracker();
    let upper_body = boxed(NormRect::new(0.48, 0.35, 0.52, 0.45), 0.6);
    for i in 0..5 {
        let tracks = tracker.step(at(0.2 * f64::from(i)), &[upper_body, person(0.5, 0.5, 0.8)]);
        assert_eq!(ids(tracks), [1]);
        assert_eq!(tracks[0].top_score, 0.8);
    }
}

#[test]
fn one_more_box_among_others_is_believed_only_when_it_is_seen_twice_more() {
    let mut tracker = tracker();
    let both = [person(0.5, 0.5, 0.8), person(0.55, 0.5, 0.8)];
    tracker.step(at(0.0), &both);
    let between = boxed(NormRect::new(0.49, 0.3, 0.56, 0.75), 0.75);
    let believed = |tracks: &[Track]| {
        let tracked = tracks.iter().filter(|t| t.state == TrackState::Tracked);
        tracked.count()
    };
    let crowd = [both[0], both[1], between];
    assert_eq!(believed(tracker.step(at(0.2), &crowd)), 2);
    // What it owes does not fade while it is missed.
    assert_eq!(believed(tracker.step(at(0.4), &both)), 2);
    assert_eq!(believed(tracker.step(at(0.6), &crowd)), 2);
    assert_eq!(believed(tracker.step(at(0.8), &crowd)), 3);
}

#[test]
fn a_shaking_box_does_not_travel_and_a_walker_does() {
    let mut tracker = tracker();
    for i in 0..50 {
        let shake = if i % 2 == 0 { 0.005 } else { -0.005 };
        let head_only = i % 7 == 3;
        let poster = NormRect::new(0.2 + shake, 0.2, 0.3, if head_only { 0.4 } else { 0.6 });
        let walker = person(0.5 + 0.004 * i as f32, 0.5, 0.8);
        tracker.step(at(0.2 * f64::from(i)), &[boxed(poster, 0.7), walker]);
    }
    let travelled = |rect: NormRect| {
        let near = |t: &&Track| t.rect.iou(&rect) > 0.3;
        tracker.tracks.iter().find(near).map(|t| t.travelled)
    };
    assert!(travelled(NormRect::new(0.2, 0.2, 0.3, 0.6)).is_some_and(|t| t < 0.05));
    assert!(travelled(person(0.7, 0.5, 0.8).rect).is_some_and(|t| t > 0.9));
}

#[test]
fn labels_never_mix() {
    let mut tracker = tracker();
    let mut dog = person(0.5, 0.5, 0.8);
    dog.label = Label::Dog;
    tracker.step(at(0.0), &[person(0.5, 0.5, 0.8)]);
    let tracks = tracker.step(at(0.2), &[dog]);
    assert_eq!(ids(tracks), [1, 2]);
}

#[test]
fn another_shape_of_picture_is_another_view() {
    let mut tracker = tracker();
    tracker.step(at(0.0), &[person(0.5, 0.5, 0.8)]);
    tracker.set_picture(Size::new(1920, 1080));
    assert_eq!(ids(tracker.step(at(0.2), &[person(0.5, 0.5, 0.8)])), [1]);
    tracker.set_picture(Size::new(640, 480));
    assert_eq!(ids(tracker.step(at(0.4), &[person(0.5, 0.5, 0.8)])), [2]);
}

fn any_number() -> impl Strategy<Value = f32> {
    prop_oneof![20 => -0.2f32..1.2, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY), 1 => Just(0.0f32)]
}

fn any_detection() -> impl Strategy<Value = Detection> {
    let label = prop_oneof![4 => Just(Label::Person), 1 => Just(Label::Dog)];
    (
        any_number(),
        any_number(),
        any_number(),
        any_number(),
        any_number(),
        label,
    )
        .prop_map(|(x, y, w, h, score, label)| Detection {
            rect: NormRect::new(x, y, x + w, y + h),
            label,
            score,
            clothes: None,
        })
}

proptest! {
    #[test]
    fn whatever_comes_ids_are_never_used_again_and_numbers_stay_finite(
        looks in prop::collection::vec(
            (-500i64..12_000, prop::collection::vec(any_detection(), 0..6)), 1..40),
    ) {
        let mut tracker = tracker();
        let mut live: HashMap<TrackId, Track> = HashMap::new();
        let mut ever: HashSet<TrackId> = HashSet::new();
        let mut millis = 0;
        for (pause, detections) in looks {
            millis += pause;
            let tracks = tracker.step(MediaTime::from_nanos(millis * 1_000_000), &detections);
            let unique: HashSet<TrackId> = tracks.iter().map(|t| t.id).collect();
            prop_assert_eq!(unique.len(), tracks.len());
            for track in tracks {
                if let Some(before) = live.get(&track.id) {
                    prop_assert_eq!(before.label, track.label);
                    prop_assert_eq!(before.first_seen, track.first_seen);
                    prop_assert!(before.travelled <= track.travelled);
                } else {
                    prop_assert!(ever.insert(track.id), "an id came back");
                }
                let numbers = [track.rect.x0, track.rect.y0, track.rect.x1, track.rect.y1,
                    track.evidence, track.travelled, track.velocity.0, track.velocity.1];
                prop_assert!(numbers.iter().all(|n| n.is_finite()), "{:?}", track);
                prop_assert!(track.first_seen <= track.last_seen);
                prop_assert_eq!(track.state == TrackState::Lost, track.seen.is_none()
                    && track.state != TrackState::Tentative);
            }
            live = tracks.iter().map(|t| (t.id, t.clone())).collect();
        }
    }
}
