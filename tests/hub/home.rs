//! A box with the hub in the same program: one copy of each clip, whatever broker it has, and a page that keeps and deletes it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    rig::{PASSWORD, VISIT, complete},
    support::{
        free_port,
        home::{CAMERA, GRACE, Home},
        lares,
        media::cut,
        output_of,
        process::{Camera, VIEWER},
        sample, wait_for,
    },
    visitor::Visitor,
};

struct Page(Visitor);

impl Page {
    fn json(&self, path: &str) -> Value {
        let (status, body) = self.0.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        let (begin, end) = (body.find('{').unwrap(), body.rfind('}').unwrap());
        serde_json::from_str(&body[begin..=end]).unwrap()
    }

    fn incidents(&self) -> Vec<Value> {
        let list = self.json("/api/incidents");
        list["incidents"].as_array().unwrap().clone()
    }

    /// What is listed once it has come to its end.
    fn over(&self, what: &str) -> Vec<Value> {
        wait_for(what, VISIT, || {
            let listed = self.incidents();
            let pictures = listed.iter().all(|one| one["picture"].is_string());
            (complete(&listed) && pictures).then_some(listed)
        })
    }

    fn bytes(&self, address: &Value) -> Option<Vec<u8>> {
        let (head, body) = self.0.part(address.as_str()?, "");
        head.contains(" 200 ").then_some(body)
    }

    /// The clip of an incident in one piece, as the page hands it out.
    fn clip(&self, one: &Value) -> Option<Vec<u8>> {
        self.bytes(&one["clip"]["download"])
    }
}

fn names(home: &Home, ending: &str) -> Vec<PathBuf> {
    let files = home.files();
    let of = |path: &PathBuf| path.to_string_lossy().ends_with(ending);
    files.into_iter().filter(of).collect()
}

fn id(one: &Value) -> String {
    one["id"].as_str().unwrap().to_owned()
}

/// A home with a camera at `url` and a page, and nothing that it sends to.
fn configure(home: &Home, url: &str, page: u16, more: &str) {
    home.secret("password", PASSWORD);
    home.configure(&format!(
        "[[cameras]]\nid = \"{CAMERA}\"\nurl = \"{url}\"\nuser = \"{VIEWER}\"\npassword_file = \"password\"\n\n\
         [hub]\nenabled = true\nlisten = \"127.0.0.1:{page}\"\n{more}"
    ));
    Visitor::register(&home.path("lares.toml"));
}

/// The files of an incident, as an earlier version had uploaded them to the hub in the same program.
fn move_to_old_store(home: &Home, incident: &str) {
    let objects = home.data().join("objects");
    let old = home.data().join("hub/store");
    for from in home.files() {
        let Ok(key) = from.strip_prefix(&objects) else {
            continue;
        };
        if !key.to_string_lossy().contains(incident) {
            continue;
        }
        let to = old.join(key);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(&from, &to).unwrap();
    }
}

