//! Alerts to a webhook: what a receiver of somebody else's making (Python) takes, and what it can refuse.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
};

use crate::{
    config::{Secret, WebhookConfig},
    flow::WallTime,
    net::pace::Pacer,
    outbox::{self, sinks::WebhookSink, tests::*},
    testing::proxy::{Fault, Proxy, answer},
};

const SECRET: &str = "a-long-secret-of-the-test-0123";

/// The receiver of `tests/webhook.py`; dropping it ends it.
struct Receiver {
    child: Child,
    port: u16,
    dir: TempDir,
}

#[derive(Debug, serde::Deserialize)]
struct Request {
    status: u16,
    header: String,
    r#type: String,
    path: String,
    body: String,
}

impl Receiver {
    fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), SECRET).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/webhook.py");
        let mut child = Command::new("python3")
            .arg(script)
            .arg(dir.path().join("secret"))
            .arg(dir.path().join("out"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self { child, port, dir }
    }

    fn requests(&self) -> Vec<Request> {
        let text = read(self.dir.path().join("out"));
        let lines = text.lines();
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Alerts that it believed.
    fn alerts(&self) -> Vec<IncidentMessage> {
        let requests = self.requests();
        let taken = requests
            .iter()
            .filter(|request| request.status == 204 && !request.header.contains(",n=0,"));
        taken
            .map(|request| IncidentMessage::from_json(request.body.as_bytes()).unwrap())
            .collect()
    }

    fn config(&self) -> WebhookConfig {
        config(self.port)
    }

    /// Sends what somebody else made up, or picked up.
    fn post(&self, home: &Home, header: &str, body: &str) -> u16 {
        let request = reqwest::Client::new()
            .post(self.config().url)
            .header("Lares-Signature", header)
            .body(body.to_owned())
            .send();
        home.runtime.block_on(request).unwrap().status().as_u16()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(port: u16) -> WebhookConfig {
    WebhookConfig {
        url: format!("http://127.0.0.1:{port}/in/token-1d5e")
            .parse()
            .unwrap(),
        secret: Secret::new(SECRET),
        ca_file: None,
    }
}

fn sink(config: &WebhookConfig) -> WebhookSink {
    WebhookSink::new(config, &Pacer::new(None)).unwrap()
}

fn all_sent(home: &Home) -> bool {
    home.outbox().waiting(Takes::Alerts).unwrap() == 0
}

fn receipts(home: &Home) -> Vec<(String, String)> {
    let rows = home.outbox().read(|db| {
        let mut select = db.prepare("SELECT receipt, recipient FROM ledger ORDER BY seq")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    rows.unwrap()
}

/// A visit of three alerts, none of which takes up another.
fn three_alerts(home: &Home) -> Incident {
    let incident = visit(0.0);
    for change in [&incident, &updated(&incident, 2), &ended(&incident, 5.0)] {
        home.outbox().alert(change, None).unwrap();
    }
    incident
}

#[test]
fn alerts_are_posted_signed_in_order_and_accounted_for() {
    let receiver = Receiver::start();
    let home = Home::new();
    let sink = Arc::new(sink(&receiver.config()));
    let now = WallTime(home.outbox().clock.wall().0);
    assert_eq!(home.runtime.block_on(sink.probe(now)), Ok(()));
    home.start(vec![sink.clone()]);
    let incident = three_alerts(&home);
    wait_for("three alerts", || all_sent(&home));
    let alerts = receiver.alerts();
    let expected: Vec<_> = (1..=3).map(|n| (Some(n), incident.id, n as u32)).collect();
    assert_eq!(
        alerts
            .iter()
            .map(|m| (m.n, m.id, m.seq))
            .collect::<Vec<_>>(),
        expected
    );
    let requests = receiver.requests();
    assert!(
        requests
            .iter()
            .all(|r| r.r#type == "application/json" && r.path == "/in/token-1d5e")
    );
    assert!(requests[1].header.contains(",n=1,v1="), "{requests:?}");
    let address = format!("webhook http://127.0.0.1:{}/", receiver.port);
    let expected: Vec<_> = (1..=3)
        .map(|n| (format!("{n} 204"), address.clone()))
        .collect();
    assert_eq!(receipts(&home), expected);
    assert_eq!(sink.problem(), None);
}

#[test]
fn a_receiver_can_refuse_what_is_forged_stale_or_was_sent_before() {
    let receiver = Receiver::start();
    let home = Home::new();
    home.start(vec![Arc::new(sink(&receiver.config()))]);
    home.outbox().alert(&visit(0.0), None).unwrap();
    wait_for("the alert", || all_sent(&home));
    let requests = receiver.requests();
    let (header, body) = (&requests[0].header, &requests[0].body);
    // Somebody who listened sends it once more.
    assert_eq!(receiver.post(&home, header, body), 409);
    // ... or changes it: the content, the number, the time, the code.
    let forged = body.replace("\"began\"", "\"ended\"");
    assert_ne!(&forged, body);
    assert_eq!(receiver.post(&home, header, &forged), 401);
    assert_eq!(
        receiver.post(&home, &header.replace("n=1", "n=2"), body),
        401
    );
    assert_eq!(
        receiver.post(&home, &header.replacen("t=1", "t=2", 1), body),
        401
    );
    for header in ["", "t=1,n=1", "t=x,n=1,v1=00", "v1=\u{1f}", "t=1,n=1,v1=zz"] {
        let header = header.replace('\u{1f}', "");
        assert_eq!(receiver.post(&home, &header, body), 401, "{header}");
    }
    assert_eq!(receiver.alerts().len(), 1);
    // Another secret, and a clock that is ten minutes off.
    let other = WebhookConfig {
        secret: Secret::new("another-long-secret-0123456789"),
        ..receiver.config()
    };
    let now = home.outbox().clock.wall();
    let refusal = |config: &WebhookConfig, at| {
        let probe = sink(config);
        home.runtime
            .block_on(probe.probe(WallTime(at)))
            .unwrap_err()
    };
    for (config, at) in [
        (&other, now.0),
        (&receiver.config(), now.0 - 600_000),
        (&receiver.config(), now.0 + 600_000),
    ] {
        let text = refusal(config, at);
        assert!(text.contains("refuses the signature (401"), "{text}");
        assert!(
            !text.contains("secret-0") && !text.contains("token-1d5e"),
            "{text}"
        );
    }
}

#[test]
fn whatever_a_webhook_does_each_alert_is_taken_once() {
    let receiver = Receiver::start();
    let proxy = Proxy::start(receiver.port).unwrap();
    let busy = answer("503 Service Unavailable", &["Retry-After: 1"], "");
    let limited = answer("429 Too Many Requests", &[], "");
    let slow = answer("408 Request Timeout", &[], "");
    let broken = answer("500 Internal Server Error", &[], &"x".repeat(100_000));
    let endless = answer("200 OK", &[], &"y".repeat(4_000_000));
    for (name, faults) in [
        ("busy", vec![Fault::Answer(busy)]),
        ("limiting", vec![Fault::Answer(limited); 2]),
        ("slow", vec![Fault::Answer(slow)]),
        (
            "failing after it was taken",
            vec![Fault::AnswerInstead(broken); 2],
        ),
        ("cutting the request", vec![Fault::CutAfter(300); 2]),
        ("cutting its answer", vec![Fault::CutAnswer(10); 2]),
        ("whose answer is lost", vec![Fault::LoseAnswer; 2]),
        (
            "that answers at length",
            vec![Fault::AnswerInstead(endless)],
        ),
        ("that never answers", vec![Fault::Mute]),
    ] {
        let home = Home::new();
        proxy.script(faults);
        let sink = sink(&config(proxy.port())).impatient(Duration::from_secs(1));
        home.start(vec![Arc::new(sink)]);
        let incident = three_alerts(&home);
        wait_for(name, || all_sent(&home));
        let taken: Vec<_> = receiver
            .alerts()
            .iter()
            .filter(|m| m.id == incident.id)
            .map(|m| m.n.unwrap())
            .collect();
        let last = taken.len() as u64;
        assert!((2..=3).contains(&last), "{name}: {taken:?}");
        assert!(taken.iter().copied().eq(1..=last), "{name}: {taken:?}");
        assert_eq!(home.outbox().sink_health().unwrap()[0].parked, 0, "{name}");
        assert_eq!(receipts(&home).len(), taken.len(), "{name}");
    }
}

#[test]
fn what_is_signed_goes_nowhere_else() {
    let elsewhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let receiver = Receiver::start();
    let proxy = Proxy::start(receiver.port).unwrap();
    let address = elsewhere.local_addr().unwrap();
    let home = Home::new();
    for status in [
        "301 Moved Permanently",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let header = format!("Location: http://eve:pw@{address}/x?token=1");
        proxy.set(Fault::Answer(answer(status, &[&header], "")));
        let probe = sink(&config(proxy.port()));
        let now = home.outbox().clock.wall();
        let text = home.runtime.block_on(probe.probe(now)).unwrap_err();
        assert!(text.contains("sends alerts on to 127.0.0.1"), "{text}");
        assert!(!text.contains("token"), "{text}");
    }
    assert!(elsewhere.accept().is_err(), "the redirect was followed");
}

#[test]
fn what_a_webhook_refuses_is_parked_with_its_reason() {
    let receiver = Receiver::start();
    let proxy = Proxy::start(receiver.port).unwrap();
    let refused = answer(
        "422 Unprocessable Content",
        &[],
        "no such \u{1b}[31mcamera\nmore",
    );
    proxy.set(Fault::Answer(refused));
    let home = Home::new();
    let broker = Scripted::willing(Takes::Alerts);
    home.start(vec![Arc::new(sink(&config(proxy.port()))), broker.clone()]);
    home.outbox().alert(&visit(0.0), None).unwrap();
    let list = || outbox::list(home.dir.path(), &BudgetConfig::default()).unwrap();
    wait_for("the refusal", || list().iter().any(|row| row.parked));
    let problem = list()[0].problem.clone().unwrap();
    assert!(
        problem.contains("refuses the alert (422 Unprocessable Entity: no such [31mcamera)"),
        "{problem}"
    );
    wait_for("the broker", || broker.taken.lock().len() == 1);
    proxy.set(Fault::None);
    assert_eq!(home.outbox().retry(None).unwrap(), 1);
    wait_for("the alert", || {
        all_sent(&home) && receiver.alerts().len() == 1
    });
}

#[test]
fn a_webhook_that_is_away_is_waited_for_while_the_broker_goes_on() {
    let receiver = Receiver::start();
    let proxy = Proxy::start(receiver.port).unwrap();
    proxy.set(Fault::Refuse);
    let home = Home::new();
    let broker = Scripted::willing(Takes::Alerts);
    let webhook = Arc::new(sink(&config(proxy.port())).impatient(Duration::from_secs(1)));
    home.start(vec![webhook.clone(), broker.clone()]);
    let incident = three_alerts(&home);
    wait_for("the broker", || broker.alerts().iter().any(|m| m.seq == 3));
    wait_for("that it is told", || webhook.problem().is_some());
    let health = home.outbox().sink_health().unwrap();
    let up: Vec<_> = health.iter().map(|s| (&*s.name, s.up)).collect();
    assert_eq!(up, [("webhook", false), ("mqtt", true)]);
    proxy.set(Fault::None);
    wait_for("the webhook", || all_sent(&home));
    let last = receiver.alerts().pop().unwrap();
    assert_eq!(
        (last.id, last.seq, last.state),
        (incident.id, 3, IncidentState::Ended)
    );
}
