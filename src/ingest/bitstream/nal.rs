//! What the headers of NAL units say about an access unit: ITU-T H.264 (7.3.1, 7.3.3) and H.265 (7.3.1.2, 7.3.6.1).
//!
//! Works on units with a length before each (ISO/IEC 14496-15), as parsers give them for `avc` and `hvc1`. Pure.

use super::bits::Bits;
use crate::flow::Codec;

/// Facts about one access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::ingest) struct Facts {
    /// It holds the first slice of a picture; otherwise it continues the picture before.
    pub(in crate::ingest) starts_picture: bool,
    /// Every slice is intra-coded: decoding can start here (where the parser says so as well).
    pub(in crate::ingest) intra: bool,
    /// Pictures that come before it in presentation but after it in decoding may refer to pictures before it.
    pub(in crate::ingest) open: bool,
    /// It refers to pictures before the key that it follows (H.265 RASL): cannot be decoded when starting at that key.
    pub(in crate::ingest) skipped_leading: bool,
    /// Nothing refers to it.
    pub(in crate::ingest) droppable: bool,
    /// A recovery point: decoding can start here, and pictures are whole after so many more (0: at once).
    pub(in crate::ingest) recovery: Option<u32>,
}

/// The NAL units of `data`, each with `length_size` bytes of length before it; stops at a cut one.
pub(in crate::ingest) fn units(data: &[u8], length_size: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_at_checked(length_size)?;
        let length = head.iter().fold(0usize, |n, &b| (n << 8) | usize::from(b));
        let (unit, after) = tail.split_at_checked(length)?;
        rest = after;
        Some(unit)
    })
    .filter(|unit| !unit.is_empty())
}

/// Reads the facts of one access unit of a stream with `temporal_layers` (H.265 only; 0 is unknown).
pub(in crate::ingest) fn facts(codec: Codec, temporal_layers: u8, data: &[u8]) -> Facts {
    match codec {
        Codec::H264 => h264(data),
        Codec::H265 => h265(data, temporal_layers),
        Codec::Other => Facts {
            starts_picture: true,
            intra: true,
            ..Facts::default()
        },
    }
}

fn h264(data: &[u8]) -> Facts {
    const SLICE: u8 = 1;
    const PARTITION_A: u8 = 2;
    const IDR: u8 = 5;
    const SEI: u8 = 6;
    let mut facts = Facts::default();
    let (mut slices, mut intra, mut unreferenced, mut idr) = (0, 0, 0, false);
    for unit in units(data, 4) {
        let kind = unit[0] & 0x1f;
        if kind == SEI && slices == 0 {
            facts.recovery = facts.recovery.or(h264_recovery(&unit[1..]));
        }
        if !matches!(kind, SLICE | PARTITION_A | IDR) {
            continue;
        }
        let mut bits = Bits::new(&unit[1..]);
        let first_macroblock = bits.unsigned();
        let slice_type = bits.unsigned();
        slices += 1;
        facts.starts_picture |= first_macroblock == Some(0);
        // 2 and 7 are I, 4 and 9 SI; an IDR picture has no others.
        intra += usize::from(kind == IDR || matches!(slice_type, Some(2 | 4 | 7 | 9)));
        unreferenced += usize::from((unit[0] >> 5) & 3 == 0);
        idr |= kind == IDR;
    }
    facts.intra = slices > 0 && intra == slices;
    facts.open = !idr;
    facts.droppable = slices > 0 && unreferenced == slices;
    facts
}

fn h265(data: &[u8], temporal_layers: u8) -> Facts {
    const LAST_SLICE: u8 = 31;
    const PREFIX_SEI: u8 = 39;
    let mut facts = Facts::default();
    let (mut slices, mut intra, mut unreferenced) = (0, 0, 0);
    for unit in units(data, 4).filter(|unit| unit.len() > 2) {
        let kind = (unit[0] >> 1) & 0x3f;
        if kind == PREFIX_SEI && slices == 0 {
            facts.recovery = facts.recovery.or(h265_recovery(&unit[2..]));
        }
        if kind > LAST_SLICE {
            continue;
        }
        slices += 1;
        facts.starts_picture |= unit[2] & 0x80 != 0;
        // BLA, IDR and CRA are 16 to 21, up to 23 reserved for more of their kind.
        intra += usize::from((16..=23).contains(&kind));
        facts.open |= matches!(kind, 16 | 17 | 21);
        facts.skipped_leading |= matches!(kind, 8 | 9);
        // Even kinds up to 14 are sub-layer non-reference pictures: their own temporal layer does not refer to them,
        // but one above may. TemporalId plus 1 is in the header's last three bits.
        let top_layer = temporal_layers != 0 && unit[1] & 7 >= temporal_layers;
        unreferenced += usize::from(kind <= 14 && kind % 2 == 0 && top_layer);
    }
    facts.intra = slices > 0 && intra == slices;
    facts.droppable = slices > 0 && unreferenced == slices;
    facts
}

