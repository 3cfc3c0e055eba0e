//! Where the person model looks: at the whole picture, and closer where somebody would be too small in it.
//!
//! In: what moves in a picture, who is followed, its time. Out: parts of the picture, one run of the model each.
//! Pure: no I/O, no clock, no threads; never sees a pixel and knows no incident. Imports `flow` and `config` only.
//!
//! # How
//! One look at the whole picture finds everybody who is large enough in the model's input. Who is not (a patch of motion
//! or a track below [`SMALL`] input rows) is a *target* for a close-up: a window in the shape of the model's input, sized
//! so that the target gets [`WANTED`] rows, and moved to take in as many other targets as it can. A target counts the
//! more, the less is known of it (motion that nobody explains, a doubtful track) and the longer no close-up has shown it.
//! Close-ups are paid from an allowance, so many a second with a small reserve; when it is short, targets wait in turn
//! and all get their close-up later. A new doubtful track is worth one in every look of its first second, as an alert waits for
//! it; and while only small things move and nobody is known, a close-up takes the place of the look at the
//! whole, which costs no more. Where everything that lives in the picture is inside the close-ups just chosen, the
//! look at the whole is left out as well. While nobody is known, a doubtful box gets second looks (`second.rs`). It is never left out for longer than [`WHOLE_EVERY`].

mod crop_budget;
mod motion_regions;
mod second_looks;
mod window;

use std::{collections::VecDeque, time::Duration};

use crate::{
    config::{DetectConfig, RoiPolicy},
    flow::{Detection, MediaTime, MotionRegion, NormRect, Size, Track, TrackState},
};
use crop_budget::CropBudget;
use second_looks::SecondLooks;
use window::{CropGeometry, Target};

/// Who has fewer rows than this in the model's input is looked at more closely.
const SMALL: f32 = 48.0;
/// Rows that a close-up gives its smallest target.
const WANTED: f32 = 72.0;
/// At most so many close-ups of one picture.
const MOST_AT_ONCE: usize = 2;
/// Everything worth looking at may be in close-ups for this long; then the whole is looked at again.
const WHOLE_EVERY: Duration = Duration::from_secs(1);
/// A target whose last close-up was so long ago counts fully; before that less, and after that more ...
const STALE: Duration = Duration::from_secs(2);
/// ... up to this age, as if there had been none.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// Scores between which a track turns from doubtful to clear.
const DOUBTFUL: f32 = 0.35;
const CLEAR: f32 = 0.7;
/// Least weight of a track: a clear one needs a close-up only for want of better things to do.
const LEAST_WEIGHT: f32 = 0.15;
/// A window that gathers less than this is not worth a run: motion that nobody explains may be looked at again at the
/// next look, a clear track after a second and a half.
const WORTH: f32 = 0.1;
/// Whoever may just have come is worth a close-up in every look for this long: an alert waits for it.
const URGENT_FOR: Duration = Duration::from_secs(1);
/// Share of a patch of motion that lies in a track's box where the track explains it.
const EXPLAINED: f32 = 0.6;

/// Chooses what to look at, for one camera.
#[derive(Debug)]
pub struct RoiSelector {
    policy: RoiPolicy,
    inputs: Vec<Size>,
    crop_budget: CropBudget,
    second: SecondLooks,
    /// Close-ups of late, oldest first.
    shown: VecDeque<(MediaTime, NormRect)>,
    whole: Option<MediaTime>,
}

impl RoiSelector {
    /// For a model that can be run at the sizes `inputs`.
    #[must_use]
    pub fn new(detect: &DetectConfig, inputs: Vec<Size>) -> Self {
        Self {
            policy: detect.roi,
            inputs,
            crop_budget: CropBudget::new(detect.max_crops_per_second),
            second: SecondLooks::default(),
            shown: VecDeque::new(),
            whole: None,
        }
    }

    /// Takes in what a look saw, and the tracks after it: what is in doubt is looked at once more.
    pub fn seen(&mut self, time: MediaTime, seen: &[Detection], tracks: &[Track]) {
        if self.policy == RoiPolicy::Auto {
            self.second.note(time, seen, tracks);
        }
    }

