use std::{
    io::BufReader,
    time::{Duration, Instant as Began},
};

use axum::routing::{get, post};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{super::crowd::Crowd, *};
use crate::server::{Pace, Standing, tls};

const PATIENCE: Duration = Duration::from_secs(20);
const STRANGERS: usize = 16;

fn limits() -> Limits {
    let pace = Pace {
        patience: Duration::from_secs(10),
        per_second: 1000,
        most: 100_000,
    };
    Limits {
        stranger_life: Duration::from_millis(1500),
        ..Limits::new(STRANGERS, 8, Duration::from_secs(10), pace).hurried()
    }
}

fn pages() -> Router {
    async fn known(axum::Extension(standing): axum::Extension<Standing>) -> &'static str {
        standing.known();
        "known\n"
    }
    async fn who(axum::Extension(Peer(peer)): axum::Extension<Peer>) -> String {
        format!("you are {}\n", peer.ip())
    }
    Router::new()
        .route("/", get(|| async { "well\n" }))
        .route("/known", get(known))
        .route("/who", get(who))
        .route(
            "/take",
            post(|body: Bytes| async move { format!("{} taken\n", body.len()) }),
        )
        .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
}

/// Runs `client` against a server; it must end, and so must the server with all its connections.
async fn with(server: Server, client: impl AsyncFnOnce(SocketAddr)) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::new(tokio::runtime::Handle::current(), CancellationToken::new());
    tasks.spawn("server", serve(server, listener, pages(), tasks.clone()));
    timeout(PATIENCE, client(address)).await.expect("it ends");
    let ended = tokio::task::block_in_place(|| tasks.close(Duration::from_secs(5)));
    assert_eq!(ended, Vec::<String>::new());
}

async fn plain(client: impl AsyncFnOnce(SocketAddr)) {
    with(Server::plain("test", limits()), client).await;
}

