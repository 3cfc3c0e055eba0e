//! The HLS media playlist of one rendition of a clip (RFC 8216, fragmented MP4 segments, so version 7).
//!
//! It is an EVENT playlist: segments are only ever added, until ENDLIST. So it can be watched while it grows.
//! EXT-X-INDEPENDENT-SEGMENTS is not claimed: a segment that was cut for its size may begin without a keyframe.

use std::{fmt::Write, time::Duration};

/// Segments are cut after 4 s at the latest; RFC 8216 wants one target for the whole life of the playlist.
const TARGET: u64 = 4;

/// One segment in a playlist. Addresses are relative to the playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Address of the pictures.
    pub uri: String,
    /// Address of the header that they need.
    pub init: String,
    /// How long it plays.
    pub duration: Duration,
    /// It does not continue the one before.
    pub discontinuity: bool,
}

/// The playlist of `entries`; `ended` when no more will come.
#[must_use]
pub fn render(entries: &[Entry], ended: bool) -> String {
    let longest = entries.iter().map(|e| e.duration).max().unwrap_or_default();
    // "The EXTINF duration, when rounded to the nearest integer, MUST be less than or equal to the target" (4.3.3.1).
    let target = (longest.as_secs_f64().round() as u64).max(TARGET);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:1\n\
         #EXT-X-PLAYLIST-TYPE:EVENT\n"
    );
    let mut init: Option<&str> = None;
    for (index, entry) in entries.iter().enumerate() {
        let new_init = init != Some(entry.init.as_str());
        if index > 0 && (entry.discontinuity || new_init) {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if new_init {
            let _ = writeln!(text, "#EXT-X-MAP:URI=\"{}\"", entry.init);
            init = Some(&entry.init);
        }
        let seconds = entry.duration.as_secs_f64();
        let _ = writeln!(text, "#EXTINF:{seconds:.6},\n{}", entry.uri);
    }
    if ended {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(uri: &str, init: &str, ms: u64) -> Entry {
        Entry {
            uri: uri.to_owned(),
            init: init.to_owned(),
            duration: Duration::from_millis(ms),
            discontinuity: false,
        }
    }

    #[test]
    fn shared_segments_a_new_header_and_a_gap() {
        let shared = "../../01990000-0000-7000-8000-000000000001/sub";
        let mut entries = vec![
            entry(
                &format!("{shared}/00003.m4s"),
                &format!("{shared}/init-1.mp4"),
                2_000,
            ),
            entry("00001.m4s", "init-1.mp4", 2_040),
            entry("00002.m4s", "init-1.mp4", 4_000),
            entry("00004.m4s", "init-2.mp4", 1_500),
        ];
        entries[2].discontinuity = true;
        insta::assert_snapshot!(render(&entries, true));
    }

    #[test]
    fn an_open_playlist_has_no_end() {
        let text = render(&[entry("00001.m4s", "init-1.mp4", 2_000)], false);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_long_segment_raises_the_target() {
        let text = render(&[entry("00001.m4s", "init-1.mp4", 7_600)], false);
        assert!(text.contains("#EXT-X-TARGETDURATION:8\n"), "{text}");
    }
}
