//! Clips to a WebDAV server of somebody else's making (WsgiDAV), and to one that fails in every way there is.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use crate::{
    config::{Secret, UploadConfig},
    net::pace::Pacer,
    outbox::{sinks::WebDavSink, tests::*},
    testing::{
        certificates::{Authority, Good, Pair},
        partner,
        proxy::{Fault, Proxy, answer},
    },
};

const PASSWORD: &str = "hunter 2:é";

/// A server process with a folder `boxes`; dropping it ends it.
struct Dav {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Dav {
    /// Starts it, or says in one sentence why the test is skipped.
    fn start() -> Option<Self> {
        Self::start_with("basic", None)
    }

    /// `login`: `basic` or `digest`, the only one that it offers.
    fn start_with(login: &str, pair: Option<&Pair>) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/wsgidav");
        let program = partner::program(&program)?;
        crypto();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("root/boxes")).unwrap();
        let mut config = serde_json::json!({
            "host": "127.0.0.1",
            "port": port,
            "provider_mapping": { "/": dir.path().join("root") },
            "http_authenticator": {
                "accept_basic": login == "basic",
                "accept_digest": login == "digest",
                "default_to_digest": login == "digest",
            },
            "simple_dc": { "user_mapping": { "*": { "box": { "password": PASSWORD } } } },
            "verbose": 1,
        });
        if let Some(pair) = pair {
            config["ssl_certificate"] = pair.certificate.to_str().into();
            config["ssl_private_key"] = pair.key.to_str().into();
        }
        std::fs::write(dir.path().join("dav.json"), config.to_string()).unwrap();
        let out = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .arg("--config")
            .arg(dir.path().join("dav.json"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let dav = Self { child, port, dir };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "WsgiDAV did not start: {}",
                read(dav.dir.path().join("log"))
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(dav)
    }

    fn boxes(&self) -> PathBuf {
        self.dir.path().join("root/boxes")
    }

    fn config(&self) -> UploadConfig {
        config_of(&format!("webdav://127.0.0.1:{}/boxes", self.port))
    }
}

impl Drop for Dav {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn config_of(url: &str) -> UploadConfig {
    UploadConfig {
        user: Some("box".to_owned()),
        password: Some(Secret::new(PASSWORD)),
        ..UploadConfig::folder(url.parse().unwrap())
    }
}

fn sink(config: &UploadConfig) -> Arc<WebDavSink> {
    Arc::new(WebDavSink::new(config, &Pacer::new(None)).unwrap())
}

fn refusal(home: &Home, config: &UploadConfig) -> String {
    let text = home.runtime.block_on(sink(config).probe()).unwrap_err();
    assert!(!text.contains(PASSWORD) && !text.contains('\n'), "{text}");
    text
}

/// Files below `folder`, from there on.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Files under their own keys that are not what lies here.
fn halves(home: &Home, boxes: &Path) -> Vec<PathBuf> {
    let wrong = |name: &PathBuf| {
        let written_anew = name.extension().is_some_and(|e| e == "m3u8" || e == "json");
        let there = std::fs::read(boxes.join(name));
        let here = std::fs::read(home.objects().join(name));
        // What is moved or replaced while it is looked at is no half.
        there.is_ok_and(|there| here.is_ok_and(|here| here != there) && !written_anew)
    };
    let under_keys = files(boxes);
    let under_keys = under_keys
        .into_iter()
        .filter(|name| name.extension().is_none_or(|e| e != "lares-tmp"));
    under_keys.filter(wrong).collect()
}

fn all_sent(home: &Home) -> bool {
    home.outbox().waiting(Takes::Objects).unwrap() == 0
}

fn count(home: &Home, sql: &str) -> i64 {
    let read = home
        .outbox()
        .read(|db| Ok(db.query_row(sql, [], |row| row.get(0))?));
    read.unwrap()
}

/// That everything of `incident` is there as it is here, and nothing else.
fn assert_whole(home: &Home, dav: &Dav, incident: &Incident, segments: u32) {
    let here = home.outbox().incident_dir(incident).unwrap();
    let prefix = here.strip_prefix(home.objects()).unwrap();
    let there = dav.boxes().join(prefix);
    let mut expected: Vec<PathBuf> = (1..=segments)
        .map(|n| format!("sub/{n:05}.m4s").into())
        .collect();
    expected.extend(
        [
            "incident.json",
            "sub/index.m3u8",
            "sub/init-1.mp4",
            "thumb.jpg",
        ]
        .map(PathBuf::from),
    );
    expected.sort();
    assert_eq!(files(&there), expected);
    for file in expected.iter().filter(|f| !f.ends_with("incident.json")) {
        assert_eq!(
            std::fs::read(there.join(file)).unwrap(),
            std::fs::read(here.join(file)).unwrap(),
            "{}",
            file.display()
        );
    }
    let facts = std::fs::read(there.join("incident.json")).unwrap();
    let facts = IncidentMessage::from_json(&facts).unwrap();
    assert_eq!(
        (facts.state, facts.clip.segments),
        (IncidentState::Ended, segments)
    );
}

#[test]
fn a_clip_arrives_whole_on_a_webdav_server() {
    let Some(dav) = Dav::start() else { return };
    let home = Home::new();
    let sink = sink(&dav.config());
    assert_eq!(home.runtime.block_on(sink.probe()), Ok(()));
    assert_eq!(files(&dav.boxes()), Vec::<PathBuf>::new(), "of the probe");
    let incident = whole_visit(home.outbox(), 0.0, 3);
    home.start(vec![sink]);
    wait_for("everything", || all_sent(&home));
    assert_whole(&home, &dav, &incident, 3);
    let receipts = "SELECT count(*) FROM ledger WHERE kind = 'media' AND length(receipt) > 4";
    assert_eq!(count(&home, receipts), 3);
    let recipient = format!("webdav://127.0.0.1:{}/boxes", dav.port);
    let recorded = format!("SELECT count(*) FROM ledger WHERE recipient <> '{recipient}'");
    assert_eq!(count(&home, &recorded), 0);
    // A better picture replaces the one that is there.
    home.outbox()
        .picture(incident.id, crate::outbox::PictureKind::Thumb, b"nearer")
        .unwrap();
    wait_for("the picture", || all_sent(&home));
    assert_whole(&home, &dav, &incident, 3);
}

#[test]
fn what_a_person_has_to_put_right_is_one_sentence_each() {
    let Some(dav) = Dav::start() else { return };
    let home = Home::new();
    let wrong = UploadConfig {
        password: Some(Secret::new("wrong")),
        ..dav.config()
    };
    let text = refusal(&home, &wrong);
    assert!(
        text.ends_with("refuses user and password: check upload.user and upload.password_file"),
        "{text}"
    );
    let none = UploadConfig {
        user: None,
        password: None,
        ..dav.config()
    };
    let text = refusal(&home, &none);
    assert!(text.contains("asks for a login"), "{text}");
    let nowhere = config_of(&format!("webdav://127.0.0.1:{}/nowhere", dav.port));
    let text = refusal(&home, &nowhere);
    assert!(
        text.ends_with("has no such folder: create it, or correct upload.url"),
        "{text}"
    );
    let Some(digest) = Dav::start_with("digest", None) else {
        return;
    };
    let text = refusal(&home, &digest.config());
    assert!(text.contains("offers no Basic login"), "{text}");
    let text = refusal(&home, &config_of("webdav://127.0.0.1:9/boxes"));
    assert!(text.contains("cannot be reached"), "{text}");
    let text = refusal(&home, &config_of("webdav://store.invalid/boxes"));
    assert!(
        text.ends_with("check the network's DNS and the name in upload.url"),
        "{text}"
    );
}

#[test]
fn each_refusal_has_its_reason() {
    let Some(dav) = Dav::start() else { return };
    let proxy = Proxy::start(dav.port).unwrap();
    let home = Home::new();
    let config = config_of(&format!("webdav://127.0.0.1:{}/boxes", proxy.port()));
    let elsewhere = "Location: https://eve:secret@other.example/x?token=hidden";
    for (status, headers, words) in [
        ("403 Forbidden", &[][..], "does not let this user write"),
        (
            "405 Method Not Allowed",
            &["Allow: GET, HEAD"],
            "it is no WebDAV server",
        ),
        ("413 Content Too Large", &[], "takes nothing as large as"),
        ("423 Locked", &[], "is locked in the store"),
        ("429 Too Many Requests", &["Retry-After: 1"], "too busy"),
        (
            "500 Internal Server Error",
            &[],
            "did not take v1/lares-check (MKCOL: 500",
        ),
        ("507 Insufficient Storage", &[], "is full: make room there"),
        (
            "301 Moved Permanently",
            &[elsewhere],
            "elsewhere (https://other.example/x)",
        ),
    ] {
        proxy.set(Fault::Answer(answer(status, headers, "")));
        let text = refusal(&home, &config);
        assert!(text.contains(words), "{status}: {text}");
    }
}

#[test]
fn whatever_a_webdav_server_does_every_object_arrives_whole() {
    let Some(dav) = Dav::start() else { return };
    let proxy = Proxy::start(dav.port).unwrap();
    let config = config_of(&format!("webdav://127.0.0.1:{}/boxes", proxy.port()));
    let patience = Duration::from_secs(2);
    let busy = answer("503 Service Unavailable", &["Retry-After: 1"], "");
    let full = answer("507 Insufficient Storage", &[], "");
    let locked = answer("423 Locked", &[], "");
    let broken = answer("500 Internal Server Error", &[], "");
    let cases: [(&str, Vec<Fault>); 7] = [
        ("busy", vec![Fault::Answer(busy); 2]),
        ("full for a while", vec![Fault::Answer(full)]),
        ("locked", vec![Fault::Answer(locked); 2]),
        (
            "failing after it has done it",
            vec![Fault::AnswerInstead(broken); 3],
        ),
        (
            "cutting the body",
            vec![
                Fault::CutAfter(1_000),
                Fault::CutAfter(2_500),
                Fault::CutAfter(400),
            ],
        ),
        ("cutting its answer", vec![Fault::CutAnswer(20); 3]),
        (
            "whose acknowledgements are lost",
            vec![Fault::LoseAnswer; 4],
        ),
    ];
    for (name, faults) in cases {
        let home = Home::new();
        let incident = whole_visit(home.outbox(), 0.0, 3);
        proxy.script(faults);
        let sink = WebDavSink::new(&config, &Pacer::new(None)).unwrap();
        home.start(vec![Arc::new(sink.impatient(patience))]);
        wait_for(name, || {
            assert_eq!(halves(&home, &dav.boxes()), Vec::<PathBuf>::new(), "{name}");
            all_sent(&home)
        });
        assert_whole(&home, &dav, &incident, 3);
        assert_eq!(home.outbox().sink_health().unwrap()[0].parked, 0, "{name}");
        let segments = "SELECT count(*) FROM ledger WHERE kind = 'media'";
        assert_eq!(count(&home, segments), 3, "{name}");
    }
}

#[test]
fn folders_that_somebody_deletes_are_made_again() {
    let Some(dav) = Dav::start() else { return };
    let home = Home::new();
    home.start(vec![sink(&dav.config())]);
    let incident = visit(0.0);
    home.outbox().alert(&incident, None).unwrap();
    media(home.outbox(), &incident, MediaKind::Init, 1);
    media(home.outbox(), &incident, MediaKind::Media, 1);
    wait_for("the first", || all_sent(&home));
    std::fs::remove_dir_all(dav.boxes().join("v1")).unwrap();
    let other = whole_visit(home.outbox(), 10.0, 2);
    media(home.outbox(), &incident, MediaKind::Media, 2);
    wait_for("the others", || all_sent(&home));
    assert_whole(&home, &dav, &other, 2);
}

#[test]
fn a_webdav_server_is_trusted_by_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path()).unwrap();
    let pair = authority.issue("dav", "DNS:localhost", Good::Now).unwrap();
    let Some(dav) = Dav::start_with("basic", Some(&pair)) else {
        return;
    };
    let home = Home::new();
    let config = config_of(&format!("webdavs://localhost:{}/boxes", dav.port));
    let text = refusal(&home, &config);
    assert!(
        text.ends_with("name that authority's certificate in upload.ca_file"),
        "{text}"
    );
    let trusting = UploadConfig {
        ca_file: Some(authority.certificate()),
        ..config
    };
    let incident = whole_visit(home.outbox(), 0.0, 2);
    home.start(vec![sink(&trusting)]);
    wait_for("everything", || all_sent(&home));
    assert_whole(&home, &dav, &incident, 2);
}

