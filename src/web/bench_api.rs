//! Single steps of serving, for fuzzing.

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::limits;
use crate::net::server;

/// Serves `pages` to one client until it hangs up.
pub async fn connection(
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    pages: Router,
) {
    let stop = CancellationToken::new();
    server::connection(limits(), socket, pages, stop).await;
}
