//! Where a recording's files lie, and what they are called: `CAMERA/2026-11-30/015613.123-sub.mp4`, in UTC. Pure.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, tz::Offset};

use crate::flow::{CameraId, StreamRole};

/// The folder of recordings in the data folder.
pub(super) const FOLDER: &str = "recordings";

/// When a file begins, in milliseconds since 1970, and of which stream it is: unique for a camera.
pub(super) type Key = (i64, StreamRole);

/// The word for a stream.
pub(super) fn word(role: StreamRole) -> &'static str {
    match role {
        StreamRole::Sub => "sub",
        StreamRole::Main => "main",
    }
}

/// The stream that `word` means.
pub(super) fn role(word: &str) -> Option<StreamRole> {
    match word {
        "sub" => Some(StreamRole::Sub),
        "main" => Some(StreamRole::Main),
        _ => None,
    }
}

/// The name by which a playlist knows a file, such as `1796003773123-sub.mp4`.
pub(super) fn reference((ms, role): Key) -> String {
    format!("{ms}-{}.mp4", word(role))
}

/// The file that a playlist means by `name`.
pub(super) fn referred(name: &str) -> Option<Key> {
    let (ms, stream) = name.strip_suffix(".mp4")?.split_once('-')?;
    let plain = !ms.is_empty() && ms.bytes().all(|b| b.is_ascii_digit());
    Some((plain.then(|| ms.parse().ok())??, role(stream)?))
}

/// The file of `camera` below `root`.
pub(super) fn path(root: &Path, camera: &CameraId, (ms, role): Key) -> PathBuf {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let at = Offset::UTC.to_datetime(at);
    let name = format!("{}-{}.mp4", at.strftime("%H%M%S.%3f"), word(role));
    root.join(camera.as_str())
        .join(at.strftime("%Y-%m-%d").to_string())
        .join(name)
}

/// What a file is by the name of its day's folder and its own.
pub(super) fn key(day: &str, name: &str) -> Option<Key> {
    let (time, stream) = name.strip_suffix(".mp4")?.split_once('-')?;
    let (hms, ms) = time.split_once('.')?;
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hms, 6) || !digits(ms, 3) {
        return None;
    }
    let text = format!("{day}T{}:{}:{}.{ms}Z", &hms[..2], &hms[2..4], &hms[4..]);
    let at: Timestamp = text.parse().ok()?;
    Some((at.as_millisecond(), role(stream)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_time() {
        let camera: CameraId = "door".parse().unwrap();
        for key in [
            (1_796_003_773_123, StreamRole::Sub),
            (0, StreamRole::Main),
            (1_796_003_773_007, StreamRole::Main),
        ] {
            let path = path(Path::new("/d"), &camera, key);
            let parts: Vec<_> = path.iter().map(|part| part.to_str().unwrap()).collect();
            assert_eq!(parts[..3], ["/", "d", "door"]);
            assert_eq!(super::key(parts[3], parts[4]), Some(key), "{path:?}");
            assert_eq!(referred(&reference(key)), Some(key));
        }
    }

    #[test]
    fn foreign_names_are_none() {
        for (day, name) in [
            ("2026-11-30", "000001.m4s"),
            ("2026-11-30", "015613.123-side.mp4"),
            ("2026-13-30", "015613.123-sub.mp4"),
            ("2026-11-30", "é15613.123-sub.mp4"),
            ("..", "015613.123-sub.mp4"),
        ] {
            assert_eq!(key(day, name), None, "{day}/{name}");
        }
        for name in [
            "../x",
            "-5-sub.mp4",
            "5-sub",
            "+5-sub.mp4",
            "99999999999999999999-sub.mp4",
        ] {
            assert_eq!(referred(name), None, "{name}");
        }
    }
}
