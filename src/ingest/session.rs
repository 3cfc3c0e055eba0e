//! One RTSP session, from the connection to its end. Everything that it made is gone when it is dropped.

use std::{
    net::TcpStream,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer_app as gst_app;

use gst::prelude::*;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    meter::ThreadMeter,
    quality::Quality,
    receive::Receiver,
    rtsp::{SLICE, SharedSink},
    setup,
    transport::{self, Carrier, Losses},
};
use crate::{
    base::{clock::Clock, cpu::StageCpu},
    config::SourceConfig,
    flow::StreamRole,
};

/// A camera that has sent no picture by then is away.
const FIRST_PICTURE_WITHIN: Duration = Duration::from_secs(10);
/// A connection that is not accepted by then is given up.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A second look at the port.
const PROBE_WITHIN: Duration = Duration::from_secs(1);

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The token was cancelled.
    Stopped,
    /// Wrong user name or password.
    Refused,
    /// No such stream.
    NotFound,
    /// No connection.
    Unreachable,
    /// TLS failed.
    Untrusted,
    /// The file with the authorities is of no use.
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The camera does not send by TCP, or not by UDP.
    TransportRefused,
    /// Somebody listens, but no picture comes.
    Silent,
    /// Pictures came, and then no more.
    Stalled,
    /// The camera said goodbye.
    Closed,
    /// Other streams than H.264 and H.265 only.
    NoVideo {
        /// Encodings offered, for people.
        offered: String,
    },
    /// GStreamer lacks something.
    Setup {
        /// One sentence.
        message: String,
    },
    /// Anything else.
    Protocol,
}

impl End {
    /// GStreamer does not tell a refused connection from a failed TLS handshake or from silence: whether anybody
    /// listens does.
    fn looked_into(self, config: &SourceConfig) -> Self {
        if self != Self::Unreachable {
            return self;
        }
        let secure = config.url.scheme() == "rtsps";
        let addresses = config
            .url
            .socket_addrs(|| Some(if secure { 322 } else { 554 }));
        let listens = addresses
            .unwrap_or_default()
            .iter()
            .any(|address| TcpStream::connect_timeout(address, PROBE_WITHIN).is_ok());
        match (listens, secure) {
            (false, _) => Self::Unreachable,
            (true, true) => Self::Untrusted,
            (true, false) => Self::Silent,
        }
    }
}

/// What the threads of a session tell the one that waits.
#[derive(Default)]
struct Heard {
    last_buffer: Option<Instant>,
    first_buffer: Option<Instant>,
    chosen: bool,
    offered: Vec<String>,
}

/// A session under way.
pub(super) struct Session {
    pipeline: gst::Pipeline,
    heard: Arc<Mutex<Heard>>,
    losses: Option<Losses>,
    quality: Arc<Mutex<Quality>>,
    sink: SharedSink,
}

impl Session {
    /// Builds the pipeline and begins to connect.
    pub(super) fn start(
        config: &SourceConfig,
        carrier: Carrier,
        role: StreamRole,
        clock: &Arc<dyn Clock>,
        stages: &StageCpu,
        sink: &SharedSink,
    ) -> Result<Self, End> {
        let missing = |error: super::IngestError| End::Setup {
            message: error.to_string(),
        };
        setup::init().map_err(missing)?;
        let rtspsrc = setup::element("rtspsrc").map_err(missing)?;
        configure(&rtspsrc, config);
        carrier.configure(&rtspsrc);
        transport::trust(&rtspsrc, config)?;
        let losses = (carrier == Carrier::Udp).then(Losses::default);
        if let Some(losses) = &losses {
            losses.watch(&rtspsrc);
        }
        let pipeline = gst::Pipeline::new();
        pipeline
            .add(&rtspsrc)
            .expect("a new pipeline takes a new element");
        let session = Self {
            pipeline,
            heard: Arc::default(),
            losses,
            quality: Arc::new(Mutex::new(Quality::new(
                config.url.host_str().unwrap_or_default(),
            ))),
            sink: Arc::clone(sink),
        };
        session.choose_video(&rtspsrc);
        match carrier {
            Carrier::Tcp => transport::leave_out_jitter_buffer(&rtspsrc),
            Carrier::Udp => meter_receiving(&rtspsrc, stages),
        }
        let quality = Arc::clone(&session.quality);
        let receiver = Receiver::new(role, Arc::clone(clock), Arc::clone(sink), quality);
        session.take_video(&rtspsrc, receiver, stages);
        // A failure to start is told on the bus, where the reason is.
        let _ = session.pipeline.set_state(gst::State::Playing);
        Ok(session)
    }

