//! Links and brokers that fail in every way there is, between a real broker and us: nothing is lost, and all of it comes in order.

use std::collections::BTreeMap;

use rumqttc::v5::{AsyncClient, Event, MqttOptions, mqttbytes::v5::Packet};

use crate::{
    config::MqttConfig,
    outbox::{
        sinks::HubCommand,
        tests::{
            receivers::mqtt::{Connection, Hub, config, connect, is_connected},
            *,
        },
    },
    testing::{
        broker::{Broker, Demands},
        log,
        proxy::{Fault, Proxy},
    },
};

/// A broker, and the only way to it.
struct Way {
    broker: Broker,
    proxy: Proxy,
}

impl Way {
    fn new() -> Self {
        log::keep();
        let broker = Broker::start(&Demands::default()).unwrap();
        let proxy = Proxy::start(broker.port()).unwrap();
        Self { broker, proxy }
    }

    fn config(&self) -> MqttConfig {
        let url = format!("mqtt://127.0.0.1:{}", self.proxy.port());
        MqttConfig {
            url: url.parse().unwrap(),
            ..config(&self.broker)
        }
    }

    /// Lines of the log about this broker that hold `words`.
    fn told(&self, words: &str) -> usize {
        let port = format!("127.0.0.1:{}", self.proxy.port());
        log::keep().lines_with(&[&port, words]).len()
    }
}

/// A visit with two changes that nobody could take in between.
fn long_visit(outbox: &Outbox, at: f64) -> Incident {
    let incident = visit(at);
    outbox.alert(&incident, None).unwrap();
    outbox.alert(&updated(&incident, 2), None).unwrap();
    outbox.alert(&updated(&incident, 3), None).unwrap();
    outbox.alert(&ended(&incident, at + 5.0), None).unwrap();
    incident
}

/// What the hub heard, without repetitions. A number stands for one alert only, numbers have no gap, and the changes of an
/// incident come in their order.
fn heard(hub: &Hub) -> Vec<(u64, IncidentId, u32)> {
    let mut by_number = BTreeMap::new();
    let mut newest: BTreeMap<IncidentId, u32> = BTreeMap::new();
    for message in hub.alerts() {
        let (n, alert) = (message.n.unwrap(), (message.id, message.seq));
        if let Some(before) = by_number.insert(n, alert) {
            assert_eq!(before, alert, "two alerts have the number {n}");
            continue;
        }
        let before = newest.insert(message.id, message.seq);
        assert!(
            before < Some(message.seq),
            "{before:?} came before {message:?}"
        );
    }
    let numbers: Vec<_> = by_number.keys().copied().collect();
    let expected: Vec<_> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "a number is missing");
    let flat = |(n, (id, seq))| (n, id, seq);
    by_number.into_iter().map(flat).collect()
}

fn wait_until_sent(home: &Home) {
    wait_for("the acknowledgements", || {
        home.outbox().waiting(Takes::Alerts).unwrap() == 0
    });
}

/// That all rows of the outbox have arrived at the hub, and nothing else has.
fn assert_arrived(home: &Home, hub: &Hub) {
    wait_until_sent(home);
    let rows: usize = home
        .outbox()
        .read(|db| Ok(db.query_row("SELECT count(*) FROM alerts", [], |row| row.get(0))?))
        .map(|count: i64| count as usize)
        .unwrap();
    wait_for("every alert", || heard(hub).len() == rows);
}

#[test]
fn a_broker_that_is_away_for_a_whole_visit_hears_of_it_afterwards() {
    let way = Way::new();
    way.proxy.set(Fault::Refuse);
    let (home, hub) = (Home::new(), Hub::connect(&way.broker));
    let connection = connect(&home, &way.config());
    let incident = long_visit(home.outbox(), 0.0);
    wait_for("that it is away", || {
        let problem = connection.sink.problem();
        problem.is_some_and(|problem| problem.contains("cannot be reached"))
    });
    way.proxy.set(Fault::None);
    assert_arrived(&home, &hub);
    let seqs: Vec<_> = heard(&hub)
        .iter()
        .map(|(n, id, seq)| (*n, *id == incident.id, *seq))
        .collect();
    // Of the two updates only the last one was worth sending.
    assert_eq!(seqs, [(1, true, 1), (2, true, 3), (3, true, 4)]);
    assert_eq!(way.told("cannot be reached"), 1);
    assert_eq!(way.told("connected to the broker"), 1);
}

