//! One camera's way to both models.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus_client::metrics::counter::Counter;

use super::{
    inference_worker::{ClientSlot, Priority, deadline},
    spare_turns::SpareTurn,
};
use crate::{
    flow::{Detection, Frame, Label, MediaTime, MotionReport, NormRect, Size},
    infer::{
        InferError, model,
        motion::{MotionRules, MotionState},
    },
};

/// A look for motion that takes longer than this fails: its model hangs. Less than a job may take, so that the one that
/// hangs is named, not those that wait for it.
const MOTION_WAIT: Duration = Duration::from_secs(30);

/// Why a picture is looked at. Comes back with what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Something moved at a sleeping camera.
    Wake,
    /// The camera is awake.
    Awake,
    /// The picture was chosen beforehand, whatever is in it.
    Fixed,
}

/// A request to look for persons.
#[derive(Debug, Clone)]
pub struct DetectRequest {
    /// The picture.
    pub frame: Frame,
    /// Parts of it to look at, a run of the model each; the whole may be among them.
    pub parts: Vec<NormRect>,
    /// Why.
    pub trigger: Trigger,
    /// Urgent where an alert may wait for it; spare where nothing moves and [`CameraInfer::turn`] has come.
    pub priority: Priority,
}

/// The answer to a [`DetectRequest`].
#[derive(Debug, Clone)]
pub struct DetectResult {
    /// The picture.
    pub frame: Frame,
    /// Why it was looked at.
    pub trigger: Trigger,
    /// Runs of the model that it took.
    pub runs: usize,
    /// Things of the camera's labels, best first, down to a score of 0.05: far below what makes an incident, see
    /// [`CameraInfer::threshold`]. An error is no sign of an empty scene.
    pub detections: Result<Vec<Detection>, InferError>,
    /// As it was asked for.
    pub priority: Priority,
    /// From the request to the answer: waiting for the model's thread, and the look itself.
    pub elapsed: Duration,
}

pub(in crate::infer) struct TimedRequest {
    pub(in crate::infer) look: DetectRequest,
    pub(in crate::infer) asked: Instant,
}

pub(in crate::infer) struct MotionRequest {
    pub(in crate::infer) frame: Frame,
    pub(in crate::infer) rules: Arc<MotionRules>,
    /// Goes there and back with the question.
    pub(in crate::infer) state: Box<MotionState>,
}

pub(in crate::infer) struct MotionResult {
    pub(in crate::infer) state: Box<MotionState>,
    pub(in crate::infer) report: Result<MotionReport, InferError>,
}

fn no_motion_answer() -> InferError {
    model::failed("motion", &"it gives no answer")
}

pub(in crate::infer) struct Counts {
    pub(in crate::infer) looks: Counter,
    pub(in crate::infer) failures: Counter,
}

impl Counts {
    fn count<T>(&self, runs: usize, outcome: &Result<T, InferError>) {
        self.looks.inc_by(runs as u64);
        if outcome.is_err() {
            self.failures.inc();
        }
    }
}

/// One camera's way to both models.
pub struct CameraInfer {
    pub(in crate::infer) motion: ClientSlot<MotionRequest, MotionResult>,
    pub(in crate::infer) person: ClientSlot<TimedRequest, DetectResult>,
    pub(in crate::infer) turn: SpareTurn,
    pub(in crate::infer) state: Box<MotionState>,
    /// The last question's answer did not come in time, and is still to come.
    pub(in crate::infer) motion_late: bool,
    pub(in crate::infer) rules: Arc<MotionRules>,
    pub(in crate::infer) labels: Vec<Label>,
    pub(in crate::infer) threshold: f32,
    pub(in crate::infer) input_sizes: Vec<Size>,
    pub(in crate::infer) motion_counts: Counts,
    pub(in crate::infer) person_counts: Counts,
    pub(in crate::infer) replaced: Counter,
    /// A look that takes longer than from one to the next is late.
    pub(in crate::infer) due: Duration,
    pub(in crate::infer) late: Counter,
}

