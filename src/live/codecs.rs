//! What a browser wants to be told of a stream before it plays it: the `codecs` parameter of RFC 6381. Pure.

use std::fmt::Write as _;

use crate::flow::{Codec, StreamFormat};

/// The name of what `format` holds, such as `avc1.64001f`; none where its decoder configuration is not whole.
pub(super) fn name(format: &StreamFormat) -> Option<String> {
    let record = &format.codec_data;
    match format.codec {
        Codec::H264 => {
            let [profile, constraints, level] = record.get(1..4)?.try_into().ok()?;
            Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
        }
        Codec::H265 => h265(record.get(1..13)?),
        Codec::Other => None,
    }
}

/// ISO/IEC 14496-15, E.3: of the profile, tier and level that begin after the version of an `hvcC`.
fn h265(record: &[u8]) -> Option<String> {
    let first = *record.first()?;
    let space = ["", "A", "B", "C"][usize::from(first >> 6)];
    let tier = if first & 0x20 == 0 { 'L' } else { 'H' };
    let profile = first & 0x1f;
    let compatible = u32::from_be_bytes(record.get(1..5)?.try_into().ok()?).reverse_bits();
    let (constraints, level) = (record.get(5..11)?, record.get(11)?);
    let mut name = format!("hvc1.{space}{profile}.{compatible:X}.{tier}{level}");
    let last = constraints.iter().rposition(|byte| *byte != 0);
    for byte in &constraints[..last.map_or(0, |last| last + 1)] {
        let _ = write!(name, ".{byte:X}");
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{flow::Size, recording::scripted::format};

    fn of(codec: Codec, record: &'static [u8]) -> Option<String> {
        let mut format = StreamFormat::clone(&format(codec, Size::new(640, 360)));
        format.codec_data = Bytes::from_static(record);
        name(&format)
    }

    #[test]
    fn names_are_those_of_the_standard() {
        let high = of(Codec::H264, &[1, 0x64, 0, 0x1f, 0xff]);
        assert_eq!(high.as_deref(), Some("avc1.64001f"));
        let main = [1, 1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93, 0xf0];
        // Static for the helper.
        let main: &'static [u8] = Box::leak(Box::new(main));
        assert_eq!(of(Codec::H265, main).as_deref(), Some("hvc1.1.6.L93.B0"));
        assert_eq!(of(Codec::H264, &[1, 0x64]), None);
        assert_eq!(of(Codec::H265, &[1, 1, 0x60]), None);
        assert_eq!(of(Codec::Other, &[]), None);
    }
}
