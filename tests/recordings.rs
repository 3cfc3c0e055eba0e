//! Continuous recording with the real program: a camera is recorded, the program is killed in the middle of a file and started again,
//! and a range is exported and read by programs that are not ours.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use support::{
    home::{CAMERA, GRACE, Home},
    lares,
    media::{cut, decoded_frames},
    output_of,
    process::{Camera, VIEWER},
    sample, wait_for,
};

const PASSWORD: &str = "pass-word";
/// A piece is written when it is whole: 4 s, and the half second of the thread.
const BEHIND: Duration = Duration::from_secs(6);

struct Recorded {
    home: Home,
    _camera: Camera,
}

impl Recorded {
    fn new() -> Self {
        let home = Home::new();
        home.secret("password", PASSWORD);
        let video = home.path("visit.mp4");
        cut(&sample("visits.mp4"), 6, 22, &video);
        let camera = Camera::start(PASSWORD, &[&video]);
        home.configure(&format!(
            "[[cameras]]\nid = \"{CAMERA}\"\nurl = \"{}\"\nuser = \"{VIEWER}\"\npassword_file = \"password\"\n\n\
             [cameras.recording]\nkeep = \"2 h\"\nquota = \"1 GB\"\n",
            camera.urls[0]
        ));
        Self {
            home,
            _camera: camera,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = lares();
        command.args(["recordings", "--config"]);
        command.arg(self.home.path("lares.toml")).args(arguments);
        command
    }

    /// What `lares recordings list --json` says of the camera.
    fn list(&self) -> Option<Value> {
        let lines = output_of(&mut self.command(&["list", "--json"]));
        let line = lines.lines().next()?;
        Some(serde_json::from_str(line).unwrap())
    }

    /// Recorded seconds so far.
    fn seconds(&self) -> f64 {
        let found = self.list();
        let spans = found
            .iter()
            .flat_map(|found| found["spans"].as_array().unwrap().clone());
        let lasts = |span: Value| span["to"].as_f64().unwrap() - span["from"].as_f64().unwrap();
        spans.map(lasts).sum::<f64>() / 1000.0
    }

    fn wait_until_recorded(&self, seconds: f64) {
        wait_for("recording", Duration::from_secs(90), || {
            (self.seconds() >= seconds).then_some(())
        });
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = self.home.files();
        files.retain(|path| path.starts_with(self.home.data().join("recordings")));
        files.sort();
        files
    }

    fn export(&self, range: (i64, i64), to: &Path) -> Output {
        let time = |ms| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
        let mut command = self.command(&["export", "--camera", CAMERA]);
        command.args(["--from", &time(range.0), "--to", &time(range.1), "-o"]);
        command.arg(to).output().unwrap()
    }
}

fn is_whole(film: &Path) {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-i"])
        .arg(film)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn a_recording_survives_a_kill_and_is_exported_whole() {
    let house = Recorded::new();
    let mut agent = house.home.run();
    house.wait_until_recorded(12.0);
    // In the middle of a file.
    agent.kill();
    let killed = Instant::now();
    let before = house.list().unwrap();
    let lost_from = before["spans"][0]["to"].as_i64().unwrap();
    assert_eq!(house.files().len(), 1);
    // Less than a second without a frame is no gap.
    sleep(Duration::from_secs(2));
    let mut agent = house.home.run();
    // The file that was cut is closed by the next start, and nothing of it is lost.
    wait_for("another file", Duration::from_secs(60), || {
        (house.files().len() >= 2 && house.seconds() >= 20.0).then_some(())
    });
    let found = house.list().unwrap();
    let spans = found["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 2, "{found}");
    assert_eq!(spans[0], before["spans"][0], "{found}");
    let gap = &found["gaps"][0];
    assert_eq!(
        (&gap["why"], &gap["from"]),
        (&"off".into(), &lost_from.into()),
        "{found}"
    );
    let missing = gap["to"].as_i64().unwrap() - lost_from;
    let away = i64::try_from(killed.elapsed().as_millis()).unwrap();
    assert!(
        missing <= away + 10_000,
        "{missing} ms were lost, and it was away for {away}"
    );
    assert!(agent.terminate(GRACE * 2).success());

    // Everything, as one file.
    let film = house.home.path("film.mp4");
    let range = (
        spans[0]["from"].as_i64().unwrap(),
        spans[1]["to"].as_i64().unwrap() + 60_000,
    );
    let exported = house.export(range, &film);
    assert!(exported.status.success(), "{exported:?}");
    let facts: Value =
        serde_json::from_slice(&fs::read(house.home.path("film.mp4.json")).unwrap()).unwrap();
    is_whole(&film);
    assert_eq!(
        decoded_frames(&film) as u64,
        facts["frames"].as_u64().unwrap()
    );
    assert_eq!(facts["gaps"].as_array().unwrap().len(), 1, "{facts}");
    assert_eq!(
        (&facts["site"], &facts["camera"]),
        (&"home".into(), &CAMERA.into())
    );
    let sum = output_of(Command::new("sha256sum").arg(&film));
    assert!(sum.starts_with(facts["sha256"].as_str().unwrap()), "{sum}");

    // It verifies as it is, and not once a byte is another.
    let verify = || house.command(&["verify"]).arg(&film).output().unwrap();
    let verified = verify();
    assert!(verified.status.success(), "{verified:?}");
    let mut bytes = fs::read(&film).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&film, bytes).unwrap();
    let verified = verify();
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("sha256"));

    // Nothing is overwritten, and what is not there is said.
    assert!(!house.export(range, &film).status.success());
    let none = house.export((1_000_000, 2_000_000), &house.home.path("none.mp4"));
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(
        !none.status.success() && said.contains("Nothing of this time"),
        "{said}"
    );
    assert!(!house.home.path("none.mp4").exists());
}

#[test]
fn a_stop_closes_the_file_and_a_camera_that_is_switched_off_is_not_recorded() {
    let house = Recorded::new();
    let mut agent = house.home.run();
    house.wait_until_recorded(6.0);
    assert!(agent.terminate(GRACE * 2).success());
    let files = house.files();
    let closed = fs::read(&files[0]).unwrap();
    assert!(
        closed.windows(16).any(|part| part == b"lares-fragments-"),
        "it has its table"
    );
    // Disarmed from the start: nothing is added.
    let config = house.home.path("lares.toml");
    let text = fs::read_to_string(&config).unwrap();
    let off = text.replace(
        "[cameras.recording]",
        "mode = \"disarmed\"\n[cameras.recording]",
    );
    let off = off.replace(&format!("id = \"{CAMERA}\""), "id = \"attic\"");
    fs::write(&config, off).unwrap();
    let mut agent = house.home.run();
    sleep(BEHIND);
    assert_eq!(house.files(), files);
    assert!(agent.terminate(GRACE * 2).success());
}

#[test]
fn a_camera_with_a_privacy_mask_is_refused_in_one_sentence() {
    let house = Recorded::new();
    let config = house.home.path("lares.toml");
    let text = fs::read_to_string(&config).unwrap();
    let masked = text.replace(
        "[cameras.recording]",
        "privacy_mask = [[[0.0, 0.0], [0.3, 0.0], [0.3, 0.4]]]\n[cameras.recording]",
    );
    fs::write(&config, masked).unwrap();
    for command in ["check", "run"] {
        let refused = lares()
            .args([command, "--config"])
            .arg(&config)
            .output()
            .unwrap();
        let said = [refused.stdout, refused.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(!refused.status.success(), "{said}");
        assert!(said.contains("has a privacy_mask"), "{said}");
    }
    assert!(!house.home.data().join("recordings").exists());
}
