//! What the page costs with 10,000 incidents: server time of its first view, and memory of the hub.
//!
//! `cargo bench --bench hub`. The hub is a process of its own, as `lares hub`; its index is made again from the store, which is
//! measured too. Ends with status 1 when a promise is not kept.
#![allow(missing_docs, clippy::print_stdout)]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

const INCIDENTS: u32 = 10_000;
const ROUNDS: usize = 20;
const MOST_MS: f64 = 200.0;
const MOST_MB: f64 = 150.0;
/// What the page asks for when it is opened.
const FIRST_VIEW: [&str; 5] = [
    "/",
    "/api/session",
    "/api/house",
    "/api/days",
    "/api/incidents?limit=50",
];

struct Hub(Child);

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has one").port()
}

/// Fills the store with incidents that have all that the page looks for.
fn fill(store: &Path) {
    for n in 0..INCIDENTS {
        let id = format!("01990000-0000-7000-8000-{n:012}");
        let start = 1_770_000_000_000u64 + u64::from(n) * 240_000;
        let day = format!("2026-02-{:02}", 2 + n / 360);
        let camera = if n % 3 == 0 { "yard" } else { "door" };
        let folder = format!("v1/home/{camera}/{day}/{id}");
        let path = store.join(&folder);
        fs::create_dir_all(path.join("sub")).expect("folders");
        let document = format!(
            "{{\"v\":1,\"n\":null,\"id\":\"{id}\",\"seq\":5,\"state\":\"ended\",\"end_reason\":\"left\",\"site\":\"home\",\
             \"camera\":\"{camera}\",\"label\":\"person\",\"start\":{start},\"end\":{},\"sent\":{start},\"clock\":\"good\",\
             \"score\":0.9,\"zones\":[\"gate\"],\"tracks\":1,\"mode\":\"armed\",\"purpose\":\"home security\",\"test\":false,\
             \"thumbnail\":\"{folder}/thumb.jpg\",\"clip\":{{\"key\":\"{folder}/sub/index.m3u8\",\"state\":\"complete\",\
             \"segments\":8,\"bytes\":3000000}}}}",
            start + 9000
        );
        let segments: String = (1..=8)
            .map(|s| format!("#EXTINF:2.0,\n{s:05}.m4s\n"))
            .collect();
        let playlist =
            format!("#EXTM3U\n#EXT-X-MAP:URI=\"init-1.mp4\"\n{segments}#EXT-X-ENDLIST\n");
        for (name, content) in [
            ("incident.json", document.as_bytes()),
            ("thumb.jpg", b"x"),
            ("crop.jpg", b"x"),
            ("sub/init-1.mp4", b"....avc1"),
            ("sub/index.m3u8", playlist.as_bytes()),
        ] {
            fs::write(path.join(name), content).expect("files");
        }
    }
}

fn get(port: u16, path: &str) -> usize {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the page listens");
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .expect("it listens");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("it answers");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}");
    answer.len()
}

/// CPU seconds and resident megabytes of a process.
fn used(pid: u32) -> (f64, f64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap_or(0.0);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: f64 = resident
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0);
    ((ticks(11) + ticks(12)) / 100.0, kilobytes / 1000.0)
}

fn is_filled(index: &Path) -> bool {
    let filled = || {
        let index = rusqlite::Connection::open(index)?;
        index.query_row(
            "SELECT count(*) FROM settings WHERE name = 'filled'",
            [],
            |row| row.get::<_, i64>(0),
        )
    };
    filled().is_ok_and(|count| count == 1)
}

fn main() -> ExitCode {
    // `cargo bench` passes this; `cargo test --benches` does not, and needs no figures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let dir = tempfile::tempdir().expect("a folder");
    fill(&dir.path().join("data/hub/store"));
    let page = port();
    let config = format!(
        "version = 2\ndata_dir = \"data\"\n[hub]\nenabled = true\nsites = [\"home\"]\nretention = \"365 d\"\n\
         listen = \"127.0.0.1:{page}\"\nbroker_listen = \"127.0.0.1:{}\"\nstore_listen = \"127.0.0.1:{}\"\n",
        port(),
        port()
    );
    let file = dir.path().join("hub.toml");
    fs::write(&file, config).expect("a configuration");
    let began = Instant::now();
    let hub = Hub(Command::new(env!("CARGO_BIN_EXE_lares"))
        .args(["hub", "--config"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts"));
    while TcpStream::connect(("127.0.0.1", page)).is_err() {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "the hub does not start"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    get(page, "/api/session");
    // The page is open before the index is whole.
    while !is_filled(&dir.path().join("data/hub/index.db")) {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "the index is not made"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    println!(
        "index of {INCIDENTS} incidents made again in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let before = used(hub.0.id()).0;
    let mut slowest = 0.0_f64;
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        bytes = FIRST_VIEW.iter().map(|path| get(page, path)).sum();
        slowest = slowest.max(began.elapsed().as_secs_f64() * 1000.0);
    }
    let (after, megabytes) = used(hub.0.id());
    let cpu = (after - before) * 1000.0 / ROUNDS as f64;
    println!(
        "first view: {cpu:.1} ms of CPU, the slowest of {ROUNDS} after {slowest:.0} ms, {bytes} bytes"
    );
    println!("memory: {megabytes:.0} MB");
    let kept = slowest < MOST_MS && megabytes < MOST_MB;
    println!(
        "promised: under {MOST_MS:.0} ms and {MOST_MB:.0} MB: {}",
        if kept { "kept" } else { "NOT KEPT" }
    );
    if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
