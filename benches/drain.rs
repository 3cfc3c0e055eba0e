//! A backlog of 1,000 incidents leaves over a link of 20 Mbit/s: how much of the link is used, what it costs, whether memory grows.
//! Run with `cargo bench --bench drain`; `TMPDIR` says on which disk.
//!
//! The store at the other end is this program again, as a process of its own: it reads what comes no faster than the link carries and takes everything.
//! Bytes are those of the HTTP requests as the store reads them; TCP's and IP's own headers are not counted.
#![allow(missing_docs, clippy::print_stdout, clippy::disallowed_methods)]

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use lares::{
    base::{clock::SystemClock, tasks::Tasks, telemetry::Metrics},
    config::{OutboxConfig, UploadConfig},
    flow::{
        EndReason, Incident, IncidentId, IncidentState, MediaFile, MediaKind, MediaTime, Rendition,
    },
    outbox::{
        Outbox, PictureKind,
        sinks::{StoreSink, Takes},
    },
    testing::incidents::visit,
};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const INCIDENTS: usize = 1_000;
const SEGMENTS: u32 = 2;
/// Two seconds of the sample `visits-sub.mp4`. A visit there has twelve such segments; with two, what goes with each object weighs more.
const SEGMENT: usize = 145_000;
const PICTURE: usize = 35_000;
/// Bytes a second of the link.
const LINK: f64 = 20e6 / 8.0;
const ROLE: &str = "LARES_DRAIN_STORE";

fn main() {
    if env::var_os(ROLE).is_some() {
        store();
    } else {
        drain();
    }
}

fn drain() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().expect("a folder");
    let site = "home".parse().expect("a valid id");
    let (clock, settings, metrics) = (
        SystemClock::start(),
        OutboxConfig::default(),
        Metrics::new(),
    );
    let outbox = Outbox::open(dir.path(), site, clock, settings, metrics).expect("it opens");
    println!("drain: writing {INCIDENTS} incidents");
    for _ in 0..INCIDENTS {
        enter_visit(&outbox);
    }

    let mut child = Command::new(env::current_exe().expect("this program"))
        .env(ROLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut told = BufReader::new(child.stdout.take().expect("piped")).lines();
    let port = told.next().expect("a line").expect("text");
    let config = UploadConfig {
        endpoint: Some(format!("http://127.0.0.1:{port}").parse().expect("valid")),
        ..UploadConfig::folder("s3://evidence".parse().expect("valid"))
    };
    let runtime = Runtime::new().expect("a runtime");
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let sink = StoreSink::new(&config, outbox.pacer()).expect("a sink");

    let (cpu, started) = (cpu_seconds(), Instant::now());
    outbox
        .start(&tasks, vec![Arc::new(sink)])
        .expect("it starts");
    let mut memory = Vec::new();
    let mut waiting = u64::MAX;
    while waiting > 0 {
        thread::sleep(Duration::from_millis(500));
        waiting = outbox.waiting(Takes::Objects).expect("it can be read");
        memory.push(resident_mb());
        assert!(started.elapsed() < Duration::from_secs(600), "it hangs");
    }
    let (took, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    drop(child.stdin.take());
    let bytes: f64 = told
        .next()
        .expect("a line")
        .expect("text")
        .parse()
        .expect("a number");
    let _ = child.wait();
    let _ = tasks.close(Duration::from_secs(5));

    let quarter = memory.len() / 4;
    let most = |part: &[f64]| part.iter().copied().fold(0.0, f64::max);
    let (early, late) = (
        most(&memory[quarter..2 * quarter]),
        most(&memory[3 * quarter..]),
    );
    let share = bytes / took / LINK;
    println!(
        "drain: {INCIDENTS} incidents, {:.1} MB in {took:.1} s: {:.1} % of 20 Mbit/s; {:.1} % of a core for each 20 Mbit/s; \
         resident {early:.0} MB in the second quarter, {late:.0} MB in the last",
        bytes / 1e6,
        share * 100.0,
        cpu / took / share * 100.0,
    );
}

fn enter_visit(outbox: &Outbox) {
    let incident = visit(0.0);
    outbox.alert(&incident, None).expect("it is taken");
    outbox
        .picture(
            incident.id,
            PictureKind::Thumb,
            &noise(PICTURE, incident.id),
        )
        .expect("it is taken");
    let dir = outbox
        .incident_dir(&incident)
        .expect("a folder")
        .join("sub");
    std::fs::create_dir_all(&dir).expect("a folder");
    for number in 0..=SEGMENTS {
        let (kind, name, size) = match number {
            0 => (MediaKind::Init, "init-1.mp4".to_owned(), 900),
            _ => (MediaKind::Media, format!("{number:05}.m4s"), SEGMENT),
        };
        let (path, content) = (dir.join(name), noise(size, incident.id));
        std::fs::write(&path, &content).expect("it is written");
        let file = MediaFile {
            incident: incident.id,
            rendition: Rendition::Sub,
            kind,
            number: number.max(1),
            init: 1,
            path,
            bytes: size as u64,
            sha256: Sha256::digest(&content).into(),
            start: incident.start,
            duration: Duration::from_secs(2),
            frames: 20,
            discontinuity: false,
        };
        outbox.media(&file).expect("it is taken");
    }
    let ended = Incident {
        state: IncidentState::Ended,
        end: Some(MediaTime::ZERO + Duration::from_secs(4)),
        end_reason: Some(EndReason::Left),
        ..incident
    };
    outbox.alert(&ended, None).expect("it is taken");
    outbox
        .clip_closed(ended.id, Rendition::Sub)
        .expect("it is taken");
}

fn noise(size: usize, seed: IncidentId) -> Vec<u8> {
    seed.to_string()
        .into_bytes()
        .into_iter()
        .cycle()
        .take(size)
        .collect()
}

/// User and system time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(") ").next().expect("a name");
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks: f64 = [11, 12]
        .iter()
        .map(|at| fields[*at].parse::<f64>().expect("a number"))
        .sum();
    ticks / 100.0
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1));
    kb.and_then(|kb| kb.parse::<f64>().ok()).expect("a number") / 1e3
}