#[test]
fn a_broker_that_dies_between_publish_and_puback_gets_the_same_alerts_again() {
    let mut way = Way::new();
    let (home, hub) = (Home::new(), Hub::connect(&way.broker));
    let connection = connect(&home, &way.config());
    wait_for("the connection", || is_connected(&connection));
    way.proxy.set(Fault::SwallowPubAcks);
    for at in 0..5 {
        home.outbox().alert(&visit(f64::from(at)), None).unwrap();
    }
    wait_for("the first delivery", || hub.alerts().len() == 5);
    assert_eq!(
        home.outbox().waiting(Takes::Alerts).unwrap(),
        5,
        "none is known to have arrived"
    );
    let before = heard(&hub);
    // Both listeners have one name at the broker, which lets only one of them stay.
    drop(hub);
    way.broker.kill();
    home.outbox().alert(&visit(9.0), None).unwrap();
    way.proxy.set(Fault::Refuse);
    way.broker.restart().unwrap();
    let hub_again = Hub::connect(&way.broker);
    way.proxy.set(Fault::None);
    wait_until_sent(&home);
    wait_for("all of them again", || hub_again.alerts().len() >= 6);
    assert_eq!(
        heard(&hub_again)[..5],
        before[..],
        "the same alerts by the same numbers"
    );
}

#[test]
fn a_broker_that_acknowledges_nothing_is_left_and_tried_again() {
    let way = Way::new();
    let (home, hub) = (Home::new(), Hub::connect(&way.broker));
    let mut config = way.config();
    config.keep_alive = Duration::from_secs(5);
    let connection = connect(&home, &config);
    wait_for("the connection", || is_connected(&connection));
    way.proxy.set(Fault::SwallowPubAcks);
    long_visit(home.outbox(), 0.0);
    wait_for("that it was left", || way.told("acknowledges none") == 1);
    way.proxy.set(Fault::None);
    assert_arrived(&home, &hub);
    assert_eq!(way.told("acknowledges none"), 1);
}

#[test]
fn a_link_that_is_slow_torn_and_torn_again_loses_nothing() {
    let way = Way::new();
    let (home, hub) = (Home::new(), Hub::connect(&way.broker));
    way.proxy
        .script([Fault::Mute, Fault::CutAfter(200), Fault::CutAfter(1_500)]);
    way.proxy.set(Fault::Delay(Duration::from_millis(30)));
    let connection = connect(&home, &way.config());
    for at in 0..10 {
        long_visit(home.outbox(), f64::from(at));
    }
    wait_for("a connection", || is_connected(&connection));
    way.proxy.cut();
    long_visit(home.outbox(), 20.0);
    assert_arrived(&home, &hub);
    assert_eq!(way.told("does not answer"), 1);
}

/// Connects as the box itself, as a second one with the same site does, and stays until it is thrown out.
fn take_over(broker: &Broker) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let options = MqttOptions::new("lares-home", "127.0.0.1", broker.port());
        let (_client, mut events) = AsyncClient::new(options, 4);
        let first = tokio::time::timeout(PATIENCE, events.poll()).await.unwrap();
        assert!(
            matches!(first, Ok(Event::Incoming(Packet::ConnAck(_)))),
            "{first:?}"
        );
        while let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, events.poll()).await {}
    });
}

#[test]
fn a_session_that_others_take_over_goes_on_afterwards() {
    let way = Way::new();
    let (home, hub) = (Home::new(), Hub::connect(&way.broker));
    let connection = connect(&home, &way.config());
    for at in 0..2 {
        wait_for("the connection", || is_connected(&connection));
        long_visit(home.outbox(), f64::from(at));
        take_over(&way.broker);
        long_visit(home.outbox(), f64::from(at) + 0.5);
    }
    assert_arrived(&home, &hub);
    assert_eq!(way.told("is a second Lares running"), 1);
}

fn next_command(home: &Home, connection: &mut Connection) -> HubCommand {
    let command = connection.commands.recv();
    home.runtime
        .block_on(async { tokio::time::timeout(PATIENCE, command).await })
        .unwrap()
        .unwrap()
}