    /// Waits for the end. Tells why it came, and for how long pictures had arrived.
    pub(super) fn run(
        self,
        config: &SourceConfig,
        token: &CancellationToken,
    ) -> (End, Option<Duration>) {
        let started = Instant::now();
        let mut flow = (0, None);
        let end = loop {
            if token.is_cancelled() {
                break End::Stopped;
            }
            if let Some(end) = self.complaint() {
                break end.looked_into(config);
            }
            // A stream that loses most of its packets has not stopped: connecting again would not help.
            let last = self
                .heard
                .lock()
                .last_buffer
                .max(self.count_packets(&mut flow));
            match last {
                Some(last) if last.elapsed() > config.stall_after => break End::Stalled,
                None if started.elapsed() > FIRST_PICTURE_WITHIN => break End::Silent,
                _ => {}
            }
        };
        let first = self.heard.lock().first_buffer;
        (end, first.map(|at| at.elapsed()))
    }

    /// Tells what is lost on the way. `flow` is how many packets have arrived, and when the last of them was seen to.
    fn count_packets(&self, flow: &mut (u64, Option<Instant>)) -> Option<Instant> {
        let (so_far, now) = (self.losses.as_ref()?.so_far(), Instant::now());
        if so_far.arrived != flow.0 {
            *flow = (so_far.arrived, Some(now));
        }
        let news = self.quality.lock().losses(so_far, now);
        if let Some(state) = news {
            self.sink.lock().state(state);
        }
        flow.1
    }

    /// Waits a little for bad news from the elements.
    fn complaint(&self) -> Option<End> {
        let kinds = [gst::MessageType::Error, gst::MessageType::Eos];
        let slice = gst::ClockTime::try_from(SLICE).unwrap_or(gst::ClockTime::ZERO);
        let message = self.pipeline.bus()?.timed_pop_filtered(slice, &kinds)?;
        let gst::MessageView::Error(error) = message.view() else {
            return Some(End::Closed);
        };
        // The debugging text is left alone: it may quote the address and the conversation.
        let error = error.error();
        debug!(text = error.message(), "session failed");
        let heard = self.heard.lock();
        if !heard.offered.is_empty() && !heard.chosen {
            return Some(End::NoVideo {
                offered: heard.offered.join(", "),
            });
        }
        // Nothing was left to try after the camera's "461 Unsupported transport".
        if error.matches(gst::StreamError::CodecNotFound) && heard.chosen {
            return Some(End::TransportRefused);
        }
        Some(match error.kind::<gst::ResourceError>() {
            Some(gst::ResourceError::NotAuthorized) => End::Refused,
            Some(gst::ResourceError::NotFound) => End::NotFound,
            Some(
                gst::ResourceError::OpenRead
                | gst::ResourceError::OpenWrite
                | gst::ResourceError::OpenReadWrite,
            ) => End::Unreachable,
            Some(gst::ResourceError::Read | gst::ResourceError::Write) => {
                match heard.first_buffer {
                    Some(_) => End::Closed,
                    None => End::Unreachable,
                }
            }
            _ => End::Protocol,
        })
    }

    /// Sets up the first H.264 or H.265 stream and no other, not even its sound.
    fn choose_video(&self, rtspsrc: &gst::Element) {
        let heard = Arc::clone(&self.heard);
        rtspsrc.connect("select-stream", false, move |args| {
            let caps = args[2].get::<gst::Caps>().ok()?;
            let field = |name| {
                let structure = caps.structure(0)?;
                structure.get::<String>(name).ok()
            };
            let encoding = field("encoding-name").unwrap_or_default();
            let mut heard = heard.lock();
            let wanted = field("media").as_deref() == Some("video")
                && depayloader(&encoding).is_some()
                && !heard.chosen;
            heard.chosen |= wanted;
            heard.offered.push(encoding);
            Some(wanted.to_value())
        });
    }

