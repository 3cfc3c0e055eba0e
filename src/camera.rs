//! The story of one camera: its source feeds two lanes.
//!
//! ```text
//!             ┌─► watch lane:  decode on demand ─► motion ─► person ─► track ─► incident ─┐
//! source ─► packets                                                                       │ report
//!             └─► record lane: pre-roll ring ─► segments on disk ◄────────────────────────┘
//! ```
//!
//! In: a camera's configuration and handles to what it shares with others. Out: alerts, pictures and segments, as rows
//! of the outbox. An alert's row is written by the watch lane before the record lane hears of it, so it never waits for
//! a clip. Packets never wait for a model: the links here drop whole GOPs, and count them, before they hold up a source.
//!
//! Where a clip cannot stay as the camera sent it (privacy masks, H.265 for browsers), `rewrite` decodes what the record lane
//! keeps and encodes it anew. Who asks for a picture of now gets one from `stills`, out of what is
//! decoded anyway.
//!
//! Live, each lane is a thread ([`Camera::start`]). In replay the same [`Watch`] and [`Record`] are called in lock-step,
//! one unit after the other.

mod links;
mod pictures;
mod record;
mod rewrite;
mod sharpness;
mod status;
mod stills;
mod view;
mod watch;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

pub use record::{ClipSummary, Record};
pub use stills::Stills;
pub use view::{Report, View};
pub use watch::{Pace, Sighting, Watch};

use self::{
    links::{Lanes, PacketFeed, packet_link},
    status::Status,
};
use crate::{
    base::{
        board::Board,
        clock::Clock,
        cpu::StageCpu,
        heartbeat::Heartbeat,
        link::{Bell, Receiver, Sender, WhenFull, link},
        tasks::Tasks,
        telemetry::Metrics,
    },
    config::CameraConfig,
    diary::Diary,
    flow::{CameraId, EndReason, IncidentState, MediaTime, Mode, Packet, StreamRole},
    infer::Infer,
    ingest::{Receiving, RtspSource},
    outbox::{Outbox, sinks::LiveState},
};

/// How often a lane looks at the clock when nothing arrives.
const TICK: Duration = Duration::from_millis(250);
/// A lane that has not come round for this long hangs. A slow disk may hold it for many seconds.
const LANE_PATIENCE: Duration = Duration::from_secs(60);

/// How long a lane that stops tries to get rid of alerts that the disk refuses.
const LAST_TRIES: Duration = Duration::from_secs(3);

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
    pub diary: Option<Diary>,
    /// Where states are written.
    pub board: Board,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// CPU time by stage.
    pub stages: StageCpu,
    /// Where cameras are received; none in replay.
    pub receiving: Option<Receiving>,
    /// Pictures of now.
    pub stills: Stills,
}

/// A wish that reaches a lane from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Watch, or stop watching.
    Mode(Mode),
    /// The camera's pictures stay away.
    Away,
}

/// What the record lane is told.
enum Note {
    /// An incident changed.
    Report(Box<Report>),
    /// Somebody is in view: a candidate for a better picture.
    View(View),
    /// Keep packets, or keep none and forget those kept.
    Mode(Mode),
}

/// A running camera.
pub struct Camera {
    id: CameraId,
    orders: Sender<Order>,
    status: Status,
    sources: Tasks,
    watching: Tasks,
    recording: Tasks,
}

