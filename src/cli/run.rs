//! `lares run`: the agent, until it is told to stop.

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{ConfigArg, environment, shutdown};
use crate::{app::App, base::tasks::Tasks, config::Config};

/// Exit status when too much hung or panicked. Anything but zero has the service manager start Lares afresh.
const GAVE_UP: u8 = 70;
/// Beyond the time for stopping, until the program ends whatever hangs.
const END_AFTER: Duration = Duration::from_secs(3);

const EXAMPLES: &str = "\
Examples:
  lares run                                    the configuration lares.toml
  lares run --config /etc/lares.toml           another one
  lares run --camera rtsp://10.0.0.2/live      one camera, without a configuration";

/// Watch the cameras until stopped.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    #[command(flatten)]
    pub(super) config: ConfigArg,
    /// Watch this one camera without a configuration, such as rtsp://10.0.0.2/live
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "config",
        env = "LARES_CAMERA",
        hide_env_values = true
    )]
    camera: Option<String>,
}

impl RunArgs {
    fn config(&self) -> anyhow::Result<Config> {
        if let Some(url) = &self.camera {
            return Config::for_camera(url, &environment()).map_err(|problems| {
                let lines: Vec<_> = problems
                    .iter()
                    .map(|problem| problem.message.clone())
                    .collect();
                anyhow::anyhow!("--camera: {}", lines.join("; "))
            });
        }
        match self.config.load()? {
            Some(config) => Ok(config),
            None => bail!(
                "no configuration: start from deploy/lares.sample.toml as lares.toml, name one with --config, or give one camera with --camera URL"
            ),
        }
    }
}

/// The same, with the pipe that the crash test names.
#[cfg(feature = "crash-test")]
fn witnessed(mut config: Config) -> Config {
    config.outbox.witness = std::env::var_os(crate::outbox::WITNESS_VARIABLE).map(Into::into);
    config
}

/// Runs the agent until Ctrl-C or SIGTERM, or until too much of it has hung or panicked.
///
/// # Errors
/// When the configuration cannot be used, or what the agent cannot do without is missing.
pub fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let config = args.config()?;
    #[cfg(feature = "crash-test")]
    let config = witnessed(config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("lares-async")
        // Reading and writing files for uploads: as many as there are uploads at once, and kept, so that the number of
        // threads says something about the agent's health.
        .max_blocking_threads(3)
        .thread_keep_alive(Duration::from_secs(7 * 24 * 3600))
        .enable_all()
        .build()?;
    let app = runtime.block_on(App::start(config, runtime.handle().clone()))?;
    let fatal = app.fatal().clone();
    runtime.block_on(shutdown::asked(fatal.clone()))?;
    if fatal.is_cancelled() {
        end_for_sure(app.grace(), &runtime)?;
    }
    drop(shutdown::in_good_order(app, runtime));
    Ok(if fatal.is_cancelled() {
        ExitCode::from(GAVE_UP)
    } else {
        ExitCode::SUCCESS
    })
}

/// What hangs may hang stopping up too: the program ends all the same, a little later than it should have stopped.
fn end_for_sure(grace: Duration, runtime: &Runtime) -> std::io::Result<()> {
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    tasks.thread("end", move || {
        std::thread::sleep(grace + END_AFTER);
        std::process::exit(GAVE_UP.into());
    })
}
