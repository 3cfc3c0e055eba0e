//! The hub's broker where others reach it: with TLS, with a certificate that is renewed, and with client ids that belong to users.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    rig::{Hub, PASSWORD, SITES, STOPS, run_box},
    support::{media::cut, output_of, process::Camera, sample, wait_for},
};

/// The certificate is looked at each 30 s.
const RENEWED_WITHIN: Duration = Duration::from_secs(60);
/// So long somebody tries to take connections over.
const TRIES: Duration = Duration::from_secs(12);

/// The fingerprint of what listens at `port`, as openssl says it.
fn fingerprint(port: u16) -> String {
    let script = format!(
        "openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
    );
    let said = output_of(Command::new("sh").args(["-c", &script]));
    said.trim().rsplit('=').next().unwrap().to_owned()
}

fn certificate(dir: &Path) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(dir.join("own.pem"), made.cert.pem()).unwrap();
    fs::write(dir.join("own.key"), made.signing_key.serialize_pem()).unwrap();
}

#[test]
fn a_broker_that_hangs_or_cannot_be_reached_is_started_again() {
    let hub = Hub::new();
    let mut running = hub.start();
    let heard = |times: usize| {
        wait_for("the hub's ear", Duration::from_secs(90), || {
            let log = running.log();
            (log.matches("the hub listens to its broker").count() >= times).then_some(())
        });
        let mut said = hub.mosquitto("mosquitto_pub", SITES[0]);
        said.args(["-t", &format!("lares/{}/status", SITES[0]), "-m", "online"]);
        assert!(said.status().unwrap().success());
    };
    heard(1);
    let first = Hub::broker_of(&running);
    let stopped = Command::new("kill")
        .args(["-STOP", &first.to_string()])
        .status();
    assert!(stopped.unwrap().success());
    heard(2);
    let second = Hub::broker_of(&running);
    assert_ne!(first, second);
    // Those that are connected notice nothing, but nobody else gets in.
    fs::remove_file(hub.files().join("broker/socket")).unwrap();
    heard(3);
    assert_ne!(second, Hub::broker_of(&running));
    let told = running.log().matches("runs and does not answer").count();
    assert_eq!(told, 2, "{}", running.log());
    running.terminate(STOPS);
}

#[test]
fn a_box_is_heard_over_tls_and_no_key_takes_its_connection_over() {
    let hub = Hub::with_broker_at("0.0.0.0", "");
    let mut running = hub.start();
    let homes = tempfile::tempdir().unwrap();
    let video = homes.path().join("visit.mp4");
    cut(&sample("visits.mp4"), 8, 12, &video);
    let cameras = Camera::start(PASSWORD, &[&video]);
    let site = SITES[0];
    let (_, own) = hub.keys(site);
    assert!(own.contains("url = \"mqtts://"), "{own}");
    assert!(own.contains("ca_file = \"hub.pem\""), "{own}");
    let mut one = run_box(&hub, site, &homes.path().join(site), &cameras.urls[0]);
    let online = || hub.json("/api/house")["sites"][0]["online"] == true;
    wait_for("the box, over TLS", Duration::from_secs(30), || {
        online().then_some(())
    });
    // What is shown is what is there.
    let shown = fingerprint(hub.broker);
    assert!(hub.check().contains(&shown), "{shown}: {}", hub.check());

    // Another site's key comes with the ids of the box, of the hub, and with the whole of what the broker knows them by.
    let client = fs::read_to_string(hub.files().join("keys/client")).unwrap();
    let client = format!("lares-hub-{}", &client[..16]);
    let connected = one.log().matches("connected to the broker").count();
    let listens = running
        .log()
        .matches("the hub listens to its broker")
        .count();
    let until = Instant::now() + TRIES;
    let mut tries = 0;
    while Instant::now() < until {
        for id in [
            format!("lares-{site}"),
            format!("{site}/lares-{site}"),
            client.clone(),
            format!("_hub/{client}"),
        ] {
            let mut thief = hub.mosquitto("mosquitto_sub", SITES[1]);
            thief.args(["-i", &id, "-t", "x", "-W", "1"]);
            let said = thief.output().unwrap();
            let said = String::from_utf8_lossy(&said.stderr);
            assert!(
                said.contains("Timed out"),
                "its own connection is a good one: {said}"
            );
            tries += 1;
        }
        assert!(online());
    }
    assert!(tries >= 8);
    assert_eq!(
        one.log().matches("connected to the broker").count(),
        connected,
        "{}",
        one.log()
    );
    assert_eq!(
        running
            .log()
            .matches("the hub listens to its broker")
            .count(),
        listens
    );
    one.terminate(STOPS);
    running.terminate(STOPS);
}

#[test]
fn a_renewed_certificate_is_shown_by_page_and_broker_and_connections_stay() {
    let files = tempfile::tempdir().unwrap();
    certificate(files.path());
    let named = |name| files.path().join(name).display().to_string();
    let hub = Hub::with_broker_at(
        "0.0.0.0",
        &format!(
            "certificate = \"{}\"\nprivate_key = \"{}\"",
            named("own.pem"),
            named("own.key")
        ),
    );
    let mut running = hub.start();
    wait_for("the broker", Duration::from_secs(20), || {
        TcpStream::connect(("127.0.0.1", hub.broker)).ok()
    });
    let before = fingerprint(hub.broker);
    assert!(hub.check().contains(&before), "{before}: {}", hub.check());
    let (_, own) = hub.keys(SITES[0]);
    assert!(
        !own.contains("ca_file"),
        "an authority has signed it: {own}"
    );
    certificate(files.path());
    wait_for("the renewed one", RENEWED_WITHIN, || {
        let now = fingerprint(hub.broker);
        (now != before && hub.check().contains(&now)).then_some(())
    });
    running.terminate(STOPS);
}
