//! What keeps the agent from starting, and what does not.

use std::{fs, net::TcpListener, path::Path};

use crate::{
    home::{Home, SOON, camera, page, stop, web},
    program::{Done, assert_plain, assert_told_once, free_port, lines_with, run, text},
};

/// One message on stderr, one line, exit status 1.
fn assert_refused(done: &Done, words: &[&str]) {
    assert_eq!(done.status, Some(1), "{}", done.stderr);
    assert_told_once(&done.stderr, words);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(done.stderr.starts_with("lares: "), "{}", done.stderr);
    assert_eq!(done.stdout, "");
}

/// Somewhere nobody answers.
fn nowhere() -> String {
    format!("rtsp://127.0.0.1:{}/", free_port())
}

#[test]
fn all_mistakes_of_a_configuration_are_told_at_once() {
    let home = Home::new();
    let config = home.config(
        "[[cameras]]\nid = \"Front Door\"\nurl = \"http://10.0.0.2/snapshot.jpg\"\nmax_idle_interval = 2\n\
         [outbox]\nretentoin = \"7 d\"\n[mqtt]\nurl = \"mqtt://h\"\npassword_env = \"LARES_TEST_NOT_SET\"\n",
    );
    let done = run(["run", "--config", text(&config)]);
    assert_eq!(done.status, Some(1));
    assert_plain(&done.stderr);
    for words in [
        &["lares: the configuration", "has 5 problem(s)"][..],
        &[
            "cameras",
            "id",
            "\"Front Door\" is not a valid id: use 1 to 32 of",
        ],
        &["url", "\"http\" is not supported: use rtsp://"],
        &[
            "max_idle_interval",
            "is a number without its unit: write it like \"10 s\"",
        ],
        &["retentoin", "did you mean \"retention\"?"],
        &["LARES_TEST_NOT_SET is not set: set it before the start"],
    ] {
        assert_told_once(&done.stderr, words);
    }
    assert_eq!(done.stderr.lines().count(), 6, "{}", done.stderr);
}

#[test]
fn a_configuration_that_is_not_there_or_not_toml_is_told() {
    let home = Home::new();
    let missing = home.path().join("nowhere.toml");
    let done = run(["run", "--config", text(&missing)]);
    assert_refused(&done, &["nowhere.toml", "Give its path with --config"]);

    let config = home.config("this is not TOML\n");
    let done = run(["run", "--config", text(&config)]);
    assert_eq!(done.status, Some(1));
    assert_told_once(&done.stderr, &["is not TOML"]);
    assert_told_once(&done.stderr, &["has 1 problem(s)"]);
}

#[test]
fn without_any_configuration_the_ways_to_start_are_named() {
    let home = Home::new();
    let mut command = crate::program::lares(["run"]);
    command.current_dir(home.path());
    let done = crate::program::Running::start(&mut command).end();
    assert_refused(
        &done,
        &[
            "no configuration",
            "deploy/lares.sample.toml",
            "--config",
            "--camera URL",
        ],
    );
}

/// A copy of the models' folder in `home`.
fn copy_of_models(home: &Home) -> std::path::PathBuf {
    let folder = home.path().join("models");
    fs::create_dir(&folder).unwrap();
    for name in ["motion", "person", "person-f32"] {
        for kind in ["onnx", "toml"] {
            let file = format!("{name}.{kind}");
            fs::copy(Path::new("models").join(&file), folder.join(&file)).unwrap();
        }
    }
    folder
}

fn run_with_models(home: &Home, models: &str) -> Done {
    let config = home.config(&format!(
        "{}[models]\n{models}\n",
        camera("a", &nowhere(), "")
    ));
    run(["run", "--config", text(&config)])
}

