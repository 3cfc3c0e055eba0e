//! The connection to a camera, plain or over TLS: bytes in, messages and packets out, in whatever order they come.
//!
//! Packets are slices of the one buffer that everything is read into. What is to be sent waits in a buffer of its own
//! and leaves while something is read: a camera that does not read holds nothing up.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{io::AsyncWrite, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::io::poll_read_buf;
use url::Url;

use super::tls::{self, Trust};
use crate::{
    base::socket,
    ingest::rtsp::{
        end_reason::{Distrust, SessionEnd},
        observer::Window,
        protocol::message::{self, Message, Parsed, Request, Response},
    },
};

/// A connection that is not accepted by then is given up.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// TLS takes small boards a while.
const SECURE_WITHIN: Duration = Duration::from_secs(8);
/// What is reserved for reading at once, and what must be free for it.
const RESERVED: usize = 32 * 1024;
const FREE: usize = 2 * 1024;
/// What may wait to be sent.
const MOST_WAITING: usize = 64 * 1024;
/// A connection on which so many bytes in a row are neither message nor packet is beyond repair.
const MOST_SKIPPED: usize = 1024 * 1024;
/// Before each packet: a dollar sign, the channel, two bytes of length (RFC 2326, 10.12).
const FRAME: usize = 4;
/// Channels that are believed where the beginning of a packet has to be found.
const MOST_CHANNEL: u8 = 31;

/// Something whole that came.
#[derive(Debug)]
pub(in crate::ingest::rtsp) enum Incoming {
    /// A packet on a channel.
    Data(u8, BytesMut),
    Response(Response),
    Request(Request),
}

/// Why nothing more can be had from a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest::rtsp) enum Broken {
    /// It has been closed or reset.
    Closed,
    /// Not RTSP, or no more.
    NotRtsp,
    /// A message of unreasonable length.
    TooLong,
}

/// What has been read, cut into messages and packets. No input or output.
#[derive(Debug, Default)]
pub(in crate::ingest::rtsp) struct Framing {
    buffer: BytesMut,
    /// Something sound has come: from then on what cannot be read is passed over.
    sound: bool,
    skipped: usize,
    window: Window,
}

impl Framing {
    /// The next thing that is whole.
    pub(in crate::ingest::rtsp) fn next(&mut self) -> Result<Option<Incoming>, Broken> {
        loop {
            let length = |high, low| usize::from(u16::from_be_bytes([high, low]));
            match self.buffer[..] {
                [] => return Ok(None),
                [b'$', _, 0, 0, ..] => self.buffer.advance(FRAME),
                [b'$', channel, high, low, ..] => {
                    let whole = FRAME + length(high, low);
                    if self.buffer.len() < whole {
                        return Ok(None);
                    }
                    let mut packet = self.buffer.split_to(whole);
                    packet.advance(FRAME);
                    (self.sound, self.skipped) = (true, 0);
                    return Ok(Some(Incoming::Data(channel, packet)));
                }
                [b'$', ..] => return Ok(None),
                // Empty lines between messages, and padding behind a body.
                [b'\r' | b'\n' | 0, ..] => self.buffer.advance(1),
                _ => match message::parse(&self.buffer) {
                    Parsed::Whole(message, length) => {
                        self.window.heard(&self.buffer[..length]);
                        self.buffer.advance(length);
                        (self.sound, self.skipped) = (true, 0);
                        return Ok(Some(match message {
                            Message::Response(response) => Incoming::Response(response),
                            Message::Request(request) => Incoming::Request(request),
                        }));
                    }
                    Parsed::Partial => return Ok(None),
                    Parsed::TooLong => return Err(Broken::TooLong),
                    Parsed::NotRtsp => self.skip()?,
                },
            }
        }
    }

