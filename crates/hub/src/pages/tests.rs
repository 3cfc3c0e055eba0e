use std::{fs, net::SocketAddr, time::Duration};

use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    base::clock::SystemClock,
    net::server::{self, Limits, Pace, Server},
    wire::IncidentMessage,
};

mod doors;
mod live;
mod marks;
mod recordings;

const PATIENCE: Duration = Duration::from_secs(20);
const ID: &str = "01990000-0000-7000-8000-000000000001";
const OTHER: &str = "01990000-0000-7000-8000-000000000000";
const PASSWORD: &str = "correct horse battery";

/// A camera `slow` whose first picture is there when it is asked for the `n`th time.
fn stills_after(n: usize) -> impl Fn(&CameraId) -> Option<Bytes> {
    let asked = std::sync::atomic::AtomicUsize::new(1);
    move |camera| {
        let asked = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        (camera.as_str() == "slow" && asked >= n).then(|| Bytes::from_static(b"jpeg"))
    }
}

/// A hub's pages on a free port, with one incident whose first segments have arrived.
struct Rig {
    address: SocketAddr,
    page: Page,
    requests: mpsc::Receiver<SetMode>,
    client: Client,
    stop: CancellationToken,
    live: Arc<live::Scripted>,
    dir: tempfile::TempDir,
}

fn place() -> String {
    format!("v1/home/door/2026-02-02/{ID}")
}

fn message(seq: u32) -> IncidentMessage {
    let json = json!({
        "v": 1, "n": 1, "id": ID, "seq": seq, "state": "ended", "end_reason": "left", "site": "home", "camera": "door",
        "label": "person", "start": 1_770_000_000_000i64, "end": 1_770_000_008_500i64, "sent": 1_770_000_009_000i64,
        "clock": "good", "score": 0.9, "tracks": 1, "mode": "armed", "thumbnail": format!("{}/thumb.jpg", place()),
        "clip": {"key": format!("{}/sub/index.m3u8", place()), "state": "first", "segments": 2, "bytes": 12},
    });
    serde_json::from_value(json).unwrap()
}

fn fill(store: &std::path::Path) {
    let folder = store.join(place());
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("thumb.jpg"), b"a picture").unwrap();
    fs::write(folder.join("sub/init-1.mp4"), b"....avc1").unwrap();
    fs::write(folder.join("sub/00001.m4s"), b"one,").unwrap();
    fs::write(folder.join("sub/00002.m4s"), b"two").unwrap();
    fs::write(folder.join("sub/init-2.mp4"), b"another size").unwrap();
    fs::write(folder.join("sub/00003.m4s"), b"three").unwrap();
    let playlist = "#EXTM3U\n#EXT-X-MAP:URI=\"init-1.mp4\"\n#EXTINF:2.0,\n00001.m4s\n#EXTINF:2.0,\n00002.m4s\n\
        #EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-2.mp4\"\n#EXTINF:2.0,\n00003.m4s\n";
    fs::write(folder.join("sub/index.m3u8"), playlist).unwrap();
}

impl Rig {
    /// `open`: everybody is an owner while there is no account.
    async fn start(open: bool) -> (Self, impl Future<Output = ()>) {
        Self::start_with(open, |_| {}).await
    }

