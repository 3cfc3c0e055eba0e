//! Clips as files: what a playlist ties together, in one piece.

use std::io::Read;

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{Page, answer::Failure, incidents, media};
use crate::{
    hub::{accounts::Session, store::Folder},
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

fn text(folder: &Folder, key: &ObjectKey, most: u64) -> Option<Vec<u8>> {
    let (file, _) = folder.read(key).ok()??;
    let mut text = Vec::new();
    file.take(most).read_to_end(&mut text).ok()?;
    Some(text)
}

/// The key that `reference` means in the playlist `from`; one of its own site, or none.
fn resolve(from: &ObjectKey, reference: &str) -> Option<ObjectKey> {
    let base = url::Url::parse(&format!("lares:/{from}")).ok()?;
    let whole = base.join(reference).ok()?;
    let key: ObjectKey = whole.path().strip_prefix('/')?.parse().ok()?;
    (whole.scheme() == "lares" && key.site == from.site).then_some(key)
}

/// The first run of `playlist`: from its first header to the next one that differs.
fn run(folder: &Folder, playlist: &ObjectKey) -> Option<Run> {
    let text = String::from_utf8(text(folder, playlist, LONGEST)?).ok()?;
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
pub(super) fn codec(folder: &Folder, playlist: &ObjectKey) -> Option<&'static str> {
    let run = run(folder, playlist)?;
    let head = text(folder, &run.init, HEAD)?;
    let holds = |name: &[u8]| head.windows(4).any(|four| four == name);
    if holds(b"avc1") {
        Some("h264")
    } else if holds(b"hvc1") || holds(b"hev1") {
        Some("h265")
    } else {
        None
    }
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
    let run = run(&page.folder, &playlist).ok_or_else(nothing)?;
    let mut files = Vec::new();
    let mut length = 0;
    for key in std::iter::once(&run.init).chain(&run.segments) {
        let (file, facts) = page.folder.read(key)?.ok_or_else(nothing)?;
        length += facts.bytes;
        files.push(file);
    }
    let what = format!("{}/{} {id}", message.site, message.camera);
    page.accounts
        .note(page.clock.wall(), &session.account.name, "download", &what)?;
    let pieces = stream::iter(files)
        .map(|file| Ok::<_, std::io::Error>(media::pieces(tokio::fs::File::from_std(file))))
        .try_flatten();
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
    Ok((headers, Body::from_stream(pieces)).into_response())
}
