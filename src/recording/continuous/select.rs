//! Which fragments of which files hold a range. Reads the ends of files.

use std::path::PathBuf;

use super::{
    Inner, Recordings,
    file::{self},
    format::{TICKS_MS, Table},
    index,
    place::{self, Key},
};
use crate::{
    base::recordings::{NoRecording, Range},
    flow::{CameraId, StreamRole},
};

/// What of a file is in a range.
pub(super) struct Part {
    pub(super) key: Key,
    pub(super) path: PathBuf,
    pub(super) table: Table,
    /// Fragments `first..last`.
    pub(super) first: usize,
    pub(super) last: usize,
}

impl Part {
    /// In ticks.
    pub(super) fn start(&self) -> i64 {
        self.table.at(self.first)
    }

    /// In ticks.
    pub(super) fn end(&self) -> i64 {
        self.table.at(self.last)
    }

    /// Whether `self` goes on where `before` ends, with the same header.
    pub(super) fn continues(&self, before: &Self) -> bool {
        self.table.head.before.is_none() && before.end() == self.start()
    }

    /// What of `table` holds `from..to`, both in ticks: from the keyframe at or before.
    fn of(key: Key, path: PathBuf, table: Table, from: i64, to: i64) -> Option<Self> {
        let fragments = &table.fragments;
        let keys = || (0..fragments.len()).filter(|&n| fragments[n].key);
        let first = keys().rfind(|&n| table.at(n) <= from).or(keys().next());
        let first = first.unwrap_or(0);
        let ends = (first + 1..fragments.len()).find(|&n| table.at(n) >= to);
        let last = ends.unwrap_or(fragments.len());
        let holds = table.at(first) < to && table.at(last) > from;
        holds.then_some(Self {
            key,
            path,
            table,
            first,
            last,
        })
    }
}

impl Recordings {
    pub(super) fn inner(&self) -> Result<&Inner, NoRecording> {
        self.0.as_deref().ok_or(NoRecording::Unknown)
    }
}

impl Inner {
    /// The stream that is meant where none is named: the one that is recorded, or was.
    fn usual(&self, camera: &CameraId) -> StreamRole {
        let policies = self.policies.lock();
        let config = policies.get(camera).and_then(|policy| policy.config);
        if let Some(config) = config {
            let sub = config.streams.has(StreamRole::Sub);
            return if sub {
                StreamRole::Sub
            } else {
                StreamRole::Main
            };
        }
        let index = self.index.lock();
        let newest = index
            .0
            .get(camera)
            .and_then(|files| files.keys().next_back());
        newest.map_or(StreamRole::Sub, |(_, role)| *role)
    }

    /// Refuses a camera that may not be shown.
    pub(super) fn may_show(&self, camera: &CameraId) -> Result<(), NoRecording> {
        let masked = self.policies.lock().get(camera).is_some_and(|p| p.masked);
        if masked {
            Err(NoRecording::Masked)
        } else {
            Ok(())
        }
    }

    /// The parts of `range`, in order; at least one.
    pub(super) fn select(
        &self,
        camera: &CameraId,
        range: Range,
        stream: Option<StreamRole>,
    ) -> Result<(StreamRole, Vec<Part>), NoRecording> {
        self.may_show(camera)?;
        let role = stream.unwrap_or_else(|| self.usual(camera));
        let found: Vec<(Key, Option<Table>)> = {
            let index = self.index.lock();
            let files = index.0.get(camera).ok_or(NoRecording::Unknown)?;
            index::within(files, range, Some(role))
                .map(|(key, entry)| (*key, entry.open.clone()))
                .collect()
        };
        let (from, to) = (range.from.0 * TICKS_MS, range.to.0 * TICKS_MS);
        let mut parts = Vec::with_capacity(found.len());
        for (key, open) in found {
            let path = place::path(&self.root, camera, key);
            let table = match open {
                Some(table) => Some(table),
                None => file::read(&path).unwrap_or_else(|error| {
                    // It may have been deleted a moment ago.
                    tracing::debug!(path = %path.display(), %error, "a recording could not be read");
                    None
                }),
            };
            parts.extend(table.and_then(|table| Part::of(key, path, table, from, to)));
        }
        if parts.is_empty() {
            return Err(NoRecording::Nothing);
        }
        Ok((role, parts))
    }
}
