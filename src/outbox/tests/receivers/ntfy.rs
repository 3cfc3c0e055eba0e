//! Alerts to an ntfy server: a stand-in that holds us to what its documentation says of publishing as JSON.

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};

use crate::{
    config::{NtfyConfig, Secret},
    flow::Language,
    net::pace::Pacer,
    outbox::{sinks::NtfySink, tests::*},
};

const TOPIC: &str = "house-8c1f";
const TOKEN: &str = "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2";

/// What it was sent, and the status with which it refuses the next ones.
#[derive(Default)]
struct Shared {
    published: Vec<Value>,
    refuse: Vec<u16>,
}

struct Server {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

impl Server {
    fn start(home: &Home) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let router = Router::new()
            .route("/", post(publish))
            .with_state(Arc::clone(&shared));
        let bound = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = home.runtime.block_on(bound).unwrap();
        let port = listener.local_addr().unwrap().port();
        #[allow(clippy::disallowed_methods)] // a test's own server, gone with the test's runtime
        home.runtime.spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self { port, shared }
    }

    fn config(&self) -> NtfyConfig {
        NtfyConfig {
            url: format!("http://127.0.0.1:{}/{TOPIC}", self.port)
                .parse()
                .unwrap(),
            token: Some(Secret::new(TOKEN)),
            user: None,
            password: None,
            language: Language::En,
            when: vec![IncidentState::Began],
            priority: 4,
            tags: Vec::new(),
            click: None,
            ca_file: None,
        }
    }

    fn sink(&self, config: &NtfyConfig) -> Arc<NtfySink> {
        let names = [("door".parse().unwrap(), "Front door".to_owned())];
        let sink = NtfySink::new(config, names.into(), &Pacer::new(None)).unwrap();
        Arc::new(sink.impatient(Duration::from_secs(1)))
    }
}

/// POST to the root: topic in the document, answers with the message that was made of it.
async fn publish(
    State(shared): State<Arc<Mutex<Shared>>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let refused = |status: u16, text: &str| {
        let code = StatusCode::from_u16(status).unwrap();
        let answer = json!({ "code": u32::from(status) * 100 + 1, "http": status, "error": text });
        (code, Json(answer))
    };
    let login = headers.get("authorization").map(|v| v.to_str().unwrap());
    // The second is box:pass, as RFC 7617 has it.
    if ![
        Some(&*format!("Bearer {TOKEN}")),
        Some("Basic Ym94OnBhc3M="),
    ]
    .contains(&login)
    {
        return refused(403, "forbidden");
    }
    let mut shared = shared.lock();
    if let Some(status) = shared.refuse.pop() {
        return refused(status, "not this one");
    }
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return refused(400, "invalid request: request body must be valid JSON");
    };
    let sound = message["topic"] == TOPIC
        && message["title"].is_string()
        && message["message"].is_string()
        && message["priority"]
            .as_u64()
            .is_some_and(|p| (1..=5).contains(&p))
        && message["tags"].is_array()
        && message.get("click").is_none_or(Value::is_string);
    if !sound {
        return refused(400, "invalid request");
    }
    shared.published.push(message);
    let id = format!("hwQ2YpKdmg{}", shared.published.len());
    let answer = json!({ "id": id, "time": 1, "event": "message", "topic": TOPIC });
    (StatusCode::OK, Json(answer))
}

fn all_sent(home: &Home) -> bool {
    home.outbox().waiting(Takes::Alerts).unwrap() == 0
}

#[test]
fn a_phone_is_told_that_somebody_came() {
    let home = Home::new();
    let server = Server::start(&home);
    let config = NtfyConfig {
        click: Some("https://nas.example/lares".parse().unwrap()),
        tags: vec!["house".to_owned()],
        ..server.config()
    };
    let sink = server.sink(&config);
    assert_eq!(home.runtime.block_on(sink.probe()), Ok(()));
    home.start(vec![sink]);
    let incident = visit(0.0);
    for change in [&incident, &updated(&incident, 2), &ended(&incident, 5.0)] {
        home.outbox().alert(change, None).unwrap();
    }
    wait_for("the message", || all_sent(&home));
    let published = std::mem::take(&mut server.shared.lock().published);
    assert_eq!(published.len(), 2, "the probe's, and one for the visit");
    assert_eq!(published[0]["priority"], 1);
    let message = &published[1];
    assert_eq!(message["title"], "A person at Front door");
    assert!(message["message"].as_str().unwrap().starts_with("Seen at "));
    assert_eq!(message["tags"], json!(["bust_in_silhouette", "house"]));
    assert_eq!(
        message["click"],
        format!("https://nas.example/lares#/incident/{}", incident.id)
    );
    assert_eq!(message["priority"], 4);
    let record: (String, String, i64) = home
        .outbox()
        .read(|db| {
            let row = "SELECT receipt, recipient, bytes FROM ledger WHERE kind = 'alert'";
            Ok(db.query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
        })
        .unwrap();
    assert_eq!(record.0, "1 hwQ2YpKdmg2");
    assert_eq!(record.1, format!("ntfy http://127.0.0.1:{}/", server.port));
    let sent = serde_json::to_string(message).unwrap().len() as i64;
    assert_eq!(record.2, sent, "what left, not what the broker would get");
}

#[test]
fn it_can_be_told_of_the_end_too_in_french_and_by_password() {
    let home = Home::new();
    let server = Server::start(&home);
    let config = NtfyConfig {
        token: None,
        user: Some("box".to_owned()),
        password: Some(Secret::new("pass")),
        language: Language::Fr,
        when: vec![IncidentState::Began, IncidentState::Ended],
        ..server.config()
    };
    home.start(vec![server.sink(&config)]);
    let incident = visit(0.0);
    home.outbox().alert(&incident, None).unwrap();
    home.outbox().alert(&ended(&incident, 5.0), None).unwrap();
    wait_for("both", || all_sent(&home));
    let published = std::mem::take(&mut server.shared.lock().published);
    let titles: Vec<_> = published
        .iter()
        .map(|m| {
            (
                m["title"].as_str().unwrap(),
                m["priority"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        titles,
        [
            ("Quelqu’un\u{a0}: Front door", 4),
            ("La personne est partie\u{a0}: Front door", 2)
        ]
    );
}

#[test]
fn what_ntfy_refuses_is_waited_for_or_parked() {
    let home = Home::new();
    let server = Server::start(&home);
    let stranger = NtfyConfig {
        token: Some(Secret::new("tk_wrong")),
        ..server.config()
    };
    let refusal = home.runtime.block_on(server.sink(&stranger).probe());
    let text = refusal.unwrap_err();
    assert!(
        text.ends_with("check ntfy.token_file, or ntfy.user and ntfy.password_file"),
        "{text}"
    );
    assert!(
        !text.contains("tk_wrong") && !text.contains(TOPIC),
        "{text}"
    );
    server.shared.lock().refuse = vec![413, 500, 429];
    let sink = server.sink(&server.config());
    home.start(vec![sink]);
    home.outbox().alert(&visit(0.0), None).unwrap();
    let list = || crate::outbox::list(home.dir.path(), &BudgetConfig::default()).unwrap();
    wait_for("the refusal", || list().iter().any(|row| row.parked));
    let row = list().remove(0);
    assert_eq!((row.to.as_str(), row.attempts), ("ntfy", 3));
    assert!(row.problem.unwrap().contains("refuses the message (413"));
    assert_eq!(home.outbox().retry(None).unwrap(), 1);
    wait_for("the message", || all_sent(&home));
    assert_eq!(server.shared.lock().published.len(), 1);
}
