//! What a stream costs before anybody looks at a picture: keeping its units, and decoding them when asked.
//! Run with `cargo bench --bench ingest`.
#![allow(missing_docs)]

mod measure;

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use lares::{
    base::cpu::{self, StageCpu},
    config::DecoderChoice,
    flow::{Codec, DecodeDemand, Packet, Size},
    ingest::{IdleDecoders, OnDemand, bench_api::UnitRing},
    testing::encoded::Encoded,
};
use measure::CpuTime;

const AWAKE: DecodeDemand = DecodeDemand::Awake {
    every: Duration::from_millis(200),
};
/// Pictures a second, as cameras' sub streams often have.
const RATE: u32 = 10;
/// Of the longest group, in pictures; the shorter ones are its beginning.
const GROUP: u32 = 50;

/// One group of pictures, given again and again as the stream of a camera.
struct Camera {
    group: Vec<Packet>,
    groups: u32,
}

impl Camera {
    fn new(codec: Codec, size: Size) -> Option<Self> {
        let stream = Encoded {
            size,
            rate: RATE,
            ..Encoded::new(codec, GROUP, GROUP).grainy()
        };
        Some(Self {
            group: stream.packets_or_skip()?,
            groups: 0,
        })
    }

    /// The first `units` of a group that begins after all groups before.
    fn next_group(&mut self, units: usize) -> Vec<Packet> {
        let later = Duration::from_secs(u64::from(GROUP / RATE)) * self.groups;
        self.groups += 1;
        let mut group = self.group[..units].to_vec();
        for packet in &mut group {
            packet.pts = packet.pts + later;
            packet.time = packet.pts;
            packet.arrived = packet.pts;
        }
        group
    }
}

/// A decoder that is never due for a look of its own accord.
fn decoder() -> OnDemand {
    OnDemand::new(
        Duration::from_secs(60),
        DecoderChoice::Software,
        Vec::new(),
        StageCpu::default(),
        &IdleDecoders::default(),
    )
}

/// Gives the number of pictures, each let go at once.
fn push(decoder: &mut OnDemand, packet: Packet, demand: DecodeDemand) -> usize {
    let time = packet.time;
    decoder.push(packet, demand).expect("it can be decoded");
    std::iter::from_fn(|| decoder.next_frame(time)).count()
}

fn ring(c: &mut Criterion<CpuTime>) {
    let Some(mut camera) = Camera::new(Codec::H264, Size::new(768, 576)) else {
        return;
    };
    let group = camera.next_group(GROUP as usize);
    let mut units = group.iter().cycle();
    let mut ring = UnitRing::default();
    c.bench_function("ingest/ring/push", |b| {
        b.iter(|| units.next().map(|unit| ring.push(black_box(unit.clone()))));
    });
}

fn decode(c: &mut Criterion<CpuTime>) {
    for (codec, name) in [(Codec::H264, "h264"), (Codec::H265, "h265")] {
        for (width, height) in [(768, 576), (1920, 1080)] {
            let Some(mut camera) = Camera::new(codec, Size::new(width, height)) else {
                continue;
            };
            let stream = format!("{name}/{width}x{height}");
            keyframe(c, &stream, &mut camera);
            awake(c, &stream, &mut camera);
            for units in [20, 50] {
                wake_up(c, &stream, &mut camera, units);
            }
        }
    }
}

/// A keyframe while the camera sleeps.
fn keyframe(c: &mut Criterion<CpuTime>, stream: &str, camera: &mut Camera) {
    let mut decoder = decoder();
    c.bench_function(&format!("decode/keyframe/{stream}"), |b| {
        b.iter(|| {
            for key in camera.next_group(1) {
                assert_eq!(push(&mut decoder, key, DecodeDemand::Asleep), 1);
            }
        });
    });
}

/// A whole group while the camera is awake, unit by unit.
fn awake(c: &mut Criterion<CpuTime>, stream: &str, camera: &mut Camera) {
    let mut decoder = decoder();
    let mut c = c.benchmark_group("decode/awake");
    c.sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .measurement_time(Duration::from_secs(3));
    c.bench_function(format!("{stream}/gop {GROUP}"), |b| {
        b.iter(|| {
            let group = camera.next_group(GROUP as usize);
            let given: usize = group
                .into_iter()
                .map(|unit| push(&mut decoder, unit, AWAKE))
                .sum();
            assert!(
                given + 3 > GROUP as usize,
                "nearly the whole group is given"
            );
        });
    });
}

/// The unit at which the camera is woken, the last of a group of `units`: everything since the keyframe is decoded.
fn wake_up(c: &mut Criterion<CpuTime>, stream: &str, camera: &mut Camera, units: usize) {
    let mut decoder = decoder();
    let mut wake_up = || {
        let mut group = camera.next_group(units);
        let last = group.pop().expect("a group has units");
        for packet in group {
            push(&mut decoder, packet, DecodeDemand::Asleep);
        }
        let before = cpu::process();
        let given = push(&mut decoder, last, AWAKE);
        let spent = cpu::process() - before;
        assert!(given + 3 > units, "nearly the whole group is given");
        spent
    };
    let mut c = c.benchmark_group("decode/wake-up");
    c.sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .measurement_time(Duration::from_secs(3));
    c.bench_function(format!("{stream}/gop {units}"), |b| {
        b.iter_custom(|times| (0..times).map(|_| wake_up()).sum());
    });
}

criterion_group! {
    name = benches;
    config = measure::cpu_time();
    targets = ring, decode
}
criterion_main!(benches);
