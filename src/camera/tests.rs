//! Jobs of cameras in their pools, without a network: packets come from an encoder on the spot.

use std::{sync::mpsc, time::Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    base::clock::SystemClock,
    config::{Config, OutboxConfig},
    flow::{
        Codec, EndReason, IncidentChange, IncidentState, MediaTime, NormPoint, Packet, Polygon,
    },
    ingest::{IdleDecoders, PacketSink},
    testing::{encoded::Encoded, incidents::visit, models},
};

const SOON: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_millis(500);

struct Rig {
    _runtime: tokio::runtime::Runtime,
    tasks: Tasks,
    shared: Shared,
    workers: Workers,
    losses: mpsc::Receiver<Loss>,
    dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        crate::ingest::init().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let (stages, metrics) = (StageCpu::default(), Metrics::new());
        let infer =
            Infer::start(&models::config(), &tasks, stages.clone(), metrics.clone()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let site: crate::flow::SiteId = "home".parse().unwrap();
        let clock = SystemClock::start();
        let outbox = Outbox::open(
            dir.path(),
            site.clone(),
            clock.clone(),
            OutboxConfig::default(),
            metrics.clone(),
        )
        .unwrap();
        let shared = Shared {
            clock,
            infer: Arc::new(infer),
            outbox,
            live: LiveState::new(&site),
            decision_log: None,
            health_registry: HealthRegistry::new(),
            metrics,
            stages,
            receiving: None,
            decoders: IdleDecoders::default(),
            stills: Stills::default(),
            viewing: Default::default(),
            recordings: Default::default(),
            scratch: dir.path().to_owned(),
        };
        let (tell, losses) = mpsc::channel();
        let tell = Mutex::new(tell);
        let workers = Workers::with_patience(&tasks, PATIENCE, move |loss| {
            tell.lock().send(loss).unwrap();
        });
        Self {
            _runtime: runtime,
            tasks,
            shared,
            workers: workers.unwrap(),
            losses,
            dir,
        }
    }

    fn start(&self, config: &CameraConfig) -> Running {
        let (camera, lanes) = Camera::jobs(
            config,
            Mode::Armed,
            &self.shared,
            &self.workers,
            &self.tasks,
        );
        let feed = PacketFeed::new(
            config.id.clone(),
            StreamRole::Sub,
            lanes,
            &self.shared.metrics,
        );
        Running {
            camera: Arc::new(camera),
            feed,
        }
    }

    fn decoded(&self, camera: &str) -> u64 {
        let camera = camera.to_owned();
        let label = crate::base::telemetry::CameraLabel { camera };
        self.shared
            .metrics
            .frames_decoded
            .get_or_create(&label)
            .get()
    }

    fn dropped(&self, camera: &str) -> u64 {
        let of = |part| {
            let camera = camera.to_owned();
            let label = CameraPartLabel { camera, part };
            self.shared.metrics.dropped.get_or_create(&label).get()
        };
        of("sub") + of("main") + of("preview")
    }

