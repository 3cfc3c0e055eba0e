//! The commands that say how things are: `check`, `outbox`, `models`.

use std::{fs, path::Path};

use lares::testing::broker::{Broker, Demands};

use crate::{
    home::{Cameras, Home, camera},
    program::{
        Done, assert_plain, assert_told_once, first_seconds, free_port, lares, lines_with, run,
        sample, text,
    },
};

fn check(home: &Home, rest: &str) -> Done {
    let done = run(["check", "--config", text(&home.config(rest))]);
    assert_plain(&done.stdout);
    assert_plain(&done.stderr);
    done
}

#[test]
fn check_says_that_everything_works() {
    let cameras = Cameras::start(0, "", &[sample("odd/clip.mkv")]);
    let broker = Broker::start(&Demands::default()).unwrap();
    let home = Home::new();
    fs::create_dir(home.path().join("nas")).unwrap();
    let rest = format!(
        "{}[mqtt]\nurl = \"{}\"\n[upload]\nurl = \"file://{}/nas\"\n",
        camera("door", &cameras.urls[0], ""),
        broker.url(),
        home.path().display()
    );
    let done = check(&home, &rest);
    assert_eq!(done.status, Some(0), "{}{}", done.stdout, done.stderr);
    for words in [
        ["ok ", "configuration: 1 camera"],
        ["ok ", "data folder: "],
        ["ok ", "models: "],
        [
            "ok ",
            "camera door: H.264 768x576, a keyframe each 2.0 s, decoded in ",
        ],
        ["ok ", "this machine: carries about "],
        ["ok ", "broker: mqtt://127.0.0.1"],
        ["ok ", "store: file:///"],
    ] {
        assert_told_once(&done.stdout, &words);
    }
    assert_eq!(done.stdout.lines().last(), Some("Everything works."));
    assert_eq!(
        lines_with(&done.stdout, &["advice"]).len(),
        0,
        "{}",
        done.stdout
    );
}

#[test]
fn check_says_what_does_not_work_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    // Keyframes each 10 s, and nothing between that would make waiting for the second one long.
    let cameras = Cameras::start(
        0,
        "right-one",
        &[first_seconds(&sample("odd/gop10s.mp4"), 11, folder.path())],
    );
    let home = Home::new();
    fs::write(home.path().join("good"), "right-one").unwrap();
    let url = &cameras.urls[0];
    let rest = [
        camera("refused", url, ""),
        camera("rare", url, "user = \"viewer\"\npassword_file = \"good\"\n"),
        camera("away", &format!("rtsp://127.0.0.1:{}/", free_port()), ""),
        format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n", free_port()),
        format!("[upload]\nurl = \"file://{}/nas\"\n", home.path().display()),
    ];
    let done = check(&home, &rest.concat());
    assert_eq!(done.status, Some(1), "{}", done.stdout);
    for words in [
        [
            "problem  camera refused: ",
            "refused the user name or password",
        ],
        ["ok       camera rare: ", "a keyframe each 10.0 s"],
        [
            "advice   camera rare: ",
            "set the camera's \"I-frame interval\"",
        ],
        ["problem  camera away: ", "check that it is switched on"],
        ["problem  broker: ", "cannot be reached"],
        ["problem  store: ", "create it, or mount the disk"],
    ] {
        assert_told_once(&done.stdout, &words);
    }
    let last = done.stdout.lines().last();
    assert_eq!(last, Some("4 problem(s): see above what to do."));
}

#[test]
fn check_of_a_wrong_configuration_lists_its_mistakes() {
    let home = Home::new();
    let done = check(
        &home,
        "[[cameras]]\nurl = \"http://h/\"\nuser_name = \"x\"\n",
    );
    assert_eq!(done.status, Some(1));
    assert_told_once(
        &done.stdout,
        &["problem  configuration: ", "has 2 problem(s)"],
    );
    assert_told_once(&done.stdout, &["user_name", "is not known"]);
}

