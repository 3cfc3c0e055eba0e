//! Single steps of a session, for fuzzing.

use bytes::BytesMut;

use super::{
    protocol::sdp::{Description, Encoding},
    rtp::{access_units::AccessUnits, packet::Head, rtcp},
    transport::connection::Framing,
};
use crate::flow::MediaTime;

/// Reads everything that a camera sends in `pieces`; gives how many messages and packets there were.
#[must_use]
pub fn connection<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> usize {
    let mut framing = Framing::default();
    let mut count = 0;
    for piece in pieces {
        framing.feed(piece);
        while let Ok(Some(_)) = framing.next() {
            count += 1;
        }
    }
    count
}

/// Reads a description; whether it has a track that can be watched.
#[must_use]
pub fn description(bytes: &[u8]) -> bool {
    let description = Description::read(bytes);
    let _ = description.offered();
    description.video().is_some()
}

/// Sorts packets, each with two bytes of length before it, into pictures of the track that `description` begins with;
/// gives how many there were.
#[must_use]
pub fn packets(description: &[u8], mut bytes: &[u8]) -> usize {
    let Some(track) = Description::read(description).video() else {
        return 0;
    };
    let encoding = track.encoding.unwrap_or(Encoding::H264);
    let mut units = AccessUnits::new(&track, encoding, None);
    let (mut pictures, mut arrived) = (0, MediaTime::ZERO);
    while let [high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (packet, rest) = rest.split_at(length);
        let _ = rtcp::says_goodbye(packet);
        if let Some(head) = Head::read(packet) {
            pictures += units.packet(BytesMut::from(packet), &head, arrived).len();
        }
        arrived = arrived + std::time::Duration::from_millis(7);
        bytes = rest;
    }
    pictures
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, time::Instant};

    use super::*;

    /// Numbers that are the same in each run (Marsaglia, "Xorshift RNGs", 2003).
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 11).unwrap() % sides.max(1)
        }
    }

    /// The bytes of a seed of `make fuzz`, damaged as it would.
    fn damaged(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=dice.roll(6) {
            let at = dice.roll(bytes.len());
            let to = (at + dice.roll(40)).min(bytes.len());
            match dice.roll(5) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..to)),
                2 => {
                    let again = bytes[at..to].to_vec();
                    bytes.splice(at..at, again);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = [0, 0xff, b'$', b'\n', *byte ^ 1 << dice.roll(8)][dice.roll(5)];
                    }
                }
            }
        }
        bytes
    }

    /// A short run of what `make fuzz` does for longer: no panic, nothing counted that was not there, no time lost.
    #[test]
    fn damaged_sessions_descriptions_and_packets_are_borne() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let began = Instant::now();
        for name in ["rtsp/session", "sdp/camera", "rtp/pictures"] {
            let seed = fs::read(folder.join(name)).unwrap();
            for _ in 0..400 {
                let bytes = damaged(&seed, &mut dice);
                let pieces = bytes.chunks(1 + dice.roll(300));
                let begun = b"RTSP/1.0 200 OK\r\n\r\n";
                let count = connection(std::iter::once(&begun[..]).chain(pieces));
                assert!(count <= bytes.len() + 1, "{name}: {count}");
                let _ = description(&bytes);
                let track = b"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n";
                assert!(packets(track, &bytes) <= bytes.len(), "{name}");
            }
        }
        let took = began.elapsed();
        assert!(took.as_secs() < 30, "{took:?}");
    }
}
