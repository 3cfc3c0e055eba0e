//! What Home Assistant is told, by the real program over Debian's mosquitto: right by Home Assistant's documentation, told again
//! when it starts, and taken back when it is no longer true.

use std::{fs, process::Command, thread::sleep, time::Duration};

use lares::testing::broker::{Broker, Demands};
use serde_json::{Value, json};

use crate::support::{
    home::{GRACE, Home},
    mqtt::{Login, Message, Subscriber, publish, topic},
    root, wait_for,
};

/// A busy machine has done it by then.
const SOON: Duration = Duration::from_secs(30);
const BIRTH: &str = "homeassistant/status";
/// What the box may do.
const RIGHTS: [&str; 3] = [
    "topic readwrite lares/home/#",
    "topic write homeassistant/device/home/#",
    "topic read homeassistant/status",
];

fn login(user: &str) -> Login {
    Login {
        user: user.to_owned(),
        password: format!("{user}-pass-4711"),
    }
}

fn config_of(object: &str) -> String {
    format!("homeassistant/device/home/{object}/config")
}

/// A box whose cameras do not answer, and a Home Assistant, at a broker that lets each do what it must.
struct House {
    home: Home,
    broker: Broker,
}

impl House {
    fn new(rights: &[&str]) -> Self {
        let home = Home::new();
        let [lares, reader] = ["lares", "homeassistant"].map(login);
        home.secret("mqtt.password", &lares.password);
        let mut access = vec!["user lares".to_owned()];
        access.extend(rights.iter().map(|&right| right.to_owned()));
        access.extend(["user homeassistant", "topic readwrite #"].map(str::to_owned));
        let broker = Broker::start(&Demands {
            login: Some((lares.user, lares.password)),
            others: vec![(reader.user, reader.password)],
            access,
            ..Demands::default()
        });
        Self {
            home,
            broker: broker.unwrap(),
        }
    }

    fn configure(&self, cameras: &[(&str, &str)], mqtt: &str) {
        let cameras: String = cameras
            .iter()
            .map(|(id, name)| {
                format!("[[cameras]]\nid = \"{id}\"\nname = \"{name}\"\nurl = \"rtsp://127.0.0.1:1/\"\n\n")
            })
            .collect();
        self.home.configure(&format!(
            "{cameras}[mqtt]\nurl = \"{}\"\nuser = \"lares\"\npassword_file = \"mqtt.password\"\n{mqtt}\n\
             [data_plan]\nper_month = \"2 GB\"\n",
            self.broker.url()
        ));
    }

    /// A Home Assistant that listens from now on; `name` is its folder.
    fn listen(&self, name: &str) -> Subscriber {
        let folder = self.home.path(name);
        fs::create_dir(&folder).unwrap();
        Subscriber::start(&self.broker, &login("homeassistant"), &folder)
    }

    fn say(&self, topic: &str, payload: &str) {
        publish(
            &self.broker,
            &login("homeassistant"),
            &["-q", "1"],
            topic,
            payload,
        );
    }
}

/// Gives messages to the validator, which knows Home Assistant's documentation and nothing of Lares.
fn validate(home: &Home, messages: &[(String, String)]) -> String {
    let lines: String = messages
        .iter()
        .map(|(topic, payload)| json!({ "topic": topic, "payload": payload }).to_string() + "\n")
        .collect();
    let file = home.path("messages.jsonl");
    fs::write(&file, lines).unwrap();
    let output = Command::new(root().join(".venv/bin/python"))
        .args(["-m", "discovery"])
        .arg(file)
        .env("PYTHONPATH", root().join("tests"))
        .output()
        .unwrap();
    let [said, errors] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{said}{errors}");
    said
}

fn texts(messages: &[Message]) -> Vec<(String, String)> {
    let plain = messages.iter().filter(|m| !m.topic.ends_with("/snapshot"));
    plain.map(|m| (m.topic.clone(), m.text())).collect()
}

/// The examples of the documentation: a report and an alert.
fn documented() -> Vec<(String, String)> {
    let guide = fs::read_to_string(root().join("docs/contracts.md")).unwrap();
    let example = |begin: &str| {
        let line = guide.lines().find(|line| line.starts_with(begin));
        line.unwrap_or_else(|| panic!("no example {begin} in docs/contracts.md"))
            .to_owned()
    };
    vec![
        (topic("health"), example("{\"v\":1,\"site\"")),
        (topic("door/incident"), example("{\"v\":1,\"n\":812")),
    ]
}

