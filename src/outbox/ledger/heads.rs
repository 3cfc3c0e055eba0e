//! Heads that were told, kept outside the database: who cuts the chain's end off, or puts an older copy of the database
//! back, is found out.
//!
//! In: the head of each health report. Out: witnesses for `verify`, also from files that a receiver of health reports keeps.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::verify::Witness;
use crate::{base::durable, flow::WallTime, wire::health::LedgerHead};

/// The file's name in `data_dir`.
const FILE: &str = "ledger.heads";
/// When it is this long its older half goes: some two thousand lines.
const LONGEST: u64 = 256 * 1024;

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Kept {
    at: WallTime,
    n: u64,
    hash: String,
}

/// Where heads are kept.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Keeps a head that is being told.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn keep(dir: &Path, at: WallTime, head: &LedgerHead) -> io::Result<()> {
    let path = path(dir);
    if fs::metadata(&path).is_ok_and(|meta| meta.len() > LONGEST) {
        let text = fs::read_to_string(&path)?;
        let newer = text
            .get(text.len() / 2..)
            .and_then(|half| half.split_once('\n'))
            .map_or("", |(_, newer)| newer);
        durable::write(&path, newer.as_bytes())?;
    }
    let kept = Kept {
        at,
        n: head.n,
        hash: head.hash.clone(),
    };
    let mut line = serde_json::to_string(&kept)?;
    line.push('\n');
    durable::append(&path)?.write_all(line.as_bytes())
}

/// Reads witnesses from lines: what [`keep`] writes, health reports as a receiver got them, or `N:HASH`. Other lines are
/// left out: one may have been torn by a power cut.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Witness>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Line {
        Kept(Kept),
        Health { ledger: LedgerHead },
    }
    let mut found = Vec::new();
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        let head = match serde_json::from_str(&line) {
            Ok(Line::Kept(kept)) => Some(LedgerHead {
                n: kept.n,
                hash: kept.hash,
            }),
            Ok(Line::Health { ledger }) => Some(ledger),
            Err(_) => parse(&line).ok(),
        };
        found.extend(head.map(|head| Witness {
            name: format!("{}", path.display()),
            head,
        }));
    }
    Ok(found)
}

/// Why a head was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no head of a ledger: write NUMBER:HASH, as \"lares ledger verify\" prints it")]
pub(crate) struct BadHead(String);

/// Reads `N:HASH`.
///
/// # Errors
/// When the text is anything else.
pub(crate) fn parse(text: &str) -> Result<LedgerHead, BadHead> {
    let bad = || BadHead(text.chars().take(100).collect());
    let (n, hash) = text.trim().split_once(':').ok_or_else(bad)?;
    let n = n.parse().map_err(|_| bad())?;
    let hash = hash.to_ascii_lowercase();
    if hex::decode(&hash).is_ok_and(|bytes| bytes.len() == 32) {
        Ok(LedgerHead { n, hash })
    } else {
        Err(bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back_and_the_file_stays_small() {
        let dir = tempfile::tempdir().unwrap();
        let head = |n: u64| LedgerHead {
            n,
            hash: hex::encode([n as u8; 32]),
        };
        for n in 1..=6_000 {
            keep(dir.path(), WallTime(n as i64), &head(n)).unwrap();
        }
        let file = path(dir.path());
        assert!(fs::metadata(&file).unwrap().len() <= LONGEST + 200);
        let kept = read(&file).unwrap();
        assert_eq!(kept.last().unwrap().head, head(6_000));
        let numbers: Vec<_> = kept.iter().map(|w| w.head.n).collect();
        let newest: Vec<_> = (6_001 - numbers.len() as u64..=6_000).collect();
        assert_eq!(numbers, newest, "the newest ones, without a gap");
        assert!(numbers.len() > 1_000);
    }

    #[test]
    fn reports_and_plain_heads_are_understood_and_torn_lines_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("heads");
        let hash = "ab".repeat(32);
        let lines = format!(
            "{{\"v\":1,\"site\":\"home\",\"ledger\":{{\"n\":7,\"hash\":\"{hash}\"}}}}\n8:{hash}\n{{\"at\":1,\"n\":9,\"ha"
        );
        fs::write(&file, lines).unwrap();
        let numbers: Vec<_> = read(&file).unwrap().iter().map(|w| w.head.n).collect();
        assert_eq!(numbers, [7, 8]);
        assert!(parse("7:abcd").is_err() && parse("x:y").is_err());
    }
}
