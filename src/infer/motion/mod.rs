//! The motion model: a picture against the background of its camera.
//!
//! The graph is stateless; the background, the noise of each pixel (`spread`) and what is known of the scene travel
//! in a [`MotionState`], one for each camera, so that all cameras share one session.

mod changed;
mod masked_motion;
mod regions;

use std::time::Duration;

use ort::{environment::Environment, value::TensorRef};

use changed::Changed;
use masked_motion::MaskedMotion;
use regions::Finder;

use super::{
    InferError,
    model::{self, Model, failed},
    preprocess::Preparer,
    registry::{
        card::{Card, Task},
        variants,
    },
};
use crate::flow::{Frame, MediaTime, MotionReport, NormPoint, Polygon, Size};

/// Looks before the background is believed.
const LEARNING_LOOKS: u32 = 2;
/// The background has settled when at most this share of the picture differs from it ...
const CALM: f32 = 0.1;
/// ... or after this many looks, however much goes on.
const MOST_LEARNING_LOOKS: u32 = 5;
/// After a scene-wide change, looks until motion is believed again, that of the change included.
const NEW_SCENE_LOOKS: u32 = 2;
/// A change of light is over in a look or two. What covers the scene in more looks in a row than this is moving.
const MOST_NEW_SCENES: u32 = 3;
/// After a gap of this length the background is learnt anew.
const LONG_GAP: Duration = Duration::from_secs(60);
/// Black of video range: what masked places are painted with, so that they count neither as motion nor as light.
const BLACK: u8 = 16;

/// Names in the graph beside the card's input; `infer::card` demands the outputs.
const BACKGROUND: &str = "background";
const SPREAD: &str = "spread";
const RATE: &str = "rate";
pub(super) const BACKGROUND_OUT: &str = "background_out";
pub(super) const SPREAD_OUT: &str = "spread_out";
pub(super) const MASK: &str = "mask";

/// What counts as motion at one camera.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MotionRules {
    /// Least area of a region, share of the picture.
    pub area: f32,
    /// Places that are left out.
    pub mask: Vec<Polygon>,
}

/// What is known of one camera's scene.
#[derive(Debug, Default)]
pub(super) struct MotionState {
    size: Size,
    luma: Vec<u8>,
    background: Vec<f32>,
    spread: Vec<f32>,
    /// Cells of the picture that are left out.
    masked: Vec<bool>,
    any_masked: bool,
    /// Foreground, masked places removed.
    mask: Vec<u8>,
    hidden: MaskedMotion,
    changed: Changed,
    last: Option<MediaTime>,
    /// Looks since learning began.
    looks: u32,
    /// Looks that still say `settled: false` after a scene-wide change.
    unsettled: u32,
    /// Looks in a row in which most of the picture changed.
    new_scenes: u32,
    finder: Finder,
}

impl MotionState {
    /// Makes the newest picture the background and forgets the rest.
    fn learn_anew(&mut self, initial_spread: f32) {
        self.background.clear();
        self.background
            .extend(self.luma.iter().map(|luma| f32::from(*luma)));
        self.spread.clear();
        self.spread.resize(self.luma.len(), initial_spread);
    }

    /// The newest picture is looked at for persons: what differs from it is not yet looked at. `perhaps`: the look may
    /// give way to one at a later picture.
    pub(super) fn looked_at(&mut self, perhaps: bool) {
        self.changed.looked_at(&self.luma, perhaps);
    }

    /// That look gave way: everything is as before it.
    pub(super) fn not_looked_at(&mut self) {
        self.changed.not_looked_at();
    }

    /// It was made.
    pub(super) fn was_looked_at(&mut self) {
        self.changed.was_looked_at();
    }