/// An outbox with one visit that nobody has been told of.
fn outbox_of_a_replay() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let done = run([
        "replay",
        "--out",
        text(folder.path()),
        text(&sample("odd/clip.mkv")),
    ]);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    folder
}

#[test]
fn the_outbox_lists_what_waits_and_tries_it_again() {
    let folder = outbox_of_a_replay();
    let data = folder.path().join("clip");
    let outbox = |more: &[&str]| run([&["outbox", "--data-dir", text(&data)], more].concat());

    let list = outbox(&["ls"]);
    assert_eq!(list.status, Some(0), "{}", list.stderr);
    assert!(
        lines_with(&list.stdout, &["waiting", "alert"]).len() >= 2,
        "began and ended:\n{}",
        list.stdout
    );
    assert!(
        lines_with(&list.stdout, &["waiting", "sub/00001.m4s"]).len() == 1,
        "{}",
        list.stdout
    );
    let incident = list
        .stdout
        .lines()
        .find_map(|line| line.split(" of ").nth(1));
    let incident = incident.unwrap().split_whitespace().next().unwrap();

    for retry in [outbox(&["retry"]), outbox(&["retry", incident])] {
        assert_eq!(retry.status, Some(0), "{}", retry.stderr);
        assert!(
            retry.stdout.ends_with(" will be tried again.\n"),
            "{}",
            retry.stdout
        );
    }
    let unknown = outbox(&["retry", "01900000-0000-7000-8000-000000000000"]);
    assert_eq!(
        unknown.status,
        Some(1),
        "{}{}",
        unknown.stdout,
        unknown.stderr
    );
    assert_told_once(&unknown.stderr, &["is not in the outbox"]);
    let nonsense = outbox(&["retry", "yesterday"]);
    assert_eq!(nonsense.status, Some(2));
    assert_plain(&nonsense.stderr);
}

#[test]
fn an_outbox_that_is_missing_or_damaged_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = || run(["outbox", "--data-dir", text(folder.path()), "ls"]);
    let done = outbox();
    assert_plain(&done.stderr);
    assert_plain(&done.stdout);
    assert_eq!(done.status, Some(1), "{}", done.stdout);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(
        !folder.path().join("outbox.db").exists(),
        "asking makes no outbox"
    );

    fs::write(
        folder.path().join("outbox.db"),
        "no database at all, but long enough to be looked into".repeat(20),
    )
    .unwrap();
    let done = outbox();
    assert_eq!(done.status, Some(1), "{}", done.stdout);
    assert_told_once(&done.stderr, &["is damaged", "move the file away"]);
}

#[test]
fn models_are_listed_and_verified() {
    let list = run(["models", "ls"]);
    assert_eq!(list.status, Some(0), "{}", list.stderr);
    assert_plain(&list.stdout);
    for name in ["motion", "person"] {
        assert!(
            list.stdout
                .lines()
                .any(|line| line.starts_with(&format!("* {name}"))),
            "{}",
            list.stdout
        );
    }
    let verified = run(["models", "verify"]);
    assert_eq!(verified.status, Some(0), "{}", verified.stdout);
    assert!(
        verified.stdout.lines().all(|line| line.starts_with("ok ")),
        "{}",
        verified.stdout
    );
}

#[test]
fn a_model_that_was_changed_fails_verification_and_the_others_pass() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["motion.toml", "motion.onnx", "person.toml", "person.onnx"] {
        fs::copy(Path::new("models").join(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("motion.onnx"), "other bytes").unwrap();
    let done = run(["models", "--dir", text(folder.path()), "verify"]);
    assert_eq!(done.status, Some(1));
    assert_told_once(
        &done.stdout,
        &["problem  motion: ", "does not match its card"],
    );
    assert_told_once(&done.stdout, &["ok       person"]);

    let empty = tempfile::tempdir().unwrap();
    let mut command = lares(["models", "--dir", text(empty.path()), "ls"]);
    let done = crate::program::Running::start(&mut command).end();
    assert_eq!(done.status, Some(1));
    assert_told_once(&done.stderr, &["there is no model card in", "--dir"]);
}
