//! YOLOX, as exported without its decoding: Ge et al., "YOLOX: Exceeding YOLO Series in 2021".
//!
//! Output `[1, cells of all strides, 5 + classes]`: offset of the centre from the cell's corner and logarithm of the
//! size, all in strides, objectness, class probabilities (both already through the sigmoid).

use super::{Candidates, Head, Outputs, Shape, best, check_outputs, check_strides, grid};
use crate::{flow::Size, infer::registry::card::HeadCard};

pub(super) const HEAD: Head = Head {
    check,
    shapes,
    decode,
};

fn check(card: &HeadCard) -> Result<(), String> {
    check_strides(card)?;
    check_outputs(card, 1)
}

fn shapes(card: &HeadCard, size: Size, classes: usize) -> Vec<Shape> {
    let cells = |&stride: &u32| {
        let (columns, rows) = grid(size, stride);
        columns * rows
    };
    vec![[
        Some(1),
        Some(card.strides.iter().map(cells).sum()),
        Some(5 + classes),
    ]]
}

fn decode(outputs: &Outputs<'_>, floor: f32, found: &mut Candidates) {
    let mut rows = outputs.tensors[0].chunks_exact(5 + outputs.classes);
    for &stride in &outputs.card.strides {
        let (columns, lines) = grid(outputs.size, stride);
        let stride = stride as f32;
        for (cell, row) in rows.by_ref().take(columns * lines).enumerate() {
            // No class can lift a score above its objectness.
            if row[4] < floor {
                continue;
            }
            let (class, probability) = best(row[5..].iter().copied());
            let score = row[4] * probability;
            if score >= floor {
                let x = (row[0] + (cell % columns) as f32) * stride;
                let y = (row[1] + (cell / columns) as f32) * stride;
                let (w, h) = (row[2].exp() * stride / 2.0, row[3].exp() * stride / 2.0);
                found.push([x - w, y - h, x + w, y + h], score, class, outputs.size);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_the_second_stride_follow_the_first() {
        let card = HeadCard {
            strides: vec![8, 16],
            ..HeadCard::default()
        };
        let nothing = [0.0; 6];
        // 16x16 input: 4 cells of stride 8, then one of stride 16: centre (0.5, 0.25) strides, 1 x 2 strides large.
        let one = [0.5, 0.25, 0.0, 2f32.ln(), 0.5, 0.8];
        let rows = [nothing, nothing, nothing, nothing, one].concat();
        let outputs = Outputs {
            card: &card,
            size: Size::new(16, 16),
            classes: 1,
            tensors: &[&rows],
        };
        let mut found = Candidates::default();
        decode(&outputs, 0.05, &mut found);
        let all: Vec<_> = found.drain().collect();
        assert_eq!(all.len(), 1);
        assert!((all[0].score - 0.4).abs() < 1e-6);
        for (edge, expected) in all[0].edges.iter().zip([0.0, -12.0, 16.0, 20.0]) {
            assert!((edge - expected).abs() < 1e-4, "{:?}", all[0]);
        }
    }
}
