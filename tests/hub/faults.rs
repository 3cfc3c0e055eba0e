//! What happens to the hub: its broker dies, its power goes, its index is lost, its disk is full.

use std::{fs, process::Command, time::Duration};

use lares::testing::disk::SmallDisk;

use crate::{
    rig::{Hub, PASSWORD, SITES, STOPS, VISIT, complete, run_box},
    support::{
        media::cut,
        process::{Camera, Process},
        sample, wait_for,
    },
};

#[test]
fn what_happened_while_the_hub_was_away_arrives_and_a_lost_index_comes_back() {
    let hub = Hub::new();
    let mut running = hub.start();
    let homes = tempfile::tempdir().unwrap();
    let video = homes.path().join("visit.mp4");
    cut(&sample("visits.mp4"), 8, 20, &video);
    let cameras = Camera::start(PASSWORD, &[&video]);
    let site = SITES[0];
    let mut one = run_box(&hub, site, &homes.path().join(site), &cameras.urls[0]);
    hub.incidents("first visit", site, |all| {
        complete(&all[all.len().saturating_sub(1)..])
    });

    // The broker dies: it is started anew, and the box is back.
    let broker = Hub::broker_of(&running);
    let connected = |one: &Process| one.log().matches("connected to the broker").count();
    let before = connected(&one);
    assert!(before > 0, "{}", one.log());
    let killed = Command::new("kill")
        .args(["-9", &broker.to_string()])
        .status();
    assert!(killed.unwrap().success());
    wait_for("a new broker", Duration::from_secs(30), || {
        let anew = connected(&one) > before && hub.json("/api/house")["sites"][0]["online"] == true;
        anew.then_some(())
    });
    assert_ne!(Hub::broker_of(&running), broker);
    assert!(
        running.log().contains("mosquitto has ended"),
        "{}",
        running.log()
    );

    // A power cut of the hub, its broker and its store, while somebody comes.
    running.kill();
    let seen = |one: &Process| one.log().matches("incident ended").count();
    let before = seen(&one);
    wait_for("a visit without a hub", VISIT, || {
        (seen(&one) > before).then_some(())
    });
    running = hub.start();
    one.assert_running();
    let ended = seen(&one);
    // Between two visits there is a moment at which everything has arrived.
    hub.incidents("all visits", site, |all| {
        all.len() >= ended && complete(all)
    });
    one.terminate(STOPS);
    let all =
        |hub: &Hub| hub.json(&format!("/api/incidents?site={site}&limit=200"))["incidents"].clone();
    let kept = wait_for("everything delivered", Duration::from_secs(30), || {
        let first = all(&hub);
        std::thread::sleep(Duration::from_secs(2));
        (first == all(&hub) && complete(first.as_array().unwrap())).then_some(first)
    });
    let starts: Vec<_> = kept
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["start"].as_i64())
        .collect();
    assert!(starts.is_sorted_by(|a, b| a >= b), "newest first");

    running.terminate(STOPS);
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(hub.files().join(name));
    }
    running = hub.start();
    // The picture's address has the number of the message in it, which is that of the last one.
    wait_for("the index", Duration::from_secs(20), || {
        let made = "the index was made again from the store";
        running.log().contains(made).then_some(())
    });
    assert_eq!(all(&hub), kept);
    running.terminate(STOPS);
}

#[test]
fn uploads_wait_at_the_box_while_the_hubs_disk_is_full() {
    let hub = Hub::new();
    let Some(disk) = SmallDisk::mount(&hub.files().join("store"), 150) else {
        return;
    };
    let mut running = hub.start();
    let homes = tempfile::tempdir().unwrap();
    let video = homes.path().join("visit.mp4");
    cut(&sample("visits.mp4"), 8, 20, &video);
    let cameras = Camera::start(PASSWORD, &[&video]);
    let site = SITES[0];
    let mut one = run_box(&hub, site, &homes.path().join(site), &cameras.urls[0]);
    hub.incidents("an alert without its clip", site, |all| !all.is_empty());
    wait_for("a word of the box", VISIT, || {
        one.log()
            .contains("is too busy to take more now")
            .then_some(())
    });
    let full = "uploads wait at the boxes until there is room";
    assert_eq!(
        running.log().matches(full).count(),
        1,
        "each object was refused again and again; that is said once:\n{}",
        running.log()
    );
    let house = hub.json("/api/house").to_string();
    assert!(house.contains(full), "the page says it too: {house}");
    assert!(
        hub.incidents("alerts", site, |_| true)
            .iter()
            .all(|one| one["picture"].is_null())
    );
    disk.remount("size=1g");
    hub.incidents("everything", site, |all| {
        complete(&all[all.len().saturating_sub(1)..])
    });
    let house = hub.json("/api/house").to_string();
    assert!(!house.contains(full), "taken back: {house}");
    one.terminate(STOPS);
    running.terminate(STOPS);
}
