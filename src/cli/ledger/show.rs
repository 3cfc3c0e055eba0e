//! The ledger in plain words: for each day what left, to whom and how much, and what was done here.

use std::{fmt::Write as _, io::Write};

use rusqlite::Connection;
use serde::Deserialize;

use super::{day_text, time_text};
use crate::{
    config::ByteSize,
    outbox::ledger::{
        self, HERE,
        read::{self, Line, Range, Total},
        rotate,
    },
};

/// Writes every day of `range`.
pub(super) fn run(db: &Connection, range: &Range, out: &mut dyn Write) -> anyhow::Result<()> {
    let days = read::days(db, range)?;
    if days.is_empty() {
        writeln!(out, "Nothing has left in this time.")?;
        return Ok(());
    }
    writeln!(out, "What left this home. Days and times are UTC.")?;
    if let Some(checkpoint) = rotate::newest(db)? {
        for (recipient, gone) in &checkpoint.totals {
            writeln!(
                out,
                "Before that, and not listed any more: {} in {} parts to {recipient}.",
                ByteSize(gone.bytes),
                gone.records
            )?;
        }
    }
    let mut all = Total {
        day: 0,
        recipient: String::new(),
        records: 0,
        bytes: 0,
        on_wire: 0,
    };
    for day in days {
        writeln!(out, "\n{}", day_text(day))?;
        for total in read::totals(db, range, day)? {
            writeln!(out, "  in all {} to {}", amount(&total), total.recipient)?;
            all.records += total.records;
            all.bytes += total.bytes;
            all.on_wire += total.on_wire;
        }
        read::lines(db, range, day, |line| {
            Ok(writeln!(out, "  {}", told(line))?)
        })?;
    }
    writeln!(out, "\nIn all {} left in this time.", amount(&all))?;
    Ok(())
}

fn amount(total: &Total) -> String {
    format!(
        "{} (about {} with what the network adds)",
        ByteSize(total.bytes),
        ByteSize(total.on_wire)
    )
}

/// One line of a day.
fn told(line: &Line) -> String {
    let mut text = time_text(line.at, "%H:%M:%S");
    if let Some(camera) = &line.camera {
        let _ = write!(text, "  {camera}");
    }
    let kind = line.kinds.first().map_or("", |(kind, _)| kind.as_str());
    let size = ByteSize(line.bytes);
    if line.recipient != HERE {
        if kind == ledger::LIVE {
            let _ = write!(
                text,
                "  state and signs of life over the day, {size} to {}",
                line.recipient
            );
            return text;
        }
        let _ = write!(text, "  {}, {size} to {}", parts(line), line.recipient);
        if line.until.0 > 0 {
            let _ = write!(
                text,
                "; kept here until {}",
                time_text(line.until, "%Y-%m-%d")
            );
        }
        return text;
    }
    let detail = line.detail.as_deref().unwrap_or_default();
    let _ = match kind {
        ledger::DELETED => write!(
            text,
            "  deleted here: a visit's {} files, {size} ({detail})",
            line.count
        ),
        ledger::MODE => write!(text, "  set to {detail}"),
        ledger::CONFIG => write!(text, "  {}", configuration(detail)),
        ledger::CHECKPOINT => write!(text, "  records older than 12 months were cut off"),
        other => write!(text, "  {other}"),
    };
    if let Some(account) = &line.account {
        let _ = write!(text, " by {account}");
    }
    text
}

fn configuration(detail: &str) -> String {
    #[derive(Deserialize)]
    struct Change {
        first: bool,
        changed: Vec<String>,
        more: u64,
    }
    match serde_json::from_str::<Change>(detail) {
        Ok(change) if change.first => "first start with this configuration".to_owned(),
        Ok(change) if change.more > 0 => format!(
            "the configuration changed: {} and {} more",
            change.changed.join(", "),
            change.more
        ),
        Ok(change) => format!("the configuration changed: {}", change.changed.join(", ")),
        Err(_) => "the configuration changed".to_owned(),
    }
}

/// "3 alerts, 2 pictures, 5 parts of the clip".
fn parts(line: &Line) -> String {
    const NAMES: [(&[&str], &str, &str); 4] = [
        (&["alert"], "alert", "alerts"),
        (&["thumb", "crop"], "picture", "pictures"),
        (&["init", "media"], "part of the clip", "parts of the clip"),
        (&["playlist", "facts"], "description", "descriptions"),
    ];
    let mut said = Vec::new();
    let mut left: u64 = line.kinds.iter().map(|(_, count)| count).sum();
    for (kinds, one, many) in NAMES {
        let of_these = line
            .kinds
            .iter()
            .filter(|(kind, _)| kinds.contains(&kind.as_str()));
        let count: u64 = of_these.map(|(_, count)| count).sum();
        left -= count;
        match count {
            0 => {}
            1 => said.push(format!("1 {one}")),
            count => said.push(format!("{count} {many}")),
        }
    }
    if left > 0 {
        said.push(format!("{left} other"));
    }
    said.join(", ")
}