impl Camera {
    /// Starts the source, or sources, and the two lanes.
    ///
    /// # Errors
    /// When the system has no thread to give, or the camera's models cannot be prepared.
    pub fn start(
        config: CameraConfig,
        mode: Mode,
        shared: &Shared,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let id = config.id.clone();
        shared.board.name(&id, &config.name);
        shared.stills.open(&id);
        let (watch_bell, record_bell) = (Bell::new(), Bell::new());
        let (orders_tx, orders) = link(16, WhenFull::Wait, &watch_bell);
        let (notes_tx, notes) = link(64, WhenFull::Wait, &record_bell);
        let (to_watch, watch_packets) = packet_link(&watch_bell);
        let (to_record, record_packets) = packet_link(&record_bell);
        let status = Status::new(&id, mode, shared);
        let camera = Self {
            id: id.clone(),
            orders: orders_tx.clone(),
            status: status.clone(),
            sources: match &shared.receiving {
                Some(receiving) => receiving.tasks(tasks),
                None => tasks.child(),
            },
            watching: tasks.child(),
            recording: tasks.child(),
        };

        let record = Record::new(&config, mode, shared);
        let clock = shared.clock.clone();
        let stop = camera.recording.token().clone();
        let pulse = tasks
            .heartbeats()
            .expect(&format!("rec-{id}"), LANE_PATIENCE);
        camera.recording.thread(&format!("rec-{id}"), move || {
            record_lane(
                record,
                &record_packets,
                &notes,
                &record_bell,
                &*clock,
                &stop,
                &pulse,
            );
        })?;

        let watch = Watch::new(&config, mode, Pace::OnDemand, shared, &watch_bell);
        let attentive = Arc::new(AtomicBool::new(false));
        let lane = WatchLane {
            watch,
            packets: watch_packets,
            orders,
            notes: notes_tx,
            bell: watch_bell,
            shared: shared.clone(),
            attentive: attentive.clone(),
            stop: camera.watching.token().clone(),
            untold: VecDeque::new(),
            refused: false,
            away_since: None,
            patience: config.incident.end_after_lost,
        };
        let pulse = tasks
            .heartbeats()
            .expect(&format!("watch-{id}"), LANE_PATIENCE);
        camera
            .watching
            .thread(&format!("watch-{id}"), move || lane.run(&pulse))?;

        let lanes = Lanes {
            watch: to_watch,
            record: to_record,
            orders: orders_tx,
            attentive,
            status,
        };
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
            camera
                .sources
                .spawn(&name, source.run(Box::new(feed), stop));
        }
        Ok(camera)
    }

    /// Which camera.
    #[must_use]
    pub fn id(&self) -> &CameraId {
        &self.id
    }

    /// Arms or disarms.
    pub fn set_mode(&self, mode: Mode) {
        self.status.mode(mode);
        self.orders.send(Order::Mode(mode));
    }

    /// Asks the sources to stop, without waiting for them: many cameras end faster together.
    pub fn begin_to_stop(&self) {
        self.sources.token().cancel();
    }

    /// Stops in order: sources, then the watch lane (open incidents end), then the record lane (clips are closed).
    /// Returns the names of what has not ended within `grace`.
    pub fn stop(&self, grace: Duration) -> Vec<String> {
        let deadline = Instant::now() + grace;
        [&self.sources, &self.watching, &self.recording]
            .into_iter()
            .flat_map(|part| part.close(deadline.saturating_duration_since(Instant::now())))
            .collect()
    }
}

/// The watch lane: packets become frames, frames are looked at, looks become incidents.
struct WatchLane {
    watch: Watch,
    packets: Receiver<Packet>,
    orders: Receiver<Order>,
    notes: Sender<Note>,
    bell: Bell,
    shared: Shared,
    /// Tells the source whether this lane wants to be woken for every packet.
    attentive: Arc<AtomicBool>,
    stop: CancellationToken,
    /// Reports whose alert is not on disk yet.
    untold: VecDeque<Report>,
    refused: bool,
    /// Since when no pictures come, and for how long an open incident waits for them.
    away_since: Option<MediaTime>,
    patience: Duration,
}

