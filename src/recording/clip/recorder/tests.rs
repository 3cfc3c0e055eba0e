//! Scenarios with a scripted camera; files are read back from disk.

mod faults;
mod properties;
mod visits;

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;
use crate::{
    flow::MediaFile,
    recording::scripted::{Camera, at, config, read},
};

/// A recorder with its camera, and everything that it told.
struct Bench {
    recorder: Recorder,
    camera: Camera,
    dir: TempDir,
    events: Vec<ClipEvent>,
}

impl Bench {
    fn new(gop: u64) -> Self {
        Self {
            recorder: Recorder::new(Rendition::Sub, &config()),
            camera: Camera::new(gop),
            dir: tempfile::tempdir().unwrap(),
            events: Vec::new(),
        }
    }

    /// Pictures up to the one shown at `seconds`, that one left out.
    fn run_to(&mut self, seconds: f64) {
        while (self.camera.next as f64) < (seconds * 10.0).round() {
            let picture = self.camera.picture();
            self.events.extend(self.recorder.packet(&picture));
        }
    }

    fn folder(&self, incident: IncidentId) -> PathBuf {
        self.dir.path().join(incident.to_string())
    }

    fn start(&mut self, start: f64) -> IncidentId {
        let incident = IncidentId::new();
        let dir = self.folder(incident);
        self.events
            .extend(self.recorder.start(incident, dir, at(start)));
        incident
    }

    fn end(&mut self, incident: IncidentId, until: f64) {
        self.events.extend(self.recorder.end(incident, at(until)));
    }

    /// Files of the incident's clip in the order of its playlist.
    fn clip(&self, incident: IncidentId) -> Vec<&MediaFile> {
        self.events
            .iter()
            .filter_map(|event| match event {
                ClipEvent::File(file) if file.incident == incident => Some(file),
                ClipEvent::Uses {
                    incident: user,
                    file,
                } if *user == incident => Some(file),
                _ => None,
            })
            .collect()
    }

    fn media(&self, incident: IncidentId) -> Vec<&MediaFile> {
        let mut files = self.clip(incident);
        files.retain(|file| file.kind == MediaKind::Media);
        files
    }

    /// Numbers of the pictures of the incident's clip, in order.
    fn numbers(&self, incident: IncidentId) -> Vec<u64> {
        let files = self.media(incident);
        files
            .iter()
            .flat_map(|file| read(&file.path).numbers)
            .collect()
    }

    fn closed(&self, incident: IncidentId) -> Option<Option<(MediaTime, MediaTime)>> {
        let spans: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| match event {
                ClipEvent::Closed {
                    incident: closed,
                    span,
                    ..
                } if *closed == incident => Some(*span),
                _ => None,
            })
            .collect();
        assert!(spans.len() <= 1, "closed twice");
        spans.first().copied()
    }

    /// Pictures that were written to more than one file.
    fn written_twice(&self) -> Vec<u64> {
        let mut times = BTreeMap::<u64, u32>::new();
        for event in &self.events {
            if let ClipEvent::File(file) = event
                && file.kind == MediaKind::Media
            {
                for number in read(&file.path).numbers {
                    *times.entry(number).or_default() += 1;
                }
            }
        }
        times
            .into_iter()
            .filter(|&(_, n)| n > 1)
            .map(|(number, _)| number)
            .collect()
    }
}

fn range(from: u64, to: u64) -> Vec<u64> {
    (from..=to).collect()
}
