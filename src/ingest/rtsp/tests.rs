//! RTSP against a real server on loopback.

use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer_rtsp as rtsp;
use gstreamer_rtsp_server as rtsp_server;

use gst::{glib, prelude::*};
use parking_lot::Mutex;
use rtsp_server::prelude::*;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    super::{PacketSink, SourceState},
    Receiving, RtspSource,
};
use crate::{
    base::{
        clock::SystemClock,
        cpu::{Stage, StageCpu},
        tasks::Tasks,
    },
    config::{Secret, SourceConfig, Transport},
    flow::{Codec, Packet, Problem, StreamRole},
};

const H264: &str = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96 config-interval=-1";
const H265: &str = "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! h265parse ! rtph265pay name=pay0 pt=96 config-interval=-1";

/// A camera on loopback with a stream at `/cam`.
struct Camera {
    port: u16,
    server: rtsp_server::RTSPServer,
    main: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
    medium: Arc<Mutex<Option<gst::Bin>>>,
}

impl Camera {
    fn start(encoder: &str, digest: Option<(&str, &str)>) -> Self {
        Self::with(encoder, |server, factory| {
            if let Some((user, password)) = digest {
                let auth = rtsp_server::RTSPAuth::new();
                auth.set_supported_methods(rtsp::RTSPAuthMethod::Digest);
                auth.add_digest(user, password, &viewer());
                admit(server, factory, &auth);
            }
        })
    }

    fn with(
        encoder: &str,
        prepare: impl FnOnce(&rtsp_server::RTSPServer, &rtsp_server::RTSPMediaFactory),
    ) -> Self {
        crate::ingest::init().unwrap();
        let context = glib::MainContext::new();
        let main = glib::MainLoop::new(Some(&context), false);
        let server = rtsp_server::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service("0");
        let factory = rtsp_server::RTSPMediaFactory::new();
        factory.set_launch(&format!(
            "( videotestsrc is-live=true ! capsfilter name=size caps=video/x-raw,format=I420,width=192,height=128,framerate=20/1 ! valve name=valve ! {encoder} \
             audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay1 pt=8 )"
        ));
        let medium = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&medium);
        factory.connect_media_configure(move |_, media| {
            *slot.lock() = media.element().downcast::<gst::Bin>().ok();
        });
        prepare(&server, &factory);
        server.mount_points().unwrap().add_factory("/cam", factory);
        server.attach(Some(&context)).unwrap();
        let port = u16::try_from(server.bound_port()).unwrap();
        let running = main.clone();
        #[allow(clippy::disallowed_methods)]
        let thread = std::thread::spawn(move || {
            context.with_thread_default(|| running.run()).unwrap();
        });
        Self {
            port,
            server,
            main,
            thread: Some(thread),
            medium,
        }
    }

    fn element(&self, name: &str) -> gst::Element {
        self.medium.lock().as_ref().unwrap().by_name(name).unwrap()
    }

    fn hang_up(&self) {
        self.server
            .client_filter(Some(&mut |_, _| rtsp_server::RTSPFilterResult::Remove));
    }
}

/// Who may watch.
fn viewer() -> rtsp_server::RTSPToken {
    rtsp_server::RTSPToken::builder()
        .field("media.factory.role", "viewer")
        .build()
}

fn admit(
    server: &rtsp_server::RTSPServer,
    factory: &rtsp_server::RTSPMediaFactory,
    auth: &rtsp_server::RTSPAuth,
) {
    server.set_auth(Some(auth));
    factory.add_role_from_structure(
        &gst::Structure::builder("viewer")
            .field("media.factory.access", true)
            .field("media.factory.construct", true)
            .build(),
    );
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.hang_up();
        self.main.quit();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// What a viewer has seen.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) packets: Vec<Packet>,
    pub(super) states: Vec<SourceState>,
}

impl Seen {
    /// What was wrong with pictures that came, and nothing where that was taken back.
    pub(super) fn impaired(&self) -> Vec<Option<Problem>> {
        let told = |state: &SourceState| match state {
            SourceState::Impaired(problem) => Some(problem.clone()),
            _ => None,
        };
        self.states.iter().filter_map(told).collect()
    }
}

