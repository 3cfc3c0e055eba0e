//! The models at work: a thread for each, a slot for each camera.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    client::{
        CameraInfer, Counts, DetectRequest, DetectResult, MotionRequest, MotionResult, TimedRequest,
    },
    inference_worker::{Handler, InferenceWorker, Priority},
    spare_turns::SpareBudget,
};
use crate::{
    base::{
        cpu::{Stage, StageCpu},
        link::WakeSignal,
        memory,
        tasks::Tasks,
        telemetry::{CameraLabel, CameraPartLabel, Metrics},
    },
    config::{DetectConfig, ModelsConfig},
    flow::{CameraId, Detection},
    infer::{
        InferError,
        detect::person::PersonModel,
        motion::{MotionModel, MotionRules},
        registry::{
            card::{Card, Task},
            variants,
        },
        runtime,
    },
};

/// The load is told over so long.
const LOAD_OVER: Duration = Duration::from_secs(5);

/// Both models, loaded and waiting for pictures. Cheap to clone; they stop with the tasks that they were started with.
#[derive(Clone)]
pub struct Infer {
    motion: InferenceWorker<MotionRequest, MotionResult>,
    person: InferenceWorker<TimedRequest, DetectResult>,
    motion_card: Arc<Card>,
    person_card: Arc<Card>,
    score: f32,
    turns: SpareBudget,
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
            variants::choose(&environment, &config.dir, &config.person, Task::Person)?;
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
        let turns = SpareBudget::new();
        Ok(Self {
            motion: start_motion(motion, tasks, stages.clone())
                .map_err(|e| no_thread(&motion_card, e))?,
            person: start_person(person, tasks, stages, turns.clone())
                .map_err(|e| no_thread(&person_card, e))?,
            motion_card,
            person_card,
            score,
            turns,
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

    /// A camera's slot at both models. `wake_signal` is raised when a [`DetectResult`] is ready.
    #[must_use]
    pub fn camera(
        &self,
        camera: &CameraId,
        detect: &DetectConfig,
        wake_signal: &WakeSignal,
    ) -> CameraInfer {
        let label = |part| CameraPartLabel {
            camera: camera.to_string(),
            part,
        };
        let (metrics, motion, person) = (&self.metrics, label("motion"), label("person"));
        CameraInfer {
            motion: self.motion.slot(&WakeSignal::new()),
            person: self.person.slot(wake_signal),
            turn: self.turns.camera(),
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
) -> std::io::Result<InferenceWorker<MotionRequest, MotionResult>> {
    let name = model.card().name.clone();
    let mut trouble = Trouble::default();
    let work = move |request: &mut MotionRequest| {
        let MotionRequest {
            frame,
            rules,
            state,
        } = request;
        let report = stages.time(Stage::Motion, || model.look(frame, rules, state));
        trouble.note(&report);
        MotionResult {
            state: std::mem::take(state),
            report,
        }
    };
    // What a look that panicked left of the state cannot be trusted.
    let on_panic = move |_| MotionResult {
        state: Box::default(),
        report: Err(panicked(&name)),
    };
    InferenceWorker::start("motion", tasks, work, on_panic)
}

fn start_person(
    model: PersonModel,
    tasks: &Tasks,
    stages: StageCpu,
    turns: SpareBudget,
) -> std::io::Result<InferenceWorker<TimedRequest, DetectResult>> {
    let name = model.card().name.clone();
    let work = PersonWork {
        model,
        stages,
        turns,
        trouble: Trouble::default(),
        at_work: false,
    };
    let on_panic = move |request| seen(&request, Err(panicked(&name)));
    InferenceWorker::start("person", tasks, work, on_panic)
}

fn seen(request: &TimedRequest, detections: Result<Vec<Detection>, InferError>) -> DetectResult {
    DetectResult {
        frame: request.look.frame.clone(),
        trigger: request.look.trigger,
        runs: request.look.parts.len(),
        detections,
        priority: request.look.priority,
        elapsed: request.asked.elapsed(),
    }
}

/// The person model rests when it has had nothing to look at for so long.
const REST_AFTER: Duration = Duration::from_secs(5);

struct PersonWork {
    model: PersonModel,
    stages: StageCpu,
    turns: SpareBudget,
    trouble: Trouble,
    /// It has looked since it last rested.
    at_work: bool,
}

impl Handler<TimedRequest, DetectResult> for PersonWork {
    fn answer(&mut self, request: &mut TimedRequest) -> DetectResult {
        let DetectRequest {
            frame,
            parts,
            priority,
            ..
        } = &request.look;
        let model = &mut self.model;
        if !std::mem::replace(&mut self.at_work, true) {
            memory::keep_for_work();
        }
        let began = Instant::now();
        let detections = self.stages.time(Stage::Person, || model.look(frame, parts));
        if *priority == Priority::Spare {
            self.turns.took(began.elapsed());
        }
        self.trouble.note(&detections);
        seen(request, detections)
    }

    fn rest_after(&self) -> Option<Duration> {
        Some(REST_AFTER)
    }

    /// The person model runs while something happens; when it does not, the box is as good as idle.
    fn rest(&mut self) {
        self.at_work = false;
        self.model.rest();
        memory::rest();
    }
}

fn panicked(model: &str) -> InferError {
    crate::infer::model::failed(
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

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
