//! The detect job's steps: a packet in, reports out. No thread, no clock: the caller brings both.

use std::{sync::Arc, time::Duration};

use prometheus_client::metrics::counter::Counter;

use super::grid::next_on_grid;
use crate::{
    base::{
        clock::Clock,
        cpu::{Stage, StageCpu},
        link::WakeSignal,
        telemetry::{CameraLabel, Metrics},
    },
    camera::{
        Shared,
        stills::Stills,
        updates::{IncidentUpdate, SnapshotCandidate},
    },
    config::CameraConfig,
    event::{Events, Refusal, Step, Want},
    flow::{
        CameraId, DecodeDemand, Detection, EndReason, Frame, IncidentId, IncidentState, Label,
        MediaTime, Mode, Packet, Track,
    },
    infer::{CameraInfer, DetectRequest, DetectResult, Priority, Trigger},
    ingest::{DecodeError, OnDemand},
    outbox::sinks::LiveState,
    roi::RoiSelector,
    track::{Tracker, TrackerConfig},
};

/// Which pictures are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As the rules demand: keyframes while nothing happens.
    OnDemand,
    /// A grid fixed beforehand from the first picture on, each with a person look: for scoring.
    Every(Duration),
    /// Every picture, each with a person look: for scoring.
    All,
}

/// What one person look saw, for scoring.
#[derive(Debug, Clone)]
pub struct RawDetections {
    /// Presentation time of the picture.
    pub time: MediaTime,
    /// All boxes, doubtful ones too.
    pub detections: Vec<Detection>,
    /// Tracks after the look.
    pub tracks: Vec<Track>,
}

/// One camera's eyes and judgement.
pub struct DetectStage {
    id: CameraId,
    pace: Pace,
    decoder: OnDemand,
    detector: CameraInfer,
    roi: RoiSelector,
    tracker: Tracker,
    events: Events,
    demand: DecodeDemand,
    next_look: Option<MediaTime>,
    newest: MediaTime,
    /// The open incident, and what it is called after.
    open: Option<(IncidentId, Label)>,
    reports: Vec<IncidentUpdate>,
    view: Option<SnapshotCandidate>,
    sightings: Vec<RawDetections>,
    live: LiveState,
    stills: Stills,
    metrics: Arc<Metrics>,
    frames_decoded: Counter,
    stages: StageCpu,
    /// The clock, for the time a look took since its picture was received.
    clock: Arc<dyn Clock>,
    refusals: Vec<Refusal>,
    /// Why the last stream could not be decoded at all.
    undecodable: Option<DecodeError>,
}

impl DetectStage {
    /// The eyes of the camera `config`, in mode `mode`. `wake_signal` is raised when a look is done.
    #[must_use]
    pub fn new(
        config: &CameraConfig,
        mode: Mode,
        pace: Pace,
        shared: &Shared,
        wake_signal: &WakeSignal,
    ) -> Self {
        let detector = shared.infer.camera(&config.id, &config.detect, wake_signal);
        let tracker = Tracker::new(TrackerConfig {
            sighting_score: detector.threshold(),
            ..TrackerConfig::default()
        });
        let mut events = Events::new(
            config.id.clone(),
            &config.detect,
            &config.incident,
            mode,
            IncidentId::new,
        );
        let demand = events.tick(MediaTime::ZERO).demand;
        Self {
            id: config.id.clone(),
            pace,
            decoder: OnDemand::new(
                config.max_idle_interval,
                config.decoder,
                config.privacy_mask.clone(),
                shared.stages.clone(),
                &shared.decoders,
            ),
            roi: RoiSelector::new(&config.detect, detector.input_sizes().to_vec()),
            detector,
            tracker,
            events,
            demand,
            next_look: None,
            newest: MediaTime::ZERO,
            open: None,
            reports: Vec::new(),
            view: None,
            sightings: Vec::new(),
            refusals: Vec::new(),
            undecodable: None,
            live: shared.live.clone(),
            stills: shared.stills.clone(),
            metrics: shared.metrics.clone(),
            frames_decoded: shared
                .metrics
                .frames_decoded
                .get_or_create_owned(&CameraLabel {
                    camera: config.id.to_string(),
                }),
            stages: shared.stages.clone(),
            clock: shared.clock.clone(),
        }
    }

    /// Which camera.
    #[must_use]
    pub fn camera(&self) -> &CameraId {
        &self.id
    }

