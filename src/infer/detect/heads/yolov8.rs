//! YOLOv8 style: output `[1, 4 + classes, cells]`, one row for each of centre x, centre y, width, height in input
//! pixels, then one for each class's probability.

use super::{Candidates, Head, Outputs, Shape, best, check_outputs};
use crate::{flow::Size, infer::registry::card::HeadCard};

pub(super) const HEAD: Head = Head {
    check,
    shapes,
    decode,
};

fn check(card: &HeadCard) -> Result<(), String> {
    check_outputs(card, 1)
}

fn shapes(_: &HeadCard, _: Size, classes: usize) -> Vec<Shape> {
    vec![[Some(1), Some(4 + classes), None]]
}

fn decode(outputs: &Outputs<'_>, floor: f32, found: &mut Candidates) {
    let rows = 4 + outputs.classes;
    let cells = outputs.tensors[0].len() / rows;
    let at = |row: usize, cell: usize| outputs.tensors[0][row * cells + cell];
    for cell in 0..cells {
        let (class, score) = best((4..rows).map(|row| at(row, cell)));
        if score >= floor {
            let (x, y) = (at(0, cell), at(1, cell));
            let (w, h) = (at(2, cell) / 2.0, at(3, cell) / 2.0);
            found.push([x - w, y - h, x + w, y + h], score, class, outputs.size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_coordinates_and_columns_are_cells() {
        let card = HeadCard::default();
        let rows = [
            [10.0, 30.0], // x
            [20.0, 40.0], // y
            [4.0, 8.0],   // width
            [6.0, 2.0],   // height
            [0.01, 0.1],  // class 0
            [0.02, 0.9],  // class 1
        ]
        .concat();
        let outputs = Outputs {
            card: &card,
            size: Size::new(64, 64),
            classes: 2,
            tensors: &[&rows],
        };
        let mut found = Candidates::default();
        decode(&outputs, 0.05, &mut found);
        let all: Vec<_> = found.drain().collect();
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].edges, all[0].score, all[0].class),
            ([26.0, 39.0, 34.0, 41.0], 0.9, 1)
        );
    }
}
