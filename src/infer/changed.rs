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
    /// The picture of a moment ago.
    before: Option<(MediaTime, Vec<u8>)>,
    lowest: Vec<u8>,
    highest: Vec<u8>,
    cells: Vec<u8>,
    kept: Vec<u8>,
    finder: Finder,
}

impl Changed {
    /// Persons are looked for in this picture.
    pub(super) fn looked_at(&mut self, luma: &[u8]) {
        self.looked_at.clear();
        self.looked_at.extend_from_slice(luma);
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
    fn compare(&mut self, now: &[u8], then: &[u8], spread: &[f32], width: usize) -> bool {
        if then.len() != now.len() || spread.len() != now.len() || width == 0 {
            return false;
        }
        let lighter = shared_change(now, then);
        range_around(then, width, &mut self.lowest, &mut self.highest);
        self.cells.clear();
        self.cells.extend(
            now.iter()
                .zip(self.lowest.iter().zip(&self.highest))
                .zip(spread)
                .map(|((now, (low, high)), spread)| {
                    let now = i32::from(*now) - lighter;
                    let beyond = (i32::from(*low) - now).max(now - i32::from(*high));
                    let beyond = beyond.max(0) as f32;
                    u8::from(beyond >= FLOOR && beyond * beyond >= SIGMAS * SIGMAS * spread)
                }),
        );
        with_company(&self.cells, width, &mut self.kept);
        true
    }
}

/// By how many levels `now` is lighter than `then` where little else changed.
fn shared_change(now: &[u8], then: &[u8]) -> i32 {
    let (mut sum, mut count) = (0i32, 0i32);
    for (now, then) in now.iter().zip(then) {
        let difference = i32::from(*now) - i32::from(*then);
        let little = i32::from(difference.abs() <= SHARED);
        sum += little * difference;
        count += little;
    }
    if count == 0 { 0 } else { sum / count }
}

/// The lowest and the highest of the 3x3 cells around each.
fn range_around(cells: &[u8], width: usize, lowest: &mut Vec<u8>, highest: &mut Vec<u8>) {
    lowest.clear();
    highest.clear();
    lowest.resize(cells.len(), 0);
    highest.resize(cells.len(), 0);
    let rows = cells.len() / width;
    let (mut low, mut high) = (vec![0u8; width], vec![0u8; width]);
    for y in 0..rows {
        let row = |y: usize| &cells[y * width..(y + 1) * width];
        let (up, here, down) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(rows - 1)));
        for x in 0..width {
            low[x] = up[x].min(here[x]).min(down[x]);
            high[x] = up[x].max(here[x]).max(down[x]);
        }
        let out = y * width;
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            lowest[out + x] = low[left].min(low[x]).min(low[right]);
            highest[out + x] = high[left].max(high[x]).max(high[right]);
        }
    }
}

/// The cells that have others beside them.
fn with_company(cells: &[u8], width: usize, kept: &mut Vec<u8>) {
    kept.clear();
    kept.resize(cells.len(), 0);
    let rows = cells.len() / width;
    let mut column = vec![0u8; width];
    for y in 0..rows {
        let row = |y: usize| &cells[y * width..(y + 1) * width];
        let (up, here, down) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(rows - 1)));
        for x in 0..width {
            column[x] = up[x] + here[x] + down[x];
        }
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let company = column[left] + column[x] + column[right];
            kept[y * width + x] = u8::from(here[x] != 0 && company >= COMPANY);
        }
    }
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
        changed.looked_at(&picture(0, None));
        let person = picture(0, Some((12, 200)));
        for second in 1..200 {
            let (unseen, _) = look(&mut changed, f64::from(second), &person);
            assert!(unseen, "after {second} s");
        }
        changed.looked_at(&person);
        assert!(!look(&mut changed, 201.0, &person).0);
    }

    #[test]
    fn light_that_changes_everywhere_and_an_edge_that_trembles_change_nothing() {
        let mut changed = Changed::default();
        changed.looked_at(&picture(0, None));
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

    #[test]
    fn pictures_of_another_size_are_not_compared() {
        let mut changed = Changed::default();
        changed.looked_at(&[0; 12]);
        assert_eq!(look(&mut changed, 0.0, &picture(0, None)), (false, 0.0));
    }
}
