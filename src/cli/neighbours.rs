//! The agent's neighbours as real processes, for demo and bench: a virtual camera, and Debian's mosquitto as the broker.
//!
//! Each ends with its guard. None counts as the agent: what they cost is not measured.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::config::{MqttConfig, UploadConfig};

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
            "Build the program anew.",
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
