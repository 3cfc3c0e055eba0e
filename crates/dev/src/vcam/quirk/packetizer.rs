//! RTP packets out of pictures: RFC 3550, and payloads of RFC 6184 (H.264) and RFC 7798 (H.265).

use std::sync::Arc;

use bytes::Bytes;

use super::{
    camera::{Camera, Moment, Packing, Piece},
    clip::{Clip, Codec, Unit},
    jpeg,
};

/// The packets of one source.
pub(super) struct Packetizer {
    camera: Arc<Camera>,
    clip: Arc<Clip>,
    first_ssrc: u32,
    base: u32,
    keyframes: u32,
    pub(super) sequence: u16,
    pub(super) ssrc: u32,
}

/// A payload, and what its packet's header depends on.
type Payload = (Vec<u8>, Piece);

impl Packetizer {
    /// Packets of `clip`; `seed` gives what a camera chooses at random.
    pub(super) fn new(camera: Arc<Camera>, clip: Arc<Clip>, seed: u32) -> Self {
        // Close to the end of the number, so that every session sees it begin again.
        let sequence = 65_500 + u16::try_from(seed % 30).unwrap_or(0);
        Self {
            camera,
            clip,
            first_ssrc: seed,
            base: seed.wrapping_mul(2_654_435_761),
            keyframes: 0,
            sequence,
            ssrc: seed,
        }
    }

    /// Whether picture `n` is a keyframe; its source is known from here on.
    pub(super) fn begin(&mut self, n: u64) -> bool {
        let key = self.clip.unit(n + self.camera.begins_at).0.key;
        self.keyframes += u32::from(key);
        self.ssrc = (self.camera.ssrc)(self.first_ssrc, n, self.keyframes);
        key
    }

    /// The packets of picture `n`.
    pub(super) fn picture(&mut self, n: u64) -> Vec<Vec<u8>> {
        let clip = Arc::clone(&self.clip);
        let begins_at = self.camera.begins_at;
        let (unit, shown) = clip.unit(n + begins_at);
        let shown = shown - i64::try_from(begins_at).unwrap_or(0);
        let payloads = self.payloads(unit, n);
        let mut packets = Vec::new();
        for (payload, piece) in payloads {
            let moment = Moment {
                picture: i64::try_from(n).unwrap_or(0),
                shown,
                rate: i64::from(clip.rate),
                is_set: piece.is_set,
            };
            // The low 32 bits are the timestamp.
            let ticks = u32::try_from((self.camera.stamp)(&moment) & 0xffff_ffff).unwrap_or(0);
            let marker = (self.camera.marker)(&piece);
            let packet = self.packet(&payload, marker, self.base.wrapping_add(ticks));
            packets.extend((self.camera.finish)(packet));
        }
        packets
    }

    fn packet(&mut self, payload: &[u8], marker: bool, stamp: u32) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0x80, (u8::from(marker) << 7) | self.camera.payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(stamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        packet
    }

