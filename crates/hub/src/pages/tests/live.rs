//! Live pictures over real sockets, of a box that is scripted.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{SinkExt, StreamExt};
use tokio::{net::TcpStream, sync::Notify};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

use super::{doors::Browser, *};
use crate::base::live::{LiveSource, LiveView, Next, NoLive, Standing, Wanted};

type Socket = WebSocketStream<TcpStream>;

/// Cameras `door` and `yard`, whose keyframe is larger than a message; `flood`, which always has more; `quiet`, which has nothing; `hidden` has a mask.
#[derive(Default)]
pub(super) struct Scripted {
    watched: Arc<AtomicUsize>,
}

struct View {
    script: Vec<Next>,
    flood: bool,
    watched: Arc<AtomicUsize>,
}

fn fragment(key: bool, bytes: usize) -> Next {
    Next::Fragment {
        key,
        head: Bytes::from_static(b"head"),
        data: Bytes::from(vec![7; bytes]),
    }
}

impl LiveSource for Scripted {
    fn watch(
        &self,
        camera: &CameraId,
        _: Wanted,
        _: Arc<Notify>,
    ) -> Result<Box<dyn LiveView>, NoLive> {
        let flood = match camera.as_str() {
            "door" | "yard" | "quiet" => false,
            "flood" => true,
            "hidden" => return Err(NoLive::Masked),
            _ => return Err(NoLive::Unknown),
        };
        self.watched.fetch_add(1, Ordering::Relaxed);
        let script = vec![
            Next::CaughtUp,
            fragment(false, 10),
            fragment(true, 40_000),
            Next::Format {
                codecs: "avc1.64001f".into(),
                header: Bytes::from_static(b"header"),
            },
            Next::Standing(Standing::Online),
        ];
        let quiet = camera.as_str() == "quiet";
        Ok(Box::new(View {
            script: if quiet { Vec::new() } else { script },
            flood,
            watched: Arc::clone(&self.watched),
        }))
    }
}

