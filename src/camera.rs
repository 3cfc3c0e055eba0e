//! The story of one camera: its source feeds two jobs.
//!
//! ```text
//!             ┌─► detect job: decode on demand ─► motion ─► person ─► track ─► incident ─┐
//! source ─► packets                                                                       │ report
//!             └─► record job: pre-roll ring ─► segments on disk ◄─────────────────────────┘
//!                      └─► transcode jobs: clips that must be encoded, previews ─► segments on disk
//! ```
//!
//! In: a camera's configuration and handles to what it shares with others. Out: alerts, pictures and segments, as rows
//! of the outbox. An alert's row is written by the detect job before the record job hears of it, so it never waits for
//! a clip. Packets never wait for a model, and no job waits for another: the links here drop whole GOPs, and count them,
//! before they hold up a source.
//!
//! Where a clip cannot stay as the camera sent it (privacy masks, Motion JPEG, H.265 for browsers),
//! `transcode` decodes what the record job keeps and encodes it again. Who asks for a picture of
//! now gets one from `stills`, out of what is decoded anyway.
//!
//! Live, the jobs of all cameras run on the threads of three pools ([`Workers`]). In replay the same [`CameraPipeline`] and
//! [`RecordStage`] are called in lock-step, one unit after the other.

mod attention;
mod detect;
mod links;
mod pipeline;
mod record;
mod status;
mod stills;
mod stop;
mod transcode;
mod updates;
mod workers;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

pub use detect::stage::{DetectStage, Pace, RawDetections};
pub use pipeline::{CameraPipeline, Keeper, RecordEvent};
pub use record::clip_entry::ClipSummary;
pub use record::stage::RecordStage;
pub use stills::Stills;
pub use updates::{IncidentUpdate, SnapshotCandidate};
pub use workers::Workers;

pub use crate::base::pool::{Cause, Loss};

use self::{
    attention::Attention,
    detect::job::{DetectJob, RecordLinks},
    links::{Lanes, PacketFeed, mode_link, packet_link, view_link},
    pipeline::OpenIncident,
    record::{
        clip_entry::{ClipEntry, OpenClips},
        job::RecordJob,
        stage::{Routes, previews},
    },
    status::Status,
    transcode::{Limits, Route, TranscodeJob, TranscodeQueue, Transcoder},
};
use crate::{
    base::{
        clock::Clock,
        cpu::StageCpu,
        health_registry::HealthRegistry,
        link::{Sender, WakeSignal, WhenFull, link},
        pool::Place,
        tasks::Tasks,
        telemetry::{CameraPartLabel, Metrics},
    },
    config::CameraConfig,
    decision_log::DecisionLog,
    flow::{CameraId, Mode, Rendition, StreamRole},
    infer::Infer,
    ingest::{IdleDecoders, Receiving, RtspSource, turned_sink},
    live::{About, Live, Taps},
    outbox::{Outbox, sinks::LiveState},
    recording::continuous::{Feed, Recordings},
};

/// How often a job looks at the clock while something is under way.
const TICK: Duration = Duration::from_millis(250);
/// How often it does when nothing is: only keyframes wake an idle camera, as a rule.
const IDLE_TICK: Duration = Duration::from_secs(5);
/// Notes that may wait for the record job. The detect job holds what has no room.
const RECORD_EVENTS: usize = 64;
/// Streams of a camera: what viewers ask of the record job is asked once for each.
const WATCHED: usize = 2;
/// Packets and bytes of one camera that may wait in memory to be encoded: at 30 pictures a second 40 seconds.
const TRANSCODE_MEMORY: (usize, u64) = (1200, 32_000_000);
/// Bytes of a masked camera that may wait on disk to be encoded: at 4 Mbit/s half an hour.
const TRANSCODE_DISK: u64 = 1_000_000_000;

/// What a camera shares with the others.
#[derive(Clone)]
pub struct Shared {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Models.
    pub infer: Arc<Infer>,
    /// Where everything flagged goes.
    pub outbox: Arc<Outbox>,
    /// What is true now, for the broker.
    pub live: LiveState,
    /// Where reasons are written; none in replay.
    pub decision_log: Option<DecisionLog>,
    /// Where states are written.
    pub health_registry: HealthRegistry,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// CPU time by stage.
    pub stages: StageCpu,
    /// Where cameras are received; none in replay.
    pub receiving: Option<Receiving>,
    /// Decoders that sleeping cameras leave to each other.
    pub decoders: IdleDecoders,
    /// Pictures of now.
    pub stills: Stills,
    /// Moving ones.
    pub viewing: Live,
    /// What is recorded round the clock.
    pub recordings: Recordings,
    /// Where packets that wait to be encoded may lie: the data folder.
    pub scratch: PathBuf,
}

