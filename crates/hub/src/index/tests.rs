use std::{fs, path::Path};

use jiff::civil::Date;
use proptest::prelude::*;

use super::*;
use crate::{
    base::{
        clock::{SimClock, SystemClock},
        sqlite,
    },
    rebuild::rebuild,
    shelf::Shelf,
    wire::{Clip, ClipState},
};

fn utc() -> TimeZone {
    TimeZone::UTC
}

fn open(dir: &Path) -> Index {
    Index::open(dir, utc()).unwrap().0
}

/// A message of the incident number `which`, which began `which` minutes after the day's beginning.
fn message(which: u32, seq: u32, n: Option<u64>) -> IncidentMessage {
    let start = 1_770_000_000_000 + i64::from(which) * 60_000;
    let json = serde_json::json!({
        "v": 1, "n": n, "id": format!("01990000-0000-7000-8000-{which:012}"), "seq": seq, "state": "updated",
        "end_reason": null, "site": if which % 5 == 4 { "annex" } else { "home" },
        "camera": if which.is_multiple_of(2) { "door" } else { "yard" }, "label": "person", "start": start, "end": null,
        "sent": start, "clock": "good", "score": 0.9, "tracks": 1, "mode": "armed", "thumbnail": null,
        "clip": {"key": null, "state": "none", "segments": 0, "bytes": 0},
    });
    serde_json::from_value(json).unwrap()
}

fn closed(dir: &Path, clock: Arc<dyn Clock>) -> Index {
    let marks = Marks::load(&dir.join("marks")).unwrap();
    Index::closed(dir, utc(), clock, marks)
}

#[test]
fn the_newest_message_counts_and_pages_follow_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    for which in 0..25 {
        assert!(index.take(&message(which, 2, None)).unwrap());
        assert!(!index.take(&message(which, 1, None)).unwrap(), "older");
        assert!(!index.take(&message(which, 2, None)).unwrap(), "the same");
    }
    let mut filter = Filter {
        site: Some("home".parse().unwrap()),
        camera: Some("door".parse().unwrap()),
        ..Filter::default()
    };
    let mut seen = Vec::new();
    loop {
        let (page, next) = index.incidents(&filter, 3).unwrap();
        seen.extend(page.into_iter().map(|message| message.start.0));
        match next {
            // As the page hands it back.
            Some(next) => filter.before = Some(next.to_string().parse().unwrap()),
            None => break,
        }
    }
    let expected: Vec<i64> = (0..25u32)
        .rev()
        .filter(|which| which.is_multiple_of(2) && which % 5 != 4)
        .map(|which| message(which, 1, None).start.0)
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_site_cannot_change_what_another_one_has_said() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    let own = message(0, 1, None);
    index.take(&own).unwrap();
    let mut foreign = message(0, 9, None);
    foreign.site = "annex".parse().unwrap();
    assert!(!index.take(&foreign).unwrap());
    assert_eq!(index.incident(own.id).unwrap(), Some(own));
}

#[test]
fn days_are_those_of_the_house() {
    let dir = tempfile::tempdir().unwrap();
    let zone = TimeZone::get("Pacific/Auckland").unwrap();
    let (index, fresh) = Index::open(dir.path(), zone).unwrap();
    assert!(fresh);
    let mut early = message(0, 1, None);
    // Half past eleven in the evening of 9 February in universal time: noon of the tenth in Auckland.
    early.start = WallTime(1_770_679_800_000);
    index.take(&early).unwrap();
    let day: Date = "2026-02-10".parse().unwrap();
    assert_eq!(index.days(None, None).unwrap(), [(day, 1)]);
    let on = |day: Option<Date>| {
        let filter = Filter {
            day,
            ..Filter::default()
        };
        index.incidents(&filter, 5).unwrap().0.len()
    };
    assert_eq!(
        (on(Some(day)), on(day.yesterday().ok()), on(None)),
        (1, 0, 1)
    );
    drop(index);
    let (index, fresh) = Index::open(dir.path(), utc()).unwrap();
    assert!(
        fresh,
        "nobody has said that what lies in the store is in it"
    );
    index.filled().unwrap();
    assert!(!Index::open(dir.path(), utc()).unwrap().1);
}

