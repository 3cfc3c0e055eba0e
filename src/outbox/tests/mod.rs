//! The outbox with its database, its files and its workers; receivers are scripted, or real processes on loopback.

mod faults;
mod here;
mod history;
mod ledger_events;
mod limits;
mod receivers;
mod retained_topics;
mod rows;
mod subscriptions;
mod thin;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{
    Outbox, OutboxError,
    sinks::{Delivery, HERE, NEAR, Outcome, Payload, Sink, Takes, Wants},
};
use crate::{
    base::{clock::SystemClock, tasks::Tasks, telemetry::Metrics},
    config::{BudgetConfig, OutboxConfig},
    flow::{
        EndReason, Incident, IncidentId, IncidentState, MediaFile, MediaKind, MediaTime, Mode,
        Rendition,
    },
    testing::incidents::visit,
    wire::{IncidentMessage, Item},
};

/// Longest that any test waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(15);

/// Waits until `happened`; names what was awaited when it did not.
fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An outbox in a folder of its own, with tasks to run sinks on.
struct Home {
    runtime: Runtime,
    tasks: Tasks,
    outbox: Option<Arc<Outbox>>,
    settings: OutboxConfig,
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        Self::with(OutboxConfig::default())
    }

    fn with(settings: OutboxConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let mut home = Self {
            runtime,
            tasks,
            outbox: None,
            settings,
            dir,
        };
        home.outbox = Some(home.open().unwrap());
        home
    }

    fn open(&self) -> Result<Arc<Outbox>, OutboxError> {
        Outbox::open(
            self.dir.path(),
            "home".parse().unwrap(),
            SystemClock::start(),
            self.settings.clone(),
            Metrics::new(),
        )
    }

    fn outbox(&self) -> &Arc<Outbox> {
        self.outbox.as_ref().unwrap()
    }

    fn start(&self, sinks: Vec<Arc<dyn Sink>>) {
        self.outbox().start(&self.tasks, sinks).unwrap();
    }

    /// Stops everything, as the end of the process does, and opens the outbox again.
    fn reopen(&mut self) {
        self.stop();
        self.outbox = Some(self.open().unwrap());
    }

    fn stop(&mut self) {
        let late = self.tasks.close(Duration::from_secs(10));
        assert!(late.is_empty(), "did not stop: {late:?}");
        self.tasks = Tasks::new(self.runtime.handle().clone(), CancellationToken::new());
        self.outbox = None;
    }

    fn objects(&self) -> PathBuf {
        self.dir.path().join("objects")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.tasks.close(Duration::from_secs(10));
    }
}

fn secs(seconds: f64) -> MediaTime {
    MediaTime::from_secs_f64(seconds)
}

fn updated(incident: &Incident, tracks: u32) -> Incident {
    Incident {
        state: IncidentState::Updated,
        tracks,
        ..incident.clone()
    }
}

fn ended(incident: &Incident, at: f64) -> Incident {
    Incident {
        state: IncidentState::Ended,
        end: Some(secs(at)),
        end_reason: Some(EndReason::Left),
        ..incident.clone()
    }
}

/// Writes a file of a clip as the clip room does, and hands it over.
fn media(outbox: &Outbox, incident: &Incident, kind: MediaKind, number: u32) -> MediaFile {
    media_of(outbox, incident, Rendition::Sub, kind, number)
}

fn media_of(
    outbox: &Outbox,
    incident: &Incident,
    rendition: Rendition,
    kind: MediaKind,
    number: u32,
) -> MediaFile {
    media_of_size(outbox, incident, rendition, kind, number, 500)
}

