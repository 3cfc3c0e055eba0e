//! The whole way with the real program: camera, agent, broker and store are processes of their own, and what arrives is
//! read by programs that this project did not write.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    home::{CAMERA, GRACE},
    media::{Playlist, assert_jpeg, assert_plays, cut, cut_as_h265, picture_width},
    mqtt::{Alert, Subscriber, assert_in_order, camera_topic, topic},
    neighbourhood::{CAMERA_PASSWORD, Neighbourhood, assert_no_secret, to_s3},
    process::Camera,
    sample,
    store::S3,
    wait_for,
};

/// A visit of the samples, its end, and some slack for a busy machine.
const VISIT: Duration = Duration::from_secs(60);

/// Alerts of the incident of `alert`.
fn of_incident(alerts: &[Alert], id: &str) -> Vec<Alert> {
    alerts
        .iter()
        .filter(|alert| alert.id() == id)
        .cloned()
        .collect()
}

/// The path below `dir` that a key of an alert names.
fn at(dir: &Path, key: &Value) -> PathBuf {
    dir.join(key.as_str().unwrap_or_else(|| panic!("no key: {key}")))
}

#[test]
fn a_visit_in_h264_goes_the_whole_way() {
    the_whole_way(|video| cut(&sample("visits.mp4"), 6, 22, video), 1);
}

#[test]
fn a_visit_in_h265_goes_the_whole_way() {
    // Beside the original there is one for browsers.
    the_whole_way(|video| cut_as_h265(&sample("visits.mp4"), 6, 22, video), 2);
}

/// The video has a visit from 6.0 to 17.5 s, and is over at 22 s; then it begins anew.
/// `renditions`: how often the store has the clip of a visit.
fn the_whole_way(make_video: impl FnOnce(&Path), renditions: usize) {
    let street = Neighbourhood::new();
    let home = &street.home;
    let video = home.path("visit.mp4");
    make_video(&video);
    let mut s3 = S3::reserve(&home.path(""));
    s3.start();
    let camera = Camera::start(CAMERA_PASSWORD, &[&video]);
    street.configure(&camera, &to_s3(&s3));
    let messages = street.subscribe();
    let mut agent = home.run();

    home.health("good health", |health| health["ok"] == true);
    let metrics = wait_for("counted packets", Duration::from_secs(10), || {
        let (status, metrics) = home.get("/metrics");
        assert_eq!(status, 200);
        metrics.contains("lares_packets_total{").then_some(metrics)
    });
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");

    // The first visit, to its last word.
    let last = messages.alert("complete clip", VISIT, Alert::is_last);
    let alerts = of_incident(&messages.alerts(), last.id());
    let began = &alerts[0];
    assert_eq!(began.state(), "began");
    assert_ne!(began.clip_state(), "complete");
    let ended = alerts
        .iter()
        .find(|alert| alert.state() == "ended")
        .unwrap();
    assert!(
        ended.at - began.at > 5.0,
        "the alert came {} s before the visit's end",
        ended.at - began.at
    );
    assert_eq!(ended.json["end_reason"], "left", "{ended:#?}");

    // The second one is cut short by a stop in good order.
    let second = messages.alert("second visit", VISIT, |alert| alert.id() != last.id());
    let status = agent.terminate(GRACE + Duration::from_secs(2));
    assert_eq!(status.code(), Some(0), "{}", agent.log());
    let stopped = messages.alert("end of the second visit", Duration::from_secs(5), |alert| {
        alert.id() == second.id() && alert.state() == "ended"
    });
    assert_eq!(stopped.json["end_reason"], "stopped");
    messages.newest(&topic("status"), "offline", Duration::from_secs(5));

    let alerts = messages.alerts();
    assert_in_order(&alerts);
    let visits: BTreeSet<_> = alerts.iter().map(Alert::id).collect();
    assert_eq!(visits.len(), 2);
    assert_states(&messages);

    let store = home.path("store");
    let types = s3.download(&store);
    assert_store(&store, &last);
    let playlist = |key: &&String| key.contains(last.id()) && key.ends_with(".m3u8");
    assert_eq!(types.keys().filter(playlist).count(), renditions);
    for (key, kind) in &types {
        let expected = match key.rsplit_once('.').unwrap().1 {
            "json" => "application/json",
            "jpg" => "image/jpeg",
            "mp4" => "video/mp4",
            "m4s" => "video/iso.segment",
            _ => "application/vnd.apple.mpegurl",
        };
        assert_eq!(kind, expected, "{key}");
    }
    assert_no_secret(home, &agent.log(), &messages);
}

