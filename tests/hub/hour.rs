//! An hour without the hub: a box whose clock is moved by hand keeps what happens in it, and the hub has all of it when it is back.

use std::{
    fs,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lares::{
    base::{
        clock::{Clock, SimClock},
        tasks::Tasks,
        telemetry::Metrics,
    },
    config::{MqttConfig, OutboxConfig, Secret, UploadConfig},
    flow::{
        CameraId, EndReason, Incident, IncidentState, MediaFile, MediaKind, Rendition, WallTime,
    },
    outbox::{
        Outbox, PictureKind,
        sinks::{LiveState, MqttSink, StoreSink},
    },
    testing::incidents::visit,
};
use sha2::{Digest, Sha256};
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::rig::{Hub, SITES, STOPS, complete};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTES: u64 = 60;
const CAMERAS: [&str; 3] = ["door", "yard", "gate"];

/// A visit of 20 s at `camera`, which begins now, with a picture and a clip of one segment.
fn enter(outbox: &Outbox, clock: &SimClock, camera: &CameraId) -> Incident {
    let began = Incident {
        camera: camera.clone(),
        ..visit(clock.now().secs_f64())
    };
    outbox.alert(&began, None).unwrap();
    let picture = began.id.to_string();
    outbox
        .picture(began.id, PictureKind::Thumb, picture.as_bytes())
        .unwrap();
    let dir = outbox.incident_dir(&began).unwrap().join("sub");
    fs::create_dir_all(&dir).unwrap();
    for (kind, name) in [
        (MediaKind::Init, "init-1.mp4"),
        (MediaKind::Media, "00001.m4s"),
    ] {
        let (path, content) = (dir.join(name), format!("{name} avc1 of {}", began.id));
        fs::write(&path, &content).unwrap();
        let file = MediaFile {
            incident: began.id,
            rendition: Rendition::Sub,
            kind,
            number: 1,
            init: 1,
            path,
            bytes: content.len() as u64,
            sha256: Sha256::digest(&content).into(),
            start: began.start,
            duration: Duration::from_secs(2),
            frames: 20,
            discontinuity: false,
        };
        outbox.media(&file).unwrap();
    }
    clock.advance_to(clock.now() + Duration::from_secs(20));
    let ended = Incident {
        state: IncidentState::Ended,
        end: Some(clock.now()),
        end_reason: Some(EndReason::Left),
        ..began
    };
    outbox.alert(&ended, None).unwrap();
    outbox.clip_closed(ended.id, Rendition::Sub).unwrap();
    ended
}

#[test]
fn an_hour_without_the_hub_arrives_whole_and_in_order() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let hub = Hub::new();
    let site = SITES[0];
    let (secret, _) = hub.keys(site);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let start = WallTime(i64::try_from((now - HOUR).as_millis()).unwrap());
    let clock = SimClock::new(start);
    let home = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(
        home.path(),
        site.parse().unwrap(),
        clock.clone(),
        OutboxConfig::default(),
        Metrics::new(),
    );
    let outbox = outbox.unwrap();
    let runtime = Runtime::new().unwrap();
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let mut broker =
        MqttConfig::without_login(format!("mqtt://127.0.0.1:{}", hub.broker).parse().unwrap());
    broker.user = Some(site.to_owned());
    broker.password = Some(Secret::new(&secret));
    let store = UploadConfig {
        endpoint: Some(format!("http://127.0.0.1:{}", hub.store).parse().unwrap()),
        access_key: Some(site.to_owned()),
        secret_key: Some(Secret::new(&secret)),
        ..UploadConfig::folder("s3://lares".parse().unwrap())
    };
    let (sender, _commands) = mpsc::channel(8);
    let live = LiveState::new(outbox.site());
    let mqtt = MqttSink::start(&tasks, &broker, &outbox.broker_context(), live, sender).unwrap();
    let store = StoreSink::new(&store, outbox.pacer()).unwrap();
    outbox
        .start(&tasks, vec![Arc::new(mqtt), Arc::new(store)])
        .unwrap();

    let mut visits = Vec::new();
    for minute in 0..MINUTES {
        let camera: CameraId = CAMERAS[minute as usize % CAMERAS.len()].parse().unwrap();
        visits.push(enter(&outbox, &clock, &camera));
        clock.advance_to(clock.now() + Duration::from_secs(40));
    }
    let mut running = hub.start();
    let all = hub.incidents("all visits of the hour", site, |all| {
        // A page has fifty: the others are asked for below.
        all.len() == 50 && complete(all)
    });
    let mut listed = all;
    let list = hub.json(&format!("/api/incidents?site={site}&limit=200"));
    let whole = list["incidents"].as_array().unwrap();
    assert!(whole.starts_with(&listed));
    listed.clone_from(whole);
    let ids = |camera: &str| -> Vec<String> {
        let of = listed.iter().filter(|one| one["camera"] == camera);
        of.map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for camera in CAMERAS {
        let expected: Vec<String> = visits
            .iter()
            .rev()
            .filter(|visit| visit.camera.as_str() == camera)
            .map(|visit| visit.id.to_string())
            .collect();
        assert_eq!(ids(camera), expected, "{camera}, newest first");
    }
    assert!(complete(&listed) && listed.iter().all(|one| one["picture"].is_string()));
    let first = listed.last().unwrap();
    assert_eq!(
        first["start"], start.0,
        "when it happened, not when it came"
    );
    assert_eq!(first["seconds"], 20.0);
    assert!(tasks.close(STOPS).is_empty());
    running.terminate(STOPS);
}
