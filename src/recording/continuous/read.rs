//! What the page and the command line read.

use std::fs::File;

use super::{
    Recordings,
    index::{self, wall},
    place, playlist,
};
use crate::{
    base::recordings::{
        About, Content, Export, NoRecording, Range, RecordingSource, Timeline, Why,
    },
    flow::{CameraId, StreamRole, WallTime},
};

/// A recording whose newest moment is older than this has stopped, in milliseconds: pieces are written when they are whole.
const STOPPED: i64 = 20_000;

impl Recordings {
    /// Why `camera` is not recorded at this moment; none where it is.
    fn why_now(&self, camera: &CameraId) -> Option<Why> {
        let inner = self.0.as_ref()?;
        let policies = inner.policies.lock();
        let states = policies.get(camera).map(|policy| &policy.states);
        let Some(states) = states.filter(|states| !states.is_empty()) else {
            return Some(Why::Off);
        };
        states.iter().find_map(|state| state.why_now())
    }
}

impl RecordingSource for Recordings {
    fn list(&self) -> Vec<About> {
        let Some(inner) = &self.0 else {
            return Vec::new();
        };
        let (policies, index) = (inner.policies.lock(), inner.index.lock());
        let recorded = policies
            .iter()
            .filter(|(_, policy)| policy.config.is_some());
        let mut cameras: Vec<&CameraId> =
            recorded.map(|(id, _)| id).chain(index.0.keys()).collect();
        cameras.sort_unstable();
        cameras.dedup();
        let about = cameras.into_iter().filter_map(|camera| {
            let policy = policies.get(camera);
            if policy.is_some_and(|policy| policy.masked) {
                return None;
            }
            let files = index.0.get(camera);
            let entries = || files.into_iter().flat_map(|files| files.values());
            let configured = policy.and_then(|policy| policy.config);
            let has = |role: StreamRole| match configured {
                Some(config) => config.streams.has(role),
                None => files.is_some_and(|files| files.keys().any(|(_, of)| *of == role)),
            };
            let roles = [StreamRole::Sub, StreamRole::Main].into_iter();
            Some(About {
                camera: camera.clone(),
                keep_s: configured.map(|config| config.keep.as_secs()),
                recording: policy.is_some_and(|policy| {
                    !policy.states.is_empty() && policy.states.iter().all(|s| s.why_now().is_none())
                }),
                oldest: entries().map(|file| wall(file.start)).min(),
                newest: entries().map(|file| wall(file.end)).max(),
                bytes: entries().map(|file| file.bytes).sum(),
                streams: roles.filter(|role| has(*role)).map(place::word).collect(),
            })
        });
        about.collect()
    }

    fn timeline(&self, camera: &CameraId, range: Range) -> Result<Timeline, NoRecording> {
        let inner = self.inner()?;
        inner.may_show(camera)?;
        let (now, why) = (inner.clock.wall(), self.why_now(camera));
        let recorded = inner
            .policies
            .lock()
            .get(camera)
            .is_some_and(|p| p.config.is_some());
        let index = inner.index.lock();
        let Some(files) = index.0.get(camera) else {
            return if recorded {
                Ok(Timeline::default())
            } else {
                Err(NoRecording::Unknown)
            };
        };
        let newest = files.values().map(|file| wall(file.end).0).max();
        let stopped = newest.is_some_and(|newest| now.0 - newest > STOPPED);
        let missing = stopped.then(|| (why.unwrap_or(Why::Stream), WallTime(now.0)));
        Ok(index::timeline(files, range, missing))
    }

    fn playlist(
        &self,
        camera: &CameraId,
        range: Range,
        stream: Option<StreamRole>,
    ) -> Result<String, NoRecording> {
        let (_, parts) = self.inner()?.select(camera, range, stream)?;
        Ok(playlist::playlist(&parts))
    }

    fn file(&self, camera: &CameraId, name: &str) -> Result<Content, NoRecording> {
        let inner = self.inner()?;
        inner.may_show(camera)?;
        let key = place::referred(name).ok_or(NoRecording::File)?;
        let bytes = {
            let index = inner.index.lock();
            let entry = index.0.get(camera).and_then(|files| files.get(&key));
            entry.ok_or(NoRecording::File)?.bytes
        };
        let file = File::open(place::path(&inner.root, camera, key));
        let file = file.map_err(|_| NoRecording::File)?;
        Ok(Content { file, bytes })
    }

    fn export(
        &self,
        camera: &CameraId,
        range: Range,
        stream: Option<StreamRole>,
    ) -> Result<Export, NoRecording> {
        self.inner()?.export_of(camera, range, stream)
    }
}
