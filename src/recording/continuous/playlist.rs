//! HLS (RFC 8216) of a range: byte ranges of the files as they lie. Pure.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{format::TICKS_MS, index::wall, place, select::Part};

/// Fragments that begin within this time, in ticks, are one entry: a day's playlist stays below two megabytes.
const ENTRY: i64 = 6 * 1000 * TICKS_MS;
const SECOND: f64 = 90_000.0;

/// Parts of an entry: fragments `first..last`.
fn entries(part: &Part) -> Vec<(usize, usize)> {
    let mut entries = Vec::new();
    let mut first = part.first;
    for n in part.first + 1..=part.last {
        let table = &part.table;
        let ends =
            n == part.last || table.fragments[n].key && table.at(n + 1) - table.at(first) > ENTRY;
        if ends {
            entries.push((first, n));
            first = n;
        }
    }
    entries
}

/// The playlist of `parts`. The name of each file begins with `files/`.
pub(super) fn playlist(parts: &[Part]) -> String {
    let seconds = |part: &Part, (first, last): (usize, usize)| {
        (part.table.at(last) - part.table.at(first)) as f64 / SECOND
    };
    let all = parts.iter().map(|part| (part, entries(part)));
    let all: Vec<_> = all.collect();
    let longest = all
        .iter()
        .flat_map(|(part, entries)| entries.iter().map(|entry| seconds(part, *entry)))
        .fold(1.0, f64::max);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n",
        longest.ceil()
    );
    let mut before: Option<&Part> = None;
    for (part, entries) in &all {
        let name = place::reference(part.key);
        if !before.is_some_and(|before| part.continues(before)) {
            if before.is_some() {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            let init = part.table.init;
            let _ = writeln!(
                text,
                "#EXT-X-MAP:URI=\"files/{name}\",BYTERANGE=\"{init}@0\""
            );
            if let Ok(at) = Timestamp::from_millisecond(wall(part.start()).0) {
                let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{at:.3}");
            }
        }
        for entry in entries {
            let (from, to) = (part.table.offset(entry.0), part.table.offset(entry.1));
            let lasts = seconds(part, *entry);
            let _ = write!(
                text,
                "#EXTINF:{lasts:.5},\n#EXT-X-BYTERANGE:{}@{from}\nfiles/{name}\n",
                to - from
            );
        }
        before = Some(part);
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}
