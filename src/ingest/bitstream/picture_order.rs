//! In which order pictures are shown: picture order counts from parameter sets and slice headers. Pure.
//!
//! H.264: slice headers 7.3.3, picture order count 8.2.1 (all three types). H.265: slice segment headers 7.3.6.1, picture order
//! count 8.3.1. Units have a four-byte length before each.
//! MPEG-1, -2 and -4 part 2 have no such count: pictures of type B are shown as they come, each other one when the next of its kind
//! comes (ISO/IEC 13818-2, 6.1.1.11; 14496-2, 6.1.3.8).
//! A memory management control operation 5 (H.264), which begins the count again amid a sequence, is not looked for: encoders of
//! cameras do not send it.

use std::collections::BTreeMap;

use super::{
    bits::Bits,
    nal,
    parameter_sets::{self, Depth, Kind, Picture, Sequence, Set},
};
use crate::flow::{Codec, StreamFormat};

/// Where a picture has its place among those of its coded video sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Smaller is shown earlier.
    pub(super) count: i64,
    /// Everything before is shown before this picture and all that follow.
    pub(super) restart: bool,
}

/// Parameter sets of a stream, and the count so far.
#[derive(Debug, Default)]
pub(super) struct Counter {
    sequences: BTreeMap<u32, Sequence>,
    pictures: BTreeMap<u32, Picture>,
    /// Of the sequence parameter set last referred to.
    depth: Option<Depth>,
    begun: bool,
    /// PicOrderCntMsb and pic_order_cnt_lsb of the reference picture before.
    before: (i64, i64),
    /// FrameNumOffset and frame_num of the picture before.
    frames: (i64, i64),
    /// MPEG: pictures of other types than B, and since the last of them.
    anchors: (i64, i64),
}

impl Counter {
    /// Takes the parameter sets of a decoder configuration record.
    pub(super) fn record(&mut self, codec: Codec, record: &[u8]) {
        for unit in parameter_sets::of_record(codec, record) {
            self.parameters(codec, unit);
        }
    }

    /// Reads one access unit of such a stream: its parameter sets, then its first slice.
    pub(super) fn read(&mut self, format: &StreamFormat, data: &[u8]) -> Option<Place> {
        let codec = format.codec;
        if codec == Codec::Other {
            return self.mpeg(mpeg_type(&format.codec_name, data)?);
        }
        for unit in nal::units(data, 4) {
            let slice = match codec {
                Codec::H264 => matches!(unit[0] & 0x1f, 1 | 2 | 5),
                Codec::H265 => (unit[0] >> 1) & 0x3f < 32,
                Codec::Other => return None,
            };
            match (slice, codec) {
                (false, _) => self.parameters(codec, unit),
                (true, Codec::H265) => return self.h265_slice(unit),
                (true, _) => return self.h264_slice(unit),
            }
        }
        None
    }

    /// How far the stream reorders, once a picture has been read.
    pub(super) fn depth(&self) -> Option<Depth> {
        self.depth
    }

    fn parameters(&mut self, codec: Codec, unit: &[u8]) {
        match parameter_sets::read(codec, unit) {
            Some(Set::Sequence(id, sequence)) => {
                self.sequences.insert(id, sequence);
            }
            Some(Set::Picture(id, picture)) => {
                self.pictures.insert(id, picture);
            }
            None => {}
        }
    }

    fn mpeg(&mut self, kind: Type) -> Option<Place> {
        const BETWEEN: i64 = 1 << 16;
        self.depth = Some(Depth {
            pictures: 1,
            declared: false,
        });
        let restart = !std::mem::replace(&mut self.begun, true);
        self.anchors = match kind {
            Type::Between => (self.anchors.0, self.anchors.1 + 1),
            Type::Anchor => (self.anchors.0 + 1, 0),
        };
        let (anchors, since) = self.anchors;
        let count = match kind {
            Type::Between => (anchors - 1) * BETWEEN + since.min(BETWEEN - 1),
            Type::Anchor => anchors * BETWEEN,
        };
        Some(Place { count, restart })
    }

