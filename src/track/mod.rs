//! Detections over time become tracks: the same person keeps the same id from look to look.
//!
//! In: the boxes of each look of the person model, with its time. Out: all live tracks after that look.
//! Pure: no I/O, no clock, no threads; a look's time is all the time there is. Knows nothing of zones, masks, motion
//! or incidents. Imports `flow` only.
//!
//! # How
//! After ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022):
//! each track predicts its box (`kalman.rs`); sightings (boxes of a high score) are matched with tracks first, then the
//! doubtful boxes with the tracks that were left over, so that a person half hidden is kept but never made from doubt
//! alone; a track begins with a sighting that nobody claimed, and among others it must be seen again, twice, to count. Who is
//! lost is sought as large as when last whole, not as the last part of it that was in view. Where several boxes may be
//! the one, clothes decide with the place: a few mean colours, learnt while nobody covers them. Two things differ, because looks are far apart (0.2 s
//! awake, up to seconds at wake-up): a small or fast person moves by more than its own width between looks, so where
//! boxes do not overlap the distance between them decides, within what a runner could cover; and all limits are times,
//! not counts of frames.

mod assignment;
mod followed;
mod kalman;

use std::time::Duration;

use crate::flow::{Detection, MediaTime, NormRect, Size, Track, TrackId, TrackState};
use followed::Followed;

/// What the tracker believes and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackerConfig {
    /// Score from which a box is a sighting: it may begin a track, and doubtful boxes may not. The model card's, unless
    /// the user set one.
    pub sighting_score: f32,
    /// Boxes below this are not looked at; those between the two are doubtful.
    pub doubtful_score: f32,
    /// Doubtful boxes keep a track for this long after its last sighting: a person half hidden is kept, but a coat on
    /// a hook that was once taken for a person is let go.
    pub doubt_keep: Duration,
    /// Score from which a single box is evidence enough; a doubtful one needs more, see [`Self::evidence`].
    pub clear_score: f32,
    /// A track that is not yet believed is dropped when it has been missed for this long (and twice).
    pub tentative_keep: Duration,
    /// A track that was lost inside the picture is remembered this long.
    pub lost_keep: Duration,
    /// A track that left through the picture's edge is remembered this long.
    pub left_keep: Duration,
}

impl TrackerConfig {
    /// The defaults for a model that makes sightings from this score on.
    #[must_use]
    pub fn for_sightings_from(score: f32) -> Self {
        Self {
            sighting_score: score,
            // Lower still, what a small model sees is as often furniture.
            doubtful_score: score / 2.0,
            doubt_keep: Duration::from_secs(3),
            // In scenes without a person the model's best box scored 0.56.
            clear_score: score + 0.22,
            tentative_keep: Duration::from_millis(700),
            // As long as an incident waits for somebody lost inside the picture.
            lost_keep: Duration::from_secs(10),
            left_keep: Duration::from_secs(1),
        }
    }

    /// What one box says for its track: nothing at the lowest score that is looked at, enough to believe in it (1) at the
    /// score of a clear person, and never more than that; between the two in proportion.
    #[must_use]
    pub fn evidence(&self, score: f32) -> f32 {
        ((score - self.doubtful_score) / (self.clear_score - self.doubtful_score)).clamp(0.0, 1.0)
    }
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self::for_sightings_from(0.4)
    }
}

/// Least overlap of a sighting with a track's predicted box (ByteTrack).
const LEAST_IOU: f32 = 0.2;
/// Least overlap of a doubtful box: it must not carry a track off to something in the background.
const LEAST_DOUBTFUL_IOU: f32 = 0.4;
/// How far from its predicted place a track is sought at once, in heights ...
const REACH: f32 = 0.3;
/// ... how much farther for each second since it was last seen: a brisk walk, doubled ...
const REACH_PER_SECOND: f32 = 1.5;
/// ... and how far at most.
const MOST_REACH: f32 = 3.0;
/// Where boxes do not overlap, the heights must be within this factor.
const MOST_GROWTH: f32 = 2.0;
/// Costs: from 0 on where boxes overlap, from 1 on where only the distance speaks for it; nothing is matched from here on.
const ALONE: f32 = 2.0;
/// Clothes decide between people, and never that nobody is the one.
const NEARLY_ALONE: f32 = 1.99;
/// What other clothes cost where boxes overlap, ...
const CLOTHES_NEAR: f32 = 0.4;
/// ... and where they do not; and what the farthest place costs then.
const CLOTHES_FAR: f32 = 0.8;
const DISTANCE: f32 = 0.3;
/// Clothes are learnt where less than this share of a box lies in others.
const UNCOVERED: f32 = 0.2;
/// What is left of the evidence for a track that is not yet believed, each time it is missed.
const FADING: f32 = 0.7;
/// A new box of which this share lies inside others is believed only when it is seen again, twice: where people cover
/// each other, the model sees one more now and then.
const CROWDED: f32 = 0.4;
/// Evidence that a new box there begins with.
const IN_A_CROWD: f32 = -1.0;
/// A new box of which this share lies inside a better one (or the other way round) shows the same person.
const SAME_PERSON: f32 = 0.7;

