//! Tracks and motion become incidents, and say how awake the decoder must be.
//!
//! In: each answer of the motion model, all tracks after each look for persons, time, the mode. Out: what happened to
//! the incident ([`IncidentChange`]), what the decoder should do ([`DecodeDemand`], the only arrow that points back),
//! and why something became no incident ([`Refusal`]).
//! Pure: no I/O, no clock, no threads; time comes in with each call and never goes back. Never sees a picture.
//! Imports `flow` and `config` only.
//!
//! # What is an incident
//! One visit. It begins when a track of a wanted kind is believed, has moved of its own (travelled, grew, stands where an
//! earlier look found nobody, or its own pixels change), is outside the motion mask and, where a zone is required, has entered one. A person who comes while it is open joins it. It ends `end_after_left`
//! after its last visitor left through the picture's edge, or `end_after_lost` after the last one was lost inside it
//! (sooner where nothing moves any more), but never before a look has missed that visitor; and it goes on with somebody
//! else who is there by then and has just come or moves. What is seen but scores little and
//! does not stir holds no incident open. Nobody is reported for merely being there: not a poster, not a
//! resident asleep in a chair when the camera is armed.

mod calm;
mod demand;
mod glances;
mod ignored;
mod machine;
mod memory;
mod reasons;
mod surroundings;
mod visitor;
mod zones;

use std::{fmt, time::Duration};

use crate::{
    config::{DetectConfig, IncidentConfig},
    flow::{
        CameraId, DecodeDemand, EndReason, IncidentChange, IncidentId, Label, MediaTime, Mode,
        MotionRegion, MotionReport, NormRect, Track, TrackId,
    },
};
use calm::UnchangedScene;
use demand::{Need, Wakefulness};
use glances::Glances;
use ignored::Ignored;
use machine::Machine;
use memory::FalsePositiveMap;
pub use reasons::{Reason, Refusal, Refused};
use surroundings::Surroundings;
use visitor::Visitor;
use zones::Places;

/// Who has gone less far than this, in its own heights, was in one place all the time.
const STAYED: f32 = 0.3;

/// What one call brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What happened to the incident, in order.
    pub changes: Vec<IncidentChange>,
    /// What the decoder should do from now on.
    pub demand: DecodeDemand,
    /// What was found to be no incident.
    pub refusals: Vec<Refusal>,
}

/// When the person model should look at a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// At once.
    Now,
    /// When there is time to spare.
    Spare,
}

/// The rules of one camera.
pub struct Events {
    labels: Vec<Label>,
    motion_area: f32,
    places: Places,
    mode: Mode,
    machine: Machine,
    wakefulness: Wakefulness,
    memory: FalsePositiveMap,
    ignored: Ignored,
    visitors: Vec<Visitor>,
    /// Best score of any box since the camera woke.
    best_score: f32,
    /// Motion of the newest look.
    report: Option<MotionReport>,
    calm: UnchangedScene,
    glances: Glances,
    now: MediaTime,
    /// When the watch began: start, arming, or the last end of the stream.
    since: MediaTime,
    /// Newest look for persons since the watch began, and whether one was made with a settled background.
    last_look: Option<MediaTime>,
    looked_settled: bool,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("now", &self.now)
            .field("mode", &self.mode)
            .field("open", &self.machine.is_open())
            .field("visitors", &self.visitors)
            .field("wakefulness", &self.wakefulness)
            .finish_non_exhaustive()
    }
}

impl Events {
    /// The rules of one camera, with nothing seen yet. `new_id` names each new incident.
    #[must_use]
    pub fn new(
        camera: CameraId,
        detect: &DetectConfig,
        incident: &IncidentConfig,
        mode: Mode,
        new_id: impl FnMut() -> IncidentId + Send + 'static,
    ) -> Self {
        Self {
            labels: detect.labels.clone(),
            motion_area: detect.least_motion(),
            places: Places::new(detect),
            mode,
            machine: Machine::new(camera, incident.clone(), Box::new(new_id)),
            wakefulness: Wakefulness::new(detect.idle_after, detect.look_interval()),
            memory: FalsePositiveMap::default(),
            ignored: Ignored::new(detect.least_motion()),
            visitors: Vec::new(),
            best_score: 0.0,
            report: None,
            calm: UnchangedScene::default(),
            glances: Glances::new(MediaTime::ZERO),
            now: MediaTime::ZERO,
            since: MediaTime::ZERO,
            last_look: None,
            looked_settled: false,
        }
    }

