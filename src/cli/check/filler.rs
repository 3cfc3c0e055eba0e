//! Takes the pictures out of packets: what they show becomes filler of the same length, what orders them stays.
//!
//! In: RTP and RTCP packets of a video track. Out: packets of the same lengths, headers, NAL unit headers, fragment
//! headers, parameter sets, recovery points and the beginnings of slices, which hold their headers; everything else is
//! [`FILLER`].

/// In place of what was taken out: no start code can come of it.
const FILLER: u8 = 0x5a;
/// Slice headers are shorter than this, but for rare lists of references (ITU-T H.264, 7.3.3; H.265, 7.3.6).
const SLICE_HEADER: usize = 12;
/// Parameter sets are shorter than this, but for scaling lists.
const SET: usize = 256;
/// RTP header without sources (RFC 3550, 5.1).
const RTP: usize = 12;

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    H264,
    H265,
    Jpeg,
    Other,
}

impl Payload {
    /// What a description names first.
    pub(super) fn of(sdp: &str) -> Self {
        let sdp = sdp.to_ascii_uppercase();
        let found = [
            (sdp.find(" H264"), Self::H264),
            (sdp.find(" H265").or_else(|| sdp.find(" HEVC")), Self::H265),
            (sdp.find(" JPEG"), Self::Jpeg),
        ];
        let first = found.into_iter().filter_map(|(at, kind)| Some((at?, kind)));
        first
            .min_by_key(|(at, _)| *at)
            .map_or(Self::Other, |(_, kind)| kind)
    }
}

/// Empties an RTP packet.
pub(super) fn rtp(packet: &mut [u8], payload: Payload) {
    let Some(begins) = payload_begins(packet) else {
        fill(packet.get_mut(RTP.min(packet.len())..));
        return;
    };
    let padded = packet[0] & 0x20 != 0;
    let last = packet.last().copied().unwrap_or(0);
    let body = &mut packet[begins..];
    match payload {
        Payload::H264 => h264(body),
        Payload::H265 => h265(body),
        Payload::Jpeg => jpeg(body),
        Payload::Other => fill(Some(body)),
    }
    // The number of bytes of padding.
    if padded && let Some(byte) = packet.last_mut() {
        *byte = last;
    }
}

fn payload_begins(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let mut at = RTP + 4 * usize::from(first & 15);
    if first & 0x10 != 0 {
        let words = u16::from_be_bytes([*packet.get(at + 2)?, *packet.get(at + 3)?]);
        at += 4 + 4 * usize::from(words);
    }
    (at <= packet.len()).then_some(at)
}

fn fill(bytes: Option<&mut [u8]>) {
    bytes.unwrap_or_default().fill(FILLER);
}

fn keep(bytes: &mut [u8], count: usize) {
    fill(bytes.get_mut(count..));
}

/// Payloads of RFC 6184.
fn h264(body: &mut [u8]) {
    let Some(first) = body.first() else { return };
    match first & 31 {
        24 => aggregated(body, 1, h264_unit),
        25 => aggregated(body, 3, h264_unit),
        28 | 29 => match body.get(1) {
            // A beginning holds the slice's header.
            Some(fragment) if fragment & 0x80 != 0 => keep(body, 2 + SLICE_HEADER),
            _ => keep(body, 2),
        },
        0 | 26 | 27 | 30 | 31 if !body.starts_with(&[0, 0]) => keep(body, 1),
        _ => h264_unit(body),
    }
}

fn h264_unit(unit: &mut [u8]) {
    each_unit(unit, |unit| match unit.first().map(|first| first & 31) {
        Some(1..=5) => keep(unit, 1 + SLICE_HEADER),
        Some(6) => sei(unit, 1),
        Some(7 | 8 | 13 | 15) => keep(unit, SET),
        Some(9..=11) => keep(unit, 2),
        _ => keep(unit, 1),
    });
}

/// Payloads of RFC 7798.
fn h265(body: &mut [u8]) {
    let Some(first) = body.first() else { return };
    match (first >> 1) & 63 {
        48 => aggregated(body, 2, h265_unit),
        49 => match body.get(2) {
            Some(fragment) if fragment & 0x80 != 0 => keep(body, 3 + SLICE_HEADER),
            _ => keep(body, 3),
        },
        50..=63 => keep(body, 2),
        _ => h265_unit(body),
    }
}

