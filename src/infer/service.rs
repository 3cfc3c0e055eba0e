//! The models at work: a thread for each, a seat for each camera.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus_client::metrics::counter::Counter;

use super::{
    InferError,
    card::{Card, Task},
    desk::{Desk, Rank, Seat, Work, deadline},
    motion::{MotionModel, MotionRules, MotionState},
    person::PersonModel,
    runtime, siblings,
};
use crate::{
    base::{
        cpu::{Stage, StageCpu},
        link::Bell,
        memory,
        tasks::Tasks,
        telemetry::{CameraLabel, CameraPartLabel, Metrics},
    },
    config::{DetectConfig, ModelsConfig},
    flow::{CameraId, Detection, Frame, Label, MotionReport, NormRect, Size},
};

/// A look for motion that takes longer than this fails: its model hangs. Less than a job may take, so that the one that
/// hangs is named, not those that wait for it.
const MOTION_WAIT: Duration = Duration::from_secs(30);

/// The load is told over so long.
const LOAD_OVER: Duration = Duration::from_secs(5);

/// Why a picture is looked at. Comes back with what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Something moved at a sleeping camera.
    Wake,
    /// The camera is awake.
    Watch,
    /// The picture was chosen beforehand, whatever is in it.
    Fixed,
}

/// A request to look for persons.
#[derive(Debug, Clone)]
pub struct Look {
    /// The picture.
    pub frame: Frame,
    /// Parts of it to look at, a run of the model each; the whole may be among them.
    pub parts: Vec<NormRect>,
    /// Why.
    pub trigger: Trigger,
    /// Whether an alert may wait for it: it comes before looks that are not urgent, when there is not time for all.
    pub urgent: bool,
}

/// The answer to a [`Look`].
#[derive(Debug, Clone)]
pub struct Seen {
    /// The picture.
    pub frame: Frame,
    /// Why it was looked at.
    pub trigger: Trigger,
    /// Runs of the model that it took.
    pub runs: usize,
    /// Things of the camera's labels, best first, down to a score of 0.05: far below what makes an incident, see
    /// [`CameraInfer::threshold`]. An error is no sign of an empty scene.
    pub detections: Result<Vec<Detection>, InferError>,
    /// From the request to the answer: waiting for the model's thread, and the look itself.
    pub elapsed: Duration,
}

struct Question {
    look: Look,
    asked: Instant,
}

struct MotionQuestion {
    frame: Frame,
    rules: Arc<MotionRules>,
    /// Goes there and back with the question.
    state: Box<MotionState>,
}

struct MotionAnswer {
    state: Box<MotionState>,
    report: Result<MotionReport, InferError>,
}

/// Both models, loaded and waiting for pictures. Cheap to clone; they stop with the tasks that they were started with.
#[derive(Clone)]
pub struct Infer {
    motion: Desk<MotionQuestion, MotionAnswer>,
    person: Desk<Question, Seen>,
    motion_card: Arc<Card>,
    person_card: Arc<Card>,
    score: f32,
    metrics: Arc<Metrics>,
}

impl Infer {
    /// Loads ONNX Runtime and both models, tries each model once, and starts a thread for each.
    ///
    /// # Errors
    /// When the library, a card or a model is missing or does not fit, or the system has no thread to give.
    pub fn start(
        config: &ModelsConfig,
        tasks: &Tasks,
        stages: StageCpu,
        metrics: Arc<Metrics>,
    ) -> Result<Self, InferError> {
        let environment = runtime::environment(config.onnxruntime.as_deref())?;
        let motion = MotionModel::open(&environment, &config.dir, &config.motion)?;
        let (card, standing) =
            siblings::choose(&environment, &config.dir, &config.person, Task::Person)?;
        let person = PersonModel::open(&environment, card, config.threads)?;
        let (motion_card, person_card) = (
            Arc::new(motion.card().clone()),
            Arc::new(person.card().clone()),
        );
        let measured = standing.map(tracing::field::display);
        tracing::info!(motion = %motion_card, person = %person_card, measured, "models loaded");
        let score = person.thresholds().score;
        let no_thread = |card: &Card, error: std::io::Error| InferError::Thread {
            model: card.name.clone(),
            reason: error.to_string(),
        };
        Ok(Self {
            motion: start_motion(motion, tasks, stages.clone())
                .map_err(|e| no_thread(&motion_card, e))?,
            person: start_person(person, tasks, stages).map_err(|e| no_thread(&person_card, e))?,
            motion_card,
            person_card,
            score,
            metrics,
        })
    }

