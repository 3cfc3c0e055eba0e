//! Names of objects in the store: `v1/<site>/<camera>/<YYYY-MM-DD>/<incident>/<item>`.
//!
//! The date is the UTC date of the incident's start, so that a day can be listed and expired. Parsing is strict: what
//! does not follow the grammar letter by letter is not a key of ours.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::Date, tz::Offset};

use crate::flow::{CameraId, IncidentId, MediaKind, Rendition, SiteId, WallTime};

/// What lies in an incident's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// `incident.json`: the facts.
    Facts,
    /// `thumb.jpg`: the whole picture with the box.
    Thumb,
    /// `crop.jpg`: the one who came.
    Crop,
    /// `R/init-N.mp4`.
    Init(Rendition, u32),
    /// `R/NNNNN.m4s`.
    Media(Rendition, u32),
    /// `R/index.m3u8`.
    Playlist(Rendition),
}

impl Item {
    /// The item for a file of a clip.
    #[must_use]
    pub fn of(kind: MediaKind, rendition: Rendition, number: u32) -> Self {
        match kind {
            MediaKind::Init => Self::Init(rendition, number),
            MediaKind::Media => Self::Media(rendition, number),
        }
    }

    /// MIME type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Facts => "application/json",
            Self::Thumb | Self::Crop => "image/jpeg",
            Self::Init(..) => "video/mp4",
            Self::Media(..) => "video/iso.segment",
            Self::Playlist(_) => "application/vnd.apple.mpegurl",
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Facts => f.write_str("incident.json"),
            Self::Thumb => f.write_str("thumb.jpg"),
            Self::Crop => f.write_str("crop.jpg"),
            Self::Init(r, n) => write!(f, "{r}/init-{n}.mp4"),
            Self::Media(r, n) => write!(f, "{r}/{n:05}.m4s"),
            Self::Playlist(r) => write!(f, "{r}/index.m3u8"),
        }
    }
}

/// Why a text is not an object key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not an object key: it must read v1/<site>/<camera>/<YYYY-MM-DD>/<incident>/<file>"
)]
pub struct InvalidKey(pub String);

fn number(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

impl FromStr for Item {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let parse = || match text {
            "incident.json" => Some(Self::Facts),
            "thumb.jpg" => Some(Self::Thumb),
            "crop.jpg" => Some(Self::Crop),
            _ => {
                let (folder, file) = text.split_once('/')?;
                let rendition = [Rendition::Sub, Rendition::Main, Rendition::Preview]
                    .into_iter()
                    .find(|r| r.as_str() == folder)?;
                if file == "index.m3u8" {
                    return Some(Self::Playlist(rendition));
                }
                let init = file
                    .strip_prefix("init-")
                    .and_then(|n| n.strip_suffix(".mp4"));
                match (init, file.strip_suffix(".m4s")) {
                    (Some(n), _) => Some(Self::Init(rendition, number(n)?)),
                    (None, Some(n)) => Some(Self::Media(rendition, number(n)?)),
                    (None, None) => None,
                }
            }
        };
        // Printing it again refuses what merely means the same, such as "init-01.mp4".
        parse()
            .filter(|item| item.to_string() == text)
            .ok_or_else(|| InvalidKey(text.to_owned()))
    }
}

/// The folder of an incident in the store, without a slash at its end.
#[must_use]
pub fn incident_prefix(
    site: &SiteId,
    camera: &CameraId,
    start: WallTime,
    incident: IncidentId,
) -> String {
    format!("v1/{site}/{camera}/{}/{incident}", utc_date(start))
}

fn utc_date(at: WallTime) -> Date {
    let at = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    Offset::UTC.to_datetime(at).date()
}

