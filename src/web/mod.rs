//! The agent's own HTTP on loopback: `/healthz` (JSON), `/metrics` (OpenMetrics text) and `/why` (JSON lines).
//!
//! In: handles to health, metrics and reasons. Out: text. Never changes anything, never shows a secret. [`server`] bounds what a
//! client may cost; a browser gets nothing under a name that is not the machine's.

#[doc(hidden)]
pub mod bench_api;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    base::{tasks::Tasks, telemetry::Metrics},
    net::server::{
        self, Limits, Pace, Server, encoding,
        names::{self, Names},
    },
    wire::Health,
};

/// Connections at once, and how long each may stay.
const AT_ONCE: usize = 32;
const LIFE: Duration = Duration::from_secs(60);
/// Nothing here has a body.
const BODIES: Pace = Pace {
    patience: Duration::from_secs(5),
    per_second: 1000,
    most: 1024,
};

/// Why the agent's HTTP did not start.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} for health and metrics: {source}. \
     Another program uses the port: choose another one with listen under [web], or \"off\""
)]
pub struct WebError {
    address: SocketAddr,
    source: std::io::Error,
}

/// What the pages read.
#[derive(Clone)]
pub struct Handles {
    /// Asks how everything is doing.
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// The reasons of the last day, as JSON lines.
    pub reasons: Arc<dyn Fn() -> String + Send + Sync>,
    /// Names by which the machine may be asked.
    pub names: Names,
}

async fn healthz(State(handles): State<Handles>) -> impl IntoResponse {
    let health = (handles.health)();
    let code = if health.ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(health))
}

async fn metrics(State(handles): State<Handles>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match handles.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn why(State(handles): State<Handles>) -> impl IntoResponse {
    const JSON_LINES: &str = "application/x-ndjson";
    ([(header::CONTENT_TYPE, JSON_LINES)], (handles.reasons)())
}

/// Answers under our own names only: a page elsewhere could have its name lead here.
async fn guard(State(handles): State<Handles>, request: Request, next: Next) -> Response {
    const REFUSED: &str =
        "this name is not known here: use 127.0.0.1, or add the name to web.server_names\n";
    let host = names::host(request.headers());
    if host.is_some_and(|host| handles.names.admit(&host)) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, REFUSED).into_response()
    }
}

/// The pages, for a server or for a test without a socket.
pub fn router(handles: Handles) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/why", get(why))
        .layer(middleware::from_fn(encoding::layer))
        .layer(middleware::from_fn_with_state(handles.clone(), guard))
        .with_state(handles)
}

fn limits() -> Limits {
    Limits::new(AT_ONCE, 0, LIFE, BODIES)
}

/// Takes the port, so that a port in use is known before anything runs.
///
/// # Errors
/// When the port cannot be had.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, WebError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| WebError { address, source })
}

/// Serves until `tasks` stop.
pub async fn serve(listener: TcpListener, handles: Handles, tasks: Tasks) {
    let server = Server::plain("web", limits());
    server::serve(server, listener, router(handles), tasks).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::CancellationToken;

    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::{
        flow::{ClockState, WallTime},
        wire::health::DiskHealth,
    };

    async fn get(address: SocketAddr, path: &str) -> String {
        get_as("localhost", address, path).await
    }

    async fn get_as(host: &str, address: SocketAddr, path: &str) -> String {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn health(ok: bool) -> Health {
        let disk = DiskHealth {
            stored: 0,
            quota: 1,
            free: 1,
        };
        let site = "home".parse().unwrap();
        Health {
            ok,
            ..Health::new(site, WallTime(0), ClockState::Good, disk)
        }
    }

    #[tokio::test]
    async fn health_turns_and_a_port_in_use_is_told() {
        let well = Arc::new(AtomicBool::new(true));
        let handles = Handles {
            health: Arc::new({
                let well = well.clone();
                move || health(well.load(Ordering::Relaxed))
            }),
            metrics: Metrics::new(),
            reasons: Arc::new(|| "{\"v\":1}\n".to_owned()),
            names: Names::new(&["box.example".to_owned()]),
        };
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let error = bind(address).await.unwrap_err().to_string();
        assert!(error.contains("choose another one"), "{error}");

        let stop = CancellationToken::new();
        let tasks = Tasks::new(tokio::runtime::Handle::current(), stop.clone());
        let server = serve(listener, handles, tasks);
        let client = async {
            assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
            well.store(false, Ordering::Relaxed);
            let answer = get(address, "/healthz").await;
            assert!(
                answer.starts_with("HTTP/1.1 503") && answer.contains("\"ok\":false"),
                "{answer}"
            );
            assert!(get(address, "/why").await.ends_with("{\"v\":1}\n"));
            assert!(get(address, "/metrics").await.contains("lares_"));
            assert!(get(address, "/other").await.starts_with("HTTP/1.1 404"));
            // A page elsewhere whose name leads here reads nothing.
            for path in ["/healthz", "/metrics", "/why"] {
                let answer = get_as("rebind.example", address, path).await;
                assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
                let answer = get_as("box.example:8088", address, path).await;
                assert!(!answer.starts_with("HTTP/1.1 403"), "{answer}");
            }
            stop.cancel();
        };
        tokio::join!(server, client);
    }
}
