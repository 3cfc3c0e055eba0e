//! What somebody says of an incident: keep it, a false alarm, delete it. Each is written down in the record.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};

use super::{
    Page,
    answer::{Failure, Given},
    incidents::{IncidentView, One},
};
use crate::{
    HubError,
    accounts::Session,
    base::{evidence::Deletion, tasks},
    flow::{CameraId, ClockState, IncidentId, SiteId, WallTime},
    marks::{Full, Keep, Mark, Said, Which},
    store,
    wire::{ClipState, IncidentMessage},
};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 200;
/// An incident can be kept for so long at most: five years.
const LONGEST_KEEP_MS: i64 = 5 * 366 * 86_400_000;
/// Why an incident cannot be deleted yet.
const NOT_OVER: &str = "it still goes on, or its clip is on its way: delete it when that is over";
/// All that is kept may take this part of the store's quota.
const MOST_KEPT: u64 = 2;

fn which(message: &IncidentMessage) -> Which {
    (message.site.clone(), message.id)
}

impl Page {
    /// Whether everything that there is of an incident can be deleted here, or why not.
    pub(super) fn may_delete(&self, message: &IncidentMessage) -> Result<(), Failure> {
        let no = |reason: &str| Err(Failure::Conflict(reason.to_owned()));
        if self.home_of(&message.site).is_none() && self.folder.get().is_none() {
            return no(
                "its clip lies in another store, which this hub only reads: delete it there",
            );
        }
        Ok(())
    }

    fn said(&self, session: &Session) -> Said {
        Said {
            by: session.account.name.clone(),
            at: self.clock.wall(),
        }
    }

    /// Writes into the record what was done to an incident.
    fn note_mark(&self, session: &Session, what: &str, message: &IncidentMessage) {
        let name = self.house.name(&message.site, &message.camera);
        let detail = format!("{}/{} {}", message.site, message.camera, message.id);
        self.accounts
            .note(&session.account.name, what, &name, &detail);
    }

    /// Says something of an incident, on the disk.
    async fn mark(
        &self,
        message: &IncidentMessage,
        change: impl FnOnce(&mut Mark) + Send + 'static,
    ) -> Result<Mark, Failure> {
        let (marks, which) = (self.marks.clone(), which(message));
        let done = tasks::blocking(move || marks.change(&which, change)).await;
        done.and_then(|done| done)
            .map_err(HubError::Store)?
            .map_err(|Full| {
                let reason = "so many incidents are kept or marked that there is no room for one more: end some of these first";
                Failure::Conflict(reason.to_owned())
            })
    }

    /// The box in this program hears what is kept, where the incident is one of its own.
    async fn hold_at_home(&self, message: &IncidentMessage) -> Result<(), Failure> {
        let Some(home) = self.home_of(&message.site).cloned() else {
            return Ok(());
        };
        let marks = self.marks.clone();
        let told = tasks::blocking(move || home.hold(&marks)).await;
        told.map_err(HubError::Evidence)??;
        Ok(())
    }

    /// Deletes what the box in this program has of an incident.
    async fn delete_at_home(
        &self,
        message: &IncidentMessage,
        session: &Session,
    ) -> Result<(), Failure> {
        let Some(home) = self.home_of(&message.site).cloned() else {
            return Ok(());
        };
        let (id, account) = (message.id, session.account.name.clone());
        let deleted = tasks::blocking(move || home.delete(id, &account)).await;
        match deleted.map_err(HubError::Evidence)?? {
            Deletion::Done | Deletion::Unknown => Ok(()),
            Deletion::Busy => Err(Failure::Conflict(NOT_OVER.to_owned())),
        }
    }

    /// The incident as it is now, which other pages are told of too.
    async fn changed(&self, message: IncidentMessage) -> Json<One> {
        self.house.incident(message.clone());
        Json(One::of(IncidentView::new(self, message).await))
    }

    /// Bytes of clips that are kept now where that of `but` lies, but for that one.
    fn bytes_kept(&self, but: &IncidentMessage) -> Result<u64, HubError> {
        let mut bytes = 0_u64;
        let at_home = |site: &SiteId| self.home_of(site).is_some();
        for (site, id) in self.marks.held(Some(self.clock.wall())) {
            if id != but.id
                && at_home(&site) == at_home(&but.site)
                && let Some(message) = self.index.incident(id)?
            {
                bytes = bytes.saturating_add(message.clip.bytes);
            }
        }
        Ok(bytes)
    }
}

/// Until when, and why.
#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    reason: String,
    until: WallTime,
}

