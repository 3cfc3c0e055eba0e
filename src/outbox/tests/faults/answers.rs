//! Stores that answer badly, and a disk that is full.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    config::{Secret, UploadConfig},
    net::pace::Pacer,
    outbox::{sinks::StoreSink, tests::*},
};

/// An HTTP server that gives the answers of `script` in turn, and the last one for ever after.
struct Rude {
    port: u16,
    asked: Arc<AtomicUsize>,
}

const FINE: &str = "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n";
const BUSY: &str =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

impl Rude {
    fn start(script: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        #[allow(clippy::disallowed_methods)] // a test's own server, gone with the test process
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                if !read_request(&mut stream) {
                    continue;
                }
                let turn = count.fetch_add(1, Ordering::SeqCst).min(script.len() - 1);
                let answer = script[turn].replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, asked }
    }

    fn sink(&self) -> Arc<StoreSink> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = UploadConfig {
            url: "s3://evidence".parse().unwrap(),
            endpoint: Some(format!("http://127.0.0.1:{}", self.port).parse().unwrap()),
            region: "us-east-1".to_owned(),
            access_key: Some("key".to_owned()),
            secret_key: Some(Secret::new("hunter2")),
            user: None,
            password: None,
            ca_file: None,
        };
        Arc::new(StoreSink::new(&config, &Pacer::new(None)).unwrap())
    }
}

/// Reads one request with its body; false when the client went away.
fn read_request(stream: &mut impl Read) -> bool {
    let mut got = Vec::new();
    let mut piece = [0u8; 4096];
    loop {
        let text = String::from_utf8_lossy(&got).to_ascii_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let body = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            if got.len() >= end + 4 + body {
                return true;
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return false,
            Ok(n) => got.extend_from_slice(&piece[..n]),
        }
    }
}

#[test]
fn a_busy_store_and_a_cut_answer_lose_nothing() {
    let rude = Rude::start(&[BUSY, "HTTP/1.1 200 OK\r\nContent-Le", "", FINE]);
    let home = Home::new();
    whole_visit(home.outbox(), 0.0, 2);
    home.start(vec![rude.sink()]);
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    assert_eq!(home.outbox().totals().unwrap().segments_delivered, 2);
    assert!(rude.asked.load(Ordering::SeqCst) >= 8);
}

#[test]
fn one_object_that_the_store_cannot_take_holds_up_no_other() {
    const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    let rude = Rude::start(&[BROKEN, FINE]);
    let home = Home::new();
    let (old, new) = (
        whole_visit(home.outbox(), 0.0, 1),
        whole_visit(home.outbox(), 9.0, 1),
    );
    home.start(vec![rude.sink()]);
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    for incident in [old.id, new.id] {
        let totals = home.outbox().totals_of(incident).unwrap();
        assert_eq!(totals.segments_delivered, 1);
    }
}

#[test]
fn a_wrong_clock_is_named_as_such() {
    const SKEWED: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 48\r\n\r\n\
                          <Error><Code>RequestTimeTooSkewed</Code></Error>";
    let home = Home::new();
    let sink = Rude::start(&[SKEWED]).sink();
    let text = home.runtime.block_on(sink.probe()).unwrap_err();
    assert!(text.contains("clock is wrong"), "{text}");
}

#[test]
fn a_full_disk_is_one_sentence_and_keeps_what_was_there() {
    let home = Home::new();
    let outbox = home.outbox();
    let kept = whole_visit(outbox, 0.0, 1);
    let pages: i64 = outbox
        .read(|db| Ok(db.pragma_query_value(None, "page_count", |row| row.get(0))?))
        .unwrap();
    let limit = |pages: i64| {
        outbox
            .read(|db| Ok(db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?))
            .unwrap();
    };
    limit(pages);
    let mut error = None;
    for at in 0..1_000 {
        if let Err(e) = outbox.alert(&visit(f64::from(at)), None) {
            error = Some(e);
            break;
        }
    }
    let error = error.expect("1000 alerts take more than a page");
    assert!(matches!(error, OutboxError::Full { .. }), "{error}");
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(outbox.totals_of(kept.id).unwrap().alerts, 2);
    limit(1 << 30);
    outbox.alert(&visit(0.0), None).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("not-a-folder");
    std::fs::write(&file, "x").unwrap();
    let error = Outbox::open(
        &file.join("data"),
        "home".parse().unwrap(),
        SystemClock::start(),
        OutboxConfig::default(),
        Metrics::new(),
    )
    .err()
    .unwrap()
    .to_string();
    assert!(error.contains("may write to data_dir"), "{error}");
    let missing = crate::outbox::list(dir.path(), &BudgetConfig::default())
        .unwrap_err()
        .to_string();
    assert!(missing.contains("outbox.db cannot be opened"), "{missing}");
}
