//! The agent's own HTTP on loopback: `/healthz` (JSON) and `/metrics` (OpenMetrics text).
//!
//! In: handles to the status board and the metrics. Out: text. Never changes anything, never shows a secret.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::base::{
    board::{Board, BoardView},
    telemetry::Metrics,
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
    /// How everything is doing.
    pub board: Board,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

/// Answer of `/healthz`.
#[derive(Debug, Serialize)]
struct Health {
    /// `ok`, or `problem`.
    status: &'static str,
    version: &'static str,
    #[serde(flatten)]
    view: BoardView,
}

async fn healthz(State(handles): State<Handles>) -> impl IntoResponse {
    let view = handles.board.view();
    let (code, status) = if view.healthy() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "problem")
    };
    let health = Health {
        status,
        version: env!("CARGO_PKG_VERSION"),
        view,
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

/// The pages, for a server or for a test without a socket.
pub fn router(handles: Handles) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(handles)
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

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, handles: Handles, stop: CancellationToken) {
    let served = axum::serve(listener, router(handles))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::warn!(%error, "health and metrics stopped");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::flow::{CameraState, Problem};

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn health_turns_with_the_board_and_a_port_in_use_is_told() {
        let handles = Handles {
            board: Board::new(),
            metrics: Metrics::new(),
        };
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let error = bind(address).await.unwrap_err().to_string();
        assert!(error.contains("choose another one"), "{error}");

        let stop = CancellationToken::new();
        let server = serve(listener, handles.clone(), stop.clone());
        let client = async {
            let door = "door".parse().unwrap();
            handles.board.camera(&door, CameraState::Online, None);
            assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
            let problem = Problem {
                message: "the camera does not answer".to_owned(),
                hint: "check its cable".to_owned(),
            };
            handles
                .board
                .camera(&door, CameraState::Offline, Some(problem));
            let answer = get(address, "/healthz").await;
            assert!(
                answer.starts_with("HTTP/1.1 503") && answer.contains("check its cable"),
                "{answer}"
            );
            assert!(get(address, "/metrics").await.contains("lares_"));
            assert!(get(address, "/other").await.starts_with("HTTP/1.1 404"));
            stop.cancel();
        };
        tokio::join!(server, client);
    }
}
