//! The life of an incident: one at a time, begun and ended exactly once.
//!
//! ```text
//!   none ──(a visitor counts)──► open ──(the last one is gone for long enough, disarmed, stopped)──► none
//!                                 │ ▲
//!                                 └─┘ another visitor, a zone entered, a rule fired, a clearly better score: updated
//! ```
//! One who has just come, or moves, when the last one is gone takes the incident over, or has a moment to do so.

use std::time::Duration;

use super::{visitor::Visitor, zones::Places};
use crate::{
    config::IncidentConfig,
    flow::{
        CameraId, EndReason, Incident, IncidentChange, IncidentId, IncidentState, Label, MediaTime,
        Mode, Movement, NormRect, Why,
    },
};

/// Updates come no faster than this, so that a crowd is not a flood.
const UPDATE_EVERY: Duration = Duration::from_secs(3);
/// A score better by this much than the one told is worth an update.
const CLEARLY_BETTER: f32 = 0.15;
/// With nothing moving anywhere for this long, whoever was lost at least as long ago is taken to be gone: one who stands
/// still would be foreground. As long as somebody may need to walk past behind a parked van.
const STILL_FOR: Duration = Duration::from_secs(4);
/// But not whoever was part of the background when last seen, which was so long after all else came to rest.
const AT_REST: Duration = Duration::from_secs(1);
/// A visit starts at most this long before its first movement: somebody who sat there for an hour and gets up is not
/// a visit of an hour.
const LOOK_BACK: Duration = Duration::from_secs(10);

/// The open incident and what of it has been told.
#[derive(Debug)]
struct Open {
    incident: Incident,
    /// When the last one so far was last seen, and how that one went.
    last_out: (MediaTime, EndReason),
    record_until: MediaTime,
    /// How long it is recorded on when something new happens.
    record_resume: Duration,
    recording: bool,
    told_at: MediaTime,
    told_score: f32,
    /// Something other than the score changed since.
    untold: bool,
}

/// Makes incidents of visitors.
pub(super) struct Machine {
    camera: CameraId,
    config: IncidentConfig,
    new_id: Box<dyn FnMut() -> IncidentId + Send>,
    open: Option<Open>,
    /// End of the incident before; the next one starts no earlier.
    last_end: Option<MediaTime>,
}

