//! `[cameras.recording]`: recording round the clock.

use super::reader::Section;
use crate::config::{RecordedStreams, RecordingConfig};

/// Recording round the clock, where `keep` says for how long.
pub(super) fn recording(camera: &Section<'_>, masked: bool) -> Option<RecordingConfig> {
    let section = camera.section("recording");
    let keep = section.maybe_duration("keep");
    let config = RecordingConfig {
        keep: keep.unwrap_or_default(),
        quota: section.bytes("quota"),
        streams: section.choice(
            "streams",
            &[
                ("sub", RecordedStreams::Sub),
                ("main", RecordedStreams::Main),
                ("both", RecordedStreams::Both),
            ],
        ),
    };
    if keep.is_some() && masked {
        section.problem(
            "keep",
            "this camera has a privacy_mask, and a recording would hold what the mask hides: remove [cameras.recording] or \
             the mask",
        );
    }
    if keep.is_some() && config.streams != RecordedStreams::Sub && !camera.has("main_url") {
        section.problem(
            "streams",
            "there is no second stream: add main_url, or write \"sub\"",
        );
    }
    section.done();
    keep.map(|_| config)
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;
    use crate::{
        config::{ByteSize, Config, Environment},
        flow::StreamRole,
    };

    fn with(camera: &str, recording: &str) -> Result<Option<RecordingConfig>, Vec<String>> {
        let text = format!(
            "version = 2\n[[cameras]]\nurl = \"rtsp://10.0.0.2/live\"\n{camera}\n[cameras.recording]\n{recording}\n"
        );
        Config::parse(&text, Path::new("/etc/lares"), &Environment::new())
            .map(|config| config.cameras[0].recording)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn it_is_off_until_somebody_says_for_how_long() {
        assert_eq!(with("", "").unwrap(), None);
        assert_eq!(with("", "quota = \"1 GB\"").unwrap(), None);
        let on = with("", "keep = \"48 h\"").unwrap().unwrap();
        assert_eq!(on.keep, Duration::from_secs(48 * 3600));
        assert_eq!(on.quota, ByteSize(20_000_000_000));
        assert!(on.streams.has(StreamRole::Sub) && !on.streams.has(StreamRole::Main));
    }

    #[test]
    fn what_cannot_be_recorded_is_refused_in_one_sentence() {
        let mask = "privacy_mask = [[[0.0, 0.0], [0.3, 0.0], [0.3, 0.4]]]";
        let main = "main_url = \"rtsp://10.0.0.2/main\"";
        for (camera, recording, says) in [
            (mask, "keep = \"48 h\"", "has a privacy_mask"),
            ("", "keep = \"48 h\"\nstreams = \"main\"", "add main_url"),
            ("", "keep = \"48 h\"\nstreams = \"both\"", "add main_url"),
            ("", "keep = \"1 min\"", "keep"),
            ("", "keep = \"1 h\"\nquota = \"1 MB\"", "100 MB"),
            (main, "keep = \"1 h\"\nstreams = \"side\"", "is not known"),
        ] {
            let problems = with(camera, recording).unwrap_err();
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].contains(says), "{problems:?}");
        }
        assert_eq!(with(mask, "").unwrap(), None);
        let both = with(main, "keep = \"1 h\"\nstreams = \"both\"");
        let both = both.unwrap().unwrap().streams;
        assert!(both.has(StreamRole::Sub) && both.has(StreamRole::Main));
    }
}