    /// The same with something changed.
    async fn start_with(
        open: bool,
        change: impl FnOnce(&mut Page),
    ) -> (Self, impl Future<Output = ()>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        fill(&store);
        let (sender, requests) = mpsc::channel(8);
        let site: crate::flow::SiteId = "home".parse().unwrap();
        let stop = CancellationToken::new();
        let tasks = Tasks::new(tokio::runtime::Handle::current(), stop.clone());
        let clock = SystemClock::start();
        let marks = Marks::load(&dir.path().join("marks")).unwrap();
        let zone = jiff::tz::TimeZone::UTC;
        let index = Index::closed(dir.path(), zone, clock.clone(), marks.clone());
        index.begin().unwrap();
        let accounts = Accounts::open(dir.path(), open, clock.clone(), &tasks).unwrap();
        let folder = Arc::new(OnceLock::new());
        let _ = folder.set(Folder::open(&store).unwrap());
        let live = Arc::new(live::Scripted::default());
        let mut page = Page {
            index: Arc::new(index),
            marks,
            folder,
            home: None,
            quota: 1000,
            shelf: Shelf::folder(&store).unwrap(),
            house: House::new([site.clone()], Some(site), "UTC".to_owned()),
            accounts,
            requests: sender,
            clock,
            stills: Arc::new(stills_after(3)),
            live: Some(live.clone()),
            recordings: Some(Recordings::new(Arc::new(recordings::Scripted::new(
                dir.path(),
            )))),
            viewers: Viewers::default(),
            modes: None,
            areas: None,
            tasks: tasks.clone(),
            names: Names::new(&["lares.example".to_owned()]),
            off_loopback: false,
            small: Small::start(&tasks).unwrap(),
            opened: Arc::default(),
        };
        change(&mut page);
        page.index.take(&message(3)).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pace = Pace {
            patience: Duration::from_secs(5),
            per_second: 1000,
            most: 1_000_000,
        };
        let limits = Limits::new(16, 16, Duration::from_secs(20), pace);
        let server = Server {
            proxies: server::proxy::Proxies::new(&["127.0.0.7/32".parse().unwrap()]),
            ..Server::plain("page", limits)
        };
        let server = server::serve(server, listener, router(page.clone()), tasks);
        let rig = Self {
            address,
            page,
            requests,
            client: Client::builder().timeout(PATIENCE).build().unwrap(),
            stop,
            live,
            dir,
        };
        (rig, server)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        read(answer).await
    }

