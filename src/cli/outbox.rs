//! `lares outbox`: what waits to be delivered, and what was parked; and trying it again.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Subcommand;
use jiff::Timestamp;

use super::{ConfigArg, environment};
use crate::{config::Config, flow::IncidentId, outbox};

const EXAMPLES: &str = "\
Examples:
  lares outbox ls                              what waits or was refused, and why
  lares outbox check                           whether database, ledger and files are sound
  lares outbox retry                           try everything that was refused again
  lares outbox --data-dir /var/lib/lares ls    without a configuration";

/// List what waits to be delivered, or try it again.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct OutboxArgs {
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
    /// A line for each alert or object that waits or was refused
    Ls,
    /// Check the database, the ledger and the files that are still to leave
    Check,
    /// Put what was refused back among what waits
    Retry {
        /// Only of this incident, and what the data plan holds back of it [default: everything refused]
        incident: Option<IncidentId>,
    },
}

/// Lists or retries; may be used while the agent runs.
///
/// # Errors
/// When there is no outbox, or it cannot be used.
pub fn run(args: &OutboxArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?.unwrap_or_else(|| {
        Config::for_camera("rtsp://unused/", &environment()).expect("the address is sound")
    });
    let dir = args.data_dir.as_ref().unwrap_or(&config.data_dir);
    match &args.action {
        Action::Ls => {
            let rows = outbox::list(dir, &config.outbox.budget)?;
            for row in &rows {
                let since = Timestamp::from_millisecond(row.start.0)
                    .map_or_else(|_| "?".to_owned(), |t| t.to_string());
                let state = match (row.parked, row.held) {
                    (true, _) => "refused",
                    (false, true) => "held   ",
                    (false, false) => "waiting",
                };
                let problem = row.problem.as_deref().unwrap_or("");
                writeln!(
                    out,
                    "{since}  {state}  {} tries  {:>9}  {}  {problem}",
                    row.attempts,
                    row.bytes,
                    if row.what.starts_with("alert") {
                        format!("{} of {} to {}", row.what, row.incident, row.to)
                    } else {
                        row.what.clone()
                    },
                )?;
            }
            if rows.iter().any(|row| row.held) {
                writeln!(
                    out,
                    "\"held\" waits for the data plan in [data_plan]: \"lares outbox retry INCIDENT\" sends one visit first."
                )?;
            }
            if rows.is_empty() {
                writeln!(out, "Nothing waits: everything has been delivered.")?;
            }
        }
        Action::Check => {
            let checked = outbox::check(dir)?;
            for problem in &checked.problems {
                writeln!(out, "{problem}")?;
            }
            if !checked.problems.is_empty() {
                writeln!(
                    out,
                    "The outbox is damaged: see docs/durability.md for what can be done."
                )?;
                return Ok(ExitCode::FAILURE);
            }
            writeln!(
                out,
                "The database and the ledger are sound; {} files are still to leave, each as it was entered.",
                checked.files
            )?;
        }
        Action::Retry { incident } => {
            let rows = outbox::retry(dir, *incident)?;
            writeln!(out, "{rows} will be tried again.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
