//! Clips to an S3 server of somebody else's making (moto), read back by plain HTTP.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use crate::{
    config::{Secret, UploadConfig},
    net::pace::Pacer,
    outbox::{sinks::StoreSink, tests::*},
    testing::{certificates::Pair, partner},
};

/// A server process; dropping it ends it.
pub(in crate::outbox::tests) struct Moto {
    child: Child,
    pub(in crate::outbox::tests) port: u16,
    secure: bool,
    log: TempDir,
}

impl Moto {
    /// Starts it, or says in one sentence why the test is skipped. After `open_actions` requests it checks keys.
    pub(in crate::outbox::tests) fn start(open_actions: Option<u32>) -> Option<Self> {
        Self::start_with(open_actions, None)
    }

    /// The same, with TLS where there is a certificate.
    pub(in crate::outbox::tests) fn start_with(
        open_actions: Option<u32>,
        pair: Option<&Pair>,
    ) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/moto_server");
        let program = partner::program(&program)?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = tempfile::tempdir().unwrap();
        let out = std::fs::File::create(log.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out);
        if let Some(pair) = pair {
            command.arg("-c").arg(&pair.certificate);
            command.arg("-k").arg(&pair.key);
        }
        if let Some(count) = open_actions {
            command.env("INITIAL_NO_AUTH_ACTION_COUNT", count.to_string());
        }
        let child = command.spawn().unwrap();
        let secure = pair.is_some();
        let moto = Self {
            child,
            port,
            secure,
            log,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "moto did not start: {}",
                read(moto.log.path().join("log"))
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(moto)
    }

    /// An address in it.
    pub(in crate::outbox::tests) fn url(&self, path: &str) -> String {
        if self.secure {
            format!("https://localhost:{}/{path}", self.port)
        } else {
            format!("http://127.0.0.1:{}/{path}", self.port)
        }
    }