    async fn csrf(&self) -> String {
        self.json("/api/session").await["csrf"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

async fn read(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

fn body(request: RequestBuilder, value: &Value) -> RequestBuilder {
    request
        .header(header::CONTENT_TYPE, "application/json")
        .body(value.to_string())
}

/// Runs `client` beside a hub; both must end.
async fn with_hub<F: Future<Output = ()>>(open: bool, client: impl FnOnce(Rig) -> F) {
    with_changed_hub(open, |_| {}, client).await;
}

/// The same with something changed.
async fn with_changed_hub<F: Future<Output = ()>>(
    open: bool,
    change: impl FnOnce(&mut Page),
    client: impl FnOnce(Rig) -> F,
) {
    let (rig, server) = Rig::start_with(open, change).await;
    let stop = rig.stop.clone();
    let asked = async {
        client(rig).await;
        stop.cancel();
    };
    let both = async { tokio::join!(server, asked) };
    timeout(PATIENCE * 2, both).await.expect("both have ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_picture_of_now_is_waited_for() {
    with_hub(true, |rig| async move {
        let still = async |camera: &str| {
            let path = format!("/api/cameras/home/{camera}/still.jpg");
            rig.get(&path).send().await.unwrap()
        };
        let first = still("slow").await;
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.bytes().await.unwrap(), "jpeg");
        assert_eq!(
            still("dead").await.status(),
            StatusCode::NOT_FOUND,
            "bounded"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_finds_incidents_pictures_and_clips() {
    with_hub(true, |rig| async move {
        let list = rig.json("/api/incidents?day=2026-02-02&camera=door").await;
        let incident = &list["incidents"][0];
        assert_eq!(incident["seconds"], 8.5);
        assert_eq!(incident["clip"]["codec"], "h264");
        assert_eq!(incident["crop"], Value::Null, "it has not arrived");
        assert_eq!(list["next"], Value::Null);
        let picture = rig
            .get(incident["picture"].as_str().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(picture.headers()[header::CONTENT_TYPE], "image/jpeg");
        assert_eq!(picture.bytes().await.unwrap(), "a picture");

        let small = rig.get(incident["small"].as_str().unwrap());
        let small = small.send().await.unwrap();
        let tag = small.headers()[header::ETAG].clone();
        assert_eq!(small.bytes().await.unwrap(), "a picture", "what cannot be read");
        let known = rig.get(incident["small"].as_str().unwrap());
        let known = known.header(header::IF_NONE_MATCH, tag).send().await.unwrap();
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);

        let playlist = incident["clip"]["playlist"].as_str().unwrap();
        let answer = rig.get(playlist).send().await.unwrap();
        let tag = answer.headers()[header::ETAG].clone();
        let unchanged = rig.get(playlist).header(header::IF_NONE_MATCH, tag);
        assert_eq!(
            unchanged.send().await.unwrap().status(),
            StatusCode::NOT_MODIFIED
        );
        let part = rig
            .get(&format!("/media/{}/sub/00001.m4s", place()))
            .header(header::RANGE, "bytes=1-2");
        let part = part.send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 1-2/4");
        assert_eq!(part.bytes().await.unwrap(), "ne");

        let clip = rig
            .get(incident["clip"]["download"].as_str().unwrap())
            .send()
            .await
            .unwrap();
        assert!(
            clip.headers()[header::CONTENT_DISPOSITION]
                .to_str()
                .unwrap()
                .contains("door-")
        );
        assert_eq!(clip.bytes().await.unwrap(), "....avc1one,two");
        assert_eq!(incident["clip"]["parts"], 2);
        let download = incident["clip"]["download"].as_str().unwrap();
        let rest = rig.get(&format!("{download}?part=2")).send().await.unwrap();
        assert_eq!(rest.bytes().await.unwrap(), "another sizethree");
        for none in ["?part=0", "?part=3"] {
            let answer = rig.get(&format!("{download}{none}")).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{none}");
        }
        // Borrowed from the visit before, with a header of its own that holds the same: still one file.
        let before = rig.dir.path().join("store/v1/home/door/2026-02-02").join(OTHER);
        fs::create_dir_all(before.join("sub")).unwrap();
        fs::write(before.join("sub/init-1.mp4"), b"....avc1").unwrap();
        fs::write(before.join("sub/00009.m4s"), b"before,").unwrap();
        let written = rig.dir.path().join("store").join(place());
        let borrowed = format!(
            "#EXTM3U\n#EXT-X-MAP:URI=\"../../{OTHER}/sub/init-1.mp4\"\n#EXTINF:2.0,\n../../{OTHER}/sub/00009.m4s\n\
             #EXT-X-MAP:URI=\"init-1.mp4\"\n#EXTINF:2.0,\n00001.m4s\n"
        );
        fs::write(written.join("sub/index.m3u8"), borrowed).unwrap();
        let clip = rig.get(download).send().await.unwrap();
        assert_eq!(clip.bytes().await.unwrap(), "....avc1before,one,");
        let again = rig.json(&format!("/api/incidents/{ID}")).await;
        assert_eq!(again["incident"]["clip"]["parts"], 1);
        // An empty playlist is none, and no fault of the store.
        fs::write(written.join("sub/index.m3u8"), "").unwrap();
        assert_eq!(
            rig.get(download).send().await.unwrap().status(),
            StatusCode::NOT_FOUND
        );
        let told = rig.json(&format!("/api/incidents/{ID}")).await;
        assert!(told["incident"]["picture"].is_string());

        assert_eq!(rig.json("/api/days").await["days"][0]["incidents"], 1);
        assert_eq!(
            rig.json("/api/incidents?camera=yard").await["incidents"],
            json!([])
        );
        let log = rig.json("/api/log").await;
        assert_eq!(log["entries"][0]["about"], "door");
        let what: Vec<_> = log["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| &line["what"])
            .collect();
        assert_eq!(
            what,
            ["download", "download", "download", "clip"],
            "two looks at the playlist are one"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_an_object_of_ours_is_not_there() {
    with_hub(true, |rig| async move {
        fs::write(rig.dir.path().join("secret"), "not for the page").unwrap();
        // Clients make "/secret" of these, which is a place of the page.
        let up = format!("/media/{}/../../../../../../secret", place());
        for path in ["/media/../secret", "/media/%2e%2e/secret", &up] {
            let answer = rig.get(path).send().await.unwrap();
            assert!(!answer.text().await.unwrap().contains("not for the page"));
        }
        for path in [
            "/media/..%2fsecret".to_owned(),
            "/media//etc/passwd".to_owned(),
            format!("/media/{}/sub", place()),
            format!("/media/{}/sub/00009.m4s", place()),
            "/media/.incoming/0".to_owned(),
            "/api/incidents/01990000-0000-7000-8000-000000000009".to_owned(),
            "/api/incidents/nonsense".to_owned(),
            "/api/nonsense".to_owned(),
            "/api/cameras/home/door/still.jpg".to_owned(),
            "/nonsense.js".to_owned(),
        ] {
            let answer = rig.get(&path).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
        for path in [
            "/api/incidents?day=tomorrow",
            "/api/incidents?before=x",
            "/api/incidents?site=A",
        ] {
            let answer = rig.get(path).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{path}");
            assert_eq!(read(answer).await["error"]["code"], "bad-request");
        }
        // What a box says of another one's clip is not shown.
        let mut liar = message(9);
        let foreign = format!("v1/annex/door/2026-02-02/{ID}/sub/index.m3u8");
        liar.clip.key = Some(foreign.clone());
        liar.thumbnail = Some(foreign);
        rig.page.index.take(&liar).unwrap();
        let shown = rig.json(&format!("/api/incidents/{ID}")).await;
        assert_eq!(shown["incident"]["clip"]["playlist"], Value::Null);
        assert_eq!(shown["incident"]["picture"], Value::Null);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_reaches_the_box_and_nobody_elses_page_can_use_it() {
    with_hub(true, |mut rig| async move {
        let (site, door) = ("home".parse().unwrap(), "door".parse().unwrap());
        rig.page.house.word(&site, &door, "mode", "armed");
        let csrf = rig.csrf().await;
        let disarm = json!({"mode": "disarmed"});
        let put = |rig: &Rig| body(rig.client.put(rig.url("/api/mode")), &disarm);
        let forged = [
            put(&rig),
            put(&rig).header("lares-csrf", "guessed"),
            put(&rig)
                .header("lares-csrf", &csrf)
                .header(header::ORIGIN, "http://elsewhere.example"),
            put(&rig)
                .header("lares-csrf", &csrf)
                .header("sec-fetch-site", "cross-site"),
            put(&rig)
                .header("lares-csrf", &csrf)
                .header(header::HOST, "elsewhere.example"),
        ];
        for request in forged {
            let status = request.send().await.unwrap().status();
            assert!(
                status == StatusCode::FORBIDDEN || status == StatusCode::UNAUTHORIZED,
                "{status}"
            );
        }
        assert!(rig.requests.try_recv().is_err());
        let origin = format!("http://{}", rig.address);
        let answer = put(&rig)
            .header("lares-csrf", &csrf)
            .header(header::ORIGIN, origin)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let asked = rig.requests.try_recv().unwrap();
        assert_eq!(
            (asked.site, asked.camera, asked.mode.as_str()),
            (site, door, "disarmed")
        );
        assert_eq!(asked.account.as_deref(), Some("local"));
        let unknown = json!({"mode": "armed", "cameras": [{"site": "home", "camera": "attic"}]});
        let answer =
            body(rig.client.put(rig.url("/api/mode")), &unknown).header("lares-csrf", &csrf);
        assert_eq!(answer.send().await.unwrap().status(), StatusCode::NOT_FOUND);
        let policy =
            rig.get("/").send().await.unwrap().headers()[header::CONTENT_SECURITY_POLICY].clone();
        let policy = policy.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("script-src 'self'"));
        let answer = rig.get("/api/session").send().await.unwrap();
        let policy = &answer.headers()[header::CONTENT_SECURITY_POLICY];
        assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_without_end_or_sense_are_refused() {
    with_hub(true, |rig| async move {
        let long = json!({"name": "x".repeat(200_000), "password": PASSWORD});
        let answer = body(rig.client.post(rig.url("/api/login")), &long)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(read(answer).await["error"]["code"], "too-large");
        for text in ["", "{", "[]", "{\"name\":1}", "\u{0}"] {
            let request = rig
                .client
                .post(rig.url("/api/login"))
                .header(header::CONTENT_TYPE, "application/json");
            let answer = request.body(text).send().await.unwrap();
            assert_eq!(
                read(answer).await["error"]["code"],
                "bad-request",
                "{text:?}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_come_without_asking() {
    with_hub(true, |rig| async move {
        let mut events = rig.get("/api/events").send().await.unwrap();
        assert_eq!(events.headers()[header::CONTENT_TYPE], "text/event-stream");
        rig.page.house.incident(message(4));
        rig.page.house.online(&"home".parse().unwrap(), true);
        let mut heard = String::new();
        while !heard.contains("event: house") || !heard.ends_with("\n\n") {
            let piece = events.chunk().await.unwrap().expect("it goes on");
            heard.push_str(&String::from_utf8_lossy(&piece));
        }
        let incident = heard.split("event: incident\ndata: ").nth(1).unwrap();
        let incident: Value = serde_json::from_str(incident.lines().next().unwrap()).unwrap();
        assert_eq!(
            incident["picture"],
            format!("/media/{}/thumb.jpg?seq=4", place())
        );
    })
    .await;
}
