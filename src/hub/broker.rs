//! The hub's broker: Debian's mosquitto as a child, with a configuration that we write.
//!
//! In: users and where to listen. Out: a running broker, started again when it dies or its port becomes free, ended with us.
//! Each site may write what boxes say below its own topics and nothing else; what is queued and retained survives restarts.

use std::{
    fmt::Write as _,
    fs::Permissions,
    net::SocketAddr,
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

use super::{
    HubError, doors,
    keys::{HOUSE_USER, HUB_USER, Keys, write_private},
    parts::{Part, Parts, Restarts},
};
use crate::base::{
    durable,
    seldom::{Sum, Tally},
    tasks::Tasks,
};

/// Largest message: a picture of full quality.
const LARGEST: u32 = 2_000_000;
/// Messages on their way to one receiver.
const IN_FLIGHT: u32 = 20;
/// Messages kept for a receiver that is away ...
const QUEUED: u32 = 20_000;
/// ... and their bytes.
const QUEUED_BYTES: u32 = 50_000_000;
/// How long it may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to write its state when it is stopped.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// Lines of one kind are handed on at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Where Debian keeps it, which is not on every user's path.
const PLACES: [&str; 2] = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

/// Keeps a broker running for as long as it can.
pub(super) struct Broker {
    pub(super) dir: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) keys: Arc<Keys>,
    pub(super) parts: Parts,
    /// Whether it listens: who has a password for it waits for that, so that no stranger on the same port gets it.
    pub(super) up: watch::Sender<bool>,
    pub(super) tasks: Tasks,
}

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

/// Who may read and write what. A site writes what boxes say and reads what is said to it: nothing that it sends itself
/// waits for it, so that its queues stay small.
fn rights(keys: &Keys) -> String {
    let mut text = format!(
        "user {HUB_USER}\ntopic readwrite lares/#\ntopic readwrite homeassistant/device/#\n\n\
         user {HOUSE_USER}\ntopic read lares/#\ntopic write lares/+/+/mode/set\ntopic write lares/+/command\n\
         topic readwrite homeassistant/#\n"
    );
    for site in keys.sites() {
        let _ = write!(
            text,
            "\nuser {site}\ntopic readwrite lares/{site}/status\ntopic readwrite lares/{site}/health\n"
        );
        for what in ["status", "mode", "person", "motion", "snapshot", "incident"] {
            let _ = writeln!(text, "topic write lares/{site}/+/{what}");
        }
        let _ = write!(
            text,
            "topic read lares/{site}/command\ntopic read lares/{site}/+/mode/set\n\
             topic write homeassistant/device/{site}/+/config\ntopic read homeassistant/status\n"
        );
    }
    text
}

fn configuration(dir: &Path, listen: SocketAddr) -> String {
    let dir = dir.display();
    let (address, port) = (listen.ip(), listen.port());
    // As root it would become the user mosquitto, who can read none of these files.
    let user = if rustix::process::geteuid().is_root() {
        "user root\n"
    } else {
        ""
    };
    format!(
        "# Written by Lares at each start.\n\
         listener {port} {address}\n\
         {user}allow_anonymous false\n\
         password_file {dir}/passwords\n\
         acl_file {dir}/rights\n\
         persistence true\n\
         persistence_location {dir}/\n\
         autosave_interval 30\n\
         persistent_client_expiration 14d\n\
         max_packet_size {LARGEST}\n\
         max_inflight_messages {IN_FLIGHT}\n\
         max_queued_messages {QUEUED}\n\
         max_queued_bytes {QUEUED_BYTES}\n\
         max_connections 1000\n\
         log_dest stderr\n\
         log_timestamp false\n\
         log_type error\n\
         log_type warning\n"
    )
}

impl Broker {
    /// Runs it, and starts it again when it ends, until `tasks` stop.
    pub(super) async fn run(self) {
        let stop = self.tasks.token().clone();
        let mut restarts = Restarts::new();
        loop {
            let begun = tokio::select! {
                () = stop.cancelled() => return,
                begun = self.begin() => begun,
            };
            let problem = match begun {
                Err(error) => error,
                Ok(mut child) => {
                    restarts.begins();
                    self.parts.set(Part::Broker, None);
                    self.up.send_replace(true);
                    let ended = tokio::select! {
                        status = child.wait() => status,
                        () = stop.cancelled() => {
                            end(&mut child).await;
                            return;
                        }
                    };
                    self.up.send_replace(false);
                    HubError::BrokerEnded(how(ended))
                }
            };
            self.parts.set(Part::Broker, Some(problem.to_string()));
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(restarts.wait()) => {}
            }
        }
    }

    /// A broker that listens.
    async fn begin(&self) -> Result<Child, HubError> {
        // It takes its port itself: one that is in use is told before it tries.
        drop(doors::BROKER.open(self.listen).await?);
        let config = self.prepare().await?;
        let mut child = spawn(&config)?;
        if let Some(said) = child.stderr.take() {
            self.tasks.spawn("broker log", hear(said));
        }
        let until = Instant::now() + STARTS_WITHIN;
        while tokio::net::TcpStream::connect(self.listen).await.is_err() {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(HubError::BrokerEnded(status.to_string()));
            }
            if Instant::now() > until {
                end(&mut child).await;
                let reason = format!("it does not listen on {}", self.listen);
                return Err(HubError::Broker(reason));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(child)
    }

    /// Writes configuration, users and rights; the configuration's path.
    async fn prepare(&self) -> Result<PathBuf, HubError> {
        let dir = &self.dir;
        let failed = |error| HubError::file(dir, error);
        durable::make_dir(dir).map_err(failed)?;
        // What it writes there itself follows the umask of the process.
        std::fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(failed)?;
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
        write_private(&dir.join("rights"), rights(&self.keys).as_bytes())?;
        let config = dir.join("mosquitto.conf");
        write_private(&config, configuration(dir, self.listen).as_bytes())?;
        Ok(config)
    }
}

/// Starts it so that it ends with us, even when we are killed.
fn spawn(config: &Path) -> Result<Child, HubError> {
    let start = |mut command: Command| {
        command
            .arg("-c")
            .arg(config)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_rights_below_its_own_topics_only() {
        let dir = tempfile::tempdir().unwrap();
        let sites: Vec<crate::flow::SiteId> = vec!["a".parse().unwrap(), "b".parse().unwrap()];
        let keys = Keys::load(dir.path(), sites).unwrap();
        let text = rights(&keys);
        let of_a = text.split("user a\n").nth(1).unwrap();
        let of_a = of_a.split("\nuser ").next().unwrap();
        insta::assert_snapshot!(of_a, @r"
        topic readwrite lares/a/status
        topic readwrite lares/a/health
        topic write lares/a/+/status
        topic write lares/a/+/mode
        topic write lares/a/+/person
        topic write lares/a/+/motion
        topic write lares/a/+/snapshot
        topic write lares/a/+/incident
        topic read lares/a/command
        topic read lares/a/+/mode/set
        topic write homeassistant/device/a/+/config
        topic read homeassistant/status
        ");
        assert!(!configuration(dir.path(), ([127, 0, 0, 1], 1).into()).contains("anonymous true"));
    }
}
