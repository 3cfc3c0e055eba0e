//! Pictures to send: access units in decode order, each as its NAL units or as one JPEG image.

use bytes::Bytes;

use crate::flow;

/// How the pictures are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// H.264, RFC 6184.
    H264,
    /// H.265, RFC 7798.
    H265,
    /// Motion JPEG, RFC 2435.
    Jpeg,
}

impl Codec {
    /// The type in a NAL unit's header; 0 for an empty unit.
    #[must_use]
    pub fn kind(self, nal: &[u8]) -> u8 {
        let first = nal.first().copied().unwrap_or(0);
        match self {
            Self::H265 => (first >> 1) & 63,
            _ => first & 31,
        }
    }

    /// Whether a NAL unit carries a slice.
    #[must_use]
    pub fn is_slice(self, nal: &[u8]) -> bool {
        match self {
            Self::H264 => matches!(self.kind(nal), 1..=5),
            Self::H265 => self.kind(nal) < 32,
            Self::Jpeg => true,
        }
    }

    /// Whether a NAL unit is a parameter set.
    #[must_use]
    pub fn is_set(self, nal: &[u8]) -> bool {
        match self {
            Self::H264 => matches!(self.kind(nal), 7 | 8),
            Self::H265 => matches!(self.kind(nal), 32..=34),
            Self::Jpeg => false,
        }
    }
}

/// One picture.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its NAL units without start codes, or one JPEG image.
    pub nals: Vec<Bytes>,
    /// Decoding may begin here.
    pub key: bool,
    /// Its place in the order of display, counted from the clip's start.
    pub shown: i64,
}

/// A piece of encoded video that is sent in a loop.
#[derive(Debug, Clone)]
pub struct Clip {
    /// How it is coded.
    pub codec: Codec,
    /// Pictures a second.
    pub rate: u32,
    /// Pictures in decode order, without parameter sets.
    pub units: Vec<Unit>,
    /// Parameter sets: VPS (H.265), SPS, PPS.
    pub sets: Vec<Bytes>,
}

impl Clip {
    /// A clip of encoded packets, of H.264 or H.265 with length prefixes (`avcC`, `hvcC`), `rate` pictures a second.
    ///
    /// # Panics
    /// When there is none, or when they are of another kind: a test has nothing to send then.
    #[must_use]
    pub fn from_packets(packets: &[flow::Packet], rate: u32) -> Self {
        let format = &packets.first().expect("packets to send").format;
        let codec = match format.codec {
            flow::Codec::H264 => Codec::H264,
            flow::Codec::H265 => Codec::H265,
            flow::Codec::Other => panic!("send H.264 or H.265"),
        };
        let units = packets.iter().map(|packet| Unit {
            nals: prefixed(&packet.data)
                .filter(|nal| !codec.is_set(nal))
                .collect(),
            key: packet.key,
            shown: (packet.pts.nanos() * i64::from(rate) + 500_000_000).div_euclid(1_000_000_000),
        });
        Self {
            codec,
            rate,
            units: units.collect(),
            sets: sets(codec, &format.codec_data),
        }
    }

    /// A clip of JPEG images.
    #[must_use]
    pub fn from_images(images: impl IntoIterator<Item = Bytes>, rate: u32) -> Self {
        let units = images.into_iter().zip(0..).map(|(image, shown)| Unit {
            nals: vec![image],
            key: true,
            shown,
        });
        Self {
            codec: Codec::Jpeg,
            rate,
            units: units.collect(),
            sets: Vec::new(),
        }
    }

    /// The SPS; empty where there is none.
    #[must_use]
    pub fn sps(&self) -> &[u8] {
        self.sets.iter().rev().nth(1).map_or(&[], |set| set)
    }

    /// The PPS; empty where there is none.
    #[must_use]
    pub fn pps(&self) -> &[u8] {
        self.sets.last().map_or(&[], |set| set)
    }

    /// Picture `n` of the endless loop, and its place in the order of display.
    #[must_use]
    pub fn unit(&self, n: u64) -> (&Unit, i64) {
        let length = self.units.len() as u64;
        let unit = &self.units[usize::try_from(n % length).unwrap_or(0)];
        let lap = i64::try_from(n / length * length).unwrap_or(0);
        (unit, lap + unit.shown)
    }
}

/// The NAL units of a buffer with lengths of four bytes before each.
fn prefixed(data: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut rest = data.clone();
    std::iter::from_fn(move || {
        let (length, _) = rest.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let end = length.checked_add(4).filter(|end| *end <= rest.len())?;
        let nal = rest.slice(4..end);
        rest = rest.slice(end..);
        Some(nal)
    })
}

/// The parameter sets of an `avcC` (ISO/IEC 14496-15, 5.3.3.1) or `hvcC` (8.3.3.1) record.
fn sets(codec: Codec, record: &Bytes) -> Vec<Bytes> {
    let mut found = Vec::new();
    let mut at = if codec == Codec::H264 { 5 } else { 22 };
    let take = |at: &mut usize, found: &mut Vec<Bytes>| {
        let length = usize::from(u16::from_be_bytes([record[*at], record[*at + 1]]));
        found.push(record.slice(*at + 2..*at + 2 + length));
        *at += 2 + length;
    };
    if codec == Codec::H264 {
        for _ in 0..2 {
            let count = record[at] & 31;
            at += 1;
            (0..count).for_each(|_| take(&mut at, &mut found));
        }
    } else {
        let arrays = record[at];
        at += 1;
        for _ in 0..arrays {
            let count = u16::from_be_bytes([record[at + 1], record[at + 2]]);
            at += 3;
            (0..count).for_each(|_| take(&mut at, &mut found));
        }
        found.retain(|nal| codec.is_set(nal));
    }
    found
}
