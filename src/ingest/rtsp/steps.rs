//! Single steps of a session, for fuzzing.

use bytes::BytesMut;

use super::{
    access_units::AccessUnits,
    connection::Framing,
    rtcp,
    rtp::Head,
    sdp::{Description, Encoding},
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