#[test]
fn a_box_keeps_one_copy_and_its_page_plays_keeps_and_deletes_it() {
    let home = Home::new();
    let video = home.path("visit.mp4");
    cut(&sample("visits.mp4"), 6, 22, &video);
    let camera = Camera::start(PASSWORD, &[&video]);
    let port = free_port();
    configure(&home, &camera.urls[0], port, "");
    let mut agent = home.run();
    let mut page = Page(Visitor::log_in(port));
    // It can be watched while it is recorded.
    let growing = wait_for("a clip that grows", VISIT, || {
        let listed = page.incidents();
        let plays =
            |one: &&Value| one["clip"]["state"] == "first" && one["clip"]["codec"] == "h264";
        listed.iter().find(plays).cloned()
    });
    assert!(page.clip(&growing).is_some());
    page.over("a visit");
    drop(camera);
    home.all_delivered();
    let listed = page.over("all that came");

    // One copy: what the page hands out are the files of the outbox, and there are no others.
    let pieces = |ending: &str| names(&home, ending).len();
    assert!(pieces(".m4s") > 0);
    for path in names(&home, ".m4s").iter().chain(&names(&home, ".jpg")) {
        assert!(
            path.starts_with(home.data().join("objects")),
            "{}",
            path.display()
        );
    }
    let one = listed.last().unwrap().clone();
    let clip = page.clip(&one).unwrap();
    let played = home.path("played.mp4");
    fs::write(&played, &clip).unwrap();
    assert!(crate::support::media::decoded_frames(&played) > 20);
    assert!(page.bytes(&one["picture"]).is_some() && page.bytes(&one["crop"]).is_some());
    // Nothing was started for nobody, and nothing has left.
    assert!(!home.data().join("hub/broker").exists());
    let said = agent.log();
    assert!(
        said.contains("broker=\"none\"") || said.contains("broker=none"),
        "{said}"
    );
    let ledger = output_of(
        lares()
            .args(["ledger", "--config"])
            .arg(home.path("lares.toml"))
            .arg("show"),
    );
    assert!(ledger.contains("In all 0 B"), "{ledger}");
    let check = lares()
        .args(["check", "--config"])
        .arg(home.path("lares.toml"))
        .output();
    let check = String::from_utf8(check.unwrap().stdout).unwrap();
    assert!(check.contains("clips stay on this box"), "{check}");

    // A restart, and a lost index, change nothing of it.
    assert!(agent.terminate(GRACE).success());
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(home.data().join("hub").join(name));
    }
    let mut agent = home.run();
    page.0 = Visitor::log_in(port);
    wait_for("the list", Duration::from_secs(20), || {
        let again = page.incidents();
        let ids = |all: &[Value]| all.iter().map(id).collect::<Vec<_>>();
        (ids(&again) == ids(&listed)).then_some(())
    });
    assert_eq!(page.clip(&one).as_ref(), Some(&clip));

    // What is kept is not deleted, and what is deleted is gone from the disk and does not come back.
    let path = format!("/api/incidents/{}", id(&one));
    let until = one["start"].as_i64().unwrap() + 30 * 86_400_000;
    let wish = json!({"reason": "parcel", "until": until}).to_string();
    assert_eq!(page.0.change("PUT", &format!("{path}/keep"), &wish), 200);
    assert_eq!(
        home.query("SELECT held_ms FROM incidents WHERE held_ms IS NOT NULL")
            .len(),
        1
    );
    assert_eq!(page.0.change("DELETE", &path, ""), 409);
    assert_eq!(page.0.change("DELETE", &format!("{path}/keep"), ""), 200);
    assert!(
        home.query("SELECT held_ms FROM incidents WHERE held_ms IS NOT NULL")
            .is_empty()
    );
    assert_eq!(
        page.0.change("PUT", &format!("{path}/false-alarm"), ""),
        200
    );
    assert_eq!(page.json(&path)["incident"]["false_alarm"]["by"], "tester");
    assert_eq!(page.0.change("DELETE", &path, ""), 204);
    let left = |home: &Home| {
        let of = |file: &PathBuf| file.to_string_lossy().contains(&id(&one));
        home.files().iter().filter(|file| of(file)).count()
    };
    // The mark that it was deleted stays.
    assert_eq!(left(&home), 1, "{:?}", home.files());
    assert!(page.incidents().iter().all(|other| id(other) != id(&one)));
    assert!(agent.terminate(GRACE).success());
    let ledger = output_of(
        lares()
            .args(["ledger", "--config"])
            .arg(home.path("lares.toml"))
            .arg("show"),
    );
    assert!(ledger.contains("(household) by tester"), "{ledger}");
    fs::remove_file(home.data().join("hub/index.db")).unwrap();
    let mut agent = home.run();
    page.0 = Visitor::log_in(port);
    wait_for("the others", Duration::from_secs(20), || {
        (page.incidents().len() == listed.len() - 1).then_some(())
    });
    assert_eq!(left(&home), 1);
    assert!(agent.terminate(GRACE).success());
}

#[test]
fn clips_of_an_earlier_version_are_played_and_deleted_where_they_lie() {
    let home = Home::new();
    let video = home.path("visit.mp4");
    cut(&sample("visits.mp4"), 6, 22, &video);
    let camera = Camera::start(PASSWORD, &[&video]);
    let port = free_port();
    configure(&home, &camera.urls[0], port, "");
    let mut agent = home.run();
    let mut page = Page(Visitor::log_in(port));
    page.over("a visit");
    drop(camera);
    home.all_delivered();
    let listed = page.over("all that came");
    let one = listed.last().unwrap().clone();
    let clip = page.clip(&one).unwrap();
    assert!(agent.terminate(GRACE).success());

    // As the earlier version left it: the outbox forgot the incident long ago, its clip lies in the hub's store.
    move_to_old_store(&home, &id(&one));
    forget(&home.data().join("outbox.db"), &id(&one));
    let old = home.data().join("hub/store/v1");
    assert!(old.exists());
    let mut agent = home.run();
    page.0 = Visitor::log_in(port);
    let there = wait_for("the old one", Duration::from_secs(20), || {
        page.incidents()
            .into_iter()
            .find(|other| id(other) == id(&one))
    });
    assert_eq!(page.clip(&there), Some(clip));
    assert!(page.bytes(&there["picture"]).is_some());
    assert_eq!(there["deletable"], true);
    let path = format!("/api/incidents/{}", id(&one));
    assert_eq!(page.0.change("DELETE", &path, ""), 204);
    let left = |ending: &str| {
        let old = names(&home, ending);
        old.iter()
            .filter(|file| file.starts_with(old_store(&home)))
            .count()
    };
    assert_eq!((left(".m4s"), left(".jpg"), left(".mp4")), (0, 0, 0));
    assert!(agent.terminate(GRACE).success());
}

fn old_store(home: &Home) -> PathBuf {
    home.data().join("hub/store")
}

fn forget(database: &Path, incident: &str) {
    let db = rusqlite::Connection::open(database).unwrap();
    db.pragma_update(None, "foreign_keys", true).unwrap();
    let gone = db
        .execute("DELETE FROM incidents WHERE id = ?1", [incident])
        .unwrap();
    assert_eq!(gone, 1);
}
