//! Whose turn it is to look for persons though nothing moves: one budget for all cameras of the box.
//!
//! In: a camera that would have such a look, and what looks cost. Out: from when on it may. When a
//! power cut ends, every camera of a box wants to know who is there, and none of it is urgent: each
//! draws a turn, as at a counter, and has its look at the first picture after that. So no picture
//! is held while a camera waits, nobody is passed over, and what moves is never delayed.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::flow::MediaTime;

/// Such looks take at most one part in so many of the model's time.
const SHARE: u32 = 4;
/// So many turns are saved up: more than one camera uses in a row, so that it alone never waits.
const RESERVE: u32 = 12;
/// What a look costs, until one has been measured.
const GUESS: Duration = Duration::from_millis(20);
/// A turn that was not used for so long is no longer good: many that were kept would be one storm.
const GOOD_FOR: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Counter {
    /// The next turn that has not been drawn, once one was.
    next: Option<MediaTime>,
    /// Mean cost of a look.
    look: Option<Duration>,
    cameras: u32,
}

/// The one counter of a box. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct SpareBudget(Arc<Mutex<Counter>>);

impl SpareBudget {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Counter {
            next: None,
            look: None,
            cameras: 0,
        })))
    }

    /// A camera's hand at the counter.
    pub(super) fn camera(&self) -> SpareTurn {
        self.0.lock().cameras += 1;
        SpareTurn {
            turns: self.clone(),
            drawn: None,
        }
    }

    /// A look took the model so long.
    pub(super) fn took(&self, spent: Duration) {
        let mut counter = self.0.lock();
        counter.look = Some(counter.look.map_or(spent, |mean| (mean * 7 + spent) / 8));
    }

    fn draw(&self, now: MediaTime) -> MediaTime {
        let mut counter = self.0.lock();
        let each = counter.look.unwrap_or(GUESS) * SHARE;
        // No camera holds two turns: one that lies further ahead is of another time line.
        let latest = now + each * counter.cameras;
        let earliest = now.before(each * RESERVE);
        let turn = counter
            .next
            .map_or(earliest, |next| next.clamp(earliest, latest));
        counter.next = Some(turn + each);
        turn
    }
}

/// One camera's turn.
#[derive(Debug)]
pub(in crate::infer) struct SpareTurn {
    turns: SpareBudget,
    drawn: Option<MediaTime>,
}

impl SpareTurn {
    /// Whether a picture taken at `now` may be looked at. If not, the camera keeps its turn.
    pub(super) fn has_come(&mut self, now: MediaTime) -> bool {
        self.drawn.take_if(|turn| now.since(*turn) > GOOD_FOR);
        let turn = *self.drawn.get_or_insert_with(|| self.turns.draw(now));
        let come = turn <= now || turn.since(now) > GOOD_FOR;
        if come {
            self.drawn = None;
        }
        come
    }

    /// The look was not made after all: the camera may have it at its next picture.
    pub(super) fn back(&mut self, now: MediaTime) {
        self.drawn = Some(now);
    }
}

impl Drop for SpareTurn {
    fn drop(&mut self) {
        self.turns.0.lock().cameras -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> MediaTime {
        MediaTime::from_secs_f64(seconds)
    }

    fn counter(cameras: usize, millis: u64) -> (SpareBudget, Vec<SpareTurn>) {
        let turns = SpareBudget::new();
        turns.took(Duration::from_millis(millis));
        let cameras = (0..cameras).map(|_| turns.camera()).collect();
        (turns, cameras)
    }

    #[test]
    fn one_camera_alone_never_waits_for_what_its_own_reserve_allows() {
        let (_turns, mut cameras) = counter(1, 400);
        let looks = (0..10).filter(|n| cameras[0].has_come(at(f64::from(*n) / 5.0)));
        assert_eq!(looks.count(), 10);
        assert!((1..100).all(|minute| cameras[0].has_come(at(f64::from(minute * 60)))));
    }

    /// Each camera shows a keyframe each `gop` seconds and wants `looks` looks: when each had its last.
    fn storm(
        cameras: &mut [SpareTurn],
        gop: impl Fn(usize) -> f64,
        looks: usize,
    ) -> Vec<(f64, usize)> {
        let mut due: Vec<f64> = (0..cameras.len()).map(|n| n as f64 * 0.001).collect();
        let mut left = vec![looks; cameras.len()];
        let mut made = Vec::new();
        while let Some(camera) = (0..due.len())
            .filter(|camera| left[*camera] > 0)
            .min_by(|a, b| due[*a].total_cmp(&due[*b]))
        {
            assert!(due[camera] < 100.0, "camera {camera} never has its turn");
            if cameras[camera].has_come(at(due[camera])) {
                left[camera] -= 1;
                made.push((due[camera], camera));
            }
            due[camera] += gop(camera);
        }
        made
    }

    #[test]
    fn a_storm_is_spread_and_nobody_is_passed_over() {
        let (_turns, mut cameras) = counter(250, 5);
        // Every tenth has a keyframe each fifth of a second, which is no reason to be served first.
        let gop = |camera: usize| if camera.is_multiple_of(10) { 0.2 } else { 2.0 };
        let made = storm(&mut cameras, gop, 3);
        assert_eq!(made.len(), 750);
        // 750 looks of 5 ms in a quarter of the time, and a keyframe for the last.
        let last = made.last().map_or(0.0, |(at, _)| *at);
        assert!((10.0..19.5).contains(&last), "{last}");
        let first: Vec<_> = (0..250)
            .filter_map(|camera| made.iter().find(|(_, of)| *of == camera))
            .collect();
        assert_eq!(first.len(), 250);
        let latest = first.iter().map(|(at, _)| *at).fold(0.0, f64::max);
        assert!(latest < 9.0, "a first look after {latest} s");
        // Bound: in no two seconds more than their share and what keyframes pile up.
        for begin in 0..20 {
            let begin = f64::from(begin);
            let within = |t: f64| (begin..begin + 2.0).contains(&t);
            let looks = made.iter().filter(|(at, _)| within(*at)).count();
            assert!(looks <= 200, "{looks} looks from {begin} s on");
        }
    }

    #[test]
    fn another_time_line_and_turns_that_were_kept_do_no_harm() {
        let (turns, mut cameras) = counter(100, 5);
        assert!(cameras[0].has_come(at(5000.0)));
        // A clock that was set back: all wait no longer than in a storm.
        let begun: Vec<_> = (0..100).map(|n| cameras[n].has_come(at(1.0))).collect();
        assert!(begun.iter().any(|come| !come));
        assert!((0..100).all(|n| begun[n] || cameras[n].has_come(at(4.0))));
        // Drawn, and not used for minutes: no storm of turns that lie in the past.
        let waiting = (0..100).filter(|n| !cameras[*n].has_come(at(4.0)));
        let waiting = waiting.count();
        let later = (0..100).filter(|n| cameras[*n].has_come(at(300.0))).count();
        assert!(waiting > 50 && later < 20, "{waiting}, {later}");
        cameras.clear();
        assert_eq!(turns.0.lock().cameras, 0);
    }

    #[test]
    fn a_look_that_gave_way_is_made_at_the_next_picture() {
        let (_turns, mut cameras) = counter(50, 5);
        let come: Vec<_> = cameras.iter_mut().map(|c| c.has_come(at(1.0))).collect();
        assert!(come[0]);
        cameras[0].back(at(1.0));
        assert!(cameras[0].has_come(at(1.1)));
    }
}
