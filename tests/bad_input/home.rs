//! A home for an agent: a folder with its configuration and its data, cameras beside it, and questions to it.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use crate::program::{Done, Running, lares, run, text, wait_until};

/// An agent on a busy machine is at work by then.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// A folder for one agent, gone with the test.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Writes a configuration: the household, then `rest`. Without a `[web]` section there are no pages.
    pub(crate) fn config(&self, rest: &str) -> PathBuf {
        let path = self.path().join("lares.toml");
        let web = if rest.contains("[web]") {
            ""
        } else {
            "[web]\nlisten = \"off\"\n"
        };
        let household =
            "version = 2\nsite = \"home\"\ndata_dir = \"data\"\nshutdown_timeout = \"5 s\"\n";
        fs::write(&path, format!("{household}{rest}{web}")).unwrap();
        path
    }

    /// `lares run` with that configuration.
    pub(crate) fn agent(&self, rest: &str) -> Running {
        Running::start(&mut lares(["run", "--config", text(&self.config(rest))]))
    }

    /// What waits to be delivered.
    pub(crate) fn outbox(&self) -> String {
        let done = run(["outbox", "--data-dir", text(&self.data()), "ls"]);
        assert_eq!(done.status, Some(0), "{}", done.stderr);
        done.stdout
    }
}

/// Ends an agent, which must still be well, and gives what it had written.
pub(crate) fn stop(mut agent: Running) -> Done {
    assert!(
        agent.is_running(),
        "the agent has ended:\n{}",
        agent.stderr()
    );
    let done = agent.terminate();
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    done
}

/// `lares camera`, and where its streams are.
pub(crate) struct Cameras {
    pub(crate) urls: Vec<String>,
    _process: Running,
}

impl Cameras {
    /// Serves `videos` on `port` (0: a free one) to everybody, or to `viewer` with `password` if that is not empty.
    pub(crate) fn start(port: u16, password: &str, videos: &[PathBuf]) -> Self {
        let mut command = lares(["camera", "--listen", &format!("127.0.0.1:{port}")]);
        if !password.is_empty() {
            command
                .args(["--user", "viewer"])
                .env("LARES_CAMERA_PASSWORD", password);
        }
        Self::run(command.args(videos))
    }

    /// Runs `lares camera` as `command` says, until it is ready.
    pub(crate) fn run(command: &mut Command) -> Self {
        let process = Running::start(command);
        let lines = wait_until("virtual cameras", SOON, || {
            let lines = process.stdout();
            match lines.ends_with("ready\n") {
                true => Ok(lines),
                false => Err(process.stderr()),
            }
        });
        let urls = lines
            .lines()
            .filter_map(|line| line.split(' ').nth(2))
            .map(str::to_owned);
        Self {
            urls: urls.collect(),
            _process: process,
        }
    }
}

/// A `[[cameras]]` block.
pub(crate) fn camera(id: &str, url: &str, more: &str) -> String {
    format!("[[cameras]]\nid = \"{id}\"\nurl = \"{url}\"\n{more}")
}

/// A `[web]` section.
pub(crate) fn web(port: u16) -> String {
    format!("[web]\nlisten = \"127.0.0.1:{port}\"\n")
}

/// Asks for a page of an agent.
pub(crate) fn page(port: u16, path: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut socket = TcpStream::connect(("127.0.0.1", port))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().map_err(|error| error.to_string())
}

/// What `/healthz` says of a camera: its state, and its problem or nothing.
pub(crate) fn camera_health(port: u16, id: &str) -> Result<(String, String), String> {
    let answer = page(port, "/healthz")?;
    let body = answer.split_once("\r\n\r\n").ok_or("no body")?.1;
    let health: serde_json::Value =
        serde_json::from_str(body).map_err(|error| error.to_string())?;
    let cameras = health["cameras"].as_array().ok_or("no cameras")?;
    let camera = cameras
        .iter()
        .find(|camera| camera["id"] == id)
        .ok_or_else(|| answer.clone())?;
    let word = |key: &str| camera[key].as_str().unwrap_or_default().to_owned();
    Ok((word("state"), word("problem")))
}

/// Waits until a camera's pictures arrive.
pub(crate) fn wait_online(port: u16, id: &str) {
    wait_until(&format!("pictures of {id}"), SOON, || {
        let (state, problem) = camera_health(port, id)?;
        match state.as_str() {
            "online" => Ok(()),
            _ => Err(format!("{state}: {problem}")),
        }
    });
}

/// A counter of `/metrics`, summed over its labels; those of lines that hold `label` only.
pub(crate) fn counter(port: u16, name: &str, label: &str) -> Result<f64, String> {
    let answer = page(port, "/metrics")?;
    let lines = answer
        .lines()
        .filter(|line| line.starts_with(name) && line.contains(label));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}
