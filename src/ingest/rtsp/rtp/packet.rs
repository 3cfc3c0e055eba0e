//! RTP packets (RFC 3550, 5.1), and what can be seen in a payload without unpacking it. Pure.

use bytes::{Buf, BytesMut};

use crate::ingest::rtsp::protocol::sdp::{Encoding, without_start_code};

/// The fixed part of the header.
pub(in crate::ingest::rtsp) const HEADER: usize = 12;
/// A parameter set of more bytes has pictures joined to it.
const LONGEST_SET: usize = 256;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest::rtsp) struct Head {
    pub(in crate::ingest::rtsp) payload_type: u8,
    pub(in crate::ingest::rtsp) marker: bool,
    pub(in crate::ingest::rtsp) sequence: u16,
    pub(in crate::ingest::rtsp) timestamp: u32,
    pub(in crate::ingest::rtsp) ssrc: u32,
    /// Where the payload is in the packet.
    payload: (usize, usize),
}

impl Head {
    /// Reads a packet; none where it is not one of RTP, or empty.
    pub(in crate::ingest::rtsp) fn read(packet: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
        let (first, second) = (*packet.first()?, *packet.get(1)?);
        // RTCP that comes on the same channel has these numbers.
        if first >> 6 != 2 || (200..=207).contains(&second) {
            return None;
        }
        let mut start = HEADER + 4 * usize::from(first & 15);
        if first & 0x10 != 0 {
            start += 4 + 4 * usize::try_from(word(start)? & 0xffff).ok()?;
        }
        let mut end = packet.len();
        if first & 0x20 != 0 {
            end = end.checked_sub(usize::from(*packet.last()?))?;
        }
        (start < end).then_some(())?;
        Some(Self {
            payload_type: second & 0x7f,
            marker: second & 0x80 != 0,
            sequence: u16::from_be_bytes([packet[2], packet[3]]),
            timestamp: word(4)?,
            ssrc: word(8)?,
            payload: (start, end),
        })
    }

    pub(in crate::ingest::rtsp) fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet
            .get(self.payload.0..self.payload.1)
            .unwrap_or_default()
    }
}

/// Writes a fixed header.
pub(in crate::ingest::rtsp) fn write_head(
    packet: &mut [u8],
    first: u8,
    second: u8,
    sequence: u16,
    timestamp: u32,
) {
    /// Sources are told apart before; whoever unpacks sees one.
    const SSRC: u32 = 1;
    if packet.len() < HEADER {
        return;
    }
    (packet[0], packet[1]) = (first, second);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
    packet[8..12].copy_from_slice(&SSRC.to_be_bytes());
}

/// Takes out a start code that some cameras put before the unit in a payload; whether there was one.
pub(in crate::ingest::rtsp) fn strip_start_code(packet: &mut BytesMut, head: &Head) -> bool {
    let payload = head.payload(packet);
    let extra = payload.len() - without_start_code(payload).len();
    if extra == 0 || payload.len() == extra {
        return false;
    }
    packet.copy_within(0..head.payload.0, extra);
    packet.advance(extra);
    true
}

/// What a payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::ingest::rtsp) struct Content {
    /// Part of a picture.
    pub(in crate::ingest::rtsp) picture: bool,
    /// The first part of one.
    pub(in crate::ingest::rtsp) start: bool,
    /// Of a picture at which decoding can start.
    pub(in crate::ingest::rtsp) key: bool,
    /// Parameter sets: 1 for SPS, 2 for PPS, 4 for VPS.
    pub(in crate::ingest::rtsp) sets: u8,
}

pub(in crate::ingest::rtsp) const SPS: u8 = 1;
pub(in crate::ingest::rtsp) const PPS: u8 = 2;
pub(in crate::ingest::rtsp) const VPS: u8 = 4;

impl Content {
    /// Looks at a payload.
    pub(in crate::ingest::rtsp) fn of(encoding: Encoding, payload: &[u8]) -> Self {
        match encoding {
            Encoding::H264 => h264(payload),
            Encoding::H265 => h265(payload),
            // Each packet is a part of a picture, and says which (RFC 2435, 3.1).
            Encoding::Jpeg => Self {
                picture: true,
                start: payload.get(1..4) == Some(&[0, 0, 0]),
                key: true,
                sets: 0,
            },
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            picture: self.picture || other.picture,
            // Of the first picture among them.
            start: if self.picture {
                self.start
            } else {
                other.start
            },
            key: self.key || other.key,
            sets: self.sets | other.sets,
        }
    }

    /// A unit that is longer than any of its kind has pictures joined to it.
    fn joined(sets: u8) -> Self {
        Self {
            picture: true,
            start: true,
            key: true,
            sets,
        }
    }
}

