//! As much of MQTT as the proxy knows: where a PUBACK begins and ends. Pure.

/// Follows the packets of MQTT (5.0, section 2.1) in a stream of bytes.
#[derive(Default)]
pub(super) struct Packets {
    /// The head of the packet at hand, as far as it has come.
    head: Vec<u8>,
    /// Bytes of its body that are still to come.
    body: usize,
    swallowing: bool,
}

impl Packets {
    const PUBACK: u8 = 4;

    /// `bytes` without the PUBACKs in them.
    pub(super) fn without_pub_acks(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.body > 0 {
                self.body -= 1;
                if !self.swallowing {
                    kept.push(byte);
                }
                continue;
            }
            self.head.push(byte);
            let length = &self.head[1..];
            if length.last().is_some_and(|last| last & 0x80 == 0) || length.len() == 4 {
                self.body = length
                    .iter()
                    .rev()
                    .fold(0, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
                self.swallowing = self.head[0] >> 4 == Self::PUBACK;
                if !self.swallowing {
                    kept.append(&mut self.head);
                }
                self.head.clear();
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_are_found_wherever_the_bytes_are_cut() {
        // CONNACK, PUBACK, a PUBLISH of 130 bytes (two bytes of length), PUBACK.
        let publish = [&[0x30, 0x82, 0x01][..], &[0x40; 130]].concat();
        let (connack, puback) = ([0x20, 3, 0, 0, 0], [0x40, 2, 0, 1]);
        let stream = [&connack[..], &puback, &publish, &puback].concat();
        let expected = [&connack[..], &publish].concat();
        for size in [1, 2, 3, 7, stream.len()] {
            let mut packets = Packets::default();
            let kept: Vec<u8> = stream
                .chunks(size)
                .flat_map(|piece| packets.without_pub_acks(piece))
                .collect();
            assert_eq!(kept, expected, "in pieces of {size}");
        }
    }
}
