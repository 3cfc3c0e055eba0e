//! Whether what a document of a box says can be at all: times, sizes, counts, lengths. The door of each receiver.
//!
//! In: documents that were read. Out: yes, or what is out of range. A receiver refuses such a document as a whole, counts it
//! and says so: one bad document must not hide others, blank a page or fill a disk.

use super::{Health, IncidentMessage};
use crate::flow::WallTime;

/// Longest message of an incident, in bytes: usual ones have one or two thousand.
pub const LONGEST_INCIDENT: usize = 32 * 1024;
/// Longest health report: one with the most cameras and problems.
pub const LONGEST_HEALTH: usize = 256 * 1024;
/// Most cameras of one site.
pub const MOST_CAMERAS: usize = 256;

/// 2100-01-01; later times are no times.
const LATEST: i64 = 4_102_444_800_000;
/// Longest name, in bytes.
const LONGEST_NAME: usize = 256;
/// Longest sentence or key, in bytes.
const LONGEST_TEXT: usize = 4096;
/// Most zones, rules, receivers or problems.
const MOST: usize = 64;
/// Most of anything that is counted; beyond it a program that reads JSON loses digits.
const MOST_COUNTED: u64 = 1 << 53;
/// The next report comes within this time.
const NEXT_REPORT_MS: i64 = 7 * 24 * 3_600_000;

/// Why a document cannot be.
pub type OutOfRange = &'static str;

fn time(at: WallTime) -> Result<(), OutOfRange> {
    ok((0..=LATEST).contains(&at.0), "a time is no time")
}

fn ok(is: bool, what: OutOfRange) -> Result<(), OutOfRange> {
    if is { Ok(()) } else { Err(what) }
}

fn short<'a>(texts: impl IntoIterator<Item = &'a str>, most: usize) -> Result<(), OutOfRange> {
    texts
        .into_iter()
        .try_for_each(|text| ok(text.len() <= most, "a text is too long"))
}

fn share(value: f32, what: OutOfRange) -> Result<(), OutOfRange> {
    ok((0.0..=1.0).contains(&value), what)
}

/// Whether such an incident can be.
///
/// # Errors
/// What is out of range.
pub fn incident(message: &IncidentMessage) -> Result<(), OutOfRange> {
    let IncidentMessage {
        v,
        n,
        seq,
        start,
        end,
        sent,
        score,
        zones,
        rules,
        why,
        tracks,
        purpose,
        thumbnail,
        clip,
        ..
    } = message;
    ok(*v >= 1, "its version is no version")?;
    ok(
        n.is_none_or(|n| (1..MOST_COUNTED).contains(&n)) && *seq >= 1,
        "its number is no number",
    )?;
    [*start, *sent].into_iter().chain(*end).try_for_each(time)?;
    share(*score, "its score is none")?;
    if let Some(why) = why {
        ok(
            why.evidence.is_finite() && why.height.is_finite(),
            "its reason is none",
        )?;
    }
    ok(
        zones.len() <= MOST && rules.len() <= MOST,
        "it has too many zones or rules",
    )?;
    short(zones.iter().map(String::as_str), LONGEST_NAME)?;
    short(rules.iter().map(|rule| rule.name.as_str()), LONGEST_NAME)?;
    short([purpose.as_str()], LONGEST_TEXT)?;
    short(
        thumbnail.iter().chain(&clip.key).map(String::as_str),
        LONGEST_TEXT,
    )?;
    ok(
        *tracks <= 1_000_000 && clip.segments <= 1_000_000 && clip.bytes < MOST_COUNTED,
        "a count is too large",
    )
}