#[test]
fn a_cut_loses_nothing_that_was_committed() {
    let mut street = Neighbourhood::new();
    let video = street.home.path("visit.mp4");
    cut(&sample("visits.mp4"), 8, 20, &video);
    let camera = Camera::start(CAMERA_PASSWORD, &[&video]);
    let mut s3 = S3::reserve(&street.home.path(""));
    street.configure(&camera, &to_s3(&s3));

    // Neither broker nor store is there: all that is flagged waits on the disk.
    street.broker.kill();
    let mut agent = street.home.run();
    let segments = "SELECT key FROM objects WHERE kind = 'media' ORDER BY id";
    let picture = "SELECT key FROM objects WHERE kind = 'thumb'";
    wait_for("picture and four segments on disk", VISIT, || {
        (street.home.query(segments).len() >= 4 && !street.home.query(picture).is_empty())
            .then_some(())
    });
    agent.kill();
    let committed = street
        .home
        .query("SELECT incident, seq, state FROM alerts ORDER BY created_ms, seq");
    let segments = street.home.query(segments);
    assert_eq!(committed[0]["state"], "began");
    assert!(
        street.home.outbox_ls().contains("alert 1 of"),
        "{}",
        street.home.outbox_ls()
    );

    // Everything is back, but the camera: nothing new comes in between.
    drop(camera);
    street.broker.restart().unwrap();
    s3.start();
    let messages = street.subscribe();
    let mut agent = street.home.run();
    let last = messages.alert("complete clip", VISIT, Alert::is_last);
    assert_eq!(last.json["end_reason"], "interrupted");
    let alerts = messages.alerts();
    assert_in_order(&alerts);
    for row in &committed {
        // Unsent updates may have been taken up by a later one: each carries the whole state.
        let arrived = alerts.iter().find(|alert| {
            alert.json["id"] == row["incident"]
                && (alert.json["seq"] == row["seq"]
                    || row["state"] == "updated" && alert.seq() > row["seq"].as_u64().unwrap())
        });
        assert!(arrived.is_some(), "{row} was lost: {alerts:#?}");
    }
    street.home.all_delivered();
    let store = street.home.path("store");
    let stored = s3.download(&store);
    for segment in &segments {
        let key = segment["key"].as_str().unwrap();
        assert!(stored.contains_key(key), "{key} was lost");
        let sent = fs::read(store.join(key)).unwrap();
        assert_eq!(
            sent,
            fs::read(street.home.data().join("objects").join(key)).unwrap(),
            "{key} is not what is on disk"
        );
    }
    assert_store(&store, &last);
    assert_eq!(
        street.home.outbox_ls(),
        "Nothing waits: everything has been delivered.\n"
    );

    // A cut is told by the broker.
    messages.newest(&topic("status"), "online", Duration::from_secs(5));
    agent.kill();
    messages.newest(&topic("status"), "offline", Duration::from_secs(5));
}

