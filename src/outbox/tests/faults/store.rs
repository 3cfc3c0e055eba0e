//! Stores and links to them that fail in every way there is, between a real S3 server and us: every object arrives whole.

use crate::{
    config::UploadConfig,
    net::pace::Pacer,
    outbox::{
        sinks::StoreSink,
        tests::{
            receivers::{
                mqtt::{Hub, config as broker_config, connect},
                s3::{Moto, make_bucket, stored},
            },
            *,
        },
    },
    testing::{
        broker::{Broker, Demands},
        log,
        proxy::{Fault, Proxy, answer},
    },
};

/// A store, and the only way to it.
struct Way {
    moto: Moto,
    proxy: Proxy,
}

impl Way {
    /// None where the server is not installed; that was told.
    fn new(home: &Home) -> Option<Self> {
        log::keep();
        let moto = Moto::start(None)?;
        make_bucket(home, &moto, "evidence");
        let proxy = Proxy::start(moto.port).unwrap();
        Some(Self { moto, proxy })
    }

    fn config(&self) -> UploadConfig {
        UploadConfig {
            endpoint: Some(
                format!("http://127.0.0.1:{}", self.proxy.port())
                    .parse()
                    .unwrap(),
            ),
            ..self.moto.config("s3://evidence")
        }
    }

    /// A sink that tries again soon after what needs a person, and gives an upload only `patience` and the time its bytes take.
    fn sink(&self, patience: Duration) -> Arc<StoreSink> {
        let sink = StoreSink::new(&self.config(), &Pacer::new(None)).unwrap();
        Arc::new(sink.impatient(patience))
    }

    /// How many lines of the log about this store hold `words`.
    fn told(&self, words: &str) -> usize {
        self.lines(words).len()
    }

    fn lines(&self, words: &str) -> Vec<String> {
        let port = format!("127.0.0.1:{}", self.proxy.port());
        log::keep().lines_with(&[&port, words])
    }

    /// That everything of `incident` is in the store as it is on disk.
    fn assert_whole(&self, home: &Home, incident: &Incident, segments: u32) {
        let here = home.outbox().incident_dir(incident).unwrap();
        let prefix = here
            .strip_prefix(home.objects())
            .unwrap()
            .display()
            .to_string();
        let mut files: Vec<_> = (1..=segments).map(|n| format!("sub/{n:05}.m4s")).collect();
        files.extend(["thumb.jpg", "sub/init-1.mp4", "sub/index.m3u8"].map(str::to_owned));
        for file in files {
            let (_, there) = stored(home, &self.moto, &format!("evidence/{prefix}/{file}"))
                .unwrap_or_else(|| panic!("{file} is not there"));
            assert_eq!(there, std::fs::read(here.join(&file)).unwrap(), "{file}");
        }
        let facts = stored(
            home,
            &self.moto,
            &format!("evidence/{prefix}/incident.json"),
        );
        let facts = IncidentMessage::from_json(&facts.expect("facts").1).unwrap();
        assert_eq!(
            (facts.state, facts.clip.segments),
            (IncidentState::Ended, segments)
        );
    }
}

fn wait_until_uploaded(home: &Home) {
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
}

/// That each object is in the ledger once for each time it was delivered, and nothing is parked.
fn assert_accounted(home: &Home) {
    let count = |sql: &str| -> i64 {
        let read = home
            .outbox()
            .read(|db| Ok(db.query_row(sql, [], |row| row.get(0))?));
        read.unwrap()
    };
    let segments =
        count("SELECT count(*) FROM objects WHERE delivered_ms IS NOT NULL AND kind = 'media'");
    assert_eq!(
        count("SELECT count(*) FROM ledger WHERE kind = 'media'"),
        segments
    );
    assert_eq!(home.outbox().sink_health().unwrap()[0].parked, 0);
}

/// Puts a visit into a store that fails as `faults` say, one connection after the other, and gives how often it was told.
fn through(faults: &[Fault], way: &Way, patience: Duration) -> usize {
    let home = Home::new();
    let before = way.told("nothing is lost");
    let incident = whole_visit(home.outbox(), 0.0, 3);
    way.proxy.script(faults.iter().cloned());
    home.start(vec![way.sink(patience)]);
    wait_until_uploaded(&home);
    way.assert_whole(&home, &incident, 3);
    assert_accounted(&home);
    way.told("nothing is lost") - before
}

#[test]
fn whatever_a_store_answers_every_object_arrives_whole() {
    let home = Home::new();
    let Some(way) = Way::new(&home) else { return };
    let patience = Duration::from_secs(2);
    let denied = answer(
        "403 Forbidden",
        &[],
        "<Error><Code>AccessDenied</Code></Error>",
    );
    let busy = answer("503 Service Unavailable", &["Retry-After: 1"], "");
    let limited = answer("429 Too Many Requests", &["Retry-After: 1"], "");
    let broken = answer("500 Internal Server Error", &[], "");
    let cases: [(&str, Vec<Fault>); 7] = [
        ("refusing", vec![Fault::Answer(denied)]),
        ("throttling", vec![Fault::Answer(busy); 3]),
        ("limiting", vec![Fault::Answer(limited)]),
        (
            "failing after it has stored",
            vec![Fault::AnswerInstead(broken); 2],
        ),
        (
            "cutting the body",
            vec![Fault::CutAfter(900), Fault::CutAfter(100)],
        ),
        (
            "cutting its answer",
            vec![Fault::CutAnswer(20), Fault::CutAnswer(60)],
        ),
        ("whose acknowledgement is lost", vec![Fault::LoseAnswer; 2]),
    ];
    for (name, faults) in cases {
        let told = through(&faults, &way, patience);
        assert!(told <= 1, "about a store {name}: {:#?}", way.lines(""));
    }
}

