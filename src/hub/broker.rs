//! The hub's broker: Debian's mosquitto as a child, with a configuration that we write.
//!
//! In: users and where to listen. Out: a running broker, started anew when it dies, ended with us. Each site may write below
//! its own topics and nothing else; what is queued and retained survives restarts.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{
    HubError,
    keys::{HOUSE_USER, HUB_USER, Keys, write_private},
};
use crate::base::{backoff::Backoff, tasks::Tasks};

/// Largest message: a picture of full quality.
const LARGEST: u32 = 4_000_000;
/// Messages kept for a receiver that is away.
const QUEUED: u32 = 20_000;
/// How long it may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to write its state when it is stopped.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// One that has run for this long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(30);
/// Where Debian keeps it, which is not on every user's path.
const PLACES: [&str; 2] = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

/// Writes the configuration into `dir`, starts the broker on `listen` and keeps it running until `tasks` stop. Returns once it
/// listens.
///
/// # Errors
/// When it is not installed, or does not start.
pub(super) async fn start(
    dir: &Path,
    listen: SocketAddr,
    keys: &Keys,
    tasks: &Tasks,
) -> Result<(), HubError> {
    let config = prepare(dir, listen, keys).await?;
    let keeper = Keeper {
        program: program(),
        config,
        listen,
        tasks: tasks.clone(),
    };
    let child = keeper.spawn()?;
    tasks.spawn("broker", keeper.clone().keep(child));
    keeper.listens().await
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

/// Writes configuration, users and rights; the configuration's path.
async fn prepare(dir: &Path, listen: SocketAddr, keys: &Keys) -> Result<PathBuf, HubError> {
    std::fs::create_dir_all(dir).map_err(|error| HubError::file(dir, error))?;
    let passwords: String = keys
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
    write_private(&dir.join("rights"), rights(keys).as_bytes())?;
    let config = dir.join("mosquitto.conf");
    write_private(&config, configuration(dir, listen).as_bytes())?;
    Ok(config)
}

/// Who may read and write what.
fn rights(keys: &Keys) -> String {
    let mut text = format!(
        "user {HUB_USER}\ntopic readwrite lares/#\n\n\
         user {HOUSE_USER}\ntopic read lares/#\ntopic write lares/+/+/mode/set\ntopic write lares/+/command\n\
         topic readwrite homeassistant/#\n"
    );
    for site in keys.sites() {
        let _ = write!(
            text,
            "\nuser {site}\ntopic readwrite lares/{site}/#\ntopic readwrite homeassistant/device/{site}/#\n\
             topic read homeassistant/status\n"
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
         max_queued_messages {QUEUED}\n\
         max_connections 1000\n\
         log_dest stderr\n\
         log_timestamp false\n\
         log_type error\n\
         log_type warning\n"
    )
}

/// Keeps the child running.
#[derive(Clone)]
struct Keeper {
    program: &'static str,
    config: PathBuf,
    listen: SocketAddr,
    tasks: Tasks,
}

impl Keeper {
    /// Starts it so that it ends with us, even when we are killed.
    fn spawn(&self) -> Result<Child, HubError> {
        let start = |mut command: Command| {
            command
                .arg("-c")
                .arg(&self.config)
                // Ours: mosquitto would tell the service manager that it is ready.
                .env_remove("NOTIFY_SOCKET")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
        };
        let mut guarded = Command::new("setpriv");
        guarded.args(["--pdeathsig", "TERM", self.program]);
        start(guarded)
            .or_else(|_| start(Command::new(self.program)))
            .map_err(|error| HubError::Broker(error.to_string()))
    }

    async fn listens(&self) -> Result<(), HubError> {
        let until = Instant::now() + STARTS_WITHIN;
        while tokio::net::TcpStream::connect(self.listen).await.is_err() {
            if Instant::now() > until {
                return Err(HubError::Broker(format!(
                    "it does not listen on {}",
                    self.listen
                )));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn keep(self, mut child: Child) {
        let stop = self.tasks.token().clone();
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        loop {
            let began = Instant::now();
            if let Some(said) = child.stderr.take() {
                self.tasks.spawn("broker log", hear(said));
            }
            let ended = tokio::select! {
                status = child.wait() => status,
                () = stop.cancelled() => {
                    end(&mut child).await;
                    return;
                }
            };
            let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            tracing::warn!("the hub's broker mosquitto has ended ({how}); it is started anew");
            if began.elapsed() >= GOOD_AFTER {
                backoff.reset();
            }
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(backoff.wait()) => {}
                }
                match self.spawn() {
                    Ok(new) => break child = new,
                    Err(error) => tracing::error!("{error}"),
                }
            }
        }
    }
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

/// Hands on what it says.
async fn hear(said: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(said).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // It says so at each start; in a container there may be no other user.
        if line.contains("should not be run as root") {
            tracing::debug!("mosquitto: {line}");
        } else {
            tracing::warn!("mosquitto: {line}");
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
        topic readwrite lares/a/#
        topic readwrite homeassistant/device/a/#
        topic read homeassistant/status
        ");
        assert!(!configuration(dir.path(), ([127, 0, 0, 1], 1).into()).contains("anonymous true"));
    }
}
