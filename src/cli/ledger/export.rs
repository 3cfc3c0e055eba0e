//! The ledger for programs: JSON Lines or CSV, a record or a total on each line.
//!
//! A record's JSON is the very text that was hashed, with `hash` and `on_wire` after it, so that any program can check the
//! chain (docs/ledger.md).

use std::io::Write;

use rusqlite::Connection;
use serde_json::json;

use super::{Format, day_text, time_text};
use crate::outbox::ledger::{
    Record,
    overhead::{Sum, on_wire},
    read::{self, Range},
};

const RECORD_COLUMNS: &str = "seq,at,kind,incident,camera,recipient,bytes,on_wire,purpose,until,receipt,count,account,detail,hash";
const TOTAL_COLUMNS: &str = "day,recipient,records,bytes,on_wire";

/// Writes every record of `range`.
pub(super) fn records(
    db: &Connection,
    range: &Range,
    format: Format,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if format == Format::Csv {
        writeln!(out, "{RECORD_COLUMNS}")?;
    }
    read::each(db, range, |record| {
        match format {
            Format::Jsonl => writeln!(out, "{}", line(record))?,
            Format::Csv => writeln!(out, "{}", row(record))?,
        }
        Ok(())
    })
}

fn wire(record: &Record) -> u64 {
    let sum = Sum {
        records: 1,
        count: record.count.unwrap_or(0),
        bytes: record.bytes,
    };
    match record.is_local() {
        true => 0,
        false => on_wire(&record.kind, &record.recipient, sum),
    }
}

fn line(record: &Record) -> String {
    let sealed = record.sealed_json();
    let open = sealed.strip_suffix('}').unwrap_or(&sealed);
    let hash = hex::encode(record.hash);
    format!("{open},\"hash\":\"{hash}\",\"on_wire\":{}}}", wire(record))
}

fn row(record: &Record) -> String {
    let time = |at| time_text(at, "%Y-%m-%dT%H:%M:%S%.3fZ");
    let text = |field: &Option<String>| cell(field.as_deref().unwrap_or_default());
    [
        record.seq.to_string(),
        time(record.at),
        cell(&record.kind),
        text(&record.incident),
        text(&record.camera),
        cell(&record.recipient),
        record.bytes.to_string(),
        wire(record).to_string(),
        cell(&record.purpose),
        match record.until.0 {
            0 => String::new(),
            _ => time(record.until),
        },
        text(&record.receipt),
        record
            .count
            .map_or(String::new(), |count| count.to_string()),
        text(&record.account),
        text(&record.detail),
        hex::encode(record.hash),
    ]
    .join(",")
}

/// Quoted where it must be. A spreadsheet must not take text for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Writes the sums of every day of `range`.
pub(super) fn totals(
    db: &Connection,
    range: &Range,
    format: Format,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if format == Format::Csv {
        writeln!(out, "{TOTAL_COLUMNS}")?;
    }
    for day in read::days(db, range)? {
        for total in read::totals(db, range, day)? {
            let day = day_text(total.day);
            match format {
                Format::Jsonl => writeln!(
                    out,
                    "{}",
                    json!({
                        "day": day,
                        "recipient": total.recipient,
                        "records": total.records,
                        "bytes": total.bytes,
                        "on_wire": total.on_wire,
                    })
                )?,
                Format::Csv => writeln!(
                    out,
                    "{day},{},{},{},{}",
                    cell(&total.recipient),
                    total.records,
                    total.bytes,
                    total.on_wire
                )?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
    }
}