    /// Tells from now on in the metrics how much of the last seconds the busier of the two threads was at work. For a
    /// runtime with timers.
    pub fn watch_load(&self, tasks: &Tasks) {
        let (infer, stop) = (self.clone(), tasks.token().clone());
        tasks.spawn("load", async move {
            let (mut before, mut since) = (infer.spent(), Instant::now());
            loop {
                tokio::select! {
                    () = tokio::time::sleep(LOAD_OVER) => {}
                    () = stop.cancelled() => return,
                }
                let (now, passed) = (infer.spent(), since.elapsed());
                let share = |n: usize| (now[n] - before[n]).as_secs_f64() / passed.as_secs_f64();
                infer.metrics.load.set(share(0).max(share(1)).min(1.0));
                (before, since) = (now, Instant::now());
            }
        });
    }

    /// How long the motion model and the person model have been at work so far.
    fn spent(&self) -> [Duration; 2] {
        [self.motion.busy(), self.person.busy()]
    }

    /// Card of the motion model in use.
    #[must_use]
    pub fn motion_card(&self) -> &Card {
        &self.motion_card
    }

    /// Card of the person model in use: where this machine runs the sibling of the one configured better, that one.
    #[must_use]
    pub fn person_card(&self) -> &Card {
        &self.person_card
    }

    /// A camera's seat at both models. `bell` is rung when a [`Seen`] is ready.
    #[must_use]
    pub fn camera(&self, camera: &CameraId, detect: &DetectConfig, bell: &Bell) -> CameraInfer {
        let label = |part| CameraPartLabel {
            camera: camera.to_string(),
            part,
        };
        let (metrics, motion, person) = (&self.metrics, label("motion"), label("person"));
        CameraInfer {
            motion: self.motion.seat(&Bell::new()),
            person: self.person.seat(bell),
            state: Box::default(),
            motion_late: false,
            rules: Arc::new(MotionRules {
                area: detect.least_motion(),
                mask: detect.motion_mask.clone(),
            }),
            labels: detect.labels.clone(),
            threshold: detect.min_score.unwrap_or(self.score),
            input_sizes: self.person_card.input.sizes().collect(),
            motion_counts: Counts {
                looks: metrics.looks.get_or_create_owned(&motion),
                failures: metrics.look_failures.get_or_create_owned(&motion),
            },
            person_counts: Counts {
                looks: metrics.looks.get_or_create_owned(&person),
                failures: metrics.look_failures.get_or_create_owned(&person),
            },
            replaced: metrics.dropped.get_or_create_owned(&label("looks")),
            due: detect.look_interval(),
            late: metrics.late_looks.get_or_create_owned(&CameraLabel {
                camera: camera.to_string(),
            }),
        }
    }
}

fn start_motion(
    mut model: MotionModel,
    tasks: &Tasks,
    stages: StageCpu,
) -> std::io::Result<Desk<MotionQuestion, MotionAnswer>> {
    let name = model.card().name.clone();
    let mut trouble = Trouble::default();
    let work = move |question: &mut MotionQuestion| {
        let MotionQuestion {
            frame,
            rules,
            state,
        } = question;
        let report = stages.time(Stage::Motion, || model.look(frame, rules, state));
        trouble.note(&report);
        MotionAnswer {
            state: std::mem::take(state),
            report,
        }
    };
    // What a look that panicked left of the state cannot be trusted.
    let sorry = move |_| MotionAnswer {
        state: Box::default(),
        report: Err(panicked(&name)),
    };
    Desk::start("motion", tasks, work, sorry)
}

fn start_person(
    model: PersonModel,
    tasks: &Tasks,
    stages: StageCpu,
) -> std::io::Result<Desk<Question, Seen>> {
    let name = model.card().name.clone();
    let work = PersonWork {
        model,
        stages,
        trouble: Trouble::default(),
    };
    let sorry = move |question| seen(&question, Err(panicked(&name)));
    Desk::start("person", tasks, work, sorry)
}

