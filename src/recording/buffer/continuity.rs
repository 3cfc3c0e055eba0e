//! Where a stream's runs begin and end.
//!
//! In: packets as a source gives them. Out: [`Unit`]s, numbered without gaps, each of a run that begins with a
//! keyframe and keeps one format and one time line. What cannot be decoded because no keyframe came yet is left out.

use std::sync::Arc;

use crate::flow::{MediaTime, Packet, StreamFormat};

/// A gap longer than this is a break even where the source did not flag it.
const LONGEST_GAP: i64 = 10_000_000_000;
/// Sixteen pictures, the deepest reordering there is, are shown in less than this; a larger step back is a break.
const LARGEST_STEP_BACK: i64 = 5_000_000_000;
/// A keyframe whose corrected time has left the run's own time line this far behind begins a new run.
const LARGEST_DRIFT: i64 = 1_000_000_000;

/// A packet with its place in the stream.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Counts all units of a stream, in decode order.
    pub seq: u64,
    /// Of which run.
    pub run: u64,
    /// Presentation time on the box's time line: exact distances within a run.
    pub at: MediaTime,
    /// The packet itself.
    pub packet: Packet,
}

/// Sorts packets into runs.
#[derive(Debug, Default)]
pub struct Runs {
    units: u64,
    runs: u64,
    current: Option<Run>,
}

#[derive(Debug)]
struct Run {
    format: Arc<StreamFormat>,
    first_pts: MediaTime,
    first_time: MediaTime,
    newest_pts: MediaTime,
}

impl Run {
    fn starting_at(packet: &Packet) -> Self {
        Self {
            format: Arc::clone(&packet.format),
            first_pts: packet.pts,
            first_time: packet.time,
            newest_pts: packet.pts,
        }
    }

    fn at(&self, packet: &Packet) -> MediaTime {
        MediaTime::from_nanos(self.first_time.nanos() + (packet.pts - self.first_pts))
    }

    fn continued_by(&self, packet: &Packet) -> bool {
        let step = packet.pts - self.newest_pts;
        !packet.discontinuity
            && same_pictures(&self.format, &packet.format)
            && (-LARGEST_STEP_BACK..=LONGEST_GAP).contains(&step)
            && !(packet.key && (packet.time - self.at(packet)).abs() > LARGEST_DRIFT)
    }
}

/// Whether two formats need the same header; what only the decoder cares for may differ.
pub fn same_pictures(a: &Arc<StreamFormat>, b: &Arc<StreamFormat>) -> bool {
    Arc::ptr_eq(a, b) || (a.codec == b.codec && a.size == b.size && a.codec_data == b.codec_data)
}

impl Runs {
    /// Number of the next unit.
    pub fn next_seq(&self) -> u64 {
        self.units
    }

    /// Ends the run: packets are missing here.
    pub fn interrupt(&mut self) {
        self.current = None;
    }

    /// The packet's place, or none where it has none.
    pub fn admit(&mut self, packet: &Packet) -> Option<Unit> {
        self.current.take_if(|run| !run.continued_by(packet));
        if self.current.is_none() {
            if !packet.key {
                return None;
            }
            self.runs += 1;
        }
        let run = self.current.get_or_insert_with(|| Run::starting_at(packet));
        run.newest_pts = run.newest_pts.max(packet.pts);
        let unit = Unit {
            seq: self.units,
            run: self.runs,
            at: run.at(packet),
            packet: packet.clone(),
        };
        self.units += 1;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        flow::{Codec, Size},
        recording::scripted::{Camera, at, format},
    };

    /// Runs and numbers of ten pictures, keyframes at 0 and 5, changed by `change`.
    fn sorted(mut change: impl FnMut(usize, &mut Packet)) -> Vec<Option<(u64, u64)>> {
        let (mut runs, mut camera) = (Runs::default(), Camera::new(5));
        let mut one = |i| {
            let mut packet = camera.picture();
            change(i, &mut packet);
            runs.admit(&packet).map(|unit| (unit.run, unit.seq))
        };
        (0..10).map(&mut one).collect()
    }

    /// One run to before picture 2, another from the keyframe on.
    fn broken_at_2() -> Vec<Option<(u64, u64)>> {
        let first = [Some((1, 0)), Some((1, 1)), None, None, None];
        let second = (0..5).map(|i| Some((2, 2 + i)));
        first.into_iter().chain(second).collect()
    }

    #[test]
    fn a_steady_stream_is_one_run() {
        let all: Vec<_> = (0..10).map(|i| Some((1, i))).collect();
        assert_eq!(sorted(|_, _| {}), all);
        // Another format object with the same content changes nothing.
        assert_eq!(
            sorted(|_, packet| packet.format = format(Codec::H264, Size::new(640, 360))),
            all
        );
    }

    #[test]
    fn flags_formats_and_jumps_break_it() {
        assert_eq!(
            sorted(|i, packet| packet.discontinuity = i == 2),
            broken_at_2()
        );
        assert_eq!(
            sorted(|i, packet| if i >= 2 {
                packet.format = format(Codec::H264, Size::new(320, 180));
            }),
            broken_at_2()
        );
        let ahead = |i, packet: &mut Packet| {
            if i >= 2 {
                packet.pts = packet.pts + Duration::from_secs(60);
            }
        };
        assert_eq!(sorted(ahead), broken_at_2());
        let back = |i, packet: &mut Packet| {
            if i >= 2 {
                packet.pts = packet.pts.before(Duration::from_secs(60));
            }
        };
        assert_eq!(sorted(back), broken_at_2());
    }

    #[test]
    fn slow_correction_moves_a_run_only_once_it_is_far_off() {
        let (mut runs, mut camera) = (Runs::default(), Camera::new(5));
        let mut units = Vec::new();
        for i in 0..200u64 {
            let mut packet = camera.picture();
            packet.time = packet.time + Duration::from_millis(10 * i);
            units.push(runs.admit(&packet).unwrap());
        }
        // Distances are the stream's own; the run is given up at the first keyframe more than a second off.
        assert_eq!(units[100].at, at(10.0));
        assert_eq!(units.iter().position(|unit| unit.run == 2), Some(105));
        assert_eq!(units[105].at, at(11.55));
    }
}
