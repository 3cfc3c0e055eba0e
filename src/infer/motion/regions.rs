//! From a foreground mask to a few regions: connected components, specks dropped, neighbours joined.
//!
//! Components are 8-connected and found on runs (maximal stretches of foreground in a row) with a union-find:
//! He, Chao, Suzuki, "A run-based two-scan labeling algorithm" (2008). Runs are few where pixels are many.

use crate::flow::{MotionRegion, NormRect};

/// Regions whose boxes are at most this many cells apart belong together: a person's legs and head.
const JOIN_GAP: u32 = 3;
/// A component below this share of the least area is a speck; specks are dropped before neighbours are joined, so
/// that rain does not add up to a visitor.
const SPECK: f32 = 0.25;
/// Most regions of one report.
const MOST: usize = 32;

/// A connected patch, in cells: left, top, right, bottom (the last two exclusive), and its number of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Patch {
    x0: u32,
    y0: u32,
    x1: u32,
    y1: u32,
    cells: u32,
}

impl Patch {
    fn join(self, other: Self) -> Self {
        Self {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
            cells: self.cells + other.cells,
        }
    }

    fn near(&self, other: &Self) -> bool {
        self.x0 <= other.x1 + JOIN_GAP
            && other.x0 <= self.x1 + JOIN_GAP
            && self.y0 <= other.y1 + JOIN_GAP
            && other.y0 <= self.y1 + JOIN_GAP
    }
}

/// Finds regions; its buffers are kept from look to look.
#[derive(Debug, Default)]
pub(super) struct Finder {
    /// Start, end (exclusive) and label of the runs of the row before and of this one.
    above: Vec<(u32, u32, usize)>,
    current: Vec<(u32, u32, usize)>,
    parents: Vec<usize>,
    patches: Vec<Patch>,
}

impl Finder {
    /// Regions of `mask` (rows of `width` cells, foreground where not zero) of at least `least` of its area, largest
    /// first; and the largest that is smaller.
    pub(super) fn find(
        &mut self,
        mask: &[u8],
        width: usize,
        least: f32,
    ) -> (Vec<MotionRegion>, Option<MotionRegion>) {
        self.label(mask, width);
        let total = mask.len() as f32;
        let least = least * total;
        let speck = least * SPECK;
        let whole: Vec<Patch> = self
            .patches
            .iter()
            .zip(&self.parents)
            .enumerate()
            .filter(|(label, (patch, parent))| label == *parent && patch.cells as f32 >= speck)
            .map(|(_, (patch, _))| *patch)
            .collect();
        let mut joined = join_neighbours(whole);
        joined.sort_by(|a, b| {
            b.cells
                .cmp(&a.cells)
                .then(a.x0.cmp(&b.x0))
                .then(a.y0.cmp(&b.y0))
        });
        let enough = joined.partition_point(|patch| patch.cells as f32 >= least);
        let small = joined.get(enough).copied();
        joined.truncate(enough.min(MOST));
        let (columns, rows) = (width as f32, total / width as f32);
        let region = |patch: &Patch| MotionRegion {
            rect: NormRect::new(
                patch.x0 as f32 / columns,
                patch.y0 as f32 / rows,
                patch.x1 as f32 / columns,
                patch.y1 as f32 / rows,
            ),
            score: patch.cells as f32 / total,
        };
        let small = small.as_ref().map(region);
        (joined.iter().map(region).collect(), small)
    }

    /// Leaves one patch for each component at its root label.
    fn label(&mut self, mask: &[u8], width: usize) {
        self.parents.clear();
        self.patches.clear();
        self.above.clear();
        for (y, row) in mask.chunks_exact(width).enumerate() {
            self.current.clear();
            let mut x = 0;
            while let Some(start) = row[x..].iter().position(|cell| *cell != 0).map(|at| x + at) {
                let end = row[start..]
                    .iter()
                    .position(|cell| *cell == 0)
                    .map_or(width, |at| start + at);
                self.run(start as u32, end as u32, y as u32);
                x = end;
            }
            std::mem::swap(&mut self.above, &mut self.current);
        }
    }

    fn run(&mut self, start: u32, end: u32, y: u32) {
        let patch = Patch {
            x0: start,
            y0: y,
            x1: end,
            y1: y + 1,
            cells: end - start,
        };
        let mut label = None;
        for index in 0..self.above.len() {
            let (from, to, other) = self.above[index];
            // Diagonal neighbours touch as well.
            if from <= end && start <= to {
                let root = self.root(other);
                label = Some(match label {
                    None => root,
                    Some(mine) if mine == root => root,
                    Some(mine) => self.unite(mine, root),
                });
            }
        }
        let label = match label {
            Some(label) => {
                self.patches[label] = self.patches[label].join(patch);
                label
            }
            None => {
                self.parents.push(self.parents.len());
                self.patches.push(patch);
                self.patches.len() - 1
            }
        };
        self.current.push((start, end, label));
    }