/// A whole key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// The household.
    pub site: SiteId,
    /// The camera.
    pub camera: CameraId,
    /// UTC date of the incident's start.
    pub date: Date,
    /// The incident.
    pub incident: IncidentId,
    /// What of it.
    pub item: Item,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            site,
            camera,
            date,
            incident,
            item,
        } = self;
        write!(f, "v1/{site}/{camera}/{date}/{incident}/{item}")
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let parse = || {
            let mut parts = text.splitn(6, '/');
            let mut next = || parts.next();
            if next()? != "v1" {
                return None;
            }
            Some(Self {
                site: next()?.parse().ok()?,
                camera: next()?.parse().ok()?,
                date: next()?.parse().ok()?,
                incident: next()?.parse().ok()?,
                item: next()?.parse().ok()?,
            })
        };
        parse()
            .filter(|key| key.to_string() == text)
            .ok_or_else(|| InvalidKey(text.to_owned()))
    }
}

/// The way from the folder of `from` to `to`, as a relative reference; both are keys.
#[must_use]
pub fn relative(from: &str, to: &str) -> String {
    let folders: Vec<_> = from.split('/').collect();
    let folders = &folders[..folders.len() - 1];
    let target: Vec<_> = to.split('/').collect();
    let common = folders
        .iter()
        .zip(&target[..target.len() - 1])
        .take_while(|(a, b)| a == b)
        .count();
    let mut way = "../".repeat(folders.len() - common);
    way.push_str(&target[common..].join("/"));
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01990000-0000-7000-8000-000000000001";

    #[test]
    fn keys_of_the_contract() {
        let prefix = incident_prefix(
            &"home".parse().unwrap(),
            &"door".parse().unwrap(),
            WallTime(1_769_990_399_999),
            ID.parse().unwrap(),
        );
        let items = [
            Item::Facts,
            Item::Thumb,
            Item::Crop,
            Item::Init(Rendition::Sub, 1),
            Item::Media(Rendition::Main, 1),
            Item::Media(Rendition::Sub, 123_456),
            Item::Playlist(Rendition::Preview),
        ];
        let keys = items.map(|item| format!("{prefix}/{item}"));
        insta::assert_snapshot!(keys.join("\n"));
        for (key, item) in keys.iter().zip(items) {
            let parsed: ObjectKey = key.parse().unwrap();
            assert_eq!((parsed.item, parsed.to_string()), (item, key.clone()));
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for bad in [
            "",
            "v1/home/door/2026-02-01",
            &format!("v2/home/door/2026-02-01/{ID}/thumb.jpg"),
            &format!("v1/Home/door/2026-02-01/{ID}/thumb.jpg"),
            &format!("v1/home/../2026-02-01/{ID}/thumb.jpg"),
            &format!("v1/home/door/2026-02-30/{ID}/thumb.jpg"),
            &format!("v1/home/door/20260201/{ID}/thumb.jpg"),
            &format!(
                "v1/home/door/2026-02-01/{}/thumb.jpg",
                ID.to_uppercase().replace('0', "A")
            ),
            &format!("v1/home/door/2026-02-01/{ID}/../thumb.jpg"),
            &format!("v1/home/door/2026-02-01/{ID}/sub/init-01.mp4"),
            &format!("v1/home/door/2026-02-01/{ID}/sub/1.m4s"),
            &format!("v1/home/door/2026-02-01/{ID}/sub/+0001.m4s"),
            &format!("v1/home/door/2026-02-01/{ID}/other/00001.m4s"),
        ] {
            assert!(bad.parse::<ObjectKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn relative_ways() {
        assert_eq!(
            relative("d/a/sub/index.m3u8", "d/a/sub/00001.m4s"),
            "00001.m4s"
        );
        assert_eq!(
            relative("d/b/sub/index.m3u8", "d/a/sub/00001.m4s"),
            "../../a/sub/00001.m4s"
        );
        assert_eq!(
            relative("d2/b/sub/index.m3u8", "d1/a/sub/1.m4s"),
            "../../../d1/a/sub/1.m4s"
        );
    }
}