fn h265_unit(unit: &mut [u8]) {
    each_unit(unit, |unit| {
        match unit.first().map(|first| (first >> 1) & 63) {
            Some(0..=31) => keep(unit, 2 + SLICE_HEADER),
            Some(32..=34) => keep(unit, SET),
            Some(35..=37) => keep(unit, 3),
            Some(39 | 40) => sei(unit, 2),
            _ => keep(unit, 2),
        }
    });
}

/// Units with lengths of two bytes before each.
fn aggregated(body: &mut [u8], header: usize, unit: fn(&mut [u8])) {
    let mut at = header;
    loop {
        let length = match body.get(at..at + 2) {
            Some(length) => usize::from(u16::from_be_bytes([length[0], length[1]])),
            None => return fill(body.get_mut(at..)),
        };
        at += 2;
        match body.get_mut(at..at + length) {
            Some(bytes) => unit(bytes),
            None => return fill(body.get_mut(at..)),
        }
        at += length;
    }
}

/// Some cameras put several units with start codes between them where one should be.
fn each_unit(bytes: &mut [u8], empty: impl Fn(&mut [u8])) {
    let mut rest = bytes;
    loop {
        let code = rest.windows(3).position(|three| three == [0, 0, 1]);
        let Some(code) = code else {
            return empty(rest);
        };
        let (unit, after) = rest.split_at_mut(code + 3);
        if code > 0 {
            // A zero byte more belongs to the start code.
            let end = code - usize::from(unit[code - 1] == 0);
            empty(&mut unit[..end]);
        }
        rest = after;
    }
}

/// Supplemental information: only what orders pictures stays (buffering periods, picture times, recovery points).
fn sei(unit: &mut [u8], header: usize) {
    let mut at = header;
    while at < unit.len() {
        let Some((kind, next)) = sei_number(unit, at) else {
            return fill(unit.get_mut(at..));
        };
        let Some((length, next)) = sei_number(unit, next) else {
            return fill(unit.get_mut(at..));
        };
        let end = (next + length).min(unit.len());
        if !matches!(kind, 0 | 1 | 6) || length > 64 {
            fill(unit.get_mut(next..end));
        }
        // The rest is the stop bit alone.
        if unit.len() - end <= 1 {
            return;
        }
        at = end;
    }
}

fn sei_number(unit: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut number = 0;
    loop {
        let byte = *unit.get(at)?;
        at += 1;
        number += usize::from(byte);
        if byte != 255 {
            return Some((number, at));
        }
    }
}

/// RFC 2435: the header and the tables stay.
fn jpeg(body: &mut [u8]) {
    let offset = body.get(1..4).is_some_and(|offset| offset != [0, 0, 0]);
    let (kind, quality) = (body.get(4).copied(), body.get(5).copied());
    let mut header = 8;
    if kind.is_some_and(|kind| (64..128).contains(&kind)) {
        header += 4;
    }
    if !offset && quality.is_some_and(|quality| quality >= 128) {
        let length = body.get(header + 2..header + 4);
        let length = length.map_or(0, |b| usize::from(u16::from_be_bytes([b[0], b[1]])));
        header += 4 + length.min(256);
    }
    keep(body, header);
}

