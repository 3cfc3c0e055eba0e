//! One copy at home: what the hub in this program reads of the box, what it is told, and what it keeps and deletes here.

use std::collections::BTreeMap;

use super::*;
use crate::{
    base::{
        clock::{Clock, SimClock},
        evidence::{Deletion, Evidence},
    },
    config::ByteSize,
    flow::{ClockState, WallTime},
    outbox::sinks::Scope,
    wire::ClipState,
};

const DAY: Duration = Duration::from_secs(86_400);
const NOW: WallTime = WallTime(1_800_000_000_000);

fn page() -> Arc<Scripted> {
    Scripted::named(NEAR, Takes::Alerts, Wants::default(), |_| delivered())
}

fn told(sink: &Scripted) -> Vec<(u32, IncidentState, ClipState, bool)> {
    let alerts = sink.alerts();
    let told = alerts.iter().map(|m| {
        let picture = m.thumbnail.is_some();
        (m.seq, m.state, m.clip.state, picture)
    });
    told.collect()
}

fn later(clock: &SimClock, by: Duration) {
    clock.advance_to(clock.now() + by);
    let ms = i64::try_from(by.as_millis()).unwrap();
    clock.set_wall(WallTime(clock.wall().0 + ms), ClockState::Good);
}

/// A home with a clock that is moved by hand.
fn home_with(settings: OutboxConfig) -> (Home, Arc<SimClock>) {
    let clock = SimClock::new(NOW);
    let mut home = Home::with(settings.clone());
    home.outbox = None;
    let outbox = Outbox::open(
        home.dir.path(),
        "home".parse().unwrap(),
        clock.clone(),
        settings,
        Metrics::new(),
    );
    home.outbox = Some(outbox.unwrap());
    (home, clock)
}

fn text(home: &Home, of: &Incident) -> Option<String> {
    let read = home.outbox().playlist(of.id, Rendition::Sub);
    read.unwrap()
}