async fn connect(from: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

async fn say(address: SocketAddr, what: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let _ = socket.write_all(what).await;
    socket
}

/// What comes until the server hangs up.
async fn hear(mut socket: impl AsyncRead + Unpin) -> String {
    let mut heard = Vec::new();
    let _ = socket.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

/// One answer on a connection that stays open.
async fn answer(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut buffer = [0; 4096];
    let read = socket.read(&mut buffer).await.unwrap_or(0);
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const KEEP: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const KNOWN: &[u8] = b"GET /known HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HALF: &[u8] = b"POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n{";

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unfinished_requests_keeps_nobody_out() {
    plain(async |address| {
        let mut owner = say(address, KNOWN).await;
        assert!(answer(&mut owner).await.contains("known"));
        let mut flood = Vec::new();
        for at in 0..6 * STRANGERS {
            let mut socket = connect([127, 0, 0, 2 + (at % 3) as u8], address).await;
            let what = [&b""[..], b"GET / HTTP/1.1\r\nHo", HALF][at % 3];
            let _ = socket.write_all(what).await;
            flood.push(socket);
        }
        // A browser that nobody knows, and the one that is known already.
        assert!(
            hear(say(address, ASK).await)
                .await
                .starts_with("HTTP/1.1 200")
        );
        owner.write_all(KEEP).await.unwrap();
        assert!(answer(&mut owner).await.starts_with("HTTP/1.1 200"));
        for socket in flood {
            assert!(!hear(socket).await.contains("200 OK"));
        }
    })
    .await;
}

/// Runs `client` at the other end of a connection without a port, so that time may be paused.
async fn piped(client: impl AsyncFnOnce(DuplexStream)) {
    let (near, far) = duplex(64 * 1024);
    let (server, crowd) = (Server::plain("test", limits()), Crowd::new(limits()));
    let peer = SocketAddr::from(([127, 0, 0, 2], 1));
    let place = crowd.enter(peer.ip());
    let stop = CancellationToken::new();
    let client_of = Client {
        tls: false,
        peer,
        backlog: Backlog::nowhere(),
    };
    let served = server.requests(far, client_of, &place, pages(), stop);
    tokio::join!(served, client(near));
}

#[tokio::test(start_paused = true)]
async fn a_known_connection_outlives_a_stranger() {
    let began = Instant::now();
    piped(async |mut stranger| {
        while stranger.write_all(KEEP).await.is_ok() && !answer(&mut stranger).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let life = limits().stranger_life;
    assert!((life..2 * life).contains(&began.elapsed()), "{began:?}");
    piped(async |mut owner| {
        owner.write_all(KNOWN).await.unwrap();
        assert!(answer(&mut owner).await.contains("known"));
        let began = Instant::now();
        while began.elapsed() < 3 * life {
            tokio::time::sleep(Duration::from_millis(100)).await;
            owner.write_all(KEEP).await.unwrap();
            assert!(answer(&mut owner).await.starts_with("HTTP/1.1 200"));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_may_be_slow_but_not_silent() {
    piped(async |mut silent| {
        silent.write_all(HALF).await.unwrap();
        let silent = hear(silent).await;
        assert!(silent.starts_with("HTTP/1.1 408"), "{silent}");
    })
    .await;
    let head =
        b"POST /take HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n";
    // 100 bytes each 100 ms give back what the waiting takes.
    piped(async |mut slow| {
        slow.write_all(head).await.unwrap();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            slow.write_all(&[b'x'; 100]).await.unwrap();
        }
        let slow = hear(slow).await;
        assert!(slow.contains("1000 taken"), "{slow}");
    })
    .await;
    // One byte each 100 ms does not.
    piped(async |mut drip| {
        drip.write_all(head).await.unwrap();
        let began = Instant::now();
        while drip.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(began.elapsed() < Duration::from_secs(5), "nobody minds");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_bodies_that_are_too_long_are_refused() {
    plain(async |address| {
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(100));
        for head in [long, many] {
            let answer = hear(say(address, head.as_bytes()).await).await;
            assert!(!answer.contains("200 OK"), "{answer}");
        }
        let head = b"POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n";
        let mut socket = say(address, head).await;
        let (began, mut sent) = (Began::now(), 0);
        while let Ok(bytes) = socket.write(&[0; 65_536]).await {
            sent += bytes;
            assert!(began.elapsed() < PATIENCE, "{sent} bytes were taken");
        }
        // Without a length in the head.
        let head = b"POST /take HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut socket = say(address, head).await;
        let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
        for _ in 0..3 {
            let _ = socket.write_all(chunk.as_bytes()).await;
        }
        let answer = hear(socket).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_the_answer_is_left() {
    piped(async |mut socket| {
        let ask = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
        socket.write_all(ask).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert!(hear(socket).await.len() < 64 << 20, "it waited for us");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_behind_a_trusted_proxy_is_named() {
    let ask = b"GET /who HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\nConnection: close\r\n\r\n";
    let server = Server {
        proxies: Proxies::new(&["127.0.0.1/32".parse().unwrap()]),
        ..Server::plain("test", limits())
    };
    with(server, async |address| {
        assert!(
            hear(say(address, ask).await)
                .await
                .contains("you are 198.51.100.7")
        );
        let mut other = connect([127, 0, 0, 9], address).await;
        other.write_all(ask).await.unwrap();
        assert!(hear(other).await.contains("you are 127.0.0.9"));
    })
    .await;
}

#[tokio::test]
async fn plain_http_from_elsewhere_is_led_to_tls() {
    let (mut client, server) = tokio::io::duplex(4096);
    let ask = b"GET /x?y=1 HTTP/1.1\r\nHost: cams.example:8443\r\nConnection: close\r\n\r\n";
    client.write_all(ask).await.unwrap();
    let pages = Router::new().fallback(elsewhere);
    connection(limits(), server, pages, CancellationToken::new()).await;
    let answer = hear(client).await.to_lowercase();
    let there = "location: https://cams.example:8443/x?y=1";
    assert!(answer.contains(there), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_with_tls_speaks_tls_and_leads_browsers_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let files = tls::Files {
        certificate: dir.path().join("cert.pem"),
        key: dir.path().join("key.pem"),
    };
    let (certificate, key) = tls::self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&files.certificate, &certificate).unwrap();
    std::fs::write(&files.key, key).unwrap();
    let server = Server {
        tls: Some(Tls::load(files).unwrap()),
        ..Server::plain("test", limits())
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = rustls::RootCertStore::empty();
    let mut pem = BufReader::new(certificate.as_bytes());
    use rustls::pki_types::pem::PemObject;
    for cert in rustls::pki_types::CertificateDer::pem_reader_iter(&mut pem) {
        roots.add(cert.unwrap()).unwrap();
    }
    let client = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
    with(server, async |address| {
        let socket = TcpStream::connect(address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let mut socket = connector.connect(name, socket).await.unwrap();
        socket.write_all(ASK).await.unwrap();
        assert!(hear(socket).await.starts_with("HTTP/1.1 200"));
        // On this machine plain HTTP goes through: nobody else hears it.
        assert!(
            hear(say(address, ASK).await)
                .await
                .starts_with("HTTP/1.1 200")
        );
        // Who says nothing is not waited for.
        assert_eq!(hear(say(address, b"").await).await, "");
    })
    .await;
}