    /// Sets the size of the cells and rasterises the mask polygons for it.
    fn reset(&mut self, size: Size, mask: &[Polygon]) {
        self.size = size;
        self.last = None;
        self.changed = Changed::default();
        let centre = |index: u32, cells: u32| (index as f32 + 0.5) / cells as f32;
        self.masked.clear();
        for y in 0..size.height {
            for x in 0..size.width {
                let point = NormPoint {
                    x: centre(x, size.width),
                    y: centre(y, size.height),
                };
                self.masked
                    .push(mask.iter().any(|polygon| polygon.contains(point)));
            }
        }
        self.any_masked = self.masked.contains(&true);
    }
}

/// The motion model with its session.
pub(super) struct MotionModel {
    model: Model,
    preparer: Preparer,
    initial_spread: f32,
    tau: f32,
    new_scene: f32,
}

impl MotionModel {
    /// Loads the model `name` of the folder `dir` and tries it once.
    pub(super) fn open(
        environment: &Environment,
        dir: &std::path::Path,
        name: &str,
    ) -> Result<Self, InferError> {
        let (card, _) = variants::choose(environment, dir, name, Task::Motion)?;
        let model = Model::open(environment, card, 1)?;
        let head = &model.card.head;
        let set = "a motion card that was read has its settings";
        let mut motion = Self {
            initial_spread: head.initial_spread.expect(set),
            tau: head.tau_s.expect(set),
            new_scene: head.new_scene.expect(set),
            model,
            preparer: Preparer::new(),
        };
        motion.try_once()?;
        Ok(motion)
    }

    /// The card in use.
    pub(super) fn card(&self) -> &Card {
        &self.model.card
    }

    fn try_once(&mut self) -> Result<(), InferError> {
        let sizes: Vec<Size> = self.model.card.input.sizes().collect();
        for size in sizes {
            let mut state = MotionState::default();
            state.reset(size, &[]);
            state.luma = vec![BLACK; (size.width * size.height) as usize];
            state.learn_anew(self.initial_spread);
            self.run(&mut state, 0.0).map_err(|error| match error {
                InferError::Run { reason, .. } => self.model.interface(reason),
                other => other,
            })?;
        }
        Ok(())
    }

    /// Looks at a picture and moves the camera's background on.
    pub(super) fn look(
        &mut self,
        frame: &Frame,
        rules: &MotionRules,
        state: &mut MotionState,
    ) -> Result<MotionReport, InferError> {
        let size = self.model.card.input.size_for(frame.size);
        if state.size != size {
            state.reset(size, &rules.mask);
        }
        self.preparer.luma(frame, size, &mut state.luma)?;
        let width = size.width as usize;
        let mut masked = None;
        if state.any_masked {
            masked = state
                .hidden
                .look(&state.luma, &state.masked, width, rules.area);
            let cells = state.luma.iter_mut().zip(&state.masked);
            cells
                .filter(|(_, masked)| **masked)
                .for_each(|(luma, _)| *luma = BLACK);
        }
        let (unseen, changes) =
            state
                .changed
                .look(frame.time, &state.luma, &state.spread, width, rules.area);
        let gap = state.last.map(|last| frame.time.since(last));
        state.last = Some(frame.time);
        let Some(gap) = gap.filter(|gap| *gap < LONG_GAP) else {
            state.learn_anew(self.initial_spread);
            (state.looks, state.unsettled, state.new_scenes) = (1, 0, 0);
            return Ok(MotionReport {
                unseen,
                ..report(frame, 0.0, false)
            });
        };
        state.looks = state.looks.saturating_add(1);
        self.run(state, self.rate(gap, state))?;
        Ok(MotionReport {
            masked,
            unseen,
            changes,
            ..self.judge(frame, rules, state)
        })
    }

    /// Share by which the background follows this picture: while it is being learnt, the mean of all pictures so far.
    fn rate(&self, gap: Duration, state: &MotionState) -> f32 {
        let steady = 1.0 - (-gap.as_secs_f32() / self.tau).exp();
        if state.looks <= LEARNING_LOOKS {
            steady.max(1.0 / state.looks as f32)
        } else {
            steady
        }
    }

