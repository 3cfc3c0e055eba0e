//! What a file of a clip says of itself, when its row was never written. Pure: bytes in, facts out.
//!
//! Only what `fmp4` writes is understood. A file that is cut off, has something after its end, or was made by another
//! program is no file of a clip.

use std::time::Duration;

use super::fmp4::TIMESCALE;

/// A media segment, read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reread {
    /// Decode time of its first picture, in ticks of 1/90000 s.
    pub from: u64,
    /// Decode time at which it is over, in ticks.
    pub to: u64,
    /// Pictures in it.
    pub frames: u32,
}

impl Reread {
    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        const NANOS: u64 = 1_000_000_000;
        let ticks = u128::from(self.to - self.from);
        let nanos = ticks * u128::from(NANOS) / u128::from(TIMESCALE);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The boxes that `bytes` are made of, to the last byte; none when they are not.
fn boxes(mut bytes: &[u8]) -> Option<Vec<(&[u8; 4], &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, _) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let content = bytes.get(8..length)?;
        found.push((kind, content));
        bytes = &bytes[length..];
    }
    Some(found)
}

/// Whether `bytes` are a whole header, as media segments need it.
#[must_use]
pub fn is_header(bytes: &[u8]) -> bool {
    boxes(bytes).is_some_and(|found| {
        let kinds: Vec<_> = found.iter().map(|(kind, _)| *kind).collect();
        kinds == [b"ftyp", b"moov"] && boxes(found[1].1).is_some()
    })
}

/// What a whole media segment says; none for anything else.
#[must_use]
pub fn segment(bytes: &[u8]) -> Option<Reread> {
    let found = boxes(bytes)?;
    let [(b"styp", _), (b"moof", moof), (b"mdat", data)] = found[..] else {
        return None;
    };
    let moof = boxes(moof)?;
    let [(b"mfhd", _), (b"traf", traf)] = moof[..] else {
        return None;
    };
    let traf = boxes(traf)?;
    let [(b"tfhd", _), (b"tfdt", tfdt), (b"trun", trun)] = traf[..] else {
        return None;
    };
    // Version and flags come first, and in `trun` the count and the data offset before the samples.
    let from = u64::from_be_bytes(*tfdt.get(4..)?.first_chunk()?);
    let count = u32::from_be_bytes(*trun.get(4..)?.first_chunk()?);
    let samples = trun.get(12..)?;
    if count == 0 || samples.len() != usize::try_from(count).ok()?.checked_mul(16)? {
        return None;
    }
    let (mut to, mut size) = (from, 0u64);
    for sample in samples.chunks_exact(16) {
        to = to.checked_add(u32::from_be_bytes(*sample.first_chunk()?).into())?;
        size += u64::from(u32::from_be_bytes(*sample[4..].first_chunk()?));
    }
    (size == data.len() as u64).then_some(Reread {
        from,
        to,
        frames: count,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        flow::{Codec, Size},
        recording::{
            cmaf::fmp4::{self, Sample},
            scripted::format,
        },
    };

    fn written(durations: &[u32], from: u64) -> Vec<u8> {
        let samples: Vec<_> = durations
            .iter()
            .map(|&duration| Sample {
                duration,
                composition: 0,
                key: false,
                droppable: false,
                data: Bytes::from(vec![7; duration as usize % 50 + 1]),
            })
            .collect();
        fmp4::segment(3, from, &samples).concat()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_what_was_cut_off_is_not(
            durations in proptest::collection::vec(1u32..20_000, 1..20), from in 0u64..1 << 40, cut in any::<proptest::sample::Index>(),
        ) {
            let bytes = written(&durations, from);
            let to = from + durations.iter().map(|&d| u64::from(d)).sum::<u64>();
            let frames = durations.len() as u32;
            prop_assert_eq!(segment(&bytes), Some(Reread { from, to, frames }));
            prop_assert!(!is_header(&bytes));
            prop_assert_eq!(segment(&bytes[..cut.index(bytes.len())]), None);
            prop_assert_eq!(segment(&[&bytes[..], b"x"].concat()), None);
        }

        #[test]
        fn foreign_bytes_are_refused_in_peace(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(segment(&bytes), None);
            prop_assert!(!is_header(&bytes));
        }
    }

    #[test]
    fn a_header_is_one_while_it_is_whole() {
        let header = fmp4::init(&format(Codec::H264, Size::new(640, 360))).unwrap();
        assert!(is_header(&header));
        for cut in 0..header.len() {
            assert!(!is_header(&header[..cut]), "cut at {cut}");
        }
    }

    #[test]
    fn ticks_become_time() {
        let reread = segment(&written(&[9_000; 20], 90_000)).unwrap();
        assert_eq!(reread.duration(), Duration::from_secs(2));
    }
}
