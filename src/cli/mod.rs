//! The command line: one file per command. In: arguments. Out: readable text or JSON, and an exit status.
//!
//! Results go to stdout through one writer; the log goes to stderr. The only room where errors lose their type.

mod capacity;
pub mod check;
pub mod config;
#[cfg(feature = "dev")]
pub mod dev;
pub mod ledger;
pub mod models;
pub mod outbox;
pub mod recordings;
pub mod replay;
pub mod run;
mod shutdown;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    base::{program, telemetry::LogStyle},
    hub::command as hub,
};

pub(crate) use crate::config::environment;
pub use crate::hub::command::{ConfigArg, DEFAULT_CONFIG};

/// Examples of the commands that every build has, and then `$last`.
macro_rules! examples {
    ($last:literal) => {
        concat!(
            "\
Examples:
  lares check --config lares.toml         say what works and what to do about what does not
  lares run --config lares.toml           watch the cameras of the configuration
  lares run --camera rtsp://10.0.0.2/live watch one camera without a configuration
  lares replay --json evening.mp4         what would have been reported in a recording
",
            $last
        )
    };
}

#[cfg(feature = "dev")]
const EXAMPLES: &str = examples!(
    "  lares demo --for 60s                    the whole way on this machine, with a virtual camera"
);
#[cfg(not(feature = "dev"))]
const EXAMPLES: &str =
    examples!("  lares hub --config hub.toml             receive what other boxes send");

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
    #[cfg(feature = "dev")]
    /// Measure what watching costs on this machine
    Bench(dev::bench::BenchArgs),
    #[cfg(feature = "dev")]
    /// Show the whole way on this machine, with a virtual camera
    Demo(dev::demo::DemoArgs),
    #[cfg(feature = "dev")]
    /// Serve videos as looping RTSP cameras
    Camera(dev::camera::CameraArgs),
    /// Receive what boxes send, without watching cameras
    Hub(hub::HubArgs),
    /// List what waits to be delivered, or try it again
    Outbox(outbox::OutboxArgs),
    /// Show, verify or export what left this home
    Ledger(ledger::LedgerArgs),
    /// List, export or verify what was recorded round the clock
    Recordings(recordings::RecordingsArgs),
    /// List the models, or verify them against their cards
    Models(models::ModelsArgs),
    #[cfg(feature = "dev")]
    #[command(hide = true)]
    Receive(dev::receive::ReceiveArgs),
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    // One TLS provider for all of MQTT, S3 and HTTP. Fails only if one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let mut stdout = io::stdout();
    let result = start_logging(&cli).and_then(|()| dispatch(cli.command, &mut stdout));
    program::exit("lares", result)
}

fn dispatch(command: Command, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::run(&args, out),
        Command::Config(args) => config::run(&args, out),
        Command::Replay(args) => replay::run(&args, out),
        #[cfg(feature = "dev")]
        Command::Bench(args) => dev::bench::run(&args, out),
        #[cfg(feature = "dev")]
        Command::Demo(args) => dev::demo::run(&args, out),
        #[cfg(feature = "dev")]
        Command::Camera(args) => dev::camera::run(args, out).map(|()| ExitCode::SUCCESS),
        Command::Hub(args) => hub::run(&args, out),
        Command::Outbox(args) => outbox::run(&args, out),
        Command::Ledger(args) => ledger::run(&args, out),
        Command::Recordings(args) => recordings::run(&args, out),
        Command::Models(args) => models::run(&args, out),
        #[cfg(feature = "dev")]
        Command::Receive(args) => dev::receive::run(&args),
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
    program::start_logging(&LogStyle { filter, json })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
