//! Continuous recording: a camera's packets become files of a minute each, kept for hours or days on this box.
//!
//! In: packets of cameras whose configuration says `[cameras.recording]`, as they come. Out: files below `recordings/` in the data
//! folder, and through [`RecordingSource`] what the page and the command line read: timelines, playlists, exports.
//!
//! | file | what it knows |
//! |---|---|
//! | `feed` | a camera's end: bounded links, never a wait |
//! | `worker` | the thread that writes |
//! | `stream` | from packets to files; gaps and their causes |
//! | `file` | a growing file, its flushes, and what is done after a power cut |
//! | `format` | what is in a file, and how it is read again |
//! | `place` | folders and names |
//! | `load` | the index from the files |
//! | `index` | which files there are; spans and gaps |
//! | `sweep` | what is deleted |
//! | `select` | the fragments of a range |
//! | `playlist` | HLS of a range |
//! | `export` | one MP4 of a range |
//! | `read` | [`RecordingSource`] |
//!
//! Never here: decoding, encoding, uploads, the record pool or the outbox. A camera that is not recorded costs one look for each
//! packet; where none is, there is no thread. Evidence comes first: recordings are bounded by age and bytes, and on a full disk the
//! oldest go before anything else.

mod export;
mod feed;
mod file;
mod format;
mod index;
mod load;
mod place;
mod playlist;
mod read;
mod select;
mod stream;
mod sweep;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

pub use self::{
    export::{copy, verify},
    feed::Feed,
};
use self::{
    feed::{End, Ends, State},
    index::{Entry, Index},
    place::Key,
    stream::Stream,
};
use crate::{
    base::{
        clock::Clock,
        health_registry::HealthRegistry,
        link::{Receiver, Sender, WakeSignal},
        reserve::free_bytes,
        tasks::Tasks,
        telemetry::Metrics,
    },
    config::{CameraConfig, RecordingConfig},
    flow::{CameraId, Mode, Packet, SiteId, StreamRole},
};

/// Bytes of the disk that recordings leave free: for incidents, which come first.
const FLOOR: u64 = 256_000_000;

/// A link of packets whose receiver such a bell wakes.
pub type MakeLink = fn(&WakeSignal) -> (Sender<Packet>, Receiver<Packet>);

/// The recordings of a box. Cheap to clone; the default records nothing.
#[derive(Clone, Default)]
pub struct Recordings(Option<Arc<Inner>>);

/// What is to be recorded of a camera.
struct Policy {
    config: Option<RecordingConfig>,
    /// It has a privacy mask: what was recorded before is not shown.
    masked: bool,
    states: Vec<Arc<State>>,
}

impl Policy {
    fn keep(&self) -> Option<Duration> {
        self.config.map(|config| config.keep)
    }

    fn quota(&self) -> Option<u64> {
        self.config.map(|config| config.quota.0)
    }
}

struct Inner {
    /// The folder of recordings.
    root: PathBuf,
    site: SiteId,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    health_registry: HealthRegistry,
    /// Where the thread is started; none where nothing is written.
    tasks: Option<Tasks>,
    /// Bytes of the disk that stay free.
    floor: u64,
    wake_signal: WakeSignal,
    /// The thread runs.
    started: Mutex<bool>,
    /// Streams that the thread has not taken up yet.
    arrivals: Mutex<Vec<Stream>>,
    // Taken in this order where both are needed.
    policies: Mutex<BTreeMap<CameraId, Policy>>,
    index: Mutex<Index>,
    /// What is wrong, by camera.
    troubles: Mutex<BTreeMap<CameraId, String>>,
    /// What is past its time, in sentences.
    late: Mutex<Vec<String>>,
}

