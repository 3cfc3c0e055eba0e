//! What is lost, with real cameras on loopback and without a service manager.

use std::{path::Path, process::Command, sync::mpsc as std_mpsc};

use parking_lot::Mutex;

use super::*;
use crate::{
    app::health,
    base::{
        clock::SystemClock,
        cpu::StageCpu,
        health_registry::HealthRegistry,
        telemetry::{CameraLabel, CameraPartLabel, Metrics},
    },
    camera::{Shared, Stills},
    config::{Config, Environment, OutboxConfig},
    flow::{CameraState, Mode, SiteId},
    infer::Infer,
    outbox::{Outbox, sinks::LiveState},
    testing::models,
    vcam::{CameraOptions, VirtualCameras},
};

const SOON: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(1);

fn loss(cause: Cause) -> Loss {
    Loss {
        job: Arc::from("detect of camera door"),
        camera: "door".parse().unwrap(),
        cause,
    }
}

#[test]
fn the_third_loss_ends_the_program() {
    let (losses, mut lost) = losses();
    losses.note(loss(Cause::Hung));
    losses.note(loss(Cause::Panicked));
    assert!(!losses.fatal().is_cancelled());
    losses.note(loss(Cause::Hung));
    assert!(losses.fatal().is_cancelled());
    assert_eq!(std::iter::from_fn(|| lost.try_recv().ok()).count(), 3);
}

/// A moving test picture at 10 frames a second, with a keyframe each second.
fn video(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("street.mp4");
    let made = Command::new("timeout")
        .args(["20", "ffmpeg", "-nostdin", "-v", "error", "-y"])
        .args([
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=160x120:rate=10:duration=4",
        ])
        .args([
            "-pix_fmt",
            "yuv420p",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
        ])
        .args(["-g", "10"])
        .arg(&path)
        .status()
        .expect("ffmpeg is installed: apt-get install ffmpeg");
    assert!(made.success());
    path
}

struct Rig {
    _runtime: tokio::runtime::Runtime,
    tasks: Tasks,
    shared: Shared,
    workers: Workers,
    cameras: Arc<Cameras>,
    losses: Losses,
    _street: VirtualCameras,
    _dir: tempfile::TempDir,
}

