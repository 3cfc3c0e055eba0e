//! One household: a folder with the configuration, secrets and data of an agent.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{free_port, lares, output_of, process::Process, root, wait_for};

/// The household's id.
pub(crate) const SITE: &str = "home";
/// Id of the one camera.
pub(crate) const CAMERA: &str = "door";
/// What the configuration allows for stopping.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// An agent's folder.
pub(crate) struct Home {
    dir: TempDir,
    web: u16,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            dir: TempDir::with_prefix("lares-home-").unwrap(),
            web: free_port(),
        }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where the agent keeps its outbox and clips.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes the configuration: `sections` after what every test needs.
    pub(crate) fn configure(&self, sections: &str) {
        let head = format!(
            "version = 2\nsite = \"{SITE}\"\ndata_dir = \"data\"\nshutdown_timeout = \"{} s\"\n\n\
             [web]\nlisten = \"127.0.0.1:{}\"\n\n[models]\ndir = \"{}\"\n\n",
            GRACE.as_secs(),
            self.web,
            root().join("models").display()
        );
        fs::write(self.path("lares.toml"), head + sections).unwrap();
    }

    /// Writes a secret to a file of its own.
    pub(crate) fn secret(&self, name: &str, value: &str) {
        fs::write(self.path(name), value).unwrap();
    }

    /// Starts `lares run` and waits until it watches.
    pub(crate) fn run(&self) -> Process {
        self.run_with(&[])
    }

    /// The same with variables in its environment.
    pub(crate) fn run_with(&self, environment: &[(&str, &str)]) -> Process {
        let log = self.path("agent.log");
        let watching = |log: &str| log.matches(" watching").count();
        let before = fs::read_to_string(&log).map_or(0, |log| watching(&log));
        let config = self.path("lares.toml");
        let mut command = lares();
        command.args(["run", "--config"]).arg(config);
        command.envs(environment.iter().copied());
        let mut agent = Process::start(&mut command, &log);
        wait_for("running agent", Duration::from_secs(20), || {
            agent.assert_running();
            (watching(&agent.log()) > before).then_some(())
        });
        agent
    }

    /// What `lares outbox ls` prints.
    pub(crate) fn outbox_ls(&self) -> String {
        output_of(
            lares()
                .args(["outbox", "--data-dir"])
                .arg(self.data())
                .arg("ls"),
        )
    }

    /// Rows of the outbox's database, read by Python without writing.
    pub(crate) fn query(&self, sql: &str) -> Vec<Value> {
        let rows = output_of(
            super::store::python("query.py")
                .arg(self.data().join("outbox.db"))
                .arg(sql),
        );
        rows.lines()
            .map(|row| serde_json::from_str(row).unwrap())
            .collect()
    }

    /// Status and body of a page of the agent.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        super::get(self.web, path)
    }

    /// The health report, once `well` says so.
    pub(crate) fn health(&self, what: &str, well: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, Duration::from_secs(20), || {
            let (_, body) = self.get("/healthz");
            let health: Value = serde_json::from_str(&body).unwrap();
            well(&health).then_some(health)
        })
    }

    /// Waits until nothing waits any more. Pictures and `incident.json` may follow the word that a clip is complete.
    pub(crate) fn all_delivered(&self) {
        wait_for("empty outbox", Duration::from_secs(60), || {
            let (_, body) = self.get("/healthz");
            let health: Value = serde_json::from_str(&body).unwrap();
            let sinks = health["sinks"].as_array().unwrap();
            sinks.iter().all(|sink| sink["waiting"] == 0).then_some(())
        });
    }

    /// Every file below the data folder.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.data(), &mut found);
        found
    }
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}