/// Which parameter set a unit is.
pub(in crate::ingest::rtsp) fn set_kind(encoding: Encoding, unit: &[u8]) -> u8 {
    let first = unit.first().copied().unwrap_or_default();
    match (encoding, first & 31, first >> 1 & 63) {
        (Encoding::H264, 7, _) | (Encoding::H265, _, 33) => SPS,
        (Encoding::H264, 8, _) | (Encoding::H265, _, 34) => PPS,
        (Encoding::H265, _, 32) => VPS,
        _ => 0,
    }
}

fn h264(payload: &[u8]) -> Content {
    let unit = |kind: u8, unit: &[u8], whole: bool| {
        let first = unit.get(1).is_some_and(|b| b & 0x80 != 0);
        match kind {
            1..=5 => Content {
                picture: true,
                // Macroblock 0, or a part of a slice that is not its beginning.
                start: first && matches!(kind, 1 | 2 | 5),
                key: kind == 5,
                sets: 0,
            },
            7 | 8 if !whole || unit.len() > LONGEST_SET => {
                Content::joined(set_kind(Encoding::H264, &[kind]))
            }
            7 | 8 => Content {
                sets: set_kind(Encoding::H264, &[kind]),
                ..Content::default()
            },
            _ => Content::default(),
        }
    };
    let Some(first) = payload.first() else {
        return Content::default();
    };
    match first & 31 {
        24 => aggregated(&payload[1..], |part| unit(part[0] & 31, part, true)),
        28 | 29 => match payload.get(1) {
            Some(header) if header & 0x80 != 0 => unit(header & 31, &payload[1..], false),
            Some(header) => Content {
                start: false,
                ..unit(header & 31, &[], false)
            },
            None => Content::default(),
        },
        kind => unit(kind, payload, true),
    }
}

fn h265(payload: &[u8]) -> Content {
    let unit = |kind: u8, first: bool, length: Option<usize>| match kind {
        0..=31 => Content {
            picture: true,
            start: first,
            key: (16..=21).contains(&kind),
            sets: 0,
        },
        32..=34 if length.is_none_or(|length| length > LONGEST_SET) => {
            Content::joined(set_kind(Encoding::H265, &[kind << 1]))
        }
        32..=34 => Content {
            sets: set_kind(Encoding::H265, &[kind << 1]),
            ..Content::default()
        },
        _ => Content::default(),
    };
    let high = |at: usize| payload.get(at).is_some_and(|b| b & 0x80 != 0);
    let Some(first) = payload.first() else {
        return Content::default();
    };
    match first >> 1 & 63 {
        48 => aggregated(payload.get(2..).unwrap_or_default(), |part| {
            let first = part.get(2).is_some_and(|b| b & 0x80 != 0);
            unit(part[0] >> 1 & 63, first, Some(part.len()))
        }),
        49 => match payload.get(2) {
            Some(header) if header & 0x80 != 0 => unit(header & 63, high(3), None),
            Some(header) => Content {
                start: false,
                ..unit(header & 63, false, None)
            },
            None => Content::default(),
        },
        kind => unit(kind, high(2), Some(payload.len())),
    }
}

/// Several units, each after two bytes of its length.
fn aggregated(mut rest: &[u8], unit: impl Fn(&[u8]) -> Content) -> Content {
    let mut content = Content::default();
    while let [high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(part) = after.get(..length).filter(|part| !part.is_empty()) else {
            break;
        };
        content = content.and(unit(part));
        rest = &after[length..];
    }
    content
}

/// Tells H.264 from H.265 by the first bytes of payloads, where the description says nothing or something else.
#[derive(Debug, Default)]
pub(in crate::ingest::rtsp) struct Sniffer {
    h264: u32,
    h265: u32,
    looked: u32,
}

