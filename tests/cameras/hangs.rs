//! Threads that hang for good, in a decoder or in a model: named by health within a minute, and
//! survived where another thread can do the work. The program that is watched is the one that is
//! shipped: a library around it (`hangs.c`) makes it hang.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    home::{Cameras, Home, SOON, camera, counter, page, wait_online, web},
    program::{Done, Running, free_port, lares, text, wait_until},
    street::{Studio, x264},
};

/// Within this health names what hangs.
const A_MINUTE: Duration = Duration::from_secs(60);

struct Rig {
    agent: Running,
    port: u16,
    hangs: PathBuf,
    _cameras: Cameras,
    _home: Home,
    _studio: Studio,
}

impl Rig {
    /// An agent that watches `count` cameras, `camera0` and on, before each of which something
    /// moves.
    fn new(count: usize) -> Self {
        let studio = Studio::new();
        let moving = "-f lavfi -i testsrc=size=320x240:rate=10:duration=8 -pix_fmt yuv420p";
        let video = studio.ffmpeg("moving.mp4", &format!("{moving} {}", x264("keyint=10")));
        let cameras = studio.serve("", &[], &vec![video; count]);
        let library = built(&studio.path("hangs.so"));
        let hangs = studio.path("hangs");
        fs::create_dir(&hangs).unwrap();
        let (home, port) = (Home::new(), free_port());
        let blocks = cameras.urls.iter().enumerate();
        let blocks: String = blocks
            .map(|(n, url)| camera(&format!("camera{n}"), url, ""))
            .collect();
        let config = home.config(&(blocks + &web(port)));
        let mut command = lares(["run", "--config", text(&config)]);
        command.env("HANG_DIR", &hangs).env("LD_PRELOAD", &library);
        command.env("ORT_DYLIB_PATH", &library);
        command.env("HANG_ONNXRUNTIME", onnxruntime());
        let agent = Running::start(&mut command);
        for n in 0..count {
            wait_online(port, &format!("camera{n}"));
        }
        Self {
            agent,
            port,
            hangs,
            _cameras: cameras,
            _home: home,
            _studio: studio,
        }
    }

    /// Has the next thread that comes by `what` hang, and waits until one does.
    fn hang(&self, what: &str) {
        let file = self.hangs.join(what);
        fs::write(&file, "").unwrap();
        wait_until(&format!("{what} to hang"), SOON, || match file.exists() {
            true => Err(self.agent.stderr()),
            false => Ok(()),
        });
    }

    /// The problem that health has in the end and that begins with `words`.
    fn named(&self, words: &str) -> String {
        wait_until(words, A_MINUTE, || {
            let problems = self.problems()?;
            let found = problems.iter().find(|problem| problem.starts_with(words));
            found.cloned().ok_or_else(|| format!("{problems:?}"))
        })
    }

    fn problems(&self) -> Result<Vec<String>, String> {
        let answer = page(self.port, "/healthz")?;
        let body = answer.split_once("\r\n\r\n").ok_or("no body")?.1;
        let health: serde_json::Value =
            serde_json::from_str(body).map_err(|error| error.to_string())?;
        let problems = health["problems"].as_array().ok_or("no problems")?;
        let texts = problems.iter().filter_map(|problem| problem.as_str());
        Ok(texts.map(str::to_owned).collect())
    }

    fn counter(&self, name: &str, camera: usize) -> f64 {
        counter(self.port, name, &format!("camera=\"camera{camera}\"")).unwrap()
    }

    /// That the count goes on by at least `more`.
    fn goes_on(&self, name: &str, camera: usize, more: f64) {
        let before = self.counter(name, camera);
        wait_until(&format!("{name} of camera{camera}"), SOON, || {
            match self.counter(name, camera) >= before + more {
                true => Ok(()),
                false => Err(format!("{before}\n{}", self.agent.stderr())),
            }
        });
    }

    /// Waits for the program to end by itself.
    fn end(self) -> Done {
        self.agent.end()
    }
}

/// The library that makes threads hang.
fn built(library: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cameras/hangs.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
        .arg(library)
        .arg(source)
        .arg("-ldl")
        .status()
        .expect("a C compiler is installed: Rust links with it");
    assert!(status.success());
    library.to_owned()
}

fn onnxruntime() -> PathBuf {
    let vendored = "vendor/onnxruntime/lib/libonnxruntime.so";
    Path::new(env!("CARGO_MANIFEST_DIR")).join(vendored)
}

#[test]
fn a_decoder_that_hangs_is_survived_twice_and_the_third_time_the_program_ends() {
    let rig = Rig::new(3);
    rig.hang("decoder");
    let problem = rig.named("hangs: detect of camera camera");
    let rest = problem.trim_start_matches("hangs: detect of camera camera");
    let hung: usize = rest[..1].parse().unwrap();
    let decoded = "lares_frames_decoded_total";
    for n in 0..3 {
        // The one that hung too, in a session of its own.
        rig.goes_on(decoded, n, 3.0);
        let sessions = rig.counter("lares_camera_sessions_total", n);
        let wanted = if n == hung { 2.0 } else { 1.0 };
        assert!((sessions - wanted).abs() < 0.5, "camera{n}: {sessions}");
        let label = format!("camera=\"camera{n}\",part=\"sub\"");
        let dropped = counter(rig.port, "lares_dropped_total", &label).unwrap();
        assert!(n == hung || dropped == 0.0, "camera{n}: {dropped}");
    }
    assert_eq!(rig.problems().unwrap(), [problem], "nothing else is ill");

    rig.hang("decoder");
    rig.hang("decoder");
    let done = rig.end();
    assert_eq!(done.status, Some(70), "{}", done.stderr);
    let told = done.stderr.matches("3 jobs were lost since the start");
    assert_eq!(told.count(), 1, "{}", done.stderr);
}

#[test]
fn a_person_model_that_hangs_is_named_and_ends_the_program_while_cameras_go_on() {
    a_model_that_hangs("person");
}

#[test]
fn a_motion_model_that_hangs_is_named_and_ends_the_program_while_cameras_go_on() {
    a_model_that_hangs("motion");
}

fn a_model_that_hangs(model: &str) {
    let rig = Rig::new(2);
    rig.hang(model);
    let since = Instant::now();
    let words = format!("the thread {model} model has not been heard of for too long");
    rig.named(&words);
    for n in 0..2 {
        rig.goes_on("lares_packets_total", n, 10.0);
        wait_online(rig.port, &format!("camera{n}"));
    }
    let done = rig.end();
    assert_eq!(done.status, Some(70), "{}", done.stderr);
    let told = format!("{model} model cannot be replaced and hangs");
    assert_eq!(done.stderr.matches(&told).count(), 1, "{}", done.stderr);
    let took = since.elapsed();
    assert!(took < A_MINUTE * 5 / 2, "{took:?}");
}