#[test]
fn what_waits_leaves_when_broker_and_store_come() {
    let mut street = Neighbourhood::new();
    let video = street.home.path("visit.mp4");
    cut(&sample("visits.mp4"), 8, 20, &video);
    let camera = Camera::start(CAMERA_PASSWORD, &[&video]);
    let mut s3 = S3::reserve(&street.home.path(""));
    street.configure(&camera, &to_s3(&s3));
    street.broker.kill();
    let agent = street.home.run();

    let health = street.home.health("a waiting alert", |health| {
        health["sinks"][0]["waiting"] != 0
    });
    assert_eq!(health["ok"], false);
    let told = |sink: usize| {
        health["sinks"][sink]["problem"]
            .as_str()
            .unwrap_or_default()
    };
    assert!(told(0).contains("cannot be reached"), "{health}");

    street.broker.restart().unwrap();
    let messages = street.subscribe();
    let began = messages.alert("alert", VISIT, |alert| alert.state() == "began");
    assert_eq!(began.n(), 1);
    let ended = messages.alert("end", VISIT, |alert| alert.state() == "ended");
    assert_eq!(ended.clip_state(), "sending", "{ended:#?}");
    assert_eq!(ended.json["clip"]["segments"], 0);

    s3.start();
    messages.alert("complete clip", VISIT, |alert| {
        alert.id() == ended.id() && alert.is_last()
    });
    assert_in_order(&messages.alerts());
    street.home.all_delivered();
    // A better picture may have been told of since.
    let last = of_incident(&messages.alerts(), ended.id()).pop().unwrap();
    let store = street.home.path("store");
    s3.download(&store);
    assert_store(&store, &last);
    assert!(
        agent.log().contains("alerts wait in the outbox"),
        "{}",
        agent.log()
    );
}

#[test]
fn a_camera_is_disarmed_and_armed_by_messages() {
    let street = Neighbourhood::new();
    let video = street.home.path("visit.mp4");
    cut(&sample("visits.mp4"), 8, 16, &video);
    let camera = Camera::start(CAMERA_PASSWORD, &[&video]);
    street.configure(&camera, "");
    let messages = street.subscribe();
    let moment = Duration::from_secs(5);

    // The visit is from 4.0 to 15.5 s; 9 s are well inside.
    let mut agent = street.home.run();
    let started = Instant::now();
    messages.newest(&camera_topic("status"), "online", moment);
    street.publish(&["-q", "1"], &camera_topic("mode/set"), "disarmed");
    messages.newest(&camera_topic("mode"), "disarmed", moment);
    messages.newest(&camera_topic("status"), "suspended", moment);
    sleep(Duration::from_secs(9).saturating_sub(started.elapsed()));
    assert!(messages.alerts().is_empty());
    assert!(street.home.query("SELECT id FROM incidents").is_empty());

    // It is still disarmed after a restart, whatever was kept by the broker.
    assert_eq!(agent.terminate(GRACE).code(), Some(0));
    street.publish(&["-r", "-q", "1"], &camera_topic("mode/set"), "armed");
    let agent = street.home.run();
    wait_for("told about the retained command", moment, || {
        agent
            .log()
            .contains("a retained command was ignored")
            .then_some(())
    });
    messages.newest(&camera_topic("mode"), "disarmed", moment);
    messages.newest(&camera_topic("status"), "suspended", moment);

    street.publish(&["-q", "1"], &camera_topic("mode/set"), "armed");
    messages.newest(&camera_topic("mode"), "armed", moment);
    messages.newest(&camera_topic("status"), "online", moment);
    let began = messages.alert("alert", VISIT, |alert| alert.state() == "began");
    assert_eq!(began.n(), 1);
    street.publish(
        &["-q", "1"],
        &topic("command"),
        r#"{"command":"resend","from":1}"#,
    );
    let again = wait_for("alert sent again", moment, || {
        let alerts = messages.alerts();
        alerts[1..].iter().find(|alert| alert.n() == 1).cloned()
    });
    for field in ["id", "seq", "state", "start", "score"] {
        assert_eq!(again.json[field], began.json[field], "{field}");
    }
}