    /// Joins the stream, when it is there, to `receiver`.
    fn take_video(&self, rtspsrc: &gst::Element, receiver: Receiver, stages: &StageCpu) {
        let pipeline = self.pipeline.downgrade();
        let heard = Arc::clone(&self.heard);
        let receiver = Arc::new(Mutex::new(receiver));
        let stages = stages.clone();
        rtspsrc.connect_pad_added(move |_, pad| {
            let Some(pipeline) = pipeline.upgrade() else {
                return;
            };
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            let encoding = caps
                .structure(0)
                .and_then(|s| s.get::<String>("encoding-name").ok())
                .unwrap_or_default();
            let Some((name, raw)) = depayloader(&encoding) else {
                return;
            };
            let Ok(depay) = setup::element(name) else {
                return;
            };
            let meter = ThreadMeter::new(stages.clone());
            let (heard, receiver) = (Arc::clone(&heard), Arc::clone(&receiver));
            let callbacks = gst_app::AppSinkCallbacks::builder()
                .new_sample(move |appsink| {
                    let sample = appsink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    let now = Instant::now();
                    {
                        let mut heard = heard.lock();
                        heard.last_buffer = Some(now);
                        heard.first_buffer.get_or_insert(now);
                    }
                    receiver.lock().sample(&sample);
                    meter.tick();
                    Ok(gst::FlowSuccess::Ok)
                })
                .build();
            let raw: gst::Caps = raw.parse().expect("capabilities written here are valid");
            let appsink = gst_app::AppSink::builder()
                .sync(false)
                .async_(false)
                .enable_last_sample(false)
                .caps(&raw)
                .callbacks(callbacks)
                .build();
            let joined = pipeline
                .add_many([&depay, appsink.upcast_ref()])
                .and_then(|()| depay.link(&appsink))
                .is_ok()
                && appsink.sync_state_with_parent().is_ok()
                && depay.sync_state_with_parent().is_ok()
                && depay
                    .static_pad("sink")
                    .is_some_and(|entry| pad.link(&entry).is_ok());
            debug!(encoding, joined, "stream found");
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Says goodbye to the camera, waits for the threads. There is nothing to be done if it fails.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The depayloader for an encoding name of RFC 6184 or RFC 7798, and what comes out of it.
fn depayloader(encoding: &str) -> Option<(&'static str, &'static str)> {
    match encoding {
        "H264" => Some((
            "rtph264depay",
            "video/x-h264,stream-format=byte-stream,alignment=au",
        )),
        "H265" => Some((
            "rtph265depay",
            "video/x-h265,stream-format=byte-stream,alignment=au",
        )),
        _ => None,
    }
}

fn configure(rtspsrc: &gst::Element, config: &SourceConfig) {
    let connect_within = u64::try_from(CONNECT_WITHIN.as_micros()).unwrap_or(0);
    let mut location = config.url.clone();
    // An address holds no password by the configuration's contract; make sure that none gets any farther.
    let _ = location.set_password(None);
    let _ = location.set_username("");
    rtspsrc.set_property("location", location.as_str());
    if let Some(user) = &config.user {
        rtspsrc.set_property("user-id", user);
    }
    if let Some(password) = &config.password {
        rtspsrc.set_property("user-pw", password.expose());
    }
    rtspsrc.set_property("do-retransmission", false);
    rtspsrc.set_property("tcp-timeout", connect_within);
    rtspsrc.set_property("user-agent", concat!("Lares/", env!("CARGO_PKG_VERSION")));
}

/// Measures the thread that reads the network, where it hands packets to the jitter buffer's. Over TCP there is one thread
/// alone, which is measured where it hands pictures on.
fn meter_receiving(rtspsrc: &gst::Element, stages: &StageCpu) {
    let stages = stages.clone();
    rtspsrc.connect("new-manager", false, move |args| {
        let manager = args[1].get::<gst::Element>().ok()?;
        let stages = stages.clone();
        manager.connect_pad_added(move |_, pad| {
            if pad.direction() == gst::PadDirection::Sink && pad.name().starts_with("recv_rtp_") {
                let meter = ThreadMeter::new(stages.clone());
                let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
                pad.add_probe(kinds, move |_, _| {
                    meter.tick();
                    gst::PadProbeReturn::Ok
                });
            }
        });
        None
    });
}
