//! The registry where every part writes how it is doing and from which health pages are read.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde::Serialize;

use crate::flow::{CameraId, CameraState, Problem};

/// How a camera is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CameraStatus {
    /// One word.
    pub state: CameraState,
    /// What is wrong, if anything.
    pub problem: Option<Problem>,
}

/// How a sink or the disk is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartStatus {
    /// Whether it works.
    pub up: bool,
    /// What is wrong, if anything.
    pub problem: Option<Problem>,
}

/// All of it at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HealthView {
    /// Cameras by id.
    pub cameras: BTreeMap<CameraId, CameraStatus>,
    /// Their display names, where they are known.
    pub names: BTreeMap<CameraId, String>,
    /// Sinks (`mqtt`, `upload`) and the `disk`, by name.
    pub parts: BTreeMap<&'static str, PartStatus>,
    /// What is wrong with programs inside this one, such as the `hub`, in whole sentences.
    pub troubles: BTreeMap<&'static str, Vec<String>>,
}

impl HealthView {
    /// Whether nothing is wrong; a suspended camera is not wrong.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.cameras.values().all(|c| c.problem.is_none())
            && self.parts.values().all(|p| p.up)
            && self.troubles.values().all(Vec::is_empty)
    }
}

/// The registry; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct HealthRegistry(Arc<Mutex<HealthView>>);

impl HealthRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a camera's display name.
    pub fn name(&self, id: &CameraId, name: &str) {
        self.0.lock().names.insert(id.clone(), name.to_owned());
    }

    /// Writes a camera's state. True when that is news.
    pub fn camera(&self, id: &CameraId, state: CameraState, problem: Option<Problem>) -> bool {
        let status = CameraStatus { state, problem };
        let mut view = self.0.lock();
        view.cameras.insert(id.clone(), status.clone()) != Some(status)
    }

    /// Writes a part's state; none means that it works. True when that is news.
    pub fn part(&self, name: &'static str, problem: Option<Problem>) -> bool {
        let status = PartStatus {
            up: problem.is_none(),
            problem,
        };
        let mut view = self.0.lock();
        view.parts.insert(name, status.clone()) != Some(status)
    }

    /// Writes what is wrong with `name`; nothing where all is well.
    pub fn troubles(&self, name: &'static str, sentences: &[String]) {
        self.0.lock().troubles.insert(name, sentences.to_vec());
    }

    /// All of it now.
    #[must_use]
    pub fn view(&self) -> HealthView {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_news() {
        let health_registry = HealthRegistry::new();
        let door: CameraId = "door".parse().unwrap();
        assert!(health_registry.camera(&door, CameraState::Online, None));
        assert!(!health_registry.camera(&door, CameraState::Online, None));
        let problem = Problem {
            message: "the broker is away".to_owned(),
            hint: "start it".to_owned(),
        };
        assert!(health_registry.view().healthy());
        assert!(health_registry.part("mqtt", Some(problem)));
        assert!(!health_registry.view().healthy());
    }
}