#[test]
fn home_assistant_is_told_what_there_is_and_again_when_it_starts() {
    let house = House::new(&RIGHTS);
    house.configure(&[("door", "Front door"), ("9-attic", "Attic")], "");
    let messages = house.listen("first");
    let mut agent = house.home.run();
    let all = ["_box", "door", "9-attic"].map(config_of);
    let came = |topic: &String| messages.texts(topic).len();
    wait_for("what there is", SOON, || {
        all.iter().all(|topic| came(topic) == 1).then_some(())
    });
    let order: Vec<_> = messages
        .messages()
        .iter()
        .filter(|m| m.topic.ends_with("/config"))
        .map(|m| m.topic.clone())
        .collect();
    assert_eq!(order, all, "cameras hang on the box: it comes first");

    // Home Assistant does with the switch what the document says.
    let document: Value = serde_json::from_str(&messages.texts(&all[1])[0]).unwrap();
    let switch = &document["components"]["armed"];
    let [command, state, off, is_off] =
        ["command_topic", "state_topic", "payload_off", "payload_off"]
            .map(|key| switch[key].as_str().unwrap());
    wait_for("the subscription", SOON, || {
        house.say(command, off);
        (messages.texts(state).last().map(String::as_str) == Some(is_off)).then_some(())
    });
    messages.newest(&topic("door/status"), "suspended", SOON);
    wait_for("a report", SOON, || {
        (!messages.texts(&topic("health")).is_empty()).then_some(())
    });
    let mut said = texts(&messages.messages());
    said.extend(documented());
    let verdict = validate(&house.home, &said);
    assert!(
        verdict.starts_with("ok: 3 devices, 23 entities, "),
        "{verdict}"
    );

    // It starts anew: what it missed is kept for it, and comes once more.
    let late = house.listen("late");
    let kept = late.messages();
    for topic in &all {
        let kept: Vec<_> = kept.iter().filter(|m| m.topic == *topic).collect();
        assert_eq!(kept.len(), 1, "{topic}");
        assert!(kept[0].retained);
    }
    house.say(BIRTH, "offline");
    house.say(BIRTH, "online");
    wait_for("the answer", SOON, || {
        all.iter().all(|topic| came(topic) == 2).then_some(())
    });
    for _ in 0..5 {
        house.say(BIRTH, "online");
    }
    sleep(Duration::from_secs(4));
    assert!(
        all.iter().all(|topic| came(topic) == 2),
        "a flood of words uses up a data plan"
    );
    assert_eq!(messages.texts(&all[0])[0], messages.texts(&all[0])[1]);
    assert_eq!(agent.terminate(GRACE).code(), Some(0), "{}", agent.log());
    assert!(
        !agent.log().contains(" WARN lares::outbox::sinks::mqtt"),
        "{}",
        agent.log()
    );
}

#[test]
fn what_is_gone_is_taken_back() {
    let house = House::new(&RIGHTS);
    let door = ("door", "Entrée");
    house.configure(&[door, ("attic", "Grenier")], "discovery_language = \"fr\"");
    let messages = house.listen("first");
    let came = |object: &str| messages.texts(&config_of(object)).len();
    let mut agent = house.home.run();
    wait_for("what there is", SOON, || {
        (came("_box") == 1 && came("door") == 1 && came("attic") == 1).then_some(())
    });
    let said = texts(&messages.messages());
    assert!(
        said.iter()
            .any(|(_, text)| text.contains("Dernier incident"))
    );
    let verdict = validate(&house.home, &said);
    assert!(verdict.starts_with("ok: 3 devices, "), "{verdict}");
    assert_eq!(agent.terminate(GRACE).code(), Some(0), "{}", agent.log());

    // A camera less.
    house.configure(&[door], "discovery_language = \"fr\"");
    let mut agent = house.home.run();
    messages.newest(&config_of("attic"), "", SOON);
    wait_for("the others", SOON, || (came("door") == 2).then_some(()));
    let remembered = || {
        let rows = house
            .home
            .query("SELECT value FROM settings WHERE name = 'announced'");
        let topics: Vec<String> = serde_json::from_str(rows[0]["value"].as_str().unwrap()).unwrap();
        // Beside documents, the last values of cameras that are still there.
        let (values, documents): (Vec<_>, Vec<_>) = topics
            .into_iter()
            .partition(|topic| topic.starts_with("lares/"));
        (
            documents,
            values.iter().any(|topic| topic.contains("/attic/")),
        )
    };
    wait_for("the end of it", SOON, || {
        (remembered() == (vec![config_of("_box"), config_of("door")], false)).then_some(())
    });
    assert_eq!(agent.terminate(GRACE).code(), Some(0), "{}", agent.log());

    // Nothing at all any more.
    house.configure(&[door], "discovery = false");
    let mut agent = house.home.run();
    for object in ["_box", "door"] {
        messages.newest(&config_of(object), "", SOON);
    }
    wait_for("the end of it", SOON, || {
        (remembered() == (Vec::new(), false)).then_some(())
    });
    let late = house.listen("late");
    let configs = late.messages().into_iter();
    let configs: Vec<_> = configs.filter(|m| m.topic.ends_with("/config")).collect();
    assert!(configs.is_empty(), "{configs:?}");
    house.say(BIRTH, "online");
    sleep(Duration::from_secs(4));
    assert_eq!(came("attic"), 2, "told, and taken back");
    assert_eq!(
        came("_box"),
        3,
        "told, told at the next start, and taken back"
    );
    assert_eq!(agent.terminate(GRACE).code(), Some(0), "{}", agent.log());
}

#[test]
fn a_user_without_the_right_is_told_once_and_alerts_are_not_held_up() {
    let house = House::new(&["topic readwrite lares/home/#"]);
    house.configure(&[("door", "Front door"), ("attic", "Attic")], "");
    let messages = house.listen("first");
    let mut agent = house.home.run();
    messages.newest(&topic("status"), "online", SOON);
    messages.newest(&topic("attic/status"), "offline", SOON);
    wait_for("a report", SOON, || {
        (!messages.texts(&topic("health")).is_empty()).then_some(())
    });
    let told = |log: &str| {
        log.matches("give mqtt.user the right to write homeassistant/device/home/#, or set mqtt.discovery = false")
            .count()
    };
    wait_for("the advice", SOON, || {
        (told(&agent.log()) == 1).then_some(())
    });
    assert_eq!(agent.terminate(GRACE).code(), Some(0), "{}", agent.log());
    assert_eq!(told(&agent.log()), 1, "{}", agent.log());
    assert!(messages.texts(&config_of("_box")).is_empty());
}
