//! What the headers of NAL units say about an access unit: ITU-T H.264 (7.3.1, 7.3.3) and H.265 (7.3.1.2, 7.3.6.1).
//!
//! Works on units with a length before each (ISO/IEC 14496-15), as parsers give them for `avc` and `hvc1`. Pure.

use crate::flow::Codec;

/// Facts about one access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Facts {
    /// It holds the first slice of a picture; otherwise it continues the picture before.
    pub(super) starts_picture: bool,
    /// Every slice is intra-coded: decoding can start here (where the parser says so as well).
    pub(super) intra: bool,
    /// Pictures that come before it in presentation but after it in decoding may refer to pictures before it.
    pub(super) open: bool,
    /// It refers to pictures before the key that it follows (H.265 RASL): cannot be decoded when starting at that key.
    pub(super) skipped_leading: bool,
    /// Nothing refers to it.
    pub(super) droppable: bool,
}

/// The NAL units of `data`, each with `length_size` bytes of length before it; stops at a cut one.
pub(super) fn units(data: &[u8], length_size: usize) -> impl Iterator<Item = &[u8]> {
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
pub(super) fn facts(codec: Codec, temporal_layers: u8, data: &[u8]) -> Facts {
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
    let mut facts = Facts::default();
    let (mut slices, mut intra, mut unreferenced, mut idr) = (0, 0, 0, false);
    for unit in units(data, 4) {
        let kind = unit[0] & 0x1f;
        if !matches!(kind, SLICE | PARTITION_A | IDR) {
            continue;
        }
        let mut bits = Bits::new(&unit[1..]);
        let first_macroblock = bits.exp_golomb();
        let slice_type = bits.exp_golomb();
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
    let mut facts = Facts::default();
    let (mut slices, mut intra, mut unreferenced) = (0, 0, 0);
    for unit in units(data, 4).filter(|unit| unit.len() > 2) {
        let kind = (unit[0] >> 1) & 0x3f;
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

/// A bit reader that skips emulation prevention bytes.
struct Bits<'a> {
    data: &'a [u8],
    byte: usize,
    bit: u32,
    zeros: u32,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            byte: 0,
            bit: 0,
            zeros: 0,
        }
    }

    fn bit(&mut self) -> Option<u32> {
        let value = *self.data.get(self.byte)?;
        let bit = u32::from(value >> (7 - self.bit)) & 1;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.byte += 1;
            self.zeros = if value == 0 { self.zeros + 1 } else { 0 };
            if self.zeros >= 2 && self.data.get(self.byte) == Some(&3) {
                self.byte += 1;
                self.zeros = 0;
            }
        }
        Some(bit)
    }

    /// ue(v).
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let mut value = 1u64;
        for _ in 0..zeros {
            value = (value << 1) | u64::from(self.bit()?);
        }
        u32::try_from(value - 1).ok()
    }
}
