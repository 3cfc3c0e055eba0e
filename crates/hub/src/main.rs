//! The program `lares-hub`: what receives, for several boxes, on a machine without cameras.

use std::{io, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser};
use lares_core::base::{memory, program, telemetry::LogStyle};
use lares_hub::command::{self, HubArgs};

const EXAMPLES: &str = "\
Examples:
  lares-hub --config hub.toml                    receive from the boxes of [hub] sites until stopped
  lares-hub --config hub.toml keys               what to write into the configuration of each box
  lares-hub --config hub.toml account add anna   an account for the page; the password comes from standard input
  lares-hub --config hub.toml account ls";

#[derive(Debug, Parser)]
#[command(name = "lares-hub", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    hub: HubArgs,
    /// Log filter, such as "debug" or "info,lares=debug"; wins over the configuration.
    #[arg(long, global = true, env = "LARES_LOG")]
    log: Option<String>,
    /// Log as JSON lines.
    #[arg(long, global = true)]
    log_json: bool,
}

fn main() -> ExitCode {
    memory::be_thrifty();
    // One TLS provider for all of MQTT, S3 and HTTP. Fails only if one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // What is flattened brings the words of `lares hub` with it.
    let cli = Cli::command()
        .about("Receive what boxes send, without watching cameras")
        .after_help(EXAMPLES)
        .get_matches();
    let cli = Cli::from_arg_matches(&cli).unwrap_or_else(|error| error.exit());
    let result = start_logging(&cli).and_then(|()| command::run(&cli.hub, &mut io::stdout()));
    program::exit("lares-hub", result)
}

/// At "info" or as the configuration says, unless the command line says otherwise.
fn start_logging(cli: &Cli) -> anyhow::Result<()> {
    let configured = cli
        .hub
        .config
        .load()
        .ok()
        .flatten()
        .map(|config| config.log);
    let json = cli.log_json || configured.as_ref().is_some_and(|log| log.json);
    let filter = cli
        .log
        .clone()
        .or(configured.map(|log| log.level))
        .unwrap_or_else(|| "info".to_owned());
    program::start_logging(&LogStyle { filter, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
