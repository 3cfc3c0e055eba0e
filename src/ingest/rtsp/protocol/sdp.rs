//! What a camera's description (SDP, RFC 8866) says about its tracks. Pure.
//!
//! Only lines that matter are read (`m=` and `a=`), each by itself, so that nothing else in an untidy description can
//! spoil them. Numbers and sizes are bounded.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};

/// Further tracks are passed over.
const MOST_TRACKS: usize = 32;
/// Attributes that are kept of one track.
const MOST_ATTRIBUTES: usize = 64;
/// Parameter sets that are kept of one track, and the longest.
const MOST_SETS: usize = 16;
const LONGEST_SET: usize = 4096;
/// A range of less is one of a camera that fills the line in without meaning it.
const SHORTEST_RANGE: Duration = Duration::from_secs(1);
/// A range of more is none.
const LONGEST_RANGE: f64 = 1e7;

/// How pictures are packed into RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::ingest::rtsp) enum Encoding {
    /// RFC 6184.
    H264,
    /// RFC 7798.
    H265,
    /// RFC 2435.
    Jpeg,
}

impl Encoding {
    /// For people.
    pub(in crate::ingest::rtsp) fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Jpeg => "Motion JPEG",
        }
    }

    fn from_rtpmap(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "H264" => Some(Self::H264),
            "H265" | "HEVC" => Some(Self::H265),
            "JPEG" => Some(Self::Jpeg),
            _ => None,
        }
    }
}

/// The description.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::ingest::rtsp) struct Description {
    /// Address of the whole session.
    pub(in crate::ingest::rtsp) control: Option<String>,
    /// How long what is served lasts, where it is no live picture.
    pub(in crate::ingest::rtsp) length: Option<Duration>,
    tracks: Vec<Media>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Media {
    kind: String,
    payload_type: Option<u8>,
    attributes: Vec<(String, String)>,
}

/// The track that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest::rtsp) struct Track {
    /// None: the description does not say.
    pub(in crate::ingest::rtsp) encoding: Option<Encoding>,
    pub(in crate::ingest::rtsp) payload_type: u8,
    /// Ticks a second.
    pub(in crate::ingest::rtsp) clock_rate: u32,
    pub(in crate::ingest::rtsp) control: Option<String>,
    /// Parameter sets, without start codes.
    pub(in crate::ingest::rtsp) sets: Vec<Vec<u8>>,
}

impl Description {
    /// Reads whatever can be read.
    pub(in crate::ingest::rtsp) fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).replace('\0', "");
        let mut description = Self::default();
        let mut passed_over = false;
        for line in text.split(['\n', '\r']).map(str::trim) {
            if let Some(media) = line.strip_prefix("m=") {
                passed_over = description.tracks.len() >= MOST_TRACKS;
                if !passed_over {
                    description.tracks.push(Media::new(media));
                }
            } else if let Some(attribute) = line.strip_prefix("a=") {
                if passed_over {
                    continue;
                }
                let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
                description.attribute(name.trim(), value.trim());
            }
        }
        description
    }

    fn attribute(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("range") {
            self.length = self.length.or_else(|| length(value));
        }
        match self.tracks.last_mut() {
            Some(track) if track.attributes.len() < MOST_ATTRIBUTES => {
                track
                    .attributes
                    .push((name.to_ascii_lowercase(), value.to_owned()));
            }
            None if name.eq_ignore_ascii_case("control") => self.control = Some(value.to_owned()),
            _ => {}
        }
    }

    /// The track to watch: the first of H.264 or H.265, else one that may be, else Motion JPEG. One that the camera wants
    /// to receive (`sendonly`, seen from us) comes last.
    pub(in crate::ingest::rtsp) fn video(&self) -> Option<Track> {
        let videos = self.tracks.iter().filter(|track| track.kind == "video");
        videos
            .filter_map(Media::track)
            .min_by_key(|(track, theirs)| {
                let encoding = match track.encoding {
                    Some(Encoding::H264 | Encoding::H265) => 0,
                    None => 1,
                    Some(Encoding::Jpeg) => 2,
                };
                (*theirs, encoding)
            })
            .map(|(track, _)| track)
    }

    /// Encodings of all tracks, for people.
    pub(in crate::ingest::rtsp) fn offered(&self) -> String {
        let name = |track: &Media| match track.rtpmap() {
            Some((name, _)) => name.to_owned(),
            None => track.kind.clone(),
        };
        let names: Vec<_> = self
            .tracks
            .iter()
            .map(name)
            .filter(|n| !n.is_empty())
            .collect();
        names.join(", ")
    }
}

