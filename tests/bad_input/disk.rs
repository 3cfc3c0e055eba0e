//! A data disk that fills up while an incident is going on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lares::testing::{
    broker::{Broker, Demands},
    disk::SmallDisk,
};

use crate::{
    home::{Cameras, Home, SOON, camera, counter, stop, web},
    program::{assert_told_once, free_port, lines_with, run, sample, text, wait_until},
};

#[test]
fn a_full_disk_is_told_once_and_the_incident_ends_well() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(&home.data(), 12) else {
        return;
    };
    let cameras = Cameras::start(0, "", &[sample("odd/clip.mkv")]);
    let broker = Broker::start(&Demands::default()).unwrap();
    let port = free_port();
    let rest = format!(
        "{}[mqtt]\nurl = \"{}\"\n[outbox]\nquota = \"20 MB\"\n{}",
        camera("a", &cameras.urls[0], ""),
        broker.url(),
        web(port)
    );
    let mut agent = home.agent(&rest);
    agent.wait_for("a visit", SOON, |log| log.contains("person seen"));
    let alerts = || counter(port, "lares_delivered_total", "mqtt");
    wait_until("its alert", SOON, || match alerts()? {
        0.0 => Err("none".to_owned()),
        _ => Ok(()),
    });

    let filler = disk.fill();
    let full = ["the disk", "full", "free some space"];
    agent.wait_for("that the disk is full", SOON, |log| {
        !lines_with(log, &full).is_empty()
    });
    let before = segments(&home.data());
    assert!(agent.is_running());

    fs::remove_file(filler).unwrap();
    wait_until("more of the clip", SOON, || match segments(&home.data()) {
        now if now > before => Ok(()),
        now => Err(format!("{now} segments")),
    });
    let log = stop(agent).stderr;
    assert_told_once(&log, &full);
    let waiting = home.outbox();
    assert!(
        lines_with(&waiting, &["alert"]).is_empty(),
        "the end was told as well:\n{waiting}"
    );
}

#[test]
fn who_comes_while_the_disk_is_full_is_told_all_the_same() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(&home.data(), 12) else {
        return;
    };
    let broker = Broker::start(&Demands::default()).unwrap();
    let (port, camera_port) = (free_port(), free_port());
    let rest = format!(
        "{}[mqtt]\nurl = \"{}\"\n[outbox]\nquota = \"20 MB\"\n{}",
        camera("a", &format!("rtsp://127.0.0.1:{camera_port}/cam1"), ""),
        broker.url(),
        web(port)
    );
    let mut agent = home.agent(&rest);
    agent.wait_for("that it runs", SOON, |log| log.contains(" watching"));
    let filler = disk.fill();
    let cameras = Cameras::start(camera_port, "", &[sample("odd/clip.mkv")]);
    assert!(
        cameras.urls[0].ends_with(&format!("{camera_port}/cam1")),
        "{:?}",
        cameras.urls
    );
    agent.wait_for("a visit", SOON, |log| log.contains("person seen"));
    wait_until("its alert, on the full disk", SOON, || {
        match counter(port, "lares_delivered_total", "mqtt")? {
            0.0 => Err("none".to_owned()),
            _ => Ok(()),
        }
    });
    agent.wait_for("that there is no room for its clip", SOON, |log| {
        !lines_with(log, &["the disk is full"]).is_empty()
    });
    // Stopped while nothing fits: the end is told as well.
    let log = stop(agent).stderr;
    assert!(filler.exists());
    assert_told_once(&log, &["the room that was kept"]);
    assert!(lines_with(&log, &["an alert is lost"]).is_empty(), "{log}");
    assert!(
        lines_with(&home.outbox(), &["alert"]).is_empty(),
        "{}",
        home.outbox()
    );

    // It also starts there, and finds everything sound.
    let mut agent = home.agent(&rest);
    agent.wait_for("that it runs", SOON, |log| log.contains(" watching"));
    stop(agent);
    let check = run(["outbox", "--data-dir", text(&home.data()), "check"]);
    assert_eq!(check.status, Some(0), "{}{}", check.stdout, check.stderr);
    let ended = alerts(&home.data(), "ended");
    let began = alerts(&home.data(), "began");
    assert!(began > 0 && ended == began, "{began} began, {ended} ended");
}

/// Alerts of that state in the database, all of which have arrived.
fn alerts(data: &Path, state: &str) -> i64 {
    let db = rusqlite::Connection::open(data.join("outbox.db")).unwrap();
    let query = "SELECT count(*), count(delivered_ms) FROM alerts JOIN alert_delivery USING (incident, seq) WHERE state = ?1";
    let (all, arrived): (i64, i64) = db
        .query_row(query, [state], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(all, arrived);
    all
}

/// Media segments below `folder`.
fn segments(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |path: PathBuf| match path.is_dir() {
        true => segments(&path),
        false => usize::from(path.extension().is_some_and(|extension| extension == "m4s")),
    };
    entries.map(|entry| count(entry.path())).sum()
}
