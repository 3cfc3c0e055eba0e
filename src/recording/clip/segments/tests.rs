use proptest::prelude::*;

use super::*;
use crate::{
    flow::Packet,
    recording::{
        buffer::continuity::Runs,
        scripted::{at, packet},
    },
};

fn rule(target: f64, longest: f64, bytes: u64) -> CutRule {
    CutRule {
        target: Duration::from_secs_f64(target),
        longest: Duration::from_secs_f64(longest),
        bytes,
    }
}

/// Cuts a whole stream, and notes how many packets had been pushed when each piece came out.
fn cut(rule: CutRule, packets: &[Packet]) -> Vec<(Piece, usize)> {
    let (mut runs, mut segmenter) = (Runs::default(), Segmenter::new(rule));
    let mut pieces = Vec::new();
    for (pushed, packet) in packets.iter().enumerate() {
        let Some(unit) = runs.admit(packet) else {
            continue;
        };
        if !segmenter.continues_with(&unit) {
            while let Some(piece) = segmenter.next_piece(None, true) {
                pieces.push((piece, pushed));
            }
        }
        segmenter.push(unit);
        while let Some(piece) = segmenter.next_piece(None, false) {
            pieces.push((piece, pushed + 1));
        }
    }
    while let Some(piece) = segmenter.next_piece(None, true) {
        pieces.push((piece, packets.len()));
    }
    pieces
}

/// Pictures in decode order: (tenths of a second, keyframe).
fn stream(pictures: &[(u32, bool)]) -> Vec<Packet> {
    let of = |(number, &(tenths, key)): (usize, &(u32, bool))| {
        packet(number as u64, at(f64::from(tenths) / 10.0), key, 1000)
    };
    pictures.iter().enumerate().map(of).collect()
}

fn plain(pictures: u32, gop: u32) -> Vec<Packet> {
    let all: Vec<_> = (0..pictures).map(|n| (n, n % gop == 0)).collect();
    stream(&all)
}

fn lengths(pieces: &[(Piece, usize)]) -> Vec<usize> {
    pieces
        .iter()
        .map(|(piece, _)| piece.samples.len())
        .collect()
}

#[test]
fn cuts_fall_on_the_first_keyframe_from_the_target_on() {
    let pieces = cut(rule(2.0, 4.0, 1 << 20), &plain(75, 10));
    assert_eq!(lengths(&pieces), [20, 20, 20, 15]);
    assert!(pieces.iter().all(|(piece, _)| piece.key));
    // Known with the picture after the keyframe.
    assert_eq!(pieces[0].1, 22);
}

#[test]
fn without_keyframes_length_and_bytes_cut() {
    assert_eq!(
        lengths(&cut(rule(2.0, 4.0, 1 << 20), &plain(100, 1000))),
        [40, 40, 20]
    );
    assert_eq!(
        lengths(&cut(rule(2.0, 4.0, 25_000), &plain(60, 1000))),
        [25, 25, 10]
    );
}

#[test]
fn a_keyframe_a_little_early_is_not_missed() {
    let mut packets = plain(60, 20);
    for packet in &mut packets {
        packet.pts = MediaTime::from_nanos(packet.pts.nanos() * 99 / 100);
    }
    assert_eq!(
        lengths(&cut(rule(2.0, 4.0, 1 << 20), &packets)),
        [20, 20, 20]
    );
}

#[test]
fn leading_pictures_go_only_where_a_run_begins() {
    // Two open GOPs, each keyframe with two leading pictures.
    let packets = stream(&[
        (2, true),
        (0, false),
        (1, false),
        (3, false),
        (6, true),
        (4, false),
        (5, false),
        (7, false),
    ]);
    let pieces = cut(rule(0.1, 4.0, 1 << 20), &packets);
    assert_eq!(lengths(&pieces), [2, 4]);
    assert_eq!(
        (pieces[0].0.decode_time, pieces[1].0.decode_time),
        (0, 18_000)
    );
    // The keyframe is shown after its two leading pictures.
    assert_eq!(pieces[1].0.samples[0].composition, 18_000);
}