    fn root(&mut self, mut label: usize) -> usize {
        while self.parents[label] != label {
            self.parents[label] = self.parents[self.parents[label]];
            label = self.parents[label];
        }
        label
    }

    fn unite(&mut self, a: usize, b: usize) -> usize {
        let (root, child) = (a.min(b), a.max(b));
        self.parents[child] = root;
        self.patches[root] = self.patches[root].join(self.patches[child]);
        root
    }
}

/// Joins patches near each other until none are.
fn join_neighbours(mut patches: Vec<Patch>) -> Vec<Patch> {
    let mut done: Vec<Patch> = Vec::new();
    while let Some(mut patch) = patches.pop() {
        while let Some(index) = done.iter().position(|other| patch.near(other)) {
            patch = patch.join(done.swap_remove(index));
        }
        done.push(patch);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(rows: &[&str]) -> (Vec<u8>, usize) {
        let cells = rows
            .concat()
            .bytes()
            .map(|b| if b == b'#' { 255 } else { 0 })
            .collect();
        (cells, rows[0].len())
    }

    #[test]
    fn branches_that_meet_below_are_one_region() {
        let (cells, width) = mask(&[
            "#.......#....................",
            "#.#...#.#....................",
            "#.#...#.#....................",
            ".#.....#....................#",
            "..#####....................##",
        ]);
        let (regions, small) = Finder::default().find(&cells, width, 0.0);
        assert_eq!((regions.len(), small), (2, None));
        assert_eq!(regions[0].rect, NormRect::new(0.0, 0.0, 9.0 / 29.0, 1.0));
        assert!((regions[0].score - 17.0 / cells.len() as f32).abs() < 1e-6);
        assert!((regions[1].score - 3.0 / cells.len() as f32).abs() < 1e-6);
    }

    #[test]
    fn neighbours_join_and_specks_do_not() {
        let mut cells = vec![0u8; 64 * 64];
        let mut paint = |x0: usize, y0: usize, x1: usize, y1: usize| {
            (y0..y1).for_each(|y| cells[y * 64 + x0..y * 64 + x1].fill(255));
        };
        paint(10, 10, 14, 14); // head: 16 cells
        paint(9, 16, 15, 22); // body, two rows below: 36 cells
        paint(40, 40, 43, 43); // 9 cells, too small alone
        (0..8).for_each(|n| paint(20 + 4 * n, 60, 21 + 4 * n, 61)); // rain
        let (regions, small) = Finder::default().find(&cells, 64, 40.0 / 4096.0);
        assert_eq!(regions.len(), 1);
        assert_eq!(small.map(|patch| patch.score), None, "9 cells are a speck");
        assert_eq!(regions[0].score, 52.0 / 4096.0);
        assert_eq!(regions[0].rect.y1, 22.0 / 64.0);
    }

    #[test]
    fn an_empty_and_a_full_mask() {
        let mut finder = Finder::default();
        assert!(finder.find(&[0; 16 * 9], 16, 0.001).0.is_empty());
        let (full, _) = finder.find(&[255; 16 * 9], 16, 0.001);
        assert_eq!(
            full,
            [MotionRegion {
                rect: NormRect::FULL,
                score: 1.0
            }]
        );
    }

    /// Flood fill, the plain way.
    fn flood(mask: &[u8], width: usize) -> Vec<usize> {
        let height = mask.len() / width;
        let mut seen = vec![false; mask.len()];
        let mut sizes = Vec::new();
        for start in 0..mask.len() {
            if mask[start] == 0 || seen[start] {
                continue;
            }
            let (mut stack, mut size) = (vec![start], 0);
            seen[start] = true;
            while let Some(at) = stack.pop() {
                size += 1;
                let (x, y) = (at % width, at / width);
                for ny in y.saturating_sub(1)..(y + 2).min(height) {
                    for nx in x.saturating_sub(1)..(x + 2).min(width) {
                        let next = ny * width + nx;
                        if mask[next] != 0 && !seen[next] {
                            seen[next] = true;
                            stack.push(next);
                        }
                    }
                }
            }
            sizes.push(size);
        }
        sizes.sort_unstable();
        sizes
    }

    proptest::proptest! {
        #[test]
        fn components_agree_with_a_flood_fill(bits in proptest::collection::vec(proptest::bool::weighted(0.4), 13 * 11)) {
            let mask: Vec<u8> = bits.iter().map(|b| u8::from(*b)).collect();
            let mut finder = Finder::default();
            finder.label(&mask, 13);
            let mut sizes: Vec<usize> = (0..finder.parents.len())
                .filter(|label| finder.parents[*label] == *label)
                .map(|label| finder.patches[label].cells as usize)
                .collect();
            sizes.sort_unstable();
            proptest::prop_assert_eq!(sizes, flood(&mask, 13));
        }
    }
}
