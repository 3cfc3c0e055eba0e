//! CMAF headers and media segments (ISO/IEC 23000-19 on 14496-12 and -15): one video track, 90 kHz, one `moof` for each segment.
//!
//! In: a [`StreamFormat`] or the samples of a segment, with their times. Out: bytes; the coded pictures themselves are
//! passed on, never copied. Composition offsets are signed (`trun` version 1, brand `cmf2`), so that decode times need
//! no lead over presentation times and no edit list is wanted.

use bytes::Bytes;

use super::boxes::BoxWriter;
use crate::{
    flow::{Codec, StreamFormat, Turn},
    recording::ClipError,
};

/// Ticks in a second.
pub const TIMESCALE: u32 = 90_000;

const TRACK: u32 = 1;

/// Nanoseconds as ticks, to the nearest.
#[must_use]
pub fn ticks(nanos: i64) -> i64 {
    let (scaled, unit) = (i128::from(nanos) * 9, 100_000);
    i64::try_from((scaled + unit / 2).div_euclid(unit)).expect("fewer ticks than nanoseconds")
}

/// One coded picture of a segment.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Ticks to the next picture in decode order.
    pub duration: u32,
    /// Presentation time minus decode time, in ticks.
    pub composition: i32,
    /// Decoding can start here.
    pub key: bool,
    /// No other picture refers to it.
    pub droppable: bool,
    /// NAL units, each after its four-byte length.
    pub data: Bytes,
}

impl Sample {
    /// `sample_flags` of ISO/IEC 14496-12, 8.8.3.1.
    fn flags(&self) -> u32 {
        const DEPENDS_ON_OTHERS: u32 = 0x0100_0000;
        const DEPENDS_ON_NONE: u32 = 0x0200_0000;
        const NOBODY_DEPENDS_ON_IT: u32 = 0x0080_0000;
        const NOT_SYNC: u32 = 0x0001_0000;
        let dependence = if self.key {
            DEPENDS_ON_NONE
        } else {
            DEPENDS_ON_OTHERS | NOT_SYNC
        };
        dependence
            | if self.droppable {
                NOBODY_DEPENDS_ON_IT
            } else {
                0
            }
    }
}

