//! The pipeline that takes a container file apart, and what can be said about a file without it.

use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use gstreamer as gst;
use gstreamer_app as gst_app;

use gst::prelude::*;
use parking_lot::Mutex;

use super::mp4::{self, Movie};
use crate::{
    base::cpu::StageCpu,
    flow::Codec,
    ingest::{IngestError, bitstream::parser, setup, thread_cpu::ThreadMeter},
};

/// Units that wait between the demuxer and the reader.
const WAITING: u32 = 16;

/// What the demuxer has found so far.
#[derive(Default)]
pub(in crate::ingest) struct Found {
    streams: usize,
    /// The stream that is read, and how well it suits.
    chosen: Option<(gst::Pad, Suits)>,
    complete: bool,
}

impl Found {
    /// There are streams, but none of pictures.
    pub(in crate::ingest) fn only_others(&self) -> bool {
        self.streams > 0 && self.chosen.is_none()
    }

    /// Whether there is anything beside the pictures.
    pub(in crate::ingest) fn has_others(&self) -> bool {
        self.streams > 1
    }

    /// All streams are known and none is of pictures.
    pub(in crate::ingest) fn no_video_to_come(&self) -> bool {
        self.complete && self.chosen.is_none()
    }
}

/// Whether there is something to read.
pub(in crate::ingest) fn check_readable(path: &Path) -> Result<(), IngestError> {
    let unreadable = |error: std::io::Error| IngestError::Unreadable {
        path: path.to_owned(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        },
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(std::io::Error::other("it is a folder")));
    }
    match metadata.len() {
        0 => Err(IngestError::Empty {
            path: path.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// A pipeline that reads a file, its end, and what it tells on the way.
pub(in crate::ingest) type Reader = (gst::Pipeline, gst_app::AppSink, Arc<Mutex<Found>>, Movie);

/// Builds the pipeline for the video stream of a file that is worth looking at: the first of moving pictures.
pub(in crate::ingest) fn pipeline(path: &Path, stages: &StageCpu) -> Result<Reader, IngestError> {
    let filesrc = setup::element("filesrc")?;
    filesrc.set_property("location", path);
    let file = std::fs::File::open(path).ok();
    let movie = file.and_then(|mut file| mp4::movie(&mut file));
    let movie = movie.unwrap_or_default();
    patch(&filesrc, &movie);
    let parsebin = setup::element("parsebin")?;
    // Our own parser comes after the demuxer for what can enter a clip; GStreamer chooses one for the rest.
    parsebin.connect("autoplug-continue", false, |args| {
        let caps = args[2].get::<gst::Caps>().ok()?;
        Some((parser::codec_of(&caps) == Codec::Other).to_value())
    });
    let appsink = gst_app::AppSink::builder()
        .sync(false)
        .max_buffers(WAITING)
        .wait_on_eos(false)
        .build();
    let pipeline = gst::Pipeline::new();
    let built = pipeline
        .add_many([&filesrc, &parsebin, appsink.upcast_ref()])
        .and_then(|()| filesrc.link(&parsebin));
    built.expect("new elements of known kinds can be joined");

    let entry = appsink
        .static_pad("sink")
        .expect("an appsink has a sink pad");
    let meter = ThreadMeter::new(stages.clone());
    entry.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        meter.tick();
        gst::PadProbeReturn::Ok
    });
    let found = Arc::new(Mutex::new(Found::default()));
    let wanted = movie.picture().map(|track| track.id);
    let seen = Arc::clone(&found);
    // Nothing flows before the pads of all streams that begin together are there.
    parsebin.connect_pad_added(move |_, pad| {
        let mut seen = seen.lock();
        seen.streams += 1;
        let suits = rank(pad, wanted);
        let better = match (&seen.chosen, suits) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some((_, before)), Some(suits)) => suits < *before,
        };
        let Some(suits) = suits.filter(|_| better) else {
            return;
        };
        if let Some((worse, _)) = seen.chosen.take() {
            // A pad that was linked can be unlinked.
            let _ = worse.unlink(&entry);
        }
        seen.chosen = pad.link(&entry).is_ok().then(|| (pad.clone(), suits));
    });
    // A short file without video is sometimes at its end before it is known that no more streams come.
    for signal in ["no-more-pads", "drained"] {
        let seen = Arc::clone(&found);
        parsebin.connect(signal, false, move |_| {
            seen.lock().complete = true;
            None
        });
    }
    Ok((pipeline, appsink, found, movie))
}

/// How well a stream suits, the smallest best: whether it is another track than the wanted one, and its kind.
type Suits = (bool, u8);

/// How well a stream suits; none if it is not of pictures. `wanted` is the track to be chosen.
fn rank(pad: &gst::Pad, wanted: Option<u32>) -> Option<Suits> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let name = caps.structure(0)?.name().as_str();
    let kind = match parser::codec_of(&caps) {
        Codec::H264 | Codec::H265 => 0,
        // Covers and previews are images.
        Codec::Other if name.starts_with("video/") => 1,
        Codec::Other if name.starts_with("image/") => 2,
        Codec::Other => return None,
    };
    let stream = pad.stream_id();
    let id = stream
        .as_ref()
        .and_then(|id| id.rsplit('/').next()?.parse().ok());
    Some((wanted.is_some() && id != wanted, kind))
}

