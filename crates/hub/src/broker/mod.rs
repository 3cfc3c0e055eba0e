//! The hub's broker: Debian's mosquitto as a child, with a configuration that we write, behind a gate of ours.
//!
//! In: users and where to listen. Out: a running broker, started again when it dies, its gate opened when the port becomes free,
//! both ended with us. Each site may write what boxes say below its own topics and nothing else, and has its client ids to itself;
//! what is queued and retained survives restarts.
//!
//! | file | what it knows |
//! |---|---|
//! | `gate` | who may connect, and with which encryption |
//! | `connect` | the first packet of a client, and whose its id is |
//! | `settings` | what mosquitto is told |

mod connect;
mod gate;
mod settings;

use std::{
    fmt::Write as _,
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    time::{Instant, sleep, timeout},
};

use self::gate::Gate;
use super::{
    HubError, doors,
    keys::{HUB_USER, Keys, write_private},
    parts::{Part, Parts, Restarts},
    ports,
};
use crate::{
    base::{
        durable,
        log_throttle::{Sum, Tally},
        tasks::Tasks,
    },
    config::HubConfig,
};

/// How long it may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(10);
/// How often it is asked whether it is there ...
const ASKED_EVERY: Duration = Duration::from_secs(10);
/// ... how long its answer may take ...
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// ... and how often in a row it may be missing.
const SILENT_TIMES: u32 = 2;
/// How long it may take to write its state when it is stopped.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// Lines of one kind are handed on at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Where Debian keeps it, which is not on every user's path.
const PLACES: [&str; 2] = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

/// Keeps a broker running for as long as it can.
pub(super) struct Broker {
    pub(super) dir: PathBuf,
    /// With the port that its clients connect to.
    pub(super) config: HubConfig,
    pub(super) keys: Arc<Keys>,
    pub(super) parts: Parts,
    /// Whether it listens: who has a password for it waits for that, so that no stranger on the same port gets it.
    pub(super) up: watch::Sender<bool>,
    pub(super) tasks: Tasks,
}

/// What it is told, in its folder.
const CONFIGURATION: &str = "mosquitto.conf";

fn program() -> &'static str {
    PLACES
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or("mosquitto")
}

/// Whether there is a mosquitto to run.
///
/// # Errors
/// When there is none.
pub(super) fn is_installed() -> Result<(), HubError> {
    std::process::Command::new(program())
        .arg("-h")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map(drop)
        .map_err(|error| HubError::Broker(error.to_string()))
}

