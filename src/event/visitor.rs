//! What the rules know of one track: whether it moves of its own, where it has been, whether it is still there.

use std::time::Duration;

use super::{
    demand::EAGER_FOR,
    memory::FalsePositive,
    reasons::Reason,
    surroundings::Surroundings,
    zones::{Places, Route},
};
use crate::flow::{
    IncidentId, Label, MediaTime, Movement, NormRect, RuleHit, Track, TrackId, TrackState,
};

/// Who has gone this share of its own height has moved: half a step of a walker.
const MOVED: f32 = 0.15;
/// The same for one that has long been still: the box of a poster shakes, and given time shakes far.
const MOVED_AFTER_REST: f32 = 0.3;
/// From this age on a track that has not moved is at rest.
pub(super) const AT_REST_AFTER: Duration = Duration::from_secs(5);
/// Who joins an open incident must have gone this share of its own height ...
const MOVED_TO_JOIN: f32 = 0.5;
/// ... or have stirred for so long that nobody else's doing explains it ...
const STIRRED_TO_JOIN: f32 = 0.6;
/// ... and be seen clearly twice, or more often: near somebody who walks, boxes of other things jump, and what joins by
/// mistake keeps the incident open.
const EVIDENCE_TO_JOIN: f32 = 2.0;
/// Least overlap with the first box that counts as the same place.
const SAME_PLACE: f32 = 0.6;
/// What looks with foreground of its own must say for it (each the square of its evidence, so that a clear one counts 1
/// and doubtful ones little) where it also grew or shrank ...
const GREW: f32 = 0.45;
/// ... and where it only stands in a place that was empty before: one clear look, or four of half the evidence.
const APPEARED: f32 = 0.98;
/// Evidence for one in a place that has given doubtful boxes before: so much more for each time ...
const MORE_EVIDENCE: f32 = 1.0;
/// ... up to so many times.
const MOST_TIMES: u32 = 3;
/// So much of its own cells changing, summed over all looks, is movement: a poster changes no more than the wall.
const STIRRED: f32 = 0.3;
/// Who scores less than this and does not stir ...
const CLEAR_ENOUGH: f32 = 0.5;
/// ... for this long ...
const IDLE_FOR: Duration = Duration::from_secs(4);
/// ... and so many looks may be furniture.
const IDLE_LOOKS: u32 = 3;
/// Cells that changed within the last moment say more than the boxes of a look: who has moved so, and was once seen at
/// this score ...
const SEEN_FAIRLY: f32 = 0.5;
/// ... is believed on so much evidence, though never clear and gone nowhere.
const EVIDENCE_IF_STIRRED: f32 = 1.5;
/// One who takes an incident over was seen so short a time ago ...
const SEEN_JUST_NOW: Duration = Duration::from_secs(1);
/// ... and stirred so short a time ago, ...
const STIRRED_JUST_NOW: Duration = Duration::from_secs(2);
/// ... or came so short a time ago: long enough to take a step.
const CAME_JUST_NOW: Duration = Duration::from_secs(3);
/// Fewer looks than this are too few to call a score low.
const FEW_LOOKS: u32 = 3;
/// Looks in a zone that make an entry: a box that shakes over the border has not entered.
const ENTRY: u32 = 2;

/// One track as the rules see it.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) id: TrackId,
    pub(super) label: Label,
    /// First and newest look in which it was seen outside the mask; none yet: neither.
    seen: Option<(MediaTime, MediaTime)>,
    pub(super) looks: u32,
    /// Seen in the newest look, and there.
    present: Option<NormRect>,
    /// Where it was last seen.
    pub(super) place: NormRect,
    score: f32,
    pub(super) top_score: f32,
    pub(super) evidence: f32,
    confirmed: bool,
    /// Its greatest height, share of the picture's.
    tallest: f32,
    pub(super) travelled: f32,
    /// It was on its way out through the picture's edge when last seen.
    pub(super) leaving: bool,
    /// It was there before the watch began, so how far it went since its first sight says nothing.
    from_before: bool,
    /// Where it was when the watch first knew of it.
    origin: NormRect,
    own_foreground: f32,
    /// Shares of its cells that changed, summed over the looks in which it stirred.
    stirred: f32,
    stirred_at: Option<MediaTime>,
    /// When it was last clear or stirred, and the looks since.
    alive: Option<(MediaTime, u32)>,
    /// Whether its place is known to have been empty before, and nobody was near who could have put something there.
    newcomer: bool,
    /// What was refused in this place before.
    false_positive: Option<FalsePositive>,
    /// When and how it had moved of its own.
    moved: Option<(MediaTime, Movement)>,
    zone_looks: Vec<u32>,
    /// Zones entered, in order.
    pub(super) zones: Vec<usize>,
    route: Route,
    /// It belongs to the open incident.
    pub(super) joined: bool,
    /// The last incident that it belonged to.
    part_of: Option<IncidentId>,
}

