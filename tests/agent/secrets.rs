//! No output of a run holds a secret: secrets are planted wherever the configuration takes one, right ones and wrong ones,
//! and everything that the agent shows, sends or writes is searched for them, also in the forms that protocols give them.

use std::{fs, path::Path, thread::sleep, time::Duration};

use lares::testing::broker::{Broker, Demands};

use crate::support::{
    home::{CAMERA, GRACE, Home},
    lares,
    media::cut,
    mqtt::{Alert, Login, Subscriber},
    process::{Camera, Process},
    sample,
    store::{ACCESS_KEY, BUCKET, S3, python},
    wait_for,
};

const VISIT: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(20);

// Each holds characters that addresses and JSON write differently.
const CAMERA_USER: &str = "viewer-83f1c";
const CAMERA_PASSWORD: &str = "cam&9f/7+Qx=41c7?";
const MQTT_USER: &str = "broker-user-5d20e";
const MQTT_PASSWORD: &str = "mqtt&11/e+Zk=90ab?";
const S3_SECRET: &str = "store&c3/4+Lm=77fe?0123456789";
const WEBHOOK_SECRET: &str = "hook&d4/5+Mn=88af?01234567";
const WEBHOOK_PATH: &str = "token-7e31c0a9";
const NTFY_TOKEN: &str = "tk_9c27f1d8e5b3";
const NTFY_TOPIC: &str = "topic-5b80d2f7";
const WRONG: [&str; 5] = [
    "wrong&cam/1+a=53d?",
    "wrong&mqtt/2+b=64e?",
    "wrong&s3/3+c=75f?",
    "wrong&hook/4+d=86a?0123456789",
    "tk_wrong5e97b2",
];
const RIGHT: [&str; 5] = [
    CAMERA_PASSWORD,
    MQTT_PASSWORD,
    S3_SECRET,
    WEBHOOK_SECRET,
    NTFY_TOKEN,
];

/// What must be nowhere.
const PLANTED: [&str; 14] = [
    CAMERA_USER,
    CAMERA_PASSWORD,
    MQTT_USER,
    MQTT_PASSWORD,
    S3_SECRET,
    WEBHOOK_SECRET,
    WEBHOOK_PATH,
    NTFY_TOKEN,
    NTFY_TOPIC,
    WRONG[0],
    WRONG[1],
    WRONG[2],
    WRONG[3],
    WRONG[4],
];

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = [0u8; 4];
        bits[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bits);
        for digit in 0..=three.len() {
            text.push(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char);
        }
    }
    text
}

/// `%26` for `&`, and so on.
fn url_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A secret as protocols write it, with what each form is called.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let mut forms = vec![
        ("as it is", secret.to_owned()),
        ("URL-encoded", url_encoded(secret)),
        ("in hexadecimal", hex::encode(secret)),
        ("URL-encoded, small", url_encoded(secret).to_lowercase()),
    ];
    // Inside a longer text base64 looks different at each of three offsets; its outer digits depend on what is beside it.
    for offset in 0..3 {
        let shifted = [&vec![0; offset], secret.as_bytes()].concat();
        let whole = base64(&shifted[..shifted.len() / 3 * 3]);
        forms.push((
            "as base64",
            whole[if offset == 0 { 0 } else { 4 }..].to_owned(),
        ));
    }
    forms
}

