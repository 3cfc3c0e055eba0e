//! Both models on their threads.

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    flow::{Frame, Label, MediaTime, NormRect},
    infer::{Trigger, worker::inference_worker::deadline},
    testing::models,
};

const SOON: Duration = Duration::from_secs(30);

struct Rig {
    infer: Infer,
    tasks: Tasks,
    stages: StageCpu,
    metrics: Arc<Metrics>,
    _runtime: tokio::runtime::Runtime,
}

fn rig() -> Rig {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let (stages, metrics) = (StageCpu::default(), Metrics::new());
    let infer = Infer::start(
        &models::config(),
        &tasks,
        stages.clone(),
        Arc::clone(&metrics),
    )
    .unwrap();
    Rig {
        infer,
        tasks,
        stages,
        metrics,
        _runtime: runtime,
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        assert!(self.tasks.close(SOON).is_empty());
    }
}

fn camera(rig: &Rig, name: &str, wake_signal: &WakeSignal) -> CameraInfer {
    rig.infer.camera(
        &name.parse().unwrap(),
        &DetectConfig::default(),
        wake_signal,
    )
}

fn look(frame: &Frame) -> DetectRequest {
    DetectRequest {
        frame: frame.clone(),
        parts: vec![NormRect::FULL],
        trigger: Trigger::Awake,
        priority: Priority::Routine,
    }
}

#[test]
fn a_look_comes_back_with_the_cameras_labels_and_is_counted() {
    let rig = rig();
    let wake_signal = WakeSignal::new();
    let mut camera = camera(&rig, "door", &wake_signal);
    assert_eq!(
        camera.threshold(),
        rig.infer.person_card().thresholds().unwrap().score
    );
    assert!(!camera.pending() && camera.take().is_none());
    let frame = models::golden_picture();
    camera.offer(look(&frame));
    assert!(camera.pending());
    assert!(wake_signal.wait(deadline(SOON)));
    let seen = camera.take().unwrap();
    assert!(!camera.pending());
    assert_eq!(
        (seen.frame.time, seen.trigger),
        (frame.time, Trigger::Awake)
    );
    let detections = seen.detections.unwrap();
    assert!(detections[0].score >= camera.threshold());
    // The picture holds a dog as well, or something like it; this camera asked for persons only.
    assert!(
        detections
            .iter()
            .all(|d| d.label == Label::Person && d.score >= 0.05)
    );
    assert!(rig.stages.get(Stage::Person) > Duration::ZERO);
    let text = rig.metrics.render().unwrap();
    assert!(
        text.contains("lares_looks_total{camera=\"door\",part=\"person\"} 1"),
        "{text}"
    );
}

#[test]
fn a_look_that_takes_longer_than_to_the_next_is_counted_as_late() {
    let rig = rig();
    let hasty = DetectConfig {
        detect_fps: 1e6,
        ..DetectConfig::default()
    };
    let id = "door".parse().unwrap();
    let mut camera = rig.infer.camera(&id, &hasty, &WakeSignal::new());
    camera.offer(look(&models::golden_picture()));
    assert!(camera.wait(SOON).is_some());
    let text = rig.metrics.render().unwrap();
    assert!(
        text.contains("lares_late_looks_total{camera=\"door\"} 1"),
        "{text}"
    );
    assert!(rig.infer.spent()[1] > Duration::ZERO);
}

