//! Cameras that refuse or are away.

use std::time::{Duration, Instant};

use crate::{
    home::{Cameras, Home, SOON, camera, camera_health, stop, wait_online, web},
    program::{assert_told_once, free_port, lines_with, sample},
};

#[test]
fn a_wrong_password_is_told_once_and_the_other_camera_works() {
    let cameras = Cameras::start(
        0,
        "right-one",
        &[sample("odd/clip.mkv"), sample("odd/clip.ts")],
    );
    let port = free_port();
    let home = Home::new();
    for (file, password) in [("good", "right-one"), ("bad", "wrong-one")] {
        std::fs::write(home.path().join(file), password).unwrap();
    }
    let login = |file: &str| format!("user = \"viewer\"\npassword_file = \"{file}\"\n");
    let good = camera("good", &cameras.urls[0], &login("good"));
    let bad = camera("bad", &cameras.urls[1], &login("bad"));
    let mut agent = home.agent(&(good + &bad + &web(port)));
    let refused = [
        "refused the user name or password",
        "set `user` and `password`",
    ];
    agent.wait_for("the refusal", SOON, |log| {
        !lines_with(log, &refused).is_empty()
    });
    let told = Instant::now();
    wait_online(port, "good");
    let (state, problem) = camera_health(port, "bad").unwrap();
    assert_eq!(state, "offline");
    assert!(problem.contains(refused[0]), "{problem}");

    // Cameras lock an account after a few wrong tries, and a log that repeats itself is not read.
    while told.elapsed() < Duration::from_secs(10) {
        assert_told_once(&agent.stderr(), &refused);
        std::thread::sleep(Duration::from_millis(200));
    }
    let log = stop(agent).stderr;
    assert!(
        !log.contains("right-one") && !log.contains("wrong-one"),
        "a password in the log:\n{log}"
    );
}

#[test]
fn a_camera_that_is_away_is_told_and_watched_once_it_comes() {
    let (camera_port, port) = (free_port(), free_port());
    let home = Home::new();
    let block = camera("late", &format!("rtsp://127.0.0.1:{camera_port}/cam1"), "");
    let mut agent = home.agent(&(block + &web(port)));
    let away = ["cannot be reached on port", "check that it is switched on"];
    agent.wait_for("that it is away", SOON, |log| {
        !lines_with(log, &away).is_empty()
    });
    let _cameras = Cameras::start(camera_port, "", &[sample("odd/clip.mkv")]);
    wait_online(port, "late");
    assert_told_once(&stop(agent).stderr, &away);
}

#[test]
fn an_address_without_a_stream_is_told() {
    let cameras = Cameras::start(0, "", &[sample("odd/clip.mkv")]);
    let home = Home::new();
    let url = cameras.urls[0].replace("cam1", "nowhere");
    let mut agent = home.agent(&camera("a", &url, ""));
    let words = ["has no stream at /nowhere", "look up the address"];
    agent.wait_for("that there is none", SOON, |log| {
        !lines_with(log, &words).is_empty()
    });
    assert_told_once(&stop(agent).stderr, &words);
}
