//! Brokers and stores that are away or refuse: told once, and what was flagged waits.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
};

use lares::testing::broker::{Broker, Demands};

use crate::{
    home::{Cameras, Home, SOON, camera, counter, stop, web},
    program::{Running, assert_told_once, free_port, lines_with, sample, wait_until},
};

/// A camera with people in every picture.
fn busy_camera() -> Cameras {
    Cameras::start(0, "", &[sample("odd/clip.mkv")])
}

fn mqtt(broker: &Broker, more: &str) -> String {
    format!("[mqtt]\nurl = \"{}\"\n{more}", broker.url())
}

fn wait_for_visit(agent: &mut Running) {
    agent.wait_for("a visit", SOON, |log| log.contains("person seen"));
}

/// Alerts that wait, in the outbox of `home`.
fn waiting_alerts(home: &Home) -> usize {
    lines_with(&home.outbox(), &["waiting", "alert"]).len()
}

#[test]
fn a_broker_that_is_away_gets_its_alerts_when_it_is_back() {
    let cameras = busy_camera();
    let mut broker = Broker::start(&Demands::default()).unwrap();
    broker.kill();
    let home = Home::new();
    let mut agent = home.agent(&(camera("a", &cameras.urls[0], "") + &mqtt(&broker, "")));
    let away = ["the broker", "cannot be reached"];
    agent.wait_for("that it is away", SOON, |log| {
        !lines_with(log, &away).is_empty()
    });
    wait_for_visit(&mut agent);
    assert!(waiting_alerts(&home) > 0, "{}", home.outbox());

    broker.restart().unwrap();
    wait_until("delivery of the alerts", SOON, || {
        match waiting_alerts(&home) {
            0 => Ok(()),
            _ => Err(home.outbox()),
        }
    });
    assert_told_once(&stop(agent).stderr, &away);
}

#[test]
fn a_broker_that_refuses_the_password_is_told_with_the_key_to_correct() {
    let login = Some(("lares".to_owned(), "right-one".to_owned()));
    let broker = Broker::start(&Demands {
        login,
        ..Demands::default()
    })
    .unwrap();
    let cameras = busy_camera();
    let home = Home::new();
    std::fs::write(home.path().join("password"), "wrong-one").unwrap();
    let broker = mqtt(&broker, "user = \"lares\"\npassword_file = \"password\"\n");
    let mut agent = home.agent(&(camera("a", &cameras.urls[0], "") + &broker));
    let refused = [
        "the broker",
        "refuses user and password",
        "check mqtt.user and mqtt.password",
    ];
    agent.wait_for("the refusal", SOON, |log| {
        !lines_with(log, &refused).is_empty()
    });
    wait_for_visit(&mut agent);
    assert!(waiting_alerts(&home) > 0, "{}", home.outbox());
    let log = stop(agent).stderr;
    assert_told_once(&log, &refused);
    assert!(!log.contains("wrong-one"), "a password in the log:\n{log}");
}

/// An S3 that knows nobody: answers each request with 403.
fn refusing_store() -> u16 {
    const BODY: &str = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        for socket in listener.incoming().flatten() {
            let mut reader = BufReader::new(&socket);
            let (mut line, mut length) = (String::new(), 0u64);
            while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let _ = std::io::copy(&mut reader.take(length), &mut std::io::sink());
            let _ = write!(
                &socket,
                "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
                BODY.len()
            );
        }
    };
    std::thread::Builder::new()
        .name("refusing store".into())
        .spawn(serve)
        .unwrap();
    port
}

/// Runs an agent whose store is at `port`; it must say `words` once, tell its alerts, and keep the clips.
fn with_store_in_trouble(port: u16, words: &[&str]) {
    let cameras = busy_camera();
    let broker = Broker::start(&Demands::default()).unwrap();
    let pages = free_port();
    let home = Home::new();
    std::fs::write(home.path().join("secret"), "wrong-one").unwrap();
    let upload = format!(
        "[upload]\nurl = \"s3://clips\"\nendpoint = \"http://127.0.0.1:{port}\"\naccess_key = \"lares\"\nsecret_key_file = \"secret\"\n"
    );
    let rest = camera("a", &cameras.urls[0], "") + &mqtt(&broker, "") + &upload + &web(pages);
    let mut agent = home.agent(&rest);
    agent.wait_for("the store's trouble", SOON, |log| {
        !lines_with(log, words).is_empty()
    });
    wait_until("an alert at the broker", SOON, || {
        match counter(pages, "lares_delivered_total", "mqtt")? {
            0.0 => Err("none".to_owned()),
            _ => Ok(()),
        }
    });
    wait_until("a clip that waits", SOON, || {
        let list = home.outbox();
        match lines_with(&list, &["waiting", ".m4s"]).is_empty() {
            true => Err(list),
            false => Ok(()),
        }
    });
    let log = stop(agent).stderr;
    assert_told_once(&log, words);
    assert!(!log.contains("wrong-one"), "a secret in the log:\n{log}");
    assert!(
        !lines_with(&home.outbox(), &["waiting", ".m4s"]).is_empty(),
        "kept over the end"
    );
}

#[test]
fn a_store_that_refuses_is_told_with_the_keys_to_correct() {
    with_store_in_trouble(
        refusing_store(),
        &["the store", "refuses", "check upload.access_key"],
    );
}

#[test]
fn a_store_that_is_away_is_told_and_waited_for() {
    with_store_in_trouble(free_port(), &["the store", "cannot be reached"]);
}

#[test]
fn an_upload_folder_that_is_not_mounted_is_told() {
    let cameras = busy_camera();
    let home = Home::new();
    let upload = format!("[upload]\nurl = \"file://{}/nas\"\n", home.path().display());
    let mut agent = home.agent(&(camera("a", &cameras.urls[0], "") + &upload));
    let words = [
        "the upload folder",
        "is not there: create it, or mount the disk",
    ];
    agent.wait_for("that it is missing", SOON, |log| {
        !lines_with(log, &words).is_empty()
    });
    assert!(!home.path().join("nas").exists(), "made on the local disk");
    std::fs::create_dir(home.path().join("nas")).unwrap();
    let arrived = || std::fs::read_dir(home.path().join("nas/v1/home/a")).is_ok();
    wait_until("a clip in the folder", SOON, || {
        if arrived() {
            Ok(())
        } else {
            Err(home.outbox())
        }
    });
    assert_told_once(&stop(agent).stderr, &words);
}
