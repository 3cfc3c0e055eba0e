//! When somebody is taken to be gone, and when not.

use super::*;

#[test]
fn one_lost_inside_is_waited_for() {
    let mut scene = Scene::plain();
    let there = |t| walker(1, 0.0, t, 0.5);
    scene.play(0.0, 2.0, |t| vec![there(t)]);
    scene.play(2.0, 11.0, |_| vec![lost(there(1.8))]);
    assert_eq!(scene.states(), [Began], "nine seconds are not enough");
    scene.play(11.0, 14.0, |_| vec![]);
    assert_eq!(scene.states(), [Began, Ended]);
    assert_eq!(scene.last().end_reason, Some(EndReason::Lost));
    assert_eq!(scene.last().end, Some(at(1.8)));
}

#[test]
fn one_lost_inside_is_not_waited_for_once_nothing_moves_any_more() {
    let ended_at = |still_from: f64| {
        let mut scene = Scene::plain();
        scene.play(0.0, 2.0, |t| vec![walker(1, 0.0, t, 0.5)]);
        for look in 10..60_u8 {
            let time = f64::from(look) / 5.0;
            let moving = (time < still_from).then_some(LEAVES);
            scene.motion(time, moving.as_slice());
            scene.seen(time, &[lost(walker(1, 0.0, 1.8, 0.5))]);
        }
        assert_eq!(scene.states(), [Began, Ended]);
        assert_eq!(scene.last().end_reason, Some(EndReason::Lost));
        scene.changes[1].0
    };
    assert!((5.9..6.3).contains(&ended_at(2.0)));
    assert!(
        (8.9..9.3).contains(&ended_at(5.0)),
        "leaves move until then"
    );
    assert!(
        (11.7..12.0).contains(&ended_at(20.0)),
        "ten seconds at most"
    );
}

#[test]
fn one_who_sits_is_looked_at_in_keyframes_and_missed_at_once() {
    let mut scene = Scene::plain();
    let sitting = |t: f64| walker(1, 0.0, t, (0.1 + 0.1 * t as f32).min(0.5));
    let look = |scene: &mut Scene, time: f64, there: bool| {
        let track = sitting(time);
        scene.motion(time, &[track.rect]);
        scene.seen(time, &[if there { track } else { lost(track) }]);
    };
    for second in 0..120 {
        look(&mut scene, f64::from(second), true);
    }
    assert_eq!(scene.states(), [Began, Updated], "recording pauses");
    assert_eq!(scene.demand, DecodeDemand::Asleep);
    look(&mut scene, 121.0, false);
    let every = Duration::from_millis(300);
    assert_eq!(scene.demand, DecodeDemand::Awake { every });
    look(&mut scene, 121.2, true);
    assert_eq!(scene.demand, DecodeDemand::Asleep);
    assert_eq!(scene.states(), [Began, Updated]);
}

#[test]
fn one_who_was_part_of_the_background_when_lost_is_waited_for() {
    let mut scene = Scene::plain();
    let sitting = |t| walker(1, 0.0, t, 0.5);
    for second in 0..40 {
        let time = f64::from(second);
        let moving = (time < 10.0).then_some(body(0.5));
        let missed = time >= 30.0;
        scene.motion(time, moving.as_slice());
        scene.seen(
            time,
            &[if missed {
                lost(sitting(29.0))
            } else {
                sitting(time)
            }],
        );
    }
    assert_eq!(scene.states(), [Began, Ended]);
    assert_eq!(scene.changes[1].0, 39.0, "ten seconds after 29");
}

#[test]
fn one_who_was_taken_to_be_gone_and_comes_back_is_counted_once() {
    let mut scene = Scene::plain();
    scene.play(0.0, 40.0, |t| {
        let with = walker(1, 0.0, t, 0.3);
        let behind = walker(2, 0.0, t, 0.6);
        let hidden = (5.0..20.0).contains(&t);
        vec![with, if hidden { lost(behind) } else { behind }]
    });
    assert_eq!(scene.last().tracks, 2);
    assert_eq!(scene.states()[0], Began);
    assert!(scene.states()[1..].iter().all(|s| *s == Updated));
}