/// Follows all objects of one camera.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    /// Width over height of the picture.
    aspect: f32,
    followed: Vec<Followed>,
    tracks: Vec<Track>,
    next_id: u64,
}

impl Tracker {
    /// A tracker that has seen nothing yet. Until [`Self::set_picture`] is called, the picture is taken to be 16:9.
    #[must_use]
    pub fn new(config: TrackerConfig) -> Self {
        Self {
            config,
            aspect: 16.0 / 9.0,
            followed: Vec::new(),
            tracks: Vec::new(),
            next_id: 1,
        }
    }

    /// All live tracks after the newest look, oldest first.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Takes a track to be somebody until the next look that sees it: the rules know of movement, and believe in who
    /// moves on less than boxes alone say. Who was told is then not dropped for one miss.
    pub fn vouch(&mut self, id: TrackId) {
        for followed in self.followed.iter_mut().filter(|f| f.track.id == id) {
            followed.vouch();
        }
    }

    /// Says how large the picture is: only its shape counts. A picture of another shape is another view, so what was
    /// followed is forgotten.
    pub fn set_picture(&mut self, size: Size) {
        if (size.aspect() - self.aspect).abs() > f32::EPSILON {
            self.aspect = size.aspect();
            self.followed.clear();
            self.tracks.clear();
        }
    }

    /// Takes in the boxes of one look and returns all live tracks after it, oldest first.
    ///
    /// `time` rises from look to look; a look that does not is treated as made at the time of the one before. Boxes
    /// without an area or with numbers that are not finite are ignored.
    pub fn step(&mut self, time: MediaTime, detections: &[Detection]) -> &[Track] {
        self.followed
            .retain(|f| time.since(f.track.last_seen) <= f.keep(&self.config));
        for followed in &mut self.followed {
            followed.predict(time, self.aspect);
        }

        let usable = |d: &&Detection| {
            d.rect.is_sound() && d.score.is_finite() && d.score >= self.config.doubtful_score
        };
        let mut sightings: Vec<&Detection> = detections.iter().filter(usable).collect();
        sightings.sort_by(|a, b| b.score.total_cmp(&a.score));
        let doubtful = sightings
            .split_off(sightings.partition_point(|d| d.score >= self.config.sighting_score));

        let everyone: Vec<usize> = (0..self.followed.len()).collect();
        let (found, unclaimed) = self.associate(time, &everyone, &sightings, true);
        let left_over: Vec<usize> = everyone
            .into_iter()
            .filter(|i| !found.iter().any(|(track, _)| track == i))
            .filter(|&i| self.followed[i].takes_doubt(time, &self.config))
            .collect();
        let (kept, _) = self.associate(time, &left_over, &doubtful, false);

        let mut claimed: Vec<Detection> = Vec::new();
        let mut seen = vec![false; self.followed.len()];
        let matched: Vec<_> = found.into_iter().chain(kept).collect();
        for &(track, detection) in &matched {
            self.followed[track].seen(time, &detection, self.aspect, &self.config);
            seen[track] = true;
            claimed.push(detection);
        }
        for (track, detection) in &matched {
            let shared: f32 = claimed
                .iter()
                .map(|d| overlap(&detection.rect, &d.rect))
                .sum();
            let own = detection.rect.area();
            if shared - own < UNCOVERED * own {
                self.followed[*track].dress(detection);
            }
        }
        for (followed, _) in self
            .followed
            .iter_mut()
            .zip(&seen)
            .filter(|(_, seen)| !**seen)
        {
            followed.missed();
        }
        for detection in unclaimed {
            if !claimed.iter().any(|better| same_person(&detection, better)) {
                let id = TrackId(self.next_id);
                self.next_id += 1;
                let mut new = Followed::new(id, time, &detection, self.aspect, &self.config);
                if crowded(&detection, &claimed) {
                    new.doubt(IN_A_CROWD);
                }
                self.followed.push(new);
                claimed.push(detection);
            }
        }
        self.followed.retain(|f| {
            f.track.state != TrackState::Tentative
                || f.misses < 2
                || time.since(f.track.last_seen) <= self.config.tentative_keep
        });

        self.tracks.clear();
        self.tracks
            .extend(self.followed.iter().map(|f| f.track.clone()));
        &self.tracks
    }

