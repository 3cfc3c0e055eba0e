//! Serves pages to clients that may be slow, many or hostile: each can take only so much of the box.
//!
//! In: connections. Out: answers. A request has a bounded head and no body worth reading; a connection has a bounded life; there
//! is a bounded number of them, and who comes on top waits in the system's queue.

use std::{pin::pin, time::Duration};

use axum::Router;
use futures::{StreamExt, stream::FuturesUnordered};
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

/// Connections at once.
const AT_ONCE: usize = 32;
/// Longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// Most fields in it.
const MOST_FIELDS: usize = 64;
/// After this long without a field of a head more, or without a next request, a connection is closed.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// A connection takes no more requests after this long ...
const LIFE: Duration = Duration::from_secs(60);
/// ... and has this long to take the last answer.
const LAST_ANSWER: Duration = Duration::from_secs(10);
/// After a failure to accept: the process has too many files open, or the system no memory.
const BREATH: Duration = Duration::from_millis(100);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    head_within: Duration,
    life: Duration,
    last_answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_within: HEAD_WITHIN,
            life: LIFE,
            last_answer: LAST_ANSWER,
        }
    }
}

/// Serves until `stop`; then each connection may still take the answer that it waits for.
pub(super) async fn serve(listener: TcpListener, pages: Router, stop: CancellationToken) {
    serve_within(Limits::default(), listener, pages, stop).await;
}

async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    pages: Router,
    stop: CancellationToken,
) {
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(()) = open.next() => {}
            accepted = listener.accept(), if open.len() < AT_ONCE => match accepted {
                Ok((socket, _)) => open.push(connection(limits, socket, pages.clone(), stop.clone())),
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
pub(super) async fn connection(
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