#[test]
fn a_track_left_hanging_in_furniture_neither_prolongs_nor_begins() {
    let mut scene = Scene::plain();
    scene.motion(0.0, &[]);
    scene.seen(0.0, &[]);
    let sign = |id, from, t| {
        let mut track = walker(id, from, t, 0.5);
        (track.score, track.top_score) = (0.45, 0.45);
        (track.evidence, track.state) = (0.6, TrackState::Tentative);
        (track.first_rect, track.travelled) = (body(0.5), 0.0);
        track
    };
    scene.play(1.0, 3.0, |t| vec![sign(1, 1.0, t)]);
    scene.play(3.0, 4.0, |_| vec![]);
    assert_eq!(scene.refusals.len(), 1);
    // Somebody passes the sign, and the sign's boxes take over the track.
    for look in 0..100_u8 {
        let time = 10.0 + f64::from(look) / 5.0;
        let mut track = walker(2, 10.0, time, (0.05 + 0.05 * f32::from(look)).min(0.5));
        let passing = look < 9;
        if !passing {
            track.score = if look % 3 == 0 { 0.5 } else { 0.3 };
        }
        let moving = passing.then_some(track.rect);
        scene.motion(time, moving.as_slice());
        scene.seen(time, &[track]);
    }
    assert_eq!(scene.states(), [Began, Ended]);
    assert!(scene.last().end.is_some_and(|end| end < at(12.0)));
    scene.play(30.0, 31.0, |_| vec![]);
    assert_eq!(scene.refusals.len(), 1, "what was told is not refused too");
}

/// Somebody at the edge of the crowd, in place of a walker who leaves at two seconds.
fn with_walker(scene: &mut Scene, to: f64, other: impl Fn(f64) -> Option<Track>) {
    scene.motion(0.0, &[]);
    scene.seen(0.0, &[]);
    scene.play(0.2, to, |t| {
        let walker = (t < 2.0).then(|| walker(1, 0.0, t, 0.05 + 0.5 * t as f32));
        walker.into_iter().chain(other(t)).collect()
    });
}

/// One that came at `from` and went so far.
fn bystander(from: f64, now: f64, travelled: f32) -> Option<Track> {
    let track = Track {
        travelled,
        first_rect: body(0.3),
        ..walker(2, from, now, 0.3)
    };
    (now >= from).then_some(track)
}

#[test]
fn the_incident_goes_on_with_one_who_came_meanwhile() {
    let mut scene = Scene::plain();
    let strolls = |t: f64| bystander(1.4, t, (0.1 * (t - 1.4) as f32).min(0.4));
    with_walker(&mut scene, 12.0, |t| strolls(t).filter(|_| t < 7.0));
    let began = scene.states().iter().filter(|s| **s == Began).count();
    assert_eq!(began, 1, "{:?}", scene.states());
    assert_eq!(scene.last().tracks, 2);
    assert!(scene.states().contains(&Updated));
}

#[test]
fn one_who_has_just_come_is_given_time_to_move_and_no_more() {
    let mut scene = Scene::plain();
    with_walker(&mut scene, 30.0, |t| bystander(3.0, t, 0.0));
    assert_eq!(scene.states(), [Began, Ended]);
    let ended = scene.changes[1].0;
    assert!(
        (5.9..6.3).contains(&ended),
        "three seconds after it came: {ended}"
    );
    assert_eq!(scene.last().end, Some(at(1.8)));
}

#[test]
fn what_has_long_been_there_takes_nothing_over() {
    let mut scene = Scene::plain();
    scene.play(0.0, 10.0, |t| bystander(0.0, t, 0.1).into_iter().collect());
    scene.play(10.0, 20.0, |t| {
        let x = 0.05 + 0.5 * (t - 10.0) as f32;
        let walker = (t < 12.0).then(|| walker(1, 10.0, t, x));
        walker.into_iter().chain(bystander(0.0, t, 0.2)).collect()
    });
    assert_eq!(scene.states(), [Began, Ended]);
    assert!((13.7..14.1).contains(&scene.changes[1].0));
}
