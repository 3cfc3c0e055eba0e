//! Heads: from a detector's raw outputs to boxes in pixels of its input. Pure functions in a table of names.
//!
//! Whatever the numbers are (NaN, infinite, huge), what comes out is finite, has an area and scores within 0..1.
//! To add a head: one file with a [`Head`], one line in the table.

mod nanodet;
mod yolov8;
mod yolox;

use crate::{flow::Size, infer::registry::card::HeadCard};

const HEADS: [(&str, Head); 3] = [
    ("nanodet", nanodet::HEAD),
    ("yolox", yolox::HEAD),
    ("yolov8", yolov8::HEAD),
];

/// Shape of an output; none: any length.
pub(in crate::infer) type Shape = [Option<usize>; 3];

/// A head's three functions.
#[derive(Clone, Copy)]
pub(in crate::infer) struct Head {
    /// Whether the card has what the head needs; else what is missing.
    pub check: fn(&HeadCard) -> Result<(), String>,
    /// Shape of each output for an input size and a number of classes.
    pub shapes: fn(&HeadCard, Size, usize) -> Vec<Shape>,
    /// Appends every box that scores at least the floor.
    pub decode: fn(&Outputs<'_>, f32, &mut Candidates),
}

/// The head called `name`.
pub(in crate::infer) fn by_name(name: &str) -> Option<Head> {
    HEADS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, head)| *head)
}

/// All names, for people.
pub(in crate::infer) fn names() -> String {
    HEADS.map(|(name, _)| name).join(", ")
}

/// A detector's answer, its shapes already checked.
pub(in crate::infer) struct Outputs<'a> {
    /// The card's head.
    pub card: &'a HeadCard,
    /// Input size.
    pub size: Size,
    /// Number of classes.
    pub classes: usize,
    /// Content of each output, in the card's order.
    pub tensors: &'a [&'a [f32]],
}

/// A box before suppression, in pixels of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::infer) struct Candidate {
    /// Left, top, right, bottom.
    pub edges: [f32; 4],
    /// 0..1.
    pub score: f32,
    /// Index of the class.
    pub class: usize,
}

/// Collects sound boxes. Its buffer is kept from look to look.
#[derive(Debug, Default)]
pub(in crate::infer) struct Candidates(Vec<Candidate>);

impl Candidates {
    /// Adds a box unless it is unsound; edges are kept within one input size around the input.
    fn push(&mut self, edges: [f32; 4], score: f32, class: usize, size: Size) {
        if !edges.iter().all(|edge| edge.is_finite()) {
            return;
        }
        let (w, h) = (size.width as f32, size.height as f32);
        let [x0, y0, x1, y1] = edges;
        let edges = [
            x0.clamp(-w, 2.0 * w),
            y0.clamp(-h, 2.0 * h),
            x1.clamp(-w, 2.0 * w),
            y1.clamp(-h, 2.0 * h),
        ];
        if edges[2] > edges[0] && edges[3] > edges[1] {
            let score = score.min(1.0);
            self.0.push(Candidate {
                edges,
                score,
                class,
            });
        }
    }

    /// Forgets all boxes.
    pub(in crate::infer) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes all boxes out.
    pub(in crate::infer) fn drain(&mut self) -> impl Iterator<Item = Candidate> {
        self.0.drain(..)
    }
}

/// The best class and its score; NaN never wins.
fn best(scores: impl Iterator<Item = f32>) -> (usize, f32) {
    scores
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (class, score)| {
            if score > best.1 { (class, score) } else { best }
        })
}

/// Columns and rows of the cells of a stride.
fn grid(size: Size, stride: u32) -> (usize, usize) {
    (
        (size.width / stride) as usize,
        (size.height / stride) as usize,
    )
}

fn check_strides(card: &HeadCard) -> Result<(), String> {
    let sound = |stride: &u32| (1..=256).contains(stride);
    if card.strides.is_empty() || !card.strides.iter().all(sound) {
        return Err("head.strides must hold at least one stride of 1 to 256".to_owned());
    }
    Ok(())
}

