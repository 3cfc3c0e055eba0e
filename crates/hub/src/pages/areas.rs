//! Zones and masks of the cameras of this box.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{
    Page,
    answer::{Failure, Given},
};
use crate::{
    AreasRefusal, Drawn,
    accounts::Session,
    flow::{CameraId, SiteId},
};

/// The document of the page.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    v: u32,
    #[serde(flatten)]
    drawn: Drawn,
}

impl From<AreasRefusal> for Failure {
    fn from(refusal: AreasRefusal) -> Self {
        match refusal {
            AreasRefusal::Conflict(reason) => Self::Conflict(reason),
            AreasRefusal::Impossible(reason) => Self::BadRequest(reason),
        }
    }
}

/// The camera of an address, where it is one of this box.
fn local(page: &Page, site: &str, camera: &str) -> Result<CameraId, Failure> {
    let unknown = || Failure::NotFound(format!("there is no camera {camera} at {site}"));
    let site: SiteId = site.parse().map_err(|_| unknown())?;
    let camera: CameraId = camera.parse().map_err(|_| unknown())?;
    if !page.house.knows(&site, &camera) {
        return Err(unknown());
    }
    if page.house.local() != Some(&site) || page.areas.is_none() {
        return Err(Failure::Conflict(format!(
            "this camera belongs to the box {site}: draw its areas on the page of that box, or in its configuration file"
        )));
    }
    Ok(camera)
}

pub(super) async fn show(
    State(page): State<Page>,
    Path((site, camera)): Path<(String, String)>,
) -> Result<Json<Document>, Failure> {
    let camera = local(&page, &site, &camera)?;
    let desk = page.areas.as_ref().ok_or(Failure::Trouble)?;
    let drawn = desk.read(&camera)?;
    Ok(Json(Document { v: 1, drawn }))
}

pub(super) async fn draw(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path((site, camera)): Path<(String, String)>,
    Given(document): Given<Document>,
) -> Result<Json<Document>, Failure> {
    let id = local(&page, &site, &camera)?;
    let desk = page.areas.clone().ok_or(Failure::Trouble)?;
    let account = session.account.name;
    let name = page.house.local().map(|local| page.house.name(local, &id));
    page.accounts.note(
        &account,
        "areas",
        &name.unwrap_or_default(),
        &format!("{site}/{camera}"),
    );
    // The camera ends and begins anew, which takes seconds: not on the thread that answers everybody.
    let (answer, answered) = oneshot::channel();
    let work = move || {
        let _ = answer.send(desk.write(&id, &document.drawn, &account));
    };
    page.tasks
        .thread("areas", work)
        .map_err(|_| Failure::Trouble)?;
    let drawn = answered.await.map_err(|_| Failure::Trouble)??;
    Ok(Json(Document { v: 1, drawn }))
}
