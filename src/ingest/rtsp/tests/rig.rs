//! A camera of GStreamer's on loopback, and a viewer that writes down what it sees.

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

use crate::{
    base::{clock::SystemClock, cpu::StageCpu, tasks::Tasks},
    config::{Secret, SourceConfig, Transport},
    flow::{Packet, Problem, StreamRole},
    ingest::{
        PacketSink, SourceState,
        rtsp::{Receiving, RtspSource},
    },
};

/// A camera on loopback with a stream at `/cam`.
pub(in crate::ingest::rtsp) struct Camera {
    pub(in crate::ingest::rtsp) port: u16,
    server: rtsp_server::RTSPServer,
    main: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
    medium: Arc<Mutex<Option<gst::Bin>>>,
}

impl Camera {
    pub(in crate::ingest::rtsp) fn start(encoder: &str, digest: Option<(&str, &str)>) -> Self {
        Self::with(encoder, |server, factory| {
            if let Some((user, password)) = digest {
                let auth = rtsp_server::RTSPAuth::new();
                auth.set_supported_methods(rtsp::RTSPAuthMethod::Digest);
                auth.add_digest(user, password, &viewer());
                admit(server, factory, &auth);
            }
        })
    }

    pub(in crate::ingest::rtsp) fn with(
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

    pub(in crate::ingest::rtsp) fn element(&self, name: &str) -> gst::Element {
        self.medium.lock().as_ref().unwrap().by_name(name).unwrap()
    }

    pub(in crate::ingest::rtsp) fn hang_up(&self) {
        self.server
            .client_filter(Some(&mut |_, _| rtsp_server::RTSPFilterResult::Remove));
    }
}

/// Who may watch.
pub(in crate::ingest::rtsp) fn viewer() -> rtsp_server::RTSPToken {
    rtsp_server::RTSPToken::builder()
        .field("media.factory.role", "viewer")
        .build()
}

pub(in crate::ingest::rtsp) fn admit(
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
pub(in crate::ingest::rtsp) struct Seen {
    pub(in crate::ingest::rtsp) packets: Vec<Packet>,
    pub(in crate::ingest::rtsp) states: Vec<SourceState>,
}

impl Seen {
    /// What was wrong with pictures that came, and nothing where that was taken back.
    pub(in crate::ingest::rtsp) fn impaired(&self) -> Vec<Option<Problem>> {
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

pub(in crate::ingest::rtsp) struct Viewer {
    pub(in crate::ingest::rtsp) seen: Arc<Mutex<Seen>>,
    pub(in crate::ingest::rtsp) stages: StageCpu,
    tasks: Tasks,
    receiving: Receiving,
}

impl Viewer {
    pub(in crate::ingest::rtsp) fn watch(url: &str, login: Option<(&str, &str)>) -> Self {
        let config = SourceConfig {
            url: url.parse().unwrap(),
            user: login.map(|(user, _)| user.to_owned()),
            password: login.map(|(_, password)| Secret::new(password)),
            stall_timeout: Duration::from_millis(800),
            transport: Transport::Auto,
            ca_file: None,
        };
        Self::source(config)
    }

    pub(in crate::ingest::rtsp) fn source(config: SourceConfig) -> Self {
        Self::with(config, |source| source)
    }

    pub(in crate::ingest::rtsp) fn with(
        config: SourceConfig,
        prepare: impl FnOnce(RtspSource) -> RtspSource,
    ) -> Self {
        Self::on(&Receiving::start().unwrap(), config, prepare, None)
    }

    /// One that wants each packet at once only where it says so.
    pub(in crate::ingest::rtsp) fn asleep(config: SourceConfig) -> (Self, watch::Sender<bool>) {
        let (attention, wanted) = watch::channel(false);
        let receiving = Receiving::start().unwrap();
        let viewer = Self::on(&receiving, config, |source| source, Some(wanted));
        (viewer, attention)
    }

    /// `count` more, on the same threads.
    pub(in crate::ingest::rtsp) fn beside(&self, config: SourceConfig, count: usize) -> Vec<Self> {
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

    pub(in crate::ingest::rtsp) fn camera(camera: &Camera, login: Option<(&str, &str)>) -> Self {
        Self::watch(&format!("rtsp://127.0.0.1:{}/cam", camera.port), login)
    }

    /// Waits until `wanted` has come true.
    pub(in crate::ingest::rtsp) fn until(&self, what: &str, wanted: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while !wanted(&self.seen.lock()) {
            let states = || format!("{:?}", self.seen.lock().states);
            assert!(Instant::now() < deadline, "no {what}: {}", states());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(in crate::ingest::rtsp) fn problems(&self) -> Vec<String> {
        problems(&self.seen.lock())
    }

    pub(in crate::ingest::rtsp) fn online(seen: &Seen) -> usize {
        let online = |state: &&SourceState| matches!(state, SourceState::Online(_));
        seen.states.iter().filter(online).count()
    }
}

pub(in crate::ingest::rtsp) fn problems(seen: &Seen) -> Vec<String> {
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