/// Everything that the agent showed, with its name.
#[derive(Default)]
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let (name, bytes) = (name.into(), bytes.into());
        assert!(!bytes.is_empty(), "{name} is empty: nothing was searched");
        self.0.push((name, bytes));
    }

    fn leaks(&self) -> Vec<String> {
        let mut leaks = Vec::new();
        for secret in PLANTED {
            for (form, text) in forms(secret) {
                for (name, bytes) in &self.0 {
                    let at = bytes.windows(text.len()).position(|w| w == text.as_bytes());
                    if let Some(at) = at {
                        let around = &bytes[at.saturating_sub(80)..(at + 120).min(bytes.len())];
                        let around = String::from_utf8_lossy(around).into_owned();
                        leaks.push(format!("{secret} is in {name} {form}: {around}"));
                    }
                }
            }
        }
        leaks
    }

    /// What pages, commands and the system show of a running agent.
    fn of_running(&mut self, home: &Home, agent: &Process, phase: &str) {
        for page in ["/healthz", "/metrics"] {
            self.add(format!("{page}, {phase}"), home.get(page).1);
        }
        let (_, why) = home.get("/why");
        self.add(format!("/why, {phase}"), format!("{why}\n"));
        let cmdline = fs::read(format!("/proc/{}/cmdline", agent.id())).unwrap();
        self.add(format!("command line, {phase}"), cmdline);
        let config = home.path("lares.toml");
        for arguments in [
            &["check"][..],
            &["ledger", "show"],
            &["ledger", "export"],
            &["ledger", "export", "--format", "csv"],
            &["ledger", "verify"],
            &["outbox", "ls"],
        ] {
            let mut command = lares();
            command.args(["--log", "trace", arguments[0], "--config"]);
            let output = command.arg(&config).args(&arguments[1..]).output().unwrap();
            let printed = [output.stdout, output.stderr].concat();
            self.add(format!("lares {}, {phase}", arguments.join(" ")), printed);
        }
    }

    fn of_folder(&mut self, folder: &Path, name: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.of_folder(&path, name);
            } else {
                let bytes = fs::read(&path).unwrap();
                self.0.push((format!("{name} {}", path.display()), bytes));
            }
        }
    }
}

/// A receiver of webhooks that is an ntfy server too.
fn receiver(home: &Home) -> (Process, u16) {
    home.secret("right-webhook", WEBHOOK_SECRET);
    home.secret("right-ntfy", NTFY_TOKEN);
    let files = ["right-webhook", "posted", "right-ntfy"].map(|name| home.path(name));
    let log = home.path("receiver.log");
    let receiver = Process::start(python("webhook.py").args(files), &log);
    let port = wait_for("the receiver", SOON, || {
        fs::read_to_string(&log).ok()?.trim().parse().ok()
    });
    (receiver, port)
}

/// One camera has its login in the address, the other in keys of their own.
fn configure(
    home: &Home,
    cameras: &Camera,
    (broker, s3, posted): (&Broker, &S3, u16),
    passwords: [&str; 5],
) {
    home.secret("webhook.secret", passwords[3]);
    home.secret("ntfy.token", passwords[4]);
    // Who is refused is refused by WebDAV too, with the same password.
    let upload = if passwords == RIGHT {
        format!(
            "url = \"s3://{BUCKET}\"\nendpoint = \"{}\"\naccess_key = \"{ACCESS_KEY}\"\nsecret_key_file = \"s3.secret\"",
            s3.endpoint()
        )
    } else {
        format!(
            "url = \"{}/dav\"\nuser = \"{ACCESS_KEY}\"\npassword_file = \"s3.secret\"",
            s3.endpoint().replacen("http", "webdav", 1)
        )
    };
    home.secret("camera.password", passwords[0]);
    home.secret("mqtt.password", passwords[1]);
    home.secret("s3.secret", passwords[2]);
    let login = format!("rtsp://{CAMERA_USER}:{}@", url_encoded(passwords[0]));
    let in_address = cameras.urls[0].replacen("rtsp://", &login, 1);
    home.configure(&format!(
        "[[cameras]]\nid = \"{CAMERA}\"\nurl = \"{in_address}\"\n\
         [cameras.clip]\npre_roll = \"3 s\"\npost_roll = \"1 s\"\n\n\
         [[cameras]]\nid = \"yard\"\nurl = \"{}\"\nuser = \"{CAMERA_USER}\"\npassword_file = \"camera.password\"\n\n\
         [mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\nuser = \"{MQTT_USER}\"\npassword_file = \"mqtt.password\"\n\n\
         [webhook]\nurl = \"http://127.0.0.1:{posted}/{WEBHOOK_PATH}\"\nsecret_file = \"webhook.secret\"\n\n\
         [ntfy]\nurl = \"http://127.0.0.1:{posted}/{NTFY_TOPIC}\"\ntoken_file = \"ntfy.token\"\n\n\
         [upload]\n{upload}\n\n\
         [log]\nlevel = \"trace\"\n",
        cameras.urls[1],
        broker.port(),
    ));
}

