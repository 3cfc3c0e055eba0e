//! What the ledger is told beside departures.

use std::collections::BTreeMap;

use super::*;
use crate::{
    base::clock::SimClock,
    config::ByteSize,
    flow::{ClockState, WallTime},
    outbox::ledger::{
        read::{self, Range},
        verify,
    },
};

const DAY: Duration = Duration::from_secs(86_400);
/// Some midnight.
const MIDNIGHT: i64 = 20_500 * 86_400_000;

/// An outbox on a clock that a test moves.
struct Timed {
    clock: Arc<SimClock>,
    outbox: Arc<Outbox>,
    home: Home,
}

fn timed(settings: OutboxConfig) -> Timed {
    let mut home = Home::with(settings.clone());
    home.stop();
    let clock = SimClock::new(WallTime(MIDNIGHT));
    let outbox = Outbox::open(
        home.dir.path(),
        "home".parse().unwrap(),
        clock.clone(),
        settings,
        Metrics::new(),
    )
    .unwrap();
    Timed {
        clock,
        outbox,
        home,
    }
}

impl Timed {
    fn lines(&self) -> Vec<read::Line> {
        let db = crate::outbox::open_ledger(self.home.dir.path()).unwrap();
        assert_eq!(verify::verify(&db, &[]).unwrap().faults, []);
        let mut lines = Vec::new();
        for day in read::days(&db, &Range::default()).unwrap() {
            read::lines(&db, &Range::default(), day, |line| {
                lines.push(line.clone());
                Ok(())
            })
            .unwrap();
        }
        lines
    }

    fn total(&self, day: i64) -> Vec<(String, u64, u64)> {
        let db = crate::outbox::open_ledger(self.home.dir.path()).unwrap();
        let totals = read::totals(&db, &Range::default(), MIDNIGHT / 86_400_000 + day).unwrap();
        totals
            .into_iter()
            .map(|t| (t.recipient, t.records, t.bytes))
            .collect()
    }
}

fn kinds(line: &read::Line) -> Vec<&str> {
    line.kinds.iter().map(|(kind, _)| kind.as_str()).collect()
}

#[test]
fn changes_of_mode_are_written_down_with_who_asked_for_them() {
    let timed = timed(OutboxConfig::default());
    let door = "door".parse().unwrap();
    let outbox = &timed.outbox;
    outbox.set_mode(&door, Mode::Disarmed, None).unwrap();
    outbox
        .set_mode(&door, Mode::Disarmed, Some("panel"))
        .unwrap();
    outbox.set_mode(&door, Mode::Armed, Some("panel")).unwrap();
    let seen: Vec<_> = timed
        .lines()
        .into_iter()
        .map(|line| (line.detail.unwrap(), line.account))
        .collect();
    let expected = [
        ("disarmed".to_owned(), None),
        ("armed".to_owned(), Some("panel".to_owned())),
    ];
    assert_eq!(seen, expected, "the same mode again is no change");
}

#[test]
fn changes_of_the_configuration_name_keys_and_no_values() {
    let timed = timed(OutboxConfig::default());
    let note = |pairs: &[(&str, &str)]| {
        let keys: BTreeMap<_, _> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        timed.outbox.note_config(&keys, None).unwrap()
    };
    assert!(note(&[("a", "private one"), ("b", "2")]));
    assert!(!note(&[("a", "private one"), ("b", "2")]));
    assert!(note(&[("a", "private two"), ("c", "2")]));
    let details: Vec<serde_json::Value> = timed
        .lines()
        .iter()
        .map(|line| serde_json::from_str(line.detail.as_ref().unwrap()).unwrap())
        .collect();
    assert_eq!(details.len(), 2);
    assert_eq!(details[0]["first"], true);
    assert_eq!(details[1]["changed"], serde_json::json!(["a", "b", "c"]));
    assert_ne!(details[0]["hash"], details[1]["hash"]);
    let file = std::fs::read(timed.home.dir.path().join("outbox.db-wal")).unwrap();
    let found = file.windows(7).any(|window| window == b"private");
    assert!(!found, "a value is in the database");
}

#[test]
fn what_is_deleted_here_is_written_down_with_its_reason() {
    let settings = OutboxConfig {
        retention: DAY,
        quota: ByteSize::kb(1),
        ..OutboxConfig::default()
    };
    let timed = timed(settings);
    let visit = whole_visit(&timed.outbox, 0.0, 3);
    timed.outbox.sweep().unwrap();
    timed.clock.advance_to(MediaTime::ZERO + 2 * DAY);
    timed.outbox.sweep().unwrap();
    let lines = timed.lines();
    let deleted: Vec<_> = lines.iter().filter(|l| kinds(l) == ["deleted"]).collect();
    assert_eq!(deleted.len(), 2, "{lines:#?}");
    let id = visit.id.to_string();
    for (line, reason) in deleted.iter().zip(["quota", "retention"]) {
        assert_eq!(line.incident.as_ref(), Some(&id));
        assert_eq!(line.camera.as_deref(), Some("door"));
        assert_eq!(line.detail.as_deref(), Some(reason));
    }
    // Header and three segments were too much; the picture was left for retention.
    assert_eq!(deleted[0].count, 4);
    assert!(deleted[0].bytes > 1_500, "{:?}", deleted[0]);
    assert_eq!((deleted[1].count, deleted[1].bytes), (1, 4));
}

#[test]
fn live_values_are_one_record_for_each_day_and_count_before_it() {
    let timed = timed(OutboxConfig::default());
    let sink = Scripted::willing(Takes::Alerts);
    timed.outbox.start(&timed.home.tasks, vec![sink]).unwrap();
    timed.outbox.note_live(10, 100).unwrap();
    timed.outbox.note_live(5, 50).unwrap();
    assert!(timed.lines().is_empty(), "the day is not over");
    assert_eq!(timed.total(0), [("a test".to_owned(), 0, 150)]);

    timed.clock.advance_to(MediaTime::ZERO + DAY + DAY / 2);
    let unsure = |state| timed.clock.set_wall(timed.outbox.clock.wall(), state);
    unsure(ClockState::Unsure);
    timed.outbox.note_live(1, 7).unwrap();
    assert!(timed.lines().is_empty(), "an unsure clock ends no day");
    unsure(ClockState::Good);
    timed.outbox.note_live(0, 0).unwrap();
    let lines = timed.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (kinds(&lines[0]), lines[0].count, lines[0].bytes),
        (vec!["live"], 15, 150)
    );
    assert_eq!(timed.total(0), [("a test".to_owned(), 1, 150)]);
    assert_eq!(timed.total(1), [("a test".to_owned(), 0, 7)]);
}

#[test]
fn a_year_later_the_front_is_cut_off() {
    let timed = timed(OutboxConfig::default());
    let door = "door".parse().unwrap();
    timed.outbox.set_mode(&door, Mode::Disarmed, None).unwrap();
    assert_eq!(timed.outbox.rotate_ledger().unwrap(), 0);
    timed.clock.advance_to(MediaTime::ZERO + 366 * DAY);
    timed
        .clock
        .set_wall(timed.outbox.clock.wall(), ClockState::Unsure);
    assert_eq!(
        timed.outbox.rotate_ledger().unwrap(),
        0,
        "the clock may be wrong"
    );
    timed
        .clock
        .set_wall(timed.outbox.clock.wall(), ClockState::Good);
    assert_eq!(timed.outbox.rotate_ledger().unwrap(), 1);
    assert_eq!(kinds(&timed.lines()[0]), ["checkpoint"]);
}