/// The header (`ftyp`, `moov`) that media segments of `format` need.
///
/// # Errors
/// [`ClipError::Unsuited`] when the format is not H.264 or H.265, lacks its decoder configuration or has no usable size.
pub fn init(format: &StreamFormat) -> Result<Vec<u8>, ClipError> {
    let unsuited = |why: &'static str| ClipError::Unsuited {
        codec: format.codec_name.clone(),
        why,
    };
    let (entry, configuration) = match format.codec {
        Codec::H264 => (b"avc1", b"avcC"),
        Codec::H265 => (b"hvc1", b"hvcC"),
        Codec::Other => return Err(unsuited("clips take H.264 and H.265 as they come")),
    };
    if format.codec_data.is_empty() {
        return Err(unsuited("the stream has not sent its parameter sets"));
    }
    let side = |pixels: u32| u16::try_from(pixels).ok().filter(|&side| side > 0);
    let (Some(width), Some(height)) = (side(format.size.width), side(format.size.height)) else {
        return Err(unsuited(
            "the stream does not say how large its pictures are",
        ));
    };

    let mut w = BoxWriter::with_capacity(1024);
    w.boxed(b"ftyp", |w| {
        w.bytes(b"iso6");
        w.u32(0);
        for brand in [b"iso6", b"cmfc", b"cmf2", b"dash", b"mp41"] {
            w.bytes(brand);
        }
    });
    w.boxed(b"moov", |w| {
        w.full(b"mvhd", 0, 0, |w| {
            w.zeros(8); // creation, modification
            w.u32(TIMESCALE);
            w.u32(0); // duration: in the fragments
            w.u32(0x1_0000); // rate 1
            w.u16(0x100); // volume 1
            w.zeros(10);
            w.matrix(Turn::NONE, format.size);
            w.zeros(24);
            w.u32(TRACK + 1); // next track
        });
        w.boxed(b"trak", |w| {
            const ENABLED_IN_MOVIE_IN_PREVIEW: u32 = 7;
            w.full(b"tkhd", 0, ENABLED_IN_MOVIE_IN_PREVIEW, |w| {
                w.zeros(8);
                w.u32(TRACK);
                w.zeros(8); // reserved, duration
                w.zeros(16); // reserved, layer, group, volume
                w.matrix(format.turn, format.size);
                w.u32(u32::from(width) << 16);
                w.u32(u32::from(height) << 16);
            });
            w.boxed(b"mdia", |w| {
                w.full(b"mdhd", 0, 0, |w| {
                    w.zeros(8);
                    w.u32(TIMESCALE);
                    w.u32(0);
                    w.u16(0x55c4); // language "und"
                    w.u16(0);
                });
                w.full(b"hdlr", 0, 0, |w| {
                    w.u32(0);
                    w.bytes(b"vide");
                    w.zeros(12);
                    w.bytes(b"video\0");
                });
                w.boxed(b"minf", |w| {
                    w.full(b"vmhd", 0, 1, |w| w.zeros(8));
                    w.boxed(b"dinf", |w| {
                        w.full(b"dref", 0, 0, |w| {
                            w.u32(1);
                            w.full(b"url ", 0, 1, |_| {}); // the same file
                        });
                    });
                    w.boxed(b"stbl", |w| {
                        w.full(b"stsd", 0, 0, |w| {
                            w.u32(1);
                            w.boxed(entry, |w| {
                                w.zeros(6);
                                w.u16(1); // data reference
                                w.zeros(16);
                                w.u16(width);
                                w.u16(height);
                                w.u32(0x48_0000); // 72 dpi across
                                w.u32(0x48_0000); // and down
                                w.u32(0);
                                w.u16(1); // pictures in a sample
                                w.zeros(32); // compressor's name
                                w.u16(24); // depth
                                w.u16(0xffff);
                                w.boxed(configuration, |w| w.bytes(&format.codec_data));
                            });
                        });
                        for table in [b"stts", b"stsc", b"stco"] {
                            w.full(table, 0, 0, |w| w.u32(0));
                        }
                        w.full(b"stsz", 0, 0, |w| w.zeros(8));
                    });
                });
            });
        });
        w.boxed(b"mvex", |w| {
            w.full(b"trex", 0, 0, |w| {
                w.u32(TRACK);
                w.u32(1); // sample description
                w.zeros(12); // no defaults
            });
        });
    });
    Ok(w.into_bytes())
}

/// A media segment (`styp`, `moof`, `mdat`): its head, then each sample's data, to be written one after the other.
///
/// `number` counts the segments of a clip from 1, `decode_time` is the first sample's, in ticks from the clip's zero.
pub(in crate::recording) fn segment(
    number: u32,
    decode_time: u64,
    samples: &[Sample],
) -> Vec<Bytes> {
    let mut w = BoxWriter::with_capacity(160 + 16 * samples.len());
    w.boxed(b"styp", |w| {
        w.bytes(b"msdh");
        w.u32(0);
        for brand in [b"msdh", b"msix", b"cmfs"] {
            w.bytes(brand);
        }
    });
    head(&mut w, number, decode_time, samples);
    let mut chunks = Vec::with_capacity(1 + samples.len());
    chunks.push(Bytes::from(w.into_bytes()));
    chunks.extend(samples.iter().map(|sample| sample.data.clone()));
    chunks
}

/// `moof` and the head of `mdat` of one picture, which its data follows: a CMAF chunk of its own.
///
/// `number` counts fragments from 1, `decode_time` is in ticks from the stream's zero.
#[must_use]
pub fn fragment(number: u32, decode_time: u64, sample: &Sample) -> Bytes {
    let mut w = BoxWriter::with_capacity(128);
    head(&mut w, number, decode_time, std::slice::from_ref(sample));
    Bytes::from(w.into_bytes())
}

