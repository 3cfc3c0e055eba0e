//! Plays a script: makes each fault begin and end when its time has come.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    VcamError,
    factory::Mount,
    listener::Listener,
    script::{Fault, Script},
    video::Video,
};
use crate::base::link::WakeSignal;

/// A script with all that its steps act on.
pub(super) struct Director {
    /// In order of time.
    cues: Vec<Cue>,
    every: Option<Duration>,
    videos: BTreeMap<PathBuf, Arc<Video>>,
    mounts: Vec<Arc<Mount>>,
    listener: Arc<Listener>,
    wake_signal: WakeSignal,
}

/// A fault begins, or ends.
#[derive(Debug, Clone, PartialEq)]
struct Cue {
    at: Duration,
    camera: Option<usize>,
    fault: Fault,
    on: bool,
}

fn cues(script: &Script) -> Vec<Cue> {
    let mut cues = Vec::new();
    for step in &script.steps {
        let cue = |at, on| Cue {
            at,
            camera: step.camera,
            fault: step.fault.clone(),
            on,
        };
        cues.push(cue(step.at, true));
        cues.extend(step.lasts.map(|lasts| cue(step.at + lasts, false)));
    }
    cues.sort_by_key(|cue| cue.at);
    cues
}

impl Director {
    /// Reads the videos that cameras will change to.
    pub(super) fn new(
        script: &Script,
        mounts: Vec<Arc<Mount>>,
        listener: Arc<Listener>,
        wake_signal: WakeSignal,
    ) -> Result<Self, VcamError> {
        let asked = script.steps.iter().filter_map(|step| step.camera).max();
        if let Some(camera) = asked.filter(|camera| *camera >= mounts.len()) {
            return Err(VcamError::NoSuchCamera(camera));
        }
        let mut videos = BTreeMap::new();
        for path in script.videos() {
            videos.insert(path.to_owned(), Arc::new(Video::load(path)?));
        }
        Ok(Self {
            cues: cues(script),
            every: script.every,
            videos,
            mounts,
            listener,
            wake_signal,
        })
    }

    /// The thread's work: until the script's end, or `stop`. A stop raises its signal.
    pub(super) fn run(&self, stop: &CancellationToken) {
        let (at_once, later) = self
            .cues
            .split_at(self.cues.partition_point(|cue| cue.at.is_zero()));
        at_once.iter().for_each(|cue| self.play(cue));
        while !self.listener.was_visited() {
            if stop.is_cancelled() {
                return;
            }
            self.wake_signal.wait(None);
        }
        let mut begun = Instant::now();
        let mut cues = later;
        loop {
            for cue in cues {
                if !self.wait(begun + cue.at, stop) {
                    return;
                }
                self.play(cue);
            }
            let Some(every) = self.every else {
                return;
            };
            begun += every;
            cues = &self.cues;
            if !self.wait(begun, stop) {
                return;
            }
        }
    }

    /// Waits for `until`; false when the end has come.
    fn wait(&self, until: Instant, stop: &CancellationToken) -> bool {
        while !stop.is_cancelled() && Instant::now() < until {
            self.wake_signal.wait(Some(until));
        }
        !stop.is_cancelled()
    }

    fn play(&self, cue: &Cue) {
        tracing::info!(camera = ?cue.camera.map(|camera| camera + 1), fault = ?cue.fault, on = cue.on, "fault");
        match (&cue.fault, cue.on) {
            (Fault::Hangup, _) => self.listener.disconnect_all(),
            (Fault::Reboot, true) => {
                self.listener.refuse();
                self.listener.disconnect_all();
            }
            (Fault::Reboot, false) => {
                if let Err(error) = self.listener.accept() {
                    tracing::error!(%error, "the virtual cameras cannot come back");
                }
            }
            (fault, on) => {
                let chosen = |index: &usize| cue.camera.is_none_or(|camera| camera == *index);
                for index in (0..self.mounts.len()).filter(chosen) {
                    let mount = &self.mounts[index];
                    match fault {
                        Fault::Swap(path) => {
                            mount.video.lock().clone_from(&self.videos[path]);
                        }
                        fault => mount.faults.set(fault, on),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn faults_begin_and_end_in_order_of_time() {
        let text = "5s 1 stall 3s\n0s 2 lose=30 6s\n7s all hangup\n";
        let cues = cues(&Script::parse(text, Path::new("")).unwrap());
        let told: Vec<_> = cues.iter().map(|cue| (cue.at.as_secs(), cue.on)).collect();
        assert_eq!(
            told,
            [(0, true), (5, true), (6, false), (7, true), (8, false)]
        );
    }
}
