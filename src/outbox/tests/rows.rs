//! Rows, numbers, order: what the outbox promises whatever the receiver is.

use super::*;
use crate::{
    flow::CameraId,
    outbox::{
        self, PictureKind,
        sinks::{self, Scope},
    },
    wire::ClipState,
};

#[test]
fn each_change_is_an_alert_with_a_number_without_gaps() {
    let home = Home::new();
    let sink = Scripted::willing(Takes::Alerts);
    home.start(vec![sink.clone()]);
    let outbox = home.outbox();
    let (a, b) = (visit(0.0), visit(1.0));
    let mut expected = Vec::new();
    for change in [
        a.clone(),
        b.clone(),
        updated(&a, 2),
        ended(&b, 3.0),
        ended(&a, 4.5),
    ] {
        let seq = outbox.alert(&change, None).unwrap();
        expected.push((change.id, seq, change.state));
        wait_for("the alert", || sink.taken.lock().len() == expected.len());
    }
    let alerts = sink.alerts();
    let seen: Vec<_> = alerts.iter().map(|m| (m.id, m.seq, m.state)).collect();
    assert_eq!(seen, expected);
    let numbers: Vec<_> = alerts.iter().map(|m| m.n.unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let last = &alerts[4];
    assert_eq!(last.end.unwrap().0 - last.start.0, 4_500);
    assert_eq!((last.purpose.as_str(), last.tracks), ("home security", 1));
    assert_eq!(last.clip.state, ClipState::None);
    assert_eq!(outbox.ledger_head().unwrap().unwrap().n, 5);
}

#[test]
fn while_offline_updates_collapse_and_numbers_keep_no_gap() {
    let home = Home::new();
    let outbox = home.outbox();
    let incident = visit(0.0);
    outbox.alert(&incident, None).unwrap();
    for tracks in 2..=9 {
        outbox.alert(&updated(&incident, tracks), None).unwrap();
    }
    outbox.alert(&ended(&incident, 9.0), None).unwrap();
    let sink = Scripted::willing(Takes::Alerts);
    home.start(vec![sink.clone()]);
    wait_for("three alerts", || sink.taken.lock().len() == 3);
    let seen: Vec<_> = sink
        .alerts()
        .iter()
        .map(|m| (m.n.unwrap(), m.seq, m.state, m.tracks))
        .collect();
    assert_eq!(
        seen,
        [
            (1, 1, IncidentState::Began, 1),
            (2, 9, IncidentState::Updated, 9),
            (3, 10, IncidentState::Ended, 1)
        ]
    );
}

#[test]
fn what_was_committed_survives_and_open_incidents_end_as_interrupted() {
    let mut home = Home::new();
    let outbox = home.outbox();
    let (open, over) = (visit(0.0), visit(1.0));
    outbox.alert(&open, None).unwrap();
    outbox.alert(&over, None).unwrap();
    outbox.alert(&ended(&over, 2.0), None).unwrap();
    media(outbox, &open, MediaKind::Init, 1);
    let segment = media(outbox, &open, MediaKind::Media, 1);
    let torn = segment.path.with_extension("m4s.part");
    std::fs::write(&torn, "half").unwrap();
    let door: CameraId = "door".parse().unwrap();
    outbox.set_mode(&door, Mode::Disarmed, None).unwrap();
    home.reopen();
    let outbox = home.outbox();
    assert_eq!(outbox.mode(&door).unwrap(), Some(Mode::Disarmed));
    assert!(!torn.exists());
    assert!(read(segment.path.with_file_name("index.m3u8")).ends_with("#EXT-X-ENDLIST\n"));
    let sink = Scripted::willing(Takes::Alerts);
    home.start(vec![sink.clone()]);
    wait_for("four alerts", || sink.taken.lock().len() == 4);
    let last = |id| sink.alerts().into_iter().rfind(|m| m.id == id).unwrap();
    assert_eq!(last(open.id).end_reason, Some(EndReason::Interrupted));
    assert_eq!(last(open.id).seq, 2);
    assert!(last(open.id).end.unwrap() >= last(open.id).start);
    assert_eq!(last(over.id).end_reason, Some(EndReason::Left));
}

#[test]
fn a_second_agent_in_the_same_folder_is_refused() {
    let home = Home::new();
    let error = home.open().err().unwrap().to_string();
    assert!(error.contains("in use by another Lares"), "{error}");
}

#[test]
fn pictures_first_then_first_segments_then_the_rest_newest_first() {
    let home = Home::new();
    let old = whole_visit(home.outbox(), 0.0, 2);
    let new = whole_visit(home.outbox(), 100.0, 2);
    let sink = Scripted::willing(Takes::Objects);
    home.start(vec![sink.clone()]);
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    let keys: Vec<_> = sink
        .keys()
        .into_iter()
        .map(|key| {
            key.replace(&old.id.to_string(), "old")
                .replace(&new.id.to_string(), "new")
        })
        .collect();
    assert_eq!(&keys[..2], ["new/thumb.jpg", "old/thumb.jpg"]);
    let at = |key: &str| keys.iter().position(|k| k == key).unwrap();
    for (before, after) in [
        ("new/sub/init-1.mp4", "new/sub/00001.m4s"),
        ("new/sub/00001.m4s", "new/sub/00002.m4s"),
        ("old/sub/00001.m4s", "new/sub/00002.m4s"),
        ("new/sub/00001.m4s", "new/sub/index.m3u8"),
        ("new/sub/index.m3u8", "old/sub/00002.m4s"),
    ] {
        assert!(at(before) < at(after), "{before} before {after}: {keys:#?}");
    }
    assert_eq!(keys.last().unwrap(), "old/incident.json");
}

#[test]
fn receivers_learn_when_the_clip_can_be_watched_and_when_it_is_whole() {
    let home = Home::new();
    let (alerts, objects) = (
        Scripted::willing(Takes::Alerts),
        Scripted::willing(Takes::Objects),
    );
    home.start(vec![alerts.clone(), objects.clone()]);
    let outbox = home.outbox();
    let incident = visit(0.0);
    outbox.alert(&incident, None).unwrap();
    outbox
        .picture(incident.id, PictureKind::Thumb, b"jpeg")
        .unwrap();
    media(outbox, &incident, MediaKind::Init, 1);
    media(outbox, &incident, MediaKind::Media, 1);
    let has = |state: ClipState| alerts.alerts().iter().any(|m| m.clip.state == state);
    wait_for("the first segment to be told", || has(ClipState::First));
    media(outbox, &incident, MediaKind::Media, 2);
    outbox.alert(&ended(&incident, 5.0), None).unwrap();
    outbox.clip_closed(incident.id, Rendition::Sub).unwrap();
    wait_for("the whole clip to be told", || has(ClipState::Complete));
    let messages = alerts.alerts();
    let first = messages
        .iter()
        .find(|m| m.clip.state == ClipState::First)
        .unwrap();
    assert_eq!(first.state, IncidentState::Updated);
    assert!(first.thumbnail.as_ref().unwrap().ends_with("/thumb.jpg"));
    assert!(
        first
            .clip
            .key
            .as_ref()
            .unwrap()
            .ends_with("/sub/index.m3u8")
    );
    let last = messages.last().unwrap();
    assert_eq!(
        (last.state, last.clip.state, last.clip.segments),
        (IncidentState::Ended, ClipState::Complete, 2)
    );
    let seqs: Vec<_> = messages.iter().map(|m| m.seq).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
}

#[test]
fn a_much_better_picture_is_told_once_it_has_arrived() {
    let home = Home::new();
    let (alerts, store) = (
        Scripted::willing(Takes::Alerts),
        Scripted::willing(Takes::Objects),
    );
    home.start(vec![alerts.clone(), store.clone()]);
    let outbox = home.outbox();
    let incident = visit(0.0);
    let picture = |jpeg: &str| {
        outbox
            .picture(incident.id, PictureKind::Thumb, jpeg.as_bytes())
            .unwrap();
    };
    let told = |count: usize| wait_for("alerts", || alerts.taken.lock().len() == count);
    let settled = || {
        assert!(outbox.wait_until_sent(Takes::Objects, PATIENCE).unwrap());
        assert!(outbox.wait_until_sent(Takes::Alerts, PATIENCE).unwrap());
    };
    outbox.alert(&incident, None).unwrap();
    picture("far");
    settled();
    picture("a bit nearer");
    settled();
    told(1);

    // It cannot be fetched yet, so nobody is told; what replaces it on the way is told once.
    let (inside, outside) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(outside);
    *store.script.lock() = Box::new(move |_| match gate.lock().try_recv() {
        Ok(()) => delivered(),
        Err(_) => Outcome::Retry {
            scope: Scope::Sink,
            after: Some(Duration::from_millis(20)),
            reason: "away".to_owned(),
        },
    });
    picture("near");
    outbox.better_picture(incident.id).unwrap();
    outbox.better_picture(incident.id).unwrap();
    picture("nearer");
    std::thread::sleep(Duration::from_millis(100));
    told(1);
    inside.send(()).unwrap();
    settled();
    told(2);
    let last = alerts.alerts().pop().unwrap();
    assert_eq!((last.state, last.seq), (IncidentState::Updated, 2));
    assert!(last.thumbnail.unwrap().ends_with("/thumb.jpg"));
    *store.script.lock() = Box::new(|_| delivered());

    // The last one of a visit that is over, and that has arrived already.
    outbox.alert(&ended(&incident, 5.0), None).unwrap();
    picture("face");
    settled();
    outbox.better_picture(incident.id).unwrap();
    settled();
    told(4);
    let states: Vec<_> = alerts.alerts().iter().map(|m| (m.seq, m.state)).collect();
    assert_eq!(
        states[2..],
        [(3, IncidentState::Ended), (4, IncidentState::Ended)]
    );
    let facts = store
        .taken
        .lock()
        .iter()
        .rev()
        .find_map(|delivery| match &delivery.payload {
            Payload::Object {
                key,
                body: sinks::Body::Bytes(json),
                ..
            } if key.ends_with("incident.json") => Some(json.clone()),
            _ => None,
        });
    assert_eq!(IncidentMessage::from_json(&facts.unwrap()).unwrap().seq, 4);
}

#[test]
fn without_a_store_a_better_picture_is_no_alert() {
    let home = Home::new();
    let alerts = Scripted::willing(Takes::Alerts);
    home.start(vec![alerts.clone()]);
    let incident = visit(0.0);
    home.outbox().alert(&incident, None).unwrap();
    home.outbox()
        .picture(incident.id, PictureKind::Thumb, b"jpeg")
        .unwrap();
    home.outbox().better_picture(incident.id).unwrap();
    let sent = |takes| home.outbox().wait_until_sent(takes, PATIENCE).unwrap();
    assert!(sent(Takes::Alerts));
    assert_eq!(alerts.alerts().len(), 1);
}

#[test]
fn a_bad_item_waits_alone_and_a_refused_one_is_parked_until_asked_for() {
    let home = Home::new();
    let bad = whole_visit(home.outbox(), 0.0, 1);
    let refused = whole_visit(home.outbox(), 10.0, 1);
    let good = whole_visit(home.outbox(), 20.0, 1);
    let (bad_id, refused_id) = (bad.id.to_string(), refused.id.to_string());
    let sink = Scripted::new(Takes::Objects, move |delivery| match &delivery.payload {
        Payload::Object { key, .. } if key.contains(&bad_id) => Outcome::Retry {
            scope: Scope::Delivery,
            after: Some(Duration::from_secs(3600)),
            reason: "not now".to_owned(),
        },
        Payload::Object { key, .. } if key.contains(&refused_id) && key.ends_with("/00001.m4s") => {
            Outcome::Reject {
                reason: "never".to_owned(),
            }
        }
        _ => delivered(),
    });
    home.start(vec![sink.clone()]);
    wait_for("the others", || {
        let keys = sink.keys();
        let has = |id: IncidentId, file: &str| keys.contains(&format!("{id}/{file}"));
        has(good.id, "incident.json")
            && has(good.id, "sub/index.m3u8")
            && has(refused.id, "incident.json")
    });
    let listed = outbox::list(home.dir.path(), &BudgetConfig::default()).unwrap();
    let parked: Vec<_> = listed.iter().filter(|l| l.parked).collect();
    assert_eq!(parked.len(), 1, "{listed:#?}");
    assert_eq!(parked[0].problem.as_deref(), Some("never"));
    assert!(parked[0].what.ends_with("/sub/00001.m4s"));
    assert!(listed.iter().any(|l| !l.parked && l.incident == bad.id));
    // A person asks for it, from another process.
    *sink.script.lock() = Box::new(|_| delivered());
    assert_eq!(outbox::retry(home.dir.path(), Some(refused.id)).unwrap(), 1);
    let wanted = format!("{}/sub/00001.m4s", refused.id);
    wait_for("the parked one", || sink.keys().contains(&wanted));
}

#[test]
fn a_receiver_that_is_away_gets_everything_once_it_is_back() {
    let home = Home::new();
    let away = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_away = Arc::clone(&away);
    let sink = Scripted::new(Takes::Objects, move |_| {
        if is_away.load(std::sync::atomic::Ordering::Relaxed) {
            Outcome::Retry {
                scope: Scope::Sink,
                after: Some(Duration::from_millis(20)),
                reason: "away".to_owned(),
            }
        } else {
            delivered()
        }
    });
    home.start(vec![sink.clone()]);
    whole_visit(home.outbox(), 0.0, 3);
    std::thread::sleep(Duration::from_millis(200));
    assert!(sink.taken.lock().is_empty());
    away.store(false, std::sync::atomic::Ordering::Relaxed);
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    let keys = sink.keys();
    assert_eq!(keys.iter().filter(|k| k.ends_with(".m4s")).count(), 3);
}

#[test]
fn alerts_are_sent_again_from_a_number_on() {
    let mut home = Home::new();
    let sink = Scripted::willing(Takes::Alerts);
    home.start(vec![sink.clone()]);
    for at in 0..5 {
        home.outbox().alert(&visit(f64::from(at)), None).unwrap();
        wait_for("the alert", || sink.taken.lock().len() == at as usize + 1);
    }
    let first = sink.alerts();
    sink.taken.lock().clear();
    assert_eq!(home.outbox().resend(3, None).unwrap(), 3);
    wait_for("three alerts", || sink.taken.lock().len() == 3);
    let numbers = |list: &[IncidentMessage]| {
        list.iter()
            .map(|m| (m.n.unwrap(), m.id, m.seq))
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(&sink.alerts()), numbers(&first[2..]));
    home.reopen();
    assert_eq!(
        home.outbox().resend(1, None).unwrap(),
        5,
        "interrupted ones have no number yet"
    );
}

#[test]
fn news_goes_before_history_that_was_asked_for_again() {
    let home = Home::new();
    let sink = Scripted::willing(Takes::Alerts);
    let history: Vec<_> = (0..30).map(|at| visit(f64::from(at))).collect();
    for incident in &history {
        home.outbox().alert(incident, None).unwrap();
    }
    home.start(vec![sink.clone()]);
    let sent = |outbox: &Outbox| outbox.wait_until_sent(Takes::Alerts, PATIENCE).unwrap();
    assert!(sent(home.outbox()));
    sink.taken.lock().clear();
    // Everything is asked for again while the receiver takes one at a time, and something happens.
    let (outbox, news) = (Arc::clone(home.outbox()), updated(&history[0], 5));
    let mut once = Some(news);
    *sink.script.lock() = Box::new(move |_| {
        if let Some(news) = once.take() {
            outbox.alert(&news, None).unwrap();
        }
        delivered()
    });
    home.outbox().resend(1, None).unwrap();
    assert!(sent(home.outbox()));
    let order: Vec<_> = sink.alerts().iter().map(|m| m.n.unwrap()).collect();
    assert_eq!(order.len(), 31);
    assert_eq!(order[..3], [1, 31, 2], "the news came second");
    *sink.script.lock() = Box::new(|_| delivered());
}

#[test]
fn the_way_from_frame_to_acknowledgement_is_measured() {
    let home = Home::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    home.outbox()
        .observe_acks(Box::new(move |id, seq, latency| {
            record.lock().push((id, seq, latency));
        }));
    home.start(vec![Scripted::willing(Takes::Alerts)]);
    let incident = visit(0.0);
    let arrived = home.outbox().clock.now();
    home.outbox().alert(&incident, Some(arrived)).unwrap();
    home.outbox().alert(&updated(&incident, 2), None).unwrap();
    wait_for("the measurement", || !seen.lock().is_empty());
    let seen = seen.lock();
    assert_eq!((seen.len(), seen[0].0, seen[0].1), (1, incident.id, 1));
    assert!(seen[0].2 > Duration::ZERO && seen[0].2 < PATIENCE);
}

#[test]
fn what_is_unknown_is_refused() {
    let home = Home::new();
    let error = home
        .outbox()
        .picture(IncidentId::new(), PictureKind::Crop, b"jpeg")
        .unwrap_err();
    assert!(matches!(error, OutboxError::Unknown(_)), "{error}");
}

#[test]
fn an_alert_is_committed_while_a_picture_is_slow_to_reach_the_disk() {
    let home = Home::new();
    let outbox = home.outbox();
    let incident = visit(0.0);
    outbox.alert(&incident, None).unwrap();
    // As long as somebody writes or reads a picture.
    let slow = outbox.pictures.lock();
    let done = std::thread::scope(|scope| {
        let (told, hears) = std::sync::mpsc::channel();
        let id = incident.id;
        let picture = scope.spawn(move || outbox.picture(id, PictureKind::Thumb, b"jpeg"));
        scope.spawn(move || {
            outbox.alert(&ended(&incident, 3.0), None).unwrap();
            told.send(()).unwrap();
        });
        let done = hears.recv_timeout(Duration::from_secs(10));
        drop(slow);
        picture.join().unwrap().unwrap();
        done
    });
    done.expect("the alert did not wait for the picture");
}

#[test]
fn a_playlist_promises_the_same_longest_segment_from_its_beginning_to_its_end() {
    let home = Home::new();
    let outbox = home.outbox();
    let incident = visit(0.0);
    outbox.segments_up_to(&incident.camera, Duration::from_secs_f64(7.5));
    outbox.alert(&incident, None).unwrap();
    let target = || {
        let text = outbox
            .read(|db| {
                let row = outbox::incidents::known(db, incident.id)?;
                let uses = outbox::playlists::uses(db, incident.id, Rendition::Sub)?;
                let state = outbox::playlists::playlist_state(db, incident.id, Rendition::Sub)?;
                Ok(outbox::playlists::render(
                    &row.prefix,
                    &uses,
                    |_| true,
                    &state,
                ))
            })
            .unwrap();
        text.lines().nth(2).unwrap().to_owned()
    };
    media(outbox, &incident, MediaKind::Init, 1);
    media(outbox, &incident, MediaKind::Media, 1);
    assert_eq!(target(), "#EXT-X-TARGETDURATION:8");
    // The configuration changes meanwhile.
    outbox.segments_up_to(&incident.camera, Duration::from_secs(20));
    media(outbox, &incident, MediaKind::Media, 2);
    outbox.clip_closed(incident.id, Rendition::Sub).unwrap();
    assert_eq!(target(), "#EXT-X-TARGETDURATION:8");
}
