//! `lares-hub` as a program of its own: what it is linked with, and that it serves its page.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy knows only by their attribute"
)]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lares-hub");
/// A machine that is busy takes a while.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program; it ends with this.
struct Hub(Child);

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what}: not within 30 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An address that nobody listens on.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn answer(address: &str, path: &str) -> Option<String> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn it_is_linked_with_neither_gstreamer_nor_onnx_runtime() {
    let linked = Command::new("ldd").arg(PROGRAM).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    assert!(linked.contains("libc.so"), "{linked}");
    for library in ["gst", "glib", "gobject", "onnx"] {
        assert!(!linked.contains(library), "{linked}");
    }
    // ONNX Runtime would be loaded while it runs, by its first function.
    let program = fs::read(PROGRAM).unwrap();
    let name = b"OrtGetApiBase";
    assert!(!program.windows(name.len()).any(|part| part == name));
}

#[test]
fn it_serves_its_page_until_it_is_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (config, log) = (dir.path().join("hub.toml"), dir.path().join("log"));
    let address = free_address();
    let text = format!(
        "version = 2\ndata_dir = \"data\"\n\n[hub]\nenabled = true\ndir = \"hub\"\nsites = [\"home\"]\n\
         listen = \"{address}\"\nbroker_listen = \"127.0.0.1:0\"\nstore_listen = \"127.0.0.1:0\"\n"
    );
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();

    let keys = run(&["--config", config, "keys"]);
    let keys = String::from_utf8(keys.stdout).unwrap();
    assert!(keys.contains("site = \"home\""), "{keys}");

    let mut hub = Hub(Command::new(PROGRAM)
        .args(["--config", config])
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap());
    let said = || fs::read_to_string(&log).unwrap();
    let is_open = |line: &str| line.contains("the hub is open") && line.contains(&address);
    wait("it opens", || said().lines().any(is_open));
    let page = answer(&address, "/").unwrap();
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.to_lowercase().contains("text/html"), "{page}");
    let session = answer(&address, "/api/session").unwrap();
    assert!(session.contains(env!("CARGO_PKG_VERSION")), "{session}");

    let pid = rustix::process::Pid::from_child(&hub.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    wait("it stops", || hub.0.try_wait().unwrap().is_some());
    let status = hub.0.wait().unwrap();
    assert!(status.success(), "{status}: {}", said());
}

/// The reader of the log may close its end: a terminal, or a pipe.
#[test]
fn it_goes_on_without_a_reader_of_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("hub.toml");
    let address = free_address();
    let text = format!(
        "version = 2\ndata_dir = \"data\"\n[log]\nlevel = \"trace\"\n[hub]\nenabled = true\nsites = [\"home\"]\n\
         listen = \"{address}\"\nbroker_listen = \"127.0.0.1:0\"\nstore_listen = \"127.0.0.1:0\"\n"
    );
    fs::write(&config, text).unwrap();
    let mut hub = Hub(Command::new(PROGRAM)
        .args(["--config", config.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap());
    drop(hub.0.stderr.take());
    wait("it opens", || {
        answer(&address, "/").is_some_and(|page| page.starts_with("HTTP/1.1 200"))
    });
    for _ in 0..3 {
        let page = answer(&address, "/").unwrap();
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    }
    assert!(hub.0.try_wait().unwrap().is_none(), "it has ended");
}

#[test]
fn it_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("hub.toml");
    fs::write(&config, "version = 2\n[hub]\nenabled = true\n").unwrap();
    let none = run(&["--config", config.to_str().unwrap()]);
    let said = String::from_utf8(none.stderr).unwrap();
    assert!(!none.status.success());
    assert!(
        said.starts_with("lares-hub: ") && said.contains("sites ="),
        "{said}"
    );

    let help = run(&["--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.starts_with("Receive what boxes send"), "{help}");
    assert!(
        help.contains("lares-hub --config") && !help.contains("lares hub "),
        "{help}"
    );
}
