//! What the broker keeps for others: it comes one at a time and in order, again only where it may be forgotten, and goes when it is
//! taken back.

use std::collections::BTreeSet;

use super::{
    receivers::mqtt::{Hub, config, connect, is_connected},
    *,
};
use crate::{
    config::MqttConfig,
    testing::{
        broker::{Broker, Demands},
        proxy::{Fault, Proxy},
    },
};

const PREFIX: &str = "homeassistant/device/home/";
const STATUS: &str = "lares/home/status";

fn topic(object: &str) -> String {
    format!("{PREFIX}{object}/config")
}

/// Object ids of what the hub has heard so far.
fn heard(hub: &Hub) -> Vec<String> {
    let object = |topic: &String| topic[PREFIX.len()..].split('/').next().map(str::to_owned);
    let all = hub.below(PREFIX);
    all.iter().filter_map(|(topic, _)| object(topic)).collect()
}

fn online(hub: &Hub) -> usize {
    let all = hub.below(STATUS);
    all.iter().filter(|(_, word)| word == "online").count()
}

fn listening(broker: &Broker) -> Hub {
    let hub = Hub::connect(broker);
    hub.listen("homeassistant/#");
    wait_for("the subscription", || {
        hub.say("homeassistant/ready", "?", false);
        hub.last("homeassistant/ready").is_some()
    });
    hub
}

fn through(proxy: &Proxy) -> MqttConfig {
    let url = format!("mqtt://127.0.0.1:{}", proxy.port());
    MqttConfig::without_login(url.parse().unwrap())
}

#[test]
fn a_broker_that_kept_our_session_is_not_told_again_and_one_that_forgot_is() {
    let mut broker = Broker::start(&Demands::default()).unwrap();
    let proxy = Proxy::start(broker.port()).unwrap();
    let (home, hub) = (Home::new(), listening(&broker));
    let connection = connect(&home, &through(&proxy));
    for object in ["_box", "door", "0-attic"] {
        connection.live.announce(topic(object), "{}".to_owned());
    }
    wait_for("the announcements", || heard(&hub).len() == 3);
    assert_eq!(heard(&hub), ["_box", "door", "0-attic"], "in their order");
    // Its acknowledgement comes after theirs.
    home.outbox().alert(&visit(0.0), None).unwrap();
    wait_for("an acknowledgement", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
    assert_eq!(online(&hub), 1);

    proxy.cut();
    wait_for("another connection", || online(&hub) == 2);
    connection.live.person(&"door".parse().unwrap(), true);
    wait_for("what is new", || {
        hub.last("lares/home/door/person").is_some()
    });
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(heard(&hub).len(), 3, "it still has them");

    hub.say("homeassistant/status", "online", false);
    wait_for("an answer to Home Assistant", || heard(&hub).len() == 6);

    broker.kill();
    wait_for("the broker to be missed", || !is_connected(&connection));
    broker.forget();
    broker.restart().unwrap();
    // Of two with one name only one is let in.
    drop(hub);
    let hub = listening(&broker);
    wait_for("all of them", || {
        heard(&hub).iter().collect::<BTreeSet<_>>().len() == 3
    });
}

#[test]
fn they_come_one_at_a_time_and_one_that_was_not_acknowledged_comes_again() {
    let broker = Broker::start(&Demands::default()).unwrap();
    let proxy = Proxy::start(broker.port()).unwrap();
    let (home, hub) = (Home::new(), listening(&broker));
    let connection = connect(&home, &through(&proxy));
    wait_for("the connection", || is_connected(&connection));
    proxy.set(Fault::SwallowPubAcks);
    for object in ["_box", "door"] {
        connection.live.announce(topic(object), "{}".to_owned());
    }
    wait_for("the first one", || heard(&hub) == ["_box"]);
    home.outbox().alert(&visit(0.0), None).unwrap();
    wait_for("an alert", || !hub.alerts().is_empty());
    assert_eq!(heard(&hub), ["_box"], "it has not been acknowledged");
    proxy.set(Fault::None);
    proxy.cut();
    wait_for("the rest", || heard(&hub) == ["_box", "_box", "door"]);
}

#[test]
fn what_is_taken_back_is_remembered_until_the_broker_has_deleted_it() {
    let broker = Broker::start(&Demands::default()).unwrap();
    let mut home = Home::new();
    let topics = |objects: &[&str]| -> BTreeSet<String> {
        objects.iter().map(|object| topic(object)).collect()
    };
    let both = topics(&["_box", "door"]);
    assert!(home.outbox().will_announce(&both).unwrap().is_empty());
    let connection = connect(&home, &config(&broker));
    for topic in both {
        connection.live.announce(topic, "{}".to_owned());
    }
    let hub = listening(&broker);
    wait_for("both", || heard(&hub).len() == 2);

    home.reopen();
    let one = topics(&["_box"]);
    let gone = home.outbox().will_announce(&one).unwrap();
    assert_eq!(gone, topics(&["door"]));
    assert_eq!(
        home.outbox().will_announce(&one).unwrap(),
        gone,
        "it is still there"
    );
    let connection = connect(&home, &config(&broker));
    connection.live.withdraw(topic("door"));
    wait_for("the deletion", || {
        home.outbox().will_announce(&one).unwrap().is_empty()
    });
    wait_for("the word of it", || {
        hub.last(&topic("door")).as_deref() == Some("")
    });
    drop(hub);
    let late = listening(&broker);
    wait_for("what is left", || heard(&late) == ["_box"]);
}

#[test]
fn a_deletion_that_is_refused_is_tried_again_at_the_next_start() {
    let broker = Broker::start(&Demands {
        access: vec!["topic readwrite lares/#".to_owned()],
        ..Demands::default()
    })
    .unwrap();
    let mut home = Home::new();
    let door = BTreeSet::from([topic("door")]);
    home.outbox().will_announce(&door).unwrap();
    for _ in 0..2 {
        let gone = home.outbox().will_announce(&BTreeSet::new()).unwrap();
        assert_eq!(gone, door);
        let connection = connect(&home, &config(&broker));
        connection.live.withdraw(topic("door"));
        home.outbox().alert(&visit(0.0), None).unwrap();
        wait_for("an answer to what came later", || {
            home.outbox().waiting(Takes::Alerts).unwrap() == 0
        });
        home.reopen();
    }
}