#[tokio::test]
async fn a_lost_index_comes_back_from_the_bucket() {
    let dir = tempfile::tempdir().unwrap();
    let (hub, bucket) = (dir.path().join("hub"), dir.path().join("bucket"));
    fs::create_dir_all(&hub).unwrap();
    fs::create_dir_all(&bucket).unwrap();
    let shelf = Shelf::folder(&bucket).unwrap();
    let index = open(&hub);
    for which in 0..7 {
        let mut message = message(which, 3, None);
        message.clip = Clip {
            key: None,
            state: ClipState::Complete,
            segments: which,
            bytes: 5,
        };
        index.take(&message).unwrap();
        let place = format!(
            "v1/{}/{}/2026-02-02/{}",
            message.site, message.camera, message.id
        );
        fs::create_dir_all(bucket.join(&place)).unwrap();
        fs::write(bucket.join(&place).join("incident.json"), message.to_json()).unwrap();
        fs::write(bucket.join(&place).join("thumb.jpg"), b"x").unwrap();
    }
    let all = |index: &Index| index.incidents(&Filter::default(), 100).unwrap().0;
    let before = all(&index);
    drop(index);
    for entry in fs::read_dir(&hub).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    let index = open(&hub);
    assert_eq!(rebuild(&index, &shelf).await.unwrap(), 7);
    assert_eq!(all(&index), before);

    // A document that lies about whose it is changes nothing.
    let place = bucket.join("v1/annex/door/2026-02-02/01990000-0000-7000-8000-000000000099");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("incident.json"), message(0, 99, None).to_json()).unwrap();
    assert_eq!(rebuild(&index, &shelf).await.unwrap(), 7);
    assert_eq!(all(&index), before);
}

/// `message` of a box whose clock says `start`, and which knows whether that can be trusted.
fn dated(which: u32, start: i64, clock: ClockState) -> IncidentMessage {
    let mut message = message(which, 1, None);
    message.start = WallTime(start);
    message.clock = clock;
    message
}

#[test]
fn without_a_clock_an_incident_neither_leaves_early_nor_stays_on_top() {
    let dir = tempfile::tempdir().unwrap();
    let now = WallTime(1_780_000_000_000);
    let clock = SimClock::new(now);
    let index = closed(dir.path(), clock.clone());
    assert!(index.begin().unwrap());
    // In this order they are heard of, an hour apart.
    let hour = 3_600_000;
    let told = [
        dated(0, 5_000_000, ClockState::Unsure),
        dated(1, 2_082_758_400_000, ClockState::Unsure),
        dated(2, 2_082_758_400_000, ClockState::Good),
        dated(3, now.0 + 3 * hour - 5000, ClockState::Good),
    ];
    for (hours, message) in (0i64..).zip(&told) {
        clock.set_wall(WallTime(now.0 + hours * hour), ClockState::Good);
        index.take(message).unwrap();
    }
    let list = index.incidents(&Filter::default(), 9).unwrap().0;
    let order: Vec<_> = list.iter().map(|message| message.id).collect();
    assert_eq!(order, [3, 2, 1, 0].map(|which: usize| told[which].id));
    let days: Vec<_> = index.days(None, None).unwrap();
    assert_eq!(days.iter().map(|(_, count)| count).sum::<u64>(), 4);
    assert!(days.iter().all(|(day, _)| day.year() == 2026), "{days:?}");
    let since: Vec<_> = index
        .ages(now)
        .unwrap()
        .iter()
        .map(|kept| kept.since.0 - now.0)
        .collect();
    assert_eq!(since, [0, hour, 2 * hour, 3 * hour - 5000]);
}

#[test]
fn while_the_hub_has_no_clock_ages_wait_for_one() {
    let dir = tempfile::tempdir().unwrap();
    let ahead = WallTime(2_000_000_000_000);
    let clock = SimClock::new(ahead);
    clock.set_wall(ahead, ClockState::Unsure);
    let index = closed(dir.path(), clock);
    index.begin().unwrap();
    index
        .take(&dated(0, 5_000_000, ClockState::Unsure))
        .unwrap();
    let right = message(1, 1, None);
    index.take(&right).unwrap();
    let now = WallTime(1_780_000_000_000);
    let ages = index.ages(now).unwrap();
    assert_eq!(ages[0].since, now, "met with a right clock only now");
    assert_eq!(ages[1].since, right.start);
    let gone: Vec<_> = ages.iter().map(|kept| (&kept.site, kept.id)).collect();
    index.forget(gone).unwrap();
    assert!(index.ages(now).unwrap().is_empty());
}

#[test]
fn one_bad_row_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    for which in 0..9 {
        index.take(&message(which, 1, None)).unwrap();
    }
    let bad = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    for which in [2, 5, 6] {
        bad.execute(
            "UPDATE incidents SET message = '{\"v\": 9}' WHERE id = ?1",
            [message(which, 1, None).id.to_string()],
        )
        .unwrap();
    }
    let (mut filter, mut seen) = (Filter::default(), 0);
    loop {
        let (page, next) = index.incidents(&filter, 2).unwrap();
        seen += page.len();
        match next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, 6);
    assert_eq!(index.days(None, None).unwrap()[0].1, 9);
}

