//! One hub and several boxes as processes of their own: everything arrives, and nobody gets at what is another one's.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

mod support;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use support::{
    free_port, get, lares,
    media::cut,
    output_of,
    process::{Camera, Process, VIEWER},
    root, sample,
    store::python,
    wait_for,
};

const SITES: [&str; 3] = ["alder", "birch", "cedar"];
const PASSWORD: &str = "camera-password";
/// A visit, its clip and everything that goes with it.
const VISIT: Duration = Duration::from_secs(90);
const STOPS: Duration = Duration::from_secs(20);

/// The hub's folder, configuration and ports.
struct Hub {
    dir: tempfile::TempDir,
    page: u16,
    broker: u16,
    store: u16,
}

impl Hub {
    fn new() -> Self {
        let hub = Self {
            dir: tempfile::TempDir::with_prefix("lares-hub-").unwrap(),
            page: free_port(),
            broker: free_port(),
            store: free_port(),
        };
        let sites: Vec<_> = SITES.iter().map(|site| format!("\"{site}\"")).collect();
        let text = format!(
            "version = 1\ndata_dir = \"data\"\n[hub]\nenabled = true\nlisten = \"127.0.0.1:{}\"\n\
             broker_listen = \"127.0.0.1:{}\"\nstore_listen = \"127.0.0.1:{}\"\nsites = [{}]\n",
            hub.page,
            hub.broker,
            hub.store,
            sites.join(", ")
        );
        fs::write(hub.config(), text).unwrap();
        hub
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("hub.toml")
    }

    fn files(&self) -> PathBuf {
        self.dir.path().join("data/hub")
    }

    fn start(&self) -> Process {
        let mut command = lares();
        // At this level nothing is left out that the log could say.
        command.args(["--log", "debug", "hub", "--config"]);
        command.arg(self.config());
        let mut hub = Process::start(&mut command, &self.dir.path().join("hub.log"));
        wait_for("page of the hub", Duration::from_secs(20), || {
            hub.assert_running();
            std::net::TcpStream::connect(("127.0.0.1", self.page)).ok()
        });
        hub
    }

    /// What `lares hub keys` says: the secret of `site` and the configuration of its box.
    fn keys(&self, site: &str) -> (String, String) {
        let text = output_of(
            lares()
                .args(["hub", "--config"])
                .arg(self.config())
                .arg("keys"),
        );
        let start = format!("# The box \"{site}\"");
        let own = text.split("\n\n").find(|part| part.starts_with(&start));
        let own = own.unwrap();
        let secret = own
            .lines()
            .find_map(|line| line.strip_prefix("# hub.key: "));
        (secret.unwrap().to_owned(), own.replace("HUB", "127.0.0.1"))
    }

    fn json(&self, path: &str) -> Value {
        let (status, body) = get(self.page, path);
        assert_eq!(status, 200, "{path}: {body}");
        // Chunked answers begin with a length.
        let begin = body.find('{').unwrap();
        let end = body.rfind('}').unwrap();
        serde_json::from_str(&body[begin..=end]).unwrap()
    }

    /// Incidents of `site`, newest first, once `well` says so.
    fn incidents(&self, what: &str, site: &str, well: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait_for(what, VISIT, || {
            let list = self.json(&format!("/api/incidents?site={site}"));
            let incidents = list["incidents"].as_array().unwrap().clone();
            well(&incidents).then_some(incidents)
        })
    }

    /// Answers of boto3 as `site` to a list of attempts, as the script names them.
    fn try_store(&self, site: &str, other: &str, own_key: &str, foreign_key: &str) -> Value {
        let (secret, _) = self.keys(site);
        let endpoint = format!("http://127.0.0.1:{}", self.store);
        let mut script = python("hub_s3.py");
        script.args([endpoint.as_str(), site, other, own_key, foreign_key]);
        serde_json::from_str(&output_of(script.env("SECRET", secret))).unwrap()
    }

    /// The process id of the broker that `hub` has started.
    fn broker_of(hub: &Process) -> i32 {
        let found = Command::new("pgrep")
            .args(["-P", &hub.id().to_string(), "mosquitto"])
            .output()
            .unwrap();
        let text = String::from_utf8(found.stdout).unwrap();
        text.trim().parse().unwrap()
    }