impl Recordings {
    /// Recordings in `data_dir`. Nothing is started before a camera is recorded, unless there are recordings from before.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn open(
        data_dir: &Path,
        site: &SiteId,
        clock: Arc<dyn Clock>,
        (metrics, health_registry): (Arc<Metrics>, HealthRegistry),
        tasks: &Tasks,
    ) -> io::Result<Self> {
        let inner = Inner::new(
            data_dir,
            site,
            clock,
            (metrics, health_registry),
            Some(tasks),
        );
        let recordings = Self(Some(Arc::new(inner)));
        if data_dir.join(place::FOLDER).is_dir() {
            recordings.start()?;
        }
        Ok(recordings)
    }

    /// Starts the thread, unless it runs.
    fn start(&self) -> io::Result<()> {
        let Some(inner) = &self.0 else { return Ok(()) };
        let mut started = inner.started.lock();
        if let (false, Some(tasks)) = (*started, &inner.tasks) {
            let (worker, stop) = (Arc::clone(inner), tasks.token().clone());
            tasks.thread("recordings", move || worker::run(&worker, &stop))?;
            *started = true;
        }
        Ok(())
    }

    /// A camera begins, or begins again with another configuration. `link` makes the links of its streams.
    pub fn camera(&self, config: &CameraConfig, mode: Mode, link: MakeLink) -> Feed {
        let Some(inner) = &self.0 else {
            return Feed::default();
        };
        let masked = !config.privacy_mask.is_empty();
        let wanted = config.recording.filter(|_| !masked);
        let (mut ends, mut streams) = (Vec::new(), Vec::new());
        for role in [StreamRole::Sub, StreamRole::Main] {
            if !wanted.is_some_and(|wanted| wanted.streams.has(role)) {
                continue;
            }
            let ((to, packets), state) = (link(&inner.wake_signal), Arc::new(State::default()));
            streams.push(Stream::new(
                config.id.clone(),
                role,
                packets,
                Arc::clone(&state),
            ));
            ends.push(End {
                role,
                to,
                state,
                wake_signal: inner.wake_signal.clone(),
            });
        }
        let policy = Policy {
            config: wanted,
            masked,
            states: ends.iter().map(|end| Arc::clone(&end.state)).collect(),
        };
        inner.policies.lock().insert(config.id.clone(), policy);
        if ends.is_empty() {
            inner.trouble(&config.id, None);
            return Feed::default();
        }
        let feed = Feed(Some(Arc::new(Ends(ends))));
        feed.set_mode(mode);
        if let Err(error) = self.start() {
            let sentence = format!(
                "{} is not recorded: no thread could be started ({error})",
                config.id
            );
            inner.trouble(&config.id, Some(sentence));
            return Feed::default();
        }
        inner.arrivals.lock().append(&mut streams);
        feed
    }

    /// Deletes the oldest recordings for `bytes` that something more important needs; false when there was nothing to delete.
    #[must_use]
    pub fn make_room(&self, bytes: u64) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.make_room(bytes))
    }

    /// What lies in `data_dir` of these `cameras` and of others, for commands: nothing is written, and nothing mended. A camera with a
    /// privacy mask shows nothing, as on the page.
    #[must_use]
    pub fn read_only(
        data_dir: &Path,
        site: &SiteId,
        clock: Arc<dyn Clock>,
        cameras: &[CameraConfig],
    ) -> Self {
        let parts = (Metrics::new(), HealthRegistry::new());
        let inner = Inner::new(data_dir, site, clock, parts, None);
        let masked = cameras.iter().filter(|one| !one.privacy_mask.is_empty());
        inner.policies.lock().extend(masked.map(|camera| {
            let policy = Policy {
                config: None,
                masked: true,
                states: Vec::new(),
            };
            (camera.id.clone(), policy)
        }));
        load::Loader::new(&inner.root, false).step(&inner, None);
        Self(Some(Arc::new(inner)))
    }
}

impl Inner {
    fn new(
        data_dir: &Path,
        site: &SiteId,
        clock: Arc<dyn Clock>,
        (metrics, health_registry): (Arc<Metrics>, HealthRegistry),
        tasks: Option<&Tasks>,
    ) -> Self {
        Self {
            root: data_dir.join(place::FOLDER),
            site: site.clone(),
            clock,
            metrics,
            health_registry,
            tasks: tasks.cloned(),
            floor: FLOOR,
            wake_signal: WakeSignal::new(),
            started: Mutex::default(),
            arrivals: Mutex::default(),
            policies: Mutex::default(),
            index: Mutex::default(),
            troubles: Mutex::default(),
            late: Mutex::default(),
        }
    }

    /// Enters a file, or what has become of it. One that was deleted meanwhile stays so only until it is written on.
    fn enter(&self, camera: &CameraId, key: Key, entry: Entry) {
        let mut index = self.index.lock();
        if !index.0.contains_key(camera) {
            index.0.insert(camera.clone(), index::Files::new());
        }
        if let Some(files) = index.0.get_mut(camera) {
            files.insert(key, entry);
        }
    }

    fn forget(&self, camera: &CameraId, key: Key) {
        let mut index = self.index.lock();
        if let Some(files) = index.0.get_mut(camera) {
            files.remove(&key);
            if files.is_empty() {
                index.0.remove(camera);
            }
        }
    }

    /// Refuses a new file where there is so little room that even the oldest recordings do not give enough.
    fn check_room(&self) -> io::Result<()> {
        let free = free_bytes(&self.root_or_above());
        if free >= self.floor / 2 || self.make_room(self.floor - free) {
            return Ok(());
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    /// The folder of recordings, or the one that it will be made in.
    fn root_or_above(&self) -> PathBuf {
        if self.root.is_dir() {
            return self.root.clone();
        }
        self.root.parent().unwrap_or(&self.root).to_owned()
    }

    /// Says what is wrong with the recording of a camera; none: nothing.
    fn trouble(&self, camera: &CameraId, sentence: Option<String>) {
        let mut troubles = self.troubles.lock();
        let before = match &sentence {
            Some(sentence) => troubles.insert(camera.clone(), sentence.clone()),
            None => troubles.remove(camera),
        };
        if before == sentence {
            return;
        }
        if let Some(sentence) = &sentence {
            tracing::error!("{sentence}");
        } else {
            tracing::info!(%camera, "recording goes on");
        }
        self.tell(&troubles);
    }

    /// Says what is past its time.
    fn ageing(&self, sentences: Vec<String>) {
        let news = std::mem::replace(&mut *self.late.lock(), sentences.clone()) != sentences;
        if news {
            self.tell(&self.troubles.lock());
        }
    }

    fn tell(&self, troubles: &BTreeMap<CameraId, String>) {
        let mut all: Vec<String> = troubles.values().cloned().collect();
        all.extend(self.late.lock().iter().cloned());
        self.health_registry.troubles("recordings", &all);
    }
}
