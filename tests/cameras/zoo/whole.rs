//! `make zoo`: every case, then a soak.

use std::{env, fs, time::Duration};

use lares::vcam::quirk::{
    Camera, End,
    catalog::{self, CATALOG, Films, Kind},
};

use super::{
    GOOD, family,
    judge::{Verdict, judge, judge_agent},
    street::{record, watch},
};

/// How long the soak takes unless SOAK says otherwise, in seconds.
const SOAK: u64 = 600;
/// The kinds of the soak beside the good camera, of every family.
const SOAKED: &[&str] = &[
    "marker-every-nal",
    "ssrc-each-gop",
    "stranger",
    "joined",
    "clock-frozen",
    "pieces",
    "reordered",
    "h265-reordered",
    "jpeg",
    "sprop-no-pps",
    "untidy",
    "control-star",
    "asks-back",
    "stray-answers",
    "keepalive-unanswered",
    "nonce-renewed",
    "udp-lossy",
    "falls-silent",
    "answers-flood",
    "drips",
    "refuses-always",
];
/// Cameras of the soak whose connections are each reset every ten seconds.
const RESET: &[&str] = &[
    "reset-1", "reset-2", "reset-3", "reset-4", "reset-5", "reset-6",
];

fn resets() -> impl Iterator<Item = &'static Kind> {
    let kind = |name: &&'static str| {
        let reset = catalog::find("reset").unwrap();
        let make = |films: &Films| Camera {
            before: |turn| {
                if turn.picture == 100 {
                    turn.end = Some(End::Reset);
                }
            },
            ..(catalog::find("reset").unwrap().make)(films)
        };
        &*Box::leak(Box::new(Kind {
            name,
            make,
            ..*reset
        }))
    };
    RESET.iter().map(kind)
}

/// Runs everything and writes the last line to the file that ZOO_REPORT names.
///
/// # Panics
/// When a case is wrong, or the good camera loses something.
#[test]
#[ignore = "make zoo: ten minutes and more"]
fn the_whole_zoo() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    let mut note = |verdicts: Vec<Verdict>| {
        for Verdict { name, wrong: why } in verdicts {
            cases += 1;
            match why {
                None => println!("right  {name}"),
                Some(why) => {
                    println!("WRONG  {name}: {why}");
                    wrong.push(name);
                }
            }
        }
    };
    for (name, _) in CATALOG {
        let kinds = family(name);
        let mut verdicts = watch(&kinds);
        // The agent and the good camera count where they suffer; the camera also with its own family.
        let counts = |verdict: &Verdict| {
            let always = kinds[1..].iter().any(|kind| kind.name == verdict.name);
            always || verdict.wrong.is_some() || (*name == "packets" && verdict.name == GOOD)
        };
        verdicts.retain(counts);
        note(verdicts);
    }
    let seconds = env::var("SOAK").ok().and_then(|text| text.parse().ok());
    let seconds = seconds.unwrap_or(SOAK);
    let soaked: Vec<&'static Kind> = [GOOD]
        .iter()
        .chain(SOAKED)
        .map(|name| catalog::find(name).unwrap())
        .chain(resets())
        .collect();
    let street = record(&soaked, Duration::from_secs(seconds));
    println!(
        "soak: {} MB at most, {:.2} CPU s/s",
        street.memory, street.load
    );
    let judged = [GOOD].into_iter().chain(RESET.iter().copied());
    let judged = judged.map(|name| {
        let kind = soaked.iter().find(|kind| kind.name == name).unwrap();
        judge(kind, &street)
    });
    note(judged.collect());
    if let agent @ Verdict { wrong: Some(_), .. } = judge_agent(&street) {
        note(vec![agent]);
    }
    let dropped = street.lost[GOOD] + street.replaced[GOOD];
    let line = format!(
        "zoo: {cases} cases, {} right; soak: {} cameras, {seconds} s, {dropped} dropped by the good one",
        cases - wrong.len(),
        soaked.len()
    );
    if let Ok(file) = env::var("ZOO_REPORT") {
        fs::write(file, format!("{line}\n")).unwrap();
    }
    println!("{line}");
    assert!(wrong.is_empty() && dropped == 0.0, "{wrong:?}");
}
