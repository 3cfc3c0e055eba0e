//! Days without a link, and clocks that step by hours: what was kept leaves whole and in order.

use std::collections::BTreeMap;

use crate::{
    base::clock::{Clock, SimClock},
    config::{MqttConfig, UploadConfig},
    flow::{ClockState, WallTime},
    net::pace::Pacer,
    outbox::{
        sinks::StoreSink,
        tests::{
            receivers::{
                mqtt::{Hub, config, connect},
                s3::{Moto, make_bucket},
            },
            *,
        },
    },
    testing::{
        broker::{Broker, Demands},
        proxy::{Fault, Proxy},
    },
};

/// Afternoon of a day in 2027.
const START: i64 = 1_800_000_000_000;
const HOUR_MS: i64 = 3_600_000;

/// A home whose clock is moved by hand.
fn home_at(clock: &Arc<SimClock>) -> Home {
    let mut home = Home::new();
    home.outbox = None;
    let outbox = Outbox::open(
        home.dir.path(),
        "home".parse().unwrap(),
        clock.clone(),
        home.settings.clone(),
        Metrics::new(),
    );
    home.outbox = Some(outbox.unwrap());
    home
}

/// Waits, with a clock that goes on meanwhile.
fn wait_on(clock: &SimClock, within: Duration, what: &str, mut happened: impl FnMut() -> bool) {
    let (from, began) = (clock.now(), Instant::now());
    while !happened() {
        assert!(began.elapsed() < within, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
        clock.advance_to(from + began.elapsed());
    }
}

/// What each incident's alerts said, in the order of their first arrival.
fn by_incident(hub: &Hub) -> BTreeMap<IncidentId, Vec<u32>> {
    let mut all: BTreeMap<IncidentId, Vec<u32>> = BTreeMap::new();
    for message in hub.alerts() {
        let seqs = all.entry(message.id).or_default();
        if !seqs.contains(&message.seq) {
            seqs.push(message.seq);
        }
    }
    all
}

fn numbers(hub: &Hub) -> Vec<u64> {
    let mut numbers: Vec<_> = hub.alerts().iter().filter_map(|m| m.n).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[test]
fn two_days_without_a_link_drain_whole_and_in_order() {
    let Some(moto) = Moto::start(None) else {
        return;
    };
    let clock = SimClock::new(WallTime(START));
    let home = home_at(&clock);
    make_bucket(&home, &moto, "evidence");
    let broker = Broker::start(&Demands::default()).unwrap();
    let hub = Hub::connect(&broker);
    let ways = [broker.port(), moto.port].map(|port| Proxy::start(port).unwrap());
    for way in &ways {
        way.set(Fault::Refuse);
    }
    let address = |way: &Proxy, scheme: &str| format!("{scheme}://127.0.0.1:{}", way.port());
    let upload = UploadConfig {
        endpoint: Some(address(&ways[1], "http").parse().unwrap()),
        ..moto.config("s3://evidence")
    };
    let mqtt = MqttConfig {
        url: address(&ways[0], "mqtt").parse().unwrap(),
        ..config(&broker)
    };
    let sink = Arc::new(StoreSink::new(&upload, &Pacer::new(None)).unwrap());
    let connection = connect(&home, &mqtt);
    home.start(vec![sink]);
    let mut visits = Vec::new();
    for hour in 1..=48 {
        clock.advance_to(MediaTime::ZERO + Duration::from_secs(hour * 3600));
        let at = clock.now().secs_f64();
        let incident = whole_visit(home.outbox(), at, 2);
        // It comes and goes all the time; of all that only the last is news.
        for tracks in 2..6 {
            home.outbox()
                .alert(&updated(&incident, tracks), None)
                .unwrap();
        }
        home.outbox()
            .alert(&ended(&incident, at + 9.0), None)
            .unwrap();
        visits.push(incident);
    }
    assert_eq!(
        home.outbox().sweep().unwrap(),
        0,
        "two days are within the retention"
    );
    assert!(hub.alerts().is_empty() && connection.sink.problem().is_some());
    for way in &ways {
        way.set(Fault::None);
    }
    wait_on(
        &clock,
        Duration::from_secs(90),
        "the end of the backlog",
        || {
            let waiting = |takes| home.outbox().waiting(takes).unwrap();
            waiting(Takes::Alerts) == 0 && waiting(Takes::Objects) == 0
        },
    );
    wait_for("the last alerts", || {
        by_incident(&hub).len() == visits.len()
    });
    for (id, seqs) in by_incident(&hub) {
        assert!(seqs.is_sorted(), "{id}: {seqs:?}");
    }
    let numbers = numbers(&hub);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let ends = hub
        .alerts()
        .iter()
        .filter(|m| m.state == IncidentState::Ended)
        .count();
    assert!(ends >= visits.len());
    let totals = home.outbox().totals().unwrap();
    assert_eq!((totals.segments, totals.segments_delivered), (96, 96));
    for incident in visits.iter().step_by(12) {
        let here = home.outbox().incident_dir(incident).unwrap();
        let key = here
            .strip_prefix(home.objects())
            .unwrap()
            .join("sub/00002.m4s");
        let path = format!("evidence/{}", key.display());
        let there = crate::outbox::tests::receivers::s3::stored(&home, &moto, &path)
            .expect("a segment")
            .1;
        assert_eq!(there, std::fs::read(home.objects().join(key)).unwrap());
    }
}

#[test]
fn a_clock_that_steps_by_hours_both_ways_changes_no_order_and_deletes_nothing() {
    let clock = SimClock::new(WallTime(START));
    let home = home_at(&clock);
    let broker = Broker::start(&Demands::default()).unwrap();
    let (hub, target) = (Hub::connect(&broker), tempfile::tempdir().unwrap());
    let way = Proxy::start(broker.port()).unwrap();
    way.set(Fault::Delay(Duration::from_millis(20)));
    let mqtt = MqttConfig {
        url: format!("mqtt://127.0.0.1:{}", way.port()).parse().unwrap(),
        ..config(&broker)
    };
    let upload = UploadConfig::folder(url::Url::from_directory_path(target.path()).unwrap());
    let sink = Arc::new(StoreSink::new(&upload, &Pacer::new(None)).unwrap());
    let _connection = connect(&home, &mqtt);
    home.start(vec![sink]);
    let mut visits = Vec::new();
    let steps = [0, 7, -9, -3, 12, 1].map(|hours| START + hours * HOUR_MS);
    for (at, wall) in (0_u64..).zip(steps) {
        clock.advance_to(MediaTime::ZERO + Duration::from_secs(at * 10));
        // In the middle of a visit.
        let incident = visit(clock.now().secs_f64());
        home.outbox().alert(&incident, None).unwrap();
        media(home.outbox(), &incident, MediaKind::Init, 1);
        clock.set_wall(WallTime(wall), ClockState::Good);
        media(home.outbox(), &incident, MediaKind::Media, 1);
        home.outbox()
            .alert(&ended(&incident, clock.now().secs_f64() + 5.0), None)
            .unwrap();
        home.outbox()
            .clip_closed(incident.id, Rendition::Sub)
            .unwrap();
        assert_eq!(home.outbox().sweep().unwrap(), 0);
        visits.push(incident);
    }
    wait_on(&clock, PATIENCE, "everything", || {
        let waiting = |takes| home.outbox().waiting(takes).unwrap();
        waiting(Takes::Alerts) == 0 && waiting(Takes::Objects) == 0
    });
    wait_for("the last alerts", || {
        by_incident(&hub).len() == visits.len()
    });
    assert!(by_incident(&hub).values().all(|seqs| seqs.is_sorted()));
    assert_eq!(
        numbers(&hub).last().copied(),
        Some(numbers(&hub).len() as u64)
    );
    for incident in &visits {
        let here = home.outbox().incident_dir(incident).unwrap();
        let there = target
            .path()
            .join(here.strip_prefix(home.objects()).unwrap());
        assert_eq!(
            read(there.join("sub/00001.m4s")),
            read(here.join("sub/00001.m4s"))
        );
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// Whether an incident's clip is still on disk.
fn has_clip(home: &Home, incident: &Incident) -> bool {
    let segment = home
        .outbox()
        .read(|db| {
            let row = crate::outbox::incidents::row(db, incident.id)?;
            Ok(row.map(|row| row.prefix))
        })
        .unwrap();
    segment.is_some_and(|prefix| home.outbox().path(&prefix).join("sub/00001.m4s").exists())
}

#[test]
fn what_was_recorded_without_a_clock_is_kept_as_long_as_anything_else() {
    let clock = SimClock::new(WallTime(5_000_000));
    clock.set_wall(WallTime(5_000_000), ClockState::Unsure);
    let home = home_at(&clock);
    let in_1970 = whole_visit(home.outbox(), 0.0, 1);
    clock.set_wall(WallTime(2_082_758_400_000), ClockState::Unsure);
    let in_2036 = whole_visit(home.outbox(), 10.0, 1);
    // A clock that was taken for right, and was ahead.
    clock.set_wall(WallTime(2_082_758_400_000), ClockState::Good);
    let wrongly = whole_visit(home.outbox(), 20.0, 1);
    assert_eq!(home.outbox().sweep().unwrap(), 0);
    clock.set_wall(WallTime(START), ClockState::Good);
    assert_eq!(home.outbox().sweep().unwrap(), 0);
    let all = [&in_1970, &in_2036, &wrongly];
    assert!(all.iter().all(|incident| has_clip(&home, incident)));
    let retention = home.settings.retention;
    clock.advance_to(clock.now() + (retention - Duration::from_secs(3600)));
    assert_eq!(home.outbox().sweep().unwrap(), 0, "not yet");
    for _ in 0..4 {
        clock.advance_to(clock.now() + Duration::from_secs(3700));
        home.outbox().sweep().unwrap();
    }
    assert!(!all.iter().any(|incident| has_clip(&home, incident)));
    assert_eq!(home.outbox().totals().unwrap().incidents, 0);
}

#[test]
fn a_clock_that_jumps_ahead_takes_no_evidence_and_is_told() {
    let clock = SimClock::new(WallTime(START));
    let home = home_at(&clock);
    let visits: Vec<_> = (0..10)
        .map(|at| whole_visit(home.outbox(), f64::from(at) * 10.0, 1))
        .collect();
    clock.set_wall(WallTime(START + 40 * 24 * HOUR_MS), ClockState::Good);
    for _ in 0..5 {
        assert_eq!(home.outbox().sweep().unwrap(), 0);
        clock.advance_to(clock.now() + Duration::from_secs(3600));
    }
    let said = home.outbox().ageing_problems();
    assert!(said[0].contains("10 of 10"), "{said:?}");
    clock.set_wall(WallTime(START), ClockState::Good);
    assert_eq!(home.outbox().sweep().unwrap(), 0);
    assert!(home.outbox().ageing_problems().is_empty());
    assert!(visits.iter().all(|visit| has_clip(&home, visit)));
    // A box that was off for so long in fact: a fifth each hour, after six.
    clock.advance_to(clock.now() + 40 * DAY);
    home.outbox().sweep().unwrap();
    let left = || home.outbox().totals().unwrap().incidents;
    let mut lefts = Vec::new();
    for _ in 0..9 {
        clock.advance_to(clock.now() + Duration::from_secs(3601));
        home.outbox().sweep().unwrap();
        lefts.push(left());
    }
    assert_eq!(lefts, [10, 10, 10, 10, 10, 8, 6, 4, 3]);
}