/// Whether such a report can be.
///
/// # Errors
/// What is out of range.
pub fn health(health: &Health) -> Result<(), OutOfRange> {
    time(health.at)?;
    if let Some(next) = health.next_by {
        time(next)?;
        ok(
            next.0 - health.at.0 <= NEXT_REPORT_MS,
            "the next report is too far away",
        )?;
    }
    ok(
        health.cameras.len() <= MOST_CAMERAS
            && health.sinks.len() <= MOST
            && health.problems.len() <= MOST_CAMERAS,
        "it lists too much",
    )?;
    short([health.version.as_str()], LONGEST_NAME)?;
    short(health.problems.iter().map(String::as_str), LONGEST_TEXT)?;
    for camera in &health.cameras {
        short(
            camera
                .name
                .iter()
                .chain([&camera.state])
                .map(String::as_str),
            LONGEST_NAME,
        )?;
        short(camera.problem.iter().map(String::as_str), LONGEST_TEXT)?;
    }
    for sink in &health.sinks {
        short([sink.name.as_str()], LONGEST_NAME)?;
        short(sink.problem.iter().map(String::as_str), LONGEST_TEXT)?;
    }
    let counted = [
        health.disk.stored,
        health.disk.quota,
        health.disk.free,
        health.budget.last_day,
        health.budget.last_30_days,
    ];
    ok(
        counted.iter().all(|count| *count < MOST_COUNTED),
        "a count is too large",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message() -> Value {
        json!({
            "v": 1, "n": 1, "id": "01990000-0000-7000-8000-000000000001", "seq": 1, "state": "ended", "end_reason": "left",
            "site": "home", "camera": "door", "label": "person", "start": 1_770_000_000_000i64,
            "end": 1_770_000_008_500i64, "sent": 1_770_000_009_000i64, "clock": "good", "score": 0.9, "zones": ["gate"],
            "tracks": 1, "mode": "armed", "thumbnail": null,
            "clip": {"key": null, "state": "none", "segments": 0, "bytes": 0},
        })
    }

    fn refused(field: &str, value: Value) -> bool {
        let mut json = message();
        json[field] = value;
        match serde_json::from_value::<IncidentMessage>(json) {
            Ok(message) => incident(&message).is_err(),
            Err(_) => true,
        }
    }

    #[test]
    fn what_boxes_send_passes_also_without_a_clock() {
        assert!(!refused("n", json!(null)));
        assert!(!refused("start", json!(5_000_000)), "1970: no clock yet");
        assert!(!refused("start", json!(2_082_758_400_000i64)), "2036");
        assert!(!refused("zones", json!(vec!["gate"; 64])));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (field, value) in [
            ("start", json!(9_000_000_000_000_000i64)),
            ("start", json!(-1)),
            ("end", json!(i64::MAX)),
            ("sent", json!(i64::MIN)),
            ("n", json!(0)),
            ("n", json!(u64::MAX)),
            ("seq", json!(0)),
            ("score", json!(1e30)),
            ("score", json!(-0.5)),
            ("tracks", json!(u32::MAX)),
            ("zones", json!(vec!["gate"; 65])),
            ("zones", json!(["x".repeat(257)])),
            ("purpose", json!("x".repeat(4097))),
            ("thumbnail", json!("x".repeat(4097))),
            (
                "clip",
                json!({"key": null, "state": "none", "segments": 0, "bytes": u64::MAX}),
            ),
        ] {
            assert!(refused(field, value.clone()), "{field} {value}");
        }
    }

    #[test]
    fn reports_that_cannot_be_are_refused() {
        let disk = crate::wire::health::DiskHealth {
            stored: 0,
            quota: 1,
            free: 1,
        };
        let site: crate::flow::SiteId = "home".parse().unwrap();
        let at = WallTime(1_770_000_000_000);
        let good = Health::new(site, at, crate::flow::ClockState::Good, disk);
        assert_eq!(health(&good), Ok(()));
        let with = |change: &dyn Fn(&mut Health)| {
            let mut report = good.clone();
            change(&mut report);
            health(&report).is_err()
        };
        assert!(with(&|report| report.next_by = Some(WallTime(i64::MAX))));
        assert!(with(
            &|report| report.next_by = Some(WallTime(at.0 + NEXT_REPORT_MS + 1))
        ));
        assert!(with(&|report| report.problems = vec![String::new(); 257]));
        assert!(with(&|report| report.problems = vec!["x".repeat(4097)]));
        assert!(with(&|report| report.disk.free = u64::MAX));
    }
}
