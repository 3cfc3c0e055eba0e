//! What parameter sets say about the order of pictures: ITU-T H.264, 7.3.2.1, 7.3.2.2 and E.1.1; H.265, 7.3.2.2, 7.3.2.3 and 7.3.3;
//! and where decoder configuration records keep them (ISO/IEC 14496-15, 5.3.3 and 8.3.3). Pure.

use super::bits::Bits;
use crate::flow::Codec;

/// Pictures that any encoder shows later than others that follow in the stream (H.264, A.3.1: MaxDpbFrames).
pub(super) const MOST_REORDERED: usize = 16;

/// How far a stream may reorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Depth {
    /// Pictures that precede one in decoding and follow it in presentation, at most.
    pub(super) pictures: usize,
    /// The stream says so itself; otherwise it is what its references allow.
    pub(super) declared: bool,
}

/// What of a sequence parameter set matters here.
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    pub(super) separate_planes: bool,
    pub(super) frame_num_bits: u32,
    pub(super) kind: Kind,
    pub(super) frames_only: bool,
    pub(super) depth: Depth,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// pic_order_cnt_type 0, and H.265: the low bits are in the slice header.
    Lsb { bits: u32 },
    /// pic_order_cnt_type 1: expected differences, and corrections in the slice header.
    Cycle {
        always_zero: bool,
        non_reference: i64,
        bottom: i64,
        references: Vec<i64>,
    },
    /// pic_order_cnt_type 2: as decoded.
    Decoding,
}

/// What of a picture parameter set matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture {
    pub(super) sequence: u32,
    /// bottom_field_pic_order_in_frame_present_flag (H.264).
    pub(super) bottom_present: bool,
    /// output_flag_present_flag (H.265).
    pub(super) output_flag: bool,
    /// num_extra_slice_header_bits (H.265).
    pub(super) extra_bits: u32,
}

/// A parameter set with its id.
#[derive(Debug)]
pub(super) enum Set {
    Sequence(u32, Sequence),
    Picture(u32, Picture),
}

/// Reads a NAL unit, if it is a parameter set of use.
pub(super) fn read(codec: Codec, unit: &[u8]) -> Option<Set> {
    let &head = unit.first()?;
    let sequence = |(id, sequence)| Set::Sequence(id, sequence);
    let picture = |(id, picture)| Set::Picture(id, picture);
    match (codec, head & 0x1f, (head >> 1) & 0x3f) {
        (Codec::H264, 7, _) => h264_sequence(&unit[1..]).map(sequence),
        (Codec::H264, 8, _) => h264_picture(&unit[1..]).map(picture),
        (Codec::H265, _, 33) => h265_sequence(unit.get(2..)?).map(sequence),
        (Codec::H265, _, 34) => h265_picture(unit.get(2..)?).map(picture),
        _ => None,
    }
}

/// The NAL units of a decoder configuration record; those before the first cut one.
pub(super) fn of_record(codec: Codec, record: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    match codec {
        Codec::H264 => avc_record(record, &mut units),
        Codec::H265 => hevc_record(record, &mut units),
        Codec::Other => None,
    };
    units
}

fn avc_record<'a>(record: &'a [u8], units: &mut Vec<&'a [u8]>) -> Option<()> {
    let mut rest = record.get(5..)?;
    for count_mask in [0x1f, 0xff] {
        let (count, tail) = rest.split_first()?;
        rest = tail;
        for _ in 0..count & count_mask {
            units.push(counted(&mut rest)?);
        }
    }
    Some(())
}

fn hevc_record<'a>(record: &'a [u8], units: &mut Vec<&'a [u8]>) -> Option<()> {
    let (arrays, mut rest) = record.get(22..)?.split_first()?;
    for _ in 0..*arrays {
        let (head, tail) = rest.split_at_checked(3)?;
        rest = tail;
        for _ in 0..u16::from_be_bytes([head[1], head[2]]) {
            units.push(counted(&mut rest)?);
        }
    }
    Some(())
}

/// A NAL unit after its length of two bytes.
fn counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(2)?;
    let length = usize::from(u16::from_be_bytes([head[0], head[1]]));
    let (unit, after) = tail.split_at_checked(length)?;
    *rest = after;
    Some(unit)
}

fn h264_sequence(data: &[u8]) -> Option<(u32, Sequence)> {
    let mut bits = Bits::new(data);
    let profile = bits.fixed(8)?;
    let constraints = bits.fixed(8)?;
    bits.skip(8)?; // level
    let id = bits.unsigned().filter(|&id| id < 32)?;
    let mut separate_planes = false;
    if matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 134 | 135 | 138 | 139
    ) {
        let chroma = bits.unsigned()?;
        separate_planes = chroma == 3 && bits.flag()?;
        bits.unsigned()?; // bit depths
        bits.unsigned()?;
        bits.skip(1)?;
        if bits.flag()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    let frame_num_bits = bits.unsigned()?.checked_add(4).filter(|&n| n <= 16)?;
    let kind = match bits.unsigned()? {
        0 => Kind::Lsb {
            bits: bits.unsigned()?.checked_add(4).filter(|&n| n <= 16)?,
        },
        1 => Kind::Cycle {
            always_zero: bits.flag()?,
            non_reference: bits.signed()?,
            bottom: bits.signed()?,
            references: {
                let count = bits.unsigned()?.min(255);
                (0..count).map(|_| bits.signed()).collect::<Option<_>>()?
            },
        },
        2 => Kind::Decoding,
        _ => return None,
    };
    let references = usize::try_from(bits.unsigned()?).ok()?;
    bits.skip(1)?; // gaps_in_frame_num_value_allowed_flag
    bits.unsigned()?; // width and height
    bits.unsigned()?;
    let frames_only = bits.flag()?;
    // Baseline has no B slices, and sets of constraints that leave only intra pictures (E.2.1) no reordering.
    let intra = matches!(profile, 44 | 86 | 100 | 110 | 122 | 244) && constraints & 0x10 != 0;
    let never = profile == 66 || intra || matches!(kind, Kind::Decoding);
    let declared = match never {
        true => Some(0),
        false => h264_reorder(&mut bits, frames_only),
    };
    let depth = match declared {
        Some(pictures) => Depth {
            pictures: pictures.min(MOST_REORDERED),
            declared: true,
        },
        None => Depth {
            pictures: references.clamp(1, MOST_REORDERED),
            declared: false,
        },
    };
    Some((
        id,
        Sequence {
            separate_planes,
            frame_num_bits,
            kind,
            frames_only,
            depth,
        },
    ))
}

