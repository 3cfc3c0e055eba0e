//! Whether a camera was watched as its kind asks for.

use std::time::{Duration, Instant};

use lares::{
    testing::films::RATE,
    vcam::quirk::{
        Seen,
        catalog::{Kind, Right},
    },
};

use super::street::{Look, Record};
use crate::program::lines_with;

/// Back at work after an end of the camera's making.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// The first picture, on a machine that tests and compiles.
const BEGINS_WITHIN: Duration = Duration::from_secs(9);
/// No camera here is silent for longer, but by its own doing.
const GAP: Duration = Duration::from_secs(4);
/// Time to stop, by SIGTERM.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// Most memory of an agent that watches a street, in MB; a debug build with two models takes a third of it.
const MEMORY: u64 = 900;
/// Tries to connect to a camera that never plays, in a quarter of a minute: 1, 2, 4 and 8 s lie between them, and each may
/// be two where another way is tried.
const TRIES: u64 = 14;

/// The outcome of one camera.
pub(super) struct Verdict {
    pub(super) name: &'static str,
    /// What was not as it must be.
    pub(super) wrong: Option<String>,
}

/// Judges a camera by all that was seen.
pub(super) fn judge(kind: &'static Kind, record: &Record) -> Verdict {
    let wrong = camera(kind, record).err();
    Verdict {
        name: kind.name,
        wrong: wrong.map(|why| format!("{why} ({})", kind.about)),
    }
}

/// Judges the agent by what must hold whatever its cameras do.
pub(super) fn judge_agent(record: &Record) -> Verdict {
    Verdict {
        name: "the agent",
        wrong: whole(record).err(),
    }
}

/// What lines of the log about a camera hold; one name may begin like another.
fn of(kind: &Kind) -> String {
    format!("camera={} ", kind.name)
}

