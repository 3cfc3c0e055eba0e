//! Child processes that do not outlive their guards.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{lares, wait_for};

/// Lines of a log that a failed test tells.
const TOLD: usize = 20;

/// A child with its log in a file. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints is added to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that was printed.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    pub(crate) fn terminate(&mut self, within: Duration) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        wait_for("end of the process", within, || {
            self.child.try_wait().unwrap()
        })
    }

    /// Panics with the log when it has ended.
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the process has ended ({status}): {}", self.log());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- end of {}", self.log.display());
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(TOLD)..] {
                eprintln!("{}", line.chars().take(300).collect::<String>());
            }
        }
    }
}

/// `lares camera` with a password. Each video begins when somebody plays it, and loops.
pub(crate) struct Camera {
    child: Child,
    /// Addresses in the order of the videos, without the password.
    pub(crate) urls: Vec<String>,
}

/// The cameras' user.
pub(crate) const VIEWER: &str = "viewer";

impl Camera {
    /// Serves `videos` to [`VIEWER`] by Digest.
    pub(crate) fn start(password: &str, videos: &[&Path]) -> Self {
        Self::start_for(VIEWER, password, videos)
    }

    /// Serves `videos` to `user` by Digest.
    pub(crate) fn start_for(user: &str, password: &str, videos: &[&Path]) -> Self {
        let mut child = lares()
            .args([
                "camera",
                "--listen",
                "127.0.0.1:0",
                "--until-stdin-closes",
                "--user",
                user,
            ])
            .args(videos)
            .env("LARES_CAMERA_PASSWORD", password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut urls = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if line == "ready" {
                return Self { child, urls };
            }
            urls.extend(line.split_whitespace().nth(2).map(str::to_owned));
        }
        panic!(
            "the virtual camera ended before it was ready: {:?}",
            child.wait()
        );
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
