//! Live pictures over a WebSocket: many cameras on one, or one in go2rtc's protocol (docs/page-api.md).
//!
//! In: requests to open a socket, each from a session and from our own page. Out: sockets, bounded in number for each session and
//! in all, each a task of its own that ends with the session.

mod messages;
mod viewer;
pub(super) mod visits;
mod watched;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    extract::{
        Query, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::HeaderMap,
    response::Response,
};
use parking_lot::Mutex;
use serde::Deserialize;

use self::{viewer::Viewer, visits::Visits};
use super::{Page, answer::Failure};
use crate::{
    accounts::Session,
    net::server::{Backlog, names},
};

/// Sockets of one session: tabs, or tiles of a player that opens one for each.
const OF_ONE: usize = 16;
/// Sockets in all.
const IN_ALL: usize = 64;
/// Longest message of a client, in bytes.
const LONGEST: usize = 4 * 1024;
/// What is read at once, in bytes: of a client little comes.
const READ: usize = 4 * 1024;
/// Largest message that may wait for the connection, in bytes: above one of ours.
const MOST_WAITING: usize = 128 * 1024;
/// Unsent bytes that the system holds for a slow viewer beside a message.
const UNSENT: u32 = 4 * 1024;
/// Too many sockets: ask again after this long.
const CROWDED: Duration = Duration::from_secs(10);

/// Who watches. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Viewers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Sockets by session.
    sockets: Mutex<HashMap<String, usize>>,
    visits: Visits,
}

/// A socket's place among them; given up when it is dropped.
struct Place {
    viewers: Viewers,
    session: String,
}

impl Viewers {
    /// None where there are too many.
    fn enter(&self, session: &Session) -> Option<Place> {
        let mut sockets = self.0.sockets.lock();
        let all: usize = sockets.values().sum();
        let mine = sockets.entry(session.csrf.clone()).or_default();
        let fits = all < IN_ALL && *mine < OF_ONE;
        *mine += usize::from(fits);
        sockets.retain(|_, count| *count > 0);
        fits.then(|| Place {
            viewers: self.clone(),
            session: session.csrf.clone(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sockets = self.viewers.0.sockets.lock();
        if let Some(count) = sockets.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                sockets.remove(&self.session);
            }
        }
        self.viewers.0.visits.left(&self.session, Instant::now());
    }
}

#[derive(Deserialize)]
pub(super) struct Asked {
    /// The camera, for a player of go2rtc's protocol, which watches one.
    src: Option<String>,
}

pub(super) async fn open(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Extension(backlog): Extension<Backlog>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let host = names::host(&headers);
    if !host.is_some_and(|host| page.names.own_origin(&headers, &host)) {
        return Err(Failure::Forbidden("live pictures are for our own page"));
    }
    let upgrade = upgrade
        .map_err(|_| Failure::BadRequest("live pictures come over a WebSocket".to_owned()))?;
    let place = page
        .viewers
        .enter(&session)
        .ok_or(Failure::SlowDown(CROWDED))?;
    backlog.keep_below(UNSENT);
    let upgrade = upgrade
        .read_buffer_size(READ)
        .write_buffer_size(0)
        .max_write_buffer_size(MOST_WAITING)
        .max_message_size(LONGEST)
        .max_frame_size(LONGEST);
    Ok(upgrade.on_upgrade(async move |socket| {
        let tasks = page.tasks.clone();
        let viewer = Viewer::new(page, session, asked.src, place);
        tasks.spawn("live view", viewer.run(socket));
    }))
}
