//! Whatever is called in whatever order, each incident begins once and ends once.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Call {
    Motion(u8, bool),
    Seen(Vec<(u8, u8, bool, bool)>),
    Tick,
    Mode(bool),
    Finish,
}

fn any_call() -> impl Strategy<Value = Call> {
    let track = (0u8..6, 0u8..=10, any::<bool>(), prop::bool::weighted(0.8));
    prop_oneof![
        4 => (0u8..=10, any::<bool>()).prop_map(|(n, settled)| Call::Motion(n, settled)),
        8 => prop::collection::vec(track, 0..4).prop_map(Call::Seen),
        2 => Just(Call::Tick),
        1 => any::<bool>().prop_map(Call::Mode),
        1 => Just(Call::Finish),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_each_incident_begins_once_and_ends_once(
        calls in prop::collection::vec((-500i64..6_000, any_call()), 1..120),
    ) {
        let mut scene = Scene::new(DetectConfig {
            motion_mask: vec![square(0.9, 1.0)],
            zones: vec![zone("door", 0.2, 0.5, false)],
            ..DetectConfig::default()
        });
        let mut millis = 0;
        for (pause, call) in calls {
            millis += pause;
            let time = millis as f64 / 1e3;
            match call {
                Call::Motion(n, settled) => {
                    let mut report = motion(time, &[body(f32::from(n) / 10.0)]);
                    report.settled = settled;
                    let step = scene.events.motion(&report);
                    scene.take(time, step);
                }
                Call::Seen(tracks) => {
                    let tracks: Vec<Track> = tracks
                        .into_iter()
                        .map(|(id, x, leaving, seen)| {
                            let mut track = walker(id.into(), time - 1.0, time, f32::from(x) / 10.0);
                            track.leaving = leaving;
                            if seen { track } else { lost(track) }
                        })
                        .collect();
                    scene.seen(time, &tracks);
                }
                Call::Tick => scene.tick(time),
                Call::Mode(armed) => {
                    let mode = if armed { Mode::Armed } else { Mode::Disarmed };
                    let step = scene.events.set_mode(mode, at(time));
                    scene.take(time, step);
                }
                Call::Finish => {
                    let step = scene.events.finish(at(time), EndReason::Stopped);
                    scene.take(time, step);
                }
            }
            prop_assert_eq!(scene.demand == DecodeDemand::Off, scene.events.mode() == Mode::Disarmed);
        }
        let step = scene.events.finish(at(millis as f64 / 1e3), EndReason::Stopped);
        scene.take(0.0, step);

        let mut open: Option<Incident> = None;
        let mut ever = HashSet::new();
        let mut last_end = MediaTime::from_nanos(i64::MIN);
        for (_, change) in &scene.changes {
            let now = &change.incident;
            match (&open, now.state) {
                (None, Began) => {
                    prop_assert!(ever.insert(now.id), "an id came back");
                    prop_assert!(now.start >= last_end, "two at a time");
                    prop_assert!(change.recording && change.subject.is_some());
                    open = Some(now.clone());
                }
                (Some(before), Updated | Ended) => {
                    prop_assert_eq!(before.id, now.id);
                    prop_assert_eq!(before.start, now.start);
                    prop_assert!(before.tracks <= now.tracks && before.score <= now.score);
                    prop_assert!(now.zones.starts_with(&before.zones));
                    open = Some(now.clone());
                }
                (state, change) => prop_assert!(false, "{:?} after {:?}", change, state),
            }
            if now.state == Ended {
                prop_assert!(now.end.is_some_and(|end| end >= now.start));
                prop_assert!(now.end_reason.is_some() && !change.recording);
                last_end = now.end.unwrap_or(last_end);
                open = None;
            }
        }
        prop_assert!(open.is_none(), "one never ended");
    }
}