    fn judge(&self, frame: &Frame, rules: &MotionRules, state: &mut MotionState) -> MotionReport {
        let total = state.mask.len() as f32;
        let open = state
            .masked
            .iter()
            .filter(|masked| !**masked)
            .count()
            .max(1) as f32;
        let foreground = state.mask.iter().filter(|cell| **cell != 0).count() as f32;
        let (score, of_open) = (foreground / total, foreground / open);
        if of_open > self.new_scene {
            state.new_scenes += 1;
            // The graph does so by itself, unless the mask hides from it how much has changed.
            state.learn_anew(self.initial_spread);
            if state.new_scenes <= MOST_NEW_SCENES {
                state.unsettled = NEW_SCENE_LOOKS - 1;
                return report(frame, score, false);
            }
        } else {
            state.new_scenes = 0;
            if state.unsettled > 0 {
                state.unsettled -= 1;
                return report(frame, score, false);
            }
        }
        let enough = if of_open > CALM {
            MOST_LEARNING_LOOKS
        } else {
            LEARNING_LOOKS
        };
        if state.looks <= enough {
            return report(frame, score, false);
        }
        let (regions, small) =
            state
                .finder
                .find(&state.mask, state.size.width as usize, rules.area);
        MotionReport {
            regions,
            small,
            ..report(frame, score, true)
        }
    }

    /// One run of the graph: moves `background` and `spread` on and leaves the foreground in `mask`.
    fn run(&mut self, state: &mut MotionState, rate: f32) -> Result<(), InferError> {
        let (session, card) = self.model.parts();
        let fail = |error: ort::Error| failed(&card.name, &error);
        let shape = [1, 1, state.size.height as usize, state.size.width as usize];
        let luma = TensorRef::from_array_view((shape, &*state.luma)).map_err(fail)?;
        let background = TensorRef::from_array_view((shape, &*state.background)).map_err(fail)?;
        let spread = TensorRef::from_array_view((shape, &*state.spread)).map_err(fail)?;
        let rate = [rate];
        let rate = TensorRef::from_array_view(([0i64; 0], rate.as_slice())).map_err(fail)?;
        let inputs = [
            (card.input.name.as_str(), luma.into()),
            (BACKGROUND, background.into()),
            (SPREAD, spread.into()),
            (RATE, rate.into()),
        ];
        let outputs = model::run(session, card, inputs)?;
        let (_, background) = outputs[BACKGROUND_OUT]
            .try_extract_tensor::<f32>()
            .map_err(fail)?;
        let (_, spread) = outputs[SPREAD_OUT]
            .try_extract_tensor::<f32>()
            .map_err(fail)?;
        let (_, mask) = outputs[MASK].try_extract_tensor::<u8>().map_err(fail)?;
        let cells = state.luma.len();
        if [background.len(), spread.len(), mask.len()] != [cells; 3] {
            let reason = format!("an output does not have {cells} cells");
            return Err(failed(&card.name, &reason));
        }
        // What is not a number would stay so for ever.
        if !all_finite(background) || !all_finite(spread) {
            state.last = None;
            return Err(failed(
                &card.name,
                &"its background is no number; it is learnt anew",
            ));
        }
        state.background.copy_from_slice(background);
        state.spread.copy_from_slice(spread);
        state.mask.clear();
        state.mask.extend_from_slice(mask);
        if state.any_masked {
            let cells = state.mask.iter_mut().zip(&state.masked);
            cells
                .filter(|(_, masked)| **masked)
                .for_each(|(cell, _)| *cell = 0);
        }
        Ok(())
    }
}

/// Without a way out half-way: so it is done many numbers at a time.
fn all_finite(values: &[f32]) -> bool {
    values
        .iter()
        .fold(true, |all, value| all & value.is_finite())
}

fn report(frame: &Frame, score: f32, settled: bool) -> MotionReport {
    MotionReport {
        time: frame.time,
        score,
        regions: Vec::new(),
        small: None,
        masked: None,
        unseen: None,
        changes: None,
        settled,
    }
}

#[cfg(test)]
mod tests;
