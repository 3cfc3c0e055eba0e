//! `lares ledger`: what left this home, as text and as JSON; and whether the record of it is whole.
//!
//! May be used while the agent runs. Reads one record at a time, however long the ledger is.

mod export;
mod show;
mod verify;

use std::{io::Write, path::PathBuf, process::ExitCode, str::FromStr};

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;

use super::{ConfigArg, environment};
use crate::{
    config::{Config, parse_duration},
    flow::{CameraId, WallTime},
    outbox::{
        self,
        ledger::{
            heads,
            read::{DAY_MS, Range},
        },
    },
    wire::health::LedgerHead,
};

const EXAMPLES: &str = "\
Examples:
  lares ledger show --since \"7 d\"                    what left in the last week, day by day
  lares ledger show --since 2026-11-01 --camera door a month of one camera
  lares ledger verify                                is it whole, and the one that the broker saw?
  lares ledger verify --head 812:5f3a...             ... and the one that was written down elsewhere?
  lares ledger export --format csv > ledger.csv      every record, for a spreadsheet
  lares ledger export --totals                       sums by day and recipient, as JSON lines";

/// Show, verify or export what left this home.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct LedgerArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The data folder [default: the configuration's]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// What left, when, to whom and how much, in plain words
    Show {
        #[command(flatten)]
        range: RangeArgs,
    },
    /// Check that no record was changed or taken out
    Verify {
        /// A head that was written down elsewhere, as this command prints it; may be given more than once
        #[arg(long, value_name = "NUMBER:HASH", value_parser = heads::parse)]
        head: Vec<LedgerHead>,
        /// Heads that a receiver keeps: health reports, one on each line, or NUMBER:HASH
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        /// Do not ask the broker for the health report that it keeps
        #[arg(long)]
        offline: bool,
    },
    /// Every record, for programs
    Export {
        #[command(flatten)]
        range: RangeArgs,
        /// How it is written
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Format,
        /// Sums by day and recipient instead of records
        #[arg(long)]
        totals: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object on each line
    Jsonl,
    /// A table for spreadsheets
    Csv,
}

#[derive(Debug, Clone, clap::Args)]
struct RangeArgs {
    /// From this day or moment on: 2026-11-01, 2026-11-01T18:00:00Z, or "7 d" ago
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Before this day or moment
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only what this camera saw
    #[arg(long, value_name = "ID")]
    camera: Option<CameraId>,
}

impl RangeArgs {
    fn range(&self) -> Range {
        let all = Range::default();
        Range {
            since: self.since.map_or(all.since, |moment| moment.0),
            until: self.until.map_or(all.until, |moment| moment.0),
            camera: self.camera.as_ref().map(ToString::to_string),
        }
    }
}

/// A moment as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) WallTime);

/// Why a moment was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no moment: write a day like 2026-11-01, a time like 2026-11-01T18:00:00Z, or how long ago, like \"7 d\""
)]
pub(super) struct BadMoment(String);

impl FromStr for Moment {
    type Err = BadMoment;

    fn from_str(text: &str) -> Result<Self, BadMoment> {
        let at = |moment: Timestamp| Self(WallTime(moment.as_millisecond()));
        if let Ok(ago) = parse_duration(text) {
            let now = Timestamp::now().as_millisecond();
            let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            return Ok(Self(WallTime(now.saturating_sub(ago))));
        }
        text.parse()
            .or_else(|_| format!("{text}T00:00:00Z").parse())
            .map(at)
            .map_err(|_| BadMoment(text.chars().take(40).collect()))
    }
}

/// Shows, verifies or exports. The exit status of `verify` is 1 where anything is wrong.
///
/// # Errors
/// When there is no outbox, it cannot be used, or the answer cannot be written.
pub fn run(args: &LedgerArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    let dir = match (&args.data_dir, &config) {
        (Some(dir), _) => dir.clone(),
        (None, Some(config)) => config.data_dir.clone(),
        (None, None) => {
            Config::for_camera("rtsp://unused/", &environment())
                .expect("the address is sound")
                .data_dir
        }
    };
    let db = outbox::open_ledger(&dir)?;
    match &args.action {
        Action::Show { range } => show::run(&db, &range.range(), out)?,
        Action::Export {
            range,
            format,
            totals,
        } => {
            let range = range.range();
            match totals {
                true => export::totals(&db, &range, *format, out)?,
                false => export::records(&db, &range, *format, out)?,
            }
        }
        Action::Verify {
            head,
            heads,
            offline,
        } => {
            let config = config.as_ref().filter(|_| !offline);
            let witnesses = verify::witnesses(&dir, head, heads.as_deref(), config)?;
            return verify::run(&db, &witnesses, out);
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// `2026-11-26`, in UTC.
fn day_text(day: i64) -> String {
    time_text(WallTime(day.saturating_mul(DAY_MS)), "%Y-%m-%d")
}

fn time_text(at: WallTime, format: &str) -> String {
    Timestamp::from_millisecond(at.0)
        .map_or_else(|_| "?".to_owned(), |time| time.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_times_and_how_long_ago() {
        let read = |text: &str| text.parse::<Moment>().map(|moment| moment.0.0);
        assert_eq!(read("1970-01-02"), Ok(DAY_MS));
        assert_eq!(read("1970-01-01T00:00:01Z"), Ok(1_000));
        let week = Timestamp::now().as_millisecond() - read("7 d").unwrap();
        assert!((7 * DAY_MS..7 * DAY_MS + 60_000).contains(&week), "{week}");
        assert!(read("yesterday").unwrap_err().to_string().contains("7 d"));
    }
}
