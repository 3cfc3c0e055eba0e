//! Faults of one camera's stream, done to its RTP packets (RFC 3550, 5.1) behind the payloader.

use gstreamer as gst;
use gstreamer::prelude::*;
use parking_lot::Mutex;

use super::{script::Fault, video::Codec};

/// RTP's clock for video, ticks a second.
const CLOCK_RATE: f64 = 90_000.0;
/// Bytes of an RTP header without extensions, as payloaders write it.
const HEADER: usize = 12;

/// What is wrong with a camera at the moment.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Wrong>);

#[derive(Debug, Clone, Default)]
struct Wrong {
    stalled: bool,
    lost_percent: f64,
    corrupt_percent: f64,
    shuffled_percent: f64,
    bare: bool,
    clock: Clock,
    /// Seconds, the sum of all jumps.
    jumped: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Clock {
    #[default]
    Right,
    Frozen,
    Backwards,
    Drifts(f64),
}

impl Faults {
    /// Begins `fault`, or ends it.
    pub(super) fn set(&self, fault: &Fault, on: bool) {
        let mut wrong = self.0.lock();
        let share = |percent: f64| if on { percent } else { 0.0 };
        let clock = |clock| if on { clock } else { Clock::Right };
        match *fault {
            Fault::Stall => wrong.stalled = on,
            Fault::Lose(percent) => wrong.lost_percent = share(percent),
            Fault::Corrupt(percent) => wrong.corrupt_percent = share(percent),
            Fault::Shuffle(percent) => wrong.shuffled_percent = share(percent),
            Fault::Bare => wrong.bare = on,
            Fault::Jump(seconds) => wrong.jumped += seconds,
            Fault::Freeze => wrong.clock = clock(Clock::Frozen),
            Fault::Reverse => wrong.clock = clock(Clock::Backwards),
            Fault::Drift(percent) => wrong.clock = clock(Clock::Drifts(1.0 + percent / 100.0)),
            // Not of a stream.
            Fault::Reboot | Fault::Hangup | Fault::Swap(_) => {}
        }
    }

    pub(super) fn stalled(&self) -> bool {
        self.0.lock().stalled
    }
}

/// Tampers with what leaves `payloader`, for one session of a camera.
pub(super) fn install(payloader: &gst::Element, codec: Codec, faults: std::sync::Arc<Faults>) {
    let pad = payloader
        .static_pad("src")
        .expect("a payloader has a source pad");
    let tamper = Mutex::new(Tamper::new(codec, &faults));
    let kinds = gst::PadProbeType::BUFFER
        | gst::PadProbeType::BUFFER_LIST
        | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(kinds, move |_, info| {
        let wrong = faults.0.lock().clone();
        tamper.lock().probe(info, &wrong)
    });
}

struct Tamper {
    codec: Codec,
    /// State of a generator of numbers that look random, the same in each run.
    dice: u64,
    /// Packets left out without a gap in the sequence numbers.
    left_out: u16,
    /// The last timestamp that came, and the one sent for it, in ticks.
    last: Option<(u32, f64)>,
    jumped: f64,
}

impl Tamper {
    fn new(codec: Codec, faults: &Faults) -> Self {
        Self {
            codec,
            dice: 0x9e37_79b9_7f4a_7c15,
            left_out: 0,
            last: None,
            jumped: faults.0.lock().jumped,
        }
    }