    /// Whether `incident` has ended, and with which facts, as it lies on disk.
    fn on_disk(&self, incident: crate::flow::IncidentId) -> (bool, String) {
        let database = rusqlite::Connection::open(self.dir.path().join("outbox.db")).unwrap();
        database
            .query_row(
                "SELECT ended, facts FROM incidents WHERE id = ?1",
                [incident.to_string()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap()
    }
}

struct Running {
    camera: Arc<Camera>,
    feed: PacketFeed,
}

fn config(id: &str) -> CameraConfig {
    let text = format!("version = 2\n[[cameras]]\nid = \"{id}\"\nurl = \"rtsp://127.0.0.1:9/\"\n");
    let path = std::path::Path::new("");
    let config = Config::parse(&text, path, &crate::config::Environment::new()).unwrap();
    config.cameras.into_iter().next().unwrap()
}

fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !happened() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Packets of a still picture that go on for ever: one keyframe in `gop`.
struct Endless {
    units: Vec<Packet>,
    next: usize,
}

impl Endless {
    fn new(codec: Codec) -> Self {
        Self {
            units: Encoded::new(codec, 40, 10).packets(),
            next: 0,
        }
    }

    /// The next unit, received now.
    fn next(&mut self, clock: &dyn Clock) -> Packet {
        let mut packet = self.units[self.next % self.units.len()].clone();
        self.next += 1;
        let now = clock.now();
        (packet.time, packet.pts, packet.arrived) = (now, now, now);
        packet
    }
}

#[test]
fn one_decoder_that_hangs_costs_its_own_camera_a_moment_and_the_others_nothing() {
    let rig = Rig::new();
    let ids = ["a", "b", "c"];
    let mut cameras: Vec<Running> = ids.iter().map(|id| rig.start(&config(id))).collect();
    // The second camera's decoder hangs at its second keyframe, once.
    let (leave, wait) = mpsc::channel::<()>();
    let (wait, keys) = (Mutex::new(wait), Mutex::new(0));
    rig.workers.fault.set(move |packet, camera| {
        if camera.as_str() == "b" && packet.key {
            let at = {
                let mut keys = keys.lock();
                *keys += 1;
                *keys
            };
            if at == 2 {
                let _ = wait.lock().recv();
            }
        }
    });
    let mut streams: Vec<_> = ids.iter().map(|_| Endless::new(Codec::H264)).collect();
    let mut keys_sent = [0u64; 3];
    let (mut lost, mut named) = (None, false);
    let began = Instant::now();
    while began.elapsed() < SOON {
        for (n, running) in cameras.iter_mut().enumerate() {
            let packet = streams[n].next(&*rig.shared.clock);
            keys_sent[n] += u64::from(packet.key);
            running.feed.packet(packet);
        }
        named |= rig.tasks.heartbeats().hanging() == ["detect of camera b"];
        rig.workers.abandon_hung();
        if let Ok(loss) = rig.losses.try_recv() {
            assert_eq!(
                (&*loss.job, loss.cause),
                ("detect of camera b", Cause::Hung)
            );
            let deadline = Instant::now() + SOON;
            let stubborn = cameras[1].camera.stop_after_loss(deadline);
            assert!(stubborn.is_empty(), "{stubborn:?}");
            cameras[1] = rig.start(&config("b"));
            lost = Some((Instant::now(), rig.decoded("b")));
        }
        if lost.is_some_and(|(at, before)| {
            at.elapsed() > Duration::from_secs(1) && rig.decoded("b") > before + 1
        }) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let (_, before) = lost.expect("the hang is noticed");
    assert!(rig.decoded("b") > before + 1, "the camera comes back");
    assert!(
        named || !rig.tasks.heartbeats().hanging().is_empty(),
        "it is named"
    );
    for (n, id) in [(0, "a"), (2, "c")] {
        wait_for("every keyframe of the others", || {
            rig.decoded(id) >= keys_sent[n]
        });
        assert_eq!(rig.dropped(id), 0, "{id}");
    }
    leave.send(()).unwrap();
    wait_for("the thread that hung to end", || {
        rig.tasks.heartbeats().hanging().is_empty()
    });
    let all: Vec<_> = cameras.iter().map(|c| c.camera.clone()).collect();
    assert!(Camera::stop_all(&all, Instant::now() + SOON).is_empty());
    assert!(rig.workers.close(SOON).is_empty());
    assert!(rig.losses.try_recv().is_err(), "lost once");
}

#[test]
fn a_job_that_panics_closes_its_links_and_nobody_waits_for_it() {
    let rig = Rig::new();
    let mut running = rig.start(&config("a"));
    rig.workers.fault.set(|_, _| panic!("as a fault would"));
    let mut stream = Endless::new(Codec::H264);
    running.feed.packet(stream.next(&*rig.shared.clock));
    let loss = rig.losses.recv_timeout(SOON).unwrap();
    assert_eq!(
        (&*loss.job, loss.cause),
        ("detect of camera a", Cause::Panicked)
    );
    // Far more than the links hold: nothing waits, and nothing is kept for a job that is gone.
    for _ in 0..2000 {
        running.feed.packet(stream.next(&*rig.shared.clock));
        running.camera.set_mode(Mode::Armed);
    }
    let deadline = Instant::now() + SOON;
    assert!(running.camera.stop_after_loss(deadline).is_empty());
    assert!(
        Instant::now() + Duration::from_secs(20) < deadline,
        "at once"
    );
}

#[test]
fn an_incident_that_a_lost_job_left_open_ends_as_interrupted() {
    let rig = Rig::new();
    let open = OpenIncident::default();
    let began = visit(1.0);
    let mut report = IncidentUpdate {
        change: IncidentChange {
            incident: began.clone(),
            recording: true,
            subject: None,
        },
        view: None,
        confirmed_by: None,
        newest: MediaTime::from_secs_f64(2.0),
    };
    let (outbox, live) = (&rig.shared.outbox, &rig.shared.live);
    report.commit(outbox, live).unwrap();
    open.follow(&report);
    assert!(!rig.on_disk(began.id).0);
    let ended = open.interrupt(outbox, live).unwrap().expect("it is open");
    let incident = &ended.change.incident;
    assert_eq!(incident.end_reason, Some(EndReason::Interrupted));
    assert_eq!(incident.end, Some(MediaTime::from_secs_f64(2.0)));
    assert!(open.interrupt(outbox, live).unwrap().is_none(), "once");
    let (ended, facts) = rig.on_disk(began.id);
    assert!(ended && facts.contains("interrupted"), "{facts}");
    // One that has ended in order is left alone.
    report.change.incident.state = IncidentState::Ended;
    open.follow(&report);
    assert!(open.interrupt(outbox, live).unwrap().is_none());
}

/// Sends a visit of `seconds` to a record job alone, and stops the camera at once; what the outbox has of it then.
fn record_a_visit(
    rig: &Rig,
    config: &CameraConfig,
    codec: Codec,
    seconds: usize,
) -> crate::flow::IncidentId {
    let mut running = rig.start(config);
    let mut stream = Endless::new(codec);
    let mut incident = visit(0.0);
    incident.camera = config.id.clone();
    let report = |incident: &crate::flow::Incident| IncidentUpdate {
        change: IncidentChange {
            incident: incident.clone(),
            recording: true,
            subject: None,
        },
        view: None,
        confirmed_by: None,
        newest: rig.shared.clock.now(),
    };
    for n in 0..seconds * 10 {
        if n == 5 {
            incident.start = rig.shared.clock.now();
            let began = report(&incident);
            began.commit(&rig.shared.outbox, &rig.shared.live).unwrap();
            assert!(
                running
                    .camera
                    .record_events
                    .send(RecordEvent::IncidentUpdate(Box::new(began)))
            );
        }
        running.feed.packet(stream.next(&*rig.shared.clock));
        std::thread::sleep(Duration::from_millis(5));
    }
    let cameras = [running.camera];
    let stubborn = Camera::stop_all(&cameras, Instant::now() + SOON);
    assert!(stubborn.is_empty(), "{stubborn:?}");
    assert_eq!(cameras[0].evidence_waiting(), 0);
    incident.id
}

/// Media segments on disk, by rendition.
fn segments(rig: &Rig, rendition: &str) -> u64 {
    let mut found = 0;
    let mut folders = vec![rig.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "m4s") {
                let parent = path.parent().unwrap();
                found += u64::from(parent.ends_with(rendition));
            }
        }
    }
    found
}

#[test]
fn a_masked_camera_that_stops_has_its_whole_clip() {
    let rig = Rig::new();
    let mut config = config("masked");
    let corners = [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5)];
    config.privacy_mask = vec![Polygon(corners.map(|(x, y)| NormPoint { x, y }).to_vec())];
    record_a_visit(&rig, &config, Codec::H264, 6);
    assert!(segments(&rig, "sub") > 0);
    assert_eq!((segments(&rig, "preview"), rig.dropped("masked")), (0, 0));
}