pub(super) async fn keep(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Given(wish): Given<Wish>,
) -> Result<Json<One>, Failure> {
    let message = page.incident(&id)?;
    let reason = wish.reason.trim().to_owned();
    if reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
        let why = format!("a reason has at most {LONGEST_REASON} characters, on one line");
        return Err(Failure::BadRequest(why));
    }
    if page.clock.state() != ClockState::Good {
        let why = "the box does not know the time, so it cannot keep anything until a day";
        return Err(Failure::Conflict(why.to_owned()));
    }
    let Said { by, at } = page.said(&session);
    if wish.until <= at || wish.until.0 - at.0 > LONGEST_KEEP_MS {
        let why = "choose an end in the future, and within five years";
        return Err(Failure::BadRequest(why.to_owned()));
    }
    let bytes = page.bytes_kept(&message)?;
    let quota = match page.home_of(&message.site) {
        Some(home) => Some(home.evidence.quota()),
        None => page.folder.get().map(|_| page.quota),
    };
    if quota.is_some_and(|quota| bytes.saturating_add(message.clip.bytes) > quota / MOST_KEPT) {
        let why = "what is kept already takes half of the space for clips: end some of it first";
        return Err(Failure::Conflict(why.to_owned()));
    }
    let kept = Keep {
        reason,
        until: Some(wish.until),
        by,
        at,
    };
    page.mark(&message, move |mark| mark.kept = Some(kept))
        .await?;
    page.hold_at_home(&message).await?;
    page.note_mark(&session, "keep", &message);
    Ok(page.changed(message).await)
}

pub(super) async fn end_keep(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
) -> Result<Json<One>, Failure> {
    let message = page.incident(&id)?;
    if page.marks.of(&which(&message)).kept.is_some() {
        page.mark(&message, |mark| mark.kept = None).await?;
        page.hold_at_home(&message).await?;
        page.note_mark(&session, "keep-end", &message);
    }
    Ok(page.changed(message).await)
}

pub(super) async fn false_alarm(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
) -> Result<Json<One>, Failure> {
    let message = page.incident(&id)?;
    if page.marks.of(&which(&message)).false_alarm.is_none() {
        let said = page.said(&session);
        page.mark(&message, |mark| mark.false_alarm = Some(said))
            .await?;
        page.note_mark(&session, "false-alarm", &message);
    }
    Ok(page.changed(message).await)
}

pub(super) async fn no_false_alarm(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
) -> Result<Json<One>, Failure> {
    let message = page.incident(&id)?;
    if page.marks.of(&which(&message)).false_alarm.is_some() {
        page.mark(&message, |mark| mark.false_alarm = None).await?;
        page.note_mark(&session, "false-alarm-end", &message);
    }
    Ok(page.changed(message).await)
}

/// Deletes an incident with everything that the hub has of it. That it is deleted is written down first: whatever comes of it
/// later is not taken in again.
pub(super) async fn delete(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    let message = page.incident(&id)?;
    page.may_delete(&message)?;
    let which = which(&message);
    if page.marks.of(&which).kept.is_some() {
        let why = "it is kept: end that first";
        return Err(Failure::Conflict(why.to_owned()));
    }
    if message.end.is_none() || message.clip.state == ClipState::Sending {
        return Err(Failure::Conflict(NOT_OVER.to_owned()));
    }
    // The box says whether it can: first there, so that a refusal leaves nothing behind.
    page.delete_at_home(&message, &session).await?;
    let said = page.said(&session);
    page.mark(&message, |mark| {
        *mark = Mark {
            deleted: Some(said),
            ..Mark::default()
        };
    })
    .await?;
    page.note_mark(&session, "delete", &message);
    let folder = page.folder.get().cloned();
    let (site, camera, id) = (message.site.clone(), message.camera.clone(), message.id);
    let deleted = tasks::blocking(move || {
        folder.map_or(Ok(0), |folder| store::delete(&folder, &site, &camera, id))
    });
    deleted
        .await
        .and_then(|done| done)
        .map_err(HubError::Store)?;
    page.index.forget([(&which.0, which.1)])?;
    page.house.gone(message.id);
    Ok(StatusCode::NO_CONTENT)
}

/// One that is kept.
#[derive(Serialize)]
struct KeptOne {
    id: IncidentId,
    site: SiteId,
    camera: CameraId,
    start: WallTime,
    #[serde(flatten)]
    keep: Keep,
}

#[derive(Serialize)]
pub(super) struct List {
    v: u32,
    kept: Vec<KeptOne>,
    false_alarms: usize,
}

/// What is kept, and how many of the incidents in the list were false alarms.
pub(super) async fn list(State(page): State<Page>) -> Result<Json<List>, Failure> {
    let mut list = List {
        v: 1,
        kept: Vec::new(),
        false_alarms: 0,
    };
    for ((site, id), mark) in page.marks.all() {
        let Some(message) = page
            .index
            .incident(id)?
            .filter(|message| message.site == site)
        else {
            continue;
        };
        list.false_alarms += usize::from(mark.false_alarm.is_some());
        if let Some(keep) = mark.kept {
            list.kept.push(KeptOne {
                id,
                site,
                camera: message.camera,
                start: message.start,
                keep,
            });
        }
    }
    list.kept.sort_by_key(|kept| std::cmp::Reverse(kept.start));
    Ok(Json(list))
}