struct Recorder(Arc<Mutex<Seen>>, Option<watch::Receiver<bool>>);

impl PacketSink for Recorder {
    fn packet(&mut self, packet: Packet) {
        self.0.lock().packets.push(packet);
    }

    fn state(&mut self, state: SourceState) {
        self.0.lock().states.push(state);
    }

    fn attention(&self) -> Option<watch::Receiver<bool>> {
        self.1.clone()
    }
}

pub(super) struct Viewer {
    pub(super) seen: Arc<Mutex<Seen>>,
    stages: StageCpu,
    tasks: Tasks,
    receiving: Receiving,
}

impl Viewer {
    fn watch(url: &str, login: Option<(&str, &str)>) -> Self {
        let config = SourceConfig {
            url: url.parse().unwrap(),
            user: login.map(|(user, _)| user.to_owned()),
            password: login.map(|(_, password)| Secret::new(password)),
            stall_after: Duration::from_millis(800),
            transport: Transport::Auto,
            ca_file: None,
        };
        Self::source(config)
    }

    pub(super) fn source(config: SourceConfig) -> Self {
        Self::with(config, |source| source)
    }

    pub(super) fn with(
        config: SourceConfig,
        prepare: impl FnOnce(RtspSource) -> RtspSource,
    ) -> Self {
        Self::on(&Receiving::start().unwrap(), config, prepare, None)
    }

    /// One that wants each packet at once only where it says so.
    pub(super) fn asleep(config: SourceConfig) -> (Self, watch::Sender<bool>) {
        let (attention, wanted) = watch::channel(false);
        let receiving = Receiving::start().unwrap();
        let viewer = Self::on(&receiving, config, |source| source, Some(wanted));
        (viewer, attention)
    }

    /// `count` more, on the same threads.
    pub(super) fn beside(&self, config: SourceConfig, count: usize) -> Vec<Self> {
        let more =
            (0..count).map(|_| Self::on(&self.receiving, config.clone(), |source| source, None));
        more.collect()
    }

    fn on(
        receiving: &Receiving,
        config: SourceConfig,
        prepare: impl FnOnce(RtspSource) -> RtspSource,
        attention: Option<watch::Receiver<bool>>,
    ) -> Self {
        let stages = StageCpu::default();
        let source = RtspSource::new(
            config,
            StreamRole::Main,
            SystemClock::start(),
            stages.clone(),
        );
        let source = prepare(source);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let sink = Box::new(Recorder(Arc::clone(&seen), attention));
        let tasks = receiving.on(CancellationToken::new());
        tasks.spawn("viewer", source.run(sink, tasks.token().clone()));
        Self {
            seen,
            stages,
            tasks,
            receiving: receiving.clone(),
        }
    }

    fn camera(camera: &Camera, login: Option<(&str, &str)>) -> Self {
        Self::watch(&format!("rtsp://127.0.0.1:{}/cam", camera.port), login)
    }

