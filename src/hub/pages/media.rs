//! Objects of the store for whoever is logged in: pictures, playlists and segments, with ranges.

use std::{
    io::SeekFrom,
    ops::Range,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::{Page, answer::Failure};
use crate::{
    hub::accounts::Session,
    wire::{Item, ObjectKey},
};

/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// A clip that is opened again within this time is still the same look at it.
const SAME_LOOK: Duration = Duration::from_secs(600);
/// Looks that are remembered.
const MOST_LOOKS: usize = 4096;

/// A file in pieces.
pub(super) fn pieces<R: AsyncRead>(file: R) -> ReaderStream<R> {
    ReaderStream::with_capacity(file, PIECE)
}

pub(super) async fn object(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let nothing = || Failure::NotFound("there is no such object, or no longer".to_owned());
    let key: ObjectKey = key.parse().map_err(|_| nothing())?;
    let (file, facts) = page.folder.read(&key)?.ok_or_else(nothing)?;
    if matches!(key.item, Item::Playlist(_)) {
        note_look(&page, &session, &key)?;
    }
    let tag = format!("\"{}\"", facts.etag);
    // Segments and headers never change; pictures and playlists do, and are asked about each time.
    let keep = match key.item {
        Item::Init(..) | Item::Media(..) => "private, max-age=31536000, immutable",
        _ => "private, no-cache",
    };
    let common = [
        (header::CONTENT_TYPE, key.item.content_type().to_owned()),
        (header::CACHE_CONTROL, keep.to_owned()),
        (header::ETAG, tag.clone()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let of = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if of(header::IF_NONE_MATCH).is_some_and(|known| known == tag) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let mut file = tokio::fs::File::from_std(file);
    let Some(asked) = of(header::RANGE) else {
        let length = [(header::CONTENT_LENGTH, facts.bytes.to_string())];
        return Ok((common, length, Body::from_stream(pieces(file))).into_response());
    };
    let Some(range) = range(asked, facts.bytes) else {
        let all = [(header::CONTENT_RANGE, format!("bytes */{}", facts.bytes))];
        return Ok((StatusCode::RANGE_NOT_SATISFIABLE, all).into_response());
    };
    file.seek(SeekFrom::Start(range.start)).await?;
    let length = range.end - range.start;
    let part = [
        (header::CONTENT_LENGTH, length.to_string()),
        (
            header::CONTENT_RANGE,
            format!("bytes {}-{}/{}", range.start, range.end - 1, facts.bytes),
        ),
    ];
    let body = Body::from_stream(pieces(file.take(length)));
    Ok((StatusCode::PARTIAL_CONTENT, common, part, body).into_response())
}

/// The one range that `asked` means of `length` bytes.
fn range(asked: &str, length: u64) -> Option<Range<u64>> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.trim(), last.trim()) {
        ("", last) => length.saturating_sub(last.parse().ok()?)..length,
        (first, "") => first.parse().ok()?..length,
        (first, last) => {
            let last: u64 = last.parse().ok()?;
            first.parse().ok()?..last.saturating_add(1).min(length)
        }
    };
    (range.start < range.end).then_some(range)
}

/// Writes down that a clip was opened, once for each look at it.
fn note_look(page: &Page, session: &Session, key: &ObjectKey) -> Result<(), Failure> {
    let now = Instant::now();
    let who = (session.account.name.clone(), key.incident);
    let mut opened = page.opened.lock();
    if opened.len() >= MOST_LOOKS {
        opened.retain(|_, at| now.duration_since(*at) < SAME_LOOK);
    }
    let again = opened
        .insert(who, now)
        .is_some_and(|at| now.duration_since(at) < SAME_LOOK);
    drop(opened);
    if again {
        return Ok(());
    }
    let what = format!("{}/{} {}", key.site, key.camera, key.incident);
    let account = &session.account.name;
    Ok(page
        .accounts
        .note(page.clock.wall(), account, "clip", &what)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_players_write_them() {
        assert_eq!(range("bytes=0-99", 1000), Some(0..100));
        assert_eq!(range("bytes=900-", 1000), Some(900..1000));
        assert_eq!(range("bytes=900-5000", 1000), Some(900..1000));
        assert_eq!(range("bytes=-10", 1000), Some(990..1000));
        for bad in [
            "bytes=1000-",
            "bytes=5-4",
            "bytes=-0",
            "bytes=a-b",
            "lines=1-2",
            "bytes=0-1,4-5",
            "bytes=18446744073709551615-",
        ] {
            assert_eq!(range(bad, 1000), None, "{bad}");
        }
    }
}
