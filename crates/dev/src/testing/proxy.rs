//! A proxy on loopback that spoils what passes, as a test tells it to.
//!
//! In: connections of a client, and a [`Fault`]: one for good, or one for each of the next connections. Out: what the target and
//! the client get of each other. Knows just enough of HTTP to take a request whole, and of MQTT to find an acknowledgement.

mod http;
mod mqtt;

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Runtime,
    sync::watch,
};
use tokio_util::sync::CancellationToken;

pub use http::answer;

use self::{
    http::{ask, reply, request},
    mqtt::Packets,
};
use crate::base::tasks::Tasks;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Each piece is late, both ways.
    Delay(Duration),
    /// So many bytes a second pass, each way.
    Rate(u64),
    /// Nobody listens.
    Refuse,
    /// Connections are taken; nothing passes, and no answer ever comes.
    Mute,
    /// So many bytes of the client pass, then the connection ends.
    CutAfter(u64),
    /// What the client says passes; the connection ends when the target answers.
    LoseAnswer,
    /// HTTP: this answer, and the target hears nothing.
    Answer(String),
    /// HTTP: the target does what it was asked, and the client gets this answer.
    AnswerInstead(String),
    /// HTTP: so many bytes of the target's answer.
    CutAnswer(usize),
    /// MQTT: everything passes but the broker's PUBACKs.
    SwallowPubAcks,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Standing {
    fault: Fault,
    /// Counts changes, so that a test can wait for its own.
    change: u64,
}

struct Shared {
    target: SocketAddr,
    standing: watch::Sender<Standing>,
    /// The newest change that the listener has taken notice of.
    applied: watch::Sender<u64>,
    script: Mutex<VecDeque<Fault>>,
    connections: AtomicUsize,
    /// Ends the connections of the moment.
    cut: Mutex<CancellationToken>,
}

/// A running proxy. Dropping it ends it.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    tasks: Tasks,
    runtime: Option<Runtime>,
}

/// Longest that the proxy takes to notice a change.
const NOTICE: Duration = Duration::from_secs(5);

impl Proxy {
    /// A proxy for what listens on `port` of 127.0.0.1 (now or later).
    ///
    /// # Errors
    /// When the system has no port or no thread to give.
    pub fn start(port: u16) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
        let shared = Arc::new(Shared {
            target: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            standing: watch::Sender::new(Standing::default()),
            applied: watch::Sender::new(0),
            script: Mutex::default(),
            connections: AtomicUsize::new(0),
            cut: Mutex::default(),
        });
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        tasks.spawn(
            "proxy",
            listen(listener, port, Arc::clone(&shared), tasks.clone()),
        );
        Ok(Self {
            shared,
            port,
            tasks,
            runtime: Some(runtime),
        })
    }

    /// Its own port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on this goes wrong, with the connections of the moment as well; in force when this returns.
    pub fn set(&self, fault: Fault) {
        let mut change = 0;
        self.shared.standing.send_modify(|standing| {
            standing.fault = fault.clone();
            standing.change += 1;
            change = standing.change;
        });
        if fault == Fault::Refuse {
            self.cut();
        }
        let mut applied = self.shared.applied.subscribe();
        if let Some(runtime) = &self.runtime {
            let noticed = applied.wait_for(|at| *at >= change);
            let _ = runtime.block_on(async { tokio::time::timeout(NOTICE, noticed).await.is_ok() });
        }
    }

    /// The next connections go wrong like this, each in its own way; those after them as [`Proxy::set`] says.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.script.lock().extend(faults);
    }

    /// Ends every connection of the moment, without a goodbye.
    pub fn cut(&self) {
        std::mem::take(&mut *self.shared.cut.lock()).cancel();
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        let _ = self.tasks.close(NOTICE);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn listen(listener: TcpListener, port: u16, shared: Arc<Shared>, tasks: Tasks) {
    let stop = tasks.token().clone();
    let mut standing = shared.standing.subscribe();
    let mut listener = Some(listener);
    loop {
        let now = standing.borrow_and_update().clone();
        if now.fault == Fault::Refuse {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok();
        }
        shared.applied.send_replace(now.change);
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await.ok(),
                None if now.fault == Fault::Refuse => std::future::pending().await,
                // The port was taken meanwhile: tried again.
                None => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    None
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            _ = standing.changed() => {}
            accepted = accepted => {
                let Some((client, _)) = accepted else { continue };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let scripted = shared.script.lock().pop_front();
                let cut = shared.cut.lock().clone();
                let (shared, stop) = (Arc::clone(&shared), stop.clone());
                tasks.spawn("proxied", async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = cut.cancelled() => {}
                        _ = serve(client, &shared, scripted) => {}
                    }
                });
            }
        }
    }
}

