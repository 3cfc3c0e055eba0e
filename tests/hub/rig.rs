//! A hub with three sites, boxes for them, and who tries what at their keys.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::visitor::Visitor;

use crate::support::{
    free_port, lares, output_of,
    process::{Process, VIEWER},
    root,
    store::python,
    wait_for,
};

pub(crate) const SITES: [&str; 3] = ["alder", "birch", "cedar"];
pub(crate) const PASSWORD: &str = "camera-password";
/// A visit, its clip and everything that goes with it.
pub(crate) const VISIT: Duration = Duration::from_secs(90);
pub(crate) const STOPS: Duration = Duration::from_secs(20);

/// The hub's folder, configuration and ports.
pub(crate) struct Hub {
    dir: tempfile::TempDir,
    pub(crate) page: u16,
    pub(crate) broker: u16,
    pub(crate) store: u16,
    visitor: std::sync::Mutex<Option<Visitor>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self::with_broker_at("127.0.0.1", "")
    }

    /// A hub whose broker listens at `address`, with `more` in its `[hub]`.
    pub(crate) fn with_broker_at(address: &str, more: &str) -> Self {
        let hub = Self {
            dir: tempfile::TempDir::with_prefix("lares-hub-").unwrap(),
            page: free_port(),
            broker: free_port(),
            store: free_port(),
            visitor: std::sync::Mutex::default(),
        };
        let sites: Vec<_> = SITES.iter().map(|site| format!("\"{site}\"")).collect();
        let text = format!(
            "version = 2\ndata_dir = \"data\"\n[hub]\nenabled = true\nlisten = \"127.0.0.1:{}\"\n\
             broker_listen = \"{address}:{}\"\nstore_listen = \"127.0.0.1:{}\"\nsites = [{}]\n{more}\n",
            hub.page,
            hub.broker,
            hub.store,
            sites.join(", ")
        );
        fs::write(hub.config(), text).unwrap();
        hub
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("hub.toml")
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.dir.path().join("data/hub")
    }

    pub(crate) fn start(&self) -> Process {
        Visitor::register(&self.config());
        // With as few open files as many systems allow at first.
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 1024 && exec \"$@\"", "sh"]);
        command.arg(lares().get_program()).current_dir(root());
        // At this level nothing is left out that the log could say.
        command.args(["--log", "debug", "hub", "--config"]);
        command.arg(self.config());
        let mut hub = Process::start(&mut command, &self.dir.path().join("hub.log"));
        wait_for("page of the hub", Duration::from_secs(20), || {
            hub.assert_running();
            std::net::TcpStream::connect(("127.0.0.1", self.page)).ok()
        });
        hub
    }

    /// What `lares hub keys` says: the secret of `site` and the configuration of its box.
    pub(crate) fn keys(&self, site: &str) -> (String, String) {
        let text = output_of(
            lares()
                .args(["hub", "--config"])
                .arg(self.config())
                .arg("keys"),
        );
        let start = format!("# The box \"{site}\"");
        let own = text.split("\n\n").find(|part| part.starts_with(&start));
        let own = own.unwrap();
        let secret = own
            .lines()
            .find_map(|line| line.strip_prefix("# hub.key: "));
        (secret.unwrap().to_owned(), own.replace("HUB", "127.0.0.1"))
    }

    /// Status and body of a page, for somebody who is logged in where the account is that of the rig.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut visitor = self.visitor.lock().unwrap();
        let visitor = visitor.get_or_insert_with(|| Visitor::log_in(self.page));
        visitor.get(path)
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        // Chunked answers begin with a length.
        let begin = body.find('{').unwrap();
        let end = body.rfind('}').unwrap();
        serde_json::from_str(&body[begin..=end]).unwrap()
    }

    /// Incidents of `site`, newest first, once `well` says so.
    pub(crate) fn incidents(
        &self,
        what: &str,
        site: &str,
        well: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        wait_for(what, VISIT, || {
            let list = self.json(&format!("/api/incidents?site={site}"));
            let incidents = list["incidents"].as_array().unwrap().clone();
            well(&incidents).then_some(incidents)
        })
    }

    /// Answers of boto3 as `site` to a list of attempts, as the script names them.
    pub(crate) fn try_store(
        &self,
        site: &str,
        other: &str,
        own_key: &str,
        foreign_key: &str,
    ) -> Value {
        let (secret, _) = self.keys(site);
        let endpoint = format!("http://127.0.0.1:{}", self.store);
        let mut script = python("hub/s3.py");
        script.args([endpoint.as_str(), site, other, own_key, foreign_key]);
        serde_json::from_str(&output_of(script.env("SECRET", secret))).unwrap()
    }

    /// The process id of the broker that `hub` has started.
    pub(crate) fn broker_of(hub: &Process) -> i32 {
        let found = Command::new("pgrep")
            .args(["-P", &hub.id().to_string(), "mosquitto"])
            .output()
            .unwrap();
        let text = String::from_utf8(found.stdout).unwrap();
        text.trim().parse().unwrap()
    }

    /// What `lares check` says of this hub.
    pub(crate) fn check(&self) -> String {
        let mut check = lares();
        check.args(["check", "--config"]).arg(self.config());
        String::from_utf8(check.output().unwrap().stdout).unwrap()
    }

    pub(crate) fn mosquitto(&self, program: &str, site: &str) -> Command {
        let (secret, _) = self.keys(site);
        let mut command = Command::new(program);
        command.args([
            "-V",
            "mqttv5",
            "-h",
            "127.0.0.1",
            "-p",
            &self.broker.to_string(),
        ]);
        command.args(["-u", site, "-P", &secret]);
        command
    }
}

/// A box of `site` with one camera.
pub(crate) fn run_box(hub: &Hub, site: &str, dir: &Path, url: &str) -> Process {
    fs::create_dir_all(dir).unwrap();
    let (secret, own) = hub.keys(site);
    fs::write(dir.join("hub.key"), secret).unwrap();
    fs::write(dir.join("camera.key"), PASSWORD).unwrap();
    if own.contains("hub.pem") {
        let certificate = hub.files().join("tls/certificate.pem");
        fs::copy(certificate, dir.join("hub.pem")).unwrap();
    }
    // The keys of the root come first.
    let (root_keys, sections) = own.split_once("[mqtt]").unwrap();
    let text = format!(
        "{root_keys}version = 2\ndata_dir = \"data\"\n[web]\nlisten = \"off\"\n[models]\ndir = \"{}\"\n\
         [[cameras]]\nid = \"door\"\nname = \"Door of {site}\"\nurl = \"{url}\"\nuser = \"{VIEWER}\"\n\
         password_file = \"camera.key\"\n[mqtt]{sections}",
        root().join("models").display()
    );
    fs::write(dir.join("lares.toml"), text).unwrap();
    let mut command = lares();
    command
        .args(["run", "--config"])
        .arg(dir.join("lares.toml"));
    Process::start(&mut command, &dir.join("box.log"))
}

pub(crate) fn complete(incidents: &[Value]) -> bool {
    let done =
        |incident: &Value| incident["state"] == "ended" && incident["clip"]["state"] == "complete";
    !incidents.is_empty() && incidents.iter().all(done)
}
