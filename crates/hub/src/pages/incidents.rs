//! Incidents, page by page, and the days that have some.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use futures::{StreamExt, stream};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Page, answer::Failure, clips};
use crate::{
    flow::{
        CameraId, ClockState, IncidentId, IncidentState, Label, Rendition, RuleHit, SiteId,
        WallTime,
    },
    index::{Cursor, Filter},
    marks::{Keep, Said},
    wire::{ClipState, IncidentMessage, Item, ObjectKey},
};

/// Incidents on a page, unless it asks for fewer.
const PAGE: usize = 50;
const LONGEST_PAGE: usize = 200;
/// Incidents whose objects are looked for at once.
const LOOKS: usize = 16;

/// An incident, as the page sees it.
#[derive(Debug, Serialize)]
pub(super) struct IncidentView {
    id: IncidentId,
    site: SiteId,
    camera: CameraId,
    label: Label,
    state: IncidentState,
    start: WallTime,
    end: Option<WallTime>,
    seconds: Option<f64>,
    clock: ClockState,
    score: f32,
    zones: Vec<String>,
    rules: Vec<RuleHit>,
    test: bool,
    /// Kept longer than the others.
    kept: Option<Keep>,
    false_alarm: Option<Said>,
    /// Whether it can be deleted here.
    deletable: bool,
    picture: Option<String>,
    small: Option<String>,
    crop: Option<String>,
    clip: ClipView,
}

#[derive(Debug, Serialize)]
struct ClipView {
    state: ClipState,
    segments: u32,
    bytes: u64,
    playlist: Option<String>,
    codec: Option<&'static str>,
    download: Option<String>,
    parts: usize,
}

/// `key`, where there is such an object.
async fn there(page: &Page, key: Option<ObjectKey>) -> Option<ObjectKey> {
    let key = key?;
    page.shelf.is_there(&key).await.then_some(key)
}

impl IncidentView {
    /// What `message` says, with addresses of what has arrived in the store.
    pub(super) async fn new(page: &Page, message: IncidentMessage) -> Self {
        let own = |key: &str| -> Option<ObjectKey> {
            let key: ObjectKey = key.parse().ok()?;
            // A box must not make the page show what another one has sent.
            (key.site == message.site && key.incident == message.id).then_some(key)
        };
        let of = |key: &ObjectKey, item| ObjectKey {
            item,
            ..key.clone()
        };
        let thumbnail = message.thumbnail.as_deref().and_then(own);
        let crop = thumbnail.as_ref().map(|key| of(key, Item::Crop));
        let original = message.clip.key.as_deref().and_then(own);
        // What every browser plays, where the original is not that.
        let preview = original
            .as_ref()
            .map(|key| of(key, Item::Playlist(Rendition::Preview)));
        let (picture, crop, original) = tokio::join!(
            there(page, thumbnail),
            there(page, crop),
            there(page, original),
        );
        let crop = crop.filter(|_| picture.is_some());
        let complete = message.clip.state == ClipState::Complete;
        let about = async |key| clips::about(&page.shelf, key, complete).await;
        let of_original = match &original {
            Some(key) => about(key).await,
            None => None,
        };
        let codec = of_original.map(|about| about.codec);
        let (playlist, codec) = match &original {
            Some(_) if codec != Some("h264") => match there(page, preview).await {
                Some(preview) => {
                    let codec = about(&preview).await.map(|about| about.codec);
                    (Some(preview), codec)
                }
                None => (original.clone(), codec),
            },
            _ => (original.clone(), codec),
        };
        // The address changes with the picture, so that no browser shows an older one.
        let address = |key: ObjectKey| format!("/media/{key}?seq={}", message.seq);
        let clip = ClipView {
            state: message.clip.state,
            segments: message.clip.segments,
            bytes: message.clip.bytes,
            codec,
            parts: of_original.map_or(0, |about| about.parts),
            download: original
                .as_ref()
                .map(|_| format!("/api/incidents/{}/clip.mp4", message.id)),
            playlist: playlist.map(|playlist| format!("/media/{playlist}")),
        };
        let mark = page.marks.of(&(message.site.clone(), message.id));
        Self {
            kept: mark.kept,
            false_alarm: mark.false_alarm,
            deletable: page.may_delete(&message).is_ok(),
            id: message.id,
            seconds: message
                .end
                .map(|end| (end.0 - message.start.0).max(0) as f64 / 1000.0),
            small: picture
                .as_ref()
                .map(|key| format!("/media/{key}?seq={}&size=small", message.seq)),
            picture: picture.map(address),
            crop: crop.map(address),
            site: message.site,
            camera: message.camera,
            label: message.label,
            state: message.state,
            start: message.start,
            end: message.end,
            clock: message.clock,
            score: message.score,
            zones: message.zones,
            rules: message.rules,
            test: message.test,
            clip,
        }
    }
}

