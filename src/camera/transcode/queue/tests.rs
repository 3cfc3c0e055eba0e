use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::flow::{Codec, IncidentId, MediaTime, Size, StreamFormat, StreamRole, Turn};

/// Units of 100 bytes that hold their number; `K` is a keyframe.
fn packets(keys: &str) -> Vec<Packet> {
    let format = Arc::new(StreamFormat {
        codec: Codec::H264,
        size: Size::new(64, 48),
        turn: Turn::NONE,
        codec_data: Bytes::new(),
        codec_name: "H.264".to_owned(),
        caps: String::new(),
    });
    let unit = |(n, c): (usize, char)| Packet {
        stream: StreamRole::Sub,
        format: format.clone(),
        time: MediaTime::from_secs_f64(n as f64),
        pts: MediaTime::from_secs_f64(n as f64),
        duration: None,
        key: c == 'K',
        droppable: false,
        discontinuity: false,
        data: vec![n as u8; 100].into(),
        arrived: MediaTime::ZERO,
    };
    keys.chars().enumerate().map(unit).collect()
}

struct Rig {
    queue: TranscodeQueue,
    lost: Counter,
    dir: tempfile::TempDir,
}

fn rig(packets: usize, bytes: u64, spill: Option<u64>) -> Rig {
    let (lost, dir) = (Counter::default(), tempfile::tempdir().unwrap());
    let limits = Limits {
        packets,
        bytes,
        spill: spill.map(|most| (dir.path().to_owned(), most)),
    };
    let camera = "door".parse().unwrap();
    let queue = TranscodeQueue::new(&camera, limits, WakeSignal::new(), lost.clone());
    Rig { queue, lost, dir }
}

impl Rig {
    fn put(&self, packets: impl IntoIterator<Item = Packet>) {
        for packet in packets {
            self.queue.put(Item::Packet {
                packet,
                lead: false,
            });
        }
    }

    fn step(&self) -> IncidentId {
        let incident = IncidentId::new();
        let until = MediaTime::ZERO;
        self.queue.put(Item::Step(Step::End { incident, until }));
        incident
    }

    /// Takes everything out: the number of each packet, `|` for each step, `!` before a packet after a gap.
    fn take_all(&self) -> String {
        let items = std::iter::from_fn(|| self.queue.take());
        let told = items.map(|item| match item {
            Item::Step(_) => "| ".to_owned(),
            Item::Packet { packet, .. } => {
                assert_eq!(packet.data.len(), 100);
                let number = packet.data[0];
                assert!(packet.data.iter().all(|byte| *byte == number));
                format!("{}{number} ", if packet.discontinuity { "!" } else { "" })
            }
        });
        told.collect::<String>().trim_end().to_owned()
    }
}

#[test]
fn steps_keep_their_place_between_packets() {
    let rig = rig(100, 10_000, None);
    let all = packets("KppKpp");
    rig.step();
    rig.put(all[..2].to_vec());
    rig.step();
    rig.step();
    rig.put(all[2..].to_vec());
    rig.step();
    assert_eq!(rig.take_all(), "| 0 1 | | 2 3 4 5 |");
    rig.put(packets("K"));
    assert_eq!(rig.take_all(), "0");
    assert_eq!(rig.lost.get(), 0);
}

#[test]
fn a_preview_that_falls_behind_loses_whole_groups_and_keeps_its_steps() {
    let rig = rig(6, 10_000, None);
    let all = packets("KppKppKpp");
    rig.step();
    rig.put(all[..2].to_vec());
    rig.step();
    rig.put(all[2..].to_vec());
    assert_eq!(rig.take_all(), "| | !3 4 5 6 7 8");
    assert_eq!(rig.lost.get(), 3);
}

#[test]
fn bytes_are_bounded_like_packets() {
    let rig = rig(100, 450, None);
    rig.put(packets("KppKppKpp"));
    let left = rig.take_all();
    assert_eq!(left, "!6 7 8");
    assert_eq!(rig.lost.get(), 6);
}

#[test]
fn where_the_clip_is_all_that_is_kept_nothing_is_lost() {
    let rig = rig(4, 10_000, Some(1_000_000));
    let all = packets("KppppKppppKpppp");
    for round in 0..3 {
        rig.put(all[..8].to_vec());
        rig.step();
        assert_eq!(
            std::fs::read_dir(rig.dir.path()).unwrap().count(),
            0,
            "it has no name"
        );
        for expected in 0..5 {
            match rig.queue.take() {
                Some(Item::Packet { packet, .. }) => assert_eq!(packet.data[0], expected),
                other => panic!("{round}: {other:?}"),
            }
        }
        rig.put(all[8..].to_vec());
        assert_eq!(rig.take_all(), "5 6 7 | 8 9 10 11 12 13 14");
    }
    assert_eq!(rig.lost.get(), 0);
    let state = rig.queue.state.lock();
    assert_eq!((state.memory, state.in_memory), (0, 0));
}

#[test]
fn what_memory_and_disk_cannot_hold_is_left_out_from_there_to_a_keyframe() {
    let rig = rig(3, 10_000, Some(250));
    let all = packets("KppppppKpp");
    rig.put(all[..7].to_vec());
    assert_eq!(rig.lost.get(), 2, "three in memory, two on disk");
    assert_eq!(rig.take_all(), "0 1 2 3 4");
    rig.put(all[7..].to_vec());
    assert_eq!(rig.take_all(), "!7 8 9");
}

#[test]
fn a_disk_that_refuses_costs_what_memory_cannot_hold() {
    let rig = rig(3, 10_000, Some(1_000_000));
    std::fs::remove_dir(rig.dir.path()).unwrap();
    rig.put(packets("KppppKp"));
    assert_eq!(rig.take_all(), "0 1 2");
    assert_eq!(rig.lost.get(), 4);
}

#[test]
fn disarming_forgets_previews_and_not_evidence() {
    for (spill, left) in [(None, "|"), (Some(1_000_000), "0 1 2 |")] {
        let rig = rig(2, 10_000, spill);
        rig.put(packets("Kpp"));
        rig.queue.disarmed();
        rig.step();
        assert_eq!(rig.take_all(), left);
    }
}