impl WatchLane {
    fn run(mut self, pulse: &Heartbeat) {
        while !self.stop.is_cancelled() {
            pulse.beat();
            self.bell.wait(Some(Instant::now() + TICK));
            while let Some(order) = self.orders.try_recv() {
                self.obey(order);
            }
            while let Some(packet) = self.packets.try_recv() {
                self.away_since = None;
                self.watch.packet(packet);
                self.watch.collect();
                self.tell();
            }
            self.watch.collect();
            let now = self.shared.clock.now();
            if self
                .away_since
                .is_some_and(|since| now.since(since) >= self.patience)
            {
                self.away_since = None;
                self.watch.finish(EndReason::Stream);
            }
            self.watch.tick(now);
            self.tell();
            self.attentive
                .store(self.watch.attentive(), Ordering::Relaxed);
        }
        self.watch.finish(EndReason::Stopped);
        self.tell();
        // Perhaps there is room in a moment; what is still held then is lost with this process.
        let deadline = Instant::now() + LAST_TRIES;
        while !self.untold.is_empty() && Instant::now() < deadline {
            std::thread::sleep(TICK);
            self.tell();
        }
        for report in &self.untold {
            let incident = &report.change.incident;
            tracing::error!(incident = %incident.id, state = incident.state.as_str(), "an alert is lost: the data disk took nothing to the end");
        }
    }

    fn obey(&mut self, order: Order) {
        let now = self.shared.clock.now();
        match order {
            Order::Mode(mode) => {
                self.watch.set_mode(mode, now);
                if mode == Mode::Disarmed {
                    self.shared.stills.forget(self.watch.camera());
                }
                self.tell();
                self.notes.send(Note::Mode(mode));
            }
            Order::Away => self.away_since = Some(now),
        }
    }

    /// Puts a report behind those that are not told yet. While the disk refuses they are few and small: of one incident's
    /// updates the last is enough, and pictures are not waited with.
    fn hold(&mut self, mut report: Report) {
        if self.refused {
            report.view = None;
            let changed = |report: &Report| {
                let incident = &report.change.incident;
                (incident.state == IncidentState::Updated).then_some(incident.id)
            };
            if let Some(id) = changed(&report) {
                self.untold.retain(|held| changed(held) != Some(id));
            }
        }
        self.untold.push_back(report);
    }

    /// Alerts become rows first; then the record lane hears of them. What a full disk refuses is held here, in order,
    /// and tried again.
    fn tell(&mut self) {
        for report in self.watch.take_reports() {
            self.hold(report);
        }
        while let Some(report) = self.untold.front() {
            match report.commit(&self.shared.outbox, &self.shared.live) {
                Ok(()) => self.refused = false,
                Err(error) => {
                    if !std::mem::replace(&mut self.refused, true) {
                        tracing::error!(%error, "an alert cannot be written yet; it is held and tried again");
                    }
                    break;
                }
            }
            if let Some(report) = self.untold.pop_front() {
                let incident = &report.change.incident;
                if let Some(diary) = &self.shared.diary
                    && incident.state == IncidentState::Began
                {
                    diary.began(incident);
                }
                self.notes.send(Note::Report(Box::new(report)));
            }
        }
        if let Some(view) = self.watch.take_view() {
            self.notes.send(Note::View(view));
        }
        for refusal in self.watch.take_refusals() {
            tracing::debug!(what = ?refusal.what, score = refusal.score, "no incident: {}", refusal.reason.as_str());
            if let Some(diary) = &self.shared.diary {
                diary.refused(self.watch.camera(), &refusal);
            }
        }
    }
}

/// The record lane: packets wait in the pre-roll ring, and become segments while an incident is open.
fn record_lane(
    mut record: Record,
    packets: &Receiver<Packet>,
    notes: &Receiver<Note>,
    bell: &Bell,
    clock: &dyn Clock,
    stop: &CancellationToken,
    pulse: &Heartbeat,
) {
    loop {
        pulse.beat();
        let stopping = stop.is_cancelled();
        if !stopping {
            bell.wait(Some(Instant::now() + TICK));
        }
        while let Some(note) = notes.try_recv() {
            match note {
                Note::Report(report) => record.report(&report),
                Note::View(view) => record.view(view),
                Note::Mode(mode) => record.set_mode(mode),
            }
        }
        while let Some(packet) = packets.try_recv() {
            record.packet(&packet);
        }
        record.tick(clock.now());
        for clip in record.take_closed() {
            tracing::debug!(incident = %clip.incident, segments = clip.segments, bytes = clip.bytes, "clip closed");
        }
        if stopping {
            record.finish();
            return;
        }
    }
}
