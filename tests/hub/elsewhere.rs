//! A hub whose broker and store are others: Debian's mosquitto and moto, which boxes use already. The hub then only listens and
//! reads; what its own box keeps it reads there.

use std::{
    fs,
    time::{Duration, Instant},
};

use lares::testing::broker::{Broker, Demands};
use serde_json::{Value, json};

use crate::visitor::Visitor;

use crate::support::{
    free_port,
    home::{CAMERA, GRACE, Home},
    lares,
    media::cut,
    mqtt::{Login, publish},
    process::{Camera, VIEWER},
    sample,
    store::{ACCESS_KEY, BUCKET, S3},
    wait_for,
};

const PASSWORD: &str = "pass-word";
const VISIT: Duration = Duration::from_secs(90);

/// Of the hub that `home` runs.
struct Page(Visitor);

impl Page {
    fn incidents(&self) -> Vec<Value> {
        let (status, body) = self.0.get("/api/incidents");
        assert_eq!(status, 200, "{body}");
        let (begin, end) = (body.find('{').unwrap(), body.rfind('}').unwrap());
        let list: Value = serde_json::from_str(&body[begin..=end]).unwrap();
        list["incidents"].as_array().unwrap().clone()
    }

    /// The head of the answer to a request for a part of `path`, in lower case, and how many bytes came.
    fn part(&self, path: &str, range: &str) -> (String, usize) {
        let (head, body) = self.0.part(path, &format!("Range: {range}\r\n"));
        (head, body.len())
    }
}

fn complete(incidents: &[Value]) -> bool {
    let done = |one: &Value| one["clip"]["state"] == "complete" && one["picture"].is_string();
    !incidents.is_empty() && incidents.iter().all(done)
}

/// A valid alert of another household at the same broker.
fn foreign() -> String {
    json!({
        "v": 1, "n": 1, "id": "01990000-0000-7000-8000-000000000009", "seq": 1, "state": "began", "end_reason": null,
        "site": "neighbour", "camera": "door", "label": "person", "start": 1_770_000_000_000i64, "end": null,
        "sent": 1_770_000_000_000i64, "clock": "good", "score": 0.9, "tracks": 1, "mode": "armed", "thumbnail": null,
        "clip": {"key": null, "state": "none", "segments": 0, "bytes": 0},
    })
    .to_string()
}

#[test]
fn a_hub_listens_to_another_broker_and_reads_another_store() {
    let home = Home::new();
    home.secret("password", PASSWORD);
    let video = home.path("visit.mp4");
    cut(&sample("visits.mp4"), 6, 22, &video);
    let broker = Broker::start(&Demands::default()).unwrap();
    let mut s3 = S3::reserve(&home.path(""));
    s3.start();
    let camera = Camera::start(PASSWORD, &[&video]);
    let mut page = Page(Visitor {
        port: free_port(),
        ..Visitor::default()
    });
    home.configure(&format!(
        "[[cameras]]\nid = \"{CAMERA}\"\nurl = \"{}\"\nuser = \"{VIEWER}\"\npassword_file = \"password\"\n\n\
         [mqtt]\nurl = \"{}\"\n\n[upload]\nurl = \"s3://{BUCKET}/at/home\"\nendpoint = \"{}\"\n\
         access_key = \"{ACCESS_KEY}\"\nsecret_key_file = \"password\"\n\n\
         [hub]\nenabled = true\nbroker = \"external\"\nstore = \"external\"\nlisten = \"127.0.0.1:{}\"\n",
        camera.urls[0],
        broker.url(),
        s3.endpoint(),
        page.0.port,
    ));
    Visitor::register(&home.path("lares.toml"));
    let mut agent = home.run();
    page.0 = Visitor::log_in(page.0.port);
    let login = Login {
        user: "neighbour".to_owned(),
        password: "any".to_owned(),
    };
    let topic = "lares/neighbour/door/incident";
    publish(&broker, &login, &["-q", "1"], topic, &foreign());
    wait_for("a complete clip", VISIT, || {
        complete(&page.incidents()).then_some(())
    });
    drop(camera);
    // The camera is away: nobody comes any more, and what came is told to its end.
    home.all_delivered();
    let kept = wait_for("rest", VISIT, || {
        let first = page.incidents();
        std::thread::sleep(Duration::from_secs(2));
        (first == page.incidents() && complete(&first)).then_some(first)
    });
    assert!(
        kept.iter().all(|one| one["site"] == "home"),
        "another household's: {kept:?}"
    );

    // Pictures, parts of segments and the clip in one piece.
    let one = kept.last().unwrap();
    let address = |value: &Value| value.as_str().unwrap().to_owned();
    let (status, _) = page.0.get(&address(&one["picture"]));
    assert_eq!(status, 200);
    let (status, clip) = page.0.get(&address(&one["clip"]["download"]));
    assert!(status == 200 && clip.contains("avc1") && clip.contains("mdat"));
    let playlist = address(&one["clip"]["playlist"]);
    let segment = playlist.replace("index.m3u8", "00001.m4s");
    let (head, bytes) = page.part(&segment, "bytes=4-7");
    assert!(head.contains(" 206 ") && head.contains("content-range: bytes 4-7/"));
    assert_eq!(bytes, 4, "{head}");
    let (head, _) = page.part(&segment, "bytes=900000000-");
    assert!(head.contains(" 416 ") && head.contains("content-range: bytes */"));
    let (status, _) = page.0.get(&playlist.replace("index.m3u8", "09999.m4s"));
    assert_eq!(status, 404);

    // Nothing of its own was started, and `lares check` does not ask for it.
    for own in ["hub/broker", "hub/store"] {
        assert!(!home.data().join(own).exists(), "{own}");
    }
    let check = lares()
        .args(["check", "--config"])
        .arg(home.path("lares.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(said.contains("is open at http://127.0.0.1:"), "{said}");

    // The index is lost while the store is away: what the box has is listed all the same, with pictures and clips.
    agent.terminate(GRACE);
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(home.data().join("hub").join(name));
    }
    let gone = free_port();
    let text = fs::read_to_string(home.path("lares.toml")).unwrap();
    let away = text.replace(&s3.endpoint(), &format!("http://127.0.0.1:{gone}"));
    fs::write(home.path("lares.toml"), away).unwrap();
    let mut agent = home.run();
    let asked = Instant::now();
    wait_for("the index", Duration::from_secs(20), || {
        (page.incidents() == kept).then_some(())
    });
    assert!(asked.elapsed() < Duration::from_secs(8));
    wait_for("that the store is away", Duration::from_secs(20), || {
        let told = agent.log();
        told.contains("the hub's store cannot be read")
            .then_some(())
    });
    let (status, _) = page.0.get(&address(&one["picture"]));
    assert_eq!(status, 200);
    assert!(agent.terminate(GRACE).success());
    drop(s3);
}