    /// Matches some tracks with some boxes; returns the pairs and the boxes that nobody claimed, in their order.
    fn associate(
        &self,
        time: MediaTime,
        tracks: &[usize],
        boxes: &[&Detection],
        sightings: bool,
    ) -> (Vec<(usize, Detection)>, Vec<Detection>) {
        let cost: Vec<Vec<Option<f32>>> = tracks
            .iter()
            .map(|&i| {
                let followed = &self.followed[i];
                boxes
                    .iter()
                    .map(|d| {
                        if sightings {
                            self.cost_of_sighting(time, followed, d)
                        } else {
                            cost_of_doubtful(followed, d)
                        }
                    })
                    .collect()
            })
            .collect();
        let matched = assignment::assign(&cost, ALONE);
        let pairs: Vec<(usize, usize)> = tracks
            .iter()
            .zip(matched)
            .filter_map(|(&track, column)| column.map(|c| (track, c)))
            .collect();
        let unclaimed = boxes
            .iter()
            .enumerate()
            .filter(|(column, _)| !pairs.iter().any(|(_, c)| c == column))
            .map(|(_, d)| **d)
            .collect();
        let pairs = pairs.into_iter().map(|(t, c)| (t, *boxes[c])).collect();
        (pairs, unclaimed)
    }

    fn cost_of_sighting(&self, time: MediaTime, of: &Followed, seen: &Detection) -> Option<f32> {
        if of.track.label != seen.label {
            return None;
        }
        let predicted = of.track.rect;
        let iou = predicted.iou(&seen.rect);
        let strange = of.strange(seen);
        if iou >= LEAST_IOU {
            return Some((1.0 - iou + CLOTHES_NEAR * strange).min(NEARLY_ALONE));
        }
        // Whoever was on the way out is not sought inside.
        if of.track.leaving && of.misses > 0 {
            return None;
        }
        let (low, high) = {
            let (a, b) = (predicted.height(), seen.rect.height());
            (a.min(b), a.max(b))
        };
        let (from, to) = (predicted.centre(), seen.rect.centre());
        let distance = ((to.x - from.x) * self.aspect).hypot(to.y - from.y) / ((low + high) / 2.0);
        let unseen = time.since(of.track.last_seen).as_secs_f32();
        let reach = (REACH + REACH_PER_SECOND * unseen).min(MOST_REACH);
        let cost = 1.0 + DISTANCE * distance / reach + CLOTHES_FAR * strange;
        (high <= MOST_GROWTH * low && distance < reach).then(|| cost.min(NEARLY_ALONE))
    }
}

fn cost_of_doubtful(of: &Followed, seen: &Detection) -> Option<f32> {
    let iou = of.track.rect.iou(&seen.rect);
    (of.track.label == seen.label && iou >= LEAST_DOUBTFUL_IOU).then_some(1.0 - iou)
}

/// Whether a box shows what a better one shows already: nearly all of the smaller lies in the larger.
fn same_person(new: &Detection, better: &Detection) -> bool {
    let smaller = new.rect.area().min(better.rect.area());
    new.label == better.label
        && new.score <= better.score
        && overlap(&new.rect, &better.rect) > SAME_PERSON * smaller
}

/// Whether a new box is largely covered by those of others.
fn crowded(new: &Detection, others: &[Detection]) -> bool {
    let covered: f32 = others.iter().map(|d| overlap(&new.rect, &d.rect)).sum();
    covered >= CROWDED * new.rect.area()
}

fn overlap(a: &NormRect, b: &NormRect) -> f32 {
    a.intersection(b).area()
}

#[cfg(test)]
mod tests;