fn check_outputs(card: &HeadCard, expected: usize) -> Result<(), String> {
    if card.outputs.len() != expected {
        return Err(format!(
            "head.outputs must hold {expected} names, not {}",
            card.outputs.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{
        flow::Label,
        infer::detect::nms::{self, Found},
        testing::models,
    };

    #[derive(Deserialize)]
    struct Tensor {
        shape: [usize; 3],
        data: Vec<f32>,
    }

    #[derive(Deserialize)]
    struct Expected {
        #[serde(rename = "box")]
        edges: [f32; 4],
        score: f32,
        class: usize,
    }

    #[derive(Deserialize)]
    struct GoldenHead {
        kind: String,
        #[serde(default)]
        strides: Vec<u32>,
        #[serde(default)]
        bins: usize,
    }

    #[derive(Deserialize)]
    struct Golden {
        head: GoldenHead,
        size: [u32; 2],
        score: f32,
        nms_iou: f32,
        outputs: serde_json::Map<String, serde_json::Value>,
        expected: Vec<Expected>,
    }

    /// The numpy reference decoding of the models' recipe gave the golden boxes.
    #[test]
    fn every_head_agrees_with_its_golden_vector() {
        for (name, head) in HEADS {
            let golden: Golden = models::golden(&format!("head-{name}.json"));
            assert_eq!(golden.head.kind, name);
            let card = HeadCard {
                kind: name.to_owned(),
                strides: golden.head.strides,
                bins: golden.head.bins,
                outputs: golden.outputs.keys().cloned().collect(),
                ..HeadCard::default()
            };
            // JSON objects come sorted by name; a card lists outputs in the head's order.
            let order: Vec<String> = if name == "nanodet" {
                card.strides
                    .iter()
                    .flat_map(|s| [format!("cls{s}"), format!("dist{s}")])
                    .collect()
            } else {
                card.outputs.clone()
            };
            let card = HeadCard {
                outputs: order,
                ..card
            };
            let tensors: Vec<Tensor> = card
                .outputs
                .iter()
                .map(|name| serde_json::from_value(golden.outputs[name].clone()).unwrap())
                .collect();
            let size = Size::new(golden.size[0], golden.size[1]);
            (head.check)(&card).unwrap();
            for (shape, tensor) in (head.shapes)(&card, size, 3).iter().zip(&tensors) {
                for (want, have) in shape.iter().zip(tensor.shape) {
                    assert!(want.is_none_or(|want| want == have), "{name} {shape:?}");
                }
            }
            let slices: Vec<&[f32]> = tensors
                .iter()
                .map(|tensor| tensor.data.as_slice())
                .collect();
            let outputs = Outputs {
                card: &card,
                size,
                classes: 3,
                tensors: &slices,
            };
            let mut candidates = Candidates::default();
            (head.decode)(&outputs, golden.score, &mut candidates);
            let boxes = candidates.drain().map(|c| (c.edges, c.score, c.class));
            let whole = |detection| Found {
                detection,
                close_up: None,
                cut: false,
            };
            let found = models::as_detections(boxes).into_iter().map(whole);
            let found = nms::merge(found.collect(), golden.nms_iou);
            assert_eq!(found.len(), golden.expected.len(), "{name}");
            for (got, want) in found.iter().zip(&golden.expected) {
                let rect = got.rect;
                let edges = [rect.x0, rect.y0, rect.x1, rect.y1];
                assert!(
                    edges
                        .iter()
                        .zip(want.edges)
                        .all(|(a, b)| (a - b).abs() < 0.02),
                    "{name}: {got:?}"
                );
                assert!((got.score - want.score).abs() < 1e-3, "{name}: {got:?}");
                assert_eq!(got.label, Label::ALL[want.class], "{name}");
            }
        }
    }

    #[test]
    fn garbage_never_becomes_a_box() {
        for (name, head) in HEADS {
            let card = HeadCard {
                strides: vec![8, 16],
                bins: 4,
                ..HeadCard::default()
            };
            let size = Size::new(64, 32);
            let shapes = (head.shapes)(&card, size, 2);
            for garbage in [
                f32::NAN,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::MAX,
                f32::MIN,
                0.0,
            ] {
                let tensors: Vec<Vec<f32>> = shapes
                    .iter()
                    .map(|shape| vec![garbage; shape.iter().map(|d| d.unwrap_or(10)).product()])
                    .collect();
                let slices: Vec<&[f32]> = tensors.iter().map(Vec::as_slice).collect();
                let outputs = Outputs {
                    card: &card,
                    size,
                    classes: 2,
                    tensors: &slices,
                };
                let mut candidates = Candidates::default();
                (head.decode)(&outputs, 0.05, &mut candidates);
                for candidate in candidates.drain() {
                    assert!(
                        candidate.edges.iter().all(|e| e.abs() <= 128.0),
                        "{name} {candidate:?}"
                    );
                    assert!(
                        (0.05..=1.0).contains(&candidate.score),
                        "{name} {candidate:?}"
                    );
                }
            }
        }
    }
}
