//! Continuous recordings of the cameras of this box: what there is, HLS of any range, and a range as one file (docs/page-api.md).
//!
//! In: requests with a session. Out: documents, playlists, parts of files, exports; each read from the disk beside the async tasks, in
//! pieces. Who watched is in the record, an entry for a visit; each export is.

mod body;

use std::{sync::Arc, time::Duration, time::Instant};

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Page, answer::Failure, live::visits::Visits, media};
use crate::{
    accounts::Session,
    base::{
        recordings::{Export, LONGEST, LONGEST_TIMELINE, NoRecording, Range, RecordingSource},
        tasks,
    },
    flow::{CameraId, SiteId, StreamRole},
};

/// Exports, or digests of exports, at once.
const AT_ONCE: usize = 2;
/// Too many of them: ask again after this long.
const CROWDED: Duration = Duration::from_secs(15);

/// The recordings of this box, and who watches them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recordings(Arc<Inner>);

struct Inner {
    source: Arc<dyn RecordingSource>,
    visits: Visits,
    exports: Arc<Semaphore>,
}

impl Recordings {
    pub(crate) fn new(source: Arc<dyn RecordingSource>) -> Self {
        Self(Arc::new(Inner {
            source,
            visits: Visits::default(),
            exports: Arc::new(Semaphore::new(AT_ONCE)),
        }))
    }

    fn export_permit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let permit = Arc::clone(&self.0.exports).try_acquire_owned();
        permit.map_err(|_| Failure::SlowDown(CROWDED))
    }
}

impl From<NoRecording> for Failure {
    fn from(why: NoRecording) -> Self {
        let sentence = why.sentence();
        match why {
            NoRecording::Unknown | NoRecording::Nothing | NoRecording::File => {
                Self::NotFound(sentence)
            }
            NoRecording::Range => Self::BadRequest(sentence),
            NoRecording::Masked | NoRecording::Format(_) => Self::Conflict(sentence),
            NoRecording::Disk => Self::Trouble,
        }
    }
}

pub(super) fn routes() -> Router<Page> {
    Router::new()
        .route("/recordings", get(list))
        .route("/recordings/{camera}", get(timeline))
        .route("/recordings/{camera}/play.m3u8", get(playlist))
        .route("/recordings/{camera}/files/{name}", get(file))
        .route("/recordings/{camera}/export.mp4", get(export))
        .route("/recordings/{camera}/export.json", get(facts))
}

/// Which part of a recording is asked for.
#[derive(Deserialize)]
struct Asked {
    /// In milliseconds since 1970.
    from: i64,
    to: i64,
    /// `sub` or `main`; none for the usual one.
    stream: Option<String>,
}

impl Asked {
    fn stream(&self) -> Result<Option<StreamRole>, Failure> {
        match self.stream.as_deref() {
            None => Ok(None),
            Some("sub") => Ok(Some(StreamRole::Sub)),
            Some("main") => Ok(Some(StreamRole::Main)),
            Some(_) => Err(Failure::BadRequest(
                "the stream is \"sub\" or \"main\"".to_owned(),
            )),
        }
    }

    fn range(&self) -> Result<Range, Failure> {
        Ok(Range::new(self.from, self.to, LONGEST)?)
    }
}

/// A camera of an address, with what is asked of it.
struct Wanted {
    recordings: Recordings,
    site: SiteId,
    camera: CameraId,
}

impl Wanted {
    fn of(page: &Page, camera: &str) -> Result<Self, Failure> {
        let unknown = || Failure::from(NoRecording::Unknown);
        Ok(Self {
            recordings: page.recordings.clone().ok_or_else(unknown)?,
            site: page.house.local().cloned().ok_or_else(unknown)?,
            camera: camera.parse().map_err(|_| unknown())?,
        })
    }

    /// Asks the source, beside the async tasks.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn RecordingSource, &CameraId) -> Result<T, NoRecording>
        + Send
        + 'static,
    ) -> Result<T, Failure> {
        let (recordings, camera) = (self.recordings.clone(), self.camera.clone());
        let asked = tasks::blocking(move || question(&*recordings.0.source, &camera)).await;
        Ok(asked.map_err(|_| Failure::Trouble)??)
    }

    /// Writes down that `session` watches, once for a visit.
    fn note_visit(&self, page: &Page, session: &Session) {
        let seen = (self.site.clone(), self.camera.clone());
        let visits = &self.recordings.0.visits;
        if !visits
            .news(&session.csrf, [seen], Instant::now())
            .is_empty()
        {
            self.note(page, session, "recording", "");
        }
    }

    fn note(&self, page: &Page, session: &Session, deed: &'static str, range: &str) {
        let what = format!("{}/{}{range}", self.site, self.camera);
        let name = page.house.name(&self.site, &self.camera);
        page.accounts
            .note(&session.account.name, deed, &name, &what);
    }
}

