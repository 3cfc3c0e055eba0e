//! Which parts of a picture changed of late, cell by cell. Mostly few do, so only these are kept.

use super::NormRect;

/// Cells of a picture that changed, against one a moment earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    columns: usize,
    rows: usize,
    /// By number, row by row.
    changed: Vec<usize>,
}

impl Changes {
    /// From rows of `columns` cells, changed where not zero.
    #[must_use]
    pub fn new(cells: &[u8], columns: usize) -> Self {
        let columns = columns.max(1);
        let rows = cells.len() / columns;
        let numbered = cells[..rows * columns].iter().enumerate();
        Self {
            columns,
            rows,
            changed: numbered
                .filter_map(|(at, cell)| (*cell != 0).then_some(at))
                .collect(),
        }
    }

    /// Share of the cells of a place that changed, 0..1, and of those around it: within half its
    /// width and height beside it.
    #[must_use]
    pub fn within_and_around(&self, place: &NormRect) -> (f32, f32) {
        let (inner, all) = (self.count(place), self.count(&place.grown(0.5)));
        let share = |changed: u32, cells: u32| changed as f32 / cells.max(1) as f32;
        (
            share(inner.0, inner.1),
            share(all.0 - inner.0, all.1 - inner.1),
        )
    }

    /// Changed cells of a place, and all of its cells that lie in the picture.
    fn count(&self, place: &NormRect) -> (u32, u32) {
        let cell = |share: f32, cells: usize| {
            let at = (share * cells as f32).round().clamp(0.0, cells as f32);
            at as usize
        };
        let (x0, x1) = (cell(place.x0, self.columns), cell(place.x1, self.columns));
        let (y0, y1) = (cell(place.y0, self.rows), cell(place.y1, self.rows));
        let (x1, y1) = (x1.max(x0), y1.max(y0));
        let above = |row: usize| self.changed.partition_point(|at| *at < row * self.columns);
        let in_rows = &self.changed[above(y0)..above(y1)];
        let within = |at: &&usize| (x0..x1).contains(&(*at % self.columns));
        let counted = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        (
            counted(in_rows.iter().filter(within).count()),
            counted((x1 - x0) * (y1 - y0)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_and_its_surroundings_are_counted_apart() {
        let mut cells = vec![0; 200];
        // A block of 4 by 4 cells, and one cell beside it.
        for y in 2..6 {
            cells[y * 20 + 4..y * 20 + 8].fill(255);
        }
        cells[3 * 20 + 9] = 1;
        let changes = Changes::new(&cells, 20);
        let (within, around) = changes.within_and_around(&NormRect::new(0.2, 0.2, 0.4, 0.6));
        assert_eq!(within, 1.0);
        assert!((around - 1.0 / 48.0).abs() < 1e-6, "{around}");
    }

    #[test]
    fn places_that_reach_out_of_the_picture_count_what_is_in_it() {
        let changes = Changes::new(&[1; 100], 10);
        let (within, around) = changes.within_and_around(&NormRect::new(-0.5, -0.5, 0.5, 2.0));
        assert_eq!((within, around), (1.0, 1.0));
        let (within, around) = changes.within_and_around(&NormRect::FULL);
        assert_eq!((within, around), (1.0, 0.0));
        let outside = NormRect::new(2.0, 2.0, 3.0, 3.0);
        assert_eq!(changes.within_and_around(&outside), (0.0, 0.0));
        assert_eq!(
            Changes::new(&[], 0).within_and_around(&NormRect::FULL).0,
            0.0
        );
    }
}
