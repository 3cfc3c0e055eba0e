//! The agent's own pages, health and metrics: opened as soon as their port is free.
//!
//! In: an address that another program may have. Out: pages, and until then a sentence in the health report. Cameras do not wait
//! for them.

use std::{net::SocketAddr, time::Duration};

use crate::{
    base::{backoff::Backoff, health_registry::HealthRegistry, tasks::Tasks},
    web::{self, Handles},
};

/// How long to wait between two attempts.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// What the health registry calls them.
const NAME: &str = "web";

/// Serves the pages at `address`; where its port is taken, once it is free.
pub(super) async fn start(
    address: SocketAddr,
    handles: Handles,
    health_registry: &HealthRegistry,
    tasks: &Tasks,
) {
    let (health_registry, stop) = (health_registry.clone(), tasks.token().clone());
    let first = web::bind(address).await;
    if let Err(error) = &first {
        tracing::error!("{error}");
        health_registry.troubles(NAME, &[error.to_string()]);
    }
    let all = tasks.clone();
    tasks.spawn("web", async move {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut bound = first.ok();
        let listener = loop {
            if let Some(listener) = bound.take() {
                break listener;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(backoff.wait()) => {}
            }
            bound = web::bind(address).await.ok();
        };
        tracing::info!(%address, "health and metrics");
        health_registry.troubles(NAME, &[]);
        web::serve(listener, handles, all).await;
    });
}