impl Sniffer {
    /// The encoding, as soon as it is certain; looked for in the first packets of a session.
    pub(in crate::ingest::rtsp) fn look(&mut self, payload: &[u8]) -> Option<Encoding> {
        /// Afterwards the description is believed.
        const MOST: u32 = 500;
        /// A parameter set alone is proof.
        const PROOF: u32 = 6;
        let (Some(&first), Some(&second)) = (payload.first(), payload.get(1)) else {
            return None;
        };
        if self.looked >= MOST {
            return None;
        }
        self.looked += 1;
        // Layer 0, temporal layer 0 or 1; the bit of the layer that H.264's units mostly have set is clear.
        let plain = first & 0x81 == 0 && matches!(second, 1 | 2);
        match (first >> 1 & 63, first & 31) {
            (32 | 33, _) if plain && second == 1 => self.h265 += PROOF,
            (0 | 1 | 16..=21 | 34 | 48 | 49, _) if plain => self.h265 += 1,
            // A profile of H.264 behind it.
            (_, 7) if [66, 77, 88, 100, 110, 122, 244].contains(&second) => self.h264 += PROOF,
            (_, 1 | 5 | 7 | 8 | 9 | 24 | 28) => self.h264 += 1,
            _ => {}
        }
        match (self.h264, self.h265) {
            (PROOF.., 0) => Some(Encoding::H264),
            (0, PROOF..) => Some(Encoding::H265),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(first: u8, second: u8, rest: &[u8]) -> Vec<u8> {
        let head = [first, second, 0, 7, 0, 0, 1, 0, 0xde, 0xad, 0xbe, 0xef];
        [&head[..], rest].concat()
    }

    #[test]
    fn headers_with_everything_in_them_are_read() {
        // One source beside it, an extension of a word, three bytes of padding.
        let odd = packet(
            0xb1,
            0xe0,
            &[9, 9, 9, 9, 0, 0, 0, 1, 8, 8, 8, 8, 0x65, 0x80, 0, 0, 3],
        );
        let head = Head::read(&odd).unwrap();
        assert_eq!(
            (head.payload_type, head.marker, head.sequence),
            (96, true, 7)
        );
        assert_eq!(head.payload(&odd), [0x65, 0x80]);
        for bad in [
            packet(0x80, 96, &[]),
            packet(0x80, 200, &[1]),
            packet(0x40, 96, &[1]),
        ] {
            assert_eq!(Head::read(&bad), None);
        }
        assert_eq!(Head::read(&packet(0xa0, 96, &[1, 200])), None);
    }

    #[test]
    fn pictures_and_sets_are_told_apart() {
        let h264 = |payload: &[u8]| Content::of(Encoding::H264, payload);
        assert_eq!(h264(&[0x67, 77, 0, 31]).sets, SPS);
        let both = h264(&[0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1]);
        assert_eq!((both.sets, both.picture), (SPS | PPS, false));
        let key = h264(&[0x65, 0x88]);
        assert!(key.picture && key.start && key.key);
        let later = h264(&[0x41, 0x10]);
        assert!(later.picture && !later.start && !later.key);
        let fragment = h264(&[0x7c, 0x85, 0x88]);
        assert!(fragment.start && fragment.key);
        assert!(!h264(&[0x7c, 0x05, 0x88]).start);
        // Parameter sets with a picture behind them in one unit.
        assert!(h264(&[0x7c, 0x87, 77]).start);
        let h265 = |payload: &[u8]| Content::of(Encoding::H265, payload);
        assert_eq!(h265(&[0x40, 1, 12]).sets, VPS);
        assert!(h265(&[0x26, 1, 0x80]).key && h265(&[0x62, 1, 0x93, 0x80]).start);
        assert!(Content::of(Encoding::Jpeg, &[0, 0, 0, 0, 1]).start);
    }

    #[test]
    fn codecs_are_told_apart() {
        let sniff = |payloads: &[&[u8]]| {
            let mut sniffer = Sniffer::default();
            payloads.iter().find_map(|payload| sniffer.look(payload))
        };
        assert_eq!(sniff(&[&[0x06, 5], &[0x67, 100]]), Some(Encoding::H264));
        assert_eq!(sniff(&[&[0x40, 1], &[0x42, 1]]), Some(Encoding::H265));
        let slices: [&[u8]; 6] = [&[0x41, 0x9a]; 6];
        assert_eq!(sniff(&slices), Some(Encoding::H264));
        let trailing: [&[u8]; 6] = [&[0x02, 1]; 6];
        assert_eq!(sniff(&trailing), Some(Encoding::H265));
        assert_eq!(sniff(&[&[0x06, 1], &[0x00]]), None);
    }

    #[test]
    fn start_codes_inside_are_taken_out() {
        let mut it = BytesMut::from(&packet(0x80, 96, &[0, 0, 0, 1, 0x65, 1])[..]);
        let head = Head::read(&it).unwrap();
        assert!(strip_start_code(&mut it, &head));
        assert_eq!(it, packet(0x80, 96, &[0x65, 1]));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut packet = BytesMut::from(&bytes[..]);
            if let Some(head) = Head::read(&packet) {
                for encoding in [Encoding::H264, Encoding::H265, Encoding::Jpeg] {
                    let _ = Content::of(encoding, head.payload(&packet));
                }
                let _ = Sniffer::default().look(head.payload(&packet));
                let _ = strip_start_code(&mut packet, &head);
                prop_assert!(Head::read(&packet).is_some());
            }
        }
    }
}