/// Changes what is read where the demuxer must not see it as it is.
fn patch(filesrc: &gst::Element, movie: &Movie) {
    let patches = movie.patches.clone();
    let Some(pad) = filesrc.static_pad("src").filter(|_| !patches.is_empty()) else {
        return;
    };
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer_mut() else {
            return gst::PadProbeReturn::Ok;
        };
        let (start, size) = (buffer.offset(), buffer.size() as u64);
        let touched = |(at, _): &&(u64, [u8; 4])| {
            *at < start.saturating_add(size) && at.saturating_add(4) > start
        };
        let touched: Vec<_> = patches.iter().filter(touched).collect();
        if !touched.is_empty()
            && let Ok(mut bytes) = buffer.make_mut().map_writable()
        {
            for (at, word) in touched {
                for (place, value) in (*at..).zip(word) {
                    let place = place
                        .checked_sub(start)
                        .and_then(|n| usize::try_from(n).ok());
                    if let Some(byte) = place.and_then(|n| bytes.get_mut(n)) {
                        *byte = *value;
                    }
                }
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// Whether the file is shorter than its outermost boxes (MP4) or chunks (AVI) say. Their demuxers take that for the end.
pub(in crate::ingest) fn is_cut(path: &Path) -> bool {
    let file = std::fs::File::open(path);
    file.is_ok_and(ends_early)
}

/// The same of anything that can be read.
pub(in crate::ingest) fn ends_early(mut file: impl Read + Seek) -> bool {
    let mut walk = || -> std::io::Result<bool> {
        let length = file.seek(SeekFrom::End(0))?;
        let (mut at, mut riff) = (0u64, false);
        while at < length {
            let mut head = [0; 16];
            file.seek(SeekFrom::Start(at))?;
            let read = file.read(&mut head)?;
            let (size, kind) = (word(head, 0, u32::from_be_bytes), &head[4..8]);
            let size = match (&head[..4], size) {
                (b"RIFF", _) => {
                    riff = true;
                    8 + word(head, 4, u32::from_le_bytes)
                }
                // What comes after the last chunk, or after the last box, is none of it.
                _ if riff => return Ok(false),
                _ if at > 0 && read >= 8 && !kind.iter().all(u8::is_ascii_graphic) => {
                    return Ok(false);
                }
                (_, _) if at == 0 && kind != b"ftyp" => return Ok(false),
                (_, 0) => return Ok(false),
                (_, 1) => u64::from_be_bytes(head[8..16].try_into().unwrap_or_default()),
                (_, size) => size,
            };
            // A box that says it is nearly 2^64 bytes long must not lead back into the file.
            let end = at.checked_add(size).filter(|end| *end <= length);
            match end {
                Some(end) if read >= 8 && size >= 8 => at = end,
                _ => return Ok(true),
            }
        }
        Ok(false)
    };
    walk().unwrap_or(false)
}

fn word(head: [u8; 16], at: usize, read: fn([u8; 4]) -> u32) -> u64 {
    u64::from(read([head[at], head[at + 1], head[at + 2], head[at + 3]]))
}

/// Reads a "missing-plugin" message, whose structure `gstpbutils` documents.
pub(in crate::ingest) fn missing_plugin(structure: &gst::StructureRef) -> Option<IngestError> {
    if structure.name() != "missing-plugin" {
        return None;
    }
    let caps = structure.get::<gst::Caps>("detail").ok()?;
    let codec = parser::codec_name(caps.structure(0)?);
    let package = "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav";
    Some(IngestError::MissingDecoder { codec, package })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A box with a length of 64 bits.
    fn large(kind: &[u8; 4], size: u64) -> Vec<u8> {
        [&[0, 0, 0, 1], &kind[..], &size.to_be_bytes()].concat()
    }

    #[test]
    fn bytes_after_the_end_are_no_cut() {
        let riff = [&b"RIFF"[..], &8u32.to_le_bytes(), b"AVI LIST"].concat();
        let two = [&riff[..], &riff].concat();
        for after in [
            &b"recorder 4711 was here, sixteen bytes and more"[..],
            &[0; 40],
            &[0xff; 3],
        ] {
            assert!(!ends_early(Cursor::new([&two[..], after].concat())));
        }
        assert!(ends_early(Cursor::new(&two[..two.len() - 1])));
        let boxes = [large(b"ftyp", 16), large(b"mdat", 16), vec![0xee; 33]].concat();
        assert!(!ends_early(Cursor::new(boxes)));
    }

    #[test]
    fn boxes_that_lie_about_their_length_end_the_walk() {
        let whole = [large(b"ftyp", 16), large(b"mdat", 16)].concat();
        assert!(!ends_early(Cursor::new(&whole)));
        assert!(ends_early(Cursor::new(&whole[..20])));
        // 16 + (2^64 - 16) is 0: it would begin anew for ever.
        for size in [u64::MAX - 15, u64::MAX, 17, 7, 0] {
            let lying = [large(b"ftyp", 16), large(b"mdat", size)].concat();
            assert!(ends_early(Cursor::new(lying)), "{size}");
        }
    }
}
