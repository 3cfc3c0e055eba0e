//! Presentation times by place, on real streams whose times were taken away.

use std::{sync::Arc, time::Duration};

use super::{nal, presentation_order::PresentationOrder, unit::Unit};
use crate::{
    flow::{MediaTime, Packet},
    ingest::samples::{Studio, packets, x264, x265},
};

const FRAME: i64 = 100_000_000;

fn unit(packet: &Packet, pts: Option<MediaTime>, dts: Option<MediaTime>) -> Unit {
    Unit {
        format: Arc::clone(&packet.format),
        pts,
        dts,
        duration: Some(Duration::from_millis(100)),
        key: packet.key,
        facts: nal::facts(packet.format.codec, 0, &packet.data),
        discontinuity: false,
        data: packet.data.clone(),
    }
}

fn at(frames: usize) -> MediaTime {
    MediaTime::from_nanos(i64::try_from(frames).unwrap() * FRAME)
}

/// Presentation times in tenths of a second, in decode order.
fn tenths(units: &[Unit]) -> Vec<i64> {
    let tenth = |unit: &Unit| (unit.pts.unwrap().secs_f64() * 10.0).round() as i64;
    units.iter().map(tenth).collect()
}

fn run(order: &mut PresentationOrder, units: impl Iterator<Item = Unit>) -> Vec<Unit> {
    let mut out: Vec<_> = units.flat_map(|unit| order.push(unit)).collect();
    out.extend(order.finish());
    out
}

fn reordering(studio: &Studio) -> Vec<(&'static str, Vec<Packet>)> {
    [
        ("b.mp4", x264(25, 2)),
        (
            "pyramid.mp4",
            format!(
                "{} -x264-params b-pyramid=normal:bframes=5:b-adapt=0",
                x264(25, 5)
            ),
        ),
        (
            "open.mp4",
            format!("{} -x264-params open-gop=1", x264(25, 3)),
        ),
        (
            "fields.mp4",
            format!("{} -flags +ildct+ilme -x264opts tff=1", x264(25, 2)),
        ),
        ("hevc.mp4", x265(25, false)),
        ("cra.mp4", x265(25, true)),
    ]
    .map(|(name, options)| (name, packets(&studio.video(name, 80, &options))))
    .into()
}

#[test]
fn the_slices_order_what_comes_without_times_as_the_container_would() {
    for (name, packets) in reordering(&Studio::new()) {
        let right: Vec<i64> = packets
            .iter()
            .map(|packet| (packet.time.secs_f64() * 10.0).round() as i64)
            .collect();
        assert!(!right.is_sorted(), "{name} reorders");
        // AVI: keyframes have both times, others that of decoding; raw streams have none.
        let avi = |(n, packet): (usize, &Packet)| {
            let key = packet.key.then(|| at(n));
            unit(packet, key, Some(at(n)))
        };
        let got = run(
            &mut PresentationOrder::of_file(),
            packets.iter().enumerate().map(avi),
        );
        assert_eq!(tenths(&got), right, "{name} in AVI");
        let raw = packets.iter().map(|packet| unit(packet, None, None));
        assert_eq!(
            tenths(&run(&mut PresentationOrder::of_file(), raw)),
            right,
            "{name} raw"
        );
        // Stamps of presentation stay.
        let mp4 = packets
            .iter()
            .map(|packet| unit(packet, Some(packet.time), None));
        assert_eq!(
            tenths(&run(&mut PresentationOrder::of_file(), mp4)),
            right,
            "{name} in MP4"
        );
    }
}

#[test]
fn a_camera_that_stamps_as_it_codes_is_put_right_and_never_held_for_long() {
    for (name, packets) in reordering(&Studio::new()) {
        let mut order = PresentationOrder::live();
        let (mut given, mut most) = (Vec::new(), 0);
        for (n, packet) in packets.iter().enumerate() {
            given.extend(order.push(unit(packet, Some(at(n)), None)));
            most = most.max(n + 1 - given.len());
        }
        assert!(most <= 9, "{name}: {most} are held");
        given.extend(order.finish());
        let right: Vec<i64> = packets
            .iter()
            .map(|packet| (packet.time.secs_f64() * 10.0).round() as i64)
            .collect();
        assert_eq!(tenths(&given), right, "{name}");
    }
}

#[test]
fn a_camera_with_right_stamps_is_not_held_back() {
    let studio = Studio::new();
    let plain = packets(&studio.video("plain.mp4", 40, &x264(10, 0)));
    let mut order = PresentationOrder::live();
    for packet in &plain {
        let given = order.push(unit(packet, Some(packet.time), None));
        assert_eq!(given.len(), 1);
        assert_eq!(given[0].pts, Some(packet.time));
    }
    for (name, packets) in reordering(&studio) {
        let mut order = PresentationOrder::live();
        let mut given = Vec::new();
        for (n, packet) in packets.iter().enumerate() {
            given.extend(order.push(unit(packet, Some(packet.time), None)));
            assert!(n < 6 || given.len() == n + 1, "{name} holds {n}");
        }
        assert!(
            given
                .iter()
                .zip(&packets)
                .all(|(unit, packet)| unit.pts == Some(packet.time)),
            "{name}"
        );
    }
}

#[test]
fn a_clock_that_jumps_once_is_no_order_of_coding() {
    for (name, packets) in reordering(&Studio::new()) {
        for jump in 30..40 {
            let mut order = PresentationOrder::live();
            let stamped = packets.iter().enumerate().map(|(n, packet)| {
                let jumped = Duration::from_secs(if n < jump { 0 } else { 7 });
                unit(packet, Some(packet.time + jumped), None)
            });
            let right: Vec<_> = stamped.clone().map(|unit| unit.pts).collect();
            let given: Vec<_> = run(&mut order, stamped)
                .iter()
                .map(|unit| unit.pts)
                .collect();
            assert_eq!(given, right, "{name} at {jump}");
        }
    }
}

#[test]
fn stamps_that_turn_out_wrong_begin_a_new_run() {
    // Nothing says that this stream reorders: its declaration is cut out by starting without one.
    let (_, packets) = reordering(&Studio::new()).remove(0);
    let mut order = PresentationOrder::live();
    let start = packets.iter().take(40).map(|p| unit(p, Some(p.time), None));
    let first: Vec<_> = start.flat_map(|unit| order.push(unit)).collect();
    let wrong = (40..80).map(|n| unit(&packets[n], Some(at(n)), None));
    let rest: Vec<_> = wrong.flat_map(|unit| order.push(unit)).collect();
    let last = rest.last().unwrap();
    assert!(
        !Arc::ptr_eq(&first[0].format, &last.format),
        "a new format is a new run"
    );
    assert_eq!(first[0].format, last.format);
}