impl LiveView for View {
    fn next(&mut self) -> Next {
        match self.script.pop() {
            Some(next) => next,
            None if self.flood => fragment(true, 60_000),
            None => Next::Nothing,
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.watched.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Opens a socket; the status of the refusal where there is one.
async fn open(
    rig: &Rig,
    path: &str,
    cookies: &str,
    origin: Option<&str>,
) -> Result<Socket, StatusCode> {
    let mut request = format!("ws://{}{path}", rig.address)
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    headers.insert("cookie", cookies.parse().unwrap());
    if let Some(origin) = origin {
        headers.insert("origin", origin.parse().unwrap());
    }
    let stream = TcpStream::connect(rig.address).await.unwrap();
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status().as_u16().try_into().unwrap()),
        Err(error) => panic!("{error}"),
    }
}

/// A socket of our own page, for the page that is open to everybody.
async fn own(rig: &Rig, path: &str) -> Result<Socket, StatusCode> {
    open(rig, path, "", Some(&rig.url(""))).await
}

async fn say(socket: &mut Socket, value: Value) {
    socket.send(value.to_string().into()).await.unwrap();
}

async fn hear(socket: &mut Socket) -> Message {
    let heard = timeout(PATIENCE, socket.next()).await.expect("an answer");
    heard.expect("no end").expect("a message")
}

async fn hear_text(socket: &mut Socket) -> Value {
    let message = hear(socket).await;
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

/// The code by which the hub closes the socket; none where it just ends.
async fn closed(socket: &mut Socket) -> Option<CloseCode> {
    let ended = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    timeout(PATIENCE, ended).await.expect("it ends")
}

fn watching(rig: &Rig) -> Arc<AtomicUsize> {
    Arc::clone(&rig.live.watched)
}

async fn until_watched(rig: &Rig, count: usize) {
    let watched = watching(rig);
    let reached = async {
        while watched.load(Ordering::Relaxed) != count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("that many watch");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_cameras_come_over_one_socket() {
    with_hub(true, |rig| async move {
        let mut socket = own(&rig, "/api/ws").await.unwrap();
        for (channel, src) in [(3, "home/door"), (4, "hidden"), (5, "home/nobody"), (6, "away/door")] {
            say(&mut socket, json!({"type": "watch", "channel": channel, "src": src, "value": "avc1.640029"})).await;
        }
        let (mut texts, mut bytes, mut flags) = (Vec::new(), Vec::new(), Vec::new());
        while texts.len() < 6 {
            match hear(&mut socket).await {
                Message::Binary(message) => {
                    assert_eq!(message[..2], [0, 3]);
                    assert!(message.len() <= 4 + 16 * 1024, "messages are small");
                    flags.push(message[2]);
                    bytes.extend_from_slice(&message[4..]);
                }
                message => texts.push(message.to_text().unwrap().to_owned()),
            }
        }
        for wanted in [
            r#"{"channel":3,"type":"state","value":"online"}"#,
            r#"{"channel":3,"type":"mse","value":"video/mp4; codecs=\"avc1.64001f\""}"#,
            r#"{"channel":3,"type":"live"}"#,
            r#"{"channel":4,"type":"error","value":"A camera with a privacy mask has no live view yet"}"#,
            r#"{"channel":5,"type":"error","value":"There is no such camera"}"#,
            r#"{"channel":6,"type":"error","value":"There is no such camera"}"#,
        ] {
            assert!(texts.iter().any(|text| text == wanted), "{wanted} in {texts:?}");
        }
        // A header, a keyframe in three pieces, another picture.
        assert_eq!(flags, [1, 2, 0, 0, 0]);
        assert_eq!(bytes.len(), 6 + 4 + 40_000 + 4 + 10);
        until_watched(&rig, 1).await;
        say(&mut socket, json!({"type": "unwatch", "channel": 3})).await;
        until_watched(&rig, 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_of_go2rtcs_protocol_gets_one_camera() {
    with_hub(true, |rig| async move {
        let mut socket = own(&rig, "/api/ws?src=door").await.unwrap();
        say(&mut socket, json!({"type": "webrtc/offer", "value": "v=0"})).await;
        assert_eq!(hear_text(&mut socket).await["type"], "error");
        say(
            &mut socket,
            json!({"type": "mse", "value": "avc1.640029,mp4a.40.2"}),
        )
        .await;
        assert_eq!(
            hear_text(&mut socket).await,
            json!({"type": "mse", "value": "video/mp4; codecs=\"avc1.64001f\""})
        );
        let mut bytes = Vec::new();
        while bytes.len() < 6 + 4 + 40_000 + 4 + 10 {
            bytes.extend_from_slice(&hear(&mut socket).await.into_data());
        }
        assert!(bytes.starts_with(b"headerhead"));
        let mut hidden = own(&rig, "/api/ws?src=home/hidden").await.unwrap();
        say(&mut hidden, json!({"type": "mse", "value": "avc1.640029"})).await;
        assert_eq!(
            hear_text(&mut hidden).await["value"],
            "mse: A camera with a privacy mask has no live view yet"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_needs_a_session_and_our_own_page() {
    with_hub(false, |rig| async move {
        doors::owner(&rig, "anna").await;
        let own = rig.url("");
        let refused = async |cookies: &str, origin: Option<&str>| {
            open(&rig, "/api/ws", cookies, origin).await.err()
        };
        assert_eq!(
            refused("", Some(&own)).await,
            Some(StatusCode::UNAUTHORIZED)
        );
        let anna = Browser::log_in(&rig, "anna").await;
        for origin in [None, Some("http://evil.example"), Some("null")] {
            let status = refused(&anna.cookies, origin).await;
            assert_eq!(status, Some(StatusCode::FORBIDDEN), "{origin:?}");
        }
        // No upgrade, no live pictures.
        let plain = rig.get("/api/ws").header("cookie", &anna.cookies);
        let plain = plain.header("origin", &own).send().await.unwrap();
        assert_eq!(plain.status(), StatusCode::UNPROCESSABLE_ENTITY);

        let socket = async |browser: &Browser<'_>| {
            let mut socket = open(&rig, "/api/ws", &browser.cookies, Some(&own))
                .await
                .unwrap();
            say(
                &mut socket,
                json!({"type": "watch", "channel": 1, "src": "door", "value": "avc1"}),
            )
            .await;
            assert_eq!(hear_text(&mut socket).await["type"], "state");
            socket
        };
        // The end of the session is the end of the socket, also for who never reads.
        let mut first = socket(&anna).await;
        anna.post("/api/logout", &json!({})).await;
        assert_eq!(closed(&mut first).await, Some(CloseCode::from(4001)));
        let (here, there) = (
            Browser::log_in(&rig, "anna").await,
            Browser::log_in(&rig, "anna").await,
        );
        let mut other = socket(&there).await;
        let change = json!({"password": PASSWORD, "new": "another horse battery"});
        here.post("/api/password", &change).await;
        assert_eq!(closed(&mut other).await, Some(CloseCode::from(4001)));
        until_watched(&rig, 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_floods_and_crowds_end() {
    with_hub(true, |rig| async move {
        // Rubbish.
        let mut socket = own(&rig, "/api/ws").await.unwrap();
        for _ in 0..9 {
            socket.send("{".into()).await.unwrap();
        }
        assert_eq!(closed(&mut socket).await, Some(CloseCode::Policy));
        // Messages that are too long, and too many.
        let mut socket = own(&rig, "/api/ws").await.unwrap();
        let long = Message::text("x".repeat(100_000));
        let _ = socket.send(long).await;
        assert_eq!(closed(&mut socket).await, None);
        let mut socket = own(&rig, "/api/ws").await.unwrap();
        for _ in 0..401 {
            let unwatch = r#"{"type":"unwatch","channel":1}"#;
            if socket.send(unwatch.into()).await.is_err() {
                break;
            }
        }
        assert_eq!(closed(&mut socket).await, Some(CloseCode::Policy));
        // More cameras than a page has.
        let mut socket = own(&rig, "/api/ws").await.unwrap();
        for channel in 0..65 {
            say(
                &mut socket,
                json!({"type": "watch", "channel": channel, "src": "quiet", "value": "avc1"}),
            )
            .await;
        }
        until_watched(&rig, 64).await;
        drop(socket);
        until_watched(&rig, 0).await;
        // A thousand sockets: those of one session are few.
        let mut sockets = Vec::new();
        let refused = loop {
            match own(&rig, "/api/ws").await {
                Ok(socket) => sockets.push(socket),
                Err(status) => break status,
            }
            assert!(sockets.len() <= 16);
        };
        assert_eq!(
            (sockets.len(), refused),
            (16, StatusCode::TOO_MANY_REQUESTS)
        );
        sockets.pop();
        let mut left = own(&rig, "/api/ws").await;
        for _ in 0..100 {
            if left.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            left = own(&rig, "/api/ws").await;
        }
        assert!(left.is_ok(), "a place that was left is free");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_holds_up_nobody() {
    with_hub(true, |rig| async move {
        let mut lazy = own(&rig, "/api/ws").await.unwrap();
        say(
            &mut lazy,
            json!({"type": "watch", "channel": 1, "src": "flood", "value": "avc1"}),
        )
        .await;
        until_watched(&rig, 1).await;
        let mut socket = own(&rig, "/api/ws?src=door").await.unwrap();
        say(&mut socket, json!({"type": "mse", "value": "avc1"})).await;
        assert_eq!(hear_text(&mut socket).await["type"], "mse");
        // Unsent data does not keep the hub from reading the client's messages.
        say(&mut lazy, json!({"type": "unwatch", "channel": 1})).await;
        let gone = async {
            while rig.live.watched.load(Ordering::Relaxed) > 1 {
                let _ = timeout(Duration::from_millis(20), lazy.next()).await;
            }
        };
        timeout(PATIENCE, gone).await.expect("the message is read");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watched_is_in_the_record_once_for_a_visit() {
    with_hub(false, |rig| async move {
        doors::owner(&rig, "anna").await;
        let anna = Browser::log_in(&rig, "anna").await;
        let own = rig.url("");
        for src in [&["door", "yard"][..], &["yard"]] {
            let mut socket = open(&rig, "/api/ws", &anna.cookies, Some(&own))
                .await
                .unwrap();
            for (channel, src) in src.iter().enumerate() {
                say(
                    &mut socket,
                    json!({"type": "watch", "channel": channel, "src": src, "value": "avc1"}),
                )
                .await;
            }
            until_watched(&rig, src.len()).await;
            drop(socket);
            until_watched(&rig, 0).await;
        }
        let noted = async {
            loop {
                let log = read(anna.get("/api/log").await).await;
                let entries = log["entries"].as_array().unwrap().clone();
                let live: Vec<_> = entries
                    .into_iter()
                    .filter(|entry| entry["what"] == "live")
                    .collect();
                if !live.is_empty() {
                    return live;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let live = timeout(PATIENCE, noted).await.expect("an entry");
        assert_eq!(live.len(), 1, "{live:?}");
        assert_eq!(
            (&live[0]["account"], &live[0]["detail"]),
            (&json!("anna"), &json!("home/door home/yard"))
        );
    })
    .await;
}
