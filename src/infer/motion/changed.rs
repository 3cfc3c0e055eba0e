//! What changed in a picture: since persons were last looked for, and within the last moment.
//!
//! In: the luma of each look for motion and the noise of its pixels. Out: the largest place that
//! differs from the picture in which persons were last looked for, and the cells that changed
//! within the last moment. Neither waits for a background to be learnt, and neither forgets who
//! stands still.
//!
//! A cell has changed where it lies outside the range of the 3x3 cells around it in the picture
//! before, by more than its noise: an edge that trembles by a cell has not. A change of light that
//! all cells share is taken out first.

use std::{sync::Arc, time::Duration};

use super::regions::Finder;
use crate::flow::{Changes, MediaTime, MotionRegion};

/// Levels that a cell must differ by at least ...
const FLOOR: f32 = 8.0;
/// ... and so many standard deviations of its noise.
const SIGMAS: f32 = 2.5;
/// Differences up to this say how much lighter or darker all of the picture is.
const SHARED: i32 = 24;
/// The moment: a picture is compared with one at most so much older, while looks are frequent.
const MOMENT: Duration = Duration::from_millis(600);
/// A cell alone is noise: of the 3x3 around it so many must have changed too.
const COMPANY: u8 = 4;

/// The pictures that others are compared with.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// The picture in which persons were last looked for; empty: none yet.
    looked_at: Vec<u8>,
    /// The one before, while the look at the last may still give way to another.
    looked_at_before: Option<Vec<u8>>,
    /// The picture of a moment ago.
    before: Option<(MediaTime, Vec<u8>)>,
    /// Of one row: the lowest and the highest around each cell.
    low: Vec<u8>,
    high: Vec<u8>,
    cells: Vec<u8>,
    kept: Vec<u8>,
    finder: Finder,
}

impl Changed {
    /// Persons are looked for in this picture. `perhaps`: the look may yet give way to one at a later picture.
    pub(super) fn looked_at(&mut self, luma: &[u8], perhaps: bool) {
        self.looked_at_before = perhaps.then(|| std::mem::take(&mut self.looked_at));
        self.looked_at.clear();
        self.looked_at.extend_from_slice(luma);
    }

    /// That look gave way.
    pub(super) fn not_looked_at(&mut self) {
        if let Some(before) = self.looked_at_before.take() {
            self.looked_at = before;
        }
    }

    /// It was made.
    pub(super) fn was_looked_at(&mut self) {
        self.looked_at_before = None;
    }

    /// Compares a picture with those before. A place must be at least `area` of the picture.
    pub(super) fn look(
        &mut self,
        time: MediaTime,
        luma: &[u8],
        spread: &[f32],
        width: usize,
        area: f32,
    ) -> (Option<MotionRegion>, Option<Arc<Changes>>) {
        let looked_at = std::mem::take(&mut self.looked_at);
        let unseen = self.compare(luma, &looked_at, spread, width).then(|| {
            let (regions, _) = self.finder.find(&self.kept, width, area);
            regions.first().copied()
        });
        self.looked_at = looked_at;

        let before = self.before.take();
        let mut changes = None;
        if let Some((_, then)) = &before
            && self.compare(luma, then, spread, width)
        {
            changes = Some(Arc::new(Changes::new(&self.kept, width)));
        }
        self.before = match before {
            Some((at, then)) if time.since(at) < MOMENT => Some((at, then)),
            Some((_, mut then)) => {
                then.clear();
                then.extend_from_slice(luma);
                Some((time, then))
            }
            None => Some((time, luma.to_vec())),
        };
        (unseen.flatten(), changes)
    }

    /// Leaves in `kept` which cells of `now` differ from `then`; false where the two cannot be
    /// compared.
    ///
    /// Most rows differ nowhere from those before. A cell within [`FLOOR`] of the same cell before is
    /// within the range around it too, so that only rows with others are looked at closely.
    fn compare(&mut self, now: &[u8], then: &[u8], spread: &[f32], width: usize) -> bool {
        if then.len() != now.len() || spread.len() != now.len() || width == 0 {
            return false;
        }
        let lighter = shared_change(now, then);
        let grid = Grid {
            width,
            rows: now.len() / width,
        };
        self.cells.clear();
        self.cells.resize(now.len(), 0);
        for y in 0..grid.rows {
            let [here, before] = [now, then].map(|cells| grid.row(cells, y));
            if !any_differs(here, before, lighter) {
                continue;
            }
            let rows = grid.around(then, y);
            padded(&mut self.low, rows, |up, here, down| up.min(here).min(down));
            padded(&mut self.high, rows, |up, here, down| {
                up.max(here).max(down)
            });
            let range = beside(&self.low).zip(beside(&self.high));
            let cells = self.cells[y * width..].iter_mut().zip(here);
            let noise = &spread[y * width..];
            for (((cell, now), (low, high)), spread) in cells.zip(range).zip(noise) {
                let now = i32::from(*now) - i32::from(lighter);
                let low = i32::from(low[0].min(low[1]).min(low[2]));
                let high = i32::from(high[0].max(high[1]).max(high[2]));
                let beyond = (low - now).max(now - high).max(0) as f32;
                *cell = u8::from(beyond >= FLOOR && beyond * beyond >= SIGMAS * SIGMAS * spread);
            }
        }
        // A cell alone is noise.
        self.kept.clear();
        self.kept.resize(now.len(), 0);
        for y in 0..grid.rows {
            let here = grid.row(&self.cells, y);
            if here.iter().fold(0, |any, cell| any | cell) == 0 {
                continue;
            }
            let rows = grid.around(&self.cells, y);
            padded(&mut self.low, rows, |up, here, down| up + here + down);
            let kept = self.kept[y * width..].iter_mut().zip(here);
            for ((kept, cell), columns) in kept.zip(beside(&self.low)) {
                let company = columns[0] + columns[1] + columns[2];
                *kept = u8::from(*cell != 0 && company >= COMPANY);
            }
        }
        true
    }
}

