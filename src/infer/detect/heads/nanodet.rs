//! NanoDet: class scores (already probabilities) and, for each side of the box, a distribution over distances.
//!
//! Li et al., "Generalized Focal Loss" (2020): the distance from the cell's centre to a side is the expectation over
//! `bins` equally spaced values, in strides. Outputs, for each stride: `[1, cells, classes]`, `[1, cells, 4 * bins]`.

use super::{Candidates, Head, Outputs, Shape, best, check_outputs, check_strides, grid};
use crate::{flow::Size, infer::registry::card::HeadCard};

pub(super) const HEAD: Head = Head {
    check,
    shapes,
    decode,
};

fn check(card: &HeadCard) -> Result<(), String> {
    check_strides(card)?;
    if !(2..=64).contains(&card.bins) {
        return Err("head.bins must be 2 to 64".to_owned());
    }
    check_outputs(card, 2 * card.strides.len())
}

fn shapes(card: &HeadCard, size: Size, classes: usize) -> Vec<Shape> {
    let of_stride = |&stride: &u32| {
        let (columns, rows) = grid(size, stride);
        [classes, 4 * card.bins].map(|last| [Some(1), Some(columns * rows), Some(last)])
    };
    card.strides.iter().flat_map(of_stride).collect()
}

fn decode(outputs: &Outputs<'_>, floor: f32, found: &mut Candidates) {
    let bins = outputs.card.bins;
    for (&stride, pair) in outputs
        .card
        .strides
        .iter()
        .zip(outputs.tensors.chunks_exact(2))
    {
        let (columns, _) = grid(outputs.size, stride);
        let scores = pair[0].chunks_exact(outputs.classes);
        let sides = pair[1].chunks_exact(4 * bins);
        for (cell, (scores, sides)) in scores.zip(sides).enumerate() {
            let (class, score) = best(scores.iter().copied());
            if score >= floor {
                let stride = stride as f32;
                let x = ((cell % columns) as f32 + 0.5) * stride;
                let y = ((cell / columns) as f32 + 0.5) * stride;
                let distance =
                    |side: usize| expectation(&sides[side * bins..(side + 1) * bins]) * stride;
                let edges = [
                    x - distance(0),
                    y - distance(1),
                    x + distance(2),
                    y + distance(3),
                ];
                found.push(edges, score, class, outputs.size);
            }
        }
    }
}

/// Mean index under the softmax of `logits`.
fn expectation(logits: &[f32]) -> f32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut sum, mut moment) = (0.0, 0.0);
    for (index, logit) in logits.iter().enumerate() {
        let power = (logit - top).exp();
        sum += power;
        moment += power * index as f32;
    }
    moment / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectation_of_known_distributions() {
        assert_eq!(expectation(&[0.0, 0.0, 0.0]), 1.0);
        assert!((expectation(&[-100.0, 50.0, -100.0, -100.0]) - 1.0).abs() < 1e-6);
        let halfway = expectation(&[0.0, 3.0, 3.0, 0.0]);
        assert!((halfway - 1.5).abs() < 1e-6);
        assert!((expectation(&[1e30, 0.0]) - 0.0).abs() < 1e-6);
    }

    #[test]
    fn one_cell_by_hand() {
        // 16x8 input, stride 8: two cells; the second (centre 12, 4) reaches 1 stride to each side.
        let card = HeadCard {
            strides: vec![8],
            bins: 2,
            ..HeadCard::default()
        };
        let sure = [-50.0, 50.0];
        let sides: Vec<f32> = [[0.0; 8].as_slice(), &sure.repeat(4)].concat();
        let outputs = Outputs {
            card: &card,
            size: Size::new(16, 8),
            classes: 2,
            tensors: &[&[0.0, 0.01, 0.2, 0.7], &sides],
        };
        let mut found = Candidates::default();
        decode(&outputs, 0.05, &mut found);
        let all: Vec<_> = found.drain().collect();
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].edges, all[0].score, all[0].class),
            ([4.0, -4.0, 20.0, 12.0], 0.7, 1)
        );
    }
}