/// recovery_frame_cnt (H.264, D.1.8).
fn h264_recovery(sei: &[u8]) -> Option<u32> {
    recovery_payload(sei)?.unsigned()
}

/// recovery_poc_cnt (H.265, D.2.8). Of a negative one the pictures that follow are whole at once.
fn h265_recovery(sei: &[u8]) -> Option<u32> {
    let count = recovery_payload(sei)?.signed()?;
    u32::try_from(count.max(0)).ok()
}

/// The payload of a recovery point among the messages of an SEI unit (H.264, 7.3.2.3.1; H.265, 7.3.5); its type is 6 in both.
fn recovery_payload(sei: &[u8]) -> Option<Bits<'_>> {
    const RECOVERY_POINT: u32 = 6;
    let mut bits = Bits::new(sei);
    loop {
        let mut head = [0u32; 2];
        for number in &mut head {
            loop {
                let byte = bits.fixed(8)?;
                *number = number.saturating_add(byte);
                if byte != 0xff {
                    break;
                }
            }
        }
        match head {
            [RECOVERY_POINT, _] => return Some(bits),
            [_, size] => bits.skip(size.checked_mul(8)?)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units_of(parts: &[&[u8]]) -> Vec<u8> {
        let mut data = Vec::new();
        for part in parts {
            data.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            data.extend(*part);
        }
        data
    }

    #[test]
    fn h264_slices() {
        // first_mb_in_slice 0 is the bit 1; slice_type 7 (I) is 0001000, 5 (P) is 00110.
        let idr: &[u8] = &[0x65, 0b1000_1000, 0x80];
        let first_p: &[u8] = &[0x41, 0b1001_1000, 0x80];
        let later_p: &[u8] = &[0x41, 0b0100_0110, 0x80];
        let unused_b: &[u8] = &[0x01, 0b1001_1100, 0x80];
        let open_i: &[u8] = &[0x41, 0b1000_1000, 0x80];
        let sps: &[u8] = &[0x67, 1, 2, 3];
        let of = |parts: &[&[u8]]| facts(Codec::H264, 0, &units_of(parts));
        let key = of(&[sps, idr]);
        assert!(key.starts_picture && key.intra && !key.open && !key.droppable);
        assert!(of(&[first_p]).starts_picture && !of(&[first_p]).intra);
        assert!(!of(&[later_p]).starts_picture);
        assert!(of(&[unused_b]).droppable && !of(&[unused_b, first_p]).droppable);
        assert!(of(&[open_i]).intra && of(&[open_i]).open);
        assert!(
            !of(&[open_i, first_p]).intra,
            "an intra refresh is no keyframe"
        );
        assert!(!of(&[sps]).starts_picture && !of(&[sps]).droppable && !of(&[sps]).intra);
    }

    #[test]
    fn h265_slices() {
        let unit = |kind: u8, temporal_id: u8| [kind << 1, temporal_id + 1, 0x80, 0];
        let of = |layers, kind, temporal_id| {
            facts(Codec::H265, layers, &units_of(&[&unit(kind, temporal_id)]))
        };
        for (kind, name) in [
            (19, "IDR_W_RADL"),
            (20, "IDR_N_LP"),
            (21, "CRA"),
            (16, "BLA"),
        ] {
            assert!(
                of(1, kind, 0).intra && of(1, kind, 0).starts_picture,
                "{name}"
            );
        }
        assert!(of(1, 21, 0).open && !of(1, 19, 0).open);
        assert!(of(1, 8, 0).skipped_leading && !of(1, 6, 0).skipped_leading);
        assert!(of(1, 0, 0).droppable && !of(1, 1, 0).droppable);
        assert!(!of(2, 0, 0).droppable, "the layer above may refer to it");
        assert!(of(2, 0, 1).droppable);
        assert!(!of(0, 0, 0).droppable, "unknown layers");
    }

    #[test]
    fn cut_data_ends_quietly() {
        let whole = units_of(&[&[0x65, 0x88, 0x80], &[0x41, 0x9a]]);
        for end in 0..whole.len() {
            assert!(units(&whole[..end], 4).count() <= 1);
            let _ = facts(Codec::H264, 0, &whole[..end]);
            let _ = facts(Codec::H265, 1, &whole[..end]);
        }
        assert_eq!(units(&[1, 0xaa, 2, 0xbb, 0xcc], 1).count(), 2);
    }
}
