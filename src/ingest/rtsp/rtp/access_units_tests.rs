//! Cameras with odd manners in how they pack pictures.

use proptest::prelude::*;

use super::*;

const FRAME: i64 = 100_000_000;

fn track() -> Track {
    Track {
        encoding: Some(Encoding::H264),
        payload_type: 96,
        clock_rate: 90_000,
        control: None,
        sets: vec![vec![0x67, 77, 0, 31]],
    }
}

/// One packet of a camera.
#[derive(Clone, Copy)]
struct Sent {
    ssrc: u32,
    payload_type: u8,
    marker: bool,
    timestamp: u32,
    payload: &'static [u8],
}

const FIRST: &[u8] = &[0x41, 0x9a];
const SECOND: &[u8] = &[0x41, 0x10];
const SEI: &[u8] = &[0x06, 5];
const SET: &[u8] = &[0x67, 77, 0, 31];

fn sent(timestamp: u32, marker: bool, payload: &'static [u8]) -> Sent {
    Sent {
        ssrc: 7,
        payload_type: 96,
        marker,
        timestamp,
        payload,
    }
}

/// Sends the packets of each picture ten times a second; gives the sizes of the units in packets and the whole.
fn receive(pictures: impl Iterator<Item = Vec<Sent>>) -> Vec<AccessUnit> {
    let mut units = AccessUnits::new(&track(), Encoding::H264, None);
    let mut out = Vec::new();
    let mut sequence = 65_530u16;
    for (n, packets) in (0..).zip(pictures) {
        for it in packets {
            let marker = u8::from(it.marker) << 7;
            let mut packet = vec![0x80, marker | it.payload_type];
            packet.extend(sequence.to_be_bytes());
            packet.extend(it.timestamp.to_be_bytes());
            packet.extend(it.ssrc.to_be_bytes());
            packet.extend(it.payload);
            sequence = sequence.wrapping_add(1);
            let packet = BytesMut::from(&packet[..]);
            let head = Head::read(&packet).unwrap();
            out.extend(units.packet(packet, &head, MediaTime::from_nanos(n * FRAME)));
        }
    }
    out
}

fn stamps() -> impl Iterator<Item = u32> {
    (0..20).map(|n| 1000 + n * 9000)
}

/// Units that are whole, not the first few, by which the camera is got to know.
fn steady(units: &[AccessUnit]) -> Vec<usize> {
    units
        .iter()
        .skip(5)
        .map(|unit| unit.packets.len())
        .collect()
}

#[test]
fn markers_are_relied_on_where_they_are_right() {
    let units = receive(stamps().map(|t| vec![sent(t, false, FIRST), sent(t, true, SECOND)]));
    // Nothing is held back at the end.
    assert_eq!(units.len(), 20);
    assert!(
        units
            .iter()
            .all(|unit| unit.packets.len() == 2 && !unit.lost)
    );
    let apart = units.windows(2).map(|pair| pair[1].time - pair[0].time);
    assert!(apart.into_iter().all(|apart| apart == FRAME));
}

#[test]
fn markers_that_are_wrong_or_missing_cut_no_picture() {
    let odd: [fn(u32) -> Vec<Sent>; 3] = [
        |t| {
            vec![
                sent(t, true, SEI),
                sent(t, true, FIRST),
                sent(t, true, SECOND),
            ]
        },
        |t| {
            vec![
                sent(t, false, SEI),
                sent(t, true, FIRST),
                sent(t, true, SECOND),
            ]
        },
        |t| {
            vec![
                sent(t, false, SEI),
                sent(t, false, FIRST),
                sent(t, false, SECOND),
            ]
        },
    ];
    for camera in odd {
        let units = receive(stamps().map(camera));
        assert_eq!(units.len(), 19);
        assert!(steady(&units).iter().all(|packets| *packets == 3));
    }
    // A message behind each picture, with a mark of its own.
    let behind = receive(stamps().map(|t| vec![sent(t, true, FIRST), sent(t, true, SEI)]));
    assert!(behind.len() >= 19);
    assert!(steady(&behind).iter().all(|packets| *packets == 2));
}

#[test]
fn a_clock_that_stands_still_does_not_join_pictures() {
    let units = receive(stamps().map(|_| vec![sent(5, false, SEI), sent(5, true, FIRST)]));
    assert!(units.len() >= 19, "{}", units.len());
}

