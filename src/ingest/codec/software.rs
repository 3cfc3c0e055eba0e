//! The installed decoder that runs on the processor.

use gstreamer as gst;

use gst::prelude::*;

use crate::{
    flow::{Codec, StreamFormat},
    ingest::{IngestError, setup},
};

/// Whether a decoder says of itself that it works in hardware.
pub(super) fn is_hardware(factory: &gst::ElementFactory) -> bool {
    let class = factory.metadata(gst::ELEMENT_METADATA_KLASS);
    class.is_some_and(|class| class.contains("Hardware"))
}

/// The installed decoder for `format` that runs on the processor, in one thread where it lets itself be told. Pictures that are not
/// coded need none.
pub(super) fn software(format: &StreamFormat) -> Result<Option<gst::Element>, IngestError> {
    let decoder = match format.codec {
        Codec::H264 => setup::element("avdec_h264")?,
        Codec::H265 => setup::element("avdec_h265")?,
        Codec::Other => {
            let caps: gst::Caps = format.caps.parse().map_err(|_| missing(format))?;
            if caps.structure(0).is_some_and(|s| s.name() == "video/x-raw") {
                return Ok(None);
            }
            best(&caps)
                .and_then(|factory| factory.create().build().ok())
                .ok_or_else(|| missing(format))?
        }
    };
    // Frame threads hold pictures back, and so does a strict reading of the standard where a stream does not say how
    // far it reorders.
    for (property, value) in [("max-threads", "1"), ("std-compliance", "normal")] {
        if decoder.has_property(property) {
            decoder.set_property_from_str(property, value);
        }
    }
    // A picture made of guesses would look like motion.
    if decoder.has_property("output-corrupt") {
        decoder.set_property("output-corrupt", false);
    }
    Ok(Some(decoder))
}

/// The decoder of the highest rank for `caps`. One that wants to know more than they say would refuse them when they come.
fn best(caps: &gst::Caps) -> Option<gst::ElementFactory> {
    let kinds = gst::ElementFactoryType::DECODER
        | gst::ElementFactoryType::MEDIA_VIDEO
        | gst::ElementFactoryType::MEDIA_IMAGE;
    gst::ElementFactory::factories_with_type(kinds, gst::Rank::MARGINAL)
        .into_iter()
        .filter(|factory| factory.can_sink_all_caps(caps) && !is_hardware(factory))
        .max_by_key(|factory| factory.rank())
}

fn missing(format: &StreamFormat) -> IngestError {
    IngestError::MissingDecoder {
        codec: format.codec_name.clone(),
        package: "gstreamer1.0-libav",
    }
}
