//! Single steps of a look, for benches and fuzzing.

use super::{
    InferError,
    detect::{
        heads::{self, Candidates, Outputs},
        nms::{self, Found},
    },
    preprocess::{Mapping, Preparer},
    registry::card::{self, Element, HeadCard},
};
use crate::flow::{Detection, Frame, NormRect, Size};

/// Makes a model's input without running the model.
pub struct Prepare {
    preparer: Preparer,
    input: card::Input,
    bytes: Vec<u8>,
    floats: Vec<f32>,
}

impl Prepare {
    /// For the input of `card`.
    #[must_use]
    pub fn new(card: &card::Card) -> Self {
        Self {
            preparer: Preparer::new(),
            input: card.input.clone(),
            bytes: Vec::new(),
            floats: Vec::new(),
        }
    }

    /// The whole of a picture as the person model sees it.
    ///
    /// # Errors
    /// When the picture is not what it says.
    pub fn colours(&mut self, frame: &Frame) -> Result<Size, InferError> {
        let size = self.input.size_for(frame.size);
        let (input, whole) = (&self.input, NormRect::FULL);
        let _: Mapping = match input.element {
            Element::Uint8 => self
                .preparer
                .colours(frame, whole, input, size, &mut self.bytes),
            Element::Float32 => self
                .preparer
                .colours(frame, whole, input, size, &mut self.floats),
        }?;
        Ok(size)
    }

    /// A picture as the motion model sees it.
    ///
    /// # Errors
    /// When the picture is not what it says.
    pub fn luma(&mut self, frame: &Frame) -> Result<Size, InferError> {
        let size = self.input.size_for(frame.size);
        self.preparer.luma(frame, size, &mut self.bytes)?;
        Ok(size)
    }
}

/// One box for each thing, of boxes that all come from one look.
#[must_use]
pub fn suppress(detections: &[Detection], iou: f32) -> Vec<Detection> {
    let whole = |detection: &Detection| Found {
        detection: *detection,
        close_up: None,
        cut: false,
    };
    nms::merge(detections.iter().map(whole).collect(), iou)
}

/// Reads the text of a card called `name`.
///
/// # Errors
/// What is wrong with it.
pub fn card(name: &str, text: &str) -> Result<card::Card, String> {
    card::Card::parse(std::path::Path::new(""), name, text)
}

/// What the `head`th head (counted round) makes of a model's answer that consists of `numbers`, over and over, for an input of `size`
/// and `classes` classes: left, top, right, bottom, score.
#[must_use]
pub fn boxes(
    head: usize,
    size: Size,
    classes: usize,
    floor: f32,
    numbers: &[f32],
) -> Vec<[f32; 5]> {
    let names: Vec<_> = heads::names().split(", ").map(str::to_owned).collect();
    let Some(head) = heads::by_name(&names[head % names.len()]) else {
        return Vec::new();
    };
    let card = HeadCard {
        strides: vec![8, 16],
        bins: 4,
        ..HeadCard::default()
    };
    let length = |shape: &heads::Shape| shape.iter().map(|side| side.unwrap_or(20)).product();
    let endless = || numbers.iter().copied().cycle();
    let tensors: Vec<Vec<f32>> = (head.shapes)(&card, size, classes)
        .iter()
        .map(|shape| endless().take(length(shape)).collect())
        .collect();
    let slices: Vec<_> = tensors.iter().map(Vec::as_slice).collect();
    let outputs = Outputs {
        card: &card,
        size,
        classes,
        tensors: &slices,
    };
    let mut found = Candidates::default();
    (head.decode)(&outputs, floor, &mut found);
    let flat = |c: heads::Candidate| [c.edges[0], c.edges[1], c.edges[2], c.edges[3], c.score];
    found.drain().map(flat).collect()
}