#[test]
fn a_break_begins_a_new_chain_on_its_keyframe() {
    let mut packets = plain(40, 10);
    packets[25].discontinuity = true;
    let pieces = cut(rule(2.0, 4.0, 1 << 20), &packets);
    assert_eq!(lengths(&pieces), [20, 5, 10]);
    assert_ne!(pieces[1].0.chain, pieces[2].0.chain);
    assert_eq!(pieces[2].0.start, at(3.0));
    assert_eq!(pieces[2].0.decode_time, 270_000); // the gap stays visible
}

#[test]
fn time_that_steps_back_does_not_overlap() {
    let mut packets = plain(20, 10);
    for packet in &mut packets[10..] {
        packet.time = packet.time.before(Duration::from_millis(900));
        packet.pts = packet.pts.before(Duration::from_millis(900));
    }
    packets[10].discontinuity = true;
    let pieces = cut(rule(2.0, 4.0, 1 << 20), &packets);
    assert_eq!(pieces[1].0.decode_time, 90_000);
    assert!(
        pieces[1]
            .0
            .samples
            .iter()
            .all(|sample| sample.duration == 9000)
    );
}

#[test]
fn a_cut_can_be_asked_for_at_a_time() {
    let (mut runs, mut segmenter) = (Runs::default(), Segmenter::new(rule(2.0, 4.0, 1 << 20)));
    for packet in &plain(35, 100) {
        segmenter.push(runs.admit(packet).unwrap());
    }
    let piece = segmenter.next_piece(Some(at(1.5)), false).unwrap();
    assert_eq!((piece.samples.len(), piece.end), (16, at(1.6)));
    // What follows can be left and taken up again.
    segmenter.suspend();
    assert_eq!(segmenter.open_seq(), Some(16));
    for packet in &plain(35, 100)[16..] {
        let mut unit = Runs::default()
            .admit(&Packet {
                key: true,
                ..packet.clone()
            })
            .unwrap();
        unit.packet.key = false;
        (unit.seq, unit.run) = (packet.pts.nanos().unsigned_abs() / 100_000_000, 1);
        segmenter.push(unit);
    }
    let next = segmenter.next_piece(None, true).unwrap();
    assert_eq!(
        (next.chain, next.decode_time, next.samples.len()),
        (piece.chain, 144_000, 19)
    );
}

/// One mini-GOP: its pictures but the last are shown before its first in decode order.
#[derive(Debug, Clone)]
struct MiniGop {
    /// Steps in nanoseconds between pictures in the order in which they are shown.
    steps: Vec<i64>,
    /// Decode order of the pictures shown before the anchor.
    order: Vec<usize>,
    key: bool,
    bytes: usize,
}

fn mini_gop() -> impl Strategy<Value = MiniGop> {
    (0usize..=DEEPEST_REORDER)
        .prop_flat_map(|reordered| {
            let order: Vec<usize> = (0..reordered).collect();
            (
                proptest::collection::vec(1_000_000i64..250_000_000, reordered + 1),
                Just(order).prop_shuffle(),
                proptest::bool::weighted(0.2),
                8usize..4000,
            )
        })
        .prop_map(|(steps, order, key, bytes)| MiniGop {
            steps,
            order,
            key,
            bytes,
        })
}