    fn probe(&mut self, info: &mut gst::PadProbeInfo<'_>, wrong: &Wrong) -> gst::PadProbeReturn {
        match info.data.take() {
            Some(gst::PadProbeData::Buffer(packet)) => match self.packet(packet, wrong) {
                Some(packet) => {
                    info.data = Some(gst::PadProbeData::Buffer(packet));
                    gst::PadProbeReturn::Ok
                }
                None => gst::PadProbeReturn::Drop,
            },
            Some(gst::PadProbeData::BufferList(list)) => {
                let mut kept: Vec<gst::Buffer> = list
                    .iter_owned()
                    .filter_map(|packet| self.packet(packet, wrong))
                    .collect();
                for first in (1..kept.len()).step_by(2) {
                    if self.happens(wrong.shuffled_percent) {
                        kept.swap(first - 1, first);
                    }
                }
                if kept.is_empty() {
                    return gst::PadProbeReturn::Drop;
                }
                info.data = Some(gst::PadProbeData::BufferList(kept.into_iter().collect()));
                gst::PadProbeReturn::Ok
            }
            Some(gst::PadProbeData::Event(event)) => {
                info.data = Some(gst::PadProbeData::Event(match wrong.bare {
                    true => without_parameter_sets(event),
                    false => event,
                }));
                gst::PadProbeReturn::Ok
            }
            other => {
                info.data = other;
                gst::PadProbeReturn::Ok
            }
        }
    }

    /// The packet as it is sent, if it is.
    fn packet(&mut self, mut packet: gst::Buffer, wrong: &Wrong) -> Option<gst::Buffer> {
        let mut head = [0; HEADER + 2];
        packet.copy_to_slice(0, &mut head).ok()?;
        if wrong.bare && self.is_parameter_set(head[HEADER]) {
            self.left_out = self.left_out.wrapping_add(1);
            return None;
        }
        let came = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let sent = self.timestamp(came, wrong);
        let damaged = self.happens(wrong.corrupt_percent);
        if self.happens(wrong.lost_percent) {
            return None;
        }
        if sent == came && self.left_out == 0 && !damaged {
            return Some(packet);
        }
        let fields = packet.make_mut();
        let mut map = fields.map_writable().ok()?;
        let number = u16::from_be_bytes([map[2], map[3]]).wrapping_sub(self.left_out);
        map[2..4].copy_from_slice(&number.to_be_bytes());
        map[4..8].copy_from_slice(&sent.to_be_bytes());
        if damaged {
            // The kind of unit stays, now and then not even that.
            let from = HEADER + if self.happens(10.0) { 0 } else { 4 };
            for byte in map.iter_mut().skip(from).step_by(5) {
                *byte ^= 0x5a;
            }
        }
        drop(map);
        Some(packet)
    }

    /// `first` is the first byte of a NAL unit's header.
    fn is_parameter_set(&self, first: u8) -> bool {
        match self.codec {
            Codec::H264 => matches!(first & 0x1f, 7 | 8),
            Codec::H265 => matches!((first >> 1) & 0x3f, 32..=34),
        }
    }

    fn timestamp(&mut self, came: u32, wrong: &Wrong) -> u32 {
        let mut sent = match self.last {
            None => f64::from(came),
            Some((before, sent)) => {
                let step = f64::from(came.wrapping_sub(before).cast_signed());
                sent + match wrong.clock {
                    Clock::Right => step,
                    Clock::Frozen => 0.0,
                    Clock::Backwards => -step,
                    Clock::Drifts(factor) => step * factor,
                }
            }
        };
        sent += (wrong.jumped - self.jumped) * CLOCK_RATE;
        self.jumped = wrong.jumped;
        self.last = Some((came, sent));
        // 2^32 ticks are one turn of the counter.
        sent.rem_euclid(4_294_967_296.0) as u32
    }

    /// True in `percent` of all calls.
    fn happens(&mut self, percent: f64) -> bool {
        if percent <= 0.0 {
            return false;
        }
        // Knuth's constants for a linear congruential generator.
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) as f64 / f64::from(1_u32 << 31) * 100.0 < percent
    }
}

/// Takes the parameter sets out of what the session's description is made of.
fn without_parameter_sets(event: gst::Event) -> gst::Event {
    let gst::EventView::Caps(announced) = event.view() else {
        return event;
    };
    let mut caps = announced.caps_owned();
    for structure in caps.make_mut().iter_mut() {
        structure.remove_fields([
            "sprop-parameter-sets",
            "sprop-vps",
            "sprop-sps",
            "sprop-pps",
        ]);
    }
    gst::event::Caps::new(&caps)
}
