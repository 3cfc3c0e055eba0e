//! The broker's gate: the port that clients connect to, before mosquitto, which itself listens on a socket in its own folder
//! that nobody else can reach.
//!
//! In: connections of boxes, of Home Assistant and of strangers, with TLS where others than this machine can reach the port. Out:
//! the same bytes to and from mosquitto, but for the client id, which is bound to its user ([`connect`]). Strangers are few and
//! short, as on the hub's other ports. Whose password is right, and what it may do, mosquitto decides.

use std::{
    io,
    net::SocketAddr,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split},
    net::{TcpListener, TcpStream, UnixStream},
    time::{sleep, timeout},
};

use super::connect;
use crate::{
    base::{
        log_throttle::{Sum, Tally},
        tasks::Tasks,
    },
    net::server::{
        self, Limits, Pace, Place,
        tls::{Greeted, Tls},
    },
};

/// Clients that mosquitto has not let in yet.
pub(super) const STRANGERS: usize = 64;
/// Clients that it has, beside those.
pub(super) const KNOWN: usize = 1000;
/// There are no requests, so none has a body.
const NO_BODY: Pace = Pace {
    patience: Duration::ZERO,
    per_second: 1,
    most: 0,
};
/// The socket's name in mosquitto's folder.
pub(super) const SOCKET: &str = "socket";
/// The first packet must have come within this time, and mosquitto's answer to it.
const GREETED_WITHIN: Duration = Duration::from_secs(10);
/// How long the end of a connection may take.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// The packet that answers CONNECT, and its third byte where it is a yes.
const CONNACK: u8 = 0x20;
/// Longest such answer, in bytes: one whose length is one byte. That of mosquitto has some ten.
const LONGEST_ANSWER: usize = 127;
/// When everything stops, mosquitto says farewell to its clients; they are cut off where it has not after this long.
const FAREWELL: Duration = Duration::from_secs(6);
/// Clients that are turned away are told of at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What each connection needs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate {
    tls: Option<Tls>,
    limits: Limits,
    /// Mosquitto's folder.
    dir: Arc<Path>,
    turned_away: Arc<Tally>,
}

impl Gate {
    /// The gate to the mosquitto in `dir`; plain without `tls`.
    pub(super) fn new(dir: &Path, tls: Option<Tls>) -> Self {
        Self {
            tls,
            limits: Limits::new(STRANGERS, KNOWN, Duration::MAX, NO_BODY),
            dir: dir.into(),
            turned_away: Arc::new(Tally::new(TELL_EVERY)),
        }
    }

    /// Lets clients in until `tasks` stop.
    pub(super) async fn serve(self, listener: TcpListener, tasks: Tasks) {
        let stop = tasks.token().clone();
        server::accept(
            "broker",
            self.limits,
            listener,
            &tasks,
            |socket, peer, place| {
                let (gate, stop) = (self.clone(), stop.clone());
                async move {
                    let stopped = async {
                        stop.cancelled().await;
                        if place.is_known() {
                            sleep(FAREWELL).await;
                        }
                    };
                    tokio::select! {
                        () = stopped => {}
                        () = gate.client(socket, peer, &place) => {}
                    }
                }
            },
        )
        .await;
    }

    async fn client(&self, socket: TcpStream, peer: SocketAddr, place: &Place) {
        let _ = socket.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.pass(socket, peer, place).await;
        };
        let greeted = tokio::select! {
            () = place.shut.cancelled() => return,
            greeted = timeout(GREETED_WITHIN, tls.greet(socket, peer)) => greeted,
        };
        match greeted {
            Ok(Ok(Greeted::Secure(socket))) => self.pass(*socket, peer, place).await,
            Ok(Ok(Greeted::Here(socket))) => self.pass(socket, peer, place).await,
            Ok(Ok(Greeted::Plain(_))) => {
                self.turn_away(peer, "it speaks without TLS: write mqtts:// in its address")
            }
            Ok(Err(error)) => self.turn_away(peer, &error.to_string()),
            Err(_) => {}
        }
    }

    /// One client, from its first packet to its end.
    async fn pass(
        &self,
        mut client: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        place: &Place,
    ) {
        let greeted = tokio::select! {
            () = place.shut.cancelled() => return,
            greeted = timeout(GREETED_WITHIN, self.greet(&mut client)) => greeted,
        };
        let mut broker = match greeted {
            Ok(Ok(Some(broker))) => broker,
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                return self.turn_away(peer, &error.to_string());
            }
            // Mosquitto does not want it, or is not there: it has its answer.
            Ok(Ok(None)) => return,
            Ok(Err(error)) => return tracing::debug!(%error, "a client ended before it was let in"),
            Err(_) => return tracing::debug!("a client was not let in in time"),
        };
        place.standing().known();
        let outstayed = async {
            sleep(self.limits.stranger_life).await;
            if place.is_known() {
                std::future::pending::<()>().await;
            }
        };
        {
            let ((mut from_client, mut to_client), (mut from_broker, mut to_broker)) =
                (split(&mut client), split(&mut broker));
            tokio::select! {
                () = place.shut.cancelled() => {}
                () = outstayed => {}
                _ = copy(&mut from_client, &mut to_broker) => {}
                _ = copy(&mut from_broker, &mut to_client) => {}
            }
        }
        let _ = timeout(ENDS_WITHIN, client.shutdown()).await;
    }

    /// The connection to mosquitto for a client that it lets in; none for one that it does not, which has its answer then.
    async fn greet(
        &self,
        client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> io::Result<Option<UnixStream>> {
        let packet = connect::receive(client).await?;
        let mut broker = match reach(&self.dir).await {
            Ok(broker) => broker,
            Err(error) => {
                tracing::debug!(%error, "mosquitto cannot be reached");
                client.write_all(connect::unavailable(&packet)).await?;
                client.shutdown().await?;
                return Ok(None);
            }
        };
        broker.write_all(&packet).await?;
        let mut answer = vec![0; 2];
        broker.read_exact(&mut answer).await?;
        let rest = usize::from(answer[1]);
        if answer[0] != CONNACK || !(2..=LONGEST_ANSWER).contains(&rest) {
            return Ok(None);
        }
        answer.resize(2 + rest, 0);
        broker.read_exact(&mut answer[2..]).await?;
        client.write_all(&answer).await?;
        client.flush().await?;
        if answer[3] == 0 {
            return Ok(Some(broker));
        }
        client.shutdown().await?;
        Ok(None)
    }

    fn turn_away(&self, peer: SocketAddr, why: &str) {
        let address = server::party(peer.ip()).to_string();
        if let Some(Sum { whose, count, last }) = self.turned_away.count(&address, why) {
            tracing::warn!(
                address = whose,
                count,
                "the broker turned clients away: {last}"
            );
        }
    }
}

