//! Clips into a folder; and what is deleted when.

use crate::{
    base::clock::SimClock,
    config::{ByteSize, UploadConfig},
    flow::WallTime,
    net::pace::Pacer,
    outbox::{PictureKind, sinks::StoreSink, tests::*},
};

fn upload_to(folder: &Path) -> UploadConfig {
    UploadConfig {
        url: url::Url::from_directory_path(folder).unwrap(),
        endpoint: None,
        region: "us-east-1".to_owned(),
        access_key: None,
        secret_key: None,
        user: None,
        password: None,
        ca_file: None,
    }
}

fn sink(folder: &Path) -> Arc<StoreSink> {
    Arc::new(StoreSink::new(&upload_to(folder), &Pacer::new(None)).unwrap())
}

#[test]
fn a_clip_arrives_whole_with_its_playlist_and_facts() {
    let home = Home::new();
    let target = tempfile::tempdir().unwrap();
    home.start(vec![sink(target.path())]);
    let outbox = home.outbox();
    let incident = visit(0.0);
    outbox.alert(&incident, None).unwrap();
    outbox
        .picture(incident.id, PictureKind::Thumb, b"old")
        .unwrap();
    outbox
        .picture(incident.id, PictureKind::Thumb, b"better")
        .unwrap();
    media(outbox, &incident, MediaKind::Init, 1);
    media(outbox, &incident, MediaKind::Media, 1);
    let here = outbox.incident_dir(&incident).unwrap();
    let there = target
        .path()
        .join(here.strip_prefix(home.objects()).unwrap());
    wait_for("a playlist that is open", || {
        there.join("sub/index.m3u8").exists()
    });
    let growing = read(there.join("sub/index.m3u8"));
    assert!(growing.contains("00001.m4s") && !growing.contains("ENDLIST"));
    media(outbox, &incident, MediaKind::Media, 2);
    outbox.alert(&ended(&incident, 5.0), None).unwrap();
    outbox.clip_closed(incident.id, Rendition::Sub).unwrap();
    wait_for("everything", || {
        outbox.waiting(Takes::Objects).unwrap() == 0
    });
    for file in [
        "thumb.jpg",
        "sub/init-1.mp4",
        "sub/00001.m4s",
        "sub/00002.m4s",
        "sub/index.m3u8",
    ] {
        assert_eq!(read(there.join(file)), read(here.join(file)), "{file}");
    }
    assert_eq!(read(there.join("thumb.jpg")), "better");
    assert!(read(there.join("sub/index.m3u8")).ends_with("#EXT-X-ENDLIST\n"));
    let facts = IncidentMessage::from_json(read(there.join("incident.json")).as_bytes()).unwrap();
    assert_eq!((facts.n, facts.state), (None, IncidentState::Ended));
    assert_eq!((facts.clip.segments, facts.id), (2, incident.id));
    let totals = outbox.totals().unwrap();
    assert_eq!((totals.segments, totals.segments_delivered), (2, 2));
    assert_eq!(crate::outbox::verify_ledger(home.dir.path()).unwrap(), None);
}

#[test]
fn incidents_share_segments_that_are_sent_once() {
    let home = Home::new();
    let target = tempfile::tempdir().unwrap();
    let outbox = home.outbox();
    let first = whole_visit(outbox, 0.0, 1);
    let second = visit(3.0);
    outbox.alert(&second, None).unwrap();
    let shared = MediaFile {
        incident: first.id,
        rendition: Rendition::Sub,
        kind: MediaKind::Media,
        number: 1,
        init: 1,
        path: PathBuf::new(),
        bytes: 0,
        sha256: [0; 32],
        start: MediaTime::ZERO,
        duration: Duration::ZERO,
        frames: 0,
        discontinuity: false,
    };
    outbox.uses(second.id, &shared).unwrap();
    media(outbox, &second, MediaKind::Init, 1);
    media(outbox, &second, MediaKind::Media, 1);
    outbox.alert(&ended(&second, 9.0), None).unwrap();
    outbox.clip_closed(second.id, Rendition::Sub).unwrap();
    home.start(vec![sink(target.path())]);
    wait_for("everything", || {
        outbox.waiting(Takes::Objects).unwrap() == 0
    });
    let here = outbox.incident_dir(&second).unwrap();
    let there = target
        .path()
        .join(here.strip_prefix(home.objects()).unwrap());
    let playlist = read(there.join("sub/index.m3u8"));
    let files: Vec<_> = playlist
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(
        files,
        [&format!("../../{}/sub/00001.m4s", first.id), "00001.m4s"]
    );
    for file in files {
        assert!(there.join("sub").join(file).exists(), "{file}");
    }
    assert_eq!(playlist, read(here.join("sub/index.m3u8")));
    assert_eq!(outbox.totals().unwrap().segments, 2);
    assert_eq!(outbox.totals_of(second.id).unwrap().segments, 1);
}