/// max_num_reorder_frames (E.1.1), where it is there, from frame_mbs_only_flag on.
fn h264_reorder(bits: &mut Bits<'_>, frames_only: bool) -> Option<usize> {
    if !frames_only {
        bits.skip(1)?;
    }
    bits.skip(1)?; // direct_8x8_inference_flag
    if bits.flag()? {
        for _ in 0..4 {
            bits.unsigned()?; // cropping
        }
    }
    if !bits.flag()? {
        return None;
    }
    if bits.flag()? && bits.fixed(8)? == 255 {
        bits.skip(32)?; // sample aspect ratio
    }
    if bits.flag()? {
        bits.skip(1)?; // overscan
    }
    if bits.flag()? {
        bits.skip(4)?; // video signal type
        if bits.flag()? {
            bits.skip(24)?;
        }
    }
    if bits.flag()? {
        bits.unsigned()?; // chroma location
        bits.unsigned()?;
    }
    if bits.flag()? {
        bits.skip(65)?; // timing
    }
    let mut buffers = false;
    for _ in 0..2 {
        if bits.flag()? {
            buffers = true;
            let count = bits.unsigned()?.min(31);
            bits.skip(8)?;
            for _ in 0..=count {
                bits.unsigned()?;
                bits.unsigned()?;
                bits.skip(1)?;
            }
            bits.skip(20)?;
        }
    }
    bits.skip(u32::from(buffers) + 1)?; // low_delay_hrd_flag, pic_struct_present_flag
    if !bits.flag()? {
        return None;
    }
    bits.skip(1)?;
    for _ in 0..4 {
        bits.unsigned()?;
    }
    usize::try_from(bits.unsigned()?).ok()
}

fn scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed()? + 256) % 256;
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn h264_picture(data: &[u8]) -> Option<(u32, Picture)> {
    let mut bits = Bits::new(data);
    let (id, sequence) = (bits.unsigned().filter(|&id| id < 256)?, bits.unsigned()?);
    bits.skip(1)?; // entropy_coding_mode_flag
    let picture = Picture {
        sequence,
        bottom_present: bits.flag()?,
        output_flag: false,
        extra_bits: 0,
    };
    Some((id, picture))
}

fn h265_sequence(data: &[u8]) -> Option<(u32, Sequence)> {
    let mut bits = Bits::new(data);
    bits.skip(4)?; // video parameter set
    let layers = bits.fixed(3)?;
    bits.skip(1)?;
    // profile_tier_level: 88 bits of profile and 8 of level, for the whole and for each sub-layer that has them.
    bits.skip(96)?;
    let present: Vec<_> = (0..layers)
        .map(|_| Some(88 * u32::from(bits.flag()?) + 8 * u32::from(bits.flag()?)))
        .collect::<Option<_>>()?;
    if layers > 0 {
        bits.skip(2 * (8 - layers.min(8)))?;
    }
    bits.skip(present.iter().sum())?;
    let id = bits.unsigned().filter(|&id| id < 16)?;
    let separate_planes = bits.unsigned()? == 3 && bits.flag()?;
    bits.unsigned()?; // width and height
    bits.unsigned()?;
    if bits.flag()? {
        for _ in 0..4 {
            bits.unsigned()?; // conformance window
        }
    }
    bits.unsigned()?; // bit depths
    bits.unsigned()?;
    let width = bits.unsigned()?.checked_add(4).filter(|&n| n <= 16)?;
    let rows = if bits.flag()? { layers + 1 } else { 1 };
    let mut reorder = 0;
    for _ in 0..rows {
        bits.unsigned()?; // sps_max_dec_pic_buffering_minus1
        reorder = bits.unsigned()?; // sps_max_num_reorder_pics: the highest layer's is last
        bits.unsigned()?; // sps_max_latency_increase_plus1
    }
    let sequence = Sequence {
        separate_planes,
        frame_num_bits: 0,
        kind: Kind::Lsb { bits: width },
        frames_only: true,
        depth: Depth {
            pictures: usize::try_from(reorder).ok()?.min(MOST_REORDERED),
            declared: true,
        },
    };
    Some((id, sequence))
}

fn h265_picture(data: &[u8]) -> Option<(u32, Picture)> {
    let mut bits = Bits::new(data);
    let (id, sequence) = (bits.unsigned().filter(|&id| id < 64)?, bits.unsigned()?);
    bits.skip(1)?; // dependent_slice_segments_enabled_flag
    let picture = Picture {
        sequence,
        bottom_present: false,
        output_flag: bits.flag()?,
        extra_bits: bits.fixed(3)?,
    };
    Some((id, picture))
}
