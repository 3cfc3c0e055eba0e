//! The house as a whole: boxes, cameras, modes, and a picture of now.

use std::time::Duration;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Page,
    answer::{Failure, Given},
};
use crate::{
    accounts::Session,
    flow::{CameraId, Mode, SiteId},
    house::HouseView,
    listen::SetMode,
};

/// A first picture of now comes within this time, or is given up: sleeping cameras decode keyframes alone.
const STILL_WITHIN: Duration = Duration::from_secs(4);
/// How often to look for it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Page {
    /// The house now.
    pub(super) fn view(&self) -> HouseView {
        self.house.view(self.clock.wall())
    }
}

pub(super) async fn show(State(page): State<Page>) -> Json<HouseView> {
    Json(page.view())
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    mode: Mode,
    cameras: Option<Vec<Which>>,
}

#[derive(Deserialize)]
struct Which {
    site: SiteId,
    camera: CameraId,
}

pub(super) async fn set_mode(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Given(wanted): Given<Wanted>,
) -> Result<Response, Failure> {
    let cameras = match wanted.cameras {
        None => page.house.cameras(),
        Some(cameras) => cameras
            .into_iter()
            .map(|which| (which.site, which.camera))
            .collect(),
    };
    for (site, camera) in &cameras {
        if !page.house.knows(site, camera) {
            let reason = format!("there is no camera {camera} at {site}");
            return Err(Failure::NotFound(reason));
        }
    }
    let asked = cameras.len();
    for (site, camera) in cameras {
        let what = format!("{site}/{camera} {}", wanted.mode.as_str());
        let name = page.house.name(&site, &camera);
        page.accounts
            .note(&session.account.name, "mode", &name, &what);
        if let Some(modes) = &page.modes
            && page.house.local() == Some(&site)
        {
            if !modes(&camera, wanted.mode, Some(&session.account.name)) {
                return Err(Failure::Trouble);
            }
            continue;
        }
        let request = SetMode {
            site,
            camera,
            mode: wanted.mode,
            account: Some(session.account.name.clone()),
        };
        page.requests
            .try_send(request)
            .map_err(|_| Failure::Trouble)?;
    }
    let document = serde_json::json!({"v": 1, "asked": asked});
    Ok((StatusCode::ACCEPTED, Json(document)).into_response())
}

/// A picture of now of a camera of this box. The first one is made when it is asked for, of the camera's next keyframe: it is waited
/// for a little.
async fn first_still(page: &Page, camera: &CameraId) -> Option<Bytes> {
    let until = Instant::now() + STILL_WITHIN;
    loop {
        let picture = (page.stills)(camera);
        if picture.is_some() || Instant::now() >= until {
            return picture;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

pub(super) async fn still(
    State(page): State<Page>,
    Path((site, camera)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let nothing = || Failure::NotFound("there is no picture of this camera".to_owned());
    let site: SiteId = site.parse().map_err(|_| nothing())?;
    let camera: CameraId = camera.parse().map_err(|_| nothing())?;
    // Of another box there is what it sent last; of this one what its camera sees now.
    let picture = if page.house.local() == Some(&site) {
        first_still(&page, &camera).await
    } else {
        page.house.last_picture(&site, &camera)
    };
    let picture = picture.ok_or_else(nothing)?;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], Body::from(picture)).into_response())
}