    /// The parts of a picture to look at; with `whole`, all of it is among them in any case.
    pub fn choose(
        &mut self,
        time: MediaTime,
        picture: Size,
        motion: &[MotionRegion],
        tracks: &[Track],
        whole: bool,
    ) -> Vec<NormRect> {
        match self.policy {
            RoiPolicy::Whole => vec![NormRect::FULL],
            RoiPolicy::Regions => motion_regions::regions(picture, motion, tracks, &self.inputs),
            RoiPolicy::Auto => self.weigh(time, picture, motion, tracks, whole),
        }
    }

    fn weigh(
        &mut self,
        time: MediaTime,
        picture: Size,
        motion: &[MotionRegion],
        tracks: &[Track],
        whole: bool,
    ) -> Vec<NormRect> {
        self.crop_budget.advance(time);
        self.shown.retain(|(at, _)| time.since(*at) < FORGOTTEN);
        let geometry = CropGeometry::new(picture, &self.inputs);
        let small = |rect: &NormRect| geometry.rows(rect) < SMALL;
        let mut all: Vec<Target> = tracks
            .iter()
            .map(|track| track_target(track, time))
            .collect();
        let unexplained = |region: &&MotionRegion| {
            let inside = |track: &Track| track.rect.grown(0.2).intersection(&region.rect).area();
            !tracks
                .iter()
                .any(|track| inside(track) >= EXPLAINED * region.rect.area())
        };
        all.extend(motion.iter().filter(unexplained).map(|region| Target {
            rect: region.rect.clamped(),
            weight: 1.0,
            urgent: false,
        }));
        let (mut targets, mut large): (Vec<Target>, Vec<Target>) =
            all.into_iter().partition(|target| small(&target.rect));
        large.retain(|target| target.rect.is_sound());
        for target in &mut targets {
            let least = if target.urgent { WORTH } else { 0.0 };
            target.weight = (target.weight * self.staleness(time, &target.rect)).max(least);
        }

        let recent = self.whole.is_some_and(|at| time.since(at) < WHOLE_EVERY);
        let known = |track: &Track| track.state != TrackState::Tentative;
        // Where only small things move and nobody is known, a close-up shows more than the whole, for the same price.
        let mut swap = recent && !whole && large.is_empty() && !tracks.iter().any(known);
        let mut swapped = false;
        let mut close = Vec::new();
        while close.len() < MOST_AT_ONCE && (swap || self.crop_budget.has_one()) {
            let Some(best) = window::best(&geometry, &targets, WANTED).filter(|w| w.gain >= WORTH)
            else {
                break;
            };
            if std::mem::take(&mut swap) {
                swapped = true;
            } else {
                self.crop_budget.spend_one();
            }
            targets.retain(|target| !window::holds(&best.rect, &target.rect));
            self.shown.push_back((time, best.rect));
            close.push(best.rect);
        }
        let square = Size::new(1, 1).nearest_shape(&self.inputs);
        if let Some(input) =
            square.filter(|_| close.len() < MOST_AT_ONCE && self.crop_budget.has_one())
            && let Some(rect) = self.second.choose(time, picture, geometry.scale(), input)
        {
            self.crop_budget.spend_one();
            close.push(rect);
        }
        let covered = !close.is_empty() && targets.is_empty() && large.is_empty();
        if whole || !recent || !(covered || swapped) {
            self.whole = Some(time);
            close.insert(0, NormRect::FULL);
        }
        close
    }

    /// How long ago a close-up showed this place, in units of [`STALE`].
    fn staleness(&self, time: MediaTime, rect: &NormRect) -> f32 {
        let newest = self
            .shown
            .iter()
            .rev()
            .find(|(_, window)| window::holds(window, rect));
        let age = newest.map_or(FORGOTTEN, |(at, _)| time.since(*at));
        age.as_secs_f32() / STALE.as_secs_f32()
    }
}

/// A clear track is known; a doubtful one, or one that is missed, is worth another look.
fn track_target(track: &Track, time: MediaTime) -> Target {
    let doubt = if track.seen.is_some() {
        ((CLEAR - track.score) / (CLEAR - DOUBTFUL)).clamp(LEAST_WEIGHT, 1.0)
    } else {
        0.5
    };
    Target {
        rect: track.rect.clamped(),
        weight: doubt,
        urgent: track.state == TrackState::Tentative && time.since(track.first_seen) < URGENT_FOR,
    }
}

#[cfg(test)]
mod tests;