/// Everything from `moof` to where the samples' data begins.
fn head(w: &mut BoxWriter, number: u32, decode_time: u64, samples: &[Sample]) {
    let moof = w.len();
    let mut data_offset = 0;
    w.boxed(b"moof", |w| {
        w.full(b"mfhd", 0, 0, |w| w.u32(number));
        w.boxed(b"traf", |w| {
            const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
            w.full(b"tfhd", 0, DEFAULT_BASE_IS_MOOF, |w| w.u32(TRACK));
            w.full(b"tfdt", 1, 0, |w| w.u64(decode_time));
            // Data offset, then duration, size, flags and composition offset of each sample.
            w.full(b"trun", 1, 0xf01, |w| {
                w.u32(u32::try_from(samples.len()).expect("a segment holds a few hundred samples"));
                data_offset = w.len();
                w.u32(0);
                for sample in samples {
                    w.u32(sample.duration);
                    w.u32(u32::try_from(sample.data.len()).expect("a picture is below 4 GiB"));
                    w.u32(sample.flags());
                    w.i32(sample.composition);
                }
            });
        });
    });
    const BOX_HEADER: usize = 8;
    let data: usize = samples.iter().map(|sample| sample.data.len()).sum();
    let length = |bytes: usize| u32::try_from(bytes).expect("a segment is cut far below 4 GiB");
    w.set_u32(data_offset, length(w.len() - moof + BOX_HEADER));
    w.u32(length(data + BOX_HEADER));
    w.bytes(b"mdat");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{flow::Size, recording::scripted::format};

    #[test]
    fn ticks_go_to_the_nearest() {
        assert_eq!(ticks(1_000_000_000), 90_000);
        // A third of a second as cameras' clocks round it, down and up.
        assert_eq!((ticks(33_333_333), ticks(33_333_334)), (3000, 3000));
        assert_eq!(ticks(-33_333_333), -3000);
    }

    #[test]
    fn formats_without_a_place_in_a_clip_say_why() {
        let h264 = format(Codec::H264, Size::new(640, 360));
        assert!(init(&h264).is_ok());
        let refused = |format: StreamFormat| init(&format).unwrap_err().to_string();
        let mut bare = StreamFormat::clone(&h264);
        bare.codec_data = Bytes::new();
        assert!(refused(bare).contains("has not sent its parameter sets"));
        for size in [Size::new(0, 360), Size::new(640, 70_000)] {
            let mut odd = StreamFormat::clone(&h264);
            odd.size = size;
            assert!(refused(odd).contains("how large"), "{size:?}");
        }
    }

    #[test]
    fn the_track_header_says_how_pictures_are_turned() {
        let plain = format(Codec::H264, Size::new(640, 360));
        for (degrees, matrix) in [
            (0, [1, 0, 0, 1, 0, 0]),
            (90, [0, 1, -1, 0, 360, 0]),
            (180, [-1, 0, 0, -1, 640, 360]),
            (270, [0, -1, 1, 0, 0, 640]),
        ] {
            let mut turned = StreamFormat::clone(&plain);
            turned.turn = Turn::clockwise(degrees).unwrap();
            let header = init(&turned).unwrap();
            let tkhd = header.windows(4).position(|w| w == b"tkhd").unwrap();
            let number = |n: usize| {
                let at = tkhd + 44 + 4 * n;
                i32::from_be_bytes(header[at..at + 4].try_into().unwrap()) >> 16
            };
            assert_eq!([0, 1, 3, 4, 6, 7].map(number), matrix, "{degrees}");
            assert_eq!([9, 10].map(number), [640, 360], "the size is that before");
        }
    }

    #[test]
    fn flags_tell_keyframes_and_what_may_be_dropped() {
        let sample = |key, droppable| Sample {
            duration: 1,
            composition: 0,
            key,
            droppable,
            data: Bytes::new(),
        };
        assert_eq!(sample(true, false).flags(), 0x0200_0000);
        assert_eq!(sample(false, false).flags(), 0x0101_0000);
        assert_eq!(sample(false, true).flags(), 0x0181_0000);
    }
}
