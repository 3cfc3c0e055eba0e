//! Clips as files: what a playlist ties together, in one piece.

use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;

use super::{Page, answer::Failure};
use crate::{
    accounts::Session,
    shelf::{About, Shelf},
    wire::{Item, ObjectKey},
};

/// Longest playlist that is read.
const LONGEST: usize = 1024 * 1024;
/// Longest header that is read; real ones have about a thousand bytes.
const LONGEST_HEADER: usize = 64 * 1024;
/// Headers of one playlist that are read.
const MOST_HEADERS: usize = 64;

/// Header and segments that one file can hold.
struct Run {
    init: ObjectKey,
    /// What the header holds.
    head: Bytes,
    segments: Vec<ObjectKey>,
}

impl Run {
    /// What its pictures are encoded with.
    fn codec(&self) -> Option<&'static str> {
        let holds = |name: &[u8]| self.head.windows(4).any(|four| four == name);
        if holds(b"avc1") {
            Some("h264")
        } else if holds(b"hvc1") || holds(b"hev1") {
            Some("h265")
        } else {
            None
        }
    }
}

/// The key that `reference` means in the playlist `from`; one of its own site, or none.
fn resolve(from: &ObjectKey, reference: &str) -> Option<ObjectKey> {
    let base = url::Url::parse(&format!("lares:/{from}")).ok()?;
    let whole = base.join(reference).ok()?;
    let key: ObjectKey = whole.path().strip_prefix('/')?.parse().ok()?;
    (whole.scheme() == "lares" && key.site == from.site).then_some(key)
}

/// The runs of `playlist`: from a header to the next one that holds something else. A visit that borrows the beginning of its clip
/// from the one before has two headers, and they are the same. None where it is no sound playlist.
async fn runs(shelf: &Shelf, playlist: &ObjectKey) -> Option<Vec<Run>> {
    let text = shelf.glance(playlist, LONGEST).await?;
    let text = std::str::from_utf8(&text).ok()?;
    let mut runs: Vec<Run> = Vec::new();
    let (mut last, mut read) = (None, 0);
    for line in text.lines() {
        if let Some(map) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
            let init = resolve(playlist, map.trim_end_matches('"'))?;
            if last.as_ref() == Some(&init) {
                continue;
            }
            read += 1;
            if read > MOST_HEADERS || !matches!(init.item, Item::Init(..)) {
                return None;
            }
            let head = shelf.glance(&init, LONGEST_HEADER).await?;
            last = Some(init.clone());
            if runs.last().is_none_or(|run| run.head != head) {
                runs.push(Run {
                    init,
                    head,
                    segments: Vec::new(),
                });
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            let segment = resolve(playlist, line)?;
            runs.last_mut()?.segments.push(segment);
        }
    }
    runs.retain(|run| !run.segments.is_empty());
    (!runs.is_empty()).then_some(runs)
}

/// What `playlist` holds; none where nobody knows. `complete`: nothing is added to it any more.
pub(super) async fn about(shelf: &Shelf, playlist: &ObjectKey, complete: bool) -> Option<About> {
    if let Some(known) = shelf.about(playlist) {
        return Some(known);
    }
    let runs = runs(shelf, playlist).await?;
    let about = About {
        codec: runs.first()?.codec()?,
        parts: runs.len(),
    };
    if complete {
        shelf.remember(playlist, about);
    }
    Some(about)
}

/// Which part of a clip is asked for.
#[derive(Deserialize)]
pub(super) struct Part {
    part: Option<usize>,
}

/// A part of the clip, which is all of it as a rule, as one fragmented MP4; as far as it has arrived.
pub(super) async fn download(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
    Query(Part { part }): Query<Part>,
) -> Result<Response, Failure> {
    let message = page.incident(&id)?;
    let nothing = || Failure::NotFound("nothing of this clip has arrived yet".to_owned());
    let key = message.clip.key.as_deref().ok_or_else(nothing)?;
    let playlist: ObjectKey = key.parse().map_err(|_| nothing())?;
    if playlist.site != message.site || playlist.incident != message.id {
        return Err(nothing());
    }
    let part = part.unwrap_or(1);
    let runs = runs(&page.shelf, &playlist).await.ok_or_else(nothing)?;
    let parts = runs.len();
    let run = runs.into_iter().nth(part.wrapping_sub(1));
    let run = run.ok_or_else(|| Failure::NotFound(format!("this clip has {parts} parts")))?;
    let keys: Vec<ObjectKey> = std::iter::once(run.init).chain(run.segments).collect();
    let length = page.shelf.length(&keys).await?.ok_or_else(nothing)?;
    let what = format!("{}/{} {id}", message.site, message.camera);
    let name = page.house.name(&message.site, &message.camera);
    page.accounts
        .note(&session.account.name, "download", &name, &what);
    let number = match part {
        1 => String::new(),
        part => format!("-{part}"),
    };
    let name = format!(
        "attachment; filename=\"{}-{}{number}.mp4\"",
        message.camera,
        message.start.0 / 1000
    );
    let headers = [
        (header::CONTENT_TYPE, "video/mp4".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(page.shelf.in_a_row(keys))).into_response())
}
