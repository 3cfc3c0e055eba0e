//! Real encoded video, made on the spot by the system's encoders from a moving test picture.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;

use crate::flow::{Codec, MediaTime, Packet, Size, StreamFormat, StreamRole, Turn};

/// What to encode.
#[derive(Debug, Clone, Copy)]
pub struct Encoded {
    /// H.264 by x264, H.265 by x265.
    pub codec: Codec,
    /// Pictures.
    pub frames: u32,
    /// Pictures from one keyframe to the next, at most.
    pub gop: u32,
    /// B-frames between two others.
    pub b_frames: u32,
    /// Pictures may refer across keyframes.
    pub open_gop: bool,
    /// Picture size; even.
    pub size: Size,
    /// Pictures a second.
    pub rate: u32,
    /// A sensor's grain over a scene, at a camera's bit rate, instead of a ball on black.
    pub grain: bool,
    /// The picture is refreshed in columns: after the first keyframe come recovery points alone. H.264.
    pub refresh: bool,
}

impl Encoded {
    /// 160x96 at 10 pictures a second, closed GOPs, no B-frames.
    #[must_use]
    pub fn new(codec: Codec, frames: u32, gop: u32) -> Self {
        Self {
            codec,
            frames,
            gop,
            b_frames: 0,
            open_gop: false,
            size: Size::new(160, 96),
            rate: 10,
            grain: false,
            refresh: false,
        }
    }

    /// With `b_frames` between two others, in open GOPs or closed ones.
    #[must_use]
    pub fn b_frames(self, b_frames: u32, open_gop: bool) -> Self {
        Self {
            b_frames,
            open_gop,
            ..self
        }
    }

    /// With a sensor's grain, and as many bits as a camera spends on it: a clean picture costs next to nothing to decode.
    #[must_use]
    pub fn grainy(self) -> Self {
        Self {
            grain: true,
            ..self
        }
    }

    /// Encodes; says so where the encoder is missing. A bench goes on without it, a test must not.
    #[must_use]
    #[allow(clippy::print_stderr, reason = "a bench that is skipped must say so")]
    pub fn packets_or_skip(self) -> Option<Vec<Packet>> {
        gst::init().expect("GStreamer starts");
        let (element, package) = match self.codec {
            Codec::H265 => ("x265enc", "gstreamer1.0-plugins-bad"),
            _ => ("x264enc", "gstreamer1.0-plugins-ugly"),
        };
        if gst::ElementFactory::find(element).is_none() {
            eprintln!(
                "skipped: GStreamer's element {element} is missing, install it with `apt install {package}`"
            );
            return None;
        }
        Some(self.packets())
    }

    /// Encodes. The first picture is shown at [`MediaTime::ZERO`], and each arrives as it is shown.
    ///
    /// # Panics
    /// When GStreamer or the encoder is missing: there is nothing to test with then.
    #[must_use]
    pub fn packets(self) -> Vec<Packet> {
        gst::init().expect("GStreamer starts");
        let Self {
            frames,
            gop,
            b_frames,
            rate,
            size: Size { width, height },
            ..
        } = self;
        let open = u8::from(self.open_gop);
        let refresh = u8::from(self.refresh);
        let raw =
            format!("video/x-raw,format=I420,width={width},height={height},framerate={rate}/1");
        let source =
            |pattern: &str| format!("videotestsrc num-buffers={frames} pattern={pattern} ! {raw}");
        let picture = if self.grain {
            format!(
                "{} ! mix.sink_0 {} ! mix.sink_1 compositor name=mix sink_1::alpha=0.06 ! {raw}",
                source("smpte"),
                source("snow")
            )
        } else {
            source("ball")
        };
        let kbits = self.kbits();
        let encode = match self.codec {
            Codec::H264 => format!(
                "x264enc speed-preset=ultrafast bitrate={kbits} b-adapt=false bframes={b_frames} key-int-max={gop} threads=1 \
                 option-string=scenecut=0:open-gop={open}:b-pyramid=normal:intra-refresh={refresh} ! h264parse ! \
                 video/x-h264,stream-format=avc,alignment=au"
            ),
            Codec::H265 => format!(
                "x265enc speed-preset=ultrafast bitrate={kbits} key-int-max={gop} log-level=none \
                 option-string=bframes={b_frames}:b-adapt=0:open-gop={open}:min-keyint={gop}:scenecut=0:pools=1 ! \
                 h265parse ! video/x-h265,stream-format=hvc1,alignment=au"
            ),
            Codec::Other => panic!("encode H.264 or H.265"),
        };
        let pipeline = gst::parse::launch(&format!(
            "{picture} ! {encode} ! appsink name=out sync=false max-buffers=0"
        ))
        .expect("x264enc, x265enc and the parsers are installed")
        .downcast::<gst::Pipeline>()
        .expect("a launch line of several elements is a pipeline");
        let sink = pipeline
            .by_name("out")
            .and_then(|element| element.downcast::<AppSink>().ok())
            .expect("the sink is in the launch line");
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let mut packets = Vec::new();
        let mut format: Option<Arc<StreamFormat>> = None;
        while let Ok(sample) = sink.pull_sample() {
            let caps = sample.caps().expect("encoded samples have caps");
            let format = format.get_or_insert_with(|| self.format(caps));
            packets.push(self.packet(format, &sample));
        }
        pipeline.set_state(gst::State::Null).expect("it stops");
        let first = packets.iter().map(|p| p.pts.nanos()).min().unwrap_or(0);
        for packet in &mut packets {
            packet.pts = MediaTime::from_nanos(packet.pts.nanos() - first);
            packet.time = packet.pts;
            packet.arrived = packet.pts;
        }
        packets
    }

    /// Kilobits a second: what cameras usually spend on a picture of this size, or the encoders' own default.
    fn kbits(self) -> u32 {
        const BITS_FOR_100_PIXELS: u32 = 15;
        if self.grain {
            self.size.width * self.size.height * self.rate * BITS_FOR_100_PIXELS / 100_000
        } else {
            2048
        }
    }

    fn format(self, caps: &gst::CapsRef) -> Arc<StreamFormat> {
        let fields = caps.structure(0).expect("caps have a structure");
        let data = fields
            .get::<gst::Buffer>("codec_data")
            .expect("the parser gives codec_data");
        let data = data.map_readable().expect("memory can be read");
        Arc::new(StreamFormat {
            codec: self.codec,
            size: self.size,
            turn: Turn::NONE,
            codec_data: Bytes::copy_from_slice(&data),
            codec_name: format!("{:?}", self.codec),
            caps: caps.to_string(),
        })
    }

    fn packet(self, format: &Arc<StreamFormat>, sample: &gst::Sample) -> Packet {
        let buffer = sample.buffer().expect("a sample has a buffer");
        let nanos = |time: gst::ClockTime| {
            MediaTime::from_nanos(i64::try_from(time.nseconds()).expect("a test is short"))
        };
        let pts = nanos(buffer.pts().expect("encoders stamp their pictures"));
        let data = buffer.map_readable().expect("memory can be read");
        Packet {
            stream: StreamRole::Sub,
            format: Arc::clone(format),
            time: pts,
            pts,
            duration: buffer
                .duration()
                .map(|time| Duration::from_nanos(time.nseconds())),
            key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            droppable: buffer.flags().contains(gst::BufferFlags::DROPPABLE),
            discontinuity: false,
            data: Bytes::copy_from_slice(&data),
            arrived: pts,
        }
    }
}
