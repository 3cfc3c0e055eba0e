//! How long objects are kept, and how many: whole incidents go, the oldest first.
//!
//! In: the folder. Out: less of it, and the keys' incidents that went. Segments that a later incident shares lie in the folder of
//! the first one and go with it; a playlist that names them then has a gap.

use std::{
    collections::BTreeMap,
    io,
    time::{Duration, SystemTime},
};

use super::Folder;
use crate::{flow::IncidentId, wire::keys::ObjectKey};

/// Keys looked at in one go.
const PAGE: usize = 1000;

/// Deletes incidents that are older than `retention`, and the oldest ones beyond `quota` bytes. Returns those that went.
pub(in crate::hub) fn sweep(
    folder: &Folder,
    quota: u64,
    retention: Duration,
    now: SystemTime,
) -> io::Result<Vec<IncidentId>> {
    let mut incidents: BTreeMap<IncidentId, Kept> = BTreeMap::new();
    let (mut after, mut more) = (String::new(), true);
    while more {
        let (keys, rest) = folder.list("v1/", &after, PAGE)?;
        for key in keys {
            after = key.to_string();
            let Some(facts) = folder.facts(&key)? else {
                continue;
            };
            let kept = incidents.entry(key.incident).or_insert(Kept {
                changed: SystemTime::UNIX_EPOCH,
                bytes: 0,
                keys: Vec::new(),
            });
            kept.changed = kept.changed.max(facts.changed);
            kept.bytes += facts.bytes;
            kept.keys.push(key);
        }
        more = rest;
    }
    let mut total: u64 = incidents.values().map(|kept| kept.bytes).sum();
    let mut by_age: Vec<_> = incidents.into_iter().collect();
    by_age.sort_by_key(|(_, kept)| kept.changed);
    let mut gone = Vec::new();
    for (incident, kept) in by_age {
        let age = now.duration_since(kept.changed).unwrap_or_default();
        if age <= retention && total <= quota {
            break;
        }
        for key in &kept.keys {
            folder.delete(key)?;
        }
        total -= kept.bytes;
        gone.push(incident);
    }
    Ok(gone)
}

struct Kept {
    changed: SystemTime,
    bytes: u64,
    keys: Vec<ObjectKey>,
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_oldest_incidents_go_first_and_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let now = SystemTime::now();
        let hour = Duration::from_secs(3600);
        let id = |n: u8| format!("01990000-0000-7000-8000-00000000000{n}");
        for n in 0..4u8 {
            for file in ["incident.json", "sub/00001.m4s"] {
                let path = dir
                    .path()
                    .join(format!("v1/home/door/2026-02-01/{}/{file}", id(n)));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, vec![b'x'; 100]).unwrap();
                let changed = now - hour * u32::from(10 - n);
                fs::File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_modified(changed)
                    .unwrap();
            }
        }
        let ids = |gone: Vec<IncidentId>| -> Vec<String> {
            gone.iter().map(ToString::to_string).collect()
        };
        assert!(sweep(&folder, 10_000, hour * 24, now).unwrap().is_empty());
        assert_eq!(ids(sweep(&folder, 10_000, hour * 9, now).unwrap()), [id(0)]);
        assert_eq!(ids(sweep(&folder, 400, hour * 24, now).unwrap()), [id(1)]);
        assert_eq!(folder.list("v1/", "", 100).unwrap().0.len(), 4);
    }
}
