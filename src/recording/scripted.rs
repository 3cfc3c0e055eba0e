//! Scripted streams for this room's tests: pictures that carry their own number, so that a file tells what is in it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use mp4_atom::{Any, ReadFrom};

use crate::{
    config::ClipConfig,
    flow::{Codec, MediaTime, Packet, Size, StreamFormat, StreamRole, Turn},
};

/// Seconds as media time.
pub(crate) fn at(seconds: f64) -> MediaTime {
    MediaTime::from_secs_f64(seconds)
}

/// A format whose header differs from that of other sizes.
pub(crate) fn format(codec: Codec, size: Size) -> Arc<StreamFormat> {
    let fits = codec.fits_cmaf();
    Arc::new(StreamFormat {
        codec,
        size,
        turn: Turn::NONE,
        codec_data: Bytes::from_static(if fits { b"\x01\x64\x00\x1f\xff" } else { b"" }),
        codec_name: if fits { "H.264" } else { "Motion JPEG" }.to_owned(),
        caps: String::new(),
    })
}

/// A packet shown at `time` that carries `number` and is `bytes` long, at least eight.
pub(crate) fn packet(number: u64, time: MediaTime, key: bool, bytes: usize) -> Packet {
    let mut data = number.to_be_bytes().to_vec();
    data.resize(bytes.max(8), 0);
    Packet {
        stream: StreamRole::Sub,
        format: format(Codec::H264, Size::new(640, 360)),
        time,
        pts: time,
        duration: None,
        key,
        droppable: false,
        discontinuity: false,
        data: data.into(),
        arrived: time,
    }
}

/// A camera of 10 pictures a second without reordering.
pub(crate) struct Camera {
    /// Pictures from keyframe to keyframe.
    pub(crate) gop: u64,
    /// Format in force.
    pub(crate) format: Arc<StreamFormat>,
    /// Number of the next picture.
    pub(crate) next: u64,
    /// The next picture does not continue the one before.
    pub(crate) broken: bool,
    /// Offset of its own clock from the box's.
    pub(crate) clock: Duration,
}

impl Camera {
    pub(crate) fn new(gop: u64) -> Self {
        Self {
            gop,
            format: format(Codec::H264, Size::new(640, 360)),
            next: 0,
            broken: false,
            clock: Duration::from_secs(7),
        }
    }

    /// The next picture; number n is shown at n tenths of a second.
    pub(crate) fn picture(&mut self) -> Packet {
        let number = self.next;
        self.next += 1;
        let time = MediaTime::ZERO + Duration::from_millis(100 * number);
        Packet {
            format: Arc::clone(&self.format),
            pts: time + self.clock,
            discontinuity: std::mem::take(&mut self.broken),
            ..packet(number, time, number.is_multiple_of(self.gop), 100)
        }
    }
}

/// The default configuration.
pub(crate) fn config() -> ClipConfig {
    ClipConfig::default()
}

/// What a media segment says of itself, read by a parser that is not ours.
pub(crate) struct Contents {
    /// Numbers of the pictures.
    pub(crate) numbers: Vec<u64>,
    /// First decode time, ticks.
    pub(crate) start: u64,
    /// End of the last picture, ticks.
    pub(crate) end: u64,
}

/// Reads a segment of scripted pictures.
pub(crate) fn read(path: &Path) -> Contents {
    let file = fs::read(path).unwrap();
    let mut reader = &file[..];
    let mut contents = Contents {
        numbers: Vec::new(),
        start: 0,
        end: 0,
    };
    let mut sizes = Vec::new();
    while let Some(atom) = Option::<Any>::read_from(&mut reader).unwrap() {
        match atom {
            Any::Moof(moof) => {
                let traf = &moof.traf[0];
                contents.start = traf.tfdt.as_ref().unwrap().base_media_decode_time;
                contents.end = contents.start;
                for sample in traf.trun[0].samples.iter() {
                    sizes.push(sample.size.unwrap() as usize);
                    contents.end += u64::from(sample.duration.unwrap());
                }
            }
            Any::Mdat(mdat) => {
                let mut rest = &mdat.data[..];
                for &size in &sizes {
                    let (picture, after) = rest.split_at(size);
                    let number = picture[..8].try_into().unwrap();
                    contents.numbers.push(u64::from_be_bytes(number));
                    rest = after;
                }
            }
            _ => {}
        }
    }
    contents
}
