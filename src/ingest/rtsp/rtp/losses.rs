//! Counts what is missing of the source that is listened to, by its sequence numbers. Pure.
//!
//! For connections, which lose nothing: what is missing there the camera has left out, because its
//! processor or its network did not keep up. Datagrams are counted where they are put in order
//! (`udp`).

use crate::ingest::rtsp::diagnostics::Arrivals;

/// Bytes of a header without extensions.
const HEADER: usize = 12;
/// A greater step of sequence numbers is a new beginning, not a loss.
const MOST_LOST: u16 = 3000;
/// Numbers that are so far back come twice, or late.
const MOST_LATE: u16 = 64;

/// The count of one session.
#[derive(Debug, Default)]
pub(super) struct Losses {
    source: Option<u32>,
    next: u16,
    arrivals: Arrivals,
}

impl Losses {
    /// Takes note of a packet, whatever is in it; `listened` is the source (SSRC) that is listened
    /// to. Gives the counts since the session's start.
    pub(super) fn packet(&mut self, packet: &[u8], listened: Option<u32>) -> Arrivals {
        if let Some((source, sequence)) = numbers(packet)
            && listened == Some(source)
        {
            self.count(source, sequence);
        }
        self.arrivals
    }

    fn count(&mut self, source: u32, sequence: u16) {
        let known = self.source.replace(source) == Some(source);
        let missing = sequence.wrapping_sub(self.next);
        if known && missing > u16::MAX - MOST_LATE {
            return;
        }
        if known && missing < MOST_LOST {
            self.arrivals.lost += u64::from(missing);
        }
        self.next = sequence.wrapping_add(1);
        self.arrivals.arrived += 1;
    }
}

/// Source and sequence number of a packet of RTP, also of one that carries nothing.
fn numbers(packet: &[u8]) -> Option<(u32, u16)> {
    let header: &[u8; HEADER] = packet.first_chunk()?;
    let rtcp = (200..=207).contains(&header[1]);
    (header[0] >> 6 == 2 && !rtcp).then(|| {
        let source = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        (source, u16::from_be_bytes([header[2], header[3]]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(source: u8, sequence: u16) -> Vec<u8> {
        let [high, low] = sequence.to_be_bytes();
        vec![0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, source]
    }

    fn counted(packets: &[(u8, u16)]) -> (u64, u64) {
        let mut losses = Losses::default();
        for (source, sequence) in packets {
            losses.packet(&packet(*source, *sequence), Some(7));
        }
        (losses.arrivals.arrived, losses.arrivals.lost)
    }

    #[test]
    fn gaps_of_the_source_that_is_listened_to_are_counted() {
        assert_eq!(counted(&[(7, 65_534), (7, 1), (9, 50), (7, 2)]), (3, 2));
    }

    #[test]
    fn what_comes_twice_or_begins_elsewhere_is_no_loss() {
        assert_eq!(counted(&[(7, 10), (7, 10), (7, 11), (7, 9)]), (2, 0));
        assert_eq!(counted(&[(7, 10), (7, 30_000), (7, 5), (7, 6)]), (4, 0));
    }

    #[test]
    fn what_is_no_packet_of_rtp_counts_for_nothing() {
        let mut losses = Losses::default();
        let rtcp = [0x80, 200, 0, 6, 0, 0, 0, 7, 0, 0, 0, 7];
        for packet in [&rtcp[..], b"short", &[0; 40]] {
            assert_eq!(losses.packet(packet, Some(7)), Arrivals::default());
        }
    }
}