fn must(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn whole(record: &Record) -> Result<(), String> {
    must(record.exit == Some(0), || {
        format!("exit status {:?}", record.exit)
    })?;
    let took = record.stopped_in;
    must(took < STOPS_WITHIN, || {
        let end: Vec<_> = record.log.lines().rev().take(2).collect();
        format!("it took {took:?} to stop: {end:?}")
    })?;
    let memory = record.memory;
    must(memory < MEMORY, || format!("the agent had {memory} MB"))?;
    let shown = record
        .secrets
        .iter()
        .find(|secret| record.told.contains(*secret));
    must(shown.is_none(), || "a password was shown".to_owned())?;
    must(!record.log.contains("panicked"), || {
        "a thread panicked".to_owned()
    })
}

fn camera(kind: &Kind, record: &Record) -> Result<(), String> {
    let looks = record.looks.get(kind.name).map_or(&[][..], Vec::as_slice);
    let last = looks.last().ok_or("health does not name it")?;
    let seen = &record.seen[kind.name];
    let tell = |why: String| {
        let log = lines_with(&record.log, &[&of(kind)]);
        let log = log.last().copied().unwrap_or_default();
        format!(
            "{why}; {} \"{}\", {} packets, {} sessions; {} connections; log: {log}",
            last.state, last.problem, last.packets, last.sessions, seen.connections
        )
    };
    let judged = match kind.right {
        Right::Plays => steady(kind, looks, seen).and_then(|()| silent(kind, looks, record)),
        Right::PlaysAndTells(words) => steady(kind, looks, seen).and_then(|()| {
            let told = looks.iter().any(|look| has(&look.problem, words));
            must(told, || format!("{words:?} was not told"))
        }),
        Right::PlaysAndMayTell(words) => steady(kind, looks, seen).and_then(|()| {
            let other = looks
                .iter()
                .find(|look| !look.problem.is_empty() && !has(&look.problem, words));
            must(other.is_none(), || {
                format!("something else was told than {words:?}")
            })
        }),
        Right::Returns => returns(seen, record.ended),
        Right::Recovers => flows(looks, BACK_WITHIN),
        Right::Learns => {
            let quiet = Duration::from_secs(u64::from(kind.seconds / 6));
            flows(looks, quiet)
        }
        Right::Tells(words) => tells(looks, words)
            .and_then(|()| once(kind, record))
            .and_then(|()| bounded(seen)),
        Right::Borne => bounded(seen),
    };
    judged.map_err(tell)
}

fn has(problem: &str, words: &[&str]) -> bool {
    words.iter().all(|word| problem.contains(word))
}

/// Pictures come from near the start to the end, at their rate and without gaps, in one session.
fn steady(kind: &Kind, looks: &[Look], seen: &Seen) -> Result<(), String> {
    let first = looks.iter().find(|look| look.packets > 0.0);
    let first = first.ok_or("no picture came")?;
    let last = looks.last().ok_or("no picture came")?;
    let begun = first.at;
    let patience = BEGINS_WITHIN + Duration::from_secs(u64::from(kind.seconds)).mul_f64(0.25);
    must(begun < patience, || {
        format!("the first picture came after {begun:?}")
    })?;
    let time = (last.at - first.at).as_secs_f64();
    let came = last.packets - first.packets;
    // The first second of a session counts for nothing: two looks are not as far apart as two pictures.
    let due = (time - 1.0).max(0.0) * f64::from(RATE) * kind.share;
    must(came >= due, || {
        format!("{came} of {} pictures came", time * f64::from(RATE))
    })?;
    let most = (time + 2.0) * f64::from(RATE) * 1.2;
    must(came <= most, || {
        format!("{came} pictures came in {time:.0} s")
    })?;
    let granted = seen.granted;
    must(granted == 1, || format!("PLAY was granted {granted} times"))?;
    must(last.state == "online", || {
        "it is not online at the end".to_owned()
    })?;
    let mut since = first;
    for look in looks.iter().filter(|look| look.at >= begun) {
        if look.packets > since.packets {
            since = look;
        }
        let gap = look.at - since.at;
        must(gap < GAP, || format!("nothing came for {gap:?}"))?;
    }
    Ok(())
}

/// Nothing is wrong, so nothing is told.
fn silent(kind: &Kind, looks: &[Look], record: &Record) -> Result<(), String> {
    let told = looks.iter().find(|look| !look.problem.is_empty());
    must(told.is_none(), || {
        format!("told: {}", told.map_or("", |look| &look.problem))
    })?;
    let warned = lines_with(&record.log, &[&of(kind), "WARN"]);
    must(warned.is_empty(), || format!("warned: {warned:?}"))?;
    // One connection may be told as two sessions where the stream seemed to begin again.
    let sessions = looks.last().map_or(0.0, |last| last.sessions);
    must(sessions < 1.5, || format!("{sessions} sessions"))?;
    let lost = record.lost[kind.name];
    must(lost == 0.0, || format!("{lost} packets dropped"))
}

/// The viewer was back after each end.
fn returns(seen: &Seen, ended: Instant) -> Result<(), String> {
    let absences = seen.absences();
    must(absences.len() >= 2, || {
        format!("{} ends in all", absences.len())
    })?;
    for (absence, end) in absences.iter().zip(&seen.ended) {
        let away = absence.unwrap_or(ended.saturating_duration_since(*end));
        must(away < BACK_WITHIN, || format!("away for {away:?}"))?;
    }
    Ok(())
}

/// In the last `quiet` pictures flow, in one session.
fn flows(looks: &[Look], quiet: Duration) -> Result<(), String> {
    let last = looks.last().ok_or("nothing was seen")?;
    let from = looks
        .iter()
        .rfind(|look| last.at.saturating_sub(look.at) >= quiet)
        .ok_or("it was looked at for too short a time")?;
    let came = last.packets - from.packets;
    let due = quiet.as_secs_f64() * f64::from(RATE) * 0.5;
    must(came >= due, || {
        format!("{came} pictures in the last {quiet:?}")
    })?;
    must(last.state == "online", || {
        "it is not online at the end".to_owned()
    })?;
    let sessions = last.sessions - from.sessions;
    must(sessions < 0.5, || {
        format!("{sessions} sessions in the last {quiet:?}")
    })
}

/// Health says that nothing comes, and why.
fn tells(looks: &[Look], words: &[&str]) -> Result<(), String> {
    let last = looks.last().ok_or("nothing was seen")?;
    must(last.state == "offline", || "it is not offline".to_owned())?;
    must(!last.problem.is_empty(), || "no problem is told".to_owned())?;
    must(has(&last.problem, words), || {
        format!("{words:?} is not told")
    })
}

/// The same is not told again at each try.
fn once(kind: &Kind, record: &Record) -> Result<(), String> {
    let warned = lines_with(&record.log, &[&of(kind), "WARN"]);
    must(warned.len() <= 2, || format!("told {} times", warned.len()))
}

/// It is not besieged.
fn bounded(seen: &Seen) -> Result<(), String> {
    must(seen.connections <= TRIES, || {
        format!("{} connections", seen.connections)
    })
}
