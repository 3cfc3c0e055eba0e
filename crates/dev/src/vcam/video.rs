//! A video file, taken apart once into access units in memory.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use parking_lot::Mutex;

use super::{error::VcamError, timeline::Timeline};
use crate::config::ByteSize;

/// The most that one video may take in memory.
const LIMIT: ByteSize = ByteSize(1 << 30);
/// A file on a disk that spins up or on a NAS may pause; one that gives nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// What cameras send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    H264,
    H265,
}

impl Codec {
    fn from_caps(caps: &gst::CapsRef) -> Option<Self> {
        match caps.structure(0)?.name().as_str() {
            "video/x-h264" => Some(Self::H264),
            "video/x-h265" => Some(Self::H265),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::H264 => "video/x-h264",
            Self::H265 => "video/x-h265",
        }
    }

    pub(super) fn parser(self) -> &'static str {
        match self {
            Self::H264 => "h264parse",
            Self::H265 => "h265parse",
        }
    }

    pub(super) fn payloader(self) -> &'static str {
        match self {
            Self::H264 => "rtph264pay",
            Self::H265 => "rtph265pay",
        }
    }
}

/// One access unit: byte-stream, with its parameter sets before it where it is a keyframe. No times of its own.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) data: gst::Buffer,
    pub(super) key: bool,
}

/// A whole video, beginning with a keyframe.
#[derive(Debug)]
pub(super) struct Video {
    pub(super) codec: Codec,
    pub(super) caps: gst::Caps,
    pub(super) units: Vec<Unit>,
    pub(super) timeline: Timeline,
}

/// What the file has given so far.
#[derive(Default)]
struct Harvest {
    codec: Option<Codec>,
    other_codec: Option<String>,
    caps: Option<gst::Caps>,
    units: Vec<Raw>,
    bytes: u64,
    too_large: bool,
    problem: Option<String>,
}

struct Raw {
    data: Vec<u8>,
    key: bool,
    /// Nanoseconds of running time: the container's edits are applied, before the start is negative.
    pts: i64,
    duration: Option<Duration>,
}

impl Video {
    /// Reads the file `path`.
    pub(super) fn load(path: &Path) -> Result<Self, VcamError> {
        let unreadable = |reason| VcamError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        // Opened here first: the system's own words are clearer than a pipeline's.
        let file = fs::File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if !about.is_file() {
            return Err(unreadable(std::io::Error::other("it is not a file")));
        }
        if about.len() == 0 {
            return Err(VcamError::Empty {
                path: path.to_owned(),
            });
        }
        let harvest = read(path)?;
        Self::from_harvest(path.to_owned(), harvest)
    }

    fn from_harvest(path: PathBuf, harvest: Harvest) -> Result<Self, VcamError> {
        if harvest.too_large {
            return Err(VcamError::TooLarge { path, limit: LIMIT });
        }
        let Some(codec) = harvest.codec else {
            return Err(match (harvest.other_codec, harvest.problem) {
                (Some(codec), _) => VcamError::Codec { path, codec },
                (None, Some(reason)) => VcamError::Broken { path, reason },
                (None, None) => VcamError::NoVideo { path },
            });
        };
        if let Some(reason) = harvest.problem {
            return Err(VcamError::Broken { path, reason });
        }
        let mut raw = harvest.units;
        let leading = raw.iter().position(|unit| unit.key).unwrap_or(raw.len());
        raw.drain(..leading);
        let (Some(caps), Some(last)) = (harvest.caps, raw.iter().max_by_key(|unit| unit.pts))
        else {
            return Err(VcamError::Broken {
                path,
                reason: "it has no keyframe".to_owned(),
            });
        };
        let times: Vec<i64> = raw.iter().map(|unit| unit.pts).collect();
        let timeline = Timeline::new(&times, last.duration);
        let units = raw
            .into_iter()
            .map(|unit| Unit {
                data: gst::Buffer::from_slice(unit.data),
                key: unit.key,
            })
            .collect();
        Ok(Self {
            codec,
            caps,
            units,
            timeline,
        })
    }
}

/// An element, or the package that has it.
pub(super) fn make(element: &'static str) -> Result<gst::Element, VcamError> {
    gst::ElementFactory::make(element)
        .build()
        .map_err(|_| VcamError::Missing {
            element,
            package: match element {
                "filesrc" | "fakesink" | "capsfilter" => "libgstreamer1.0-0",
                "parsebin" | "appsrc" => "gstreamer1.0-plugins-base",
                "h264parse" | "h265parse" => "gstreamer1.0-plugins-bad",
                _ => "gstreamer1.0-plugins-good",
            },
        })
}

/// Takes the first H.264 or H.265 stream of the file apart.
fn read(path: &Path) -> Result<Harvest, VcamError> {
    let pipeline = gst::Pipeline::new();
    let (source, demuxer) = (make("filesrc")?, make("parsebin")?);
    // A missing parser must be told before the file is blamed.
    for codec in [Codec::H264, Codec::H265] {
        make(codec.parser())?;
        make(codec.payloader())?;
    }
    source.set_property("location", path);
    pipeline
        .add_many([&source, &demuxer])
        .and_then(|()| source.link(&demuxer))
        .expect("a file source links to any demuxer");

    let harvest = Arc::new(Mutex::new(Harvest::default()));
    let unknown = Arc::clone(&harvest);
    demuxer.connect("unknown-type", false, move |values| {
        if let Some(Ok(caps)) = values.get(2).map(gst::glib::Value::get::<gst::Caps>) {
            unknown.lock().note_other(&caps);
        }
        None
    });
    let (weak, found) = (pipeline.downgrade(), Arc::clone(&harvest));
    demuxer.connect_pad_added(move |_, pad| {
        if let Some(pipeline) = weak.upgrade()
            && let Err(error) = attach(&pipeline, pad, &found)
        {
            found.lock().problem = Some(error.to_string());
        }
    });
    let outcome = run(&pipeline, &harvest);
    // A pipeline that cannot reach Null holds its own reference; there is nothing more to do about it.
    let _ = pipeline.set_state(gst::State::Null);
    let mut harvest = std::mem::take(&mut *harvest.lock());
    if let Err(problem) = outcome {
        harvest.problem.get_or_insert(problem);
    }
    Ok(harvest)
}