    /// Takes one access unit of the watched stream.
    pub fn packet(&mut self, packet: Packet) {
        self.newest = self.newest.max(packet.time);
        let demand = match self.pace {
            Pace::OnDemand => self.demand,
            Pace::Every(_) | Pace::All => DecodeDemand::Awake {
                every: Duration::ZERO,
            },
        };
        let time = packet.time;
        let before = self.decoder.decoded();
        if let Err(error) = self.decoder.push(packet, demand) {
            tracing::warn!(camera = %self.id, %error, "a picture could not be decoded");
            self.undecodable = Some(error);
        }
        while let Some(frame) = self.decoder.next_frame(self.next_look.unwrap_or(time)) {
            self.frame(frame);
        }
        self.frames_decoded.inc_by(self.decoder.decoded() - before);
    }

    /// Looks at the last pictures of a recording that has ended: the decoder holds some back where there are B-frames.
    pub fn drain(&mut self) {
        self.decoder.finish();
        while let Some(frame) = self.decoder.next_frame(MediaTime::ZERO) {
            self.frame(frame);
            self.settle();
        }
    }

    fn frame(&mut self, frame: Frame) {
        let every = match (self.pace, self.demand) {
            (Pace::All, _) => Duration::ZERO,
            (Pace::Every(every), _) => every,
            (Pace::OnDemand, DecodeDemand::Awake { every }) => every,
            (Pace::OnDemand, DecodeDemand::Asleep) => Duration::ZERO,
            (Pace::OnDemand, DecodeDemand::Off) => return,
        };
        self.stills.frame(&self.id, &frame);
        if self.next_look.is_some_and(|at| frame.time < at) {
            return;
        }
        self.next_look = Some(next_on_grid(self.next_look, frame.time, every));
        self.look(frame);
    }

    /// Motion first; persons where it matters.
    fn look(&mut self, frame: Frame) {
        let asleep = self.demand == DecodeDemand::Asleep;
        if self.detector.withdraw(frame.time) {
            self.events.not_looked();
        }
        let report = match self.detector.motion(&frame) {
            Ok(report) => report,
            Err(error) => {
                tracing::debug!(camera = %self.id, %error, "no answer from the motion model");
                return;
            }
        };
        self.live.motion(&self.id, report.moving());
        let want = match self.pace {
            Pace::OnDemand => {
                let detector = &mut self.detector;
                let turn = || detector.turn(report.time);
                self.events.wants_person(&report, turn)
            }
            Pace::Every(_) | Pace::All => Some(Want::Now),
        };
        let step = self.judge(|events| events.motion(&report));
        self.follow(step, None, None);
        if asleep {
            let waited = self.clock.now().since(frame.arrived);
            self.metrics.wake_latency.observe(waited.as_secs_f64());
        }
        if let Some(want) = want {
            let trigger = match (self.pace, asleep) {
                (Pace::OnDemand, true) => Trigger::Wake,
                (Pace::OnDemand, false) => Trigger::Awake,
                _ => Trigger::Fixed,
            };
            // A picture that was chosen beforehand, and the first one at waking, are seen as a whole.
            let whole = trigger != Trigger::Awake;
            let mut regions = report.regions.clone();
            if regions.is_empty() {
                regions.extend(report.unseen);
            }
            let (regions, tracks) = (&regions, self.tracker.tracks());
            let parts = self.stages.time(Stage::Track, || {
                self.roi
                    .choose(frame.time, frame.size, regions, tracks, whole)
            });
            self.detector.offer(DetectRequest {
                parts,
                frame,
                trigger,
                priority: match want {
                    Want::Spare => Priority::Spare,
                    Want::Now if asleep || self.open.is_some() => Priority::Urgent,
                    Want::Now => Priority::Routine,
                },
            });
        }
    }

    /// Takes the person looks that are done, without waiting.
    pub fn collect(&mut self) {
        while let Some(seen) = self.detector.take() {
            self.seen(seen);
        }
    }

    /// Takes the person looks that are asked for, and waits for them: lock-step.
    pub fn settle(&mut self) {
        while self.detector.pending() {
            match self.detector.wait(Duration::from_secs(30)) {
                Some(seen) => self.seen(seen),
                None => {
                    tracing::error!(camera = %self.id, "the person model gave no answer in 30 s");
                    return;
                }
            }
        }
    }

