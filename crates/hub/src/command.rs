//! The command line of the hub alone, for several boxes; its keys, and its accounts: `lares-hub`, and `lares hub`.
//!
//! In: arguments. Out: readable text, and an exit status. Results go to stdout through one writer; the log goes to stderr.

use std::{
    io::{BufRead, Write, stdin},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Subcommand;
use rustix::termios;
use tokio_util::sync::CancellationToken;

use crate::{
    Access, AccountBook, HOUSE_USER, Hub, Keys, access,
    base::{program, tasks::Tasks},
    config::{Config, HubConfig, environment},
};

const EXAMPLES: &str = "\
Examples:
  lares hub --config hub.toml                    receive from the boxes of [hub] sites until stopped
  lares hub --config hub.toml keys               what to write into the configuration of each box
  lares hub --config hub.toml account add anna   an account for the page; the password comes from standard input
  lares hub --config hub.toml account reset anna a new password for somebody who is locked out
  lares hub --config hub.toml account ls";

/// The file that is read when none is named.
pub const DEFAULT_CONFIG: &str = "lares.toml";

/// Where a command finds its configuration.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArg {
    /// Configuration file [default: lares.toml where it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

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

/// Receive what boxes send, without watching cameras
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct HubArgs {
    /// Configuration with a [hub] that is enabled.
    #[command(flatten)]
    pub config: ConfigArg,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Say what each box, and Home Assistant, needs to reach this hub
    Keys,
    /// Accounts of the page
    Account {
        #[command(subcommand)]
        command: Account,
    },
}

#[derive(Debug, Clone, Subcommand)]
enum Account {
    /// Make one; the password is one line on standard input
    Add {
        /// Name of 1 to 64 letters, digits, ".", "_" or "-"
        name: String,
        /// It may look, not change
        #[arg(long)]
        viewer: bool,
    },
    /// Give one a new password, for who is locked out; it loses its second factor, and its sessions end
    Reset {
        /// Which
        name: String,
    },
    /// List them
    Ls,
    /// Delete one
    Rm {
        /// Which
        name: String,
    },
}

impl HubArgs {
    fn hub(&self) -> anyhow::Result<HubConfig> {
        let config = self.config.load()?.context(
            "no configuration: name one with --config that has [hub] with enabled = true",
        )?;
        config
            .hub
            .context("the configuration has no hub: write enabled = true under [hub]")
    }
}

/// Runs the command.
///
/// # Errors
/// When the configuration cannot be used or the hub does not start.
pub fn run(args: &HubArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let config = args.hub()?;
    match &args.command {
        None => serve(&config)?,
        Some(Command::Keys) => keys(&config, out)?,
        Some(Command::Account { command }) => account(&config, command, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(config: &HubConfig) -> anyhow::Result<()> {
    if config.sites.is_empty() {
        bail!("the hub knows no box: name their sites, such as sites = [\"home\"] under [hub]");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("lares-hub")
        .enable_all()
        .build()?;
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let hub = runtime.block_on(Hub::start(config, None, &tasks))?;
    runtime.block_on(program::asked_to_stop(CancellationToken::new()))?;
    let stubborn = tasks.close(program::STOP_GRACE);
    // Its folder is free for another once its broker has ended.
    drop(hub);
    if !stubborn.is_empty() {
        tracing::warn!(
            parts = stubborn.join(", "),
            "stopped before these had ended"
        );
    }
    Ok(())
}

fn keys(config: &HubConfig, out: &mut dyn Write) -> anyhow::Result<()> {
    let (broker, store) = (config.broker.is_none(), config.store.is_none());
    let sites = config.sites.iter().cloned();
    let keys = Keys::load(&config.dir.join("keys"), sites, broker)?;
    let of = |own: bool, address| own.then(|| access(config, address)).transpose();
    let to_broker = of(broker, config.broker_listen)?;
    let to_store = of(store, config.store_listen)?;
    // Both have the same certificate.
    let certificate = [&to_broker, &to_store]
        .into_iter()
        .flatten()
        .find_map(|access| access.trust.as_deref());
    let trusted = |access: &Access| match access.trust {
        Some(_) => "\nca_file = \"hub.pem\"",
        None => "",
    };
    for site in keys.sites() {
        let secret = keys
            .site(site.as_str())
            .map_or("", |secret| secret.expose());
        writeln!(
            out,
            "# The box \"{site}\": write the secret into a file hub.key beside its configuration, for its user alone to\n\
             # read, and put the hub's address for HUB.\n\
             # hub.key: {secret}\n\
             site = \"{site}\""
        )?;
        if let Some(access) = &to_broker {
            let port = config.broker_listen.port();
            let scheme = if access.tls { "mqtts" } else { "mqtt" };
            writeln!(
                out,
                "[mqtt]\nurl = \"{scheme}://HUB:{port}\"\nuser = \"{site}\"\npassword_file = \"hub.key\"{}",
                trusted(access)
            )?;
        }
        if let Some(access) = &to_store {
            let port = config.store_listen.port();
            let scheme = if access.tls { "https" } else { "http" };
            writeln!(
                out,
                "[upload]\nurl = \"s3://lares\"\nendpoint = \"{scheme}://HUB:{port}\"\naccess_key = \"{site}\"\n\
                 secret_key_file = \"hub.key\"{}",
                trusted(access)
            )?;
        }
        writeln!(out)?;
    }
    if let Some(certificate) = certificate {
        writeln!(
            out,
            "# The certificate of the hub: write it into a file hub.pem beside the configuration of each box.\n{certificate}"
        )?;
    }
    for (own, what, section) in [(broker, "broker", "mqtt"), (store, "store", "upload")] {
        if !own {
            writeln!(
                out,
                "# The {what} is another: give each box a login of its own there, and write it under [{section}]."
            )?;
        }
    }
    if let Some(house) = keys.house().filter(|_| broker) {
        writeln!(
            out,
            "# Home Assistant, or another program of the household: the broker at HUB:{}{}, user {HOUSE_USER}, password\n# {}",
            config.broker_listen.port(),
            if to_broker.is_some_and(|access| access.tls) {
                " with TLS"
            } else {
                ""
            },
            house.expose()
        )?;
    }
    Ok(())
}

/// One line of standard input; not shown where it is typed.
fn password() -> std::io::Result<String> {
    let input = stdin();
    let shown = termios::tcgetattr(&input).ok();
    if let Some(shown) = &shown {
        let mut hidden = shown.clone();
        hidden.local_modes.remove(termios::LocalModes::ECHO);
        termios::tcsetattr(&input, termios::OptionalActions::Flush, &hidden)?;
        let mut terminal = std::io::stderr();
        write!(terminal, "password: ")?;
        terminal.flush()?;
    }
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    if let Some(shown) = &shown {
        termios::tcsetattr(&input, termios::OptionalActions::Flush, shown)?;
        writeln!(std::io::stderr())?;
    }
    read.map(|_| line.trim_end_matches(['\n', '\r']).to_owned())
}

fn account(config: &HubConfig, command: &Account, out: &mut dyn Write) -> anyhow::Result<()> {
    let book = AccountBook::open(&config.dir)?;
    match command {
        Account::Add { name, viewer } => {
            let password = password().context("cannot read the password from standard input")?;
            book.add(name, &password, *viewer)?;
            writeln!(out, "{name} can log in to the page now")?;
        }
        Account::Reset { name } => {
            let password = password().context("cannot read the password from standard input")?;
            book.reset(name, &password)?;
            writeln!(
                out,
                "{name} can log in with the new password now, without a code; its sessions have ended"
            )?;
        }
        Account::Ls => {
            for (name, role) in book.all()? {
                writeln!(out, "{name:<24} {role}")?;
            }
        }
        Account::Rm { name } => {
            book.remove(name)?;
            writeln!(out, "{name} can no longer log in")?;
        }
    }
    Ok(())
}