#[test]
fn what_does_not_leave_is_booked_back() {
    let Some(dav) = Dav::start() else { return };
    let proxy = Proxy::start(dav.port).unwrap();
    let home = Home::with(OutboxConfig {
        budget: BudgetConfig {
            per_day: Some(crate::config::ByteSize::mb(50)),
            ..BudgetConfig::default()
        },
        ..OutboxConfig::default()
    });
    let spent = || home.outbox().budget_now().unwrap().day.unwrap().spent;
    whole_visit(home.outbox(), 0.0, 2);
    let full = answer("507 Insufficient Storage", &[], "");
    proxy.set(Fault::Answer(full));
    let config = config_of(&format!("webdav://127.0.0.1:{}/boxes", proxy.port()));
    let sink = Arc::new(WebDavSink::new(&config, &Pacer::new(None)).unwrap());
    home.start(vec![sink.clone()]);
    wait_for("the refusal", || sink.problem().is_some());
    std::thread::sleep(Duration::from_millis(200));
    let in_vain = spent().total();
    assert!((1..2_000).contains(&in_vain), "{in_vain} bytes for nothing");
    let other = Home::with(home.settings.clone());
    whole_visit(other.outbox(), 0.0, 2);
    other.start(vec![self::sink(&dav.config())]);
    wait_for("everything", || all_sent(&other));
    let day = other.outbox().budget_now().unwrap().day.unwrap();
    let content = other.outbox().budget().unwrap().last_day;
    assert!(
        day.spent.total() > content,
        "{:?} for {content} of content",
        day.spent
    );
}
