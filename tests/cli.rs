//! The command line: what each command says of itself, and how it starts and ends.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

mod program;

use std::{fs, process::Stdio, time::Duration};

use program::{
    Done, Running, assert_plain, assert_told_once, free_port, lares, run, sample, text, wait_until,
};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn each_command_explains_itself() {
    let commands = [
        "run", "check", "config", "replay", "bench", "demo", "camera", "outbox", "models",
    ];
    let general = run(["--help"]);
    assert_eq!(general.status, Some(0));
    for command in commands {
        assert!(
            general.stdout.contains(&format!("\n  {command} ")),
            "{command} in:\n{}",
            general.stdout
        );
        let done = run([command, "--help"]);
        assert_eq!(
            (done.status, done.stderr.as_str()),
            (Some(0), ""),
            "{command}"
        );
        assert!(
            done.stdout.contains("Usage: lares "),
            "{command}:\n{}",
            done.stdout
        );
        let example = format!("  lares {command} ");
        let examples = done.stdout.split_once("Examples:").map(|(_, rest)| rest);
        assert!(
            examples.is_some_and(|rest| rest.contains(&example)),
            "{command} has no example:\n{}",
            done.stdout
        );
    }
    for command in ["run", "check", "replay", "demo"] {
        assert!(
            general.stdout.contains(&format!("lares {command} ")),
            "no example of {command}"
        );
    }
}

#[test]
fn without_a_command_the_help_is_shown() {
    let done = run::<&str>([]);
    assert_eq!(done.status, Some(2));
    assert!(done.stderr.contains("Usage: lares"), "{}", done.stderr);
    let version = run(["--version"]);
    assert_eq!(
        version.stdout,
        format!("lares {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn models_are_listed_with_what_runs_best_here() {
    let folder = tempfile::tempdir().unwrap();
    let listed = || {
        let mut command = lares(["models", "ls"]);
        let done = Running::start(command.env("XDG_CACHE_HOME", folder.path())).end();
        assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
        done.stdout
    };
    let first = listed();
    assert_plain(&first);
    let line = |name: &str| {
        let marked = |line: &&str| line[2..].starts_with(&format!("{name} ("));
        first
            .lines()
            .find(marked)
            .unwrap_or_else(|| panic!("{name} is not in:\n{first}"))
    };
    assert!(line("motion").starts_with("* ") && !line("motion").contains("a look"));
    let (int8, float) = (line("person"), line("person-f32"));
    let told = "runs best here: ";
    for (best, other) in [(int8, float), (float, int8)] {
        assert!(best.contains(" ms a look, sibling "), "{first}");
        assert_eq!(best.starts_with('*'), best.contains(told), "{first}");
        assert_ne!(best.contains(told), other.contains(told), "{first}");
    }

    // Timed once: the second time the very same is said, out of the file.
    let kept = folder.path().join("lares/models.json");
    assert!(kept.exists());
    assert_eq!(listed(), first);
    fs::write(&kept, "no JSON").unwrap();
    assert_eq!(listed().lines().count(), first.lines().count());
    assert!(fs::read_to_string(&kept).unwrap().starts_with('{'));

    let verified = run(["models", "verify"]);
    assert_eq!(
        verified.stdout,
        "ok       motion\nok       person\nok       person-f32\n"
    );
}

/// The library that is loaded would make an id of the device, and report to its maker.
#[test]
fn onnxruntime_keeps_no_id_of_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = lares(["models", "ls"]);
    command
        .env("XDG_CACHE_HOME", folder.path())
        .env("HOME", folder.path())
        .env_remove("ORT_DISABLE_TELEMETRY");
    let done = Running::start(&mut command).end();
    assert!(done.stdout.contains(" ms a look"), "{}", done.stdout);
    let found: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(found, ["lares"], "ours, and nothing else");
}

fn ready(camera: &Running) -> String {
    wait_until("the virtual cameras", SOON, || {
        let lines = camera.stdout();
        match lines.ends_with("ready\n") {
            true => Ok(lines),
            false => Err(camera.stderr()),
        }
    })
}

#[test]
fn a_virtual_camera_tells_its_addresses_and_ends_on_sigterm() {
    let videos = [sample("odd/clip.mkv"), sample("odd/clip.ts")];
    let port = free_port();
    let mut command = lares(["camera", "--listen", &format!("127.0.0.1:{port}")]);
    let camera = Running::start(command.args(&videos));
    let expected = format!(
        "camera 1 rtsp://127.0.0.1:{port}/cam1 {}\ncamera 2 rtsp://127.0.0.1:{port}/cam2 {}\nready\n",
        videos[0].display(),
        videos[1].display()
    );
    assert_eq!(ready(&camera), expected);
    let Done {
        status,
        stdout,
        stderr,
    } = camera.terminate();
    assert_eq!((status, stdout, stderr.as_str()), (Some(0), expected, ""));
}

#[test]
fn a_virtual_camera_ends_with_the_program_that_started_it() {
    let mut command = lares(["camera", "--listen", "127.0.0.1:0", "--until-stdin-closes"]);
    let mut camera = Running::start(command.arg(sample("odd/clip.mkv")).stdin(Stdio::piped()));
    let lines = ready(&camera);
    assert!(!lines.contains(":0/"), "the port that it got: {lines}");
    assert!(camera.is_running());
    camera.close_stdin();
    let done = camera.end();
    assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_virtual_camera_that_cannot_serve_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let good = sample("odd/clip.mkv");
    let (odd, sound, none) = (
        sample("odd/mpeg4.avi"),
        sample("odd/audio-only.mp4"),
        sample("odd/empty.mp4"),
    );
    let cases: [(&[&str], &[&str]); 8] = [
        (
            &["nowhere.mp4"],
            &["nowhere.mp4 cannot be read", "check the path"],
        ),
        (
            &[text(&none)],
            &["empty.mp4 is empty", "copy or record it again"],
        ),
        (&[text(&sound)], &["has no video in it", "name an MP4"]),
        (
            &[text(&odd)],
            &["a camera sends H.264 or H.265", "convert it with `ffmpeg"],
        ),
        (
            &["--listen", &taken, text(&good)],
            &["cannot listen on", "choose another port"],
        ),
        (
            &["--listen", "0.0.0.0:0", text(&good)],
            &[
                "can be reached from other machines",
                "a user and a password",
            ],
        ),
        (
            &["--user", "u", text(&good)],
            &["--user needs a password", "LARES_CAMERA_PASSWORD"],
        ),
        (
            &["--user", "u", "--password-file", text(&empty), text(&good)],
            &["the password is empty", "first line"],
        ),
    ];
    for (arguments, words) in cases {
        let listen = ["camera", "--listen", "127.0.0.1:0"];
        let line = if arguments.contains(&"--listen") {
            [&listen[..1], arguments]
        } else {
            [&listen[..], arguments]
        };
        let done = run(line.concat());
        assert_eq!(
            (done.status, done.stdout.as_str()),
            (Some(1), ""),
            "{arguments:?}: {}",
            done.stderr
        );
        assert_told_once(&done.stderr, words);
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    }
}

#[test]
fn a_configuration_is_migrated_once_and_the_old_file_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("lares.toml");
    let old = "version = 1 # old\n[[cameras]]\nurl = \"rtsp://10.0.0.2/\"\nwake_within = \"4 s\"\n";
    fs::write(&config, old).unwrap();
    let migrate = |more: &[&str]| {
        let arguments = ["config", "migrate", "--config", text(&config)];
        run(arguments.iter().chain(more))
    };
    let shown = migrate(&["--print"]);
    assert_eq!(
        (shown.status, fs::read_to_string(&config).unwrap()),
        (Some(0), old.to_owned())
    );
    let done = migrate(&[]);
    assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
    assert!(
        done.stdout
            .contains("cameras.wake_within is now cameras.max_idle_interval")
    );
    let new = fs::read_to_string(&config).unwrap();
    assert_eq!(new, shown.stdout);
    assert!(new.contains("version = 2 # old") && new.contains("max_idle_interval = \"4 s\""));
    let copy = done.stdout.trim_end().rsplit(' ').next().unwrap();
    assert_eq!(fs::read_to_string(copy).unwrap(), old);
    let again = migrate(&[]);
    assert_eq!(again.status, Some(1));
    assert_told_once(&again.stderr, &["nothing to do"]);
    // A file with problems stays as it is.
    let wrong = format!("{old}nonsense = 1\n");
    fs::write(&config, &wrong).unwrap();
    let refused = migrate(&[]);
    assert_eq!(refused.status, Some(1));
    assert_told_once(&refused.stderr, &["nonsense", "is not known"]);
    assert_eq!(fs::read_to_string(&config).unwrap(), wrong);
}