    fn seen(&mut self, seen: DetectResult) {
        let detections = match seen.detections {
            Ok(detections) => detections,
            Err(error) => {
                tracing::debug!(camera = %self.id, %error, "no answer from the person model");
                return;
            }
        };
        let time = seen.frame.time;
        self.tracker.set_picture(seen.frame.size);
        let tracks = self.stages.time(Stage::Track, || {
            self.tracker.step(time, &detections).to_vec()
        });
        self.roi.seen(time, &detections, &tracks);
        let best = detections.first().map_or(0.0, |best| best.score);
        let step = self.judge(|events| events.seen(time, &tracks, best));
        self.follow(step, Some(&seen.frame), Some(&tracks));
        for track in &tracks {
            if self.events.has_joined(track.id) {
                self.tracker.vouch(track.id);
            }
        }
        self.view = self
            .open
            .and_then(|open| SnapshotCandidate::best(open, &seen.frame, self.members(&tracks)));
        if self.pace != Pace::OnDemand {
            self.sightings.push(RawDetections {
                time,
                detections,
                tracks,
            });
        }
    }

    /// Of `tracks` those of the open incident.
    fn members<'a>(&'a self, tracks: &'a [Track]) -> impl Iterator<Item = &'a Track> {
        let joined = |track: &&Track| self.events.has_joined(track.id);
        tracks.iter().filter(joined)
    }

    fn judge(&mut self, rule: impl FnOnce(&mut Events) -> Step) -> Step {
        self.stages.time(Stage::Track, || rule(&mut self.events))
    }

    /// Does what the rules say: the new demand, and the changes of incidents.
    fn follow(&mut self, step: Step, frame: Option<&Frame>, tracks: Option<&[Track]>) {
        if step.demand != self.demand {
            tracing::debug!(camera = %self.id, from = ?self.demand, to = ?step.demand, "decoder");
            self.demand = step.demand;
            if self.pace == Pace::OnDemand {
                self.next_look = None;
            }
        }
        self.refusals.extend(step.refusals);
        for change in step.changes {
            let incident = &change.incident;
            let view = frame.zip(tracks).and_then(|(frame, tracks)| {
                SnapshotCandidate::best((incident.id, incident.label), frame, self.members(tracks))
            });
            match incident.state {
                IncidentState::Began => {
                    self.metrics.incidents.get_or_create(&self.label()).inc();
                    self.open = Some((incident.id, incident.label));
                    tracing::info!(camera = %self.id, incident = %incident.id, score = format_args!("{:.2}", incident.score), "{} seen", incident.label);
                }
                IncidentState::Updated => self.open = Some((incident.id, incident.label)),
                IncidentState::Ended => {
                    self.open = None;
                    tracing::info!(camera = %self.id, incident = %incident.id, reason = incident.end_reason.map_or("", EndReason::as_str), "incident ended");
                }
            }
            self.reports.push(IncidentUpdate {
                view: view.filter(|_| incident.state == IncidentState::Began),
                confirmed_by: frame.map(|frame| frame.arrived),
                newest: self.newest,
                change,
            });
        }
    }

    fn label(&self) -> CameraLabel {
        CameraLabel {
            camera: self.id.to_string(),
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: MediaTime) {
        let step = self.judge(|events| events.tick(now));
        self.follow(step, None, None);
    }

    /// Arms or disarms.
    pub fn set_mode(&mut self, mode: Mode, now: MediaTime) {
        let step = self.judge(|events| events.set_mode(mode, now));
        self.follow(step, None, None);
    }

    /// Ends what is open.
    pub fn finish(&mut self, reason: EndReason) {
        let newest = self.newest;
        let step = self.judge(|events| events.finish(newest, reason));
        self.follow(step, None, None);
    }

    /// The changes since the last call, in order.
    pub fn take_updates(&mut self) -> Vec<IncidentUpdate> {
        std::mem::take(&mut self.reports)
    }

    /// The newest view of an open incident since the last call.
    pub fn take_view(&mut self) -> Option<SnapshotCandidate> {
        self.view.take()
    }

    /// What the person looks saw since the last call; only with a fixed grid.
    pub fn take_raw_detections(&mut self) -> Vec<RawDetections> {
        std::mem::take(&mut self.sightings)
    }

    /// Whether every packet matters now; asleep, the packets between keyframes may wait.
    #[must_use]
    pub fn attentive(&self) -> bool {
        matches!(self.demand, DecodeDemand::Awake { .. })
    }

    /// Whether something is under way in which time matters: it is awake, an incident is open, or an answer is to come.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.attentive() || self.open.is_some() || self.detector.pending()
    }

    /// Why no picture was ever decoded, if none was.
    #[must_use]
    pub fn blind(&self) -> Option<String> {
        (self.decoder.decoded() == 0).then(|| match &self.undecodable {
            Some(error) => error.to_string(),
            None => format!("{} units are damaged", self.decoder.corrupt()),
        })
    }

    /// Pictures decoded so far.
    #[must_use]
    pub fn decoded(&self) -> u64 {
        self.decoder.decoded()
    }

    /// What became no incident, and why, since the last call.
    pub fn take_refusals(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refusals)
    }
}
