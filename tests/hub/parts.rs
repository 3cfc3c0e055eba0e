//! Parts of the hub that cannot start: the cameras are watched all the same, and each part works once it can. And what one
//! site's key can do to the broker of all.

use std::{
    fs,
    net::TcpListener,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    rig::{Hub, PASSWORD, STOPS, VISIT},
    support::{
        free_port, lares,
        media::cut,
        process::{Camera, Process, VIEWER},
        root, sample, try_get, wait_for,
    },
};

fn health(port: u16) -> Option<Value> {
    let (_, body) = try_get(port, "/healthz").ok()?;
    let (begin, end) = (body.find('{')?, body.rfind('}')?);
    serde_json::from_str(&body[begin..=end]).ok()
}

/// What `/healthz` names; none: it does not answer.
fn problems(port: u16) -> Option<Vec<String>> {
    let health = health(port)?;
    let all = health["problems"].as_array()?.iter();
    Some(
        all.filter_map(|problem| problem.as_str().map(str::to_owned))
            .collect(),
    )
}

#[test]
fn the_cameras_are_watched_while_every_part_of_the_hub_is_broken() {
    let home = tempfile::tempdir().unwrap();
    let video = home.path().join("visit.mp4");
    cut(&sample("visits.mp4"), 8, 20, &video);
    let cameras = Camera::start(PASSWORD, &[&video]);
    let taken: Vec<TcpListener> = (0..3)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap())
        .collect();
    let ports: Vec<u16> = taken
        .iter()
        .map(|l| l.local_addr().unwrap().port())
        .collect();
    let web = free_port();
    let files = home.path().join("data/hub");
    fs::create_dir_all(&files).unwrap();
    for name in ["index.db", "accounts.db"] {
        fs::write(files.join(name), vec![0x5a; 40_000]).unwrap();
    }
    fs::write(home.path().join("camera.key"), PASSWORD).unwrap();
    let text = format!(
        "version = 2\nsite = \"alder\"\ndata_dir = \"data\"\n[web]\nlisten = \"127.0.0.1:{web}\"\n[models]\ndir = \"{}\"\n\
         [[cameras]]\nid = \"door\"\nurl = \"{}\"\nuser = \"{VIEWER}\"\npassword_file = \"camera.key\"\n\
         [hub]\nenabled = true\nlisten = \"127.0.0.1:{}\"\nbroker_listen = \"127.0.0.1:{}\"\nstore_listen = \"127.0.0.1:{}\"\n",
        root().join("models").display(),
        cameras.urls[0],
        ports[0],
        ports[1],
        ports[2],
    );
    fs::write(home.path().join("lares.toml"), text).unwrap();
    let mut command = lares();
    command
        .args(["run", "--config"])
        .arg(home.path().join("lares.toml"));
    let mut agent = Process::start(&mut command, &home.path().join("agent.log"));

    let said = wait_for("what is broken", Duration::from_secs(60), || {
        let said = problems(web)?;
        let named = [
            format!("127.0.0.1:{} for the broker", ports[1]),
            format!("127.0.0.1:{} for uploads", ports[2]),
            "accounts.db is damaged".to_owned(),
        ];
        named
            .iter()
            .all(|part| said.iter().any(|sentence| sentence.contains(part)))
            .then_some(said)
    });
    assert!(
        !said.iter().any(|sentence| sentence.contains("index")),
        "{said:?}"
    );
    assert!(agent.log().contains("index was damaged"), "{}", agent.log());
    let aside = |name: &str| {
        let all = fs::read_dir(&files).unwrap().flatten();
        all.filter(|entry| entry.file_name().to_string_lossy().starts_with(name))
            .count()
    };
    assert_eq!(aside("index.db.damaged-"), 1);
    wait_for("a visit", VISIT, || {
        agent.log().contains("incident ended").then_some(())
    });
    agent.assert_running();

    // The ports become free, and somebody puts the accounts aside.
    drop(taken);
    wait_for("what waited", Duration::from_secs(120), || {
        let index = rusqlite::Connection::open(files.join("index.db")).ok()?;
        let count = "SELECT count(*) FROM incidents WHERE message LIKE '%\"state\":\"ended\"%'";
        let incidents: i64 = index.query_row(count, [], |row| row.get(0)).ok()?;
        (incidents > 0).then_some(())
    });
    assert_eq!(
        fs::read(files.join("accounts.db")).unwrap(),
        vec![0x5a; 40_000],
        "nobody deletes accounts"
    );
    fs::rename(files.join("accounts.db"), home.path().join("accounts.db")).unwrap();
    wait_for("the page", Duration::from_secs(90), || {
        // The port opens once the accounts can be read.
        let (status, _) = try_get(ports[0], "/api/session").ok()?;
        (status == 200).then_some(())
    });
    wait_for("nothing to say", Duration::from_secs(30), || {
        problems(web)?.is_empty().then_some(())
    });
    agent.terminate(STOPS);
}

