//! The page: what the browser loads, and what it asks for (docs/page-api.md).
//!
//! In: requests of browsers, each checked for who sends it and from where. Out: documents, pictures and clips. Changes go to
//! the boxes over the broker, like those of any other program; nothing here talks to a camera.

mod answer;
mod areas;
mod clips;
mod events;
mod guard;
mod house;
mod incidents;
mod live;
mod marks;
mod media;
mod recordings;
mod session;
mod small;
mod ui;

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{delete, get, post, put},
};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use self::answer::Failure;
pub(super) use self::{live::Viewers, recordings::Recordings, small::Small};
use super::{
    AreasDesk, Modes, accounts::Accounts, home::Home, house::House, index::Index, listen::SetMode,
    marks::Marks, shelf::Shelf, store::Folder,
};
use crate::{
    base::{clock::Clock, live::LiveSource, tasks::Tasks},
    flow::{CameraId, IncidentId, SiteId},
    net::server::{encoding, names::Names},
    wire::IncidentMessage,
};

/// Longest body of a request.
const LONGEST_BODY: usize = 64 * 1024;

/// A picture of now of a camera of this box, as JPEG; none where there is none to be had.
pub(super) type Stills = Arc<dyn Fn(&CameraId) -> Option<Bytes> + Send + Sync>;

/// What the pages read and where they put what they are asked.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) index: Arc<Index>,
    pub(super) marks: Marks,
    /// The store's folder, where it is the hub's own and works.
    pub(super) folder: Arc<OnceLock<Folder>>,
    /// The box in this program, which keeps its own objects.
    pub(super) home: Option<Home>,
    /// Bytes that the store may have.
    pub(super) quota: u64,
    pub(super) shelf: Shelf,
    pub(super) house: House,
    pub(super) accounts: Accounts,
    pub(super) requests: mpsc::Sender<SetMode>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stills: Stills,
    /// Moving pictures of cameras of this box, where there is one.
    pub(super) live: Option<Arc<dyn LiveSource>>,
    /// Recordings of cameras of this box, where there is one.
    pub(super) recordings: Option<Recordings>,
    /// Who watches live pictures.
    pub(super) viewers: Viewers,
    /// Where modes of this box's cameras are changed.
    pub(super) modes: Option<Modes>,
    /// Where areas of this box's cameras are changed.
    pub(super) areas: Option<Arc<dyn AreasDesk>>,
    pub(super) tasks: Tasks,
    /// Names by which browsers may ask for the hub.
    pub(super) names: Names,
    /// Whether others than this machine can reach the page.
    pub(super) off_loopback: bool,
    /// Small renditions of pictures.
    pub(super) small: Small,
    /// Who has opened which clip lately, so that it is written down once.
    pub(super) opened: Arc<Mutex<HashMap<(String, IncidentId), Instant>>>,
}

impl Page {
    /// The box in this program, where `site` is its.
    fn home_of(&self, site: &SiteId) -> Option<&Home> {
        self.home.as_ref().filter(|home| home.site == *site)
    }

    /// The incident of an address.
    fn incident(&self, id: &str) -> Result<IncidentMessage, Failure> {
        let missing = || Failure::NotFound("there is no such incident, or no longer".to_owned());
        let id: IncidentId = id.parse().map_err(|_| missing())?;
        self.index.incident(id)?.ok_or_else(missing)
    }
}

/// The pages, for a server.
pub(super) fn router(page: Page) -> Router {
    let api = Router::new()
        .route("/session", get(session::show))
        .route("/setup", post(session::set_up))
        .route("/login", post(session::log_in))
        .route("/logout", post(session::log_out))
        .route("/accounts", get(session::accounts).post(session::add))
        .route("/accounts/{name}", delete(session::remove))
        .route("/password", post(session::change_password))
        .route("/second", post(session::offer_second))
        .route("/second/confirm", post(session::confirm_second))
        .route("/second/off", post(session::drop_second))
        .route("/log", get(session::log))
        .route("/house", get(house::show))
        .route("/mode", put(house::set_mode))
        .route("/cameras/{site}/{camera}/still.jpg", get(house::still))
        .route(
            "/cameras/{site}/{camera}/areas",
            get(areas::show).put(areas::draw),
        )
        .route("/incidents", get(incidents::list))
        .route(
            "/incidents/{id}",
            get(incidents::show).delete(marks::delete),
        )
        .route(
            "/incidents/{id}/keep",
            put(marks::keep).delete(marks::end_keep),
        )
        .route(
            "/incidents/{id}/false-alarm",
            put(marks::false_alarm).delete(marks::no_false_alarm),
        )
        .route("/marks", get(marks::list))
        .route("/incidents/{id}/clip.mp4", get(clips::download))
        .route("/days", get(incidents::days))
        .route("/events", get(events::stream))
        .route("/ws", get(live::open))
        .merge(recordings::routes())
        .fallback(async || Failure::NotFound("there is no such request".to_owned()))
        .layer(DefaultBodyLimit::max(LONGEST_BODY));
    Router::new()
        .nest("/api", api)
        .route("/media/{*key}", get(media::object))
        .fallback(ui::file)
        .layer(middleware::from_fn(encoding::layer))
        .layer(middleware::from_fn_with_state(page.clone(), guard::check))
        .with_state(page)
}

#[cfg(test)]
mod tests;
