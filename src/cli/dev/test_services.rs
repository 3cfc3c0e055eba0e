//! The agent's neighbours as real processes, for demo and bench: a virtual camera, a hub, and Debian's mosquitto as the broker.
//!
//! Each ends with its guard. None counts as the agent: what they cost is not measured.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{
    base::durable,
    config::{MqttConfig, Secret, UploadConfig},
    flow::SiteId,
    hub::Keys,
};

/// A child process that does not outlive its guard.
pub(super) struct Neighbour(Child);

impl Neighbour {
    pub(super) fn spawn(command: &mut Command, what: &str, advice: &str) -> anyhow::Result<Self> {
        match command.spawn() {
            Ok(child) => Ok(Self(child)),
            Err(error) => bail!("cannot start {what}: {error}. {advice}"),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    pub(super) fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `lares camera` in a process of its own.
pub(super) struct CameraProcess {
    /// Addresses, in the order of the videos.
    pub(super) urls: Vec<String>,
    _process: Neighbour,
}

impl CameraProcess {
    /// Serves `videos`; returns when all are ready.
    pub(super) fn start(videos: &[PathBuf]) -> anyhow::Result<Self> {
        for video in videos {
            if !video.exists() {
                bail!("{} is missing: run make samples", video.display());
            }
        }
        let program = std::env::current_exe().context("cannot find the program itself")?;
        let mut command = Command::new(program);
        command
            .args(["camera", "--listen", "127.0.0.1:0", "--until-stdin-closes"])
            .args(videos)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Neighbour::spawn(
            &mut command,
            "the virtual camera",
            "Build the program again.",
        )?;
        let lines = process
            .stdout()
            .context("the virtual camera has no output")?;
        let mut urls = Vec::new();
        for line in BufReader::new(lines).lines() {
            let line = line?;
            if line == "ready" {
                return Ok(Self {
                    urls,
                    _process: process,
                });
            }
            // camera N ADDRESS VIDEO
            urls.extend(line.split_whitespace().nth(2).map(str::to_owned));
        }
        bail!("the virtual camera ended before it was ready: see its message above")
    }
}

/// The file with a box's key to the hub, beside its configuration.
pub(super) const KEY: &str = "hub.key";
/// How long the hub may take to be there.
const HUB_STARTS: Duration = Duration::from_secs(20);

/// `lares hub` in a process of its own, for one box.
pub(super) struct HubProcess {
    /// Where alerts go.
    pub(super) broker: SocketAddr,
    /// Where uploads go.
    pub(super) store: SocketAddr,
    /// The password of Home Assistant's user at the broker.
    pub(super) house: Secret,
    _process: Neighbour,
}

impl HubProcess {
    /// Starts it for the box `site`, with its files in `dir` and its configuration in `scratch`, where it writes the box's key
    /// too; returns when it listens.
    pub(super) fn start(site: &str, dir: &Path, scratch: &Path) -> anyhow::Result<Self> {
        let [page, broker, store] = free_addresses()?;
        let id: SiteId = site.parse()?;
        // Made here, so that they can be handed out: the hub finds them.
        let keys = Keys::load(&dir.join("keys"), [id], true)?;
        let key = keys.site(site).context("the hub has no key for the box")?;
        let house = keys
            .house()
            .context("the hub has no key for the household")?
            .clone();
        durable::write(&scratch.join(KEY), key.expose().as_bytes())?;
        let config = scratch.join("hub.toml");
        let folder = toml::Value::from(dir.display().to_string());
        fs::write(
            &config,
            format!(
                "version = 2\ndata_dir = {folder}\n[hub]\nenabled = true\ndir = {folder}\nsites = [\"{site}\"]\n\
                 listen = \"{page}\"\nbroker_listen = \"{broker}\"\nstore_listen = \"{store}\"\n"
            ),
        )?;
        let program = std::env::current_exe().context("cannot find the program itself")?;
        let mut command = Command::new(program);
        command
            // Its page is not the one that people look at here: what it says of accounts would mislead them.
            .args(["--log", "error", "hub", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut process = Neighbour::spawn(&mut command, "the hub", "Build the program again.")?;
        let deadline = Instant::now() + HUB_STARTS;
        while [broker, store]
            .iter()
            .any(|port| TcpStream::connect(port).is_err())
        {
            if process.has_ended() || Instant::now() > deadline {
                bail!("the hub does not listen at {broker} and {store}: see its message above");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self {
            broker,
            store,
            house,
            _process: process,
        })
    }
}

/// Addresses on loopback that are free now.
fn free_addresses<const N: usize>() -> anyhow::Result<[SocketAddr; N]> {
    let mut held = Vec::new();
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for address in &mut addresses {
        let listener = TcpListener::bind(*address)?;
        *address = listener.local_addr()?;
        held.push(listener);
    }
    Ok(addresses)
}

/// Uploads to the folder `path`.
pub(super) fn folder_config(path: &Path) -> anyhow::Result<UploadConfig> {
    let url = url::Url::from_directory_path(path)
        .map_err(|()| anyhow::anyhow!("{} is not an absolute path", path.display()))?;
    Ok(UploadConfig::folder(url))
}

/// Debian's mosquitto on a free port of loopback, without a password, gone with its guard.
pub(super) struct Broker {
    pub(super) port: u16,
    _process: Neighbour,
}

impl Broker {
    /// How the agent reaches it.
    pub(super) fn config(&self) -> anyhow::Result<MqttConfig> {
        let url = format!("mqtt://127.0.0.1:{}", self.port).parse()?;
        Ok(MqttConfig::without_login(url))
    }

    /// Starts it with its files in `dir`; returns when it listens.
    pub(super) fn start(dir: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let config = dir.join("mosquitto.conf");
        fs::write(
            &config,
            format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n"
            ),
        )?;
        // Debian keeps it where users' paths do not lead.
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap_or("mosquitto");
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Neighbour::spawn(
            &mut command,
            "the broker mosquitto",
            "Install it: apt install mosquitto",
        )?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                bail!(
                    "the broker mosquitto does not listen on port {port}: try mosquitto -c {}",
                    config.display()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self {
            port,
            _process: process,
        })
    }
}
