//! Serves HTTP to clients that may be slow, many or hostile: each can take only so much of the box.
//!
//! In: connections. Out: answers. A request has a bounded head; a connection has a bounded life; there is a bounded number of
//! them, and who comes on top waits in the system's queue. Bodies are bounded by whoever reads them.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, SocketAddr},
    pin::pin,
    time::Duration,
};

use axum::{Extension, Router};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::seldom::Seldom;

/// Longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// Most fields in it.
const MOST_FIELDS: usize = 64;
/// After this long without a field of a head more, or without a next request, a connection is closed.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// A connection that takes no more requests has this long to take the last answer.
const LAST_ANSWER: Duration = Duration::from_secs(10);
/// Refusals are told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// After a failure to accept: the process has too many files open, or the system no memory.
const BREATH: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection; an extension of each of its requests.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How much clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub at_once: usize,
    /// Of these, connections from one address.
    pub from_one: usize,
    /// A connection takes no more requests after this long.
    pub life: Duration,
    head_within: Duration,
    last_answer: Duration,
}

impl Limits {
    /// At most `at_once` connections, half of them from one address, each for `life`.
    #[must_use]
    pub fn new(at_once: usize, life: Duration) -> Self {
        Self {
            at_once,
            from_one: at_once.div_ceil(2),
            life,
            head_within: HEAD_WITHIN,
            last_answer: LAST_ANSWER,
        }
    }
}

/// Serves until `stop`; then each connection may still take the answer that it waits for.
pub async fn serve(limits: Limits, listener: TcpListener, pages: Router, stop: CancellationToken) {
    let mut open = FuturesUnordered::new();
    let mut by_address: HashMap<IpAddr, usize> = HashMap::new();
    let tells = Seldom::new(TELL_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(address) = open.next() => {
                if let Entry::Occupied(mut count) = by_address.entry(address) {
                    *count.get_mut() -= 1;
                    if *count.get() == 0 {
                        count.remove();
                    }
                }
            }
            accepted = listener.accept(), if open.len() < limits.at_once => match accepted {
                Ok((socket, peer)) => {
                    let count = by_address.entry(peer.ip()).or_default();
                    if *count >= limits.from_one {
                        // Closed at once: who has so many needs no more, and others need theirs.
                        if tells.may() {
                            tracing::warn!(
                                address = %peer.ip(),
                                "more connections than one address may have ({}): further ones are refused",
                                limits.from_one
                            );
                        }
                        continue;
                    }
                    *count += 1;
                    let pages = pages.clone().layer(Extension(Peer(peer)));
                    let served = connection(limits, socket, pages, stop.clone());
                    open.push(served.map(move |()| peer.ip()));
                }
                Err(error) => {
                    tracing::debug!(%error, "no connection");
                    tokio::time::sleep(BREATH).await;
                }
            },
        }
    }
    while open.next().await.is_some() {}
}

/// One connection, from its first byte to its end.
pub async fn connection(
    limits: Limits,
    socket: impl AsyncRead + AsyncWrite + Unpin + 'static,
    pages: Router,
    stop: CancellationToken,
) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_header_size(LONGEST_HEAD)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_FIELDS)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(pages));
    let mut served = pin!(served);
    let lived: Result<(), hyper::Error> = tokio::select! {
        done = served.as_mut() => done,
        () = async { tokio::select! {
            () = tokio::time::sleep(limits.life) => {}
            () = stop.cancelled() => {}
        } } => {
            served.as_mut().graceful_shutdown();
            timeout(limits.last_answer, served).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = lived {
        tracing::trace!(%error, "a client did not behave");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(15);
    const AT_ONCE: usize = 32;

    fn short() -> Limits {
        Limits {
            at_once: AT_ONCE,
            from_one: AT_ONCE,
            head_within: Duration::from_millis(300),
            life: Duration::from_millis(600),
            last_answer: Duration::from_millis(300),
        }
    }

    /// Runs `client` against a server with a small page and one of 64 MB; both must end.
    async fn with_server<F: Future<Output = ()>>(client: impl FnOnce(SocketAddr) -> F) {
        let pages = Router::new()
            .route("/", get(|| async { "well\n" }))
            .route("/large", get(|| async { vec![b'x'; 64 << 20] }));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = serve(short(), listener, pages, stop.clone());
        let asked = async {
            client(address).await;
            stop.cancel();
        };
        let both = async { tokio::join!(served, asked) };
        timeout(PATIENCE, both).await.expect("both have ended");
    }

    async fn say(address: SocketAddr, what: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let _ = socket.write_all(what).await;
        socket
    }

    /// What comes until the server hangs up.
    async fn hear(mut socket: TcpStream) -> String {
        let mut heard = Vec::new();
        let _ = socket.read_to_end(&mut heard).await;
        String::from_utf8_lossy(&heard).into_owned()
    }

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn many_who_say_nothing_keep_nobody_out() {
        with_server(|address| async move {
            let mut silent = Vec::new();
            for at in 0..AT_ONCE {
                let head: &[u8] = if at % 2 == 0 {
                    b""
                } else {
                    b"GET / HTTP/1.1\r\nHo"
                };
                silent.push(say(address, head).await);
            }
            let answer = hear(say(address, ASK).await).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            for socket in silent {
                assert!(!hear(socket).await.contains("200"));
            }
        })
        .await;
    }

    #[tokio::test]
    async fn who_has_many_keeps_nobody_else_out() {
        let limits = Limits {
            from_one: 4,
            ..Limits::new(8, Duration::from_secs(30))
        };
        let pages = Router::new().route("/", get(|| async { "well\n" }));
        let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let served = serve(limits, listener, pages, stop.clone());
        let asked = async {
            let mut greedy = Vec::new();
            for _ in 0..50 {
                greedy.push(say(([127, 0, 0, 1], port).into(), b"GET / HT").await);
            }
            // From another address of this machine.
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
            let mut other = socket.connect(([127, 0, 0, 2], port).into()).await.unwrap();
            other.write_all(ASK).await.unwrap();
            let answer = hear(other).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            // The fifth was closed at once.
            assert_eq!(hear(greedy.swap_remove(5)).await, "");
            drop(greedy);
            stop.cancel();
        };
        let both = async { tokio::join!(served, asked) };
        timeout(PATIENCE, both).await.expect("both have ended");
    }

    #[tokio::test]
    async fn heads_that_are_too_long_are_refused() {
        with_server(|address| async move {
            let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
            let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(100));
            for head in [long, many] {
                let answer = hear(say(address, head.as_bytes()).await).await;
                assert!(!answer.contains("200 OK"), "{answer}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_body_without_end_is_not_listened_to() {
        with_server(|address| async move {
            let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n";
            let mut socket = say(address, head).await;
            let (began, mut sent) = (Instant::now(), 0);
            while let Ok(bytes) = socket.write(&[0; 65_536]).await {
                sent += bytes;
                assert!(began.elapsed() < PATIENCE, "{sent} bytes were taken");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn who_does_not_take_the_answer_is_left() {
        with_server(|address| async move {
            let ask = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
            let socket = say(address, ask).await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            assert!(hear(socket).await.len() < 64 << 20, "it waited for us");
        })
        .await;
    }
}
