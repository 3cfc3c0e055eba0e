//! Which element decodes: one in hardware where the machine has one and a trial shows that it can be relied on, else one
//! that works on the processor.
//!
//! A trial is a real one: eight pictures (`probe/`, made by `ffmpeg -f lavfi -i testsrc2=size=640x360:rate=10` with x264
//! and x265, a keyframe each four) go through a [`Decoder`], keyframes alone and then all, and must come out each with
//! its own unit, looking as they do when decoded in software. Many hardware decoders hold pictures back until others
//! follow; those would make alerts late, and are left alone.

use std::{collections::BTreeMap, sync::Arc};

use gstreamer as gst;

use gst::prelude::*;
use parking_lot::Mutex;

use super::{
    decoder::{Decoder, Feed},
    engine::Engine,
    error::DecodeError,
    privacy_mask::PrivacyMask,
    software::{is_hardware, software},
};
use crate::{
    base::cpu::StageCpu,
    config::DecoderChoice,
    flow::{Codec, Frame, MediaTime, Packet, Polygon, StreamFormat, StreamRole},
    ingest::{IngestError, bitstream::parser::Parser, setup},
};

/// Pictures of two decoders differ by less than this much luma in the mean. Decoding is exact; scaling a cropped picture
/// may not be.
const ALIKE: f64 = 2.0;

/// Names of hardware decoders by caps name, once they have been tried: at the first stream that may use one.
static TRIED: Mutex<BTreeMap<&str, Option<String>>> = Mutex::new(BTreeMap::new());

/// The hardware decoder of this machine that has passed the trial for `codec`, if there is one.
pub(in crate::ingest) fn hardware(codec: Codec) -> Option<String> {
    let probe = Probe::of(codec)?;
    // Held during the trial: other cameras wait for its result instead of making their own.
    let mut tried = TRIED.lock();
    if let Some(known) = tried.get(probe.caps) {
        return known.clone();
    }
    let candidates = installed(&probe);
    let chosen = choose(&probe, &candidates);
    tried.insert(probe.caps, chosen.clone());
    chosen
}

impl Engine {
    /// What [`Decoder::new`] works with.
    pub(in crate::ingest) fn new(
        format: &Arc<StreamFormat>,
        choice: DecoderChoice,
    ) -> Result<Self, DecodeError> {
        setup::init()?;
        if choice == DecoderChoice::Auto
            && let Some(name) = hardware(format.codec)
        {
            match Self::in_hardware(&name, format) {
                Ok(engine) => return Ok(engine),
                Err(error) => {
                    tracing::warn!(decoder = %name, stream = ?format, "in software instead: {error}")
                }
            }
        }
        let elements = software(format)?.into_iter().collect();
        Self::of(elements, false, format, choice)
    }
}

impl Decoder {
    /// A decoder for `format`, ready for a first keyframe: one in hardware where `choice` leaves it to the machine, and
    /// one there has been tried. `privacy_mask` is painted on every picture. CPU time is added to [`Stage::Decode`].
    ///
    /// # Errors
    /// When no installed decoder takes the format.
    pub fn new(
        format: &Arc<StreamFormat>,
        choice: DecoderChoice,
        privacy_mask: &[Polygon],
        stages: StageCpu,
    ) -> Result<Self, DecodeError> {
        let engine = Engine::new(format, choice)?;
        Ok(Self::with(
            engine,
            format,
            PrivacyMask::new(privacy_mask.to_vec()),
            stages,
        ))
    }

    /// A decoder that works on the processor.
    #[cfg(test)]
    pub(in crate::ingest) fn in_software(
        format: &Arc<StreamFormat>,
        privacy_mask: &[Polygon],
        stages: StageCpu,
    ) -> Result<Self, DecodeError> {
        Self::new(format, DecoderChoice::Software, privacy_mask, stages)
    }
}

/// What decodes `codec` on this machine, for people.
pub(crate) fn describe(codec: Codec, choice: DecoderChoice) -> String {
    let chosen = (choice == DecoderChoice::Auto).then(|| hardware(codec));
    match chosen.flatten() {
        Some(name) => format!("decoded in hardware ({name})"),
        None => "decoded in software".to_owned(),
    }
}

/// The first of `candidates` that passes.
fn choose(probe: &Probe, candidates: &[String]) -> Option<String> {
    candidates.iter().find_map(|name| match trial(probe, name) {
        Ok(()) => {
            tracing::info!(decoder = name, "{} is decoded in hardware", probe.name);
            Some(name.clone())
        }
        Err(reason) => {
            tracing::info!(
                decoder = name,
                "{} is not decoded in hardware: {reason}",
                probe.name
            );
            None
        }
    })
}

/// Hardware decoders that GStreamer offers, highest rank first.
fn installed(probe: &Probe) -> Vec<String> {
    let Ok(caps) = probe.caps.parse::<gst::Caps>() else {
        return Vec::new();
    };
    let kinds = gst::ElementFactoryType::DECODER | gst::ElementFactoryType::MEDIA_VIDEO;
    let mut factories: Vec<_> =
        gst::ElementFactory::factories_with_type(kinds, gst::Rank::MARGINAL)
            .into_iter()
            .filter(|factory| is_hardware(factory) && factory.can_sink_any_caps(&caps))
            .collect();
    factories.sort_by_key(|factory| std::cmp::Reverse(factory.rank()));
    factories.iter().map(|f| f.name().to_string()).collect()
}

/// A short stream to try a decoder with.
struct Probe {
    name: &'static str,
    caps: &'static str,
    stream: &'static [u8],
}