/// A running camera.
pub struct Camera {
    id: CameraId,
    status: Status,
    modes: Sender<Mode>,
    record_events: Sender<RecordEvent>,
    /// Signals of the jobs, to wake them when they are to stop.
    wake_signals: [WakeSignal; 2],
    /// In front of the jobs that encode.
    queues: Vec<Arc<TranscodeQueue>>,
    interrupted: Arc<AtomicBool>,
    open: OpenIncident,
    clips: OpenClips,
    taps: Taps,
    recording_feed: Feed,
    shared: Shared,
    sources: Tasks,
    detecting: Tasks,
    recording: Tasks,
    transcoding: Tasks,
}

impl Camera {
    /// Starts the source, or sources, and the camera's jobs.
    #[must_use]
    pub fn start(
        config: CameraConfig,
        mode: Mode,
        shared: &Shared,
        workers: &Workers,
        tasks: &Tasks,
    ) -> Self {
        let (camera, lanes) = Self::jobs(&config, mode, shared, workers, tasks);
        let id = camera.id.clone();
        let rotate = config.rotate;
        for (role, source) in [
            (StreamRole::Sub, Some(config.source)),
            (StreamRole::Main, config.main),
        ] {
            let Some(source) = source else { continue };
            let feed = PacketFeed::new(id.clone(), role, lanes.clone(), &shared.metrics);
            let source = RtspSource::new(source, role, shared.clock.clone(), shared.stages.clone());
            let stop = camera.sources.token().clone();
            let name = format!(
                "{}-{id}",
                if role == StreamRole::Sub {
                    "sub"
                } else {
                    "main"
                }
            );
            let sink = turned_sink(Box::new(feed), rotate);
            camera.sources.spawn(&name, source.run(sink, stop));
        }
        camera
    }

