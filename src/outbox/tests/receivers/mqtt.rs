//! Alerts to a real broker: acknowledged, lost and sent again, refused.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rumqttc::v5::{
    AsyncClient, Event, MqttOptions,
    mqttbytes::{QoS, v5::Packet},
};
use tokio::sync::mpsc;

use crate::{
    config::{MqttConfig, Secret},
    flow::{CameraState, SiteId},
    outbox::{
        sinks::{HubCommand, LiveState, MqttSink},
        tests::*,
    },
    testing::broker::{Broker, Demands},
};

#[derive(Debug, Clone, PartialEq)]
pub(in crate::outbox::tests) struct Message {
    topic: String,
    payload: Bytes,
    retain: bool,
}

/// A client of its own that hears and says what it likes.
pub(in crate::outbox::tests) struct Hub {
    client: AsyncClient,
    pub(in crate::outbox::tests) heard: Arc<Mutex<Vec<Message>>>,
    runtime: Runtime,
}

impl Hub {
    pub(in crate::outbox::tests) fn connect(broker: &Broker) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut options = MqttOptions::new("hub", "127.0.0.1", broker.port());
        options.set_max_packet_size(Some(1 << 20));
        options.set_connection_timeout(2);
        let (client, mut events) = AsyncClient::new(options, 64);
        client.try_subscribe("lares/#", QoS::AtLeastOnce).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (record, again) = (Arc::clone(&heard), client.clone());
        let subscribed = Arc::new(tokio::sync::Notify::new());
        let ready = Arc::clone(&subscribed);
        runtime.handle().clone().block_on(async {
            #[allow(clippy::disallowed_methods)] // a test's own client, not the agent's
            tokio::spawn(async move {
                loop {
                    match events.poll().await {
                        Ok(Event::Incoming(Packet::Publish(p))) => record.lock().push(Message {
                            topic: String::from_utf8(p.topic.to_vec()).unwrap(),
                            payload: p.payload,
                            retain: p.retain,
                        }),
                        Ok(Event::Incoming(Packet::SubAck(_))) => ready.notify_one(),
                        Ok(_) => {}
                        Err(_) => {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                            let _ = again.try_subscribe("lares/#", QoS::AtLeastOnce);
                        }
                    }
                }
            });
            tokio::time::timeout(PATIENCE, subscribed.notified())
                .await
                .unwrap();
        });
        Self {
            client,
            heard,
            runtime,
        }
    }

    pub(in crate::outbox::tests) fn say(&self, topic: &str, payload: &str, retain: bool) {
        let (topic, payload) = (topic.to_owned(), payload.to_owned());
        self.runtime
            .block_on(
                self.client
                    .publish(topic, QoS::AtLeastOnce, retain, payload),
            )
            .unwrap();
    }

    /// Hears of these topics too.
    pub(in crate::outbox::tests) fn listen(&self, filter: &str) {
        self.client.try_subscribe(filter, QoS::AtLeastOnce).unwrap();
    }

    /// Topics below `prefix` with what came on them, in the order in which they came.
    pub(in crate::outbox::tests) fn below(&self, prefix: &str) -> Vec<(String, String)> {
        let heard = self.heard.lock();
        let below = heard.iter().filter(|m| m.topic.starts_with(prefix));
        below
            .map(|m| {
                let text = String::from_utf8_lossy(&m.payload).into_owned();
                (m.topic.clone(), text)
            })
            .collect()
    }

    /// Newest payload of a topic.
    pub(in crate::outbox::tests) fn last(&self, topic: &str) -> Option<String> {
        let heard = self.heard.lock();
        let message = heard.iter().rfind(|m| m.topic == topic)?;
        Some(String::from_utf8_lossy(&message.payload).into_owned())
    }

    pub(in crate::outbox::tests) fn alerts(&self) -> Vec<IncidentMessage> {
        self.heard
            .lock()
            .iter()
            .filter(|m| m.topic == "lares/home/door/incident")
            .map(|m| IncidentMessage::from_json(&m.payload).unwrap())
            .collect()
    }
}