impl Harvest {
    fn note_other(&mut self, caps: &gst::CapsRef) {
        let Some(structure) = caps.structure(0) else {
            return;
        };
        let name = structure.name().as_str();
        if name.starts_with("video/") || name.starts_with("image/") {
            self.other_codec.get_or_insert_with(|| name.to_owned());
        }
    }

    fn take(&mut self, sample: &gst::Sample) -> Result<gst::FlowSuccess, gst::FlowError> {
        let (Some(buffer), Some(segment)) = (sample.buffer(), sample.segment()) else {
            return Err(gst::FlowError::Error);
        };
        let map = buffer.map_readable().map_err(|_| gst::FlowError::Error)?;
        self.bytes += map.len() as u64;
        if self.bytes > LIMIT.0 {
            self.too_large = true;
            return Err(gst::FlowError::Eos);
        }
        if self.caps.is_none() {
            self.caps = sample.caps_owned();
        }
        let pts = buffer.pts().and_then(|pts| {
            segment
                .downcast_ref::<gst::ClockTime>()?
                .to_running_time_full(pts)
        });
        match (pts, self.units.last_mut()) {
            (Some(pts), _) => self.units.push(Raw {
                data: map.to_vec(),
                key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
                pts: signed_nanos(pts),
                duration: buffer.duration().map(Into::into),
            }),
            // A unit without a time belongs to the one before: repeated parameter sets can split one in two.
            (None, Some(before)) => before.data.extend_from_slice(&map),
            (None, None) => {}
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

fn signed_nanos(time: gst::Signed<gst::ClockTime>) -> i64 {
    let size = |time: gst::ClockTime| i64::try_from(time.nseconds()).unwrap_or(i64::MAX);
    match time {
        gst::Signed::Positive(time) => size(time),
        gst::Signed::Negative(time) => -size(time),
    }
}

/// Leads a stream of the file to the harvest, or, when it is not what is looked for, to nowhere.
fn attach(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    harvest: &Arc<Mutex<Harvest>>,
) -> Result<(), gst::glib::BoolError> {
    let missing = |error: VcamError| gst::glib::bool_error!("{error}");
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let codec = {
        let mut harvest = harvest.lock();
        let codec = Codec::from_caps(&caps).filter(|_| harvest.codec.is_none());
        match codec {
            Some(_) => harvest.codec = codec,
            None => harvest.note_other(&caps),
        }
        codec
    };
    let chain = match codec {
        None => {
            let sink = make("fakesink").map_err(missing)?;
            sink.set_property("sync", false);
            sink.set_property("async", false);
            vec![sink]
        }
        Some(codec) => {
            let parser = make(codec.parser()).map_err(missing)?;
            // Parameter sets before every keyframe: a client that joins late needs no other source for them.
            parser.set_property("config-interval", -1_i32);
            let wanted = gst::Caps::builder(codec.media_type())
                .field("stream-format", "byte-stream")
                .field("alignment", "au")
                .build();
            let harvest = Arc::clone(harvest);
            let sink = gst_app::AppSink::builder()
                .caps(&wanted)
                .sync(false)
                .async_(false)
                .max_buffers(16)
                .callbacks(
                    gst_app::AppSinkCallbacks::builder()
                        .new_sample(move |sink| {
                            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                            harvest.lock().take(&sample)
                        })
                        .build(),
                )
                .build();
            vec![parser, sink.upcast()]
        }
    };
    pipeline.add_many(&chain)?;
    gst::Element::link_many(&chain)?;
    for element in &chain {
        element.sync_state_with_parent()?;
    }
    let sink_pad = chain[0]
        .static_pad("sink")
        .expect("parsers and sinks have a sink pad");
    pad.link(&sink_pad)
        .map_err(|error| gst::glib::bool_error!("{error}"))?;
    Ok(())
}

/// Runs to the file's end, or says why not.
fn run(pipeline: &gst::Pipeline, harvest: &Mutex<Harvest>) -> Result<(), String> {
    const STEP: gst::ClockTime = gst::ClockTime::from_mseconds(200);
    let bus = pipeline.bus().expect("a pipeline has a bus");
    pipeline
        .set_state(gst::State::Playing)
        .map_err(|error| error.to_string())?;
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        if let Some(message) =
            bus.timed_pop_filtered(STEP, &[gst::MessageType::Eos, gst::MessageType::Error])
        {
            return match message.view() {
                gst::MessageView::Error(error) => {
                    Err(error.error().message().trim_end_matches('.').to_owned())
                }
                _ => Ok(()),
            };
        }
        let harvest = harvest.lock();
        if harvest.too_large || harvest.problem.is_some() {
            return Ok(());
        }
        if harvest.bytes != seen {
            (seen, since) = (harvest.bytes, Instant::now());
        } else if since.elapsed() > PATIENCE {
            return Err(format!("nothing came for {} s", PATIENCE.as_secs()));
        }
    }
}