#[test]
fn an_h265_camera_has_its_clip_and_a_preview() {
    let rig = Rig::new();
    record_a_visit(&rig, &config("new"), Codec::H265, 4);
    assert!(segments(&rig, "sub") > 0);
    assert!(segments(&rig, "preview") > 0);
}

#[test]
fn the_recorder_does_not_wait_for_a_transcoder_that_stands_still() {
    let rig = Rig::new();
    // The preview pool's only thread is taken.
    let (leave, wait) = mpsc::channel::<()>();
    struct Blocker(mpsc::Receiver<()>);
    impl crate::base::pool::Job for Blocker {
        fn run(&mut self) -> crate::base::pool::Next {
            let _ = self.0.recv_timeout(SOON);
            crate::base::pool::Next::Done
        }
    }
    let id: CameraId = "other".parse().unwrap();
    let place = rig.workers.preview.place(&rig.tasks, "blocker", &id);
    place.start(Blocker(wait));
    let mut running = rig.start(&config("new"));
    let mut stream = Endless::new(Codec::H265);
    let mut incident = visit(0.0);
    incident.camera = config("new").id;
    incident.start = rig.shared.clock.now();
    let report = IncidentUpdate {
        change: IncidentChange {
            incident,
            recording: true,
            subject: None,
        },
        view: None,
        confirmed_by: None,
        newest: rig.shared.clock.now(),
    };
    report.commit(&rig.shared.outbox, &rig.shared.live).unwrap();
    running.feed.packet(stream.next(&*rig.shared.clock));
    assert!(
        running
            .camera
            .record_events
            .send(RecordEvent::IncidentUpdate(Box::new(report)))
    );
    let deadline = Instant::now() + SOON;
    while segments(&rig, "sub") < 2 {
        assert!(
            Instant::now() < deadline,
            "the original is recorded meanwhile"
        );
        running.feed.packet(stream.next(&*rig.shared.clock));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(segments(&rig, "preview"), 0);
    assert_eq!(rig.dropped("new"), 0);
    leave.send(()).unwrap();
    assert!(Camera::stop_all(&[running.camera], Instant::now() + SOON).is_empty());
    assert!(segments(&rig, "preview") > 0);
}