pub(in crate::outbox::tests) fn config(broker: &Broker) -> MqttConfig {
    MqttConfig::without_login(broker.url().parse().unwrap())
}

pub(in crate::outbox::tests) struct Connection {
    pub(in crate::outbox::tests) sink: Arc<MqttSink>,
    pub(in crate::outbox::tests) live: LiveState,
    pub(in crate::outbox::tests) commands: mpsc::Receiver<HubCommand>,
}

pub(in crate::outbox::tests) fn connect(home: &Home, config: &MqttConfig) -> Connection {
    let site: SiteId = "home".parse().unwrap();
    let live = LiveState::new(&site);
    let (tx, commands) = mpsc::channel(16);
    let sink = Arc::new(
        MqttSink::start(
            &home.tasks,
            config,
            &home.outbox().broker_context(),
            live.clone(),
            tx,
        )
        .unwrap(),
    );
    home.start(vec![sink.clone()]);
    Connection {
        sink,
        live,
        commands,
    }
}

pub(in crate::outbox::tests) fn is_connected(connection: &Connection) -> bool {
    connection.sink.problem().is_none()
}

#[test]
fn a_puback_marks_an_alert_delivered_and_state_is_retained() {
    let broker = Broker::start(&Demands::default()).unwrap();
    let hub = Hub::connect(&broker);
    let home = Home::new();
    let connection = connect(&home, &config(&broker));
    let door = "door".parse().unwrap();
    connection.live.camera_status(&door, CameraState::Online);
    connection.live.person(&door, true);
    connection.live.mode(&door, Mode::Armed);
    // Larger than the 10 KiB that the client library takes by default.
    connection
        .live
        .snapshot(&door, Bytes::from(vec![7u8; 60_000]));
    for at in 0..40 {
        home.outbox().alert(&visit(f64::from(at)), None).unwrap();
    }
    wait_for("the acknowledgements", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
    wait_for("the alerts", || hub.alerts().len() == 40);
    let numbers: Vec<_> = hub.alerts().iter().map(|m| m.n.unwrap()).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    wait_for("the picture", || {
        let heard = hub.heard.lock();
        heard
            .iter()
            .any(|m| m.topic == "lares/home/door/snapshot" && m.payload.len() == 60_000)
    });
    let late = Hub::connect(&broker);
    for (topic, value) in [
        ("lares/home/status", "online"),
        ("lares/home/door/status", "online"),
        ("lares/home/door/person", "ON"),
        ("lares/home/door/mode", "armed"),
    ] {
        wait_for(topic, || late.last(topic).as_deref() == Some(value));
    }
    assert!(
        late.heard.lock().iter().all(|m| m.retain),
        "alerts and pictures are not retained"
    );
}

#[test]
fn a_broker_that_dies_and_forgets_gets_everything_that_it_did_not_acknowledge() {
    let mut broker = Broker::start(&Demands::default()).unwrap();
    let home = Home::new();
    let connection = connect(&home, &config(&broker));
    let hub = Hub::connect(&broker);
    let mut committed = BTreeMap::new();
    let commit = |at: u32, committed: &mut BTreeMap<IncidentId, u32>| {
        let incident = visit(f64::from(at));
        let seq = home.outbox().alert(&incident, None).unwrap();
        committed.insert(incident.id, seq);
    };
    for at in 0..20 {
        commit(at, &mut committed);
    }
    broker.kill();
    for at in 20..40 {
        commit(at, &mut committed);
    }
    wait_for("the broker to be missed", || !is_connected(&connection));
    broker.forget();
    broker.restart().unwrap();
    // A new one, because its session is forgotten too.
    drop(hub);
    let hub = Hub::connect(&broker);
    for at in 40..50 {
        commit(at, &mut committed);
    }
    wait_for("the acknowledgements", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
    // What was acknowledged before the hub came back is asked for again, as a hub does that restarts.
    hub.say(
        "lares/home/command",
        r#"{"command":"resend","from":1}"#,
        false,
    );
    let mut commands = connection.commands;
    let command = home
        .runtime
        .block_on(async { tokio::time::timeout(PATIENCE, commands.recv()).await })
        .unwrap();
    assert_eq!(command, Some(HubCommand::Resend { from: 1, to: None }));
    assert_eq!(home.outbox().resend(1, None).unwrap(), 50);
    let everything = || {
        let of = |m: &IncidentMessage| (m.n.unwrap(), m.id, m.seq);
        hub.alerts().iter().map(of).collect::<BTreeSet<_>>()
    };
    wait_for("every alert", || everything().len() >= 50);
    let numbers: Vec<_> = everything().iter().map(|(n, ..)| *n).collect();
    assert_eq!(
        numbers,
        (1..=50).collect::<Vec<_>>(),
        "no gap, no number for two alerts"
    );
    let arrived: BTreeMap<_, _> = everything()
        .iter()
        .map(|(_, id, seq)| (*id, *seq))
        .collect();
    assert_eq!(arrived, committed);
}

#[test]
fn a_wrong_password_is_one_sentence_and_no_alert_is_lost() {
    let broker = Broker::start(&Demands {
        login: Some(("box".to_owned(), "right".to_owned())),
        ..Demands::default()
    })
    .unwrap();
    let mut home = Home::new();
    let mut config = config(&broker);
    config.user = Some("box".to_owned());
    config.password = Some(Secret::new("wrong"));
    let connection = connect(&home, &config);
    home.outbox().alert(&visit(0.0), None).unwrap();
    let says = |word: &str| connection.sink.problem().is_some_and(|p| p.contains(word));
    wait_for("the refusal", || {
        says("check mqtt.user and mqtt.password_file")
    });
    assert!(!says("wrong"), "a password in a message");
    assert_eq!(home.outbox().waiting(Takes::Alerts).unwrap(), 1);
    home.reopen();
    config.password = Some(Secret::new("right"));
    let _connection = connect(&home, &config);
    wait_for("the alert", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
}

#[test]
fn a_user_without_the_right_to_publish_is_told_so() {
    let broker = Broker::start(&Demands {
        access: vec!["topic read lares/#".to_owned()],
        ..Demands::default()
    })
    .unwrap();
    let home = Home::new();
    let _connection = connect(&home, &config(&broker));
    home.outbox().alert(&visit(0.0), None).unwrap();
    let listed = || crate::outbox::list(home.dir.path(), &BudgetConfig::default()).unwrap();
    wait_for("the refusal", || {
        listed()[0]
            .problem
            .as_ref()
            .is_some_and(|p| p.contains("the right to write lares/home/#"))
    });
    assert!(!listed()[0].parked);
}

#[test]
fn the_last_will_speaks_for_a_box_that_is_cut_off_and_a_stopped_one_speaks_itself() {
    let broker = Broker::start(&Demands::default()).unwrap();
    let hub = Hub::connect(&broker);
    let mut home = Home::new();
    let status = || hub.last("lares/home/status");
    let connection = connect(&home, &config(&broker));
    wait_for("online", || status().as_deref() == Some("online"));
    home.stop();
    wait_for("offline", || status().as_deref() == Some("offline"));
    drop(connection);
    // Another client with the same id, without a goodbye: the runtime is torn down with the socket open.
    home.outbox = Some(home.open().unwrap());
    let connection = connect(&home, &config(&broker));
    wait_for("online", || status().as_deref() == Some("online"));
    wait_for("the connection", || is_connected(&connection));
    let runtime = std::mem::replace(&mut home.runtime, Runtime::new().unwrap());
    runtime.shutdown_background();
    wait_for("offline", || status().as_deref() == Some("offline"));
}

#[test]
fn retained_commands_are_ignored_and_others_arrive() {
    let broker = Broker::start(&Demands::default()).unwrap();
    let hub = Hub::connect(&broker);
    hub.say("lares/home/door/mode/set", "disarmed", true);
    hub.say(
        "lares/home/command",
        r#"{"command":"resend","from":1}"#,
        true,
    );
    let home = Home::new();
    let mut connection = connect(&home, &config(&broker));
    wait_for("the connection", || is_connected(&connection));
    wait_for("the subscription", || {
        hub.last("lares/home/status").as_deref() == Some("online")
    });
    hub.say("lares/home/door/mode/set", "nonsense", false);
    let mut received = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    // Said again and again, because nobody knows when the broker has taken the subscription in.
    while received.is_empty() && Instant::now() < deadline {
        hub.say("lares/home/door/mode/set", "armed", false);
        std::thread::sleep(Duration::from_millis(50));
        received.extend(std::iter::from_fn(|| connection.commands.try_recv().ok()));
    }
    let expected = HubCommand::SetMode {
        camera: "door".parse().unwrap(),
        mode: Mode::Armed,
        account: None,
    };
    assert!(received.iter().all(|c| *c == expected), "{received:?}");
    assert!(!received.is_empty());
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let broker = Broker::start(&Demands {
        tls: true,
        login: Some(("box".to_owned(), "right".to_owned())),
        ..Demands::default()
    })
    .unwrap();
    let mut home = Home::new();
    home.outbox().alert(&visit(0.0), None).unwrap();
    let mut config = config(&broker);
    config.user = Some("box".to_owned());
    config.password = Some(Secret::new("right"));
    let connection = connect(&home, &config);
    wait_for("mistrust", || {
        connection
            .sink
            .problem()
            .is_some_and(|p| p.contains("could not be trusted"))
    });
    home.reopen();
    config.ca_file = Some(broker.ca_file());
    let _connection = connect(&home, &config);
    wait_for("the alerts", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
}

#[test]
fn a_session_taken_over_is_told() {
    let broker = Broker::start(&Demands::default()).unwrap();
    let (mine, other) = (Home::new(), Home::new());
    let first = connect(&mine, &config(&broker));
    wait_for("the connection", || is_connected(&first));
    let second = connect(&other, &config(&broker));
    wait_for("the end of the session", || {
        [&first, &second].iter().any(|connection| {
            let problem = connection.sink.problem();
            problem.is_some_and(|p| p.contains("is a second Lares running"))
        })
    });
}

#[test]
fn addresses_that_cannot_be_used_say_how_to_write_them() {
    let home = Home::new();
    let site: SiteId = "home".parse().unwrap();
    let refused = ["http://host", "mqtt://", "mqtts:host"].map(|url| {
        let config = MqttConfig::without_login(url.parse().unwrap());
        let (tx, _) = mpsc::channel(1);
        match MqttSink::start(
            &home.tasks,
            &config,
            &home.outbox().broker_context(),
            LiveState::new(&site),
            tx,
        ) {
            Ok(_) => panic!("{url} was taken"),
            Err(error) => error.to_string(),
        }
    });
    assert!(
        refused
            .iter()
            .all(|text| text.contains("write it like mqtt://")),
        "{refused:?}"
    );
}

#[test]
fn the_name_at_the_broker_is_nobodys_guess() {
    let site: SiteId = "home".parse().unwrap();
    let named = |user: &str, password: &str| {
        let mut config = MqttConfig::without_login("mqtt://host".parse().unwrap());
        config.user = Some(user.to_owned());
        config.password = Some(Secret::new(password));
        MqttSink::name_at_broker(&config, &site)
    };
    let own = named("home", "one secret");
    assert!(
        own.starts_with("lares-home-") && own.len() == "lares-home-".len() + 16,
        "{own}"
    );
    assert_eq!(own, named("home", "one secret"), "a second box is noticed");
    assert_ne!(own, named("home", "another"));
    assert_ne!(own, named("annex", "one secret"));
}