fn media_of_size(
    outbox: &Outbox,
    incident: &Incident,
    rendition: Rendition,
    kind: MediaKind,
    number: u32,
    bytes: usize,
) -> MediaFile {
    let item = Item::of(kind, rendition, number);
    let path = outbox
        .incident_dir(incident)
        .unwrap()
        .join(item.to_string());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let content = format!("{} {item} {}", incident.id, "x".repeat(bytes));
    std::fs::write(&path, &content).unwrap();
    let file = MediaFile {
        incident: incident.id,
        rendition,
        kind,
        number,
        init: 1,
        path,
        bytes: content.len() as u64,
        sha256: Sha256::digest(&content).into(),
        start: incident.start,
        duration: Duration::from_secs(2),
        frames: 20,
        discontinuity: false,
    };
    outbox.media(&file).unwrap();
    file
}

/// Puts a whole visit with `segments` segments into the outbox.
fn whole_visit(outbox: &Outbox, at: f64, segments: u32) -> Incident {
    let incident = visit(at);
    outbox.alert(&incident, None).unwrap();
    outbox
        .picture(incident.id, super::PictureKind::Thumb, b"jpeg")
        .unwrap();
    media(outbox, &incident, MediaKind::Init, 1);
    for number in 1..=segments {
        media(outbox, &incident, MediaKind::Media, number);
    }
    outbox.alert(&ended(&incident, at + 5.0), None).unwrap();
    outbox.clip_closed(incident.id, Rendition::Sub).unwrap();
    incident
}

type Script = Box<dyn FnMut(&Delivery) -> Outcome + Send>;

/// A receiver that does what a test tells it to and remembers what it took.
struct Scripted {
    takes: Takes,
    name: &'static str,
    wants: Wants,
    script: Mutex<Script>,
    taken: Mutex<Vec<Delivery>>,
}

fn delivered() -> Outcome {
    Outcome::Delivered { receipt: None }
}

impl Scripted {
    fn new(takes: Takes, script: impl FnMut(&Delivery) -> Outcome + Send + 'static) -> Arc<Self> {
        let name = match takes {
            Takes::Alerts => "mqtt",
            Takes::Objects => "upload",
        };
        Self::named(name, takes, Wants::default(), script)
    }

    fn named(
        name: &'static str,
        takes: Takes,
        wants: Wants,
        script: impl FnMut(&Delivery) -> Outcome + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            takes,
            name,
            wants,
            script: Mutex::new(Box::new(script)),
            taken: Mutex::new(Vec::new()),
        })
    }

    /// Takes everything.
    fn willing(takes: Takes) -> Arc<Self> {
        Self::new(takes, |_| delivered())
    }

    fn alerts(&self) -> Vec<IncidentMessage> {
        let read = |delivery: &Delivery| match &delivery.payload {
            Payload::Alert { json, .. } => IncidentMessage::from_json(json).unwrap(),
            Payload::Object { key, .. } => panic!("{key} is no alert"),
        };
        self.taken.lock().iter().map(read).collect()
    }

    /// Keys in the order taken, from the incident's id on.
    fn keys(&self) -> Vec<String> {
        let read = |delivery: &Delivery| match &delivery.payload {
            Payload::Object { key, .. } => key.splitn(5, '/').last().unwrap().to_owned(),
            Payload::Alert { .. } => panic!("an alert is no object"),
        };
        self.taken.lock().iter().map(read).collect()
    }
}

impl Sink for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }
    fn wants(&self) -> Wants {
        self.wants.clone()
    }
    fn takes(&self) -> Takes {
        self.takes
    }
    fn recipient(&self) -> String {
        match self.name {
            "mqtt" | "upload" => "a test".to_owned(),
            NEAR => HERE.to_owned(),
            name => format!("{name} of a test"),
        }
    }
    fn at_once(&self) -> usize {
        1
    }
    fn ready(&self) -> BoxFuture<'_, ()> {
        futures::future::ready(()).boxed()
    }
    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Outcome> {
        let outcome = (self.script.lock())(&delivery);
        if matches!(outcome, Outcome::Delivered { .. }) {
            self.taken.lock().push(delivery);
        }
        futures::future::ready(outcome).boxed()
    }
    fn problem(&self) -> Option<String> {
        None
    }
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref())
        .unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}
