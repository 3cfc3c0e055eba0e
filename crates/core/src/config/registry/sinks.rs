//! The keys of `[mqtt]`, `[webhook]`, `[ntfy]` and `[upload]`.

use super::{Key, Kind, Occurs, SectionKeys};

pub(super) const SECTIONS: &[&SectionKeys] = &[&MQTT, &WEBHOOK, &NTFY, &UPLOAD];

const HTTP: Kind = Kind::Url(&["https", "http"]);
const LANGUAGE: Kind = Kind::Choice(&["en", "fr"]);

const fn authorities() -> Key {
    Key::new(
        "ca_file",
        Kind::Path,
        "Certificates to trust beside the system's.",
    )
    .range("PEM file")
    .example("\"/etc/lares/ca.pem\"")
}

static MQTT: SectionKeys = SectionKeys {
    path: "mqtt",
    was: None,
    occurs: Occurs::Optional,
    about: "The broker that gets the alerts. Without `[mqtt]`, `[webhook]` and `[ntfy]` they stay in the outbox.",
    keys: &[
        Key::new(
            "url",
            Kind::Url(&["mqtt", "mqtts"]),
            "An MQTT 5 broker; `mqtts` is TLS.",
        )
        .required()
        .range("`mqtt://HOST:1883`, `mqtts://HOST:8883`")
        .example("\"mqtt://192.168.1.2:1883\""),
        Key::new("user", Kind::Text, "Login.").example("\"lares\""),
        Key::new("password", Kind::Secret, "Its password.").example("\"/etc/lares/mqtt.password\""),
        authorities(),
        Key::new(
            "client_cert",
            Kind::Path,
            "This box's certificate, for a broker that asks for one; with `mqtts` only.",
        )
        .range("PEM file, with `client_key_file`")
        .example("\"/etc/lares/box.pem\""),
        Key::new("client_key_file", Kind::Path, "Its private key.")
            .range("PEM file")
            .example("\"/etc/lares/box.key\""),
        Key::new(
            "keep_alive",
            Kind::Duration("5 s", "1 h"),
            "How soon broker and box notice that the other is gone.",
        )
        .default("\"120 s\""),
        Key::new(
            "health_interval",
            Kind::Duration("10 s", "1 d"),
            "The health report is sent at least this often, with the time by which the next one comes: a receiver that \
             misses it knows that the box is in trouble.",
        )
        .default("\"1 h\"")
        .was("health_every"),
        Key::new(
            "discovery",
            Kind::Flag,
            "Announce the entities to Home Assistant, which sets them up by itself ([home-assistant.md](home-assistant.md)); \
             `false` withdraws them.",
        )
        .default("true"),
        Key::new(
            "discovery_prefix",
            Kind::Text,
            "The topic below which Home Assistant looks for them; the same as in its MQTT options.",
        )
        .default("\"homeassistant\"")
        .range("a topic"),
        Key::new("discovery_language", LANGUAGE, "Language of the entities' names.").default("\"en\""),
    ],
};

static WEBHOOK: SectionKeys = SectionKeys {
    path: "webhook",
    was: None,
    occurs: Occurs::Optional,
    about: "An address that gets each alert as a signed POST.",
    keys: &[
        Key::new(
            "url",
            HTTP,
            "Where alerts are posted. The path may hold a token: log, ledger and pages show the host only.",
        )
        .required()
        .range("`https://HOST/PATH`, `http://` at home")
        .example("\"https://nas.example.net/lares\""),
        Key::new(
            "secret",
            Kind::Secret,
            "What the signature is made with (`openssl rand -hex 32`); the receiver has the same. The bytes of the file \
             without line ends are the key.",
        )
        .required()
        .range("one of the two, 16 characters or more")
        .example("\"/etc/lares/webhook.secret\""),
        authorities(),
    ],
};

static NTFY: SectionKeys = SectionKeys {
    path: "ntfy",
    was: None,
    occurs: Occurs::Optional,
    about: "A topic of ntfy, which shows alerts on phones.",
    keys: &[
        Key::new(
            "url",
            HTTP,
            "Server and topic. Anybody who knows the topic can read it, so it is shown nowhere: choose a long one, or a \
             server with logins.",
        )
        .required()
        .range("`https://ntfy.sh/TOPIC`")
        .example("\"https://ntfy.sh/TOPIC\""),
        Key::new("token", Kind::Secret, "Access token.").example("\"/etc/lares/ntfy.token\""),
        Key::new("user", Kind::Text, "Login, where there is no token.").example("\"lares\""),
        Key::new("password", Kind::Secret, "Its password.").example("\"/etc/lares/ntfy.password\""),
        Key::new("language", LANGUAGE, "Language of the messages.").default("\"en\""),
        Key::new(
            "when",
            Kind::Words(&["began", "updated", "ended"]),
            "What is worth a message; the end of an incident is told once.",
        )
        .default("[\"began\"]"),
        Key::new(
            "priority",
            Kind::Whole(1, 5),
            "Priority of the message that somebody came; others have 2 at most, which makes no sound.",
        )
        .default("4"),
        Key::new("tags", Kind::Words(&[]), "Further tags beside the one for what came.")
            .default("[]")
            .example("[\"house\"]"),
        Key::new(
            "click",
            HTTP,
            "What a tap on the message opens: the address of the hub's page, on which the incident itself is opened \
             (`#/incident/ID` is added, unless there is a `#` already).",
        )
        .example("\"https://nas.example.net/\""),
        authorities(),
    ],
};

static UPLOAD: SectionKeys = SectionKeys {
    path: "upload",
    was: None,
    occurs: Occurs::Optional,
    about: "Where clips and images go. Without it they stay on this box.",
    keys: &[
        Key::new(
            "url",
            Kind::Url(&["s3", "webdav", "webdavs", "file"]),
            "A bucket, a WebDAV server, or a folder of a disk or NAS. A folder must exist, also on a WebDAV server: a NAS \
             that is not mounted is waited for.",
        )
        .required()
        .range("`s3://BUCKET/PREFIX`, `webdavs://HOST/FOLDER`, `webdav://HOST/FOLDER`, `file:///FOLDER`")
        .example("\"s3://bucket/prefix\""),
        Key::new("endpoint", HTTP, "Address of another S3.")
            .otherwise("Amazon's")
            .example("\"https://s3.example.net\""),
        Key::new("region", Kind::Text, "S3 region.").default("\"us-east-1\""),
        Key::new("access_key", Kind::Text, "Goes with the secret key.").example("\"lares\""),
        Key::new("secret_key", Kind::Secret, "S3 secret key.").example("\"/etc/lares/s3.secret\""),
        Key::new(
            "user",
            Kind::Text,
            "Login of a WebDAV server, by HTTP Basic: with `webdav://` anybody on the way can read it.",
        )
        .example("\"lares\""),
        Key::new("password", Kind::Secret, "Its password.").example("\"/etc/lares/webdav.password\""),
        authorities(),
    ],
};