#[test]
fn no_output_of_a_run_holds_a_secret() {
    let home = Home::new();
    let login = Login {
        user: MQTT_USER.to_owned(),
        password: MQTT_PASSWORD.to_owned(),
    };
    let broker = Broker::start(&Demands {
        login: Some((login.user.clone(), login.password.clone())),
        ..Demands::default()
    })
    .unwrap();
    let mut s3 = S3::reserve(&home.path(""));
    s3.start();
    let video = home.path("visit.mp4");
    cut(&sample("visits.mp4"), 8, 20, &video);
    let idle = sample("idle.mp4");
    let cameras = Camera::start_for(CAMERA_USER, CAMERA_PASSWORD, &[&video, &idle]);
    let (_receiver, posted) = receiver(&home);
    let messages = Subscriber::start(&broker, &login, &home.path(""));
    let mut outputs = Outputs::default();

    // Everything is refused: errors like to quote.
    configure(&home, &cameras, (&broker, &s3, posted), WRONG);
    let mut agent = home.run();
    let refused = home.health("refusals", |health| {
        let cameras = health["cameras"].as_array().unwrap();
        let sinks = health["sinks"].as_array().unwrap();
        let told =
            |all: &[serde_json::Value]| all.iter().filter(|one| !one["problem"].is_null()).count();
        let broker = sinks[0]["problem"]
            .as_str()
            .is_some_and(|text| text.contains("refuses user"));
        told(cameras) == 2 && broker
    });
    outputs.add("health while refused", refused.to_string());
    outputs.of_running(&home, &agent, "refused");
    assert_eq!(agent.terminate(GRACE).code(), Some(0));

    // Everything is let in, and something happens.
    configure(&home, &cameras, (&broker, &s3, posted), RIGHT);
    let mut agent = home.run();
    messages.alert("complete clip", VISIT, Alert::is_last);
    outputs.of_running(&home, &agent, "let in");
    let checked = outputs
        .0
        .iter()
        .find(|(name, _)| name == "lares check, let in");
    let checked = String::from_utf8_lossy(&checked.unwrap().1).into_owned();
    for line in [
        "ok       webhook: it takes",
        "ok       ntfy: it took",
        "ok       store: ",
    ] {
        assert!(checked.contains(line), "{line}: {checked}");
    }
    home.all_delivered();
    wait_for("health on its topic", SOON, || {
        let topic = crate::support::mqtt::topic("health");
        (!messages.texts(&topic).is_empty()).then_some(())
    });
    assert_eq!(agent.terminate(GRACE).code(), Some(0));
    sleep(Duration::from_millis(500));

    let log = agent.log();
    for level in ["TRACE", "DEBUG", "WARN"] {
        assert!(log.contains(level), "nothing was logged at {level}");
    }
    outputs.add("log", log);
    for message in messages.messages() {
        outputs.add(
            message.topic.clone(),
            [message.topic.into_bytes(), message.payload].concat(),
        );
    }
    let ledger = lares()
        .args(["ledger", "--config"])
        .arg(home.path("lares.toml"))
        .arg("export")
        .output()
        .unwrap();
    let ledger = String::from_utf8(ledger.stdout).unwrap();
    for receiver in ["webhook http://", "ntfy http://", "mqtt://", "s3://"] {
        assert!(ledger.contains(receiver), "nothing left to {receiver}");
    }
    outputs.of_folder(&home.data(), "data folder:");
    let store = home.path("store");
    s3.download(&store);
    outputs.of_folder(&store, "store:");
    let leaks = outputs.leaks();
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    assert!(
        outputs.0.len() > 40,
        "only {} outputs were searched",
        outputs.0.len()
    );
}

#[test]
fn the_search_finds_what_is_planted() {
    let around = |text: String| {
        Outputs(vec![("page".to_owned(), text.into_bytes())])
            .leaks()
            .len()
    };
    assert_eq!(around("nothing".to_owned()), 0);
    assert!(around(format!("a {S3_SECRET} b")) > 0);
    assert!(around(format!("a {} b", url_encoded(MQTT_PASSWORD))) > 0);
    for user in ["", "a", "ab", "abc"] {
        let basic = base64(format!("{user}:{CAMERA_PASSWORD}").as_bytes());
        assert!(
            around(format!("Authorization: Basic {basic}")) > 0,
            "{user}"
        );
    }
}
