//! A household among its neighbours: a camera, a broker and a store that each ask for a password of their own.

use std::fs;

use lares::testing::broker::{Broker, Demands};

use super::{
    home::{CAMERA, Home},
    mqtt::{Login, Subscriber, publish},
    process::{Camera, VIEWER},
    store::{ACCESS_KEY, BUCKET, S3},
};

/// The camera's password.
pub(crate) const CAMERA_PASSWORD: &str = "camera-pass-4711";
const MQTT_PASSWORD: &str = "broker-pass-0815";
const S3_SECRET: &str = "store-pass-1234567890";

/// A household with a broker that asks for a password.
pub(crate) struct Neighbourhood {
    pub(crate) home: Home,
    pub(crate) broker: Broker,
    pub(crate) login: Login,
}

impl Neighbourhood {
    pub(crate) fn new() -> Self {
        let home = Home::new();
        home.secret("camera.password", &format!("{CAMERA_PASSWORD}\n"));
        home.secret("mqtt.password", &format!("{MQTT_PASSWORD}\n"));
        home.secret("s3.secret", &format!("{S3_SECRET}\n"));
        let login = Login {
            user: "lares".to_owned(),
            password: MQTT_PASSWORD.to_owned(),
        };
        let broker = Broker::start(&Demands {
            login: Some((login.user.clone(), login.password.clone())),
            ..Demands::default()
        });
        Self {
            home,
            broker: broker.unwrap(),
            login,
        }
    }

    /// Watches `camera`, with clips reaching 3 s back, and uploads as `upload` says.
    pub(crate) fn configure(&self, camera: &Camera, upload: &str) {
        let main = match camera.urls.get(1) {
            Some(url) => format!("main_url = \"{url}\"\n"),
            None => String::new(),
        };
        self.home.configure(&format!(
            "[[cameras]]\nid = \"{CAMERA}\"\nurl = \"{}\"\n{main}user = \"{VIEWER}\"\n\
             password_file = \"camera.password\"\n\n\
             [cameras.clip]\npre_roll = \"3 s\"\npost_roll = \"1 s\"\n\n\
             [mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\nuser = \"{}\"\npassword_file = \"mqtt.password\"\n\n\
             {upload}\n[log]\nlevel = \"debug\"\n",
            camera.urls[0],
            self.broker.port(),
            self.login.user
        ));
    }

    /// Writes down every message from now on.
    pub(crate) fn subscribe(&self) -> Subscriber {
        Subscriber::start(&self.broker, &self.login, &self.home.path(""))
    }

    /// Sends one message.
    pub(crate) fn publish(&self, flags: &[&str], topic: &str, payload: &str) {
        publish(&self.broker, &self.login, flags, topic, payload);
    }
}

/// Uploads to the S3 endpoint.
pub(crate) fn to_s3(s3: &S3) -> String {
    format!(
        "[upload]\nurl = \"s3://{BUCKET}\"\nendpoint = \"{}\"\naccess_key = \"{ACCESS_KEY}\"\nsecret_key_file = \"s3.secret\"\n",
        s3.endpoint()
    )
}

/// Asserts that no password of the run is in the log, in a message, in the list of what waits, or in the agent's files.
pub(crate) fn assert_no_secret(home: &Home, log: &str, messages: &Subscriber) {
    let mut places = vec![("log".to_owned(), log.as_bytes().to_vec())];
    places.push(("outbox ls".to_owned(), home.outbox_ls().into_bytes()));
    places.extend(
        messages
            .messages()
            .into_iter()
            .map(|m| (m.topic.clone(), [m.topic.as_bytes(), &m.payload].concat())),
    );
    for file in home.files() {
        places.push((file.display().to_string(), fs::read(&file).unwrap()));
    }
    for (place, bytes) in places {
        for secret in [CAMERA_PASSWORD, MQTT_PASSWORD, S3_SECRET] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {place}");
        }
    }
}
