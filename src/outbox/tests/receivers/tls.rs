//! TLS with an authority of one's own, and one sentence for each reason not to trust.

use super::{
    mqtt::{config as broker_config, connect},
    s3::Moto,
};
use crate::{
    config::{MqttConfig, UploadConfig},
    net::pace::Pacer,
    outbox::{
        sinks::{StoreSink, probe_broker},
        tests::*,
    },
    testing::{
        broker::{Broker, Demands},
        certificates::{Authority, Good, Pair},
    },
};

const HERE: &str = "DNS:localhost,IP:127.0.0.1";

/// An authority in a folder of its own.
fn authority() -> (TempDir, Authority) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path()).unwrap();
    (folder, authority)
}

fn refusal(home: &Home, config: &MqttConfig) -> String {
    home.runtime.block_on(probe_broker(config)).unwrap_err()
}

#[test]
fn a_broker_with_a_bad_certificate_is_told_with_its_reason() {
    let home = Home::new();
    let (_folder, authority) = authority();
    let expired = authority.issue("expired", HERE, Good::LongAgo).unwrap();
    let elsewhere = authority
        .issue("elsewhere", "DNS:elsewhere.example", Good::Now)
        .unwrap();
    let unknown = authority.issue("unknown", HERE, Good::Now).unwrap();
    let start = |pair: Pair| {
        let demands = Demands {
            tls: true,
            certificate: Some(pair),
            ..Demands::default()
        };
        Broker::start(&demands).unwrap()
    };
    let trusting = |broker: &Broker| MqttConfig {
        ca_file: Some(authority.certificate()),
        ..broker_config(broker)
    };
    let text = refusal(&home, &trusting(&start(expired)));
    assert!(
        text.contains("could not be trusted: its certificate has expired: renew it there"),
        "{text}"
    );
    let text = refusal(&home, &trusting(&start(elsewhere)));
    assert!(
        text.contains("is for another name: write that name in mqtt.url"),
        "{text}"
    );
    let broker = start(unknown);
    let text = refusal(&home, &broker_config(&broker));
    assert!(
        text.ends_with("name that authority's certificate in mqtt.ca_file"),
        "{text}"
    );
    assert_eq!(
        home.runtime.block_on(probe_broker(&trusting(&broker))),
        Ok(())
    );
    let plain = Broker::start(&Demands::default()).unwrap();
    let mut config = trusting(&plain);
    config.url = format!("mqtts://localhost:{}", plain.port())
        .parse()
        .unwrap();
    let text = refusal(&home, &config);
    assert!(!text.contains('\n') && text.contains("localhost"), "{text}");
}

#[test]
fn a_broker_that_asks_for_a_certificate_gets_ours_and_no_other() {
    let broker = Broker::start(&Demands {
        tls: true,
        client_certificate: true,
        ..Demands::default()
    })
    .unwrap();
    let home = Home::new();
    home.outbox().alert(&visit(0.0), None).unwrap();
    let mut config = MqttConfig {
        ca_file: Some(broker.ca_file()),
        ..broker_config(&broker)
    };
    let wants = "check mqtt.client_cert and mqtt.client_key_file";
    let text = refusal(&home, &config);
    assert!(text.ends_with(wants), "{text}");
    let (_folder, stranger) = authority();
    let mut show = |pair: &Pair| {
        config.client_cert = Some(pair.certificate.clone());
        config.client_key = Some(pair.key.clone());
        config.clone()
    };
    let text = refusal(
        &home,
        &show(&stranger.issue("box", HERE, Good::Now).unwrap()),
    );
    assert!(text.ends_with(wants), "{text}");
    let own = broker.authority().unwrap();
    let ours = own.issue("box", "DNS:box", Good::Now).unwrap();
    let other = own.issue("other", "DNS:other", Good::Now).unwrap();
    let mixed = Pair {
        key: other.key.clone(),
        ..ours.clone()
    };
    let swapped = Pair {
        certificate: ours.key.clone(),
        key: ours.certificate.clone(),
    };
    for unfit in [mixed, swapped] {
        let text = refusal(&home, &show(&unfit));
        assert!(
            text.contains("cannot be used as this box's certificate"),
            "{text}"
        );
        assert!(text.ends_with(wants), "{text}");
    }
    let _connection = connect(&home, &show(&ours));
    wait_for("the alert", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
}

#[test]
fn uploads_go_to_a_store_of_ones_own_authority_and_to_no_other() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let home = Home::new();
    let (_folder, authority) = authority();
    let good = authority.issue("good", "DNS:localhost", Good::Now).unwrap();
    let Some(moto) = Moto::start_with(None, Some(&good)) else {
        return;
    };
    let trusting = |moto: &Moto| UploadConfig {
        ca_file: Some(authority.certificate()),
        ..moto.config("s3://evidence")
    };
    let sink = |config: &UploadConfig| StoreSink::new(config, &Pacer::new(None)).unwrap();
    let refusal = |config: &UploadConfig| home.runtime.block_on(sink(config).probe()).unwrap_err();
    // There is no bucket yet: that it says so means that it was trusted.
    let text = refusal(&trusting(&moto));
    assert!(text.contains("has no bucket"), "{text}");
    let text = refusal(&moto.config("s3://evidence"));
    assert!(
        text.ends_with("name that authority's certificate in upload.ca_file"),
        "{text}"
    );
    let by_number = UploadConfig {
        endpoint: Some(format!("https://127.0.0.1:{}", moto.port).parse().unwrap()),
        ..trusting(&moto)
    };
    let text = refusal(&by_number);
    assert!(
        text.contains("is for another name: write that name in upload.endpoint"),
        "{text}"
    );
    let expired = authority
        .issue("expired", "DNS:localhost", Good::LongAgo)
        .unwrap();
    let old = Moto::start_with(None, Some(&expired)).unwrap();
    let text = refusal(&trusting(&old));
    assert!(text.contains("has expired"), "{text}");

    let ca = std::fs::read(authority.certificate()).unwrap();
    let reader = reqwest::Client::builder()
        .add_root_certificate(reqwest::Certificate::from_pem(&ca).unwrap())
        .build()
        .unwrap();
    let made = home
        .runtime
        .block_on(reader.put(moto.url("evidence")).send())
        .unwrap();
    assert!(made.status().is_success());
    let incident = whole_visit(home.outbox(), 0.0, 2);
    home.start(vec![Arc::new(sink(&trusting(&moto)))]);
    wait_for("everything", || {
        home.outbox().waiting(Takes::Objects).unwrap() == 0
    });
    assert_eq!(
        home.outbox()
            .totals_of(incident.id)
            .unwrap()
            .segments_delivered,
        2
    );
}