fn segments(playlist: &str) -> Vec<&str> {
    let lines = playlist.lines();
    lines.filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_page_hears_what_lies_here_and_a_broker_no_word_more_than_before() {
    use IncidentState::{Began, Ended, Updated};
    let home = Home::new();
    let (page, broker) = (page(), Scripted::willing(Takes::Alerts));
    home.start(vec![page.clone(), broker.clone()]);
    let outbox = home.outbox();
    let incident = visit(0.0);
    let heard = |count: usize| wait_for("the page", || page.taken.lock().len() == count);
    outbox.alert(&incident, None).unwrap();
    heard(1);
    outbox
        .picture(incident.id, crate::outbox::PictureKind::Thumb, b"jpeg")
        .unwrap();
    heard(2);
    media(outbox, &incident, MediaKind::Init, 1);
    media(outbox, &incident, MediaKind::Media, 1);
    heard(3);
    // It can be watched while it grows.
    let growing = text(&home, &incident).unwrap();
    assert_eq!(segments(&growing), ["00001.m4s"]);
    assert!(!growing.contains("ENDLIST"));
    media(outbox, &incident, MediaKind::Media, 2);
    outbox.better_picture(incident.id).unwrap();
    heard(4);
    outbox.alert(&ended(&incident, 5.0), None).unwrap();
    heard(5);
    outbox.clip_closed(incident.id, Rendition::Sub).unwrap();
    heard(6);
    assert_eq!(
        told(&page),
        [
            (1, Began, ClipState::None, false),
            (2, Updated, ClipState::None, true),
            (3, Updated, ClipState::First, true),
            (4, Updated, ClipState::First, true),
            (5, Ended, ClipState::First, true),
            (6, Ended, ClipState::Complete, true),
        ]
    );
    // Who reads no store but this box's broker learns nothing new of a clip that stays here.
    wait_for("the broker", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
    let heard: Vec<_> = told(&broker);
    assert_eq!(
        heard,
        [
            (1, Began, ClipState::None, false),
            (5, Ended, ClipState::Held, false)
        ]
    );
    let whole = text(&home, &incident).unwrap();
    assert_eq!(segments(&whole), ["00001.m4s", "00002.m4s"]);
    assert!(whole.contains("ENDLIST"));
    // What went to the page has not left.
    let head = outbox.ledger_head().unwrap().unwrap();
    assert_eq!(head.n, 2, "the broker's two alerts");
}

#[test]
fn a_page_that_is_broken_gets_everything_later() {
    let home = Home::new();
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_broken = broken.clone();
    let page = Scripted::named(
        NEAR,
        Takes::Alerts,
        Wants::default(),
        move |_| match is_broken.load(std::sync::atomic::Ordering::Relaxed) {
            true => Outcome::Retry {
                scope: Scope::Sink,
                after: Some(Duration::from_millis(20)),
                reason: "the index is damaged".to_owned(),
            },
            false => delivered(),
        },
    );
    home.start(vec![page.clone()]);
    let incident = whole_visit(home.outbox(), 0.0, 2);
    assert!(page.taken.lock().is_empty());
    broken.store(false, std::sync::atomic::Ordering::Relaxed);
    wait_for("the page", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
    let last = page.alerts().into_iter().next_back().unwrap();
    assert_eq!(last.id, incident.id);
    assert_eq!(last.clip.state, ClipState::Complete);
}

#[test]
fn documents_come_in_the_order_of_ids_and_say_what_lies_here() {
    let home = Home::new();
    let all: Vec<_> = (0..5)
        .map(|at| whole_visit(home.outbox(), f64::from(at), 1).id)
        .collect();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = home.outbox().documents(after, 2).unwrap();
        let Some((last, _)) = page.last() else { break };
        assert!(page.len() <= 2);
        after = Some(*last);
        for (id, json) in page {
            let message = IncidentMessage::from_json(&json).unwrap();
            assert_eq!((message.id, message.n), (id, None));
            assert_eq!(message.clip.state, ClipState::Complete);
            assert!(message.thumbnail.unwrap().ends_with("/thumb.jpg"));
            seen.push(id);
        }
    }
    let mut sorted = all.clone();
    sorted.sort_unstable();
    assert_eq!(seen, sorted);
    assert_eq!(home.outbox().incidents().unwrap().len(), 5);
}

#[test]
fn what_is_held_outlives_age_and_quota_until_its_end() {
    let settings = OutboxConfig {
        retention: 7 * DAY,
        quota: ByteSize(1),
        ..OutboxConfig::default()
    };
    let (home, clock) = home_with(settings);
    let outbox = home.outbox();
    let (kept, other) = (whole_visit(outbox, 0.0, 2), whole_visit(outbox, 10.0, 2));
    let until = WallTime(NOW.0 + 20 * 86_400_000);
    outbox
        .hold_only(&BTreeMap::from([(kept.id, until)]))
        .unwrap();
    outbox.sweep().unwrap();
    assert!(text(&home, &kept).is_some() && text(&home, &other).is_none());
    let thumbs = |of: &Incident| {
        let dir = outbox.incident_dir(of).unwrap();
        dir.join("thumb.jpg").exists()
    };
    assert!(thumbs(&kept) && !thumbs(&other));
    // A fifth an hour at most: several sweeps.
    let sweep = || {
        for _ in 0..3 {
            later(&clock, Duration::from_secs(7 * 3600));
            outbox.sweep().unwrap();
        }
    };
    later(&clock, 8 * DAY);
    sweep();
    assert_eq!(outbox.incidents().unwrap(), [kept.id].into());
    assert!(text(&home, &kept).is_some());
    // A clock that nobody trusts ends nothing.
    clock.set_wall(WallTime(until.0 + 1), ClockState::Unsure);
    outbox.sweep().unwrap();
    assert!(text(&home, &kept).is_some());
    clock.set_wall(WallTime(until.0 + 1), ClockState::Good);
    sweep();
    assert!(outbox.incidents().unwrap().is_empty());
    assert_eq!(outbox.stored(), 0);
}

#[test]
fn the_lender_of_a_held_clip_is_held_too_and_the_end_of_a_hold_is_kept() {
    let settings = OutboxConfig {
        quota: ByteSize(1),
        ..OutboxConfig::default()
    };
    let (mut home, _) = home_with(settings);
    let lender = visit(0.0);
    let outbox = home.outbox();
    outbox.alert(&lender, None).unwrap();
    media(outbox, &lender, MediaKind::Init, 1);
    let lent = media(outbox, &lender, MediaKind::Media, 1);
    let borrower = visit(3.0);
    outbox.alert(&borrower, None).unwrap();
    outbox.uses(borrower.id, &lent).unwrap();
    for of in [&lender, &borrower] {
        outbox.alert(&ended(of, 9.0), None).unwrap();
        outbox.clip_closed(of.id, Rendition::Sub).unwrap();
    }
    let forever = BTreeMap::from([(borrower.id, WallTime(i64::MAX))]);
    outbox.hold_only(&forever).unwrap();
    outbox.sweep().unwrap();
    assert!(text(&home, &borrower).is_some());
    // Also after a restart, before anybody says it again.
    home.reopen();
    home.outbox().sweep().unwrap();
    assert!(text(&home, &borrower).is_some());
    home.outbox().hold_only(&BTreeMap::new()).unwrap();
    home.outbox().sweep().unwrap();
    assert!(text(&home, &borrower).is_none());
}

#[test]
fn what_somebody_deletes_is_gone_from_the_disk() {
    let mut home = Home::new();
    let lender = visit(0.0);
    let outbox = home.outbox().clone();
    outbox.alert(&lender, None).unwrap();
    media(&outbox, &lender, MediaKind::Init, 1);
    let lent = media(&outbox, &lender, MediaKind::Media, 1);
    assert_eq!(
        outbox.delete(lender.id, "anna").unwrap(),
        Deletion::Busy,
        "it goes on"
    );
    let borrower = visit(3.0);
    outbox.alert(&borrower, None).unwrap();
    outbox.uses(borrower.id, &lent).unwrap();
    media(&outbox, &borrower, MediaKind::Init, 1);
    media(&outbox, &borrower, MediaKind::Media, 2);
    outbox.alert(&ended(&lender, 2.0), None).unwrap();
    assert_eq!(
        outbox.delete(lender.id, "anna").unwrap(),
        Deletion::Busy,
        "its clip grows"
    );
    outbox.clip_closed(lender.id, Rendition::Sub).unwrap();
    assert_eq!(
        outbox.delete(lender.id, "anna").unwrap(),
        Deletion::Busy,
        "one that borrows of it goes on"
    );
    outbox.alert(&ended(&borrower, 9.0), None).unwrap();
    outbox.clip_closed(borrower.id, Rendition::Sub).unwrap();
    let dir = outbox.incident_dir(&lender).unwrap();
    assert_eq!(segments(&text(&home, &borrower).unwrap()).len(), 2);

    let before = outbox.stored();
    assert_eq!(outbox.delete(lender.id, "anna").unwrap(), Deletion::Done);
    assert!(!dir.exists(), "files");
    assert!(outbox.stored() < before);
    assert!(text(&home, &lender).is_none());
    assert_eq!(segments(&text(&home, &borrower).unwrap()), ["00002.m4s"]);
    let beside = outbox.incident_dir(&borrower).unwrap();
    let beside = read(beside.join("sub/index.m3u8"));
    assert_eq!(segments(&beside), ["00002.m4s"], "the one on disk too");
    assert_eq!(outbox.delete(lender.id, "anna").unwrap(), Deletion::Unknown);
    let record: (String, String, i64) = outbox
        .read(|db| {
            let sql = "SELECT account, detail, count FROM ledger WHERE kind = 'deleted'";
            Ok(db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
        })
        .unwrap();
    assert_eq!(record, ("anna".to_owned(), "household".to_owned(), 2));
    // A picture that comes too late is none.
    let late = outbox.picture(lender.id, crate::outbox::PictureKind::Crop, b"jpeg");
    assert!(late.is_err() && !dir.exists());

    // A cut after the files and before the rows: the next try deletes those.
    let beside = outbox.incident_dir(&borrower).unwrap();
    std::fs::remove_dir_all(&beside).unwrap();
    drop(outbox);
    home.reopen();
    let deleted = home.outbox().delete(borrower.id, "anna").unwrap();
    assert_eq!(deleted, Deletion::Done);
    assert!(home.outbox().incidents().unwrap().is_empty());
}

#[test]
fn an_incident_that_is_deleted_while_it_waits_for_a_store_is_not_sent() {
    let home = Home::new();
    let open = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_open = open.clone();
    let store = Scripted::new(Takes::Objects, move |_| {
        match is_open.load(std::sync::atomic::Ordering::Relaxed) {
            true => delivered(),
            false => Outcome::Retry {
                scope: Scope::Sink,
                after: Some(Duration::from_millis(20)),
                reason: "away".to_owned(),
            },
        }
    });
    home.start(vec![page(), store.clone()]);
    let (gone, stays) = (
        whole_visit(home.outbox(), 0.0, 2),
        whole_visit(home.outbox(), 9.0, 1),
    );
    let deleted = home.outbox().delete(gone.id, "anna").unwrap();
    assert_eq!(deleted, Deletion::Done);
    open.store(true, std::sync::atomic::Ordering::Relaxed);
    wait_for("the store", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    let id = stays.id.to_string();
    let keys = store.keys();
    // One try may have been on its way, with what it held in memory.
    let others = keys.iter().filter(|key| !key.starts_with(&id)).count();
    assert!(others <= 1, "{keys:?}");
}