#[test]
fn one_sites_key_throws_nobody_off_the_broker_and_fills_nothing_there() {
    let hub = Hub::new();
    let running = hub.start();
    let listens = || {
        running
            .log()
            .matches("the hub listens to its broker")
            .count()
    };
    wait_for("the hub's ear", Duration::from_secs(20), || {
        (listens() == 1).then_some(())
    });
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        for name in ["lares-hub", "lares-alder", "lares-birch"] {
            let mut thief = hub.mosquitto("mosquitto_sub", "cedar");
            thief.args(["-i", name, "-t", "x", "-W", "1"]);
            let _ = thief.output();
        }
    }
    assert_eq!(listens(), 1, "{}", running.log());
    assert!(!running.log().contains("does not hear its broker"));

    // Words and documents of more cameras than there can be, and words that are pictures.
    let mut lines = String::new();
    for camera in 0..400 {
        lines.push_str(&format!("camera-{camera}\n"));
    }
    let send = |topic: &str, payload: &str| {
        let mut send = hub.mosquitto("mosquitto_pub", "cedar");
        send.args(["-q", "1", "-r", "-t", topic, "-m", payload]);
        assert!(send.output().unwrap().status.success());
    };
    for camera in lines.lines() {
        send(&format!("lares/cedar/{camera}/status"), "online");
        send(&format!("homeassistant/device/cedar/{camera}/config"), "{}");
    }
    send("lares/cedar/camera-0/motion", &"x".repeat(100_000));
    send("lares/cedar/camera-0/snapshot", &"x".repeat(100_000));
    let secret = fs::read_to_string(hub.files().join("keys/house")).unwrap();
    let kept = |topic: &str| {
        let mut ear = Command::new("mosquitto_sub");
        ear.args([
            "-V",
            "mqttv5",
            "-h",
            "127.0.0.1",
            "-p",
            &hub.broker.to_string(),
        ]);
        ear.args([
            "-u",
            "_house",
            "-P",
            secret.trim(),
            "-t",
            topic,
            "-F",
            "%t",
            "-W",
            "2",
        ]);
        let heard = ear.output().unwrap().stdout;
        String::from_utf8(heard).unwrap().lines().count()
    };
    wait_for("order in the broker", Duration::from_secs(30), || {
        let kept = [
            kept("lares/cedar/+/status"),
            kept("homeassistant/device/cedar/+/config"),
            kept("lares/cedar/+/motion"),
            kept("lares/cedar/+/snapshot"),
        ];
        (kept == [256, 257, 0, 0]).then_some(())
    });
    let said = running
        .log()
        .matches("messages of a site were left out")
        .count();
    assert!((1..4).contains(&said), "{said} lines");
    drop(running);
}

#[test]
fn the_agents_own_pages_open_once_their_port_is_free() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (web, page) = (taken.local_addr().unwrap().port(), free_port());
    let text = format!(
        "version = 2\nsite = \"alder\"\ndata_dir = \"data\"\n[web]\nlisten = \"127.0.0.1:{web}\"\n[models]\ndir = \"{}\"\n\
         [[cameras]]\nid = \"door\"\nurl = \"rtsp://127.0.0.1:9/\"\n\
         [hub]\nenabled = true\nlisten = \"127.0.0.1:{page}\"\nbroker_listen = \"127.0.0.1:{}\"\nstore_listen = \"127.0.0.1:{}\"\n",
        root().join("models").display(),
        free_port(),
        free_port(),
    );
    fs::write(home.path().join("lares.toml"), text).unwrap();
    let mut command = lares();
    command
        .args(["run", "--config"])
        .arg(home.path().join("lares.toml"));
    let mut agent = Process::start(&mut command, &home.path().join("agent.log"));
    wait_for("that its port is taken", Duration::from_secs(60), || {
        agent
            .log()
            .contains(&format!("127.0.0.1:{web}"))
            .then_some(())
    });
    wait_for("that it watches", Duration::from_secs(60), || {
        agent.log().contains(" watching").then_some(())
    });
    agent.assert_running();
    drop(taken);
    wait_for("its pages", Duration::from_secs(90), || {
        let said = problems(web)?;
        (!said
            .iter()
            .any(|sentence| sentence.contains(&format!("{web}"))))
        .then_some(())
    });
    agent.terminate(STOPS);
}