    /// Starts the jobs; gives the links that a source's packets and states go to.
    fn jobs(
        config: &CameraConfig,
        mode: Mode,
        shared: &Shared,
        workers: &Workers,
        tasks: &Tasks,
    ) -> (Self, Lanes) {
        let id = config.id.clone();
        shared.health_registry.name(&id, &config.name);
        shared.stills.open(&id);
        let (detecting, recording, transcoding) = (tasks.child(), tasks.child(), tasks.child());
        let name = |work: &str| format!("{work} of camera {id}");
        let detect = workers.detect.place(&detecting, &name("detect"), &id);
        let record = workers.record.place(&recording, &name("record"), &id);
        let (modes_tx, modes) = mode_link(&detect.wake_signal());
        let (away_tx, away) = link(1, WhenFull::NewestWins, &detect.wake_signal());
        let (to_detect, detect_packets) = packet_link(&detect.wake_signal());
        let (to_record, record_packets) = packet_link(&record.wake_signal());
        let (record_events_tx, record_events) =
            link(RECORD_EVENTS, WhenFull::Refuse, &record.wake_signal());
        let (views_tx, views) = view_link(&record.wake_signal());
        let (watched_tx, watched) = link(WATCHED, WhenFull::NewestWins, &record.wake_signal());
        let attention = Attention::default();
        let about = About {
            masked: !config.privacy_mask.is_empty(),
            has_main: config.main.is_some(),
            mode,
        };
        let taps = shared.viewing.open(&id, about, {
            let attention = attention.clone();
            Arc::new(move |role, watched| {
                attention.watched(role, watched);
                // A record job that is gone has nothing: who watches waits for the next keyframe.
                if watched {
                    let _taken = watched_tx.send(role);
                }
            })
        });
        let recorded = shared.recordings.camera(config, mode, packet_link);
        let status = Status::new(&id, mode, shared);
        let clips = OpenClips::default();
        let transcode = |work: &str, rendition| {
            let place = workers.preview.place(&transcoding, &name(work), &id);
            start_transcoding(config, rendition, shared, place, &clips)
        };
        let evidence = transcode("encode", Rendition::Sub);
        let preview = previews(config).then(|| transcode("preview", Rendition::Preview));
        let camera = Self {
            id: id.clone(),
            status: status.clone(),
            modes: modes_tx,
            record_events: record_events_tx.clone(),
            wake_signals: [detect.wake_signal(), record.wake_signal()],
            queues: [evidence.clone()]
                .into_iter()
                .chain(preview.clone())
                .collect(),
            interrupted: Arc::default(),
            open: OpenIncident::default(),
            clips: clips.clone(),
            taps: taps.clone(),
            recording_feed: recorded.clone(),
            shared: shared.clone(),
            sources: match &shared.receiving {
                Some(receiving) => receiving.tasks(tasks),
                None => tasks.child(),
            },
            detecting,
            recording,
            transcoding,
        };

        let entry = ClipEntry::new(&id, shared).leased(record.lease(), clips);
        let routes = Routes {
            evidence: Route::Queue(evidence),
            preview: preview.map(Route::Queue),
        };
        record.start(RecordJob {
            record: RecordStage::with(config, mode, shared, routes, entry),
            packets: record_packets,
            record_events,
            views,
            watched,
            taps: taps.clone(),
            clock: shared.clock.clone(),
            stop: camera.recording.token().clone(),
        });

        let watch = DetectStage::new(config, mode, Pace::OnDemand, shared, &detect.wake_signal());
        let keeper = RecordLinks {
            record_events: record_events_tx,
            views: views_tx,
        };
        let pipeline =
            CameraPipeline::new(watch, keeper, shared).leased(detect.lease(), camera.open.clone());
        detect.start(DetectJob {
            pipeline,
            packets: detect_packets,
            modes,
            away,
            clock: shared.clock.clone(),
            stills: shared.stills.clone(),
            attention: attention.clone(),
            stop: camera.detecting.token().clone(),
            interrupted: camera.interrupted.clone(),
            away_since: None,
            patience: config.incident.end_after_lost,
            refusal_told: false,
            last_tries: None,
            #[cfg(test)]
            fault: workers.fault.clone(),
        });

        let lanes = Lanes {
            detect: to_detect,
            record: to_record,
            away: away_tx,
            attention,
            taps,
            recorded,
            status,
        };
        (camera, lanes)
    }

    /// Which camera.
    #[must_use]
    pub fn id(&self) -> &CameraId {
        &self.id
    }

    /// Arms or disarms. Does not wait.
    pub fn set_mode(&self, mode: Mode) {
        self.status.mode(mode);
        self.taps.set_mode(mode);
        self.recording_feed.set_mode(mode);
        if !self.modes.send(mode) {
            tracing::debug!(camera = %self.id, "the mode is taken up when the camera is started again");
        }
    }

    /// Packets that wait to be encoded though they are all that is kept of a visit.
    #[must_use]
    pub fn evidence_waiting(&self) -> usize {
        let evidence = self.queues.iter().filter(|queue| queue.is_evidence());
        evidence.map(|queue| queue.len()).sum()
    }
}

/// Starts the job that encodes `rendition`; gives the queue in front of it.
fn start_transcoding(
    config: &CameraConfig,
    rendition: Rendition,
    shared: &Shared,
    place: Place,
    clips: &OpenClips,
) -> Arc<TranscodeQueue> {
    let evidence = rendition != Rendition::Preview;
    let (packets, bytes) = TRANSCODE_MEMORY;
    let limits = Limits {
        packets,
        bytes,
        spill: evidence.then(|| (shared.scratch.clone(), TRANSCODE_DISK)),
    };
    let label = CameraPartLabel {
        camera: config.id.to_string(),
        part: "preview",
    };
    let lost = shared.metrics.dropped.get_or_create_owned(&label);
    let queue = Arc::new(TranscodeQueue::new(
        &config.id,
        limits,
        place.wake_signal(),
        lost,
    ));
    let entry = ClipEntry::new(&config.id, shared).leased(place.lease(), clips.clone());
    place.start(TranscodeJob {
        transcoder: Transcoder::new(rendition, config, shared.stages.clone()),
        entry,
        queue: queue.clone(),
        clock: shared.clock.clone(),
        evidence,
        closed_at: None,
    });
    queue
}

#[cfg(test)]
mod tests;
