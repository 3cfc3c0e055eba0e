//! Single steps of a look, for benches.

use super::{
    InferError, card,
    card::Element,
    nms::{self, Found},
    prepare::{Mapping, Preparer},
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
