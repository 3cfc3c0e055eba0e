//! The command line: one file per command. In: arguments. Out: readable text or JSON, and an exit status.
//!
//! Results go to stdout through one writer; the log goes to stderr. The only room where errors lose their type.

pub mod bench;
pub mod camera;
mod capacity;
pub mod check;
pub mod config;
pub mod demo;
pub mod hub;
pub mod ledger;
mod limits;
pub mod models;
mod neighbours;
pub mod outbox;
mod receive;
pub mod replay;
pub mod run;
mod stop;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};

use crate::{
    base::telemetry::{LogStyle, start_log},
    config::Config,
};

pub(crate) use crate::config::environment;

const EXAMPLES: &str = "\
Examples:
  lares check --config lares.toml         say what works and what to do about what does not
  lares run --config lares.toml           watch the cameras of the configuration
  lares run --camera rtsp://10.0.0.2/live watch one camera without a configuration
  lares replay --json evening.mp4         what would have been reported in a recording
  lares demo --for 60s                    the whole way on this machine, with a virtual camera";

/// Video surveillance at the edge: sleeps beside your cameras, wakes for people, sends only what matters.
#[derive(Debug, Parser)]
#[command(name = "lares", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Log filter, such as "debug" or "info,lares=debug"; wins over the configuration.
    #[arg(long, global = true, env = "LARES_LOG")]
    log: Option<String>,
    /// Log as JSON lines.
    #[arg(long, global = true)]
    log_json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the cameras until stopped
    Run(run::RunArgs),
    /// Say in plain words what works and what to do about what does not
    Check(check::CheckArgs),
    /// Migrate the configuration, or print its sample or schema
    Config(config::ConfigArgs),
    /// Run recordings through the very same lanes
    Replay(replay::ReplayArgs),
    /// Measure what watching costs on this machine
    Bench(bench::BenchArgs),
    /// Show the whole way on this machine, with a virtual camera
    Demo(demo::DemoArgs),
    /// Serve videos as looping RTSP cameras
    Camera(camera::CameraArgs),
    /// Receive what boxes send, without watching cameras
    Hub(hub::HubArgs),
    /// List what waits to be delivered, or try it again
    Outbox(outbox::OutboxArgs),
    /// Show, verify or export what left this home
    Ledger(ledger::LedgerArgs),
    /// List the models, or verify them against their cards
    Models(models::ModelsArgs),
    #[command(hide = true)]
    Receive(receive::ReceiveArgs),
}

/// Where a command finds its configuration.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArg {
    /// Configuration file [default: lares.toml where it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How long a command without a configured grace may take to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// The file that is read when none is named.
const DEFAULT_CONFIG: &str = "lares.toml";

impl ConfigArg {
    /// The configuration: the file named, or `lares.toml` where it exists; else none.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn load(&self) -> anyhow::Result<Option<Config>> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None if Path::new(DEFAULT_CONFIG).exists() => PathBuf::from(DEFAULT_CONFIG),
            None => return Ok(None),
        };
        Ok(Some(Config::load(&path, &environment())?))
    }
}

/// An error with its causes, each said once: many an error says its cause in its own sentence.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    // One TLS provider for all of MQTT, S3 and HTTP. Fails only if one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let mut stdout = io::stdout();
    let result = start_logging(&cli).and_then(|()| dispatch(cli.command, &mut stdout));
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "lares: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::run(&args, out),
        Command::Config(args) => config::run(&args, out),
        Command::Replay(args) => replay::run(&args, out),
        Command::Bench(args) => bench::run(&args, out),
        Command::Demo(args) => demo::run(&args, out),
        Command::Camera(args) => camera::run(args, out).map(|()| ExitCode::SUCCESS),
        Command::Hub(args) => hub::run(&args, out),
        Command::Outbox(args) => outbox::run(&args, out),
        Command::Ledger(args) => ledger::run(&args, out),
        Command::Models(args) => models::run(&args, out),
        Command::Receive(args) => receive::run(&args),
    }
}

/// `lares run` logs at "info" or as its configuration says, the others only what is wrong.
fn start_logging(cli: &Cli) -> anyhow::Result<()> {
    let configured = match &cli.command {
        Command::Run(run::RunArgs { config, .. }) | Command::Hub(hub::HubArgs { config, .. }) => {
            config.load().ok().flatten().map(|config| config.log)
        }
        _ => None,
    };
    let quiet = match &cli.command {
        Command::Run(_) | Command::Hub(_) => "info",
        // Its findings say it already.
        Command::Check(_) => "error",
        _ => "warn",
    };
    let filter = match (&cli.log, &configured) {
        (Some(filter), _) => filter.clone(),
        (None, Some(log)) => log.level.clone(),
        (None, None) => quiet.to_owned(),
    };
    let json = cli.log_json || configured.is_some_and(|log| log.json);
    start_log(&LogStyle { filter, json }).map_err(|error| {
        anyhow::anyhow!("the log filter cannot be read ({error}): write error, warn, info, debug, or a filter like \"info,lares=debug\"")
    })
}

/// Whether the reader of stdout has gone, which is no fault.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let cause = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let path = std::path::PathBuf::from("lares.toml");
        let source = cause();
        let said = sentence(&crate::config::ConfigError::Unreadable { path, source }.into());
        assert_eq!(said.matches(&cause().to_string()).count(), 1, "{said}");
        let said = sentence(&anyhow::Error::from(cause()).context("cannot write"));
        assert_eq!(said, format!("cannot write: {}", cause()));
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
