use bytes::Bytes;
use jiff::tz::TimeZone;
use rumqttc::v5::mqttbytes::v5::Publish;
use serde_json::{Value, json};

use super::*;
use crate::{base::clock::SimClock, flow::WallTime, index::Filter, marks::Marks};

struct Rig {
    listener: Listener,
    client: AsyncClient,
    _events: EventLoop,
    _up: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

fn message(which: u32) -> Value {
    json!({
        "v": 1, "n": which + 1, "id": format!("01990000-0000-7000-8000-{which:012}"), "seq": 1, "state": "ended",
        "end_reason": "left", "site": "home", "camera": "door", "label": "person", "start": 1_770_000_000_000i64,
        "end": 1_770_000_008_500i64, "sent": 1_770_000_009_000i64, "clock": "good", "score": 0.9, "tracks": 1,
        "mode": "armed", "thumbnail": null, "clip": {"key": null, "state": "none", "segments": 0, "bytes": 0},
    })
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = SimClock::new(WallTime(1_780_000_000_000));
        let marks = Marks::load(&dir.path().join("marks")).unwrap();
        let index = Arc::new(Index::closed(
            dir.path(),
            TimeZone::UTC,
            clock.clone(),
            marks,
        ));
        index.begin().unwrap();
        let sites: Vec<SiteId> = ["home", "annex"].map(|id| id.parse().unwrap()).to_vec();
        let options = MqttOptions::new("lares-hub-test", "127.0.0.1", 1);
        let (client, events) = AsyncClient::new(options.clone(), REQUESTS);
        let (up, is_up) = watch::channel(true);
        let listener = Listener::new(Listens {
            options,
            address: "mqtt://127.0.0.1:1".to_owned(),
            up: is_up,
            own: true,
            index,
            house: House::new(sites, None, "UTC".to_owned()),
            clock,
            requests: mpsc::channel(1).1,
            parts: Parts::new(None),
            stop: CancellationToken::new(),
        });
        Self {
            listener,
            client,
            _events: events,
            _up: up,
            _dir: dir,
        }
    }

    fn hear(&mut self, topic: &str, payload: impl Into<Bytes>, retain: bool) -> bool {
        let mut message = Publish::new(topic, QoS::AtLeastOnce, payload.into(), None);
        message.retain = retain;
        self.listener.heard(&self.client, &message)
    }

    fn hear_incident(&mut self, message: &Value) -> bool {
        self.hear("lares/home/door/incident", message.to_string(), false)
    }

    fn listed(&self) -> usize {
        let all = self.listener.with.index.incidents(&Filter::default(), 100);
        all.unwrap().0.len()
    }
}

#[test]
fn what_cannot_be_is_left_out_and_the_rest_is_there() {
    let mut rig = Rig::new();
    rig.hear_incident(&message(0));
    for (field, value) in [
        ("start", json!(9_000_000_000_000_000i64)),
        ("score", json!(7)),
        ("zones", json!(vec!["x".repeat(300)])),
        ("site", json!("annex")),
        ("purpose", json!("x".repeat(200_000))),
    ] {
        let mut bad = message(1);
        bad[field] = value;
        rig.hear_incident(&bad);
    }
    rig.hear("lares/home/door/incident", message(2).to_string(), true);
    rig.hear(
        "lares/stranger/door/incident",
        message(3).to_string(),
        false,
    );
    rig.hear_incident(&message(4));
    assert_eq!(rig.listed(), 2);
    rig.hear("lares/home/door/status", "online", true);
    rig.hear("lares/home/door/status", "x".repeat(5000), true);
    rig.hear("lares/home/door/snapshot", vec![0; 10], false);
    rig.hear("lares/home/door/snapshot", vec![0; 3_000_000], false);
    let (home, door) = ("home".parse().unwrap(), "door".parse().unwrap());
    let picture = rig.listener.with.house.last_picture(&home, &door);
    assert_eq!(picture.unwrap().len(), 10);
}

#[test]
fn a_flood_of_one_site_leaves_a_gap_that_is_asked_for_and_holds_up_no_other() {
    let mut rig = Rig::new();
    let taken = (0..6000).filter(|which| !rig.hear_incident(&message(*which)));
    let taken = taken.count();
    assert!((5000..5100).contains(&taken), "{taken}");
    let mut other = message(9000);
    (other["site"], other["n"]) = (json!("annex"), json!(1));
    assert!(!rig.hear("lares/annex/door/incident", other.to_string(), false));
}

#[test]
fn an_incident_that_could_not_be_written_is_asked_for_also_when_it_was_the_newest() {
    let mut rig = Rig::new();
    let home: SiteId = "home".parse().unwrap();
    rig.listener.caught_up.insert(home.clone());
    rig.listener.with.index.set_aside_for_test();
    assert!(rig.hear_incident(&message(0)));
    assert!(!rig.listener.caught_up.contains(&home));
    rig.listener.with.index.begin().unwrap();
    assert!(!rig.hear_incident(&message(0)));
    assert_eq!(rig.listed(), 1);
}

#[test]
fn a_subscription_that_is_refused_is_a_problem() {
    let rig = Rig::new();
    let ack = |code| SubAck {
        pkid: 1,
        return_codes: vec![SubscribeReasonCode::Success(QoS::AtLeastOnce), code],
        properties: None,
    };
    let parts = rig.listener.with.parts.clone();
    rig.listener
        .subscribed(&ack(SubscribeReasonCode::NotAuthorized));
    assert!(
        parts.problems()[0].contains("lares/SITE/#"),
        "{:?}",
        parts.problems()
    );
    let good = SubscribeReasonCode::Success(QoS::AtMostOnce);
    rig.listener.subscribed(&ack(good));
    assert!(parts.problems().is_empty());
}