    /// Waits until `wanted` has come true.
    pub(super) fn until(&self, what: &str, wanted: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while !wanted(&self.seen.lock()) {
            let states = || format!("{:?}", self.seen.lock().states);
            assert!(Instant::now() < deadline, "no {what}: {}", states());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn problems(&self) -> Vec<String> {
        problems(&self.seen.lock())
    }

    pub(super) fn online(seen: &Seen) -> usize {
        let online = |state: &&SourceState| matches!(state, SourceState::Online(_));
        seen.states.iter().filter(online).count()
    }
}

pub(super) fn problems(seen: &Seen) -> Vec<String> {
    let text = |state: &SourceState| match state {
        SourceState::Away { problem, .. } => Some(problem.message.clone()),
        _ => None,
    };
    seen.states.iter().filter_map(text).collect()
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let stubborn = self.tasks.close(Duration::from_secs(3));
        assert!(stubborn.is_empty() || std::thread::panicking());
    }
}

#[test]
fn packets_come_in_order_with_true_distances_and_begin_with_a_keyframe() {
    for (encoder, codec) in [(H264, Codec::H264), (H265, Codec::H265)] {
        let camera = Camera::start(encoder, None);
        let viewer = Viewer::camera(&camera, None);
        viewer.until("packets", |seen| seen.packets.len() >= 40);
        let seen = viewer.seen.lock();
        let packets = &seen.packets;
        assert!(packets[0].key && packets[0].discontinuity);
        assert_eq!(packets[0].format.codec, codec);
        assert_eq!(
            (packets[0].format.size.width, packets[0].stream),
            (192, StreamRole::Main)
        );
        assert!(packets.iter().skip(1).all(|p| !p.discontinuity));
        assert!(packets.iter().filter(|p| p.key).count() >= 4, "{packets:?}");
        for pair in packets.windows(2) {
            let apart = (pair[1].time - pair[0].time) as f64 / 1e9;
            assert!((apart - 0.05).abs() < 0.02, "{apart}");
            assert!(pair[0].arrived - pair[0].time < 1_000_000_000);
        }
        assert_eq!(Viewer::online(&seen), 1);
        assert!(viewer.stages.get(Stage::Ingest) > Duration::ZERO);
    }
}

#[test]
fn digest_lets_in_with_the_password_and_refuses_without_telling_it() {
    let camera = Camera::start(H264, Some(("anna", "correct horse")));
    let good = Viewer::camera(&camera, Some(("anna", "correct horse")));
    good.until("packets", |seen| seen.packets.len() > 5);
    for login in [Some(("anna", "battery staple")), None] {
        let bad = Viewer::camera(&camera, login);
        bad.until("refusal", |seen| !problems(seen).is_empty());
        let problem = bad.problems().remove(0);
        assert!(
            problem.contains("refused the user name or password"),
            "{problem}"
        );
        let text = format!("{:?}", bad.seen.lock().states);
        assert!(!text.contains("battery"), "{text}");
        let SourceState::Away { retry_in, .. } = bad.seen.lock().states.pop().unwrap() else {
            panic!("the last state is the refusal");
        };
        assert!(retry_in >= Duration::from_secs(60) && retry_in <= Duration::from_secs(120));
    }
}

#[test]
fn what_is_not_there_is_told_in_one_sentence() {
    let camera = Camera::start(H264, None);
    let wrong_path = Viewer::watch(&format!("rtsp://127.0.0.1:{}/door", camera.port), None);
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = Viewer::watch(&format!("rtsp://127.0.0.1:{closed_port}/cam"), None);
    wrong_path.until("problem", |seen| !problems(seen).is_empty());
    nobody.until("problem", |seen| !problems(seen).is_empty());
    assert_eq!(
        wrong_path.problems(),
        ["camera 127.0.0.1 has no stream at /door"]
    );
    let expected = format!("camera 127.0.0.1 cannot be reached on port {closed_port}");
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(nobody.problems(), [expected], "told once, not at each try");
}

#[test]
fn motion_jpeg_is_watched_and_other_codecs_are_told() {
    let camera = Camera::start("jpegenc ! rtpjpegpay name=pay0 pt=26", None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("packets", |seen| seen.packets.len() >= 10);
    let seen = viewer.seen.lock();
    assert!(
        seen.packets
            .iter()
            .all(|p| p.key && p.format.codec == Codec::Other)
    );
    assert_eq!(seen.packets[0].format.size.width, 192);
    drop(seen);
    let camera = Camera::start("vp8enc deadline=1 ! rtpvp8pay name=pay0 pt=96", None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("problem", |seen| !problems(seen).is_empty());
    let problem = viewer.problems().remove(0);
    assert!(
        problem.contains("no H.264 or H.265 video") && problem.contains("VP8"),
        "{problem}"
    );
}

#[test]
fn a_stalled_camera_is_connected_to_again() {
    let camera = Camera::start(H264, None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("packets", |seen| seen.packets.len() > 5);
    camera.element("valve").set_property("drop", true);
    viewer.until("stall", |seen| !problems(seen).is_empty());
    assert_eq!(
        viewer.problems(),
        ["camera 127.0.0.1 has stopped sending pictures"]
    );
    viewer.until("second session", |seen| Viewer::online(seen) == 2);
    let seen = viewer.seen.lock();
    let begin = seen.packets.iter().rposition(|p| p.discontinuity).unwrap();
    assert!(begin > 0 && seen.packets[begin].key);
    assert!(seen.packets.is_sorted_by_key(|p| p.time));
}

#[test]
fn a_new_resolution_makes_a_new_format_in_the_same_session() {
    let camera = Camera::start(H264, None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("packets", |seen| seen.packets.len() > 15);
    let larger = "video/x-raw,format=I420,width=320,height=240,framerate=20/1";
    let larger: gst::Caps = larger.parse().unwrap();
    camera.element("size").set_property("caps", larger);
    viewer.until("new size", |seen| {
        seen.packets.last().unwrap().format.size.width == 320
    });
    let seen = viewer.seen.lock();
    let first = seen
        .packets
        .iter()
        .find(|p| p.format.size.width == 320)
        .unwrap();
    assert!(first.key && first.discontinuity);
    assert!(problems(&seen).is_empty());
    assert_eq!(Viewer::online(&seen), 2);
}

#[test]
fn sessions_that_end_leave_nothing_behind() {
    let camera = Camera::start(H264, None);
    for _ in 0..8 {
        let viewer = Viewer::camera(&camera, None);
        viewer.until("packets", |seen| !seen.packets.is_empty());
        let seen = Arc::clone(&viewer.seen);
        drop(viewer);
        // The recorder was held by the sink, the sink by the session's callbacks.
        assert_eq!(Arc::strong_count(&seen), 1);
    }
}

#[test]
fn basic_authentication_lets_in_too() {
    let camera = Camera::with(H264, |server, factory| {
        let auth = rtsp_server::RTSPAuth::new();
        auth.set_supported_methods(rtsp::RTSPAuthMethod::Basic);
        auth.add_basic(
            &rtsp_server::RTSPAuth::make_basic("anna", "s3cret"),
            &viewer(),
        );
        admit(server, factory, &auth);
    });
    let viewer = Viewer::camera(&camera, Some(("anna", "s3cret")));
    viewer.until("packets", |seen| seen.packets.len() > 5);
}

#[test]
fn a_camera_that_hangs_up_is_connected_to_again() {
    let camera = Camera::start(H264, None);
    let viewer = Viewer::camera(&camera, None);
    viewer.until("packets", |seen| seen.packets.len() > 5);
    camera.hang_up();
    viewer.until("end", |seen| !problems(seen).is_empty());
    assert_eq!(viewer.problems(), ["camera 127.0.0.1 has ended the stream"]);
    viewer.until("second session", |seen| Viewer::online(seen) == 2);
}

#[test]
fn a_port_that_never_answers_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let viewer = Viewer::watch(&format!("rtsp://127.0.0.1:{port}/cam"), None);
    viewer.until("problem", |seen| !problems(seen).is_empty());
    let expected = format!("camera 127.0.0.1 answers on port {port} but sends no pictures");
    assert_eq!(viewer.problems(), [expected]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    use rtsp_server::gio;
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("camera.pem");
    let made = std::process::Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
        ])
        .args(["-subj", "/CN=camera", "-keyout"])
        .arg(&pem)
        .arg("-out")
        .arg(folder.path().join("certificate.pem"))
        .output()
        .expect("this test needs openssl: `apt install openssl`");
    assert!(made.status.success());
    let certificate = std::fs::read_to_string(folder.path().join("certificate.pem")).unwrap();
    let key = std::fs::read_to_string(&pem).unwrap();
    let camera = Camera::with(H264, |server, _| {
        let auth = rtsp_server::RTSPAuth::new();
        let certificate = gio::TlsCertificate::from_pem(&format!("{key}{certificate}")).unwrap();
        auth.set_tls_certificate(Some(&certificate));
        server.set_auth(Some(&auth));
    });
    let viewer = Viewer::watch(&format!("rtsps://127.0.0.1:{}/cam", camera.port), None);
    viewer.until("problem", |seen| !problems(seen).is_empty());
    assert_eq!(
        viewer.problems(),
        ["the certificate of camera 127.0.0.1 is not trusted"]
    );
    assert!(viewer.seen.lock().packets.is_empty());
}