/// Empties an RTCP packet: descriptions of sources name hosts and cameras.
pub(super) fn rtcp(packet: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = packet.get(at..at + 4) {
        let kind = header[1];
        let length = 4 + 4 * usize::from(u16::from_be_bytes([header[2], header[3]]));
        let end = (at + length).min(packet.len());
        // Sender and receiver reports, and the source of a goodbye.
        let stays = match kind {
            200 | 201 => length,
            203 => 8,
            _ => 4,
        };
        fill(packet.get_mut((at + stays).min(end)..end));
        at = end;
    }
    fill(packet.get_mut(at..));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        [&[0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3], payload].concat()
    }

    fn emptied(payload: &[u8], kind: Payload) -> Vec<u8> {
        let mut packet = packet(payload);
        rtp(&mut packet, kind);
        packet.split_off(RTP)
    }

    #[test]
    fn slices_keep_their_headers_alone_however_they_are_packed() {
        let slice: Vec<u8> = [0x65].into_iter().chain(100..200).collect();
        let expected = |header: &[u8], body: &[u8], kept: usize| {
            let filler = vec![FILLER; body.len() - kept];
            [header, &body[..kept], &filler].concat()
        };
        assert_eq!(emptied(&slice, Payload::H264), expected(&[], &slice, 13));
        let first = [&[0x7c, 0x85], &slice[1..]].concat();
        assert_eq!(
            emptied(&first, Payload::H264),
            expected(&[0x7c, 0x85], &slice[1..], 12)
        );
        let later = [&[0x7c, 0x05], &slice[1..]].concat();
        assert_eq!(
            emptied(&later, Payload::H264),
            expected(&[0x7c, 0x05], &slice[1..], 0)
        );
        let sps = [0x67, 66, 0, 30, 1, 2, 3];
        let stap = [&[0x78, 0, 7], &sps[..], &[0, 101], &slice].concat();
        let kept = [&[0x78, 0, 7], &sps[..], &[0, 101]].concat();
        assert_eq!(emptied(&stap, Payload::H264), expected(&kept, &slice, 13));
        // A picture behind its parameter set in what says that it is one parameter set.
        let joined = [&sps[..], &[0, 0, 0, 1], &slice].concat();
        let kept = [&sps[..], &[0, 0, 0, 1]].concat();
        assert_eq!(emptied(&joined, Payload::H264), expected(&kept, &slice, 13));
        let prefixed = [&[0, 0, 0, 1], &slice[..]].concat();
        assert_eq!(
            emptied(&prefixed, Payload::H264),
            expected(&[0, 0, 0, 1], &slice, 13)
        );
    }

    #[test]
    fn h265_and_jpeg_are_emptied_too() {
        let slice: Vec<u8> = [0x26, 1].into_iter().chain(100..200).collect();
        let told = emptied(&slice, Payload::H265);
        assert_eq!(told[..14], slice[..14]);
        assert!(told[14..].iter().all(|byte| *byte == FILLER));
        let later = [&[98, 1, 19], &slice[2..]].concat();
        assert!(
            emptied(&later, Payload::H265)[3..]
                .iter()
                .all(|byte| *byte == FILLER)
        );
        let jpeg = [&[0, 0, 0, 0, 1, 255, 40, 30, 0, 0, 0, 2, 7, 8], &slice[..]].concat();
        let told = emptied(&jpeg, Payload::Jpeg);
        assert_eq!(told[..14], jpeg[..14]);
        assert!(told[14..].iter().all(|byte| *byte == FILLER));
    }

    #[test]
    fn texts_of_encoders_go_and_recovery_points_stay() {
        let sei = [
            &[6, 5, 20][..],
            b"name of the camera!!",
            &[6, 1, 0xc4, 0x80],
        ]
        .concat();
        let told = emptied(&sei, Payload::H264);
        assert_eq!(told[..3], sei[..3]);
        assert!(told[3..23].iter().all(|byte| *byte == FILLER));
        assert_eq!(told[23..], sei[23..]);
    }

    #[test]
    fn names_in_rtcp_go_and_reports_stay() {
        let report = [&[0x80, 200, 0, 6][..], &[9; 24]].concat();
        let name = [&[0x81, 202, 0, 3, 1, 2, 3, 4, 1, 4][..], b"host", &[0, 0]].concat();
        let mut packet = [report.clone(), name].concat();
        rtcp(&mut packet);
        assert_eq!(packet[..28], report[..]);
        assert!(packet[32..].iter().all(|byte| *byte == FILLER));
    }

    proptest! {
        #[test]
        fn whatever_comes_keeps_its_length(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0usize..4) {
            let length = bytes.len();
            let kinds = [Payload::H264, Payload::H265, Payload::Jpeg, Payload::Other];
            rtp(&mut bytes, kinds[kind]);
            rtcp(&mut bytes);
            prop_assert_eq!(bytes.len(), length);
        }
    }
}
