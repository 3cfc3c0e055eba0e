//! One hub and three boxes, in a flood of connections, with keys that try what is not theirs.

use std::{fs, time::Duration};

use serde_json::Value;

use crate::{
    rig::{Hub, PASSWORD, SITES, STOPS, complete, run_box},
    support::{
        media::cut,
        process::{Camera, Process},
        sample,
        store::python,
        wait_for,
    },
};

#[test]
fn three_boxes_one_hub_and_nobody_sees_anothers() {
    let hub = Hub::new();
    let mut running = hub.start();
    let homes = tempfile::tempdir().unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    let open_files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers: Vec<u64> = open_files
        .unwrap()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(
        numbers[0] >= numbers[1].min(4096),
        "the hub asks for as many open files as it may need: {open_files:?}"
    );
    // All of it while somebody holds a thousand connections to page and store each.
    let mut floods = [hub.page, hub.store].map(|port| {
        let mut flood = python("hub/flood.py");
        flood.arg(port.to_string());
        Process::start(&mut flood, &homes.path().join(format!("flood-{port}.log")))
    });
    wait_for("two thousand connections", Duration::from_secs(20), || {
        let ready = |flood: &Process| flood.log().contains("ready");
        floods.iter().all(ready).then_some(())
    });
    let video = homes.path().join("visit.mp4");
    cut(&sample("visits.mp4"), 8, 20, &video);
    let cameras = Camera::start(PASSWORD, &[&video, &video, &video]);
    let mut boxes: Vec<_> = SITES
        .iter()
        .zip(&cameras.urls)
        .map(|(site, url)| run_box(&hub, site, &homes.path().join(site), url))
        .collect();
    let house = wait_for("three boxes", Duration::from_secs(30), || {
        let house = hub.json("/api/house");
        let there = |site: &&Value| site["online"] == true;
        let all = house["sites"]
            .as_array()
            .unwrap()
            .iter()
            .filter(there)
            .count()
            == 3;
        let named = house["cameras"].as_array().unwrap().len() == 3;
        (all && named).then_some(house)
    });
    assert_eq!(house["cameras"][0]["name"], "Door of alder");

    // The clip can be watched before it is complete.
    hub.incidents("growing clip", SITES[0], |incidents| {
        incidents.first().is_some_and(|incident| {
            incident["clip"]["state"] == "first" && incident["clip"]["playlist"].is_string()
        })
    });
    let first = |site: &str| {
        hub.incidents("complete clip", site, |all| {
            complete(&all[all.len().saturating_sub(1)..])
        })
    };
    let kept: Vec<_> = SITES.iter().map(|site| first(site)).collect();
    let key = |incidents: &[Value]| {
        let oldest = incidents.last().unwrap();
        let playlist = oldest["clip"]["playlist"].as_str().unwrap();
        playlist.strip_prefix("/media/").unwrap().to_owned()
    };
    let download = kept[0].last().unwrap()["clip"]["download"]
        .as_str()
        .unwrap()
        .to_owned();
    let (status, clip) = hub.get(&download);
    assert_eq!(status, 200);
    assert!(clip.contains("avc1") && clip.contains("mdat"));

    // Whatever alder's key tries at what is birch's: no.
    let tried = hub.try_store("alder", "birch", &key(&kept[0]), &key(&kept[1]));
    for (attempt, answer) in tried["refused"].as_object().unwrap() {
        assert_ne!(answer, "done", "{attempt}: {tried}");
    }
    for (attempt, answer) in tried["allowed"].as_object().unwrap() {
        assert_eq!(answer, "done", "{attempt}: {tried}");
    }

    let heard = homes.path().join("heard.log");
    let mut ear = hub.mosquitto("mosquitto_sub", "alder");
    ear.args([
        "-t",
        "lares/birch/#",
        "-t",
        "lares/+/status",
        "-t",
        "#",
        "-F",
        "%t",
    ]);
    let mut ear = Process::start(&mut ear, &heard);
    wait_for("own status", Duration::from_secs(10), || {
        ear.log().contains("lares/alder/status").then_some(())
    });
    let before = hub.json("/api/incidents?site=birch");
    let forged = before["incidents"][0].clone();
    let message = serde_json::json!({
        "v": 1, "n": 9999, "id": forged["id"], "seq": 999, "state": "ended", "end_reason": "left", "site": "birch",
        "camera": "door", "label": "person", "start": forged["start"], "end": forged["start"], "sent": forged["start"],
        "clock": "good", "score": 0.1, "tracks": 9, "mode": "armed", "thumbnail": null,
        "clip": {"key": null, "state": "none", "segments": 0, "bytes": 0},
    })
    .to_string();
    for topic in [
        "lares/birch/door/incident",
        "lares/alder/door/incident",
        "lares/birch/door/mode/set",
    ] {
        let mut send = hub.mosquitto("mosquitto_pub", "alder");
        // The broker may refuse or ignore it.
        let _ = send
            .args(["-q", "1", "-t", topic, "-m", &message])
            .output()
            .unwrap();
    }
    for rubbish in ["", "{", "\u{fffd}", &"x".repeat(100_000)] {
        let mut send = hub.mosquitto("mosquitto_pub", "alder");
        let _ = send
            .args(["-q", "1", "-t", "lares/alder/door/incident", "-m", rubbish])
            .output()
            .unwrap();
    }
    std::thread::sleep(Duration::from_secs(2));
    let after = hub.json("/api/incidents?site=birch");
    let ids = |list: &Value| -> Vec<String> {
        let all = list["incidents"].as_array().unwrap().iter();
        all.map(|incident| incident["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(ids(&after).ends_with(&ids(&before)));
    let again = after["incidents"]
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["id"] == forged["id"]);
    assert_ne!(again.unwrap()["clip"]["state"], "none");
    ear.kill();
    let heard = ear.log();
    assert!(
        !heard.contains("birch") && !heard.contains("cedar"),
        "{heard}"
    );
    assert!(
        running.log().contains("messages of a site were left out"),
        "rubbish is told"
    );
    let refused = running.log().matches("the store refused a request").count();
    assert!(
        (1..=3).contains(&refused),
        "one line a minute, not {refused}"
    );
    for line in ["failed to prepare", "op returns error"] {
        assert!(!running.log().contains(line), "a line for each refusal");
    }
    for flood in &mut floods {
        flood.assert_running();
        flood.kill();
    }
    let log = running.log();
    for port in ["page", "store"] {
        let told = log
            .lines()
            .filter(|line| line.contains("more connections without a login or key"))
            .filter(|line| line.contains(&format!("port=\"{port}\"")) && line.contains("127.0.0.2"))
            .count();
        assert!(
            (1..=3).contains(&told),
            "one line a minute for the {port}, not {told}"
        );
    }

    // Nobody's secret is in the log, or where every user of the machine can read it.
    let log = running.log();
    assert!(log.contains("DEBUG"), "the log says less than it could");
    let arguments = fs::read(format!("/proc/{}/cmdline", Hub::broker_of(&running))).unwrap();
    let arguments = String::from_utf8(arguments).unwrap();
    assert!(arguments.contains("mosquitto"));
    for site in SITES {
        let (secret, _) = hub.keys(site);
        assert!(!log.contains(&secret), "the secret of {site} is in the log");
        assert!(!arguments.contains(&secret));
    }
    for each in &mut boxes {
        each.assert_running();
        each.terminate(STOPS);
    }
    running.terminate(STOPS);
    assert!(!running.log().contains("panicked"));
}
