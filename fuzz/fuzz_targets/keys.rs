//! Names of objects, playlists and the documents that come back to us: what is read is written the same way again.
#![no_main]

use std::time::Duration;

use lares::wire::{IncidentMessage, ObjectKey, keys, playlist};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8], Vec<(u16, u8)>)| {
    let (text, json, entries) = input;
    if let Ok(key) = text.parse::<ObjectKey>() {
        assert_eq!(key.to_string(), text);
        assert!(!text.contains(".."));
        let from = "v1/home/door/2027-01-15/01990000-0000-7000-8000-000000000001/sub/index.m3u8";
        assert!(!keys::relative(from, text).is_empty());
    }
    if let Ok(message) = IncidentMessage::from_json(json) {
        let again = IncidentMessage::from_json(&message.to_json()).expect("our own");
        assert_eq!(again, message);
    }
    let entries: Vec<_> = entries
        .iter()
        .take(64)
        .map(|(ms, how)| playlist::Entry {
            uri: format!("{how:05}.m4s"),
            init: format!("init-{}.mp4", how & 3),
            duration: Duration::from_millis(u64::from(*ms)),
            discontinuity: how & 4 != 0,
        })
        .collect();
    let list = playlist::render(&entries, true);
    let target: u64 = list
        .lines()
        .find_map(|line| line.strip_prefix("#EXT-X-TARGETDURATION:")?.parse().ok())
        .expect("a target");
    assert!(
        entries
            .iter()
            .all(|e| e.duration.as_secs_f64().round() as u64 <= target)
    );
    assert_eq!(
        list.lines().filter(|line| !line.starts_with('#')).count(),
        entries.len()
    );
    assert!(list.ends_with("#EXT-X-ENDLIST\n"));
});
