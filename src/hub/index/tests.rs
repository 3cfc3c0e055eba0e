use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;
use crate::{
    flow::WallTime,
    hub::shelf::Shelf,
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
        fs::remove_file(entry.unwrap().path()).unwrap();
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

#[test]
fn what_is_too_old_is_forgotten_though_the_store_holds_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let index = open(dir.path());
    for which in 0..5 {
        index.take(&message(which, 1, None)).unwrap();
    }
    let start = message(3, 1, None).start;
    assert_eq!(index.forget_before(start).unwrap(), 3);
    assert_eq!(index.forget_before(start).unwrap(), 0);
    let left = index.incidents(&Filter::default(), 10).unwrap().0;
    let left: Vec<_> = left.into_iter().map(|left| left.start).collect();
    assert_eq!(left, [message(4, 1, None).start, start]);
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
