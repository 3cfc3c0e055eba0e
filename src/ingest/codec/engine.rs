//! The elements of one decoder, in software or in hardware, ready for a stream of its capabilities.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer_video as gst_video;

use super::{error::DecodeError, sync_pipeline::SyncPipeline};
use crate::{
    config::DecoderChoice,
    flow::{Codec, StreamFormat},
    ingest::setup,
};

/// The elements of a decoder, which are of no stream while none is decoded.
pub(in crate::ingest) struct Engine {
    pub(in crate::ingest) line: SyncPipeline,
    pub(in crate::ingest) hardware: bool,
    /// Its streams have these capabilities, to the letter.
    pub(in crate::ingest) caps: String,
    /// What it was made for.
    pub(in crate::ingest) choice: DecoderChoice,
    pub(in crate::ingest) progressive: bool,
    pub(in crate::ingest) geometry: Option<(gst::Caps, gst_video::VideoInfo)>,
}

impl Engine {
    pub(in crate::ingest) fn in_hardware(
        name: &str,
        format: &Arc<StreamFormat>,
    ) -> Result<Self, DecodeError> {
        // Some want start codes where packets have lengths.
        let parser = match format.codec {
            Codec::H264 => Some(setup::element("h264parse")?),
            Codec::H265 => Some(setup::element("h265parse")?),
            Codec::Other => None,
        };
        let elements = parser.into_iter().chain([setup::element(name)?]);
        Self::of(elements.collect(), true, format, DecoderChoice::Auto)
    }

    pub(super) fn of(
        mut elements: Vec<gst::Element>,
        hardware: bool,
        format: &Arc<StreamFormat>,
        choice: DecoderChoice,
    ) -> Result<Self, DecodeError> {
        let refused = || DecodeError::Refused {
            codec: format.codec_name.clone(),
        };
        let caps: gst::Caps = format.caps.parse().map_err(|_| refused())?;
        elements.push(setup::element("videoconvert")?);
        let wanted = gst_video::VideoCapsBuilder::new()
            .format_list([gst_video::VideoFormat::I420, gst_video::VideoFormat::Nv12])
            .build();
        let line = SyncPipeline::new(elements, &wanted).map_err(|_| refused())?;
        if !line.set_caps(&caps) {
            return Err(refused());
        }
        line.segment(gst::SegmentFlags::empty());
        Ok(Self {
            line,
            hardware,
            caps: format.caps.clone(),
            choice,
            progressive: is_progressive(&caps),
            geometry: None,
        })
    }
}

/// Whether `caps` are of whole pictures; of interlaced video each field may be a unit of its own.
fn is_progressive(caps: &gst::Caps) -> bool {
    let mode = caps.structure(0).map(|s| s.get::<String>("interlace-mode"));
    !matches!(mode, Some(Ok(mode)) if mode != "progressive")
}
