//! Which files there are of each camera, in memory: made from the files at start, and kept by who writes and deletes them.
//!
//! In: what was written, read or deleted. Out: spans, gaps, and what goes first. Pure.

use std::collections::BTreeMap;

use super::{
    format::{TICKS_MS, Table},
    place::Key,
};
use crate::{
    base::recordings::{Gap, Range, Timeline, Why},
    flow::{CameraId, StreamRole, WallTime},
};

/// What is missing for less than this is no gap, in ticks: two pictures of a slow camera.
const NO_GAP: i64 = 90_000;

/// A file of a recording.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// In ticks since 1970.
    pub(super) start: i64,
    pub(super) end: i64,
    /// On the disk.
    pub(super) bytes: u64,
    pub(super) clock_sure: bool,
    pub(super) before: Option<Why>,
    /// Of a file that is being written: where everything is.
    pub(super) open: Option<Table>,
    /// When it was first met with a clock that is right.
    pub(super) met: Option<WallTime>,
}

impl Entry {
    /// The entry of a closed file of `bytes`.
    pub(super) fn closed(table: &Table, bytes: u64) -> Self {
        Self {
            start: table.start,
            end: table.end,
            bytes,
            clock_sure: table.head.clock_sure,
            before: table.head.before,
            open: None,
            met: None,
        }
    }
}

/// The files of one camera, in order.
pub(super) type Files = BTreeMap<Key, Entry>;

/// All files.
#[derive(Debug, Default)]
pub(super) struct Index(pub(super) BTreeMap<CameraId, Files>);

/// Ticks as a time.
pub(super) fn wall(ticks: i64) -> WallTime {
    WallTime(ticks.div_euclid(TICKS_MS))
}

fn ticks(at: WallTime) -> i64 {
    at.0.saturating_mul(TICKS_MS)
}

/// The files of `files` that hold something of `range`, of one stream or of all.
pub(super) fn within(
    files: &Files,
    range: Range,
    stream: Option<StreamRole>,
) -> impl Iterator<Item = (&Key, &Entry)> {
    let (from, to) = (ticks(range.from), ticks(range.to));
    files.iter().filter(move |((_, role), file)| {
        stream.is_none_or(|stream| stream == *role) && file.start < to && file.end > from
    })
}

/// What of `range` there is. `now`: why nothing is recorded at this moment, where that is so, and when this moment is.
pub(super) fn timeline(files: &Files, range: Range, now: Option<(Why, WallTime)>) -> Timeline {
    let (from, to) = (ticks(range.from), ticks(range.to));
    let mut timeline = Timeline::default();
    // The end of what was recorded, and of the present span's beginning.
    let mut span: Option<(i64, i64)> = None;
    let gap = |from: i64, to: i64, why| Gap {
        from: wall(from),
        to: wall(to),
        why,
    };
    // What ended before the range says whether there was anything to miss at its beginning.
    let mut covered = files
        .values()
        .filter(|file| file.end <= from)
        .map(|file| file.end)
        .max();
    for (_, file) in within(files, range, None) {
        let (start, end) = (file.start.max(from), file.end.min(to));
        let missing_from = covered.map(|covered| covered.max(from));
        let missing = missing_from.filter(|since| start - since >= NO_GAP);
        if let Some(since) = missing {
            let why = file.before.unwrap_or(Why::Stream);
            timeline.gaps.push(gap(since, start, why));
        }
        match &mut span {
            Some((_, until)) if missing.is_none() => *until = (*until).max(end),
            _ => {
                let done = span.replace((start, end));
                timeline.spans.extend(done.map(range_of));
            }
        }
        covered = Some(covered.map_or(file.end, |covered| covered.max(file.end)));
    }
    timeline.spans.extend(span.map(range_of));
    // What comes after the range says why there is nothing at its end; else the present state does.
    let later = files.values().filter(|file| file.start >= to);
    let ends = match later.min_by_key(|file| file.start) {
        Some(next) => Some((next.before.unwrap_or(Why::Stream), to.min(next.start))),
        None => now.map(|(why, now)| (why, to.min(ticks(now)))),
    };
    if let (Some(covered), Some((why, until))) = (covered, ends) {
        let since = covered.max(from);
        if until - since >= NO_GAP {
            timeline.gaps.push(gap(since, until, why));
        }
    }
    timeline
}

fn range_of((from, to): (i64, i64)) -> Range {
    Range {
        from: wall(from),
        to: wall(to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000 * TICKS_MS;

    fn entry(from: i64, to: i64, before: Option<Why>) -> Entry {
        Entry {
            start: from * MINUTE,
            end: to * MINUTE,
            bytes: 1,
            clock_sure: true,
            before,
            open: None,
            met: None,
        }
    }

    fn files(all: &[(i64, i64, Option<Why>)]) -> Files {
        let one = |&(from, to, before): &(i64, i64, Option<Why>)| {
            ((from * 60_000, StreamRole::Sub), entry(from, to, before))
        };
        all.iter().map(one).collect()
    }

    fn minutes(from: i64, to: i64) -> Range {
        Range {
            from: WallTime(from * 60_000),
            to: WallTime(to * 60_000),
        }
    }

    fn gap(from: i64, to: i64, why: Why) -> Gap {
        let Range { from, to } = minutes(from, to);
        Gap { from, to, why }
    }

    #[test]
    fn files_that_join_are_one_span_and_what_is_missing_has_its_cause() {
        let files = files(&[
            (10, 11, Some(Why::Off)),
            (11, 12, None),
            (15, 16, Some(Why::Paused)),
            (16, 17, None),
        ]);
        let all = timeline(&files, minutes(0, 60), None);
        assert_eq!(all.spans, [minutes(10, 12), minutes(15, 17)]);
        assert_eq!(all.gaps, [gap(12, 15, Why::Paused)]);
        // Before the first there is nothing to miss.
        let now = Some((Why::Away, WallTime(30 * 60_000)));
        let all = timeline(&files, minutes(0, 60), now);
        assert_eq!(all.gaps.last(), Some(&gap(17, 30, Why::Away)));
        // A range within: what surrounds it is known.
        let part = timeline(&files, minutes(13, 16), now);
        assert_eq!(part.spans, [minutes(15, 16)]);
        assert_eq!(part.gaps, [gap(13, 15, Why::Paused)]);
    }

    #[test]
    fn a_range_in_a_gap_is_a_gap_while_it_lasts() {
        let files = files(&[(10, 11, Some(Why::Off)), (50, 51, Some(Why::Disk))]);
        let within = timeline(&files, minutes(20, 30), None);
        assert_eq!(
            (within.spans, within.gaps),
            (vec![], vec![gap(20, 30, Why::Disk)])
        );
        let now = Some((Why::Away, WallTime(99 * 60_000)));
        let later = timeline(&files, minutes(60, 70), now);
        assert_eq!(later.gaps, [gap(60, 70, Why::Away)]);
        assert_eq!(
            timeline(&Files::new(), minutes(0, 9), now),
            Timeline::default()
        );
    }

    #[test]
    fn a_clock_that_went_back_makes_spans_that_overlap_one() {
        let files = files(&[(10, 20, Some(Why::Off)), (15, 18, Some(Why::Clock))]);
        let all = timeline(&files, minutes(0, 60), None);
        assert_eq!((all.spans, all.gaps), (vec![minutes(10, 20)], vec![]));
    }
}