    /// Mode in force.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether an incident is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.machine.is_open()
    }

    /// Whether this motion is enough to be looked into.
    #[must_use]
    pub fn is_motion(&self, report: &MotionReport) -> bool {
        report.settled && report.regions.iter().any(|r| r.score >= self.motion_area)
    }

    /// Whether the picture differs from the one of the first look of the watch, while the background is still being
    /// learnt. Asleep, that takes until the third keyframe at least, and who is there meanwhile becomes part of it.
    fn is_change_at_start(&self, report: &MotionReport) -> bool {
        !report.settled
            && !self.looked_settled
            && report.unseen.is_some_and(|u| u.score >= self.motion_area)
    }

    /// Whether the person model should look at the picture of this report: at once, as something moves in it, or somebody is
    /// being followed, who may stand still; or when there is time to spare and `turn` says so, as it is not yet known who was
    /// there when the watch began, or it differs from the picture that was last looked at, or the background is still
    /// being learnt. `turn` is asked only where the answer depends on it; one that says no is asked again with the next
    /// report.
    #[must_use]
    pub fn wants_person(
        &mut self,
        report: &MotionReport,
        turn: impl FnOnce() -> bool,
    ) -> Option<Want> {
        if self.mode != Mode::Armed {
            return None;
        }
        let who_is_there = self.last_look.is_none() || (report.settled && !self.looked_settled);
        let followed = |v: &Visitor| v.first_seen().is_some() && v.is_interesting(report.time);
        let unknown =
            || !report.settled || report.unseen.is_some_and(|u| u.score >= self.motion_area);
        if self.visitors.iter().any(followed) || self.machine.is_open() || self.is_motion(report) {
            return Some(Want::Now);
        }
        if who_is_there {
            return turn().then_some(Want::Spare);
        }
        let glance = unknown() && self.glances.any(report.time) && turn();
        if glance {
            self.glances.spend();
        }
        glance.then_some(Want::Spare)
    }

    /// A look that was wanted when there is time was not made: a newer picture takes its place.
    pub fn not_looked(&mut self) {
        self.glances.give_back();
    }

    /// Takes in a look of the motion model, whether or not the person model will look at the same picture.
    pub fn motion(&mut self, report: &MotionReport) -> Step {
        self.advance(report.time);
        if self.mode == Mode::Armed {
            if self.is_motion(report) || self.is_change_at_start(report) {
                self.wakefulness.motion(self.now);
            }
            let large = report
                .regions
                .iter()
                .filter(|r| r.score >= self.motion_area);
            let patches = report.settled.then(|| large.map(|r| r.rect).collect());
            self.calm.look(report.time, patches);
            self.report = Some(report.clone());
            self.ignored.look(report);
        }
        self.step(Vec::new())
    }

    /// Takes in all live tracks after a look of the person model at a picture taken at `time`, and the best score of any
    /// box in it. Where the motion model looked at the same picture, [`Self::motion`] comes first.
    pub fn seen(&mut self, time: MediaTime, tracks: &[Track], best_score: f32) -> Step {
        self.advance(time);
        self.best_score = self.best_score.max(best_score);
        if self.mode == Mode::Disarmed {
            return self.step(Vec::new());
        }
        self.last_look = Some(self.now);
        let refusals = self.forget_gone(tracks);
        // What appears while somebody is there may be a coat that was hung up; what the first look finds was there.
        let newcomers = self.looked_settled && !self.machine.is_open();
        let (mut foreground, mut changes) = (Vec::new(), None);
        if let Some(report) = self.report.as_ref().filter(|report| report.time == time) {
            self.looked_settled |= report.settled;
            foreground.clone_from(&report.regions);
            // What differs from the last look but is no foreground came since, too.
            foreground.extend(report.unseen.filter(|unseen| {
                report.settled
                    && !report
                        .regions
                        .iter()
                        .any(|r| r.rect.iou(&unseen.rect) > 0.0)
            }));
            changes = report.changes.clone();
        }

        // Foreground of those who are part of the incident is nobody else's.
        let taken: Vec<NormRect> = self
            .visitors
            .iter()
            .filter(|visitor| visitor.joined)
            .filter_map(|visitor| tracks.iter().find(|t| t.id == visitor.id)?.seen)
            .collect();
        let free: Vec<MotionRegion> = foreground
            .iter()
            .filter(|region| !taken.iter().any(|rect| region.rect.is_mostly_in(rect)))
            .copied()
            .collect();
        for track in tracks.iter().filter(|t| self.labels.contains(&t.label)) {
            let known = self.visitors.iter().position(|v| v.id == track.id);
            let index = match known {
                Some(index) => index,
                // Whoever was already lost is no visitor until seen again.
                None if track.seen.is_none() => continue,
                None => {
                    let false_positive =
                        self.memory.of(track.label, &track.rect, self.now).cloned();
                    let since = self.since;
                    self.visitors.push(Visitor::new(
                        track,
                        &self.places,
                        since,
                        newcomers,
                        false_positive,
                    ));
                    self.visitors.len() - 1
                }
            };
            let visitor = &mut self.visitors[index];
            let own = if visitor.joined { &foreground } else { &free };
            let place = track.seen.unwrap_or(track.rect);
            let false_positive = self.memory.of(track.label, &place, self.now);
            let seen = Surroundings {
                foreground: own,
                changes: changes.as_deref(),
            };
            visitor.look(self.now, track, &seen, &self.places, false_positive);
            if visitor.present().is_some() && visitor.is_interesting(self.now) {
                if visitor.believed() {
                    self.wakefulness.person(self.now);
                } else {
                    self.wakefulness.doubt(self.now);
                }
            }
        }
        self.step(refusals)
    }

    /// Whether the track belongs to the open incident.
    #[must_use]
    pub fn has_joined(&self, track: TrackId) -> bool {
        let mut visitors = self.visitors.iter();
        visitors.any(|visitor| visitor.id == track && visitor.joined)
    }

    /// Drops visitors whose tracks are over; those of the open incident stay until they have been away for long enough.
    fn forget_gone(&mut self, tracks: &[Track]) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        self.visitors.retain_mut(|visitor| {
            if tracks.iter().any(|t| t.id == visitor.id) {
                return true;
            }
            visitor.gone_from_look();
            if !visitor.was_told() {
                let refusal = refuse(visitor, &self.places, self.now);
                let doubtful = [Reason::LowScore, Reason::DoubtfulPlace, Reason::NoMovement]
                    .contains(&refusal.reason);
                if doubtful && visitor.travelled < STAYED {
                    let (label, place) = (visitor.label, visitor.place);
                    self.memory
                        .refused(label, place, visitor.top_score, self.now);
                }
                refusals.push(refusal);
            }
            visitor.joined
        });
        refusals
    }

    /// Time passes without a look.
    pub fn tick(&mut self, now: MediaTime) -> Step {
        self.advance(now);
        self.step(Vec::new())
    }

    /// Arms or disarms. Disarming ends the open incident; arming begins a new watch, in which those who are already
    /// there are no visitors until they move.
    pub fn set_mode(&mut self, mode: Mode, now: MediaTime) -> Step {
        self.advance(now);
        let mut changes = Vec::new();
        let mut refusals = Vec::new();
        if mode != self.mode {
            self.mode = mode;
            (changes, refusals) = self.begin_anew(EndReason::Disarmed);
        }
        let mut step = self.step(refusals);
        step.changes.splice(0..0, changes);
        step
    }

    /// Ends the open incident: the stream ended, or the agent stops. If pictures come again, a new watch begins.
    pub fn finish(&mut self, now: MediaTime, reason: EndReason) -> Step {
        self.advance(now);
        let (changes, refusals) = self.begin_anew(reason);
        let mut step = self.step(refusals);
        step.changes.splice(0..0, changes);
        step
    }

    fn begin_anew(&mut self, reason: EndReason) -> (Vec<IncidentChange>, Vec<Refusal>) {
        let changes = self.machine.end(reason).into_iter().collect();
        let refusals = self
            .visitors
            .drain(..)
            .filter(|v| !v.was_told())
            .map(|v| refuse(&v, &self.places, self.now))
            .collect();
        self.wakefulness = self.wakefulness.asleep_again();
        self.report = None;
        self.calm = UnchangedScene::default();
        self.glances = Glances::new(self.now);
        self.since = self.now;
        self.last_look = None;
        self.looked_settled = false;
        (changes, refusals)
    }

    fn advance(&mut self, to: MediaTime) {
        self.now = self.now.max(to);
    }

    /// Whatever follows from the state as it is now.
    fn step(&mut self, mut refusals: Vec<Refusal>) -> Step {
        let last_look = self.last_look.unwrap_or(self.since);
        let changes = self.machine.step(
            self.now,
            last_look,
            self.calm.still(),
            &mut self.visitors,
            &self.places,
        );
        let open = self.machine.is_open();
        if let Some(spell) = self.wakefulness.settle(self.now, open) {
            let score = std::mem::take(&mut self.best_score);
            if !spell.person {
                let largest = self.report.as_ref().and_then(|r| r.regions.first());
                refusals.push(Refusal {
                    what: Refused::Motion,
                    reason: Reason::NoPerson,
                    from: spell.from,
                    to: self.now,
                    score,
                    looks: 0,
                    place: largest.map(|region| region.rect),
                });
            }
        }
        refusals.extend(self.ignored.over(self.now));
        let demand = match self.mode {
            Mode::Disarmed => DecodeDemand::Off,
            Mode::Armed => {
                let need = if !open {
                    let coming = self.visitors.iter().any(|v| v.may_be_coming(self.now));
                    Need::Alone { coming }
                } else if self.visitors.iter().any(Visitor::is_missed) {
                    Need::Incident {
                        calm: Duration::ZERO,
                    }
                } else {
                    let calm = self.calm.lasted();
                    Need::Incident { calm }
                };
                self.wakefulness.demand(self.now, need)
            }
        };
        Step {
            changes,
            demand,
            refusals,
        }
    }
}

fn refuse(visitor: &Visitor, places: &Places, now: MediaTime) -> Refusal {
    Refusal {
        what: Refused::Track(visitor.id),
        reason: visitor.reason(places),
        from: visitor.first_seen().unwrap_or(now),
        to: visitor.last_seen().unwrap_or(now),
        score: visitor.top_score,
        looks: visitor.looks,
        place: Some(visitor.place),
    }
}

#[cfg(test)]
mod tests;
