//! The real program as its users meet it: arguments in; an exit status, stdout and stderr out.
//!
//! What a program writes goes to files, so that a test can look at any time and nothing blocks on a full pipe. Every
//! wait has an end, and no program outlives its test.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::{
    ffi::OsStr,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lares");
/// No single command here takes this long on the slowest machine that is supported.
const LONGEST: Duration = Duration::from_secs(200);
const POLL: Duration = Duration::from_millis(20);

/// What a command that has ended left behind.
#[derive(Debug)]
pub(crate) struct Done {
    /// Exit status; none after a signal.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `lares` with arguments and with nothing in its environment that changes what it does.
pub(crate) fn lares<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::null());
    for variable in [
        "LARES_LOG",
        "LARES_CAMERA",
        "LARES_CAMERA_PASSWORD",
        "RUST_BACKTRACE",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Runs `lares` to its end.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Done {
    Running::start(&mut lares(arguments)).end()
}

/// A program under way. Dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    folder: TempDir,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        let child = command
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn();
        Self {
            child: child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}")),
            folder,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdout(&self) -> String {
        self.written("stdout")
    }

    pub(crate) fn stderr(&self) -> String {
        self.written("stderr")
    }

    fn written(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join(name)).unwrap()).into_owned()
    }

    /// Waits until `seen` is true of what the program has written to stderr.
    pub(crate) fn wait_for(&mut self, what: &str, within: Duration, seen: impl Fn(&str) -> bool) {
        wait_until(&format!("{what} in what was written"), within, || {
            assert!(
                self.is_running() || seen(&self.stderr()),
                "it ended before {what}:\n{}",
                self.stderr()
            );
            match seen(&self.stderr()) {
                true => Ok(()),
                false => Err(self.stderr()),
            }
        });
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Closes the pipe to its standard input.
    pub(crate) fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(self) -> Done {
        let pid = i32::try_from(self.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::TERM).unwrap();
        self.end()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Done {
        let mut status = None;
        wait_until("the end of the program", LONGEST, || {
            status = self.child.try_wait().unwrap();
            status.map(drop).ok_or_else(|| self.stderr())
        });
        Done {
            status: status.and_then(|status| status.code()),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until the answer is `Ok`; at the end of patience shows the last `Err`.
pub(crate) fn wait_until<T>(
    what: &str,
    within: Duration,
    mut ask: impl FnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(state) if Instant::now() > deadline => {
                panic!("{what} did not come within {within:?}:\n{state}")
            }
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

/// What messages for people never contain: traces of a crash, Rust's own way to show values, colours in a file.
pub(crate) fn assert_plain(text: &str) {
    for word in [
        "panicked",
        "backtrace",
        "Some(",
        "Err(",
        "Os {",
        "{ kind",
        "Error {",
        "\u{1b}",
    ] {
        assert!(
            !text.contains(word),
            "{word:?} in a message for people:\n{text}"
        );
    }
}

/// The lines of `text` that hold all of `words`.
pub(crate) fn lines_with<'a>(text: &'a str, words: &[&str]) -> Vec<&'a str> {
    let all = |line: &&str| words.iter().all(|word| line.contains(word));
    text.lines().filter(all).collect()
}

/// That `text` says it on exactly one line, in plain words.
#[track_caller]
pub(crate) fn assert_told_once(text: &str, words: &[&str]) {
    assert_plain(text);
    let lines = lines_with(text, words);
    assert_eq!(
        lines.len(),
        1,
        "{words:?} not on exactly one line of:\n{text}"
    );
}

/// A port of loopback that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A sample video, which the set-up makes.
pub(crate) fn sample(name: &str) -> PathBuf {
    let path = Path::new("samples").join(name);
    assert!(
        path.exists(),
        "{} is missing: run make samples",
        path.display()
    );
    path
}

/// The path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The first `seconds` of a video as they are, in `folder`.
pub(crate) fn first_seconds(video: &Path, seconds: u32, folder: &Path) -> PathBuf {
    let cut = folder.join(format!(
        "{seconds}s-{}",
        text(Path::new(video.file_name().unwrap()))
    ));
    let status = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-y",
            "-i",
            text(video),
            "-t",
            &seconds.to_string(),
        ])
        .args(["-an", "-c", "copy", text(&cut)])
        .stdin(Stdio::null())
        .status()
        .expect("ffmpeg is installed by the set-up");
    assert!(status.success());
    cut
}