/// A stream as encoders make them: anchors in order, what is shown before an anchor decoded after it, keyframes anchors.
fn lawful() -> impl Strategy<Value = Vec<Packet>> {
    proptest::collection::vec(mini_gop(), 1..25).prop_map(|gops| {
        let (mut packets, mut now) = (Vec::new(), 3_600_000_000_000i64);
        for (i, gop) in gops.iter().enumerate() {
            let shown: Vec<i64> = gop
                .steps
                .iter()
                .map(|step| {
                    now += step;
                    now
                })
                .collect();
            let mut push = |time: i64, key: bool| {
                let number = packets.len() as u64;
                packets.push(packet(number, MediaTime::from_nanos(time), key, gop.bytes));
            };
            push(now, gop.key || i == 0);
            for &place in &gop.order {
                push(shown[place], false);
            }
        }
        packets
    })
}

/// What holds for every stream: every picture once, at its exact time, decode times that rise, pieces that join.
fn check_pieces(packets: &[Packet], pieces: &[(Piece, usize)]) -> Vec<i64> {
    let zero = packets[0].pts;
    let mut shown = Vec::new();
    let mut decode_times = Vec::new();
    let mut expected_start = 0;
    for (piece, _) in pieces {
        assert_eq!(piece.decode_time, expected_start);
        let mut decode = piece.decode_time;
        for sample in &piece.samples {
            assert!(sample.duration > 0);
            decode_times.push(decode as i64);
            shown.push(decode as i64 + i64::from(sample.composition));
            decode += u64::from(sample.duration);
        }
        expected_start = decode;
    }
    assert!(pieces[0].0.key);
    let sent: Vec<i64> = packets
        .iter()
        .filter(|packet| packet.pts >= zero)
        .map(|packet| ticks(packet.pts - zero))
        .collect();
    assert_eq!(shown, sent);
    decode_times
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lawful_streams_come_back_whole(
        packets in lawful(), target in 0.1f64..3.0, more in 0.1f64..3.0, bytes in 100u64..40_000,
    ) {
        let rule = rule(target, target + more, bytes);
        let pieces = cut(rule, &packets);
        let decode_times = check_pieces(&packets, &pieces);
        // Decode times are the sorted presentation times, to the tick.
        let mut sorted: Vec<i64> = packets.iter().map(|p| p.pts - packets[0].pts).filter(|&t| t >= 0).collect();
        sorted.sort_unstable();
        prop_assert_eq!(decode_times, sorted.into_iter().map(ticks).collect::<Vec<_>>());
        for pair in pieces.windows(2) {
            let (before, after) = (&pair[0].0, &pair[1].0);
            prop_assert_eq!(before.end, after.start);
            prop_assert_eq!(before.next_seq, after.first_seq);
            // No overlap in presentation, and nothing much longer than the rule says.
            let last = |piece: &Piece| {
                let mut decode = piece.decode_time as i64;
                let mut latest = i64::MIN;
                for sample in &piece.samples {
                    latest = latest.max(decode + i64::from(sample.composition));
                    decode += i64::from(sample.duration);
                }
                latest
            };
            prop_assert!(last(before) < after.decode_time as i64);
            let sizes: Vec<u64> = before.samples.iter().map(|s| s.data.len() as u64).collect();
            let full = sizes.iter().scan(0, |sum, size| { *sum += size; Some(*sum) }).position(|sum| sum >= bytes);
            prop_assert!(full.is_none_or(|full| sizes.len() <= full + 2 + DEEPEST_REORDER));
        }
    }

    #[test]
    fn unlawful_streams_lose_nothing_either(
        steps in proptest::collection::vec((-1_500_000_000i64..2_000_000_000, any::<bool>()), 1..150),
        bytes in 8u64..4000,
    ) {
        let zero = 5_000_000_000_000;
        let mut packets = vec![packet(0, MediaTime::from_nanos(zero), true, 100)];
        let mut newest = zero;
        for (i, &(step, key)) in steps.iter().enumerate() {
            let time = (newest + step).max(zero);
            newest = newest.max(time);
            packets.push(packet(i as u64 + 1, MediaTime::from_nanos(time), key, 100));
        }
        let pieces = cut(rule(2.0, 4.0, bytes), &packets);
        check_pieces(&packets, &pieces);
    }
}