#[test]
fn a_broker_that_forgets_what_it_acknowledged_leaves_a_gap_that_is_filled() {
    let mut way = Way::new();
    let home = Home::new();
    let mut connection = connect(&home, &way.config());
    let mut at = 0.0;
    let mut three_more = || {
        for _ in 0..3 {
            at += 1.0;
            home.outbox().alert(&visit(at), None).unwrap();
        }
        wait_until_sent(&home);
    };
    let hub = Hub::connect(&way.broker);
    three_more();
    wait_for("the first three", || hub.alerts().len() == 3);
    drop(hub);
    // Acknowledged by the broker, heard by nobody, and then forgotten.
    three_more();
    way.broker.kill();
    way.broker.forget();
    way.broker.restart().unwrap();
    let hub = Hub::connect(&way.broker);
    three_more();
    wait_for("the last three", || hub.alerts().len() == 3);
    assert_eq!(
        hub.alerts()[0].n,
        Some(7),
        "the hub knows 1 to 3: 4 to 6 are missing"
    );
    wait_for("the connection", || is_connected(&connection));
    let asked = r#"{"command":"resend","from":4,"to":6}"#;
    hub.say("lares/home/command", asked, false);
    let HubCommand::Resend { from, to } = next_command(&home, &mut connection) else {
        panic!("another command");
    };
    assert_eq!(home.outbox().resend(from, to).unwrap(), 3);
    wait_until_sent(&home);
    wait_for("what was missing", || hub.alerts().len() == 6);
    let numbers: Vec<_> = hub.alerts().iter().filter_map(|m| m.n).collect();
    assert_eq!(numbers, [7, 8, 9, 4, 5, 6], "and nothing else again");
}

#[test]
fn whoever_asks_for_history_again_and_again_gets_so_much_of_it() {
    log::keep();
    let home = Home::new();
    home.start(vec![Scripted::willing(Takes::Alerts)]);
    for at in 0..30 {
        home.outbox().alert(&visit(f64::from(at)), None).unwrap();
    }
    wait_until_sent(&home);
    let outbox = home.outbox();
    outbox.resends.take(
        crate::outbox::open::RESENDS_AT_ONCE - 40,
        outbox.clock.now(),
    );
    assert_eq!(outbox.resend(21, Some(25)).unwrap(), 5);
    wait_until_sent(&home);
    assert_eq!(outbox.resend(1, None).unwrap(), 30);
    wait_until_sent(&home);
    assert_eq!(
        outbox.resend(1, None).unwrap(),
        5,
        "what is left of the burst"
    );
    wait_until_sent(&home);
    assert_eq!(outbox.resend(1, None).unwrap(), 0);
    assert_eq!(
        log::keep().lines_with(&["asked for again too often"]).len(),
        2
    );
}

#[test]
fn a_flood_of_commands_fills_neither_log_nor_queue() {
    let way = Way::new();
    let (home, hub) = (Home::new(), Hub::connect(&way.broker));
    let mut connection = connect(&home, &way.config());
    let armed = |hub: &Hub| hub.say("lares/home/door/mode/set", "armed", false);
    wait_for("the subscription", || {
        armed(&hub);
        std::thread::sleep(Duration::from_millis(50));
        connection.commands.try_recv().is_ok()
    });
    // One that is larger than any command is not even sent to us, and the connection lives on.
    hub.say("lares/home/command", &"x".repeat(100_000), false);
    for _ in 0..300 {
        hub.say("lares/home/command", "nonsense", false);
    }
    wait_for("the end of patience", || {
        !log::keep().lines_with(&["too many at once"]).is_empty()
    });
    let not_understood = || log::keep().lines_with(&["was not understood"]).len();
    assert!(not_understood() <= 60, "{} lines", not_understood());
    assert!(is_connected(&connection));
    // Afterwards a command gets through again.
    while connection.commands.try_recv().is_ok() {}
    wait_for("a command", || {
        armed(&hub);
        std::thread::sleep(Duration::from_millis(200));
        connection.commands.try_recv().is_ok()
    });
    assert_eq!(log::keep().lines_with(&["too many at once"]).len(), 1);
    assert_eq!(way.told("connected to the broker"), 1);
}

#[test]
fn a_name_that_nobody_knows_is_told_as_such() {
    let home = Home::new();
    let mut config = MqttConfig::without_login("mqtt://broker.invalid".parse().unwrap());
    let connection = connect(&home, &config);
    home.outbox().alert(&visit(0.0), None).unwrap();
    wait_for("that it has no address", || {
        let problem = connection.sink.problem();
        problem.is_some_and(|problem| {
            problem.ends_with("check the network's DNS and the name in mqtt.url")
        })
    });
    // Once the name is right, what waited leaves.
    let way = Way::new();
    let hub = Hub::connect(&way.broker);
    let mut home = home;
    home.reopen();
    config.url = way.config().url;
    let _connection = connect(&home, &config);
    assert_arrived(&home, &hub);
}
