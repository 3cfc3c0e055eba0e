//! What it costs to hand something to the outbox, and to take it out and note that it arrived. Time on the wall: each
//! put waits until the disk has it. Run with `cargo bench --bench outbox`; `TMPDIR` says on which disk.
#![allow(missing_docs)]

use std::{
    iter,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use futures::future::{self, BoxFuture, FutureExt};
use lares::{
    base::{clock::SystemClock, tasks::Tasks, telemetry::Metrics},
    config::OutboxConfig,
    flow::{Incident, MediaFile, MediaKind, Rendition},
    outbox::{
        Outbox, PictureKind, bench_api,
        sinks::{Delivery, Outcome, Sink, Takes},
    },
    testing::incidents::visit,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Segments of one incident: a minute's.
const SEGMENTS: u32 = 30;

/// A store that is never there: the bench takes things out itself.
struct Away;

impl Sink for Away {
    fn name(&self) -> &'static str {
        "upload"
    }
    fn takes(&self) -> Takes {
        Takes::Objects
    }
    fn recipient(&self) -> String {
        "nobody".to_owned()
    }
    fn at_once(&self) -> usize {
        1
    }
    fn ready(&self) -> BoxFuture<'_, ()> {
        future::pending().boxed()
    }
    fn deliver(&self, _: Delivery) -> BoxFuture<'static, Outcome> {
        future::pending().boxed()
    }
    fn problem(&self) -> Option<String> {
        None
    }
}

struct Home {
    outbox: Arc<Outbox>,
    tasks: Tasks,
    _runtime: Runtime,
    _dir: TempDir,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let site = "home".parse().expect("a valid id");
        let settings = OutboxConfig::default();
        let outbox = Outbox::open(
            dir.path(),
            site,
            SystemClock::start(),
            settings,
            Metrics::new(),
        )
        .expect("it opens");
        let runtime = Runtime::new().expect("a runtime");
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        outbox
            .start(&tasks, vec![Arc::new(Away)])
            .expect("it starts");
        Self {
            outbox,
            tasks,
            _runtime: runtime,
            _dir: dir,
        }
    }

    fn alert(&self, incident: &Incident) {
        self.outbox.alert(incident, None).expect("it is taken");
    }

    /// Hands over the next segment, after its incident and header where it is the first.
    fn segment(&self, file: &mut MediaFile) {
        if file.number == SEGMENTS || file.kind == MediaKind::Init {
            let incident = visit(0.0);
            self.alert(&incident);
            *file = header_of(&incident);
            self.outbox.media(file).expect("it is taken");
            (file.kind, file.number) = (MediaKind::Media, 0);
        }
        file.number += 1;
    }

    /// Takes out what waits and says that it arrived; how many there were.
    fn deliver(&self, takes: Takes, most: usize) -> usize {
        let next = || bench_api::take(&self.outbox, takes).expect("it can be read");
        iter::from_fn(next)
            .take(most)
            .map(|delivery| {
                bench_api::arrived(&self.outbox, takes, &delivery).expect("it is noted")
            })
            .count()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = self.tasks.close(Duration::from_secs(5));
    }
}

/// The header of an incident's clip. Its file is written by the clip room, so that here only its row counts.
fn header_of(incident: &Incident) -> MediaFile {
    MediaFile {
        incident: incident.id,
        rendition: Rendition::Sub,
        kind: MediaKind::Init,
        number: 1,
        init: 1,
        path: "init-1.mp4".into(),
        bytes: 160_000,
        sha256: [7; 32],
        start: incident.start,
        duration: Duration::from_secs(2),
        frames: 20,
        discontinuity: false,
    }
}

/// Time that `work` takes.
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn put(c: &mut Criterion) {
    let home = Home::new();
    c.bench_function("outbox/put/alert", |b| b.iter(|| home.alert(&visit(0.0))));

    let mut file = header_of(&visit(0.0));
    c.bench_function("outbox/put/segment", |b| {
        b.iter_custom(|times| {
            let mut one = || {
                home.segment(&mut file);
                timed(|| home.outbox.media(&file).expect("it is taken"))
            };
            (0..times).map(|_| one()).sum()
        });
    });

    let incident = visit(0.0);
    home.alert(&incident);
    let jpeg = vec![0x5a; 60_000];
    c.bench_function("outbox/put/picture", |b| {
        b.iter(|| {
            home.outbox
                .picture(incident.id, PictureKind::Thumb, &jpeg)
                .expect("it is taken");
        });
    });
}

fn take(c: &mut Criterion) {
    let home = Home::new();
    let alert = |c: &mut Criterion, name: &str| {
        c.bench_function(name, |b| {
            b.iter_custom(|times| {
                let one = || {
                    home.alert(&visit(0.0));
                    timed(|| assert_eq!(home.deliver(Takes::Alerts, 1), 1))
                };
                (0..times).map(|_| one()).sum()
            });
        });
    };
    alert(c, "outbox/take/alert");
    for _ in 0..1000 {
        home.alert(&visit(0.0));
    }
    alert(c, "outbox/take/alert of 1000 waiting");

    let home = Home::new();
    let mut file = header_of(&visit(0.0));
    c.bench_function("outbox/take/segment and playlist", |b| {
        b.iter_custom(|times| {
            let mut one = || {
                home.segment(&mut file);
                home.deliver(Takes::Objects, usize::MAX);
                home.outbox.media(&file).expect("it is taken");
                timed(|| assert_eq!(home.deliver(Takes::Objects, usize::MAX), 2))
            };
            (0..times).map(|_| one()).sum()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = put, take
}
criterion_main!(benches);