/// A connection to mosquitto in `dir`. The path of a socket may have 107 bytes: from the folder's own handle, any folder will do.
pub(super) async fn reach(dir: &Path) -> io::Result<UnixStream> {
    let dir = std::fs::File::open(dir)?;
    let path: PathBuf = format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()).into();
    UnixStream::connect(path).await
}

/// Asks the mosquitto in `dir` by the CONNECT `hello` whether it is there. Any answer will do.
pub(super) async fn answers(dir: &Path, hello: &[u8]) -> io::Result<()> {
    let mut broker = reach(dir).await?;
    broker.write_all(hello).await?;
    let mut answer = [0; 4];
    broker.read_exact(&mut answer).await?;
    // It asks for nothing more.
    broker.write_all(connect::FAREWELL).await
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::net::server::tls::{Files, self_signed};

    /// CONNECT of MQTT 3.1.1 with id "x" and user "a"; the same when its id is bound.
    const HELLO: &[u8] = b"\x10\x10\0\x04MQTT\x04\x80\0\x1e\0\x01x\0\x01a";
    const BOUND: &[u8] = b"\x10\x12\0\x04MQTT\x04\x80\0\x1e\0\x03a/x\0\x01a";

    struct Rig {
        dir: tempfile::TempDir,
        mosquitto: UnixListener,
        port: SocketAddr,
        tasks: Tasks,
    }

    /// A gate before a socket that stands for mosquitto, in a folder whose path is too long for a socket's.
    async fn rig() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let short = dir.path().join(SOCKET);
        let mosquitto = UnixListener::bind(&short).unwrap();
        std::fs::rename(&short, deep.join(SOCKET)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Handle::current();
        let tasks = Tasks::new(runtime, CancellationToken::new());
        tasks.spawn(
            "gate",
            Gate::new(&deep, None).serve(listener, tasks.clone()),
        );
        Rig {
            dir,
            mosquitto,
            port,
            tasks,
        }
    }

    #[tokio::test]
    async fn who_is_let_in_is_passed_on_and_who_is_not_has_the_answer() {
        let rig = rig().await;
        for (code, let_in) in [(0, true), (5, false)] {
            let mut client = TcpStream::connect(rig.port).await.unwrap();
            client.write_all(HELLO).await.unwrap();
            let (mut broker, _) = rig.mosquitto.accept().await.unwrap();
            let mut heard = vec![0; BOUND.len()];
            broker.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, BOUND);
            broker.write_all(&[CONNACK, 2, 0, code]).await.unwrap();
            let mut answer = [0; 4];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, [CONNACK, 2, 0, code]);
            if let_in {
                client.write_all(b"up").await.unwrap();
                broker.read_exact(&mut answer[..2]).await.unwrap();
                broker.write_all(b"down").await.unwrap();
                client.read_exact(&mut answer).await.unwrap();
                assert_eq!(&answer, b"down");
                drop(broker);
            }
            let rest = timeout(ENDS_WITHIN, client.read(&mut answer)).await;
            assert_eq!(rest.unwrap().unwrap(), 0, "its connection ends");
        }
        rig.tasks.token().cancel();
        drop(rig.dir);
    }

    #[tokio::test]
    async fn rubbish_never_reaches_mosquitto() {
        let rig = rig().await;
        let mut client = TcpStream::connect(rig.port).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(ENDS_WITHIN, client.read_to_end(&mut answer)).await;
        assert!(answer.is_empty());
        let nobody = timeout(Duration::from_millis(200), rig.mosquitto.accept());
        assert!(nobody.await.is_err());
    }

    #[tokio::test]
    async fn plain_mqtt_from_elsewhere_is_turned_away_where_there_is_tls() {
        let rig = rig().await;
        let files = Files {
            certificate: rig.dir.path().join("certificate.pem"),
            key: rig.dir.path().join("key.pem"),
        };
        let (certificate, key) = self_signed(vec!["hub.example".to_owned()]).unwrap();
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        let tls = Tls::load(files).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap();
        for (peer, taken) in [("192.0.2.9:5000", false), ("127.0.0.1:5000", true)] {
            let mut client = TcpStream::connect(port).await.unwrap();
            let (socket, _) = listener.accept().await.unwrap();
            client.write_all(HELLO).await.unwrap();
            let greeted = tls.greet(socket, peer.parse().unwrap()).await.unwrap();
            assert_eq!(matches!(greeted, Greeted::Here(_)), taken, "{peer}");
            assert_eq!(matches!(greeted, Greeted::Plain(_)), !taken, "{peer}");
        }
    }
}