#[test]
#[ignore = "needs data beside the checkout"]
fn other_classes_are_seen_where_a_camera_asks_for_them() {
    let photographs = [
        ("000000008690.jpg", vec![Label::Person, Label::Dog]),
        ("000000001532.jpg", vec![Label::Car]),
    ];
    let rig = rig();
    let wanted = DetectConfig {
        labels: vec![Label::Person, Label::Car, Label::Dog],
        ..DetectConfig::default()
    };
    let asking = |config: &DetectConfig, name: &str| {
        rig.infer
            .camera(&name.parse().unwrap(), config, &WakeSignal::new())
    };
    let (mut all, mut persons) = (
        asking(&wanted, "yard"),
        asking(&DetectConfig::default(), "door"),
    );
    for (name, expected) in photographs {
        let path = models::beside(&format!("data/tuning/coco/{name}"));
        let frame = models::photograph(&path);
        let labels = |camera: &mut CameraInfer| {
            camera.offer(look(&frame));
            let mut seen = camera.wait(SOON).unwrap().detections.unwrap();
            seen.retain(|detection| detection.score >= camera.threshold());
            seen.into_iter()
                .map(|detection| detection.label)
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(
            labels(&mut all),
            expected.iter().copied().collect(),
            "{name}"
        );
        let expected = expected.into_iter().filter(|label| *label == Label::Person);
        assert_eq!(labels(&mut persons), expected.collect(), "{name}");
    }
}

#[test]
fn cameras_share_the_models_and_a_broken_picture_harms_nobody() {
    let rig = rig();
    let (mut one, mut two) = (
        camera(&rig, "one", &WakeSignal::new()),
        camera(&rig, "two", &WakeSignal::new()),
    );
    let frame = models::golden_picture();
    let mut broken = frame.clone();
    broken.data.truncate(1000);
    one.offer(look(&broken));
    two.offer(look(&frame));
    assert!(matches!(
        one.wait(SOON).unwrap().detections,
        Err(InferError::BadFrame(_))
    ));
    assert!(!two.wait(SOON).unwrap().detections.unwrap().is_empty());
    assert!(one.motion(&broken).is_err());
    assert!(one.motion(&frame).is_ok());
    one.offer(look(&frame));
    assert!(one.wait(SOON).unwrap().detections.is_ok());
    let text = rig.metrics.render().unwrap();
    assert!(
        text.contains("lares_look_failures_total{camera=\"one\",part=\"person\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("lares_look_failures_total{camera=\"one\",part=\"motion\"} 1"),
        "{text}"
    );
}

#[test]
fn the_newest_of_many_looks_wins() {
    let rig = rig();
    let mut camera = camera(&rig, "door", &WakeSignal::new());
    let mut frame = models::golden_picture();
    for second in 0..50 {
        frame.time = MediaTime::from_secs_f64(f64::from(second));
        camera.offer(look(&frame));
    }
    let mut last = MediaTime::ZERO;
    let mut answers = 0;
    while let Some(seen) = camera.wait(SOON) {
        assert!(seen.frame.time >= last);
        last = seen.frame.time;
        answers += 1;
    }
    assert_eq!(last, frame.time);
    assert!(answers < 50);
    let text = rig.metrics.render().unwrap();
    assert!(
        text.contains("lares_dropped_total{camera=\"door\",part=\"looks\"}"),
        "{text}"
    );
}

/// Each look of `camera` at the whole of `frame` that may wait.
fn spare(frame: &Frame) -> DetectRequest {
    DetectRequest {
        priority: Priority::Spare,
        ..look(frame)
    }
}

#[test]
fn a_spare_look_gives_way_to_what_moves_and_is_neither_dropped_nor_late() {
    let rig = rig();
    let hasty = DetectConfig {
        detect_fps: 1e6,
        ..DetectConfig::default()
    };
    let id = "door".parse().unwrap();
    let mut door = rig.infer.camera(&id, &hasty, &WakeSignal::new());
    let mut others: Vec<_> = (0..20)
        .map(|n| camera(&rig, &format!("c{n}"), &WakeSignal::new()))
        .collect();
    let mut frame = models::golden_picture();
    door.motion(&frame).unwrap();
    for other in &mut others {
        other.offer(look(&frame));
    }
    door.offer(spare(&frame));
    let mut pictures = 0;
    // With each newer picture it is that one that waits.
    while door.withdraw(frame.time) {
        pictures += 1;
        assert!(!door.pending());
        frame.time = frame.time + Duration::from_millis(1);
        door.motion(&frame).unwrap();
        assert!(door.turn(frame.time), "it keeps its turn");
        door.offer(spare(&frame));
    }
    assert!(pictures > 0 && others.iter_mut().all(|other| other.take().is_some()));
    let seen = door.wait(SOON).unwrap();
    assert_eq!(
        (seen.frame.time, seen.priority),
        (frame.time, Priority::Spare)
    );
    let text = rig.metrics.render().unwrap();
    let counted = |name: &str| {
        let of = |line: &&str| line.starts_with(name) && line.contains("\"door\"");
        text.lines()
            .find(of)
            .is_some_and(|line| !line.ends_with(" 0"))
    };
    assert!(counted("lares_looks_total"), "{text}");
    assert!(
        !counted("lares_dropped_total") && !counted("lares_late_looks_total"),
        "{text}"
    );
}

#[test]
fn after_the_stop_nothing_waits() {
    let rig = rig();
    let mut camera = camera(&rig, "door", &WakeSignal::new());
    let frame = models::golden_picture();
    camera.motion(&frame).unwrap();
    assert!(rig.tasks.close(SOON).is_empty());
    assert_eq!(camera.motion(&frame).unwrap_err(), InferError::Stopped);
    camera.offer(look(&frame));
    assert!(camera.wait(SOON).is_none() && !camera.pending());
}

#[test]
fn a_missing_model_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let config = ModelsConfig {
        dir: dir.path().to_owned(),
        ..models::config()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let error = Infer::start(&config, &tasks, StageCpu::default(), Metrics::new())
        .err()
        .unwrap();
    let text = error.to_string();
    assert!(
        text.contains("no model card") && text.contains("motion.toml"),
        "{text}"
    );
}
