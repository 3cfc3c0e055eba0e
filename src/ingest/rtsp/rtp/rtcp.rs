//! RTCP (RFC 3550, 6): the reports by which some cameras see that somebody listens, and goodbyes. Pure.

/// Our source, in reports. It sends nothing else.
const OURS: u32 = 0x4c61_7265;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// Whether a compound packet says goodbye.
pub(in crate::ingest::rtsp) fn says_goodbye(packet: &[u8]) -> bool {
    let mut rest = packet;
    while let [first, kind, high, low, ..] = *rest {
        if first >> 6 != 2 {
            return false;
        }
        if kind == GOODBYE {
            return true;
        }
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// A report about no source, and a name: a sign of life.
pub(in crate::ingest::rtsp) fn report() -> Vec<u8> {
    const NAME: &[u8] = b"lares";
    const CNAME: u8 = 1;
    let mut packet = vec![0x80, RECEIVER_REPORT, 0, 1];
    packet.extend(OURS.to_be_bytes());
    // The source, an item of two bytes and its text, and one zero at least, in words of four bytes.
    let words = (4 + 2 + NAME.len() + 1).div_ceil(4);
    packet.extend([0x81, SOURCE_DESCRIPTION, 0, words as u8]);
    let from = packet.len();
    packet.extend(OURS.to_be_bytes());
    packet.extend([CNAME, NAME.len() as u8]);
    packet.extend(NAME);
    packet.resize(from + 4 * words, 0);
    packet
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn goodbyes_are_found_behind_reports() {
        let report = report();
        assert_eq!(report.len() % 4, 0);
        assert!(!says_goodbye(&report));
        let bye = [0x81, GOODBYE, 0, 1, 1, 2, 3, 4];
        assert!(says_goodbye(&[&report[..], &bye].concat()));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = says_goodbye(&bytes);
        }
    }
}