impl CameraInfer {
    /// Score from which a detection is a sighting: the configuration's, or else the model card's.
    #[must_use]
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Sizes at which the person model can be run.
    #[must_use]
    pub fn input_sizes(&self) -> &[Size] {
        &self.input_sizes
    }

    /// Looks for motion and waits for the answer (below a millisecond, unless other cameras ask at the same time).
    /// Pictures must come in the order of their times: each moves the camera's background on.
    ///
    /// A report that is not settled (the first two looks, the two after a scene-wide change such as infra-red
    /// switching on, the first after a gap of a minute) has no regions and says nothing about what is there: where
    /// nobody may be missed, look for persons.
    ///
    /// # Errors
    /// When the picture cannot be used, the model fails or gives no answer in time, or the models have been stopped.
    pub fn motion(&mut self, frame: &Frame) -> Result<MotionReport, InferError> {
        if self.motion_late {
            // It has the state: without it there is nothing to compare with.
            let late = self.motion.take().ok_or_else(no_motion_answer)?;
            (self.state, self.motion_late) = (late.state, false);
        }
        let request = MotionRequest {
            frame: frame.clone(),
            rules: Arc::clone(&self.rules),
            state: std::mem::take(&mut self.state),
        };
        self.motion.ask(request, Priority::Routine);
        let Some(answer) = self.motion.wait(deadline(MOTION_WAIT)) else {
            self.motion_late = self.motion.pending();
            return Err(if self.motion_late {
                no_motion_answer()
            } else {
                InferError::Stopped
            });
        };
        self.state = answer.state;
        self.motion_counts.count(1, &answer.report);
        answer.report
    }

    /// Whether a picture taken at `now` may be looked at though nothing moves. All cameras share what such looks may
    /// cost; one that must wait keeps its turn, and asks again with its next picture.
    pub fn turn(&mut self, now: MediaTime) -> bool {
        self.turn.has_come(now)
    }

    /// Takes back a spare look that has not begun: there is a newer picture, taken at `now`, whose turn it is. To be called
    /// before that picture's look for motion. Whether there was one.
    pub fn withdraw(&mut self, now: MediaTime) -> bool {
        let any = self.person.withdraw().is_some();
        if any {
            self.turn.back(now);
            self.state.not_looked_at();
        }
        any
    }

    /// Asks for a look and returns at once. An older look that has not begun is replaced, and counted as dropped.
    pub fn offer(&mut self, look: DetectRequest) {
        let priority = look.priority;
        if !self.motion_late {
            self.state.looked_at(priority == Priority::Spare);
        }
        let asked = Instant::now();
        if self
            .person
            .ask(TimedRequest { look, asked }, priority)
            .is_some()
        {
            self.replaced.inc();
        }
    }

    /// What was seen, if a look has ended since the last call.
    pub fn take(&mut self) -> Option<DetectResult> {
        let seen = self.person.take();
        seen.map(|seen| self.finish(seen))
    }

    /// Waits for what is seen, at most for `timeout`; none when nothing was offered or the models have been stopped.
    pub fn wait(&mut self, timeout: Duration) -> Option<DetectResult> {
        let seen = self.person.wait(deadline(timeout));
        seen.map(|seen| self.finish(seen))
    }

    /// Whether a look is waiting, under way, or done and not taken.
    #[must_use]
    pub fn pending(&self) -> bool {
        self.person.pending()
    }

    fn finish(&mut self, mut seen: DetectResult) -> DetectResult {
        self.person_counts.count(seen.runs, &seen.detections);
        self.state.was_looked_at();
        if seen.elapsed > self.due && seen.priority != Priority::Spare {
            self.late.inc();
        }
        if let Ok(detections) = &mut seen.detections {
            detections.retain(|detection| self.labels.contains(&detection.label));
        }
        seen
    }
}