#[test]
fn a_site_that_tells_too_much_loses_its_own_oldest() {
    let dir = tempfile::tempdir().unwrap();
    let mut index = open(dir.path());
    index.most_bytes = 30_000;
    let annex = |which: u32| {
        let mut message = message(which, 1, None);
        message.site = "annex".parse().unwrap();
        message.purpose = "x".repeat(1000);
        message
    };
    let mut own = message(1000, 1, None);
    own.site = "home".parse().unwrap();
    own.start = WallTime(1_769_000_000_000);
    index.take(&own).unwrap();
    let kept = ("annex".parse().unwrap(), annex(0).id);
    let keep = crate::marks::Keep {
        reason: "for the police".to_owned(),
        until: None,
        by: "anna".to_owned(),
        at: WallTime(0),
    };
    let marked = index.marks.change(&kept, |mark| mark.kept = Some(keep));
    marked.unwrap().unwrap();
    for which in 0..300 {
        index.take(&annex(which)).unwrap();
    }
    let of = |site: &str| {
        let filter = Filter {
            site: Some(site.parse().unwrap()),
            ..Filter::default()
        };
        index.incidents(&filter, 1000).unwrap().0
    };
    let left = of("annex");
    assert!((10..25).contains(&left.len()), "{}", left.len());
    assert_eq!(left[0].id, annex(299).id, "the newest stay");
    let oldest = left.iter().map(|message| message.id).next_back();
    assert_eq!(oldest, Some(kept.1), "and what is kept");
    assert_eq!(of("home").len(), 1);
}

#[test]
fn an_index_of_the_schema_before_keeps_its_rows_and_gets_its_times() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mut old = rusqlite::Connection::open(&path).unwrap();
    sqlite::migrate(&mut old, 1, schema::STEPS[0]).unwrap();
    old.pragma_update(None, "application_id", 1).unwrap();
    for (which, start) in [
        (0, 1_770_000_000_000),
        (1, 9_000_000_000_000_000),
        (2, 5_000_000),
    ] {
        let message = dated(which, start, ClockState::Good);
        old.execute(
            "INSERT INTO incidents (id, site, camera, start_ms, seq, message) VALUES (?1, 'home', 'door', ?2, 1, ?3)",
            params![
                message.id.to_string(),
                start,
                String::from_utf8(message.to_json()).unwrap()
            ],
        )
        .unwrap();
    }
    drop(old);
    let (index, fresh) = Index::open(dir.path(), utc()).unwrap();
    assert!(!fresh, "it was filled");
    let list = index.incidents(&Filter::default(), 9).unwrap().0;
    assert_eq!(list.len(), 3);
    assert_eq!(
        list[2].start.0, 1_770_000_000_000,
        "the only time that can be"
    );
    let days = index.days(None, None).unwrap();
    assert!(days.iter().all(|(day, _)| day.year() >= 2026), "{days:?}");
}

#[tokio::test]
async fn a_garbled_index_is_set_aside_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), vec![0x5a; 50_000]).unwrap();
    let index = closed(dir.path(), SystemClock::start());
    assert!(matches!(index.begin(), Err(HubError::Damaged { .. })));
    let (aside, fresh) = index.begin_or_renew().unwrap();
    assert_eq!(fs::metadata(aside.unwrap()).unwrap().len(), 50_000);
    assert!(fresh);
    index.take(&message(0, 1, None)).unwrap();
    let first = index.generation();
    index.filled().unwrap();

    // Also while it is open, with more rows than SQLite keeps in memory.
    for which in 1..800 {
        let mut long = message(which, 1, None);
        long.purpose = "x".repeat(4000);
        index.take(&long).unwrap();
    }
    for end in ["", "-wal"] {
        fs::write(dir.path().join(format!("{FILE}{end}")), vec![7; 1 << 23]).unwrap();
    }
    assert!(index.incidents(&Filter::default(), 1000).is_err());
    index.is_damaged().await;
    assert!(index.renew().unwrap().1);
    assert_ne!(index.generation(), first);
    index.take(&message(0, 1, None)).unwrap();
    assert_eq!(index.incidents(&Filter::default(), 9).unwrap().0.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn what_has_not_arrived_is_missing(arrivals in prop::collection::vec(1u64..40, 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let index = open(dir.path());
        let site: SiteId = "home".parse().unwrap();
        for (at, n) in arrivals.iter().enumerate() {
            let mut message = message(at as u32, 1, Some(*n));
            message.site = site.clone();
            index.take(&message).unwrap();
        }
        let highest = *arrivals.iter().max().unwrap();
        let expected: Vec<u64> = (1..highest).filter(|n| !arrivals.contains(n)).collect();
        let found: Vec<u64> = index
            .missing(&site)
            .unwrap()
            .iter()
            .flat_map(|gap| gap.first..=gap.last)
            .collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(index.highest(&site).unwrap(), highest);
        for _ in 0..6 {
            for gap in index.missing(&site).unwrap() {
                index.asked(&site, gap).unwrap();
            }
        }
        prop_assert!(index.missing(&site).unwrap().is_empty(), "given up in the end");
    }
}