fn seen(question: &Question, detections: Result<Vec<Detection>, InferError>) -> Seen {
    Seen {
        frame: question.look.frame.clone(),
        trigger: question.look.trigger,
        runs: question.look.parts.len(),
        detections,
        elapsed: question.asked.elapsed(),
    }
}

/// The person model rests when it has had nothing to look at for so long.
const REST_AFTER: Duration = Duration::from_secs(5);

struct PersonWork {
    model: PersonModel,
    stages: StageCpu,
    trouble: Trouble,
}

impl Work<Question, Seen> for PersonWork {
    fn answer(&mut self, question: &mut Question) -> Seen {
        let Look { frame, parts, .. } = &question.look;
        let model = &mut self.model;
        let detections = self.stages.time(Stage::Person, || model.look(frame, parts));
        self.trouble.note(&detections);
        seen(question, detections)
    }

    fn rest_after(&self) -> Option<Duration> {
        Some(REST_AFTER)
    }

    /// The person model runs while something happens; when it does not, the box is as good as idle.
    fn rest(&mut self) {
        self.model.rest();
        memory::give_back();
    }
}

fn no_motion_answer() -> InferError {
    super::model::failed("motion", &"it gives no answer")
}

fn panicked(model: &str) -> InferError {
    super::model::failed(
        model,
        &"it panicked; please report this with the lines before it",
    )
}

/// Says once that looks fail, and once that they work again.
#[derive(Default)]
struct Trouble(bool);

impl Trouble {
    fn note<T>(&mut self, outcome: &Result<T, InferError>) {
        match outcome {
            Err(error) if !self.0 => tracing::warn!(%error, "looks fail"),
            Ok(_) if self.0 => tracing::info!("looks work again"),
            _ => {}
        }
        self.0 = outcome.is_err();
    }
}

struct Counts {
    looks: Counter,
    failures: Counter,
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
    motion: Seat<MotionQuestion, MotionAnswer>,
    person: Seat<Question, Seen>,
    state: Box<MotionState>,
    /// The last question's answer did not come in time, and is still to come.
    motion_late: bool,
    rules: Arc<MotionRules>,
    labels: Vec<Label>,
    threshold: f32,
    input_sizes: Vec<Size>,
    motion_counts: Counts,
    person_counts: Counts,
    replaced: Counter,
    /// A look that takes longer than from one to the next is late.
    due: Duration,
    late: Counter,
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
        let question = MotionQuestion {
            frame: frame.clone(),
            rules: Arc::clone(&self.rules),
            state: std::mem::take(&mut self.state),
        };
        self.motion.ask(question, Rank::Routine);
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

    /// Asks for a look and returns at once. An older look that has not begun is replaced, and counted as dropped.
    pub fn offer(&mut self, look: Look) {
        let rank = if look.urgent {
            Rank::Urgent
        } else {
            Rank::Routine
        };
        if !self.motion_late {
            self.state.looked_at();
        }
        let asked = Instant::now();
        if self.person.ask(Question { look, asked }, rank).is_some() {
            self.replaced.inc();
        }
    }

    /// What was seen, if a look has ended since the last call.
    pub fn take(&mut self) -> Option<Seen> {
        let seen = self.person.take();
        seen.map(|seen| self.finish(seen))
    }

    /// Waits for what is seen, at most for `timeout`; none when nothing was offered or the models have been stopped.
    pub fn wait(&mut self, timeout: Duration) -> Option<Seen> {
        let seen = self.person.wait(deadline(timeout));
        seen.map(|seen| self.finish(seen))
    }

    /// Whether a look is waiting, under way, or done and not taken.
    #[must_use]
    pub fn pending(&self) -> bool {
        self.person.pending()
    }

    fn finish(&self, mut seen: Seen) -> Seen {
        self.person_counts.count(seen.runs, &seen.detections);
        if seen.elapsed > self.due {
            self.late.inc();
        }
        if let Ok(detections) = &mut seen.detections {
            detections.retain(|detection| self.labels.contains(&detection.label));
        }
        seen
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
