//! What uploads look like from the other end of the wire: how fast they come, and whether a store that asks for a pause gets it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use crate::{
    config::{BitRate, UploadConfig},
    outbox::{
        sinks::{StoreSink, WebDavSink},
        tests::*,
    },
};

/// What a store saw.
#[derive(Default)]
struct Seen {
    /// Bytes so far, and when.
    bytes: Vec<(Duration, usize)>,
    /// When each request began.
    requests: Vec<Duration>,
}

/// A store that takes whatever comes. `busy`: so many requests are first sent away, with the answer given.
struct Store {
    address: String,
    seen: Arc<Mutex<Seen>>,
}

impl Store {
    #[allow(clippy::disallowed_methods)]
    fn start(busy: usize, answer: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let began = Instant::now();
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let seen = Arc::clone(&shared);
                std::thread::spawn(move || serve(connection, &seen, began, busy, answer));
            }
        });
        Self { address, seen }
    }

    fn config(&self) -> UploadConfig {
        UploadConfig {
            endpoint: Some(self.address.parse().unwrap()),
            ..UploadConfig::folder("s3://evidence".parse().unwrap())
        }
    }
}

/// Answers requests until the client goes.
fn serve(
    connection: TcpStream,
    seen: &Mutex<Seen>,
    began: Instant,
    busy: usize,
    answer: &str,
) -> Option<()> {
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    let mut writer = connection;
    loop {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let head = line.to_ascii_lowercase();
            if let Some(value) = head.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let nth = {
            let mut seen = seen.lock();
            seen.requests.push(began.elapsed());
            seen.requests.len()
        };
        let mut left: usize = length;
        let mut piece = [0; 2048];
        while left > 0 {
            let most = left.min(piece.len());
            let got = reader.read(&mut piece[..most]).ok().filter(|n| *n > 0)?;
            left -= got;
            let mut seen = seen.lock();
            let total = seen.bytes.last().map_or(0, |(_, bytes)| *bytes) + got;
            seen.bytes.push((began.elapsed(), total));
        }
        let reply = if nth <= busy {
            answer
        } else {
            "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n"
        };
        writer.write_all(reply.as_bytes()).ok()?;
    }
}

fn crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[test]
fn bodies_keep_the_rate_on_the_wire() {
    crypto();
    let store = Store::start(0, "");
    the_rate_is_kept(&store, &store.config());
}

#[test]
fn bodies_keep_the_rate_on_the_wire_to_webdav_too() {
    crypto();
    let store = Store::start(0, "");
    let address = store.address.replacen("http", "webdav", 1);
    the_rate_is_kept(&store, &UploadConfig::folder(address.parse().unwrap()));
}

fn the_rate_is_kept(store: &Store, config: &UploadConfig) {
    const RATE: u64 = 1_200_000;
    let home = Home::with(OutboxConfig {
        budget: BudgetConfig {
            rate: Some(BitRate(RATE)),
            ..BudgetConfig::default()
        },
        ..OutboxConfig::default()
    });
    // Two visits, so that several uploads are under way at once.
    for at in [0.0, 1.0] {
        let incident = visit(at);
        home.outbox().alert(&incident, None).unwrap();
        media(home.outbox(), &incident, MediaKind::Init, 1);
        for number in 1..=2 {
            media_of_size(
                home.outbox(),
                &incident,
                Rendition::Sub,
                MediaKind::Media,
                number,
                80_000,
            );
        }
    }
    let pacer = home.outbox().pacer();
    let sink: Arc<dyn Sink> = match config.url.scheme().starts_with("webdav") {
        true => Arc::new(WebDavSink::new(config, pacer).unwrap()),
        false => Arc::new(StoreSink::new(config, pacer).unwrap()),
    };
    home.start(vec![sink]);
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    let seen = store.seen.lock();
    let (first, _) = seen.bytes[0];
    let total = seen.bytes.last().unwrap().1;
    assert!(total > 320_000);
    for (at, bytes) in &seen.bytes {
        let allowed = (*at - first).as_secs_f64() * RATE as f64 / 8.0;
        // Two pieces may have been under way, and timers are allowed to catch up a little.
        let slack = 2.0 * 4096.0 + RATE as f64 / 8.0 * 0.05;
        assert!(
            *bytes as f64 <= allowed + slack,
            "{bytes} bytes after {:?}, {allowed:.0} allowed",
            *at - first
        );
    }
}

#[test]
fn a_busy_store_is_left_alone_for_as_long_as_it_asks() {
    crypto();
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
    let store = Store::start(1, busy);
    let home = Home::new();
    whole_visit(home.outbox(), 0.0, 1);
    let sink = StoreSink::new(&store.config(), home.outbox().pacer()).unwrap();
    home.start(vec![Arc::new(sink)]);
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    let seen = store.seen.lock();
    // Uploads that were under way at the same time came before the answer.
    let after: Vec<_> = seen
        .requests
        .iter()
        .map(|at| *at - seen.requests[0])
        .filter(|at| *at > Duration::from_millis(500))
        .collect();
    assert!(after[0] >= Duration::from_secs(2), "{:?}", seen.requests);
}
