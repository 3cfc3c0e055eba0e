//! The ledger of the real program against what others saw: packets on the wire, the broker's memory, a chain checked by a
//! program that is not ours; and the signs of life that a hub and a service manager wait for.

#![allow(clippy::print_stdout, reason = "tests tell what they measured")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::net::UnixDatagram,
    process::{Output, Stdio},
    thread::sleep,
    time::Duration,
};

use lares::{
    config::MqttConfig,
    testing::broker::{Broker, Demands},
};
use serde_json::Value;

use crate::support::{
    home::{CAMERA, GRACE, Home},
    lares,
    media::cut,
    mqtt::{Alert, Login, Subscriber, camera_topic, publish, topic},
    process::{Camera, VIEWER},
    sample,
    store::{ACCESS_KEY, BUCKET, S3, python},
    wait_for,
    wire::{HEADERS, Wire},
};

const PASSWORD: &str = "pass-word";
const VISIT: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(15);

/// Sections for one camera, a broker and a store.
fn sections(camera: &Camera, mqtt: &str, s3_port: u16) -> String {
    format!(
        "[[cameras]]\nid = \"{CAMERA}\"\nurl = \"{}\"\nuser = \"{VIEWER}\"\npassword_file = \"password\"\n\n\
         [cameras.clip]\npre_roll = \"3 s\"\npost_roll = \"1 s\"\n\n[mqtt]\n{mqtt}\n\
         [upload]\nurl = \"s3://{BUCKET}\"\nendpoint = \"http://127.0.0.1:{s3_port}\"\naccess_key = \"{ACCESS_KEY}\"\n\
         secret_key_file = \"password\"\n",
        camera.urls[0]
    )
}

/// `lares ledger ...` of a household.
fn ledger(home: &Home, arguments: &[&str]) -> Output {
    let mut command = lares();
    command
        .args(["ledger", "--config"])
        .arg(home.path("lares.toml"));
    command.args(arguments).output().unwrap()
}

fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Everything that `lares ledger ...` prints when it succeeds.
fn good(home: &Home, arguments: &[&str]) -> String {
    let output = ledger(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    printed(&output)
}

/// Everything that `lares ledger verify ...` prints when it finds a fault.
fn bad(home: &Home, arguments: &[&str]) -> String {
    let output = ledger(home, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    printed(&output)
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn change(home: &Home, sql: &str) {
    let db = rusqlite::Connection::open(home.data().join("outbox.db")).unwrap();
    assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
}

#[test]
fn what_the_ledger_says_is_what_went_over_the_wire() {
    let home = Home::new();
    home.secret("password", PASSWORD);
    let video = home.path("visit.mp4");
    cut(&sample("visits.mp4"), 6, 22, &video);
    let broker = Broker::start(&Demands::default()).unwrap();
    let mut s3 = S3::reserve(&home.path(""));
    s3.start();
    let wire = Wire::start(&home.path(""), &[broker.port(), s3.port()]);
    let [mqtt_port, s3_port] = [wire.ports[0], wire.ports[1]];
    let camera = Camera::start(PASSWORD, &[&video]);
    let mqtt = format!("url = \"mqtt://127.0.0.1:{mqtt_port}\"\nkeep_alive = \"5 s\"");
    home.configure(&sections(&camera, &mqtt, s3_port));
    let login = Login {
        user: "reader".to_owned(),
        password: "any".to_owned(),
    };
    let messages = Subscriber::start(&broker, &login, &home.path(""));

    let mut agent = home.run();
    let last = messages.alert("complete clip", VISIT, Alert::is_last);
    let order = r#"{"mode":"disarmed","account":"panel-1"}"#;
    publish(
        &broker,
        &login,
        &["-q", "1"],
        &camera_topic("mode/set"),
        order,
    );
    messages.newest(&camera_topic("mode"), "disarmed", SOON);
    home.all_delivered();
    // Heads are told when the ledger has come to rest.
    let head = wait_for("head of the ledger at the broker", SOON, || {
        let told = messages.texts(&topic("health"));
        let told: Value = serde_json::from_str(told.last()?).unwrap();
        let now = home.health("health", |_| true);
        (told["ledger"] == now["ledger"]).then(|| told["ledger"].clone())
    });
    assert_eq!(agent.terminate(GRACE).code(), Some(0), "{}", agent.log());

    // Sums, against the packets that the kernel counted.
    sleep(Duration::from_secs(1));
    let (to_broker, to_store) = (wire.count(mqtt_port), wire.count(s3_port));
    let counted = to_broker.up() + to_store.up();
    let mut said = BTreeMap::<String, (u64, u64)>::new();
    for total in json_lines(&good(&home, &["export", "--totals"])) {
        let sum = said
            .entry(total["recipient"].as_str().unwrap().to_owned())
            .or_default();
        sum.0 += total["bytes"].as_u64().unwrap();
        sum.1 += total["on_wire"].as_u64().unwrap();
    }
    let told: u64 = said.values().map(|(_, on_wire)| on_wire).sum();
    println!(
        "ledger {said:?}, {told} in all; wire: broker {to_broker:?}, store {to_store:?}, {counted} in all"
    );
    assert!(
        counted > 1_000_000,
        "too little to compare: {counted} bytes"
    );
    let ratio = told as f64 / counted as f64;
    assert!(
        (0.9..=1.1).contains(&ratio),
        "the ledger says {told}, the wire {counted} bytes"
    );
    assert_eq!(said.len(), 2);
    for (recipient, (_, on_wire)) in &said {
        let count = if recipient.starts_with("mqtt") {
            to_broker
        } else {
            to_store
        };
        let ratio = *on_wire as f64 / count.up() as f64;
        assert!(
            (0.8..=1.2).contains(&ratio),
            "{recipient}: {on_wire} against {count:?}"
        );
    }

    records_are_for_people_and_programs(&home, &last);
    whoever_shortens_the_ledger_is_found_out(&home, &head);
}

fn records_are_for_people_and_programs(home: &Home, last: &Alert) {
    let records = json_lines(&good(home, &["export"]));
    let of = |kind: &str| {
        records
            .iter()
            .filter(|r| r["kind"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("config").len(), 1, "the first start");
    assert_eq!(of("mode").len(), 1);
    assert_eq!(of("mode")[0]["account"], "panel-1");
    let segments = of("media");
    assert_eq!(last.json["clip"]["segments"], segments.len());
    for record in &segments {
        assert_eq!(record["incident"], last.json["id"]);
        let etag = record["receipt"].as_str().unwrap();
        assert!(etag.starts_with('"'), "no ETag: {record}");
    }
    for alert in of("alert") {
        let n: u64 = alert["receipt"].as_str().unwrap().parse().unwrap();
        assert!((1..=last.n()).contains(&n), "{alert}");
    }
    let shown = good(home, &["show"]);
    println!("{shown}");
    for expected in [
        "alerts",
        "parts of the clip",
        "set to disarmed by panel-1",
        "In all",
    ] {
        assert!(shown.contains(expected), "no \"{expected}\" in {shown}");
    }
    let table = good(home, &["export", "--format", "csv", "--camera", CAMERA]);
    assert_eq!(
        table.lines().count(),
        1 + records.len() - of("config").len()
    );
    assert!(good(home, &["show", "--until", "2020-01-01"]).contains("Nothing has left"));

    // A program that is not ours comes to the same head.
    let mut chain = python("chain.py")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let export = good(home, &["export"]);
    chain
        .stdin
        .take()
        .unwrap()
        .write_all(export.as_bytes())
        .unwrap();
    let output = chain.wait_with_output().unwrap();
    let head = String::from_utf8(output.stdout).unwrap();
    let verified = good(home, &["verify", "--offline"]);
    assert!(
        verified.contains(&format!("head     {}", head.trim())),
        "{head} {verified}"
    );
}

/// `told`: the head that the broker was told.
fn whoever_shortens_the_ledger_is_found_out(home: &Home, told: &Value) {
    let sound = good(home, &["verify"]);
    assert!(
        !sound.contains("advice") && !sound.contains("Nobody else"),
        "{sound}"
    );
    let head = format!("{}:{}", told["n"], told["hash"].as_str().unwrap());
    good(home, &["verify", "--offline", "--head", &head]);

    // Without those who saw its end, a shortened chain looks whole: the docs say so.
    change(
        home,
        &format!("DELETE FROM ledger WHERE seq >= {}", told["n"]),
    );
    fs::rename(home.data().join("ledger.heads"), home.path("heads")).unwrap();
    let alone = good(home, &["verify", "--offline"]);
    assert!(alone.contains("Nobody else has seen"), "{alone}");
    // The broker, a head on paper, and the heads beside the database each find it out.
    let end = "its end was cut off";
    let by_broker = bad(home, &["verify"]);
    assert!(
        by_broker.contains("the broker") && by_broker.contains(end),
        "{by_broker}"
    );
    let by_paper = bad(home, &["verify", "--offline", "--head", &head]);
    assert!(
        by_paper.contains("the command line") && by_paper.contains(end),
        "{by_paper}"
    );
    let heads = home.path("heads");
    let by_file = bad(
        home,
        &["verify", "--offline", "--heads", heads.to_str().unwrap()],
    );
    assert!(by_file.contains(end), "{by_file}");

    change(
        home,
        "UPDATE ledger SET bytes = bytes - 1 WHERE kind = 'media'",
    );
    assert!(bad(home, &["verify", "--offline"]).contains("does not fit"));
    change(home, "DELETE FROM ledger WHERE seq <= 2");
    assert!(bad(home, &["verify", "--offline"]).contains("its front was cut off"));
}

/// A quiet day, from a short run with TLS: what one keep-alive and one health report cost, times how many of them the
/// default settings send in a day, and everything that the start sent.
#[test]
fn a_quiet_day_sends_little_and_tells_that_the_box_is_alive() {
    const SETTLE: Duration = Duration::from_secs(20);
    const WINDOW: Duration = Duration::from_secs(45);
    const MOST: u64 = 200_000;
    let home = Home::new();
    home.secret("password", PASSWORD);
    let login = Login {
        user: "lares".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let broker = Broker::start(&Demands {
        login: Some((login.user.clone(), login.password.clone())),
        tls: true,
        ..Demands::default()
    })
    .unwrap();
    let mut s3 = S3::reserve(&home.path(""));
    s3.start();
    let wire = Wire::start(&home.path(""), &[broker.port(), s3.port()]);
    let [mqtt_port, s3_port] = [wire.ports[0], wire.ports[1]];
    let camera = Camera::start(PASSWORD, &[&sample("idle.mp4")]);
    let mqtt = format!(
        "url = \"mqtts://localhost:{mqtt_port}\"\nca_file = \"{}\"\nuser = \"lares\"\npassword_file = \"password\"\n\
         keep_alive = \"5 s\"\nhealth_interval = \"10 s\"",
        broker.ca_file().display()
    );
    home.configure(&sections(&camera, &mqtt, s3_port));
    let messages = Subscriber::start(&broker, &login, &home.path(""));
    let agent = home.run();
    home.health("good health", |health| health["ok"] == true);
    sleep(SETTLE);
    let begin = now();
    sleep(WINDOW);
    let end = now();
    drop(agent);
    assert!(messages.alerts().is_empty(), "this day is not quiet");
    assert_eq!(
        wire.count(s3_port).connections,
        0,
        "nothing goes to the store"
    );

    // What was sent in the window, sorted: only keep-alives and reports.
    let (before, after) = (
        wire.count_before(mqtt_port, begin),
        wire.count_before(mqtt_port, end),
    );
    let sent = wire.sent(mqtt_port).into_iter();
    let sent: Vec<_> = sent
        .filter(|c| (begin..end).contains(&c.at))
        .map(|c| c.bytes)
        .collect();
    let (pings, reports): (Vec<u64>, Vec<u64>) = sent.iter().partition(|bytes| **bytes < 100);
    assert!(pings.len() >= 5 && reports.len() >= 3, "{sent:?}");
    let messages_sent = sent.len() as f64;
    let packets = (after.up_packets - before.up_packets) as f64 / messages_sent;
    let ping = pings.iter().sum::<u64>() as f64 / pings.len() as f64 + packets * HEADERS as f64;
    let report =
        reports.iter().sum::<u64>() as f64 / reports.len() as f64 + packets * HEADERS as f64;
    let answer = (after.down() - before.down()) as f64 / messages_sent;

    let usual = MqttConfig::without_login("mqtt://h".parse().unwrap());
    let in_a_day = |every: Duration| 86_400.0 / every.as_secs_f64();
    let (pings_a_day, reports_a_day) =
        (in_a_day(usual.keep_alive), in_a_day(usual.health_interval));
    let day = before.up() as f64 + pings_a_day * ping + reports_a_day * report;
    let down = before.down() as f64 + (pings_a_day + reports_a_day) * answer;
    println!(
        "a quiet day with TLS: {day:.0} bytes sent = start {} + {pings_a_day:.0} x {ping:.0} + {reports_a_day:.0} x \
         {report:.0} ({packets:.2} packets each); {down:.0} bytes received",
        before.up()
    );
    assert!(day <= MOST as f64, "a quiet day sends {day:.0} bytes");

    // Each report comes before the one before it said that it would be late.
    let reports = messages
        .messages()
        .into_iter()
        .filter(|m| m.topic == topic("health"));
    let reports: Vec<(f64, Value)> = reports
        .map(|m| (m.at, serde_json::from_slice(&m.payload).unwrap()))
        .collect();
    assert!(reports.len() >= 5, "{reports:?}");
    for pair in reports.windows(2) {
        let promised = pair[0].1["next_by"].as_f64().unwrap() / 1000.0;
        assert!(pair[1].0 <= promised, "{} came after {promised}", pair[1].0);
        assert!(promised < pair[0].0 + 60.0);
    }
}

fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

#[test]
fn the_service_manager_hears_of_start_life_and_stop() {
    let home = Home::new();
    home.secret("password", PASSWORD);
    let camera = Camera::start(PASSWORD, &[&sample("idle.mp4")]);
    home.configure(&format!(
        "[[cameras]]\nid = \"{CAMERA}\"\nurl = \"{}\"\nuser = \"{VIEWER}\"\npassword_file = \"password\"\n",
        camera.urls[0]
    ));
    let path = home.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let heard = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length])
            .trim_end()
            .to_owned()
    };
    let environment = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "2000000"),
    ];
    let mut agent = home.run_with(&environment);
    assert_eq!(heard(), "READY=1");
    for _ in 0..3 {
        assert_eq!(heard(), "WATCHDOG=1");
    }
    assert_eq!(agent.terminate(GRACE).code(), Some(0), "{}", agent.log());
    let mut last = heard();
    while last == "WATCHDOG=1" {
        last = heard();
    }
    assert_eq!(last, "STOPPING=1");
}