#[test]
fn a_slow_store_is_not_a_broken_one() {
    let home = Home::new();
    let Some(way) = Way::new(&home) else { return };
    way.proxy.set(Fault::Rate(5_000));
    assert_eq!(through(&[], &way, Duration::from_secs(30)), 0);
    way.proxy.set(Fault::Delay(Duration::from_millis(100)));
    assert_eq!(through(&[], &way, Duration::from_secs(30)), 0);
}

#[test]
fn a_store_that_never_answers_is_told_once_and_waited_for() {
    let home = Home::new();
    let Some(way) = Way::new(&home) else { return };
    way.proxy.set(Fault::Mute);
    let incident = whole_visit(home.outbox(), 0.0, 2);
    let sink = way.sink(Duration::from_millis(300));
    home.start(vec![sink.clone()]);
    wait_for("that it is told", || way.told("did not get through") == 1);
    assert!(sink.problem().is_some());
    way.proxy.set(Fault::None);
    way.proxy.cut();
    wait_until_uploaded(&home);
    way.assert_whole(&home, &incident, 2);
    assert_eq!(
        (
            way.told("did not get through"),
            way.told("worker: deliveries go on")
        ),
        (1, 1),
        "{:#?}",
        way.lines("")
    );
    assert_eq!(sink.problem(), None);
}

#[test]
fn a_pause_that_a_store_asks_for_holds_while_other_uploads_succeed() {
    let home = Home::new();
    let Some(way) = Way::new(&home) else { return };
    for at in 0..5 {
        whole_visit(home.outbox(), f64::from(at) * 10.0, 2);
    }
    // Three leave at once: the first is sent away, the others arrive a moment later.
    let busy = answer("503 Service Unavailable", &["Retry-After: 5"], "");
    let late = Fault::Delay(Duration::from_millis(150));
    way.proxy.script([Fault::Answer(busy), late.clone(), late]);
    home.start(vec![way.sink(Duration::from_secs(30))]);
    wait_for("the others", || {
        let delivered = "SELECT count(*) FROM objects WHERE delivered_ms IS NOT NULL";
        let count = |db: &rusqlite::Connection| db.query_row(delivered, [], |row| row.get(0));
        home.outbox()
            .read(|db| Ok(count(db)?))
            .is_ok_and(|count: i64| count >= 2)
    });
    let connections = way.proxy.connections();
    std::thread::sleep(Duration::from_millis(2_500));
    assert_eq!(way.proxy.connections(), connections, "asked in the pause");
    wait_until_uploaded(&home);
    assert_accounted(&home);
}

#[test]
fn one_receiver_that_is_down_does_not_hold_up_the_other() {
    let (one, two) = (Home::new(), Home::new());
    let Some(way) = Way::new(&one) else { return };
    let mut broker = Broker::start(&Demands::default()).unwrap();
    let hub = Hub::connect(&broker);
    // The store is down.
    way.proxy.set(Fault::Refuse);
    let connection = connect(&one, &broker_config(&broker));
    drop(connection.commands);
    one.outbox()
        .uploading
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let incident = whole_visit(one.outbox(), 0.0, 2);
    one.start(vec![way.sink(Duration::from_secs(2))]);
    wait_for("the alerts", || {
        one.outbox().waiting(Takes::Alerts).unwrap() == 0 && hub.alerts().len() >= 2
    });
    assert!(one.outbox().waiting(Takes::Objects).unwrap() > 0);
    way.proxy.set(Fault::None);
    wait_until_uploaded(&one);
    way.assert_whole(&one, &incident, 2);
    // The broker is down.
    broker.kill();
    let connection = connect(&two, &broker_config(&broker));
    drop(connection.commands);
    let incident = whole_visit(two.outbox(), 0.0, 2);
    two.start(vec![way.sink(Duration::from_secs(2))]);
    wait_until_uploaded(&two);
    way.assert_whole(&two, &incident, 2);
    assert!(two.outbox().waiting(Takes::Alerts).unwrap() >= 2);
    broker.restart().unwrap();
    wait_for("the alerts", || {
        two.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
}

#[test]
fn a_name_that_nobody_knows_is_told_as_such() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let home = Home::new();
    let config = UploadConfig {
        endpoint: Some("http://store.invalid".parse().unwrap()),
        ..UploadConfig::folder("s3://evidence".parse().unwrap())
    };
    let sink = Arc::new(StoreSink::new(&config, &Pacer::new(None)).unwrap());
    whole_visit(home.outbox(), 0.0, 1);
    home.start(vec![sink.clone()]);
    wait_for("that it has no address", || {
        let problem = sink.problem();
        problem.is_some_and(|problem| {
            problem.ends_with("check the network's DNS and the name in upload.endpoint")
        })
    });
    assert!(home.outbox().waiting(Takes::Objects).unwrap() > 0);
}
