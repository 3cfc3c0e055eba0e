//! Objects of the store for whoever is logged in: pictures, playlists and segments, with ranges.

use std::time::{Duration, Instant};

use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use object_store::GetRange;
use serde::Deserialize;

use super::{Page, answer::Failure, small};
use crate::{
    accounts::Session,
    wire::{Item, ObjectKey},
};

/// A clip that is opened again within this time is still the same look at it.
const SAME_LOOK: Duration = Duration::from_secs(600);
/// Looks that are remembered.
const MOST_LOOKS: usize = 4096;

/// Which rendition is asked for.
#[derive(Deserialize)]
pub(super) struct Asked {
    size: Option<String>,
}

pub(super) async fn object(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    Path(key): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let nothing = || Failure::NotFound("there is no such object, or no longer".to_owned());
    let key: ObjectKey = key.parse().map_err(|_| nothing())?;
    let of = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if asked.size.as_deref() == Some("small")
        && matches!(key.item, Item::Thumb)
        && let Some(small) = small(&page, &key, of(header::IF_NONE_MATCH)).await?
    {
        return Ok(small);
    }
    let asked = of(header::RANGE).map(range);
    let found = match asked.clone() {
        Some(None) => return unsatisfiable(&page, &key).await,
        part => page.shelf.get(&key, part.flatten()).await,
    };
    let found = match found {
        Ok(found) => found.ok_or_else(nothing)?,
        // A part that begins behind the end is no fault of the store.
        Err(_) if asked.is_some() => return unsatisfiable(&page, &key).await,
        Err(error) => return Err(error.into()),
    };
    if matches!(key.item, Item::Playlist(_)) {
        note_look(&page, &session, &key);
    }
    let tag = found.meta.e_tag.as_deref().unwrap_or_default();
    let tag = format!("\"{}\"", tag.trim_matches('"'));
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
    if of(header::IF_NONE_MATCH).is_some_and(|known| known == tag) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let (part, whole) = (found.range.clone(), found.meta.size);
    let length = [(header::CONTENT_LENGTH, (part.end - part.start).to_string())];
    let body = Body::from_stream(found.into_stream());
    if asked.is_none() {
        return Ok((common, length, body).into_response());
    }
    let place = format!("bytes {}-{}/{whole}", part.start, part.end - 1);
    let place = [(header::CONTENT_RANGE, place)];
    Ok((StatusCode::PARTIAL_CONTENT, common, length, place, body).into_response())
}

/// The picture `key` in the size of a card; none where there is no such picture, or one that no box makes.
async fn small(
    page: &Page,
    key: &ObjectKey,
    known: Option<&str>,
) -> Result<Option<Response>, Failure> {
    let meta = page.shelf.meta(key).await?;
    let Some(meta) = meta.filter(|meta| meta.size <= small::LARGEST as u64) else {
        return Ok(None);
    };
    let tag = meta.e_tag.unwrap_or_default();
    let name = format!("{key} {tag} {}", meta.size);
    let tag = format!("\"{}-small\"", tag.trim_matches('"'));
    let common = [
        (header::CONTENT_TYPE, "image/jpeg".to_owned()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    if known == Some(&*tag) {
        let unchanged = (StatusCode::NOT_MODIFIED, common).into_response();
        return Ok(Some(unchanged));
    }
    let jpeg = match page.small.kept(&name) {
        Some(kept) => kept,
        None => {
            let Some(whole) = page.shelf.beginning(key, small::LARGEST).await? else {
                return Ok(None);
            };
            page.small.make(name, whole).await
        }
    };
    Ok(Some((common, jpeg).into_response()))
}

/// The answer to a range that the object has not got.
async fn unsatisfiable(page: &Page, key: &ObjectKey) -> Result<Response, Failure> {
    let meta = page.shelf.meta(key).await?;
    let meta = meta.ok_or_else(|| Failure::NotFound("there is no such object".to_owned()))?;
    let all = [(header::CONTENT_RANGE, format!("bytes */{}", meta.size))];
    Ok((StatusCode::RANGE_NOT_SATISFIABLE, all).into_response())
}

/// The one range that `asked` means; none where it means none.
pub(super) fn range(asked: &str) -> Option<GetRange> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.trim(), last.trim()) {
        ("", last) => GetRange::Suffix(last.parse().ok().filter(|count| *count > 0)?),
        (first, "") => GetRange::Offset(first.parse().ok()?),
        (first, last) => {
            let last: u64 = last.parse().ok()?;
            GetRange::Bounded(first.parse().ok()?..last.saturating_add(1))
        }
    };
    range.is_valid().is_ok().then_some(range)
}

/// Writes down that a clip was opened, once for each look at it.
fn note_look(page: &Page, session: &Session, key: &ObjectKey) {
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
        return;
    }
    let what = format!("{}/{} {}", key.site, key.camera, key.incident);
    let name = page.house.name(&key.site, &key.camera);
    page.accounts
        .note(&session.account.name, "clip", &name, &what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_players_write_them() {
        assert_eq!(range("bytes=0-99"), Some(GetRange::Bounded(0..100)));
        assert_eq!(range("bytes=900-"), Some(GetRange::Offset(900)));
        assert_eq!(range("bytes=-10"), Some(GetRange::Suffix(10)));
        for bad in [
            "bytes=5-4",
            "bytes=-0",
            "bytes=a-b",
            "lines=1-2",
            "bytes=0-1,4-5",
        ] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }
}