impl Media {
    fn new(line: &str) -> Self {
        let mut words = line.split_whitespace();
        Self {
            kind: words.next().unwrap_or_default().to_ascii_lowercase(),
            payload_type: words
                .nth(2)
                .and_then(|word| word.parse().ok())
                .filter(|pt| *pt < 128),
            attributes: Vec::new(),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let known = |(known, _): &&(String, String)| known == name;
        self.attributes
            .iter()
            .find(known)
            .map(|(_, value)| value.as_str())
    }

    /// The value of an attribute that begins with a payload type, which should be this track's.
    fn of_payload(&self, name: &str) -> Option<&str> {
        let of = |(known, value): &&(String, String)| {
            let number = value
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok());
            known == name && (number == self.payload_type || self.payload_type.is_none())
        };
        let value = self
            .attributes
            .iter()
            .find(of)
            .map(|(_, value)| value.as_str());
        value
            .or_else(|| self.get(name))?
            .split_once(char::is_whitespace)
            .map(|(_, rest)| rest.trim())
    }

    /// Encoding's name and clock rate.
    fn rtpmap(&self) -> Option<(&str, Option<u32>)> {
        let map = self.of_payload("rtpmap")?;
        let mut parts = map.split('/').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let rate = parts.next().and_then(|rate| rate.parse().ok());
        Some((name, rate.filter(|rate| (1..=1_000_000_000).contains(rate))))
    }

    /// The track, if its pictures can be watched, and whether the camera wants to receive it.
    fn track(&self) -> Option<(Track, bool)> {
        /// Of the profile for audio and video (RFC 3551).
        const STATIC_JPEG: u8 = 26;
        /// From here on a payload type means what the description says.
        const DYNAMIC: u8 = 96;
        let payload_type = self.payload_type.unwrap_or(DYNAMIC);
        let encoding = match self.rtpmap() {
            Some((name, _)) => Some(Encoding::from_rtpmap(name)?),
            None if payload_type == STATIC_JPEG => Some(Encoding::Jpeg),
            None if payload_type >= DYNAMIC => None,
            None => return None,
        };
        let track = Track {
            encoding,
            payload_type,
            // Of all three (RFC 6184, 8.1; RFC 7798, 7.1; RFC 2435, 4.1).
            clock_rate: self.rtpmap().and_then(|(_, rate)| rate).unwrap_or(90_000),
            control: self.get("control").map(str::to_owned),
            sets: self
                .of_payload("fmtp")
                .map_or_else(Vec::new, parameter_sets),
        };
        Some((track, self.get("sendonly").is_some()))
    }
}

/// `sprop-parameter-sets` of H.264; `sprop-vps`, `-sps` and `-pps` of H.265. Empty and unreadable ones are left out.
fn parameter_sets(format: &str) -> Vec<Vec<u8>> {
    let parameters = format.split(';').filter_map(|p| p.trim().split_once('='));
    let sets = parameters.filter(|(name, _)| {
        let name = name.trim().to_ascii_lowercase();
        [
            "sprop-parameter-sets",
            "sprop-vps",
            "sprop-sps",
            "sprop-pps",
        ]
        .contains(&name.as_str())
    });
    sets.flat_map(|(_, value)| value.split(','))
        .filter_map(|text| STANDARD.decode(text.trim()).ok())
        .map(|set| without_start_code(&set).to_vec())
        // A header and something behind it.
        .filter(|set| (4..=LONGEST_SET).contains(&set.len()))
        .take(MOST_SETS)
        .collect()
}

/// A unit without the start code that some cameras put before it.
pub(in crate::ingest::rtsp) fn without_start_code(unit: &[u8]) -> &[u8] {
    let code = [&[0, 0, 0, 1][..], &[0, 0, 1]];
    code.iter()
        .find_map(|code| unit.strip_prefix(*code))
        .unwrap_or(unit)
}

