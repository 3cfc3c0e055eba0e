//! Clips as files: what a playlist ties together, in one piece.

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};

use super::{Page, answer::Failure, incidents};
use crate::{
    hub::{
        accounts::Session,
        shelf::{Codec, Shelf},
    },
    wire::{Item, ObjectKey},
};

/// Longest playlist that is read.
const LONGEST: u64 = 1024 * 1024;
/// Where a header says what its pictures are encoded with.
const HEAD: u64 = 4096;

/// Header and segments of a clip's first run: those that one file can hold.
struct Run {
    init: ObjectKey,
    segments: Vec<ObjectKey>,
}

/// The key that `reference` means in the playlist `from`; one of its own site, or none.
fn resolve(from: &ObjectKey, reference: &str) -> Option<ObjectKey> {
    let base = url::Url::parse(&format!("lares:/{from}")).ok()?;
    let whole = base.join(reference).ok()?;
    let key: ObjectKey = whole.path().strip_prefix('/')?.parse().ok()?;
    (whole.scheme() == "lares" && key.site == from.site).then_some(key)
}

/// The first run of `playlist`: from its first header to the next one that differs.
async fn run(shelf: &Shelf, playlist: &ObjectKey) -> Option<Run> {
    let text = shelf.beginning(playlist, LONGEST).await?;
    let text = std::str::from_utf8(&text).ok()?;
    let mut run: Option<Run> = None;
    for line in text.lines() {
        if let Some(map) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
            let init = resolve(playlist, map.trim_end_matches('"'))?;
            match &run {
                Some(run) if run.init != init => break,
                Some(_) => {}
                None => {
                    run = Some(Run {
                        init,
                        segments: Vec::new(),
                    });
                }
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            run.as_mut()?.segments.push(resolve(playlist, line)?);
        }
    }
    run.filter(|run| !run.segments.is_empty() && matches!(run.init.item, Item::Init(..)))
}

/// What the pictures of `playlist` are encoded with; none where nobody knows.
pub(super) async fn codec(shelf: &Shelf, playlist: &ObjectKey) -> Option<Codec> {
    if let Some(known) = shelf.codec(playlist) {
        return Some(known);
    }
    let run = run(shelf, playlist).await?;
    let head = shelf.beginning(&run.init, HEAD).await?;
    let holds = |name: &[u8]| head.windows(4).any(|four| four == name);
    let codec = if holds(b"avc1") {
        "h264"
    } else if holds(b"hvc1") || holds(b"hev1") {
        "h265"
    } else {
        return None;
    };
    shelf.remember_codec(playlist, codec);
    Some(codec)
}

/// The clip as one fragmented MP4, as far as it has arrived.
pub(super) async fn download(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let message = incidents::find(&page, &id)?;
    let nothing = || Failure::NotFound("nothing of this clip has arrived yet".to_owned());
    let key = message.clip.key.as_deref().ok_or_else(nothing)?;
    let playlist: ObjectKey = key.parse().map_err(|_| nothing())?;
    if playlist.site != message.site || playlist.incident != message.id {
        return Err(nothing());
    }
    let run = run(&page.shelf, &playlist).await.ok_or_else(nothing)?;
    let keys: Vec<ObjectKey> = std::iter::once(run.init).chain(run.segments).collect();
    let length = page.shelf.length(&keys).await?.ok_or_else(nothing)?;
    let what = format!("{}/{} {id}", message.site, message.camera);
    page.accounts
        .note(page.clock.wall(), &session.account.name, "download", &what)?;
    let name = format!(
        "attachment; filename=\"{}-{}.mp4\"",
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