async fn list(State(page): State<Page>) -> Result<Json<Value>, Failure> {
    let cameras = match page.recordings.clone() {
        Some(recordings) => tasks::blocking(move || recordings.0.source.list())
            .await
            .map_err(|_| Failure::Trouble)?,
        None => Vec::new(),
    };
    Ok(Json(json!({"v": 1, "cameras": cameras})))
}

async fn timeline(
    State(page): State<Page>,
    Path(camera): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Failure> {
    let wanted = Wanted::of(&page, &camera)?;
    let range = Range::new(asked.from, asked.to, LONGEST_TIMELINE)?;
    let found = wanted.ask(move |source, camera| source.timeline(camera, range));
    let found = found.await?;
    Ok(Json(json!({
        "v": 1,
        "camera": wanted.camera,
        "range": range,
        "spans": found.spans,
        "gaps": found.gaps,
    })))
}

async fn playlist(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(camera): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let wanted = Wanted::of(&page, &camera)?;
    let (range, stream) = (asked.range()?, asked.stream()?);
    let text = wanted.ask(move |source, camera| source.playlist(camera, range, stream));
    let text = text.await?;
    wanted.note_visit(&page, &session);
    let kind = [(header::CONTENT_TYPE, "application/vnd.apple.mpegurl")];
    Ok((kind, text).into_response())
}

async fn file(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path((camera, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let wanted = Wanted::of(&page, &camera)?;
    let content = wanted.ask(move |source, camera| source.file(camera, &name));
    let content = content.await?;
    // A client that knows the name needs no playlist.
    wanted.note_visit(&page, &session);
    let common = [
        (header::CONTENT_TYPE, "video/mp4"),
        (header::CACHE_CONTROL, "private, max-age=3600"),
        (header::ACCEPT_RANGES, "bytes"),
    ];
    let asked = headers.get(header::RANGE).map(|range| range.to_str().ok());
    let Some(asked) = asked else {
        let length = [(header::CONTENT_LENGTH, content.bytes.to_string())];
        return Ok((common, length, body::part(content.file, 0..content.bytes)).into_response());
    };
    let range = asked.and_then(media::range);
    let Some(range) = range.and_then(|range| range.as_range(content.bytes).ok()) else {
        let all = [(header::CONTENT_RANGE, format!("bytes */{}", content.bytes))];
        return Ok((StatusCode::RANGE_NOT_SATISFIABLE, all).into_response());
    };
    let place = [
        (
            header::CONTENT_RANGE,
            format!("bytes {}-{}/{}", range.start, range.end - 1, content.bytes),
        ),
        (
            header::CONTENT_LENGTH,
            (range.end - range.start).to_string(),
        ),
    ];
    let part = body::part(content.file, range);
    Ok((StatusCode::PARTIAL_CONTENT, common, place, part).into_response())
}

/// What is exported, and the permit to.
async fn export_of(
    wanted: &Wanted,
    asked: &Asked,
) -> Result<(Export, OwnedSemaphorePermit), Failure> {
    let (range, stream) = (asked.range()?, asked.stream()?);
    let permit = wanted.recordings.export_permit()?;
    let export = wanted.ask(move |source, camera| source.export(camera, range, stream));
    Ok((export.await?, permit))
}

async fn export(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(camera): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let wanted = Wanted::of(&page, &camera)?;
    let (export, permit) = export_of(&wanted, &asked).await?;
    let Range { from, to } = export.facts.range;
    wanted.note(&page, &session, "export", &format!(" {}-{}", from.0, to.0));
    let name = format!(
        "attachment; filename=\"{}-{}.mp4\"",
        wanted.camera,
        from.0 / 1000
    );
    let headers = [
        (header::CONTENT_TYPE, "video/mp4".to_owned()),
        (header::CONTENT_LENGTH, export.facts.bytes.to_string()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, body::all(export.reader, permit)).into_response())
}

/// What is said beside an export, with its SHA-256: the same range gives the same bytes.
async fn facts(
    State(page): State<Page>,
    Path(camera): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let wanted = Wanted::of(&page, &camera)?;
    let (export, permit) = export_of(&wanted, &asked).await?;
    let digested = tasks::blocking(move || {
        let digest = body::digest(export.reader);
        drop(permit);
        digest.map(|sha256| {
            let mut facts = export.facts;
            facts.sha256 = Some(sha256);
            facts
        })
    });
    let facts = digested.await.and_then(|digest| digest);
    let facts = facts.map_err(|error| {
        tracing::warn!(%error, "an export could not be read");
        Failure::Trouble
    })?;
    let name = format!(
        "attachment; filename=\"{}-{}.mp4.json\"",
        wanted.camera,
        facts.range.from.0 / 1000
    );
    Ok(([(header::CONTENT_DISPOSITION, name)], Json(facts)).into_response())
}