impl Visitor {
    pub(super) fn new(
        track: &Track,
        places: &Places,
        watching_since: MediaTime,
        newcomer: bool,
        false_positive: Option<FalsePositive>,
    ) -> Self {
        let from_before = track.first_seen < watching_since;
        Self {
            id: track.id,
            label: track.label,
            seen: None,
            looks: 0,
            present: None,
            place: track.rect,
            score: 0.0,
            top_score: 0.0,
            evidence: 0.0,
            confirmed: false,
            tallest: 0.0,
            travelled: 0.0,
            leaving: false,
            from_before,
            origin: if from_before {
                track.rect
            } else {
                track.first_rect
            },
            own_foreground: 0.0,
            stirred: 0.0,
            stirred_at: None,
            alive: None,
            newcomer: newcomer && false_positive.is_none(),
            false_positive,
            moved: None,
            zone_looks: vec![0; places.count()],
            zones: Vec::new(),
            route: Route::new(places),
            joined: false,
            part_of: None,
        }
    }

    /// Takes in one look, with what else is known of the same picture, and what was refused in that place before.
    pub(super) fn look(
        &mut self,
        time: MediaTime,
        track: &Track,
        around: &Surroundings<'_>,
        places: &Places,
        false_positive: Option<&FalsePositive>,
    ) {
        self.present = track.seen.filter(|rect| {
            // A track that passes a bush may be left hanging in it when the visitor is gone.
            let furniture = (self.was_told() || self.moved.is_some())
                && false_positive.is_some_and(|false_positive| false_positive.gave(track.score))
                && !around.has_foreground_of(rect);
            !places.masked(rect) && !furniture
        });
        let Some(rect) = self.present else {
            return;
        };
        let first = self.seen.map_or(time, |(first, _)| first);
        self.seen = Some((first, time));
        self.looks += 1;
        self.place = rect;
        self.score = track.score;
        self.top_score = self.top_score.max(track.score);
        let said = (track.evidence - self.evidence).clamp(0.0, 1.0);
        self.evidence = track.evidence;
        self.confirmed = track.state != TrackState::Tentative;
        self.tallest = self.tallest.max(rect.clamped().height());
        self.leaving = track.leaving;
        if !self.from_before {
            self.travelled = track.travelled;
        }

        if around.has_foreground_of(&rect) {
            self.own_foreground += said * said;
        }
        let stirs = around.stir(&rect.clamped());
        if stirs > 0.0 {
            self.stirred += stirs;
            self.stirred_at = Some(time);
        }
        let clear = track.score >= CLEAR_ENOUGH;
        self.alive = match self.alive {
            Some((since, looks)) if stirs == 0.0 && !clear => Some((since, looks + 1)),
            _ => Some((time, 0)),
        };
        if self.moved.is_none() {
            self.moved = self.movement(time, track).map(|movement| (time, movement));
        }

        for zone in places.around(&rect) {
            self.zone_looks[zone] += 1;
            if self.zone_looks[zone] == ENTRY {
                self.zones.push(zone);
            }
        }
        self.route.step(time, &rect, places);
    }

    /// How it has moved of its own, if it has.
    fn movement(&self, time: MediaTime, track: &Track) -> Option<Movement> {
        let needed = if self.resting(time) || self.false_positive.is_some() {
            MOVED_AFTER_REST
        } else {
            MOVED
        };
        if self.travelled >= needed {
            return Some(Movement::Travelled);
        }
        // Somebody who comes into the picture, or straight towards the camera, grows rather than travels.
        if self.own_foreground >= GREW && track.rect.iou(&self.origin) < SAME_PLACE {
            return Some(Movement::Grew);
        }
        if self.newcomer && self.own_foreground >= APPEARED {
            return Some(Movement::Appeared);
        }
        (self.stirred >= STIRRED).then_some(Movement::Stirred)
    }

    /// Makes it part of the incident; false if it was already, and had been taken to be gone.
    pub(super) fn join(&mut self, incident: IncidentId) -> bool {
        self.joined = true;
        self.part_of.replace(incident) != Some(incident)
    }

    /// Whether it was part of an incident.
    pub(super) fn was_told(&self) -> bool {
        self.part_of.is_some()
    }

    /// The incident is over: what it did meanwhile was told, or was another's doing.
    pub(super) fn begin_anew(&mut self) {
        self.from_before = true;
        self.origin = self.place;
        self.newcomer = false;
        self.own_foreground = 0.0;
        self.stirred = 0.0;
        self.stirred_at = None;
        self.travelled = 0.0;
        self.moved = None;
    }

