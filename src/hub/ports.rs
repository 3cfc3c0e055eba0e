//! The hub's own ports: who may connect, how long, and how much they may send.

use std::time::Duration;

use crate::{
    base::http::{Limits, Pace, Server, proxy::Proxies},
    config::HubConfig,
};

/// Browsers: a page has a few connections, one of them for events, for hours. Beside them those that have not logged in.
const BROWSERS: (usize, usize, Duration) = (64, 256, Duration::from_secs(6 * 3600));
/// What browsers send is short.
const REQUESTS: Pace = Pace {
    patience: Duration::from_secs(10),
    per_second: 1000,
    most: 256 * 1024,
};
/// Boxes: each has a few uploads at once. Beside them those that have not shown a key.
const BOXES: (usize, usize, Duration) = (64, 1000, Duration::from_secs(3600));
/// Uploads come over lines that may be slow, or away for a moment.
const UPLOADS: Pace = Pace {
    patience: Duration::from_secs(60),
    per_second: 500,
    most: 65_000_000,
};

/// How the page is served.
pub(super) fn page(config: &HubConfig) -> Server {
    let (strangers, known, life) = BROWSERS;
    Server {
        proxies: Proxies::new(&config.trusted_proxies),
        ..Server::plain("page", Limits::new(strangers, known, life, REQUESTS))
    }
}

/// How the store is served.
pub(super) fn store(config: &HubConfig) -> Server {
    let (strangers, known, life) = BOXES;
    Server {
        proxies: Proxies::new(&config.trusted_proxies),
        ..Server::plain("store", Limits::new(strangers, known, life, UPLOADS))
    }
}
