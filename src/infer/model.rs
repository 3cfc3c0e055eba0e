//! One ONNX model: its session and its card, known to fit each other.

use std::borrow::Cow;

use ort::{
    environment::Environment,
    ep::CPU,
    session::{Session, SessionInputValue, SessionOutputs, builder::SessionBuilder},
    value::TensorElementType,
};

use super::{
    InferError,
    registry::card::{Card, Colour, Element, Task},
};

/// A loaded model. Owned by one thread.
pub(super) struct Model {
    session: Session,
    /// Its card.
    pub card: Card,
}

impl Model {
    /// Loads the model of `card`; `threads` work on one run.
    pub(super) fn open(
        environment: &Environment,
        card: Card,
        threads: usize,
    ) -> Result<Self, InferError> {
        let bytes = card.model()?;
        let refused = |error: ort::Error| InferError::Refused {
            model: card.name.clone(),
            reason: error.to_string(),
        };
        // An arena keeps for ever what one run needs: much for the person model, which mostly rests and costs the same
        // without; little for the motion model, which runs at each look.
        let arena = card.task == Task::Motion;
        let session = builder(environment, threads, arena)
            .and_then(|mut builder| builder.commit_from_memory(&bytes))
            .map_err(refused)?;
        let model = Self { session, card };
        model.check()?;
        Ok(model)
    }

    /// Whether the graph has the input and the outputs that the card names.
    fn check(&self) -> Result<(), InferError> {
        let wrong = |reason: String| Err(self.interface(reason));
        let wanted = &self.card.input;
        let Some(input) = self
            .session
            .inputs()
            .iter()
            .find(|input| input.name() == wanted.name)
        else {
            let names: Vec<_> = self.session.inputs().iter().map(|i| i.name()).collect();
            return wrong(format!(
                "no input \"{}\", there is: {}",
                wanted.name,
                names.join(", ")
            ));
        };
        let element = match wanted.element {
            Element::Float32 => TensorElementType::Float32,
            Element::Uint8 => TensorElementType::Uint8,
        };
        if input.dtype().tensor_type() != Some(element) {
            return wrong(format!(
                "input \"{}\" is {}, not {element}",
                wanted.name,
                input.dtype()
            ));
        }
        let shape = input
            .dtype()
            .tensor_shape()
            .map_or(&[][..], |shape| &shape[..]);
        for size in wanted.sizes() {
            let planes = if wanted.colour == Colour::Luma { 1 } else { 3 };
            let fed = [1, planes, i64::from(size.height), i64::from(size.width)];
            let fits = shape.len() == 4
                && shape
                    .iter()
                    .zip(fed)
                    .all(|(have, want)| *have < 0 || *have == want);
            if !fits {
                return wrong(format!(
                    "input \"{}\" has shape {shape:?}, not {fed:?}",
                    wanted.name
                ));
            }
        }
        for name in &self.card.head.outputs {
            if !self
                .session
                .outputs()
                .iter()
                .any(|output| output.name() == name)
            {
                let names: Vec<_> = self.session.outputs().iter().map(|o| o.name()).collect();
                return wrong(format!(
                    "no output \"{name}\", there is: {}",
                    names.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// The session to run, and the card to feed and read it by.
    pub(super) fn parts(&mut self) -> (&mut Session, &Card) {
        (&mut self.session, &self.card)
    }

    /// The error that the card and the graph differ.
    pub(super) fn interface(&self, reason: String) -> InferError {
        InferError::Interface {
            model: self.card.name.clone(),
            reason,
        }
    }
}

/// Runs the graph once.
pub(super) fn run<'s, const N: usize>(
    session: &'s mut Session,
    card: &Card,
    inputs: [(&str, SessionInputValue<'_>); N],
) -> Result<SessionOutputs<'s>, InferError> {
    let named = inputs.map(|(name, value)| (Cow::Borrowed(name), value));
    session
        .run(Vec::from(named))
        .map_err(|error| failed(&card.name, &error))
}

/// The error that a run failed.
pub(super) fn failed(model: &str, reason: &impl ToString) -> InferError {
    InferError::Run {
        model: model.to_owned(),
        reason: reason.to_string(),
    }
}

/// One run at a time, nodes in sequence, on threads that sleep when they have nothing to do.
fn builder(environment: &Environment, threads: usize, arena: bool) -> ort::Result<SessionBuilder> {
    let builder = Session::builder(environment)?
        .with_execution_providers([CPU::default().with_arena_allocator(arena).build()])?
        .with_intra_threads(threads.max(1))?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?;
    Ok(builder)
}