/// Rows of cells.
#[derive(Clone, Copy)]
struct Grid {
    width: usize,
    rows: usize,
}

impl Grid {
    fn row(self, cells: &[u8], y: usize) -> &[u8] {
        &cells[y * self.width..][..self.width]
    }

    /// The row above, the row itself, and the one below; at the edge it stands for the one outside.
    fn around(self, cells: &[u8], y: usize) -> [&[u8]; 3] {
        let below = (y + 1).min(self.rows - 1);
        [y.saturating_sub(1), y, below].map(|y| self.row(cells, y))
    }
}

/// What `of` makes of three rows, with a cell more at both ends, which stands for those outside.
fn padded(out: &mut Vec<u8>, [up, here, down]: [&[u8]; 3], of: impl Fn(u8, u8, u8) -> u8) {
    out.clear();
    out.push(0);
    let columns = up.iter().zip(here).zip(down);
    out.extend(columns.map(|((up, here), down)| of(*up, *here, *down)));
    out[0] = out[1];
    out.push(out[out.len() - 1]);
}

/// Each cell of a padded row between its neighbours.
fn beside(row: &[u8]) -> impl Iterator<Item = [u8; 3]> {
    let (left, here, right) = (row, row.iter().skip(1), row.iter().skip(2));
    let all = left.iter().zip(here).zip(right);
    all.map(|((left, here), right)| [*left, *here, *right])
}

fn differs(now: u8, then: u8, lighter: i16) -> bool {
    (i16::from(now) - lighter - i16::from(then)).abs() >= FLOOR as i16
}

/// Without a way out half-way: so it is done many cells at a time.
fn any_differs(now: &[u8], then: &[u8], lighter: i16) -> bool {
    let both = now.iter().zip(then);
    both.fold(false, |any, (now, then)| {
        any | differs(*now, *then, lighter)
    })
}

