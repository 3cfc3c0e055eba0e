//! An S3 endpoint and an S3 client that this project did not write: moto and boto3.

use std::{
    collections::BTreeMap,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{free_port, output_of, process::Process, root, wait_for};

/// The bucket.
pub(crate) const BUCKET: &str = "clips";
/// The access key; the secret is the test's.
pub(crate) const ACCESS_KEY: &str = "lares-test";

/// A script of tests/ in the set-up's Python.
pub(crate) fn python(script: &str) -> Command {
    let python = root().join(".venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run make setup",
        python.display()
    );
    let mut command = Command::new(python);
    command.arg(root().join("tests").join(script));
    command
}

/// moto's server, running or not yet.
pub(crate) struct S3 {
    port: u16,
    log: PathBuf,
    server: Option<Process>,
}

impl S3 {
    /// Chooses an address; nothing listens there yet.
    pub(crate) fn reserve(dir: &Path) -> Self {
        Self {
            port: free_port(),
            log: dir.join("s3.log"),
            server: None,
        }
    }

    /// Starts it with an empty [`BUCKET`].
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(root().join(".venv/bin/moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &self.port.to_string()]);
        self.server = Some(Process::start(&mut command, &self.log));
        wait_for("S3 endpoint", Duration::from_secs(30), || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
        output_of(python("s3.py").args([self.endpoint().as_str(), "create", BUCKET]));
    }

    /// Port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Reads every object with boto3 into `dir`; content types by key.
    pub(crate) fn download(&self, dir: &Path) -> BTreeMap<String, String> {
        let listed = output_of(
            python("s3.py")
                .args([self.endpoint().as_str(), "download", BUCKET])
                .arg(dir),
        );
        serde_json::from_str(&listed).unwrap()
    }
}
