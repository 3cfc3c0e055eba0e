//! What looks were found to cost on this machine, kept in one small file, so that models are compared once.
//!
//! `$XDG_CACHE_HOME/lares/models.json`, or `~/.cache/lares/models.json`, for every command: the agent and a replay then
//! choose alike. It may be deleted at any time; one that cannot be read is written anew; where it cannot be written
//! nothing is kept.

use std::{env, fs, path::Path, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::base::durable::{self, Flush};

const VERSION: u32 = 1;
/// Comparisons kept; the oldest goes.
const MOST: usize = 32;

/// What was compared, and on what. Anything else makes the times mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    /// sha256 of the model in integers.
    pub int8: String,
    /// sha256 of the one in floats.
    pub float: String,
    /// Width and height of the input.
    pub size: [u32; 2],
    /// Which ONNX Runtime, as it says itself.
    pub runtime: String,
    /// Which processor.
    pub processor: String,
}

/// CPU time of one look, on one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Times {
    /// Of the model in integers.
    pub int8: Duration,
    /// Of the one in floats.
    pub float: Duration,
}

#[derive(Serialize, Deserialize)]
struct Document {
    v: u32,
    compared: Vec<(Key, Times)>,
}

/// Where the times are kept; none where the environment names no such place.
pub(super) fn path() -> Option<PathBuf> {
    let folder = |name| {
        let path = PathBuf::from(env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(caches.join("lares/models.json"))
}

/// What is known of `key`.
pub(super) fn find(path: &Path, key: &Key) -> Option<Times> {
    let (_, times) = read(path).into_iter().find(|(known, _)| known == key)?;
    Some(times)
}

/// Keeps `times`, unless another process was quicker: returns what holds from now on.
pub(super) fn keep(path: &Path, key: Key, times: Times) -> Times {
    let mut compared = read(path);
    if let Some((_, earlier)) = compared.iter().find(|(known, _)| *known == key) {
        return *earlier;
    }
    compared.push((key, times));
    compared.drain(..compared.len().saturating_sub(MOST));
    if let Err(error) = write(path, compared) {
        tracing::debug!(path = %path.display(), %error, "what looks cost cannot be kept");
    }
    times
}

fn read(path: &Path) -> Vec<(Key, Times)> {
    let document = fs::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Document>(&bytes).ok());
    document
        .filter(|document| document.v == VERSION)
        .map_or(Vec::new(), |document| document.compared)
}

/// Whole or not at all: other processes may read at any time.
fn write(path: &Path, compared: Vec<(Key, Times)>) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    durable::make_dir(folder)?;
    let document = Document {
        v: VERSION,
        compared,
    };
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    // It can be measured again.
    durable::write_pieces(path, [&text[..]], Flush::No)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::infer) fn times(int8: u64, float: u64) -> Times {
        Times {
            int8: Duration::from_micros(int8),
            float: Duration::from_micros(float),
        }
    }

    fn key(processor: &str) -> Key {
        Key {
            int8: "a".repeat(64),
            float: "b".repeat(64),
            size: [416, 256],
            runtime: "1.24".to_owned(),
            processor: processor.to_owned(),
        }
    }

    #[test]
    fn what_was_measured_is_found_under_the_same_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/models.json");
        assert_eq!(find(&path, &key("one")), None);
        assert_eq!(keep(&path, key("one"), times(6, 14)), times(6, 14));
        assert_eq!(keep(&path, key("two"), times(9, 3)), times(9, 3));
        assert_eq!(find(&path, &key("one")), Some(times(6, 14)));
        for changed in [
            key("three"),
            Key {
                runtime: "1.25".to_owned(),
                ..key("one")
            },
            Key {
                float: "c".repeat(64),
                ..key("one")
            },
            Key {
                size: [320, 256],
                ..key("one")
            },
        ] {
            assert_eq!(find(&path, &changed), None, "{changed:?}");
        }
    }

    #[test]
    fn the_first_measurement_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("models.json");
        keep(&path, key("one"), times(6, 14));
        assert_eq!(keep(&path, key("one"), times(14, 6)), times(6, 14));
    }

    #[test]
    fn a_damaged_file_is_ignored_and_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("models.json");
        for damaged in [
            "",
            "{\"v\":1,\"compared\":[",
            "{\"v\":9,\"compared\":[]}",
            "[7]",
        ] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(find(&path, &key("one")), None, "{damaged}");
            keep(&path, key("one"), times(6, 14));
            assert_eq!(find(&path, &key("one")), Some(times(6, 14)), "{damaged}");
        }
    }

    #[test]
    fn few_are_kept_and_a_place_that_cannot_be_written_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("models.json");
        for n in 0..MOST + 5 {
            keep(&path, key(&n.to_string()), times(1, 2));
        }
        assert_eq!(read(&path).len(), MOST);
        assert_eq!(find(&path, &key("4")), None);
        let below_a_file = path.join("models.json");
        assert_eq!(keep(&below_a_file, key("one"), times(6, 14)), times(6, 14));
    }
}
