//! What the rules know of one track: whether it moves of its own, where it has been, whether it is still there.

use std::time::Duration;

use super::{reasons::Reason, zones::Places};
use crate::flow::{Label, MediaTime, MotionRegion, NormRect, Track, TrackId, TrackState};

/// Who has gone this share of its own height has moved: half a step of a walker.
const MOVED: f32 = 0.15;
/// The same for one that has long been still: the box of a poster shakes, and given time shakes far.
const MOVED_AFTER_REST: f32 = 0.3;
/// From this age on a track that has not moved is at rest.
pub(super) const AT_REST_AFTER: Duration = Duration::from_secs(5);
/// Least overlap with the first box that counts as the same place.
const SAME_PLACE: f32 = 0.6;
/// Share of a box that foreground of its own must cover.
const COVERED: f32 = 0.3;
/// Share of a patch of foreground that must lie in the box for the patch to be the box's own.
const OWN: f32 = 0.5;
/// Sum of scores over looks with foreground of its own: two clear looks or three doubtful ones.
const ENOUGH_FOREGROUND: f32 = 1.2;
/// The same for somebody who never changed place, but whose place was empty before: seen first when already standing
/// there, because looks were rare.
const APPEARED: f32 = 4.0;
/// Looks in a zone that make an entry: a box that shakes over the border has not entered.
const ENTRY: u32 = 2;

/// One track as the rules see it.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) id: TrackId,
    pub(super) label: Label,
    /// First and newest look in which it was seen outside the mask; none yet: neither.
    seen: Option<(MediaTime, MediaTime)>,
    /// Seen in the newest look, and there.
    present: Option<NormRect>,
    score: f32,
    pub(super) top_score: f32,
    confirmed: bool,
    /// It was on its way out through the picture's edge when last seen.
    pub(super) leaving: bool,
    /// It was there before the watch began, so how far it went since its first sight says nothing.
    from_before: bool,
    /// Where it was when the watch first knew of it.
    origin: NormRect,
    own_foreground: f32,
    /// Whether its place is known to have been empty before, and nobody was near who could have put something there.
    newcomer: bool,
    /// When it had moved of its own.
    moved: Option<MediaTime>,
    zone_looks: Vec<u32>,
    /// Zones entered, in order.
    pub(super) zones: Vec<usize>,
    /// It belongs to the open incident.
    pub(super) joined: bool,
}

impl Visitor {
    pub(super) fn new(
        track: &Track,
        places: &Places,
        watching_since: MediaTime,
        newcomer: bool,
    ) -> Self {
        let from_before = track.first_seen < watching_since;
        Self {
            id: track.id,
            label: track.label,
            seen: None,
            present: None,
            score: 0.0,
            top_score: 0.0,
            confirmed: false,
            leaving: false,
            from_before,
            origin: if from_before {
                track.rect
            } else {
                track.first_rect
            },
            own_foreground: 0.0,
            newcomer,
            moved: None,
            zone_looks: vec![0; places.count()],
            zones: Vec::new(),
            joined: false,
        }
    }

    /// Takes in one look, with the foreground of the same picture.
    pub(super) fn look(
        &mut self,
        time: MediaTime,
        track: &Track,
        foreground: &[MotionRegion],
        places: &Places,
    ) {
        self.present = track.seen.filter(|rect| !places.masked(rect));
        let Some(rect) = self.present else {
            return;
        };
        let first = self.seen.map_or(time, |(first, _)| first);
        self.seen = Some((first, time));
        self.score = track.score;
        self.top_score = self.top_score.max(track.score);
        self.confirmed = track.state != TrackState::Tentative;
        self.leaving = track.leaving;

        if has_own_foreground(&rect, foreground) {
            self.own_foreground += track.score;
        }
        let still_needed = if self.resting(time) {
            MOVED_AFTER_REST
        } else {
            MOVED
        };
        let travelled = !self.from_before && track.travelled >= still_needed;
        // Somebody who comes into the picture, or straight towards the camera, grows rather than travels.
        let changed =
            self.own_foreground >= ENOUGH_FOREGROUND && track.rect.iou(&self.origin) < SAME_PLACE;
        let appeared = self.newcomer && self.own_foreground >= APPEARED;
        if self.moved.is_none() && (travelled || changed || appeared) {
            self.moved = Some(time);
        }

        for zone in places.around(&rect) {
            self.zone_looks[zone] += 1;
            if self.zone_looks[zone] == ENTRY {
                self.zones.push(zone);
            }
        }
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

    /// When it had moved of its own.
    pub(super) fn moved(&self) -> Option<MediaTime> {
        self.moved
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

    /// Whether its visit is worth reporting.
    pub(super) fn counts(&self, places: &Places) -> bool {
        self.confirmed && self.moved.is_some() && places.suffice(&self.zones)
    }

    /// Why its visit was not reported.
    pub(super) fn reason(&self) -> Reason {
        if self.seen.is_none() {
            Reason::Masked
        } else if !self.confirmed {
            Reason::DidNotLast
        } else if self.moved.is_none() {
            Reason::NoMovement
        } else {
            Reason::OutsideZones
        }
    }
}

/// Whether enough of a box is covered by foreground that belongs to it rather than to something much larger.
fn has_own_foreground(rect: &NormRect, foreground: &[MotionRegion]) -> bool {
    let covered: f32 = foreground
        .iter()
        .map(|region| (region.rect.intersection(rect).area(), region.rect.area()))
        .filter(|(common, whole)| *common >= OWN * whole)
        .map(|(common, _)| common)
        .sum();
    covered >= COVERED * rect.area()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreground_must_be_its_own() {
        let person = NormRect::new(0.4, 0.4, 0.5, 0.8);
        let region = |x0, y0, x1, y1| MotionRegion {
            rect: NormRect::new(x0, y0, x1, y1),
            score: 0.01,
        };
        assert!(has_own_foreground(
            &person,
            &[region(0.41, 0.38, 0.5, 0.82)]
        ));
        // Legs and head apart.
        let parts = [region(0.4, 0.6, 0.5, 0.8), region(0.43, 0.4, 0.47, 0.5)];
        assert!(has_own_foreground(&person, &parts));
        // The light went on.
        assert!(!has_own_foreground(&person, &[region(0.0, 0.0, 1.0, 1.0)]));
        assert!(!has_own_foreground(&person, &[region(0.6, 0.4, 0.7, 0.8)]));
    }
}
