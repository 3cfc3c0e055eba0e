//! Who is who: the assignment of least total cost between tracks and boxes.
//!
//! Shortest augmenting paths with dual prices (Jonker and Volgenant, "A shortest augmenting path algorithm for dense
//! and sparse linear assignment problems", Computing 38, 1987), in the form for rectangular problems of Crouse,
//! "On implementing 2D rectangular assignment algorithms", IEEE TAES 52(4), 2016. O(rows² (rows + columns)).

/// For each row the column it is matched with, such that the sum over all rows is least, where a row that stays alone
/// costs `alone`.
///
/// `cost[row][column]` is none where the two may never be matched. All costs must be finite. A match that costs as
/// much as `alone` or more is never made.
pub(super) fn assign(cost: &[Vec<Option<f32>>], alone: f32) -> Vec<Option<usize>> {
    let rows = cost.len();
    let columns = cost.first().map_or(0, Vec::len);
    debug_assert!(cost.iter().all(|row| row.len() == columns));
    // Beside the true columns each row has one of its own, which stands for staying alone.
    let total = columns + rows;
    let price_of = |row: usize, column: usize| -> f64 {
        if column < columns {
            cost[row][column]
                .filter(|&c| c < alone)
                .map_or(f64::INFINITY, f64::from)
        } else if column - columns == row {
            f64::from(alone)
        } else {
            f64::INFINITY
        }
    };

    let mut row_price = vec![0.0_f64; rows];
    let mut column_price = vec![0.0_f64; total];
    let mut row_of: Vec<Option<usize>> = vec![None; total];
    let mut column_of: Vec<Option<usize>> = vec![None; rows];

    for start in 0..rows {
        let mut distance = vec![f64::INFINITY; total];
        let mut from = vec![start; total];
        let mut done = vec![false; total];
        let mut visited_rows = vec![start];
        let (mut row, mut reached) = (start, 0.0);
        let sink = loop {
            let mut nearest = None;
            for column in 0..total {
                if done[column] {
                    continue;
                }
                let through =
                    reached + price_of(row, column) - row_price[row] - column_price[column];
                if through < distance[column] {
                    distance[column] = through;
                    from[column] = row;
                }
                if nearest.is_none_or(|n: usize| distance[column] < distance[n]) {
                    nearest = Some(column);
                }
            }
            let column =
                nearest.expect("each row can reach its own column, so a path always exists");
            reached = distance[column];
            done[column] = true;
            match row_of[column] {
                Some(next) => {
                    visited_rows.push(next);
                    row = next;
                }
                None => break column,
            }
        };

        for &row in &visited_rows {
            row_price[row] += match column_of[row] {
                Some(column) => reached - distance[column],
                None => reached,
            };
        }
        for column in 0..total {
            if done[column] {
                column_price[column] -= reached - distance[column];
            }
        }

        let mut column = sink;
        loop {
            let row = from[column];
            row_of[column] = Some(row);
            let before = column_of[row].replace(column);
            match before {
                Some(freed) if row != start => column = freed,
                _ => break,
            }
        }
    }
    column_of
        .into_iter()
        .map(|column| column.filter(|&c| c < columns))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(cost: &[Vec<Option<f32>>], matched: &[Option<usize>], alone: f32) -> f32 {
        matched
            .iter()
            .enumerate()
            .map(|(row, column)| {
                column.map_or(alone, |c| {
                    cost[row][c].expect("only allowed pairs are matched")
                })
            })
            .sum()
    }

    fn best_by_trying(cost: &[Vec<Option<f32>>], row: usize, used: u32, alone: f32) -> f32 {
        let Some(prices) = cost.get(row) else {
            return 0.0;
        };
        let mut best = alone + best_by_trying(cost, row + 1, used, alone);
        for (column, price) in prices.iter().enumerate() {
            if let Some(price) = price
                && used & (1 << column) == 0
            {
                best = best.min(price + best_by_trying(cost, row + 1, used | (1 << column), alone));
            }
        }
        best
    }

    #[test]
    fn greedy_would_be_wrong_here() {
        let cost = vec![vec![Some(0.1), Some(0.2)], vec![Some(0.2), Some(0.9)]];
        assert_eq!(assign(&cost, 2.0), vec![Some(1), Some(0)]);
    }

    #[test]
    fn one_good_match_beats_two_bad_ones() {
        let cost = vec![vec![Some(0.1), Some(1.5)], vec![Some(1.5), None]];
        assert_eq!(assign(&cost, 2.0), vec![Some(0), None]);
    }

    #[test]
    fn nothing_to_match() {
        assert!(assign(&[], 1.0).is_empty());
        assert_eq!(assign(&[vec![], vec![]], 1.0), vec![None, None]);
        assert_eq!(assign(&[vec![None]], 1.0), vec![None]);
    }

    proptest! {
        #[test]
        fn as_good_as_trying_everything(
            rows in 0usize..6,
            columns in 0usize..6,
            prices in prop::collection::vec(prop::option::weighted(0.8, 0.0f32..1.5), 36),
        ) {
            let cost: Vec<Vec<_>> =
                (0..rows).map(|r| (0..columns).map(|c| prices[r * 6 + c]).collect()).collect();
            let matched = assign(&cost, 1.0);
            let mut used: Vec<_> = matched.iter().flatten().collect();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), matched.iter().flatten().count());
            let best = best_by_trying(&cost, 0, 0, 1.0);
            prop_assert!((total(&cost, &matched, 1.0) - best).abs() < 1e-4);
        }
    }
}