    /// Since when it has neither been clear nor stirred, where that is so for long: then it may be furniture on which a
    /// track was left hanging.
    pub(super) fn idle_since(&self, now: MediaTime) -> Option<MediaTime> {
        let (since, looks) = self.alive?;
        let idle = looks >= IDLE_LOOKS && now.since(since) >= IDLE_FOR;
        (self.present.is_some() && idle).then_some(since)
    }

    /// The newest look did not know it any more.
    pub(super) fn gone_from_look(&mut self) {
        self.present = None;
    }

    /// Where it is, if it was seen in the newest look.
    pub(super) fn present(&self) -> Option<NormRect> {
        self.present
    }

    /// First sight outside the mask.
    pub(super) fn first_seen(&self) -> Option<MediaTime> {
        self.seen.map(|(first, _)| first)
    }

    /// Newest sight outside the mask.
    pub(super) fn last_seen(&self) -> Option<MediaTime> {
        self.seen.map(|(_, last)| last)
    }

    /// When and how it had moved of its own.
    pub(super) fn moved(&self) -> Option<(MediaTime, Movement)> {
        self.moved
    }

    /// Whether it is part of the open incident and the newest look missed it.
    pub(super) fn is_missed(&self) -> bool {
        self.joined && self.present.is_none()
    }

    /// Rules that it has fired, in order.
    pub(super) fn rules(&self) -> &[RuleHit] {
        &self.route.hits
    }

    /// How good a picture of it the newest look holds.
    pub(super) fn prominence(&self) -> f32 {
        self.present
            .map_or(0.0, |rect| self.score * rect.clamped().height().sqrt())
    }

    /// Whether it has been there for a while and never moved: a statue, a poster, somebody asleep.
    pub(super) fn resting(&self, now: MediaTime) -> bool {
        self.moved.is_none()
            && self
                .first_seen()
                .is_some_and(|first| now.since(first) >= AT_REST_AFTER)
    }

    /// Whether it is worth more looks: not what is at rest, nor what gives doubtful boxes where others were refused.
    pub(super) fn is_interesting(&self, now: MediaTime) -> bool {
        !self.resting(now) && (self.false_positive.is_none() || self.believed())
    }

    /// Whether it came just now, with movement in its place, so that the next looks decide.
    pub(super) fn may_be_coming(&self, now: MediaTime) -> bool {
        self.own_foreground > 0.0
            && self
                .first_seen()
                .is_some_and(|first| now.since(first) < EAGER_FOR)
    }

    /// Whether its visit is worth reporting.
    pub(super) fn counts(&self, places: &Places) -> bool {
        self.believed()
            && places.large_enough(self.tallest)
            && self.moved.is_some()
            && places.suffice(&self.zones, self.rules())
    }

    /// Whether it belongs to the incident that is open already.
    pub(super) fn joins(&self, places: &Places) -> bool {
        let moves = self.travelled >= MOVED_TO_JOIN || self.stirred >= STIRRED_TO_JOIN;
        self.counts(places) && self.evidence >= EVIDENCE_TO_JOIN && moves
    }

    /// Whether the incident whose visitors are all gone may go on with it. One that has just come is given a moment to
    /// move; one that has been there for longer must count, and must have moved just now.
    pub(super) fn may_take_over(&self, now: MediaTime, places: &Places) -> bool {
        let within =
            |then: Option<MediaTime>, span| then.is_some_and(|then| now.since(then) < span);
        let new = within(self.first_seen(), CAME_JUST_NOW);
        let stirs = || within(self.stirred_at, STIRRED_JUST_NOW) && self.counts(places);
        within(self.last_seen(), SEEN_JUST_NOW)
            && self.evidence >= 1.0
            && self.is_interesting(now)
            && places.suffice(&self.zones, self.rules())
            && (new || stirs())
    }

    /// Whether what it was seen like is enough for where it was seen.
    pub(super) fn believed(&self) -> bool {
        let more = match &self.false_positive {
            Some(false_positive) if false_positive.gave(self.top_score) => {
                MORE_EVIDENCE * false_positive.times.min(MOST_TIMES) as f32
            }
            _ => 0.0,
        };
        let stirs = self.stirred >= STIRRED
            && self.top_score >= SEEN_FAIRLY
            && self.evidence >= EVIDENCE_IF_STIRRED;
        (self.confirmed || stirs) && self.evidence >= 1.0 + more
    }

    /// Why its visit was not reported.
    pub(super) fn reason(&self, places: &Places) -> Reason {
        if self.seen.is_none() {
            Reason::Masked
        } else if !places.large_enough(self.tallest) {
            Reason::TooSmall
        } else if !self.confirmed && !self.believed() && self.looks < FEW_LOOKS {
            Reason::DidNotLast
        } else if !self.confirmed && !self.believed() {
            Reason::LowScore
        } else if !self.believed() {
            Reason::DoubtfulPlace
        } else if self.moved.is_none() {
            Reason::NoMovement
        } else {
            Reason::OutsideZones
        }
    }
}