#[test]
fn an_agent_ends_in_good_order_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("lares.toml");
    let url = format!("rtsp://127.0.0.1:{}/", free_port());
    let text_of = |log: &str| {
        format!(
            "version = 2\ndata_dir = \"data\"\n[[cameras]]\nurl = \"{url}\"\n[web]\nlisten = \"off\"\n[log]\n{log}"
        )
    };
    fs::write(&config, text_of("format = \"json\"\n")).unwrap();
    let mut agent = Running::start(&mut lares(["run", "--config", text(&config)]));
    agent.wait_for("the start", SOON, |log| log.contains("watching"));
    let done = agent.terminate();
    assert_eq!((done.status, done.stdout.as_str()), (Some(0), ""));
    assert_plain(&done.stderr);
    let told = |words: &str| {
        let message = format!("\"message\":\"{words}\"");
        let line = done.stderr.lines().find(|line| line.contains(&message));
        let line = line.unwrap_or_else(|| panic!("{words:?} is not in:\n{}", done.stderr));
        serde_json::from_str::<serde_json::Value>(line).unwrap()
    };
    assert_eq!(told("stopped")["message"], "stopped");
    let measured = told("models loaded")["measured"].to_string();
    assert!(measured.contains(" ms a look, sibling "), "{measured}");
    let site = told("watching")["site"].as_str().unwrap().to_owned();
    assert!(site.starts_with("home-"), "{site}");
    let kept = fs::read_to_string(folder.path().join("data/site")).unwrap();
    assert_eq!(kept.trim(), site, "a site is made once and kept");
}
