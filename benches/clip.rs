//! What it costs to keep a stream and to make a clip of it. Run with `cargo bench --bench clip`.
#![allow(missing_docs)]

mod measure;

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lares::{
    config::ClipConfig,
    flow::{Codec, IncidentId, MediaTime, Packet, Rendition, Size},
    recording::{ClipEvent, Recorder, bench_api::Muxer},
    testing::encoded::Encoded,
};
use measure::CpuTime;

/// Ten seconds with a keyframe each two.
fn stream(codec: Codec, b_frames: u32) -> Option<Vec<Packet>> {
    let stream = Encoded::new(codec, 100, 20).grainy();
    Encoded {
        size: Size::new(768, 576),
        ..stream.b_frames(b_frames, false)
    }
    .packets_or_skip()
}

fn bytes(packets: &[Packet]) -> Throughput {
    Throughput::Bytes(packets.iter().map(|packet| packet.data.len() as u64).sum())
}

/// Boxes, decode times and digests of ten seconds, without the disk.
fn mux(c: &mut Criterion<CpuTime>) {
    for (codec, b_frames, name) in [
        (Codec::H264, 0, "h264"),
        (Codec::H264, 3, "h264 with B-frames"),
        (Codec::H265, 3, "h265 with B-frames"),
    ] {
        let Some(packets) = stream(codec, b_frames) else {
            continue;
        };
        let mut c = c.benchmark_group("clip/mux");
        c.throughput(bytes(&packets));
        c.bench_function(format!("{name}/10 s"), |b| {
            b.iter(|| {
                let mut muxer = Muxer::new(&ClipConfig::default());
                let muxed: u64 = packets.iter().filter_map(|p| muxer.packet(p)).sum();
                muxed + muxer.finish().unwrap_or(0)
            });
        });
    }
}

/// A packet while there is no incident.
fn pre_roll(c: &mut Criterion<CpuTime>) {
    let Some(mut packets) = stream(Codec::H264, 0) else {
        return;
    };
    let mut recorder = Recorder::new(Rendition::Sub, &ClipConfig::default());
    let mut next = 0;
    c.bench_function("clip/pre-roll/packet", |b| {
        b.iter(|| {
            let packet = &mut packets[next];
            next = (next + 1) % 100;
            assert!(recorder.packet(black_box(packet)).is_empty());
            // For its next turn.
            packet.pts = packet.pts + Duration::from_secs(10);
            packet.time = packet.pts;
            packet.arrived = packet.pts;
        });
    });
}

/// Ten seconds of an incident, each file flushed to disk: time on the wall, which is mostly the disk's.
fn record(c: &mut Criterion) {
    let Some(packets) = stream(Codec::H264, 0) else {
        return;
    };
    let mut c = c.benchmark_group("clip/record");
    c.throughput(bytes(&packets));
    c.bench_function("h264/10 s", |b| {
        b.iter_batched(
            || tempfile::tempdir().expect("a folder"),
            |dir| {
                let mut recorder = Recorder::new(Rendition::Sub, &ClipConfig::default());
                let (incident, start) = (IncidentId::new(), MediaTime::ZERO);
                let mut events = recorder.start(incident, dir.path().to_owned(), start);
                for packet in &packets {
                    events.extend(recorder.packet(packet));
                }
                events.extend(recorder.finish());
                let file = |event: &&ClipEvent| matches!(event, ClipEvent::File(_));
                assert!(events.iter().filter(file).count() > 3, "{events:?}");
                dir
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = cpu;
    config = measure::cpu_time();
    targets = mux, pre_roll
}
criterion_group! {
    name = disk;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    targets = record
}
criterion_main!(cpu, disk);
