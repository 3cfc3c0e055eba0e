//! The HLS media playlist of one rendition of a clip (RFC 8216, fragmented MP4 segments, so version 7).
//!
//! It is an EVENT playlist: segments are only ever added, until ENDLIST. So it can be watched while it grows.
//! EXT-X-INDEPENDENT-SEGMENTS is not claimed: a segment that was cut for its size may begin without a keyframe.

use std::{fmt::Write, time::Duration};

/// The target, in seconds, where segments are cut after 4 s at the latest.
pub const TARGET: u32 = 4;

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

/// The target duration of a playlist whose segments are cut after `longest`, in seconds: "The EXTINF duration, when rounded to
/// the nearest integer, MUST be less than or equal to the target" (RFC 8216, 4.3.3.1).
#[must_use]
pub fn target(longest: Duration) -> u32 {
    let seconds = longest.as_secs_f64().ceil().clamp(0.0, 3600.0);
    (seconds as u32).max(TARGET)
}

/// The playlist of `entries`; `ended` when no more will come. `target` must be the same for the whole life of the playlist (6.2.1);
/// it is raised only where a camera whose pictures are rarer made a segment longer than it was to be.
#[must_use]
pub fn render(entries: &[Entry], target: u32, ended: bool) -> String {
    let longest = entries.iter().map(|e| e.duration).max().unwrap_or_default();
    let target = u64::from(target).max(longest.as_secs_f64().round() as u64);
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
        insta::assert_snapshot!(render(&entries, TARGET, true));
    }

    #[test]
    fn an_open_playlist_has_no_end() {
        let text = render(&[entry("00001.m4s", "init-1.mp4", 2_000)], TARGET, false);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn the_target_is_the_same_from_the_first_segment_to_the_last() {
        let target = target(Duration::from_secs_f64(7.5));
        let mut entries = vec![entry("00001.m4s", "init-1.mp4", 2_000)];
        let begins = |text: &str| text.lines().nth(2).map(str::to_owned);
        let first = begins(&render(&entries, target, false));
        assert_eq!(first.as_deref(), Some("#EXT-X-TARGETDURATION:8"));
        entries.push(entry("00002.m4s", "init-1.mp4", 7_540));
        assert_eq!(begins(&render(&entries, target, true)), first);
        entries.push(entry("00003.m4s", "init-1.mp4", 9_600));
        let text = render(&entries, target, true);
        assert!(text.contains("#EXT-X-TARGETDURATION:10\n"), "{text}");
    }
}