    pub(in crate::outbox::tests) fn config(&self, url: &str) -> UploadConfig {
        UploadConfig {
            url: url.parse().unwrap(),
            endpoint: Some(self.url("").parse().unwrap()),
            region: "us-east-1".to_owned(),
            access_key: Some("key".to_owned()),
            secret_key: Some(Secret::new("hunter2")),
            user: None,
            password: None,
            ca_file: None,
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a bucket without a client of ours.
pub(in crate::outbox::tests) fn make_bucket(home: &Home, moto: &Moto, name: &str) {
    let request = reqwest::Client::new().put(moto.url(name)).send();
    let answer = home.runtime.block_on(request).unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

/// MIME type and content of an object, read without a client of ours; none where there is no such object.
pub(in crate::outbox::tests) fn stored(
    home: &Home,
    moto: &Moto,
    path: &str,
) -> Option<(String, bytes::Bytes)> {
    // Moto keeps anonymous readers out but does not check signatures.
    let request = reqwest::Client::new()
        .get(moto.url(path))
        .header(
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request",
        )
        .send();
    home.runtime.block_on(async {
        let answer = request.await.unwrap();
        let found = answer.status().is_success();
        let content_type = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let body = answer.bytes().await.unwrap();
        found.then_some((content_type, body))
    })
}

#[test]
fn a_clip_arrives_whole_in_a_bucket() {
    let Some(moto) = Moto::start(None) else {
        return;
    };
    let home = Home::new();
    make_bucket(&home, &moto, "evidence");
    let sink =
        Arc::new(StoreSink::new(&moto.config("s3://evidence/boxes"), &Pacer::new(None)).unwrap());
    assert_eq!(home.runtime.block_on(sink.probe()), Ok(()));
    let incident = whole_visit(home.outbox(), 0.0, 3);
    home.start(vec![sink]);
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    let here = home.outbox().incident_dir(&incident).unwrap();
    let prefix = here.strip_prefix(home.objects()).unwrap().display();
    for (file, kind) in [
        ("thumb.jpg", "image/jpeg"),
        ("sub/init-1.mp4", "video/mp4"),
        ("sub/00001.m4s", "video/iso.segment"),
        ("sub/00003.m4s", "video/iso.segment"),
        ("sub/index.m3u8", "application/vnd.apple.mpegurl"),
        ("incident.json", "application/json"),
    ] {
        let path = format!("evidence/boxes/{prefix}/{file}");
        let (content_type, body) = stored(&home, &moto, &path).unwrap();
        assert_eq!(content_type, kind, "{file}");
        match file {
            "incident.json" => {
                let facts = IncidentMessage::from_json(&body).unwrap();
                assert_eq!(facts.clip.segments, 3);
            }
            _ => assert_eq!(body, std::fs::read(here.join(file)).unwrap(), "{file}"),
        }
    }
    let etags: i64 = home
        .outbox()
        .read(|db| {
            Ok(db.query_row(
                "SELECT count(*) FROM ledger WHERE receipt IS NOT NULL AND kind = 'media'",
                [],
                |row| row.get(0),
            )?)
        })
        .unwrap();
    assert_eq!(etags, 3);
}

#[test]
fn a_missing_bucket_and_a_wrong_key_are_one_sentence_each() {
    let Some(open) = Moto::start(None) else {
        return;
    };
    let home = Home::new();
    let missing = StoreSink::new(&open.config("s3://nowhere"), &Pacer::new(None)).unwrap();
    let text = home.runtime.block_on(missing.probe()).unwrap_err();
    assert!(
        text.contains("has no bucket \"nowhere\": create it"),
        "{text}"
    );
    let Some(strict) = Moto::start(Some(1)) else {
        return;
    };
    make_bucket(&home, &strict, "evidence");
    let sink =
        Arc::new(StoreSink::new(&strict.config("s3://evidence"), &Pacer::new(None)).unwrap());
    whole_visit(home.outbox(), 0.0, 1);
    home.start(vec![sink.clone()]);
    wait_for("the refusal", || sink.problem().is_some());
    let text = sink.problem().unwrap();
    assert!(
        text.contains("bucket \"evidence\": check upload.access_key"),
        "{text}"
    );
    assert!(!text.contains("hunter2") && !text.contains('\n'), "{text}");
    assert_eq!(home.outbox().totals().unwrap().segments_delivered, 0);
    let listed = crate::outbox::list(home.dir.path(), &BudgetConfig::default()).unwrap();
    assert!(listed.iter().all(|l| !l.parked), "nothing is given up");
}

#[test]
fn a_store_that_is_away_is_waited_for() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let home = Home::new();
    let config = UploadConfig {
        url: "s3://evidence".parse().unwrap(),
        endpoint: Some("http://127.0.0.1:9".parse().unwrap()),
        region: "us-east-1".to_owned(),
        access_key: Some("key".to_owned()),
        secret_key: Some(Secret::new("hunter2")),
        user: None,
        password: None,
        ca_file: None,
    };
    let sink = StoreSink::new(&config, &Pacer::new(None)).unwrap();
    let text = home.runtime.block_on(sink.probe()).unwrap_err();
    assert!(text.contains("cannot be reached"), "{text}");
    assert!(text.contains("127.0.0.1:9"), "{text}");
}

#[test]
fn addresses_and_keys_that_cannot_be_used_say_how_to_write_them() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = UploadConfig {
        url: "s3://evidence".parse().unwrap(),
        endpoint: None,
        region: "us-east-1".to_owned(),
        access_key: None,
        secret_key: None,
        user: None,
        password: None,
        ca_file: None,
    };
    let refuse = |config: UploadConfig| match StoreSink::new(&config, &Pacer::new(None)) {
        Ok(_) => panic!("{} was taken", config.url),
        Err(error) => error.to_string(),
    };
    let with = |url: &str| UploadConfig {
        url: url.parse().unwrap(),
        ..base.clone()
    };
    assert!(refuse(with("ftp://host/x")).contains("write s3://bucket/folder or file:///folder"));
    assert!(refuse(with("s3:///x")).contains("write it like s3://bucket/folder"));
    let half = UploadConfig {
        access_key: Some("key".to_owned()),
        ..base.clone()
    };
    assert!(refuse(half).contains("set both or none"));
    let no_file = UploadConfig {
        ca_file: Some("/nowhere/ca.pem".into()),
        ..base
    };
    assert!(refuse(no_file).contains("check ca_file"));
}

#[test]
fn a_folder_of_the_bucket_is_named_as_people_write_it() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let prefix = |url: &str| {
        let mut config = UploadConfig::folder(url.parse().unwrap());
        config.endpoint = Some("http://127.0.0.1:1".parse().unwrap());
        crate::net::s3::to_read(&config).unwrap().1
    };
    assert_eq!(prefix("s3://clips/pr\u{e9} fixe+1/"), "pr\u{e9} fixe+1/");
    assert_eq!(prefix("s3://clips/pr%C3%A9%20fixe+1"), "pr\u{e9} fixe+1/");
    assert_eq!(prefix("s3://clips"), "");
}
