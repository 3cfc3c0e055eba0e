//! Accepts connections and serves each on a task of its own.

use std::{
    net::{IpAddr, SocketAddr},
    pin::pin,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{StatusCode, header, uri::Authority},
    response::{IntoResponse, Redirect, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Limits, Peer, Secure,
    accept::accept,
    backlog::Backlog,
    body::{Paced, WasSlow},
    crowd::Place,
    names,
    proxy::Proxies,
    tls::{Greeted, Tls},
};
use crate::base::tasks::Tasks;

/// Longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// Most fields in it.
const MOST_FIELDS: usize = 64;

/// How a port is served.
#[derive(Clone)]
pub struct Server {
    /// Names the port in the log and among the tasks.
    pub name: &'static str,
    /// What clients may take.
    pub limits: Limits,
    /// Whose word on addresses counts.
    pub proxies: Proxies,
    /// Encryption; none: plain.
    pub tls: Option<Tls>,
}

impl Server {
    /// A plain one that trusts no proxy.
    #[must_use]
    pub fn plain(name: &'static str, limits: Limits) -> Self {
        Self {
            name,
            limits,
            proxies: Proxies::default(),
            tls: None,
        }
    }
}

/// Serves `pages` until `tasks` stop; then each connection may still take the answer that it waits for.
pub async fn serve(server: Server, listener: TcpListener, pages: Router, tasks: Tasks) {
    let stop = tasks.token().clone();
    accept(
        server.name,
        server.limits,
        listener,
        &tasks,
        |socket, peer, place| {
            let (server, pages, stop) = (server.clone(), pages.clone(), stop.clone());
            async move { server.client(socket, peer, place, pages, stop).await }
        },
    )
    .await;
}

/// What is known of a connection.
struct Client {
    tls: bool,
    peer: SocketAddr,
    backlog: Backlog,
}

impl Server {
    /// One client, from the first byte of its connection.
    async fn client(
        self,
        socket: TcpStream,
        peer: SocketAddr,
        place: Place,
        pages: Router,
        stop: CancellationToken,
    ) {
        let _ = socket.set_nodelay(true);
        let backlog = Backlog::of(&socket);
        let client = |tls| Client { tls, peer, backlog };
        let Some(tls) = &self.tls else {
            return self
                .requests(socket, client(false), &place, pages, stop)
                .await;
        };
        let greeted = tokio::select! {
            () = place.shut.cancelled() => return,
            () = stop.cancelled() => return,
            greeted = timeout(self.limits.head_within, tls.greet(socket, peer)) => greeted,
        };
        match greeted {
            Ok(Ok(Greeted::Secure(socket))) => {
                self.requests(*socket, client(true), &place, pages, stop)
                    .await;
            }
            Ok(Ok(Greeted::Here(socket))) => {
                self.requests(socket, client(false), &place, pages, stop)
                    .await;
            }
            Ok(Ok(Greeted::Plain(socket))) => {
                let pages = Router::new().fallback(elsewhere);
                self.requests(socket, client(false), &place, pages, stop)
                    .await;
            }
            Ok(Err(error)) => tracing::trace!(%error, "no TLS"),
            Err(_) => {}
        }
    }

    /// The requests of one connection.
    async fn requests(
        &self,
        socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        client: Client,
        place: &Place,
        pages: Router,
        stop: CancellationToken,
    ) {
        let proxies = self.proxies.clone();
        let standing = place.standing();
        let Client { tls, peer, backlog } = client;
        let prepare = move |request: &mut Request| {
            let (client, forwarded) = proxies.client(peer.ip(), request.headers());
            let extensions = request.extensions_mut();
            extensions.insert(Peer(SocketAddr::new(client, peer.port())));
            extensions.insert(Secure(tls || forwarded));
            extensions.insert(standing.clone());
            extensions.insert(backlog.clone());
        };
        let began = Instant::now();
        let over = async {
            sleep_until(began + self.limits.stranger_life).await;
            if place.is_known() {
                sleep_until(began + self.limits.life).await;
            }
        };
        tokio::select! {
            () = place.shut.cancelled() => {}
            () = exchange(self.limits, socket, pages, prepare, over, stop) => {}
        }
    }
}

/// One connection without a port of its own, from its first byte to its end; for a client that nobody knows.
pub async fn connection(
    limits: Limits,
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    pages: Router,
    stop: CancellationToken,
) {
    let nobody = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0);
    let prepare = move |request: &mut Request| {
        request.extensions_mut().insert(Peer(nobody));
        request.extensions_mut().insert(Backlog::nowhere());
    };
    let over = tokio::time::sleep(limits.life);
    exchange(limits, socket, pages, prepare, over, stop).await;
}

/// Requests and answers, until the client hangs up, or until `over` or `stop` and then the last answer.
async fn exchange(
    limits: Limits,
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    pages: Router,
    prepare: impl Fn(&mut Request) + Clone,
    over: impl Future<Output = ()>,
    stop: CancellationToken,
) {
    let pages = TowerToHyperService::new(pages);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (pages, prepare) = (pages.clone(), prepare.clone());
        async move {
            let slow = WasSlow::default();
            let too_long = announced(&request) > limits.pace.most;
            let mut request =
                request.map(|body| Body::new(Paced::new(body, limits.pace, slow.clone())));
            prepare(&mut request);
            if too_long {
                return Ok(refused(StatusCode::PAYLOAD_TOO_LARGE));
            }
            let answer = hyper::service::Service::call(&pages, request).await;
            if slow.get() {
                return Ok(refused(StatusCode::REQUEST_TIMEOUT));
            }
            answer
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_header_size(LONGEST_HEAD)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_FIELDS)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut served = pin!(served);
    let lived: Result<(), hyper::Error> = tokio::select! {
        done = served.as_mut() => done,
        () = async { tokio::select! {
            () = over => {}
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

/// How long the body of `request` is to be, as its head says.
fn announced(request: &hyper::Request<Incoming>) -> u64 {
    hyper::body::Body::size_hint(request.body()).lower()
}

/// An answer after which the connection ends.
fn refused(status: StatusCode) -> Response {
    (status, [(header::CONNECTION, "close")]).into_response()
}

/// Plain HTTP at a port with TLS: the same address with https.
async fn elsewhere(request: Request) -> Response {
    let host: Option<Authority> = names::host(request.headers());
    match host {
        Some(host) => {
            let path = request
                .uri()
                .path_and_query()
                .map_or("/", |path| path.as_str());
            let there = Redirect::temporary(&format!("https://{host}{path}"));
            ([(header::CONNECTION, "close")], there).into_response()
        }
        None => refused(StatusCode::BAD_REQUEST),
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