#[test]
fn a_folder_that_is_not_mounted_is_an_error_and_is_not_made() {
    let home = Home::new();
    let target = tempfile::tempdir().unwrap();
    let folder = target.path().join("nas");
    let store = sink(&folder);
    home.start(vec![store.clone()]);
    whole_visit(home.outbox(), 0.0, 1);
    wait_for("the problem", || store.problem().is_some());
    assert!(store.problem().unwrap().contains("mount the disk or NAS"));
    assert!(!folder.exists());
    let health = &home.outbox().sink_health().unwrap()[0];
    assert!(!health.up && health.waiting > 0);
    std::fs::create_dir(&folder).unwrap();
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    assert_eq!(store.problem(), None);
}

#[test]
fn a_file_that_changed_on_disk_is_not_sent() {
    let home = Home::new();
    let target = tempfile::tempdir().unwrap();
    let incident = whole_visit(home.outbox(), 0.0, 2);
    let segment = home
        .outbox()
        .incident_dir(&incident)
        .unwrap()
        .join("sub/00001.m4s");
    std::fs::write(&segment, "something else").unwrap();
    home.start(vec![sink(target.path())]);
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    let parked: Vec<_> = crate::outbox::list(home.dir.path(), &BudgetConfig::default())
        .unwrap()
        .into_iter()
        .filter(|l| l.parked)
        .collect();
    assert_eq!(parked.len(), 1);
    assert!(
        parked[0]
            .problem
            .as_ref()
            .unwrap()
            .contains("has changed on disk")
    );
    let there = target.path().join(
        segment
            .parent()
            .unwrap()
            .strip_prefix(home.objects())
            .unwrap(),
    );
    let playlist = read(there.join("index.m3u8"));
    assert!(!playlist.contains("00001.m4s") && playlist.contains("00002.m4s"));
}

#[test]
fn what_is_too_old_goes_with_its_rows() {
    let home = Home::new();
    let dir = tempfile::tempdir().unwrap();
    let clock = SimClock::new(WallTime(1_800_000_000_000));
    let outbox = Outbox::open(
        dir.path(),
        "home".parse().unwrap(),
        clock.clone(),
        home.settings.clone(),
        Metrics::new(),
    )
    .unwrap();
    let old = whole_visit(&outbox, 0.0, 1);
    let folder = outbox.incident_dir(&old).unwrap();
    let day = Duration::from_secs(86_400);
    clock.advance_to(MediaTime::ZERO + day * 5);
    let young = whole_visit(&outbox, 5.0 * 86_400.0, 1);
    assert_eq!(outbox.sweep().unwrap(), 0);
    clock.advance_to(MediaTime::ZERO + day * 8);
    clock.set_wall(
        WallTime(1_800_000_000_000 + 8 * 86_400_000),
        crate::flow::ClockState::Unsure,
    );
    assert_eq!(outbox.sweep().unwrap(), 0, "nobody knows what time it is");
    clock.set_wall(
        WallTime(1_800_000_000_000 + 8 * 86_400_000),
        crate::flow::ClockState::Good,
    );
    assert_eq!(outbox.sweep().unwrap(), 1);
    assert!(!folder.exists());
    assert!(
        outbox
            .incident_dir(&young)
            .unwrap()
            .join("sub/00001.m4s")
            .exists()
    );
    let totals = outbox.totals().unwrap();
    assert_eq!((totals.incidents, totals.segments), (1, 1));
}

#[test]
fn the_quota_takes_delivered_clips_first_and_no_alert() {
    let home = Home::with(OutboxConfig {
        quota: ByteSize(1_500),
        ..OutboxConfig::default()
    });
    let outbox = home.outbox();
    let undelivered = whole_visit(outbox, 0.0, 1);
    let newer = whole_visit(outbox, 10.0, 1);
    let here = |incident: &Incident| outbox.incident_dir(incident).unwrap().join("sub/00001.m4s");
    // Only the newer one has arrived.
    outbox
        .write(|tx| {
            tx.db.execute(
                "UPDATE objects SET delivered_ms = 1, waiting = 0 WHERE incident = ?1",
                [newer.id.to_string()],
            )?;
            Ok(())
        })
        .unwrap();
    assert_eq!(outbox.sweep().unwrap(), 1);
    assert!(here(&undelivered).exists() && !here(&newer).exists());
    let more = whole_visit(outbox, 20.0, 1);
    // The picture that had arrived, then the oldest clip that had not.
    assert_eq!(outbox.sweep().unwrap(), 2);
    assert!(!here(&undelivered).exists() && here(&more).exists());
    assert!(outbox.disk().stored <= 1_500);
    assert!(
        outbox.waiting(Takes::Alerts).unwrap() >= 6,
        "every alert is still there"
    );
}
