//! What the tests of the whole program share: the real binary as a process, its neighbours (virtual camera, broker, S3
//! endpoint), and readers of what came out that this project did not write (ffmpeg, mosquitto's clients, boto3).
//!
//! Everything listens on free ports of loopback and ends with its guard, so that tests may run side by side.

#![allow(
    clippy::print_stderr,
    reason = "a failed test tells the end of its logs"
)]
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

pub(crate) mod home;
pub(crate) mod media;
pub(crate) mod mqtt;
pub(crate) mod neighbourhood;
pub(crate) mod process;
pub(crate) mod store;
pub(crate) mod wire;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// Folder of the repository: the program finds models and the ONNX Runtime library from here.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The real program.
pub(crate) fn lares() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lares"));
    command.current_dir(root());
    command
}

/// A video that the set-up makes.
pub(crate) fn sample(name: &str) -> PathBuf {
    let path = root().join("samples/video").join(name);
    assert!(
        path.exists(),
        "{} is missing: run make samples",
        path.display()
    );
    path
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Status and body of a page on 127.0.0.1.
///
/// # Panics
/// When there is no answer.
pub(crate) fn get(port: u16, path: &str) -> (u16, String) {
    try_get(port, path).unwrap()
}

/// The same where the page may not be there yet.
pub(crate) fn try_get(port: u16, path: &str) -> std::io::Result<(u16, String)> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, body.to_owned()))
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none within `within`.
pub(crate) fn wait_for<T>(
    what: &str,
    within: Duration,
    mut answer: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no {what} within {within:?}");
        sleep(Duration::from_millis(50));
    }
}

/// Runs a command to its end and gives what it printed.
///
/// # Panics
/// When it fails.
pub(crate) fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
