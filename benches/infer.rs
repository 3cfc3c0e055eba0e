//! What a look costs, step by step and through the model's thread. Run with `cargo bench --bench infer`.
#![allow(missing_docs)]

mod measure;

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use lares::{
    base::{cpu::StageCpu, link::WakeSignal, tasks::Tasks, telemetry::Metrics},
    config::DetectConfig,
    flow::{Detection, Frame, Label, MediaTime, NormRect},
    infer::{
        DetectRequest, Infer, Priority, Trigger,
        bench_api::{Prepare, suppress},
    },
    testing::models::{self, Painter},
};
use measure::CpuTime;
use tokio_util::sync::CancellationToken;

fn picture(width: u32, height: u32) -> Frame {
    Painter::new(width, height).frame(MediaTime::ZERO, |x, y| {
        [(x * y % 200) as u8 + 16, (x % 256) as u8, (y % 256) as u8]
    })
}

fn looks(c: &mut Criterion<CpuTime>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let infer = Infer::start(
        &models::config(),
        &tasks,
        StageCpu::default(),
        Metrics::new(),
    )
    .expect("the models load");
    let id = "bench".parse().expect("a valid id");
    let mut camera = infer.camera(&id, &DetectConfig::default(), &WakeSignal::new());
    let mut persons = Prepare::new(infer.person_card());
    let mut motion = Prepare::new(infer.motion_card());
    for (width, height) in [(768, 576), (1920, 1080)] {
        let mut frame = picture(width, height);
        c.bench_function(&format!("prepare/colours/{width}x{height}"), |b| {
            b.iter(|| persons.colours(black_box(&frame)));
        });
        c.bench_function(&format!("prepare/luma/{width}x{height}"), |b| {
            b.iter(|| motion.luma(black_box(&frame)))
        });
        c.bench_function(&format!("motion/{width}x{height}"), |b| {
            b.iter(|| {
                frame.time = frame.time + Duration::from_millis(200);
                camera.motion(&frame).expect("a look")
            });
        });
        c.bench_function(&format!("person/{width}x{height}"), |b| {
            b.iter(|| {
                camera.offer(DetectRequest {
                    frame: frame.clone(),
                    parts: vec![NormRect::FULL],
                    trigger: Trigger::Awake,
                    priority: Priority::Routine,
                });
                camera.wait(Duration::from_secs(5)).expect("an answer")
            });
        });
    }
    let _ = tasks.close(Duration::from_secs(5));
}

fn suppression(c: &mut Criterion<CpuTime>) {
    let boxes: Vec<Detection> = (0..300u16)
        .map(|n| {
            let (x, y) = (f32::from(n % 20) / 20.0, f32::from(n / 20) / 15.0);
            Detection {
                rect: NormRect::new(x, y, x + 0.08, y + 0.2),
                label: Label::Person,
                score: f32::from(n % 83) / 83.0,
                clothes: None,
            }
        })
        .collect();
    c.bench_function("nms/300 boxes", |b| {
        b.iter(|| suppress(black_box(&boxes), 0.5));
    });
}

criterion_group! {
    name = benches;
    config = measure::cpu_time();
    targets = looks, suppression
}
criterion_main!(benches);