#[test]
fn models_that_are_missing_or_not_their_cards_are_refused() {
    let home = Home::new();
    let folder = copy_of_models(&home);
    let model = folder.join("motion.onnx");
    let good = fs::read(&model).unwrap();

    let done = run_with_models(&home, "dir = \"models\"\nmotion = \"other\"");
    assert_refused(
        &done,
        &[
            "there is no model card",
            "other.toml",
            "set models.motion or models.person to one of: motion, person",
        ],
    );

    fs::remove_file(&model).unwrap();
    let done = run_with_models(&home, "dir = \"models\"");
    assert_refused(
        &done,
        &[
            "motion.onnx cannot be read",
            "fetch it again with `git checkout` or `make models`",
        ],
    );

    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(&model, bad).unwrap();
    let done = run_with_models(&home, "dir = \"models\"");
    assert_refused(
        &done,
        &[
            "motion.onnx does not match its card (sha256 ",
            "fetch it again",
        ],
    );

    fs::write(&model, good).unwrap();
    fs::write(folder.join("motion.toml"), "name = \"motion\"\n").unwrap();
    let done = run_with_models(&home, "dir = \"models\"");
    assert_refused(&done, &["the model card", "motion.toml is not valid"]);
}

#[test]
fn a_runtime_library_that_is_missing_or_none_is_told() {
    let home = Home::new();
    let done = run_with_models(&home, "onnxruntime = \"nowhere.so\"");
    assert_refused(
        &done,
        &[
            "ONNX Runtime",
            "nowhere.so",
            "run `make setup` or set models.onnxruntime",
        ],
    );

    fs::write(home.path().join("text.so"), "not a library").unwrap();
    let done = run_with_models(&home, "onnxruntime = \"text.so\"");
    assert_refused(
        &done,
        &["text.so cannot be used as ONNX Runtime", "run `make setup`"],
    );
}

#[test]
fn a_data_folder_that_cannot_be_written_is_told() {
    // Root may write anywhere, but nobody may make a folder inside a file.
    let home = Home::new();
    fs::write(home.data(), "a file where the folder should be").unwrap();
    let config = home.config(&camera("a", &nowhere(), ""));
    let done = run(["run", "--config", text(&config)]);
    assert_refused(
        &done,
        &[
            "cannot write to the data folder",
            "make it writable",
            "data_dir",
        ],
    );
}

#[test]
fn a_second_agent_on_the_same_data_is_refused_and_the_first_goes_on() {
    let home = Home::new();
    let mut first = home.agent(&camera("a", &nowhere(), ""));
    first.wait_for("the start", SOON, |log| log.contains("watching"));
    let done = run(["run", "--config", text(&home.path().join("lares.toml"))]);
    assert_eq!(done.status, Some(1));
    assert_told_once(
        &done.stderr,
        &[
            "is in use by another Lares",
            "stop that one first",
            "data_dir",
        ],
    );
    stop(first);
}

#[test]
fn a_port_in_use_costs_the_pages_and_nothing_else() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let home = Home::new();
    let mut agent = home.agent(&(camera("a", &nowhere(), "") + &web(port)));
    agent.wait_for("the start", SOON, |log| log.contains("watching"));
    assert_told_once(
        &agent.stderr(),
        &[
            "cannot listen on",
            &port.to_string(),
            "choose another one with listen under [web]",
        ],
    );
    // It tries its camera all the same.
    agent.wait_for("the camera's state", SOON, |log| {
        log.contains("cannot be reached")
    });
    stop(agent);
}

#[test]
fn an_unknown_option_is_told_with_the_right_one() {
    let done = run(["replay", "--jsno", "a.mp4"]);
    assert_eq!(done.status, Some(2));
    assert_plain(&done.stderr);
    assert_eq!(
        lines_with(&done.stderr, &["unexpected argument '--jsno'"]).len(),
        1
    );
    assert!(
        done.stderr.contains("'--json'") && done.stderr.contains("--help"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_log_filter_that_makes_no_sense_is_told() {
    let done = run(["models", "ls", "--log", "lares=loud"]);
    assert_refused(
        &done,
        &[
            "the log filter cannot be read",
            "write error, warn, info, debug",
        ],
    );
}

#[test]
fn pages_answer_while_nothing_else_does() {
    let port = free_port();
    let home = Home::new();
    let agent = home.agent(&(camera("a", &nowhere(), "") + &web(port)));
    crate::program::wait_until("health that is not well", SOON, || {
        let answer = page(port, "/healthz")?;
        match answer.starts_with("HTTP/1.1 503") && answer.contains("cannot be reached") {
            true => Ok(()),
            false => Err(answer),
        }
    });
    stop(agent);
}