impl Rig {
    /// `count` cameras, all watched.
    fn new(count: usize) -> Self {
        crate::ingest::init().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let videos = vec![video(dir.path()); count];
        let street = VirtualCameras::serve(&videos, CameraOptions::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let (stages, metrics) = (StageCpu::default(), Metrics::new());
        let infer =
            Infer::start(&models::config(), &tasks, stages.clone(), metrics.clone()).unwrap();
        let (site, clock): (SiteId, _) = ("home".parse().unwrap(), SystemClock::start());
        let settings = OutboxConfig::default();
        let outbox = Outbox::open(
            dir.path(),
            site.clone(),
            clock.clone(),
            settings,
            metrics.clone(),
        );
        let shared = Shared {
            clock,
            infer: Arc::new(infer),
            outbox: outbox.unwrap(),
            live: LiveState::new(&site),
            decision_log: None,
            health_registry: HealthRegistry::new(),
            metrics,
            stages,
            receiving: Some(crate::ingest::Receiving::start().unwrap()),
            decoders: crate::ingest::IdleDecoders::default(),
            stills: Stills::default(),
            viewing: Default::default(),
            recordings: Default::default(),
            scratch: dir.path().to_owned(),
        };
        let (losses, lost) = losses();
        let note = losses.clone();
        let workers = Workers::with_patience(&tasks, PATIENCE, move |loss| note.note(loss));
        let workers = workers.unwrap();
        let cameras = Cameras::new(&shared, &workers, &tasks);
        let mut text = "version = 2\n".to_owned();
        for n in 0..count {
            text += &format!(
                "[[cameras]]\nid = \"camera{n}\"\nurl = \"{}\"\n",
                street.url(n)
            );
        }
        let config = Config::parse(&text, Path::new(""), &Environment::new()).unwrap();
        for camera in config.cameras {
            cameras.add(camera);
        }
        start(&tasks, &workers, &cameras, &losses, lost).unwrap();
        Self {
            _runtime: runtime,
            tasks,
            shared,
            workers,
            cameras,
            losses,
            _street: street,
            _dir: dir,
        }
    }

    fn decoded(&self, n: usize) -> u64 {
        let camera = format!("camera{n}");
        let decoded = &self.shared.metrics.frames_decoded;
        decoded.get_or_create(&CameraLabel { camera }).get()
    }

    fn sessions(&self, n: usize) -> u64 {
        let camera = format!("camera{n}");
        let sessions = &self.shared.metrics.camera_sessions;
        sessions.get_or_create(&CameraLabel { camera }).get()
    }

    fn dropped(&self, n: usize) -> u64 {
        let of = |part| {
            let camera = format!("camera{n}");
            let label = CameraPartLabel { camera, part };
            self.shared.metrics.dropped.get_or_create(&label).get()
        };
        of("sub") + of("main")
    }

    fn problems(&self) -> Vec<String> {
        health::report(&self.shared, self.tasks.heartbeats()).problems
    }

    fn stop(&self) {
        assert!(self.cameras.stop(Instant::now() + SOON).is_empty());
        assert!(self.workers.close(SOON).is_empty());
        assert!(self.tasks.close(SOON).is_empty());
    }
}

fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !happened() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_camera_whose_decoder_hangs_is_named_and_comes_back_while_the_others_go_on() {
    let rig = Rig::new(3);
    wait_for("pictures of all", || (0..3).all(|n| rig.decoded(n) > 2));
    let (leave, wait) = std_mpsc::channel::<()>();
    let wait = Mutex::new(Some(wait));
    rig.workers.fault.set(move |_, camera| {
        if camera.as_str() == "camera1"
            && let Some(wait) = { wait.lock().take() }
        {
            let _ = wait.recv();
        }
    });
    let named = |problem: &String| problem.starts_with("hangs: detect of camera camera1;");
    wait_for("health to name it", || rig.problems().iter().any(named));
    let others = [rig.decoded(0), rig.decoded(2)];
    wait_for("its second session", || rig.sessions(1) == 2);
    let before = rig.decoded(1);
    wait_for("its pictures", || rig.decoded(1) > before + 2);
    wait_for("pictures of the others", || {
        rig.decoded(0) > others[0] && rig.decoded(2) > others[1]
    });
    for n in [0, 2] {
        assert_eq!((rig.sessions(n), rig.dropped(n)), (1, 0), "camera{n}");
    }
    assert!(!rig.losses.fatal().is_cancelled(), "survived");
    assert!(rig.problems().iter().any(named), "it hangs on");
    leave.send(()).unwrap();
    wait_for("health to be well again", || {
        !rig.problems().iter().any(named)
    });
    rig.stop();
}

#[test]
fn three_that_hang_end_the_program() {
    let rig = Rig::new(1);
    rig.workers.fault.set(|_, _| {
        loop {
            std::thread::sleep(SOON);
        }
    });
    let fatal = rig.losses.fatal().clone();
    wait_for("the program to give up", || fatal.is_cancelled());
    assert!(rig.sessions(0) <= 4);
    // Stopping does not wait for what hangs.
    let began = Instant::now();
    let _ = rig.cameras.stop(Instant::now() + SOON);
    assert!(began.elapsed() < SOON / 2);
}

#[test]
fn commands_go_through_while_a_camera_is_started_again() {
    let rig = Rig::new(2);
    wait_for("pictures", || rig.decoded(0) > 0 && rig.decoded(1) > 0);
    // Its detect job takes a while to come round, so that stopping the camera does too.
    rig.workers.fault.set(|_, camera| {
        if camera.as_str() == "camera0" {
            std::thread::sleep(PATIENCE / 2);
        }
    });
    let (first, second) = ("camera0".parse().unwrap(), "camera1".parse().unwrap());
    let (cameras, again) = (rig.cameras.clone(), Arc::new(Mutex::new(None)));
    let done = again.clone();
    let id: crate::flow::CameraId = first;
    let restarted = id.clone();
    rig.tasks
        .thread("restart", move || {
            let outcome = cameras.restart(&restarted, None, Restart::Changed);
            *done.lock() = Some(outcome.is_ok());
        })
        .unwrap();
    for mode in [Mode::Disarmed, Mode::Armed, Mode::Disarmed] {
        let began = Instant::now();
        rig.cameras.set_mode(&second, mode, None).unwrap();
        rig.cameras.set_mode(&id, mode, None).unwrap();
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    }
    wait_for("the restart", || again.lock().is_some());
    assert_eq!(*again.lock(), Some(true));
    wait_for("both to be disarmed", || {
        let health_registry = rig.shared.health_registry.view();
        health_registry.cameras.len() == 2
            && (health_registry.cameras.values())
                .all(|camera| camera.state == CameraState::Suspended)
    });
    rig.stop();
}