impl Machine {
    pub(super) fn new(
        camera: CameraId,
        config: IncidentConfig,
        new_id: Box<dyn FnMut() -> IncidentId + Send>,
    ) -> Self {
        Self {
            camera,
            config,
            new_id,
            open: None,
            last_end: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Brings the incident up to date with the visitors as they are at `now`. `last_look` is the time of the newest look
    /// for persons: nobody is gone who was not looked for. `still`: since when nothing has moved in the picture, and for how long.
    pub(super) fn step(
        &mut self,
        now: MediaTime,
        last_look: MediaTime,
        still: Option<(MediaTime, Duration)>,
        visitors: &mut [Visitor],
        places: &Places,
    ) -> Vec<IncidentChange> {
        let mut changes = Vec::new();
        self.dismiss_gone(now, last_look, still, visitors);
        if let Some(open) = &mut self.open
            && !visitors.iter().any(|v| v.joined)
        {
            open.hand_over(now, visitors, places);
            let goes_on = |v: &Visitor| v.joined || v.may_take_over(now, places);
            if !visitors.iter().any(goes_on) {
                let reason = open.last_out.1;
                changes.extend(self.end(reason));
                visitors.iter_mut().for_each(Visitor::begin_anew);
            }
        }
        changes.extend(self.admit(now, visitors, places));
        changes.extend(self.update(now, visitors, places));
        changes
    }

    /// Ends the open incident, if there is one.
    pub(super) fn end(&mut self, reason: EndReason) -> Option<IncidentChange> {
        let Open {
            mut incident,
            last_out,
            ..
        } = self.open.take()?;
        incident.end = Some(last_out.0);
        incident.state = IncidentState::Ended;
        incident.end_reason = Some(reason);
        self.last_end = incident.end;
        Some(IncidentChange {
            incident,
            recording: false,
            subject: None,
        })
    }

    /// Dismisses the visitors of the open incident that are gone for good, and notes who was last.
    fn dismiss_gone(
        &mut self,
        now: MediaTime,
        last_look: MediaTime,
        still: Option<(MediaTime, Duration)>,
        visitors: &mut [Visitor],
    ) {
        let Some(open) = &mut self.open else {
            return;
        };
        let IncidentConfig {
            end_after_left,
            end_after_lost,
            ..
        } = self.config;
        for visitor in visitors.iter_mut().filter(|v| v.joined) {
            let Some(last) = visitor.last_seen() else {
                continue;
            };
            if let Some(since) = visitor.idle_since(now) {
                if since >= open.last_out.0 {
                    open.last_out = (since, EndReason::Lost);
                }
                visitor.joined = false;
                continue;
            }
            let (reason, wait) = if visitor.leaving {
                (EndReason::Left, end_after_left)
            } else if still
                .is_some_and(|(since, lasted)| lasted >= STILL_FOR && last.since(since) <= AT_REST)
            {
                (EndReason::Lost, end_after_lost.min(STILL_FOR))
            } else {
                (EndReason::Lost, end_after_lost)
            };
            if last >= open.last_out.0 {
                open.last_out = (last, reason);
            }
            let looked_for = last_look > last || now.since(last_look) >= end_after_lost;
            if looked_for && now.since(last) >= wait {
                visitor.joined = false;
            }
        }
    }

    /// Lets visitors who count join the open incident, or begins one.
    fn admit(
        &mut self,
        now: MediaTime,
        visitors: &mut [Visitor],
        places: &Places,
    ) -> Option<IncidentChange> {
        let mut began = false;
        for visitor in visitors
            .iter_mut()
            .filter(|v| !v.joined && v.present().is_some())
        {
            if let Some(open) = &mut self.open {
                if visitor.joins(places) {
                    open.admit(now, visitor);
                }
            } else if visitor.counts(places) {
                let id = self.begin(now, visitor);
                visitor.join(id);
                began = true;
            }
        }
        if !began {
            return None;
        }
        let open = self.open.as_mut()?;
        open.note(visitors, places);
        Some(open.tell(now, IncidentState::Began, visitors))
    }

    fn begin(&mut self, now: MediaTime, visitor: &Visitor) -> IncidentId {
        let (moved, movement) = visitor.moved().unwrap_or((now, Movement::Travelled));
        let start = visitor
            .first_seen()
            .unwrap_or(now)
            .max(moved.before(LOOK_BACK))
            .max(self.last_end.unwrap_or(MediaTime::from_nanos(i64::MIN)));
        let id = (self.new_id)();
        let incident = Incident {
            id,
            camera: self.camera.clone(),
            label: visitor.label,
            start,
            end: None,
            state: IncidentState::Began,
            end_reason: None,
            score: visitor.top_score,
            zones: Vec::new(),
            rules: Vec::new(),
            why: Why {
                looks: visitor.looks,
                evidence: hundredths(visitor.evidence),
                movement,
                height: hundredths(visitor.place.clamped().height()),
            },
            tracks: 1,
            mode: Mode::Armed,
            test: false,
        };
        self.open = Some(Open {
            incident,
            last_out: (now, EndReason::Lost),
            record_until: now + self.config.record_max,
            record_resume: self.config.record_resume,
            recording: false,
            told_at: now,
            told_score: 0.0,
            untold: false,
        });
        id
    }

    /// Tells what is worth telling, and switches recording.
    fn update(
        &mut self,
        now: MediaTime,
        visitors: &[Visitor],
        places: &Places,
    ) -> Option<IncidentChange> {
        let open = self.open.as_mut()?;
        if open.note(visitors, places) {
            open.untold = true;
            open.record_until = open.record_until.max(now + open.record_resume);
        }
        let switched = open.recording != (now < open.record_until);
        let better = open.incident.score >= open.told_score + CLEARLY_BETTER;
        let due = now.since(open.told_at) >= UPDATE_EVERY && (open.untold || better);
        (switched || due).then(|| open.tell(now, IncidentState::Updated, visitors))
    }
}

impl Open {
    /// Makes a visitor part of it.
    fn admit(&mut self, now: MediaTime, visitor: &mut Visitor) {
        // One who was taken to be gone and comes back is counted once.
        if visitor.join(self.incident.id) {
            self.incident.tracks += 1;
        }
        // From then on the visit is about the person who gets out of the car.
        if visitor.label == Label::Person {
            self.incident.label = Label::Person;
        }
        self.untold = true;
        self.record_until = self.record_until.max(now + self.record_resume);
    }

    /// Its visitors are gone. Who is there by now and would begin an incident alone is part of the same visit: somebody
    /// was in view all the time, and the household was told.
    fn hand_over(&mut self, now: MediaTime, visitors: &mut [Visitor], places: &Places) {
        for visitor in visitors {
            if visitor.present().is_some()
                && visitor.counts(places)
                && visitor.may_take_over(now, places)
            {
                self.admit(now, visitor);
            }
        }
    }

    /// Takes over the best score, the zones and the rules of all visitors; true if a zone or a rule is new.
    fn note(&mut self, visitors: &[Visitor], places: &Places) -> bool {
        let mut entered = false;
        for visitor in visitors.iter().filter(|v| v.joined) {
            self.incident.score = self.incident.score.max(visitor.top_score);
            for &zone in &visitor.zones {
                let name = places.name(zone);
                if !self.incident.zones.iter().any(|known| known == name) {
                    self.incident.zones.push(name.to_owned());
                    entered = true;
                }
            }
            for hit in visitor.rules() {
                if !self.incident.rules.contains(hit) {
                    self.incident.rules.push(hit.clone());
                    entered = true;
                }
            }
        }
        entered
    }

    fn tell(
        &mut self,
        now: MediaTime,
        state: IncidentState,
        visitors: &[Visitor],
    ) -> IncidentChange {
        self.incident.state = state;
        self.recording = now < self.record_until;
        self.told_at = now;
        self.told_score = self.incident.score;
        self.untold = false;
        IncidentChange {
            incident: self.incident.clone(),
            recording: self.recording,
            subject: subject(visitors),
        }
    }
}

/// As precise as people read it.
fn hundredths(value: f32) -> f32 {
    (value * 100.0).round() / 100.0
}

/// The box of the one who shows best in the newest look.
fn subject(visitors: &[Visitor]) -> Option<NormRect> {
    visitors
        .iter()
        .filter(|v| v.joined)
        .max_by(|a, b| a.prominence().total_cmp(&b.prominence()))
        .and_then(Visitor::present)
}