    /// Passes over what is neither message nor packet, up to where one may begin.
    fn skip(&mut self) -> Result<(), Broken> {
        let bytes = &self.buffer[..];
        let begins = |at: usize| match bytes[at..] {
            [b'$', channel, _, _, version, ..] => channel <= MOST_CHANNEL && version >> 6 == 2,
            // Too short to tell.
            [b'$', ..] => true,
            [b'R', b'T', b'S', b'P', b'/', ..] => true,
            _ => false,
        };
        let next = (1..bytes.len()).find(|at| begins(*at));
        let length = next.unwrap_or(bytes.len());
        self.skipped += length;
        if !self.sound || self.skipped > MOST_SKIPPED {
            return Err(Broken::NotRtsp);
        }
        self.buffer.advance(length);
        Ok(())
    }

    /// Adds what has come, for tests and fuzzing; a connection reads into the buffer.
    pub(in crate::ingest::rtsp) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }
}

/// A connection.
pub(in crate::ingest::rtsp) struct Connection {
    io: Io,
    read: Framing,
    write: BytesMut,
    peer: SocketAddr,
    local: SocketAddr,
    /// How many bytes must have arrived before [`turn`](Self::turn) reads them.
    mark: usize,
}

enum Io {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// Connects to the camera at `url`.
    pub(in crate::ingest::rtsp) async fn open(
        url: &Url,
        trust: Option<&Trust>,
        window: &Window,
    ) -> Result<Self, SessionEnd> {
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = crate::ingest::rtsp::protocol::control_url::port(url);
        let tcp = timeout(CONNECT_WITHIN, TcpStream::connect((host, port))).await;
        let tcp = tcp
            .ok()
            .and_then(Result::ok)
            .ok_or(SessionEnd::Unreachable)?;
        // Small messages leave at once; where this cannot be set they leave later.
        let _ = tcp.set_nodelay(true);
        let (peer, local) = match (tcp.peer_addr(), tcp.local_addr()) {
            (Ok(peer), Ok(local)) => (peer, local),
            _ => return Err(SessionEnd::Unreachable),
        };
        let io = match trust {
            None => Io::Plain(tcp),
            Some(trust) => {
                let name = tls::server_name(host).ok_or(SessionEnd::Untrusted(Distrust::Name))?;
                let connector = TlsConnector::from(trust.client());
                match timeout(SECURE_WITHIN, connector.connect(name, tcp)).await {
                    Ok(Ok(stream)) => Io::Secure(Box::new(stream)),
                    Ok(Err(error)) => return Err(tls::diagnosis(&error)),
                    Err(_) => return Err(SessionEnd::Mute),
                }
            }
        };
        Ok(Self {
            io,
            read: Framing {
                window: window.clone(),
                ..Framing::default()
            },
            write: BytesMut::new(),
            peer,
            local,
            mark: 1,
        })
    }

    pub(in crate::ingest::rtsp) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(in crate::ingest::rtsp) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next thing that is whole among what has been read.
    pub(in crate::ingest::rtsp) fn next(&mut self) -> Result<Option<Incoming>, Broken> {
        self.read.next()
    }

    /// Whether nothing has come yet.
    pub(in crate::ingest::rtsp) fn silent(&self) -> bool {
        !self.read.sound && self.read.buffer.is_empty()
    }

    /// Has `bytes` sent while [`turn`](Self::turn) waits. What cannot be taken is left out: the camera reads nothing.
    pub(in crate::ingest::rtsp) fn send(&mut self, bytes: &[u8]) {
        if self.write.len() + bytes.len() <= MOST_WAITING {
            self.write.extend_from_slice(bytes);
        }
    }

    /// Has [`turn`](Self::turn) wait until `bytes` have arrived. With 1, what has arrived already is read at once.
    pub(in crate::ingest::rtsp) fn wait_for(&mut self, bytes: usize) {
        if bytes != self.mark {
            self.mark = bytes;
            match &self.io {
                Io::Plain(io) => socket::wake_at(io, bytes),
                Io::Secure(io) => socket::wake_at(io.get_ref().0, bytes),
            }
        }
    }

    /// How many bytes [`turn`](Self::turn) waits for.
    pub(in crate::ingest::rtsp) fn mark(&self) -> usize {
        self.mark
    }