/// One connection, with the fault of the script or the one that stands at each moment.
async fn serve(mut client: TcpStream, shared: &Shared, scripted: Option<Fault>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let fault = || {
        let standing = || shared.standing.borrow().fault.clone();
        scripted.clone().unwrap_or_else(standing)
    };
    match fault() {
        Fault::Answer(answer) => {
            request(&mut client).await?;
            return reply(&mut client, answer.as_bytes()).await;
        }
        Fault::AnswerInstead(answer) => {
            ask(&mut client, shared.target).await?;
            return reply(&mut client, answer.as_bytes()).await;
        }
        Fault::CutAnswer(bytes) => {
            let answer = ask(&mut client, shared.target).await?;
            return reply(&mut client, &answer[..bytes.min(answer.len())]).await;
        }
        // Heard out, and never answered; the target is not even asked.
        Fault::Mute => {
            tokio::io::copy(&mut client, &mut tokio::io::sink()).await?;
            return Ok(());
        }
        _ => {}
    }
    let target = TcpStream::connect(shared.target).await?;
    target.set_nodelay(true)?;
    let (client_in, client_out) = client.into_split();
    let (target_in, target_out) = target.into_split();
    tokio::select! {
        done = up(client_in, target_out, &fault) => done,
        done = down(target_in, client_out, &fault) => done,
    }
}

/// What one read may take, and how long it is held up.
fn pace(fault: &Fault) -> (usize, impl Fn(usize) -> Duration + use<>) {
    let (piece, rate, delay) = match fault {
        Fault::Rate(rate) => (
            usize::try_from(rate / 20).unwrap_or(1),
            *rate,
            Duration::ZERO,
        ),
        Fault::Delay(delay) => (4096, 0, *delay),
        _ => (16 * 1024, 0, Duration::ZERO),
    };
    (piece.clamp(1, 16 * 1024), move |bytes| match rate {
        0 => delay,
        rate => Duration::from_secs_f64(bytes as f64 / rate as f64),
    })
}

async fn up(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: &impl Fn() -> Fault,
) -> io::Result<()> {
    let (mut piece, mut passed) = ([0u8; 16 * 1024], 0u64);
    loop {
        let (most, wait) = pace(&fault());
        let read = from.read(&mut piece[..most]).await?;
        if read == 0 {
            return Ok(());
        }
        tokio::time::sleep(wait(read)).await;
        match fault() {
            Fault::Mute => continue,
            Fault::CutAfter(bytes) if passed + read as u64 >= bytes => {
                let last = usize::try_from(bytes.saturating_sub(passed)).unwrap_or(0);
                return to.write_all(&piece[..last]).await;
            }
            _ => to.write_all(&piece[..read]).await?,
        }
        passed += read as u64;
    }
}

async fn down(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    fault: &impl Fn() -> Fault,
) -> io::Result<()> {
    let (mut piece, mut packets) = ([0u8; 16 * 1024], Packets::default());
    loop {
        let (most, wait) = pace(&fault());
        let read = from.read(&mut piece[..most]).await?;
        if read == 0 {
            return Ok(());
        }
        tokio::time::sleep(wait(read)).await;
        let fault = fault();
        // Always followed, so that the fault may come in the middle of a connection.
        let without = packets.without_pub_acks(&piece[..read]);
        match fault {
            Fault::Mute => {}
            Fault::LoseAnswer => return Ok(()),
            Fault::SwallowPubAcks => to.write_all(&without).await?,
            _ => to.write_all(&piece[..read]).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener as Listener,
        time::Instant,
    };

    use super::*;

    /// Says back what it hears, in a thread that ends with the listener's process.
    fn echo() -> u16 {
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        #[allow(clippy::disallowed_methods)] // a test's own server
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut back = stream.try_clone().unwrap();
                #[allow(clippy::disallowed_methods)]
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut &stream, &mut back);
                });
            }
        });
        port
    }

    fn connect(proxy: &Proxy) -> io::Result<std::net::TcpStream> {
        let stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(stream)
    }

    fn said_back(proxy: &Proxy, bytes: &[u8]) -> Vec<u8> {
        let mut stream = connect(proxy).unwrap();
        stream.write_all(bytes).unwrap();
        let mut got = vec![0; bytes.len()];
        let mut at = 0;
        while let Ok(read @ 1..) = stream.read(&mut got[at..]) {
            at += read;
            if at == got.len() {
                break;
            }
        }
        got.truncate(at);
        got
    }

    #[test]
    fn each_fault_does_what_it_says() {
        let proxy = Proxy::start(echo()).unwrap();
        assert_eq!(said_back(&proxy, b"hello"), b"hello");
        proxy.script([Fault::CutAfter(3), Fault::LoseAnswer]);
        assert!(said_back(&proxy, b"hello").len() <= 3);
        assert_eq!(said_back(&proxy, b"hello"), b"");
        assert_eq!(said_back(&proxy, b"hello"), b"hello", "the script is over");
        proxy.set(Fault::Refuse);
        assert!(connect(&proxy).is_err());
        proxy.set(Fault::Rate(10_000));
        let began = Instant::now();
        assert_eq!(said_back(&proxy, &[7; 3_000]).len(), 3_000);
        assert!(began.elapsed() >= Duration::from_millis(250));
        proxy.set(Fault::Mute);
        let mut stream = connect(&proxy).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        stream.write_all(b"hello").unwrap();
        let error = stream.read(&mut [0; 5]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
    }
}