#[test]
fn sets_stamped_like_the_picture_before_go_with_the_next() {
    let units = receive(
        stamps().map(|t| vec![sent(t.wrapping_sub(9000), true, SET), sent(t, true, FIRST)]),
    );
    let last = units.last().unwrap();
    assert_eq!((last.packets.len(), last.content.sets), (2, SPS));
}

#[test]
fn another_source_goes_on_without_a_gap() {
    let other = |n: u32, it: Sent| Sent {
        ssrc: 7 + n / 10,
        timestamp: it.timestamp.wrapping_add(n / 10 * 0x5555_5555),
        ..it
    };
    let pictures = (0..)
        .zip(stamps())
        .map(|(n, t)| vec![other(n, sent(t, true, FIRST))]);
    let units = receive(pictures);
    assert!(units.len() >= 19, "{}", units.len());
    assert_eq!(units.iter().filter(|unit| unit.cut).count(), 1);
    let apart = units.windows(2).map(|pair| pair[1].time - pair[0].time);
    assert!(apart.into_iter().all(|apart| apart == FRAME));
}

#[test]
fn packets_of_another_client_are_passed_over() {
    const THEIRS: &[u8] = &[0x67, 100, 0, 31, 1];
    let theirs = |it: Sent| Sent { ssrc: 9, ..it };
    let units = receive(stamps().map(|t| {
        vec![
            theirs(sent(t + 5, false, THEIRS)),
            theirs(sent(t + 5, true, SECOND)),
            sent(t, false, SET),
            sent(t, true, FIRST),
        ]
    }));
    assert!(units.len() >= 19 && units.iter().all(|unit| unit.packets.len() == 2));
    assert!(
        units
            .iter()
            .all(|unit| unit.packets[0][12..] == *SET && !unit.cut)
    );
}

#[test]
fn packets_that_come_twice_are_taken_once() {
    let mut units = AccessUnits::new(&track(), Encoding::H264, None);
    let mut out = Vec::new();
    let mut sequence = 65_530u16;
    for (n, timestamp) in (0..).zip(stamps()) {
        for (marker, payload) in [(0, FIRST), (0x80, SECOND)] {
            let mut packet = vec![0x80, marker | 96];
            packet.extend(sequence.to_be_bytes());
            packet.extend(timestamp.to_be_bytes());
            packet.extend([0, 0, 0, 7]);
            packet.extend(payload);
            sequence = sequence.wrapping_add(1);
            let packet = BytesMut::from(&packet[..]);
            let head = Head::read(&packet).unwrap();
            let arrived = MediaTime::from_nanos(n * FRAME);
            for packet in [packet.clone(), packet] {
                out.extend(units.packet(packet, &head, arrived));
            }
        }
    }
    assert!(out.len() >= 19, "{}", out.len());
    assert!(out.iter().all(|unit| unit.packets.len() == 2 && !unit.lost));
}

#[test]
fn another_payload_type_than_announced_is_taken() {
    let units = receive(stamps().map(|t| {
        vec![Sent {
            payload_type: 97,
            ..sent(t, true, FIRST)
        }]
    }));
    assert!(units.len() >= 19);
}

proptest! {
    #[test]
    fn whatever_comes_is_bounded(packets in prop::collection::vec((0u32..6, 95u8..98, any::<bool>(), 0u32..4, prop::collection::vec(any::<u8>(), 1..6), any::<u16>()), 1..300)) {
        let mut units = AccessUnits::new(&track(), Encoding::H264, None);
        for (n, (ssrc, payload_type, marker, timestamp, payload, sequence)) in (0..).zip(packets) {
            let mut packet = vec![0x80, u8::from(marker) << 7 | payload_type];
            packet.extend(sequence.to_be_bytes());
            packet.extend(timestamp.to_be_bytes());
            packet.extend(ssrc.to_be_bytes());
            packet.extend(payload);
            let packet = BytesMut::from(&packet[..]);
            let head = Head::read(&packet).unwrap();
            for unit in units.packet(packet, &head, MediaTime::from_nanos(n * FRAME / 10)) {
                prop_assert!(!unit.packets.is_empty());
            }
            prop_assert!(units.lanes.len() <= LANES);
            prop_assert!(units.lanes.iter().all(|lane| lane.whole.len() <= MOST_WHOLE));
        }
    }
}