impl Broker {
    /// Runs it, and starts it again when it ends, until `tasks` stop.
    pub(super) async fn run(self) {
        let stop = self.tasks.token().clone();
        let mut restarts = Restarts::new();
        let mut open = false;
        loop {
            let begun = tokio::select! {
                () = stop.cancelled() => return,
                begun = self.begin(&mut open) => begun,
            };
            let problem = match begun {
                Err(error) => error,
                Ok(mut child) => {
                    restarts.begins();
                    self.parts.set(Part::Broker, None);
                    self.up.send_replace(true);
                    let ended = tokio::select! {
                        status = child.wait() => Some(how(status)),
                        () = self.falls_silent() => None,
                        () = stop.cancelled() => {
                            end(&mut child).await;
                            return;
                        }
                    };
                    self.up.send_replace(false);
                    match ended {
                        Some(how) => HubError::BrokerEnded(how),
                        None => {
                            end(&mut child).await;
                            HubError::BrokerSilent
                        }
                    }
                }
            };
            self.parts.set(Part::Broker, Some(problem.to_string()));
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(restarts.wait()) => {}
            }
        }
    }

    /// Returns when mosquitto has not answered for some time, though it runs: it hangs, or somebody has taken its socket away.
    async fn falls_silent(&self) {
        let hello = connect::hello(HUB_USER, self.keys.hub());
        let mut silent = 0;
        while silent < SILENT_TIMES {
            sleep(ASKED_EVERY).await;
            let answers = timeout(ANSWERS_WITHIN, gate::answers(&self.dir, &hello)).await;
            silent = match answers {
                Ok(Ok(())) => 0,
                _ => silent + 1,
            };
        }
    }

    /// A broker that listens, behind a gate that is open from then on.
    async fn begin(&self, open: &mut bool) -> Result<Child, HubError> {
        if !*open {
            self.open_gate().await?;
            *open = true;
        }
        self.prepare().await?;
        let mut child = spawn(&self.dir)?;
        if let Some(said) = child.stderr.take() {
            self.tasks.spawn("broker log", hear(said));
        }
        let until = Instant::now() + STARTS_WITHIN;
        while gate::reach(&self.dir).await.is_err() {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(HubError::BrokerEnded(status.to_string()));
            }
            if Instant::now() > until {
                end(&mut child).await;
                let reason = "it does not listen".to_owned();
                return Err(HubError::Broker(reason));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(child)
    }

    /// Takes the port, and keeps it while mosquitto comes and goes.
    async fn open_gate(&self) -> Result<(), HubError> {
        let listener = doors::BROKER.open(self.config.broker_listen).await?;
        let tls = ports::broker_tls(&self.config, &self.tasks)?;
        let gate = Gate::new(&self.dir, tls);
        self.tasks
            .spawn("broker gate", gate.serve(listener, self.tasks.clone()));
        Ok(())
    }

    /// Writes configuration, users and rights.
    async fn prepare(&self) -> Result<(), HubError> {
        let dir = &self.dir;
        let failed = |error| HubError::file(dir, error);
        durable::make_dir(dir).map_err(failed)?;
        // What it writes there itself follows the umask of the process.
        std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(failed)?;
        // As it was named when client ids did not belong to users: sessions in there are nobody's now.
        let _ = std::fs::remove_file(dir.join("mosquitto.db"));
        let passwords: String =
            self.keys
                .users()
                .fold(String::new(), |mut text, (user, secret)| {
                    let _ = writeln!(text, "{user}:{}", secret.expose());
                    text
                });
        let file = dir.join("passwords");
        write_private(&file, passwords.as_bytes())?;
        // Hashes them where they are; as arguments they would be there for every user of the machine to read.
        let hashed = Command::new("mosquitto_passwd")
            .arg("-U")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await;
        match hashed {
            Ok(status) if status.success() => {}
            Ok(status) => {
                return Err(HubError::Broker(format!(
                    "mosquitto_passwd ended with {status}"
                )));
            }
            Err(error) => return Err(HubError::Broker(format!("mosquitto_passwd: {error}"))),
        }
        write_private(&dir.join("rights"), settings::rights(&self.keys).as_bytes())?;
        write_private(
            &dir.join(CONFIGURATION),
            settings::configuration().as_bytes(),
        )
    }
}

/// Starts it so that it ends with us, even when we are killed.
fn spawn(dir: &Path) -> Result<Child, HubError> {
    let start = |mut command: Command| {
        command
            .arg("-c")
            .arg(CONFIGURATION)
            // All its files have short names there, its socket too.
            .current_dir(dir)
            // Ours: mosquitto would tell the service manager that it is ready.
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    };
    let mut guarded = Command::new("setpriv");
    guarded.args(["--pdeathsig", "TERM", program()]);
    start(guarded)
        .or_else(|_| start(Command::new(program())))
        .map_err(|error| HubError::Broker(error.to_string()))
}

fn how(ended: std::io::Result<ExitStatus>) -> String {
    ended.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// Asks it to write its state and end.
async fn end(child: &mut Child) {
    let pid = child
        .id()
        .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if timeout(STOPS_WITHIN, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

/// Hands on what it says; a client can make it say much.
async fn hear(said: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(said).lines();
    let tally = Tally::new(TELL_EVERY);
    while let Ok(Some(line)) = lines.next_line().await {
        // It says so at each start; in a container there may be no other user.
        if line.contains("should not be run as root") {
            tracing::debug!("mosquitto: {line}");
            continue;
        }
        let kind: String = line
            .chars()
            .take_while(|c| !c.is_ascii_digit() && *c != ':')
            .collect();
        if let Some(Sum { count, last, .. }) = tally.count(&kind, &line) {
            tracing::warn!(lines = count, "mosquitto: {last}");
        }
    }
}
