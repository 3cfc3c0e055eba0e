//! The person model: boxes in a picture, looked for in the whole of it or in parts at full resolution.

use std::time::Duration;

use ort::{environment::Environment, session::SessionInputValue, value::TensorRef};

use super::{
    appearance,
    heads::{self, Candidates, Head, Outputs},
    nms::{self, Found},
};
use crate::{
    base::cpu,
    flow::{Detection, Frame, Label, NormRect, Size},
    infer::{
        InferError,
        model::{self, Model, failed},
        preprocess::{Mapping, Preparer},
        registry::card::{Card, Element, Thresholds},
    },
};

/// Detections are kept down to this score: weak ones help to go on with a track.
const FLOOR: f32 = 0.05;

/// The person model with its session.
pub(in crate::infer) struct PersonModel {
    model: Model,
    head: Head,
    classes: Vec<Option<Label>>,
    thresholds: Thresholds,
    preparer: Preparer,
    floats: Vec<f32>,
    bytes: Vec<u8>,
    candidates: Candidates,
}

impl PersonModel {
    /// Loads the model of `card` and tries it once; `threads` work on one look.
    pub(in crate::infer) fn open(
        environment: &Environment,
        card: Card,
        threads: usize,
    ) -> Result<Self, InferError> {
        let model = Model::open(environment, card, threads)?;
        let mut person = Self {
            head: heads::by_name(&model.card.head.kind)
                .expect("a card that was read has a known head"),
            classes: model.card.classes(),
            thresholds: model
                .card
                .thresholds()
                .expect("a person card that was read has thresholds"),
            model,
            preparer: Preparer::new(),
            floats: Vec::new(),
            bytes: Vec::new(),
            candidates: Candidates::default(),
        };
        person.try_once()?;
        Ok(person)
    }

    /// The card in use.
    pub(in crate::infer) fn card(&self) -> &Card {
        &self.model.card
    }

    /// Where detections begin, by the card.
    pub(in crate::infer) fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    fn try_once(&mut self) -> Result<(), InferError> {
        let size = self
            .model
            .card
            .input
            .sizes()
            .next()
            .expect("a card that was read has a size");
        self.rehearse(size).map_err(|error| match error {
            InferError::Run { reason, .. } => self.model.interface(reason),
            other => other,
        })?;
        Ok(())
    }

    /// Looks at a made-up picture of `size`: to see whether that works, and what CPU time it takes this thread.
    pub(in crate::infer) fn rehearse(&mut self, size: Size) -> Result<Duration, InferError> {
        let texture = (0..3 * size.width * size.height).map(|at| (at * 31 % 251) as u8);
        match self.model.card.input.element {
            Element::Float32 => {
                self.floats.clear();
                self.floats.extend(texture.map(f32::from));
            }
            Element::Uint8 => {
                self.bytes.clear();
                self.bytes.extend(texture);
            }
        }
        let before = cpu::thread();
        self.run(size)?;
        Ok(cpu::thread().saturating_sub(before))
    }

    /// Nothing is looked at for a while: lets go of the buffers.
    pub(in crate::infer) fn rest(&mut self) {
        (self.floats, self.bytes) = (Vec::new(), Vec::new());
        self.preparer = Preparer::new();
        self.candidates = Candidates::default();
    }

    /// Looks for things in the parts `regions` of a picture and returns what was seen, best first, without doubles.
    pub(in crate::infer) fn look(
        &mut self,
        frame: &Frame,
        regions: &[NormRect],
    ) -> Result<Vec<Detection>, InferError> {
        let mut found = Vec::new();
        for (look, region) in regions.iter().enumerate() {
            let mapping = self.look_at(frame, *region)?;
            let classes = &self.classes;
            found.extend(self.candidates.drain().filter_map(|candidate| {
                let rect = mapping.to_picture(candidate.edges);
                let label = classes.get(candidate.class).copied().flatten()?;
                let inside = rect.is_mostly_in(&NormRect::FULL);
                let (score, cut) = (candidate.score, nms::is_cut(&rect, region));
                let detection = Detection {
                    rect,
                    label,
                    score,
                    clothes: None,
                };
                let close_up = (*region != NormRect::FULL).then_some(look);
                inside.then_some(Found {
                    detection,
                    close_up,
                    cut,
                })
            }));
        }
        let mut merged = nms::merge(found, self.thresholds.nms_iou);
        for detection in &mut merged {
            detection.clothes = Some(appearance::of(frame, &detection.rect));
        }
        Ok(merged)
    }

    fn look_at(&mut self, frame: &Frame, region: NormRect) -> Result<Mapping, InferError> {
        let input = &self.model.card.input;
        let pixels = |share: f32, all: u32| ((share * all as f32).round() as u32).max(1);
        let part = region.clamped();
        let size = input.size_for(Size::new(
            pixels(part.width(), frame.size.width),
            pixels(part.height(), frame.size.height),
        ));
        let mapping = match input.element {
            Element::Float32 => self
                .preparer
                .colours(frame, region, input, size, &mut self.floats),
            Element::Uint8 => self
                .preparer
                .colours(frame, region, input, size, &mut self.bytes),
        }?;
        self.run(size)?;
        Ok(mapping)
    }

    /// Runs the model on what lies in its buffer and decodes its answer.
    fn run(&mut self, size: Size) -> Result<(), InferError> {
        let Self {
            model,
            floats,
            bytes,
            head,
            classes,
            candidates,
            ..
        } = self;
        let (session, card) = model.parts();
        let fail = |error: ort::Error| failed(&card.name, &error);
        let shape = [1, 3, size.height as usize, size.width as usize];
        let tensor: SessionInputValue<'_> = match card.input.element {
            Element::Float32 => TensorRef::from_array_view((shape, &**floats))
                .map_err(fail)?
                .into(),
            Element::Uint8 => TensorRef::from_array_view((shape, &**bytes))
                .map_err(fail)?
                .into(),
        };
        let outputs = model::run(session, card, [(&card.input.name, tensor)])?;
        let names = &card.head.outputs;
        let shapes = (head.shapes)(&card.head, size, classes.len());
        let mut tensors = Vec::with_capacity(names.len());
        for (output, expected) in names.iter().zip(shapes) {
            let (shape, data) = outputs[output.as_str()]
                .try_extract_tensor::<f32>()
                .map_err(fail)?;
            let fits = shape.len() == expected.len()
                && shape
                    .iter()
                    .zip(expected)
                    .all(|(have, want)| want.is_none_or(|want| *have == want as i64));
            if !fits {
                let expected = expected
                    .map(|d| d.map_or("any".to_owned(), |d| d.to_string()))
                    .join(", ");
                let reason = format!("output \"{output}\" has shape {shape:?}, not [{expected}]");
                return Err(failed(&card.name, &reason));
            }
            tensors.push(data);
        }
        let outputs = Outputs {
            card: &card.head,
            size,
            classes: classes.len(),
            tensors: &tensors,
        };
        candidates.clear();
        (head.decode)(&outputs, FLOOR, candidates);
        Ok(())
    }
}

#[cfg(test)]
#[path = "person_tests.rs"]
mod tests;