#[test]
fn two_streams_make_two_clips() {
    let street = Neighbourhood::new();
    let (sub, main) = (street.home.path("sub.mp4"), street.home.path("main.mp4"));
    cut(&sample("visits-sub.mp4"), 8, 22, &sub);
    cut(&sample("visits-main.mp4"), 8, 22, &main);
    let camera = Camera::start(CAMERA_PASSWORD, &[&sub, &main]);
    let store = street.home.path("store");
    fs::create_dir(&store).unwrap();
    street.configure(
        &camera,
        &format!("[upload]\nurl = \"file://{}\"\n", store.display()),
    );
    let messages = street.subscribe();
    let mut agent = street.home.run();
    let last = messages.alert("complete clip", VISIT, Alert::is_last);

    let sub = at(&store, &last.json["clip"]["key"]);
    assert!(sub.ends_with("sub/index.m3u8"), "{}", sub.display());
    let folder = sub.parent().unwrap().parent().unwrap();
    let main = folder.join("main/index.m3u8");
    for (playlist, width) in [(&sub, 640), (&main, 1920)] {
        let clip = assert_plays(playlist);
        assert_eq!(picture_width(&clip), width);
    }
    // The same moments: not more than one keyframe interval apart at either end.
    let seconds = |playlist| Playlist::read(playlist).seconds;
    assert!((seconds(&sub) - seconds(&main)).abs() <= 4.0);
    // The small one can be watched before all has arrived.
    let alerts = messages.alerts();
    assert!(
        alerts.iter().any(|alert| alert.clip_state() == "first"),
        "{alerts:#?}"
    );
    assert_eq!(agent.terminate(GRACE).code(), Some(0));
}

/// Asserts what the retained topics said.
fn assert_states(messages: &Subscriber) {
    assert_eq!(messages.texts(&topic("status")), ["online", "offline"]);
    let camera = messages.texts(&camera_topic("status"));
    assert!(camera.contains(&"online".to_owned()), "{camera:?}");
    assert_eq!(messages.texts(&camera_topic("mode")), ["armed"]);
    for what in ["person", "motion"] {
        let states = messages.texts(&camera_topic(what));
        let on = states.iter().position(|state| state == "ON");
        assert!(
            on.is_some_and(|on| states[on..].contains(&"OFF".to_owned())),
            "{what}: {states:?}"
        );
    }
    let health = messages.texts(&topic("health"));
    assert!(!health.is_empty());
    for report in health {
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["v"], 1);
        assert_eq!(report["cameras"][0]["id"], CAMERA);
    }
    let snapshots = messages.messages().into_iter();
    let mut snapshots = snapshots
        .filter(|m| m.topic == camera_topic("snapshot"))
        .peekable();
    assert!(snapshots.peek().is_some(), "no snapshot");
    assert!(snapshots.all(|m| !m.retained && m.payload.starts_with(&[0xff, 0xd8, 0xff])));
}

/// Asserts that all of the incident of `last`, its last alert, is in the store's copy in `store`, and plays.
fn assert_store(store: &Path, last: &Alert) {
    let playlist = at(store, &last.json["clip"]["key"]);
    // What the alert counts is all that arrived, in every rendition.
    let folder = playlist.parent().and_then(Path::parent).unwrap();
    let segments: Vec<_> = ["sub", "main", "preview"]
        .map(|rendition| folder.join(rendition).join("index.m3u8"))
        .into_iter()
        .filter(|playlist| playlist.exists())
        .inspect(|playlist| {
            assert_plays(playlist);
        })
        .flat_map(|playlist| Playlist::read(&playlist).files)
        .filter(|file| file.extension().is_some_and(|kind| kind == "m4s"))
        .collect();
    assert_eq!(last.json["clip"]["segments"], segments.len());
    let bytes: u64 = segments
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    assert_eq!(last.json["clip"]["bytes"], bytes);
    let thumb = at(store, &last.json["thumbnail"]);
    assert_jpeg(&thumb);
    assert_jpeg(&thumb.with_file_name("crop.jpg"));

    // The document beside the clip says the same as the last alert, but is no alert itself.
    let facts = fs::read(thumb.with_file_name("incident.json")).unwrap();
    let mut facts: Value = serde_json::from_slice(&facts).unwrap();
    let mut alert = last.json.clone();
    assert_eq!(facts["n"], Value::Null);
    for document in [&mut facts, &mut alert] {
        let fields = document.as_object_mut().unwrap();
        assert!(fields.remove("n").is_some() && fields.remove("sent").is_some());
    }
    assert_eq!(facts, alert);
}