impl Probe {
    fn of(codec: Codec) -> Option<Self> {
        match codec {
            Codec::H264 => Some(Self {
                name: "H.264",
                caps: "video/x-h264,stream-format=byte-stream",
                stream: include_bytes!("probe/h264.bin"),
            }),
            Codec::H265 => Some(Self {
                name: "H.265",
                caps: "video/x-h265,stream-format=byte-stream",
                stream: include_bytes!("probe/h265.bin"),
            }),
            Codec::Other => None,
        }
    }

    fn packets(&self) -> Result<Vec<Packet>, IngestError> {
        let caps: gst::Caps = self
            .caps
            .parse()
            .expect("capabilities written here are valid");
        let mut parser = Parser::new(&caps)?;
        let mut units = parser.push(gst::Buffer::from_slice(self.stream), &caps);
        units.extend(parser.finish());
        let packets = units.into_iter().zip(0..).map(|(unit, number)| {
            let time = MediaTime::from_nanos(number * 100_000_000);
            Packet {
                stream: StreamRole::Sub,
                format: unit.format,
                time,
                pts: time,
                duration: None,
                key: unit.key,
                droppable: false,
                discontinuity: false,
                data: unit.data,
                arrived: time,
            }
        });
        Ok(packets.collect())
    }
}

/// The stream of a trial.
#[cfg(test)]
pub(in crate::ingest) fn probe_packets(codec: Codec) -> Vec<Packet> {
    Probe::of(codec).unwrap().packets().unwrap()
}

/// Why a decoder is left alone.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the hardware decoder does not work")]
    Broken,
    #[error("the hardware decoder does not give each picture at once")]
    HoldsBack,
    #[error("the hardware decoder gives wrong pictures")]
    Wrong,
}

/// Puts the decoder `name` to the test.
fn trial(probe: &Probe, name: &str) -> Result<(), Failed> {
    let packets = probe.packets().map_err(|_| Failed::Broken)?;
    let format = &packets.first().ok_or(Failed::HoldsBack)?.format;
    let mut tried =
        Decoder::in_hardware(name, format, StageCpu::default()).map_err(|_| Failed::Broken)?;
    let mut trusted = Decoder::new(format, DecoderChoice::Software, &[], StageCpu::default())
        .map_err(|_| Failed::Broken)?;
    let (lone, all): (Vec<_>, Vec<_>) = (
        packets.iter().filter(|p| p.key).collect(),
        packets.iter().collect(),
    );
    for (feed, packets) in [(Feed::KeysAlone, lone), (Feed::Running, all)] {
        tried.restart(feed);
        trusted.restart(feed);
        for packet in packets {
            let (shown, expected) = (tried.decode(packet), trusted.decode(packet));
            let (Ok(shown), Ok(expected)) = (shown, expected) else {
                return Err(Failed::HoldsBack);
            };
            let (Some(shown), Some(expected)) = (shown.last(), expected.last()) else {
                return Err(Failed::HoldsBack);
            };
            if shown.time != expected.time {
                return Err(Failed::HoldsBack);
            }
            if shown.size != expected.size || difference(shown, expected) > ALIKE {
                return Err(Failed::Wrong);
            }
        }
    }
    Ok(())
}

/// Mean difference of luma.
fn difference(a: &Frame, b: &Frame) -> f64 {
    let rows = (0..a.size.height as usize).map(|y| (a.luma_row(y), b.luma_row(y)));
    let sum: u64 = rows
        .map(|(a, b)| {
            a.iter()
                .zip(b)
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum::<u64>()
        })
        .sum();
    sum as f64 / f64::from(a.size.width * a.size.height).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(codec: Codec, name: &str) -> Result<(), String> {
        setup::init().unwrap();
        trial(&Probe::of(codec).unwrap(), name).map_err(|failed| failed.to_string())
    }

    #[test]
    fn a_decoder_that_gives_each_picture_at_once_passes() {
        assert_eq!(outcome(Codec::H264, "avdec_h264"), Ok(()));
        assert_eq!(outcome(Codec::H265, "avdec_h265"), Ok(()));
    }

    #[test]
    fn decoders_that_cannot_be_relied_on_fail() {
        for (codec, name, reason) in [
            (Codec::H264, "of-the-future", "does not work"),
            (Codec::H264, "fakesink", "does not work"),
            (Codec::H264, "avdec_h265", "does not work"),
            (Codec::H265, "identity", "does not work"),
            (Codec::H264, "openh264dec", "at once"),
        ] {
            let text = outcome(codec, name).unwrap_err();
            assert!(text.contains(reason), "{name}: {text}");
        }
    }

    #[test]
    fn the_first_that_passes_is_chosen_and_none_means_software() {
        setup::init().unwrap();
        let probe = Probe::of(Codec::H264).unwrap();
        let chosen = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            choose(&probe, &names)
        };
        let one = chosen(&["fakesink", "openh264dec", "avdec_h264"]);
        assert_eq!(one.as_deref(), Some("avdec_h264"));
        assert_eq!(chosen(&["fakesink"]), None);
        assert_eq!(chosen(&[]), None);
        assert_eq!(
            describe(Codec::Other, DecoderChoice::Auto),
            "decoded in software"
        );
    }

    #[test]
    fn another_picture_is_told_apart() {
        setup::init().unwrap();
        let packets = probe_packets(Codec::H264);
        assert_eq!(packets.len(), 8);
        let keys: Vec<_> = packets.iter().filter(|packet| packet.key).collect();
        assert_eq!(keys.len(), 2);
        let mut decoder =
            Decoder::in_software(&packets[0].format, &[], StageCpu::default()).unwrap();
        decoder.restart(Feed::KeysAlone);
        let frames = [keys[0], keys[1]].map(|key| decoder.decode(key).unwrap().remove(0));
        assert!(difference(&frames[0], &frames[0]) == 0.0);
        assert!(difference(&frames[0], &frames[1]) > ALIKE);
    }
}
