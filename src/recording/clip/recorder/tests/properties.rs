//! What holds whatever the visits do.

use proptest::prelude::*;

use super::*;

/// What may happen to a camera with several visits.
#[derive(Debug, Clone)]
enum Step {
    Run(u64),
    Start { ago: u64 },
    Pause(usize),
    Resume(usize),
    End(usize, u64),
    Break,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u64..80).prop_map(Step::Run),
        2 => (0u64..40).prop_map(|ago| Step::Start { ago }),
        1 => (0usize..4).prop_map(Step::Pause),
        1 => (0usize..4).prop_map(Step::Resume),
        2 => (0usize..4, 0u64..60).prop_map(|(which, post)| Step::End(which, post)),
        1 => Just(Step::Break),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_clips_are_in_order_and_whole(
        gop in 1u64..70, steps in proptest::collection::vec(step(), 1..25),
    ) {
        let mut bench = Bench::new(gop);
        // Each visit with the time before which its clip must begin.
        let mut visits: Vec<(IncidentId, f64)> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        bench.run_to(10.0);

        for step in steps {
            let now = bench.camera.next as f64 / 10.0;
            let pick = |which: usize| open.get(which % open.len().max(1)).copied();
            match step {
                Step::Run(pictures) => bench.run_to(now + pictures as f64 / 10.0),
                Step::Start { ago } => {
                    let start = now - ago as f64 / 10.0;
                    let visit = bench.start(start);
                    open.push(visits.len());
                    visits.push((visit, start - 5.0));
                }
                Step::Pause(which) => if let Some(i) = pick(which) {
                    bench.events.extend(bench.recorder.pause(visits[i].0, at(now)));
                },
                Step::Resume(which) => if let Some(i) = pick(which) {
                    bench.events.extend(bench.recorder.resume(visits[i].0, at(now)));
                },
                Step::End(which, post) => if let Some(i) = pick(which) {
                    bench.end(visits[i].0, now + post as f64 / 10.0);
                    open.retain(|&it| it != i);
                },
                Step::Break => {
                    bench.camera.broken = true;
                    bench.camera.next = (bench.camera.next / gop + 1) * gop;
                }
            }
        }
        bench.events.extend(bench.recorder.finish());
        prop_assert_eq!(bench.written_twice(), Vec::<u64>::new());
        for (visit, begin) in visits {
            prop_assert!(bench.closed(visit).is_some());
            let media = bench.media(visit);
            let numbers = bench.numbers(visit);
            prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{:?}", numbers);
            let Some(&first) = numbers.first() else { continue };
            prop_assert_eq!(first % gop, 0, "begins on a keyframe");
            prop_assert!(first as f64 / 10.0 <= begin + 1e-6, "{} {}", first, begin);
            for pair in media.windows(2) {
                let (before, after) = (read(&pair[0].path), read(&pair[1].path));
                let hole = before.numbers.last().unwrap() + 1 != after.numbers[0];
                if hole {
                    prop_assert!(pair[1].discontinuity);
                }
                if !pair[1].discontinuity {
                    prop_assert!(after.start.abs_diff(before.end) <= 1);
                }
            }
        }
    }

    #[test]
    fn nothing_between_start_and_end_is_missing(
        gop in 1u64..70, steps in proptest::collection::vec((1u64..80, 0u64..60), 1..20),
    ) {
        let mut bench = Bench::new(gop);
        bench.run_to(10.0);
        // Visits with the numbers of the picture at which each starts and of the last that belongs to it.
        let mut visits: Vec<(IncidentId, u64, u64)> = Vec::new();
        for (pictures, post) in steps {
            let now = bench.camera.next;
            let visit = bench.start(now as f64 / 10.0);
            bench.run_to((now + pictures) as f64 / 10.0);
            // Every other visit ends, so that up to three are open at once.
            let ending = visits.len().saturating_sub(1) / 2 * 2;
            visits.push((visit, now, u64::MAX));
            if visits[ending].2 == u64::MAX {
                let until = bench.camera.next + post;
                visits[ending].2 = until;
                bench.end(visits[ending].0, until as f64 / 10.0);
            }
        }
        bench.events.extend(bench.recorder.finish());
        prop_assert_eq!(bench.written_twice(), Vec::<u64>::new());
        for (visit, start, until) in visits {
            let numbers = bench.numbers(visit);
            let first = numbers[0];
            prop_assert!(first.is_multiple_of(gop) && first + 50 <= start);
            prop_assert_eq!(numbers, range(first, until.min(bench.camera.next - 1)));
        }
    }
}