/// How long a range of normal play time lasts (RFC 2326, 3.6), where it has an end.
pub(in crate::ingest::rtsp) fn length(range: &str) -> Option<Duration> {
    let (from, to) = range.trim().strip_prefix("npt=")?.split_once('-')?;
    let seconds = |text: &str| {
        text.trim().split(':').try_fold(0.0, |sum, part| {
            part.parse::<f64>().ok().map(|part| sum * 60.0 + part)
        })
    };
    let to = seconds(to.split(';').next()?)?;
    let length = to - seconds(from).unwrap_or(0.0);
    let length = (0.0..=LONGEST_RANGE)
        .contains(&length)
        .then(|| Duration::from_secs_f64(length));
    length.filter(|length| *length >= SHORTEST_RANGE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> Description {
        Description::read(lines.join("\r\n").as_bytes())
    }

    #[test]
    fn the_picture_is_found_among_other_tracks() {
        let description = read(&[
            "v=0",
            "a=control:*",
            "m=audio 0 RTP/AVP 8",
            "a=rtpmap:8 PCMA/8000",
            "m=video 0 RTP/AVP 26",
            "a=control:jpeg",
            "m=video 0 RTP/AVP 97",
            "a=rtpmap:97 H264/90000",
            "a=control:back",
            "a=sendonly",
            "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 h264/90000 ",
            "a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z00AHw==,,AAAAAWjuPIA=",
            "a=control:trackID=1",
            "m=application 0 RTP/AVP 107",
            "a=rtpmap:107 vnd.onvif.metadata/90000",
        ]);
        let track = description.video().unwrap();
        assert_eq!(track.encoding, Some(Encoding::H264));
        assert_eq!(track.control.as_deref(), Some("trackID=1"));
        assert_eq!(
            track.sets,
            [vec![0x67, 0x4d, 0, 0x1f], vec![0x68, 0xee, 0x3c, 0x80]]
        );
        assert_eq!(description.control.as_deref(), Some("*"));
        let offered = "PCMA, video, H264, h264, vnd.onvif.metadata";
        assert_eq!(description.offered(), offered);
    }

    #[test]
    fn untidy_descriptions_are_read() {
        let untidy = b"v=0\no=\ns=\na=control:\n\nm=video 0 RTP/AVP 96\na=rtpmap:96 HEVC\n\
                       a=fmtp:96 sprop-vps=;sprop-sps=\na=framerate:\ngarbage\n\0\0";
        let track = Description::read(untidy).video().unwrap();
        assert_eq!(
            (track.encoding, track.clock_rate),
            (Some(Encoding::H265), 90_000)
        );
        assert!(track.sets.is_empty());
        // Not said what it is.
        let silent = read(&["m=video 0 RTP/AVP 96"]).video().unwrap();
        assert_eq!(silent.encoding, None);
        // Sent by the camera, though it says otherwise.
        let only = read(&[
            "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 H264/90000",
            "a=sendonly",
        ]);
        assert!(only.video().is_some());
        assert!(
            read(&["m=video 0 RTP/AVP 96", "a=rtpmap:96 VP8/90000"])
                .video()
                .is_none()
        );
        assert!(read(&["m=audio 0 RTP/AVP 0"]).video().is_none());
    }

    #[test]
    fn only_finite_ranges_have_a_length() {
        for (range, seconds) in [
            ("npt=0-3.5", Some(3.5)),
            ("npt=0.000-600", Some(600.0)),
            ("npt=10-0:01:10", Some(60.0)),
            ("npt=now-", None),
            ("npt=0-0", None),
            ("npt=0-", None),
            ("npt=5-1", None),
            ("npt=0-1e99", None),
            ("npt=0-nan", None),
            ("clock=20260618T212222Z-20260618T222312Z", None),
        ] {
            let expected = seconds.map(Duration::from_secs_f64);
            assert_eq!(length(range), expected, "{range}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_described_is_bounded(text in "((m=video 0 RTP/AVP |a=rtpmap:|a=fmtp:|a=range:npt=|a=)[ -~]{0,40}\r?\n){0,100}") {
            let description = Description::read(text.as_bytes());
            prop_assert!(description.tracks.len() <= MOST_TRACKS);
            let _ = (description.video(), description.offered());
        }
    }
}