    /// Waits until something has been read. May be given up and called again.
    pub(in crate::ingest::rtsp) async fn turn(&mut self) -> Result<(), Broken> {
        poll_fn(|cx| {
            // A camera that has closed its end may have said something before.
            let written = self.poll_write(cx);
            let buffer = &mut self.read.buffer;
            if buffer.capacity() - buffer.len() < FREE {
                buffer.reserve(RESERVED);
            }
            let read = match &mut self.io {
                Io::Plain(io) => poll_read_buf(Pin::new(io), cx, buffer),
                Io::Secure(io) => poll_read_buf(Pin::new(&mut **io), cx, buffer),
            };
            match read {
                Poll::Ready(Ok(1..)) => Poll::Ready(Ok(())),
                Poll::Ready(_) => Poll::Ready(Err(Broken::Closed)),
                Poll::Pending => match written {
                    Poll::Ready(Err(_)) => Poll::Ready(Err(Broken::Closed)),
                    _ => Poll::Pending,
                },
            }
        })
        .await
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.write.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.write.is_empty() {
            let written = match &mut self.io {
                Io::Plain(io) => Pin::new(io).poll_write(cx, &self.write),
                Io::Secure(io) => Pin::new(&mut **io).poll_write(cx, &self.write),
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.write.advance(n),
            }
        }
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Secure(io) => Pin::new(&mut **io).poll_flush(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that can be had, in words.
    fn take(framing: &mut Framing) -> (Vec<String>, Option<Broken>) {
        let mut seen = Vec::new();
        loop {
            match framing.next() {
                Ok(Some(Incoming::Data(channel, data))) => {
                    seen.push(format!("{channel}:{}", data.len()));
                }
                Ok(Some(Incoming::Response(response))) => seen.push(response.status.to_string()),
                Ok(Some(Incoming::Request(request))) => seen.push(request.method),
                Ok(None) => return (seen, None),
                Err(broken) => return (seen, Some(broken)),
            }
        }
    }

    const OK: &[u8] = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n";

    #[test]
    fn messages_and_packets_come_in_any_order() {
        let mut framing = Framing::default();
        framing.feed(OK);
        framing.feed(b"\r\n$\x00\x00\x02\x80\x01\x00\x00$\x01\x00\x00$\x02\x00\x01x");
        framing.feed(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n$\x00\x00\x03\x80");
        let expected = ["200", "0:2", "2:1", "OPTIONS"].map(str::to_owned);
        assert_eq!(take(&mut framing), (expected.to_vec(), None));
        framing.feed(b"ab");
        assert_eq!(take(&mut framing).0, ["0:3"]);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over_once_the_session_stands() {
        let garbage = b"\x01garbage \xff$ no RTSP\r\n\r\n$\x00\x00\x02\x80\x01";
        let mut first = Framing::default();
        first.feed(garbage);
        assert_eq!(take(&mut first).1, Some(Broken::NotRtsp));
        let mut later = Framing::default();
        later.feed(OK);
        later.feed(garbage);
        assert_eq!(
            take(&mut later),
            (vec!["200".to_owned(), "0:2".to_owned()], None)
        );
        let mut endless = Framing::default();
        endless.feed(OK);
        endless.feed(&vec![b'?'; MOST_SKIPPED + 2]);
        assert_eq!(take(&mut endless).1, Some(Broken::NotRtsp));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_pieces_is_the_same(bytes in prop::collection::vec(prop_oneof![Just(b'$'), Just(0u8), Just(b'\n'), any::<u8>()], 0..400), cut in 0usize..400) {
            let whole = [OK, &bytes].concat();
            let mut at_once = Framing::default();
            at_once.feed(&whole);
            let expected = take(&mut at_once);
            let mut pieces = Framing::default();
            let cut = cut.min(whole.len());
            pieces.feed(&whole[..cut]);
            let (mut seen, broken) = take(&mut pieces);
            prop_assume!(broken.is_none());
            pieces.feed(&whole[cut..]);
            let (rest, _) = take(&mut pieces);
            seen.extend(rest);
            // Where the cut hides what follows, a beginning may be believed that the whole shows to be none.
            if bytes.iter().all(|b| *b != b'$') {
                prop_assert_eq!(seen, expected.0);
            }
        }
    }
}
