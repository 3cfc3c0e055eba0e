//! Descriptions (RFC 8866, RFC 6184 section 8, RFC 7798 section 7), whole and in the pieces that quirks are made from.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::clip::{Clip, Codec};

/// What a description is made from.
pub struct Facts<'a> {
    /// The pictures.
    pub clip: &'a Clip,
    /// The payload type that the description names.
    pub payload_type: u8,
}

/// Bytes as text.
pub(super) fn text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The lines before the first track.
pub(super) fn head() -> Vec<String> {
    let lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=Session",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
    ];
    lines.map(str::to_owned).to_vec()
}

/// The parameters of the video format.
pub(super) fn parameters(facts: &Facts<'_>) -> String {
    let clip = facts.clip;
    match clip.codec {
        Codec::Jpeg => String::new(),
        Codec::H264 => format!(
            "packetization-mode=1;profile-level-id={};sprop-parameter-sets={},{}",
            hex::encode(clip.sps().get(1..4).unwrap_or_default()),
            text(clip.sps()),
            text(clip.pps())
        ),
        Codec::H265 => format!(
            "sprop-vps={};sprop-sps={};sprop-pps={}",
            text(clip.sets.first().map_or(&[], |vps| vps)),
            text(clip.sps()),
            text(clip.pps())
        ),
    }
}

/// The video track with these parameters.
pub(super) fn video_with(facts: &Facts<'_>, parameters: &str) -> Vec<String> {
    let number = facts.payload_type;
    let name = match facts.clip.codec {
        Codec::H264 => "H264",
        Codec::H265 => "H265",
        Codec::Jpeg => "JPEG",
    };
    let mut lines = vec![
        format!("m=video 0 RTP/AVP {number}"),
        format!("a=rtpmap:{number} {name}/90000"),
    ];
    if !parameters.is_empty() {
        lines.push(format!("a=fmtp:{number} {parameters}"));
    }
    lines.push("a=control:trackID=1".to_owned());
    lines
}

/// The video track.
pub(super) fn video(facts: &Facts<'_>) -> Vec<String> {
    video_with(facts, &parameters(facts))
}

/// Lines as a description.
pub(super) fn join(lines: &[String]) -> String {
    lines.join("\r\n") + "\r\n"
}

/// A head and tracks as a description.
pub(super) fn tracks(tracks: &[Vec<String>]) -> String {
    join(&[head(), tracks.concat()].concat())
}

/// Lines of a track that is written down.
pub(super) fn lines(track: &[&str]) -> Vec<String> {
    track.iter().map(|line| (*line).to_owned()).collect()
}

/// What a tidy camera says.
pub(super) fn plain(facts: &Facts<'_>) -> String {
    tracks(&[video(facts)])
}

/// The same with other format parameters.
pub(super) fn with_parameters(facts: &Facts<'_>, parameters: &str) -> String {
    tracks(&[video_with(facts, parameters)])
}