/// When the link is free again, and what it has carried.
struct Link {
    free: Instant,
    bytes: u64,
}

/// Serves until its input ends, then tells how many bytes came.
fn store() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    println!("{}", listener.local_addr().expect("bound").port());
    let link = Arc::new(Mutex::new(Link {
        free: Instant::now(),
        bytes: 0,
    }));
    let shared = Arc::clone(&link);
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let link = Arc::clone(&shared);
            thread::spawn(move || serve(&connection, &link));
        }
    });
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    println!("{}", link.lock().expect("no panic").bytes);
}

/// Waits until the link has carried `bytes`.
fn carried(link: &Mutex<Link>, bytes: usize) {
    let until = {
        let mut link = link.lock().expect("no panic");
        link.bytes += bytes as u64;
        // A link that was idle has lost that time, but for the timers' coarseness.
        let earliest = Instant::now() - Duration::from_millis(5);
        link.free = link.free.max(earliest) + Duration::from_secs_f64(bytes as f64 / LINK);
        link.free
    };
    thread::sleep(until.saturating_duration_since(Instant::now()));
}

fn serve(connection: &TcpStream, link: &Mutex<Link>) -> Option<()> {
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    let mut writer = connection;
    let mut piece = [0; 8192];
    loop {
        let (mut length, mut line, mut head) = (0usize, String::new(), 0);
        while line != "\r\n" {
            line.clear();
            let got = reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
            head += got;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        carried(link, head);
        while length > 0 {
            let most = length.min(piece.len());
            let got = reader.read(&mut piece[..most]).ok().filter(|n| *n > 0)?;
            length -= got;
            carried(link, got);
        }
        writer
            .write_all(b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n")
            .ok()?;
    }
}