    fn h264_slice(&mut self, unit: &[u8]) -> Option<Place> {
        let (reference, idr) = ((unit[0] >> 5) & 3 != 0, unit[0] & 0x1f == 5);
        let mut bits = Bits::new(&unit[1..]);
        bits.unsigned()?; // first_mb_in_slice
        bits.unsigned()?; // slice_type
        let picture = *self.pictures.get(&bits.unsigned()?)?;
        let sequence = self.sequences.get(&picture.sequence)?;
        self.depth = Some(sequence.depth);
        if sequence.separate_planes {
            bits.skip(2)?;
        }
        let frame_num = i64::from(bits.fixed(sequence.frame_num_bits)?);
        let field = !sequence.frames_only && bits.flag()?;
        let bottom_field = field && bits.flag()?;
        if idr {
            bits.unsigned()?; // idr_pic_id
        }
        let restart = idr || !self.begun;
        let wraps = self.frames.1 > frame_num;
        let offset = match (idr, wraps) {
            (true, _) => 0,
            (false, true) => self.frames.0 + (1 << sequence.frame_num_bits),
            (false, false) => self.frames.0,
        };
        let both = picture.bottom_present && !field;
        let (count, before) = match &sequence.kind {
            Kind::Lsb { bits: width } => {
                let lsb = i64::from(bits.fixed(*width)?);
                let bottom = if both { bits.signed()? } else { 0 };
                let msb = if restart {
                    0
                } else {
                    msb(self.before, lsb, 1 << width)
                };
                (msb + lsb + bottom.min(0), Some((msb, lsb)))
            }
            Kind::Cycle {
                always_zero,
                non_reference,
                bottom,
                references,
            } => {
                let first = if *always_zero { 0 } else { bits.signed()? };
                let second = if *always_zero || !both {
                    0
                } else {
                    bits.signed()?
                };
                let expected = expected(offset + frame_num, reference, references, *non_reference);
                let top = expected + first;
                let count = match (field, bottom_field) {
                    (false, _) => top.min(top + bottom + second),
                    (true, false) => top,
                    (true, true) => top + bottom,
                };
                (count, None)
            }
            Kind::Decoding => (2 * (offset + frame_num) - i64::from(!reference), None),
        };
        self.begun = true;
        self.frames = (offset, frame_num);
        if let Some(before) = before.filter(|_| reference) {
            self.before = before;
        }
        Some(Place { count, restart })
    }

    fn h265_slice(&mut self, unit: &[u8]) -> Option<Place> {
        let (kind, temporal) = ((unit[0] >> 1) & 0x3f, unit.get(1)? & 7);
        let mut bits = Bits::new(unit.get(2..)?);
        if !bits.flag()? {
            return None; // the picture's first segment is missing
        }
        if (16..=23).contains(&kind) {
            bits.skip(1)?;
        }
        let picture = *self.pictures.get(&bits.unsigned()?)?;
        let sequence = self.sequences.get(&picture.sequence)?;
        self.depth = Some(sequence.depth);
        bits.skip(picture.extra_bits)?;
        bits.unsigned()?; // slice_type
        bits.skip(u32::from(picture.output_flag) + 2 * u32::from(sequence.separate_planes))?;
        let idr = matches!(kind, 19 | 20);
        let restart = idr || (16..=18).contains(&kind) || !self.begun;
        let Kind::Lsb { bits: width } = sequence.kind else {
            return None;
        };
        let lsb = if idr {
            0
        } else {
            i64::from(bits.fixed(width)?)
        };
        let msb = if restart {
            0
        } else {
            msb(self.before, lsb, 1 << width)
        };
        self.begun = true;
        // prevTid0Pic: of the lowest layer, and neither a leading nor a sub-layer non-reference picture.
        let left_out = (6..=9).contains(&kind) || (kind <= 14 && kind % 2 == 0);
        if temporal == 1 && !left_out {
            self.before = (msb, lsb);
        }
        Some(Place {
            count: msb + lsb,
            restart,
        })
    }
}

/// Types of MPEG pictures, as far as their order goes.
#[derive(Clone, Copy)]
enum Type {
    /// I, P, S.
    Anchor,
    /// B.
    Between,
}

/// picture_coding_type (ISO/IEC 13818-2, 6.2.3) or vop_coding_type (14496-2, 6.2.5) of the first picture in `data`.
fn mpeg_type(codec_name: &str, data: &[u8]) -> Option<Type> {
    let (code, shift, mask, between) = match codec_name {
        "MPEG-4 part 2" => (0xb6, 14, 3, 2),
        "MPEG-1" | "MPEG-2" => (0x00, 3, 7, 3),
        _ => return None,
    };
    let at = data.windows(4).position(|w| w == [0, 0, 1, code])? + 4;
    let head = u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]);
    Some(if (head >> shift) & mask == between {
        Type::Between
    } else {
        Type::Anchor
    })
}

/// PicOrderCntMsb (H.264, 8-3; H.265, 8-1).
fn msb((before_msb, before_lsb): (i64, i64), lsb: i64, max: i64) -> i64 {
    if lsb < before_lsb && before_lsb - lsb >= max / 2 {
        before_msb + max
    } else if lsb > before_lsb && lsb - before_lsb > max / 2 {
        before_msb - max
    } else {
        before_msb
    }
}

/// expectedPicOrderCnt (H.264, 8-6 to 8-9).
fn expected(frames: i64, reference: bool, references: &[i64], non_reference: i64) -> i64 {
    let length = i64::try_from(references.len()).unwrap_or(0);
    let number = match (length, reference) {
        (0, _) => 0,
        (_, true) => frames,
        (_, false) => frames - 1,
    };
    let mut count = 0;
    if number > 0 {
        let (cycles, within) = ((number - 1) / length, (number - 1) % length);
        let whole: i64 = references.iter().sum();
        count = cycles.wrapping_mul(whole);
        count += references
            .iter()
            .zip(0..=within)
            .map(|(r, _)| r)
            .sum::<i64>();
    }
    if reference {
        count
    } else {
        count + non_reference
    }
}