/// What the address asks for. An empty value is one that is left out.
#[derive(Deserialize)]
pub(super) struct Asked {
    site: Option<String>,
    camera: Option<String>,
    day: Option<String>,
    label: Option<String>,
    before: Option<String>,
    limit: Option<usize>,
}

fn read<T: std::str::FromStr>(text: Option<&String>, what: &str) -> Result<Option<T>, Failure> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| Failure::BadRequest(format!("{what} cannot be read"))),
    }
}

impl Asked {
    fn filter(&self) -> Result<Filter, Failure> {
        Ok(Filter {
            site: read(self.site.as_ref(), "site")?,
            camera: read(self.camera.as_ref(), "camera")?,
            day: read::<Date>(self.day.as_ref(), "day")?,
            label: read(self.label.as_ref(), "label")?,
            before: read::<Cursor>(self.before.as_ref(), "before")?,
        })
    }
}

#[derive(Serialize)]
pub(super) struct List {
    v: u32,
    incidents: Vec<IncidentView>,
    next: Option<String>,
}

pub(super) async fn list(
    State(page): State<Page>,
    Query(asked): Query<Asked>,
) -> Result<Json<List>, Failure> {
    let most = asked.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    let (messages, next) = page.index.incidents(&asked.filter()?, most)?;
    let views = messages
        .into_iter()
        .map(|message| IncidentView::new(&page, message));
    Ok(Json(List {
        v: 1,
        incidents: stream::iter(views).buffered(LOOKS).collect().await,
        next: next.map(|next| next.to_string()),
    }))
}

#[derive(Serialize)]
pub(super) struct One {
    v: u32,
    incident: IncidentView,
}

impl One {
    pub(super) fn of(incident: IncidentView) -> Self {
        Self { v: 1, incident }
    }
}

pub(super) async fn show(
    State(page): State<Page>,
    Path(id): Path<String>,
) -> Result<Json<One>, Failure> {
    let message = page.incident(&id)?;
    let incident = IncidentView::new(&page, message).await;
    Ok(Json(One::of(incident)))
}

#[derive(Serialize)]
struct Day {
    day: String,
    incidents: u64,
}

#[derive(Serialize)]
pub(super) struct Days {
    v: u32,
    days: Vec<Day>,
    cameras: Vec<Place>,
}

/// A camera that incidents name, whether or not its box still has it.
#[derive(Serialize)]
struct Place {
    site: SiteId,
    id: CameraId,
}

pub(super) async fn days(
    State(page): State<Page>,
    Query(asked): Query<Asked>,
) -> Result<Json<Days>, Failure> {
    let filter = asked.filter()?;
    let days = page
        .index
        .days(filter.site.as_ref(), filter.camera.as_ref())?;
    let days = days
        .into_iter()
        .map(|(day, incidents)| Day {
            day: day.to_string(),
            incidents,
        })
        .collect();
    let cameras = page.index.cameras()?;
    let cameras = cameras
        .into_iter()
        .map(|(site, id)| Place { site, id })
        .collect();
    Ok(Json(Days {
        v: 1,
        days,
        cameras,
    }))
}