    /// What `lares check` says of this hub.
    fn check(&self) -> String {
        let mut check = lares();
        check.args(["check", "--config"]).arg(self.config());
        String::from_utf8(check.output().unwrap().stdout).unwrap()
    }

    fn mosquitto(&self, program: &str, site: &str) -> Command {
        let (secret, _) = self.keys(site);
        let mut command = Command::new(program);
        command.args([
            "-V",
            "mqttv5",
            "-h",
            "127.0.0.1",
            "-p",
            &self.broker.to_string(),
        ]);
        command.args(["-u", site, "-P", &secret]);
        command
    }
}

/// A box of `site` with one camera.
fn run_box(hub: &Hub, site: &str, dir: &Path, url: &str) -> Process {
    fs::create_dir_all(dir).unwrap();
    let (secret, own) = hub.keys(site);
    fs::write(dir.join("hub.key"), secret).unwrap();
    fs::write(dir.join("camera.key"), PASSWORD).unwrap();
    // The keys of the root come first.
    let (root_keys, sections) = own.split_once("[mqtt]").unwrap();
    let text = format!(
        "{root_keys}version = 1\ndata_dir = \"data\"\n[web]\nlisten = \"off\"\n[models]\ndir = \"{}\"\n\
         [[cameras]]\nid = \"door\"\nname = \"Door of {site}\"\nurl = \"{url}\"\nuser = \"{VIEWER}\"\n\
         password_file = \"camera.key\"\n[mqtt]{sections}",
        root().join("models").display()
    );
    fs::write(dir.join("lares.toml"), text).unwrap();
    let mut command = lares();
    command
        .args(["run", "--config"])
        .arg(dir.join("lares.toml"));
    Process::start(&mut command, &dir.join("box.log"))
}

fn complete(incidents: &[Value]) -> bool {
    let done =
        |incident: &Value| incident["state"] == "ended" && incident["clip"]["state"] == "complete";
    !incidents.is_empty() && incidents.iter().all(done)
}

#[test]
fn three_boxes_one_hub_and_nobody_sees_anothers() {
    let hub = Hub::new();
    let mut running = hub.start();
    let homes = tempfile::tempdir().unwrap();
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
    let (status, clip) = get(hub.page, &download);
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
        running.log().contains("was not understood"),
        "rubbish is told"
    );
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
    assert_eq!(all(&hub), kept);
    assert!(
        running
            .log()
            .contains("the index was made anew from the store")
    );
    running.terminate(STOPS);
}

#[test]
fn accounts_are_made_on_the_command_line_and_the_page_asks_for_them() {
    let hub = Hub::new();
    let account = |arguments: &[&str], typed: &str| -> (bool, String) {
        let mut child = lares()
            .args(["hub", "--config"])
            .arg(hub.config())
            .arg("account")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may have ended already.
        let _ = writeln!(child.stdin.take().unwrap(), "{typed}");
        let done = child.wait_with_output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    };
    let (added, said) = account(&["add", "anna"], "short");
    assert!(!added && said.contains("10 to 256 characters"), "{said}");
    let (added, said) = account(&["add", "ben", "--viewer"], "correct horse battery");
    assert!(!added && said.contains("must be an owner"), "{said}");
    assert!(account(&["add", "anna"], "correct horse battery").0);
    assert!(account(&["add", "ben", "--viewer"], "correct horse battery").0);
    let (_, listed) = account(&["ls"], "");
    assert!(
        listed.contains("anna") && listed.contains("viewer"),
        "{listed}"
    );
    let (removed, said) = account(&["rm", "anna"], "");
    assert!(!removed && said.contains("last owner"), "{said}");

    assert!(hub.check().contains("can open at"), "{}", hub.check());
    let other = std::net::TcpListener::bind(("127.0.0.1", hub.store)).unwrap();
    let said = hub.check();
    assert!(said.contains("the hub cannot listen on") && said.contains("store_listen"));
    drop(other);

    let mut running = hub.start();
    assert!(hub.check().contains("is open at"), "{}", hub.check());
    let session = hub.json("/api/session");
    assert_eq!(
        (&session["state"], &session["account"]),
        (&"login".into(), &Value::Null)
    );
    let (status, _) = get(hub.page, "/api/house");
    assert_eq!(status, 401);
    running.terminate(STOPS);
}