/// By how many levels `now` is lighter than `then` where little else changed.
fn shared_change(now: &[u8], then: &[u8]) -> i16 {
    let (mut sum, mut count) = (0i32, 0i32);
    for (now, then) in now.iter().zip(then) {
        let difference = i32::from(*now) - i32::from(*then);
        let little = i32::from(difference.abs() <= SHARED);
        sum += little * difference;
        count += little;
    }
    // A mean of differences of bytes.
    sum.checked_div(count).map_or(0, |mean| mean as i16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 40;

    fn at(seconds: f64) -> MediaTime {
        MediaTime::from_secs_f64(seconds)
    }

    /// Stripes of 40 levels, all lighter by so much, with a square of so many levels.
    fn picture(lighter: u8, square: Option<(usize, u8)>) -> Vec<u8> {
        let mut cells: Vec<u8> = (0..WIDTH * 30)
            .map(|at| 60 + (at % WIDTH / 5 % 2) as u8 * 40 + lighter)
            .collect();
        if let Some((x, level)) = square {
            for y in 10..20 {
                cells[y * WIDTH + x..y * WIDTH + x + 6].fill(level);
            }
        }
        cells
    }

    fn look(changed: &mut Changed, seconds: f64, luma: &[u8]) -> (bool, f32) {
        let spread = vec![4.0; luma.len()];
        let (unseen, changes) = changed.look(at(seconds), luma, &spread, WIDTH, 0.01);
        let share = changes.map_or(0.0, |c| c.within_and_around(&crate::flow::NormRect::FULL).0);
        (unseen.is_some(), share)
    }

    #[test]
    fn whoever_came_since_the_last_look_differs_until_looked_at_however_long_standing() {
        let mut changed = Changed::default();
        assert_eq!(look(&mut changed, 0.0, &picture(0, None)), (false, 0.0));
        changed.looked_at(&picture(0, None), false);
        let person = picture(0, Some((12, 200)));
        for second in 1..200 {
            let (unseen, _) = look(&mut changed, f64::from(second), &person);
            assert!(unseen, "after {second} s");
        }
        changed.looked_at(&person, false);
        assert!(!look(&mut changed, 201.0, &person).0);
    }

    #[test]
    fn a_look_that_gave_way_has_not_been_made() {
        let mut changed = Changed::default();
        let person = picture(0, Some((12, 200)));
        changed.looked_at(&picture(0, None), true);
        changed.was_looked_at();
        changed.looked_at(&person, true);
        assert!(!look(&mut changed, 1.0, &person).0);
        changed.not_looked_at();
        assert!(look(&mut changed, 2.0, &person).0);
        changed.not_looked_at();
        assert!(look(&mut changed, 3.0, &person).0, "once is enough");
    }

    #[test]
    fn light_that_changes_everywhere_and_an_edge_that_trembles_change_nothing() {
        let mut changed = Changed::default();
        changed.looked_at(&picture(0, None), false);
        assert_eq!(look(&mut changed, 0.0, &picture(0, None)), (false, 0.0));
        assert_eq!(look(&mut changed, 0.2, &picture(15, None)), (false, 0.0));
        let mut trembling = picture(0, None);
        for row in trembling.chunks_exact_mut(WIDTH) {
            row.copy_within(..WIDTH - 1, 1);
        }
        assert_eq!(look(&mut changed, 0.4, &trembling), (false, 0.0));
    }

    #[test]
    fn movement_in_a_place_is_seen_against_the_moment_before() {
        let mut changed = Changed::default();
        look(&mut changed, 0.0, &picture(0, Some((12, 200))));
        let (_, still) = look(&mut changed, 0.2, &picture(0, Some((12, 200))));
        let (_, moved) = look(&mut changed, 0.4, &picture(0, Some((15, 200))));
        assert_eq!(still, 0.0);
        assert!(moved > 0.02, "{moved}");
    }

    /// The rule as it is written down, cell by cell.
    fn by_the_rule(now: &[u8], then: &[u8], spread: &[f32]) -> Vec<u8> {
        let rows = now.len() / WIDTH;
        let lighter = i32::from(shared_change(now, then));
        let around = |at: usize, of: &dyn Fn(usize) -> u8| {
            let (x, y) = ((at % WIDTH) as i64, (at / WIDTH) as i64);
            let inside = |v: i64, most: usize| v.clamp(0, most as i64 - 1) as usize;
            let mut all = Vec::new();
            for (dy, dx) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dy, dx))) {
                all.push(of(inside(y + dy, rows) * WIDTH + inside(x + dx, WIDTH)));
            }
            all
        };
        let beyond: Vec<u8> = (0..now.len())
            .map(|at| {
                let range = around(at, &|at| then[at]);
                let here = i32::from(now[at]) - lighter;
                let low = i32::from(*range.iter().min().unwrap()) - here;
                let high = here - i32::from(*range.iter().max().unwrap());
                let beyond = low.max(high).max(0) as f32;
                u8::from(beyond >= FLOOR && beyond * beyond >= SIGMAS * SIGMAS * spread[at])
            })
            .collect();
        let company = |at: usize| around(at, &|at| beyond[at]).iter().sum::<u8>() >= COMPANY;
        (0..now.len())
            .map(|at| u8::from(beyond[at] != 0 && company(at)))
            .collect()
    }

    proptest::proptest! {
        #[test]
        fn the_short_way_finds_what_the_rule_says(
            cells in proptest::collection::vec((0u8..=255, 0u8..=255, 0.0f32..200.0), WIDTH * 6),
            calm in 0u8..=30,
        ) {
            let then: Vec<u8> = cells.iter().map(|(then, ..)| then / 2).collect();
            // Patches that change, and some that hardly do.
            let now: Vec<u8> = cells.iter().enumerate().map(|(at, (then, change, _))| {
                let change = if (at % WIDTH / 8).is_multiple_of(2) { change / 4 } else { change % (calm + 1) };
                then / 2 + change
            }).collect();
            let spread: Vec<f32> = cells.iter().map(|(.., spread)| *spread).collect();
            let mut changed = Changed::default();
            proptest::prop_assert!(changed.compare(&now, &then, &spread, WIDTH));
            proptest::prop_assert_eq!(&changed.kept, &by_the_rule(&now, &then, &spread));
        }
    }

    #[test]
    fn pictures_of_another_size_are_not_compared() {
        let mut changed = Changed::default();
        changed.looked_at(&[0; 12], false);
        assert_eq!(look(&mut changed, 0.0, &picture(0, None)), (false, 0.0));
    }
}