    fn payloads(&self, unit: &Unit, n: u64) -> Vec<Payload> {
        if self.clip.codec == Codec::Jpeg {
            let mut pieces: Vec<_> = jpeg::payloads(&unit.nals[0])
                .into_iter()
                .map(|payload| (payload, whole(true, false)))
                .collect();
            finish_picture(&mut pieces);
            return pieces;
        }
        let mut nals = if (self.camera.sends_sets)(n, unit.key) {
            self.clip.sets.clone()
        } else {
            Vec::new()
        };
        nals.extend(unit.nals.iter().cloned());
        let nals = (self.camera.units)(nals, unit.key);
        let mut payloads = match self.camera.packing {
            Packing::Plain => self.each(&nals, self.camera.payload_max),
            Packing::Fragments => nals
                .iter()
                .flat_map(|nal| self.fragments(nal, self.camera.payload_max))
                .collect(),
            Packing::StartCodes => {
                let mut payloads = self.each(&nals, self.camera.payload_max);
                for (payload, _) in &mut payloads {
                    let kind = self.clip.codec.kind(payload);
                    if !matches!(
                        (self.clip.codec, kind),
                        (Codec::H264, 28) | (Codec::H265, 49)
                    ) {
                        payload.splice(0..0, [0, 0, 0, 1]);
                    }
                }
                payloads
            }
            Packing::AggregatedSets => {
                let (slices, sets): (Vec<_>, Vec<_>) = nals
                    .into_iter()
                    .partition(|nal| self.clip.codec.is_slice(nal));
                let mut payloads = self.aggregated(&sets);
                payloads.extend(self.each(&slices, self.camera.payload_max));
                payloads
            }
            Packing::Aggregated => {
                let room = self.camera.payload_max - 64;
                let (large, small): (Vec<_>, Vec<_>) =
                    nals.into_iter().partition(|nal| nal.len() > room / 4);
                let mut payloads = self.aggregated(&small);
                payloads.extend(self.each(&large, self.camera.payload_max));
                payloads
            }
            Packing::Joined => {
                let joined = nals.join(&[0, 0, 0, 1][..]);
                self.each(&[Bytes::from(joined)], self.camera.payload_max)
            }
        };
        finish_picture(&mut payloads);
        payloads
    }

    fn each(&self, nals: &[Bytes], max: usize) -> Vec<Payload> {
        let payloads = nals.iter().flat_map(|nal| {
            if nal.len() <= max {
                let codec = self.clip.codec;
                vec![(nal.to_vec(), whole(codec.is_slice(nal), codec.is_set(nal)))]
            } else {
                self.fragments(nal, max)
            }
        });
        payloads.collect()
    }

    /// FU-A (RFC 6184, 5.8) and FU (RFC 7798, 4.4.3).
    fn fragments(&self, nal: &[u8], max: usize) -> Vec<Payload> {
        let codec = self.clip.codec;
        let kind = codec.kind(nal);
        let header = if codec == Codec::H265 { 2 } else { 1 };
        let Some((head, body)) = nal.split_at_checked(header) else {
            return Vec::new();
        };
        let pieces = body.chunks(max);
        let last = pieces.len().saturating_sub(1);
        let payload = |(at, piece): (usize, &[u8])| {
            let ends = (u8::from(at == 0) << 7) | (u8::from(at == last) << 6);
            let mut payload = match codec {
                Codec::H265 => vec![(head[0] & 0x81) | (49 << 1), head[1], ends | kind],
                _ => vec![(head[0] & 0xe0) | 28, ends | kind],
            };
            payload.extend(piece);
            let ends_nal = at == last;
            let piece = Piece {
                ends_nal,
                ..whole(codec.is_slice(nal), codec.is_set(nal))
            };
            (payload, piece)
        };
        pieces.enumerate().map(payload).collect()
    }

    /// STAP-A (RFC 6184, 5.7.1) and AP (RFC 7798, 4.4.2).
    fn aggregated(&self, nals: &[Bytes]) -> Vec<Payload> {
        let codec = self.clip.codec;
        let [first, ..] = nals else {
            return Vec::new();
        };
        let mut payload = match codec {
            Codec::H265 => vec![48 << 1, 1],
            _ => vec![0x78],
        };
        for nal in nals {
            payload.extend(u16::try_from(nal.len()).unwrap_or(0).to_be_bytes());
            payload.extend(nal);
        }
        let slices = nals.iter().any(|nal| codec.is_slice(nal));
        vec![(payload, whole(slices, codec.is_set(first)))]
    }
}

/// A NAL unit in one piece.
fn whole(is_slice: bool, is_set: bool) -> Piece {
    Piece {
        is_slice,
        is_set,
        ends_nal: true,
        ends_slices: false,
        ends_picture: false,
    }
}

/// Marks what is last.
fn finish_picture(payloads: &mut [Payload]) {
    if let Some((_, piece)) = payloads.iter_mut().rfind(|(_, piece)| piece.is_slice) {
        piece.ends_slices = true;
    }
    if let Some((_, piece)) = payloads.last_mut() {
        piece.ends_picture = true;
    }
}
