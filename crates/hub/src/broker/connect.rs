//! The first packet of an MQTT client, CONNECT: read whole, and its client id made one of its user's own.
//!
//! When a second client connects with a client id that is in use, the broker disconnects the first one and gives its session
//! to the second. Mosquitto checks the password before that, but lets any user take any id. So the gate puts the user's name
//! in front of each id: a client can take over a session of its own user only. The layout is that of the OASIS standards MQTT 3.1.1
//! and 5.0, section 3.1; version 3.1 has the same.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::config::Secret;

/// Longest CONNECT, in bytes: its largest part is the last will.
const LONGEST: usize = 64 * 1024;
/// Packet type and flags of CONNECT.
const CONNECT: u8 = 0x10;
/// Protocol levels say in this bit that the client is a bridge.
const BRIDGE: u8 = 0x80;
/// The level of MQTT 5, which has properties.
const FIVE: u8 = 5;
/// Flags in CONNECT: there is a last will, and there is a user name.
const WILL: u8 = 0x04;
const USER: u8 = 0x80;
/// DISCONNECT.
pub(super) const FAREWELL: &[u8] = &[0xe0, 0];
/// Between user and id. No user's name has it.
const BETWEEN: u8 = b'/';

/// Reads a CONNECT from `client`; the same packet with the id bound to its user.
///
/// # Errors
/// When the client sends something else, or too much.
pub(super) async fn receive(client: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    if client.read_u8().await? != CONNECT {
        return Err(malformed("is no CONNECT"));
    }
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = client.read_u8().await?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        if shift == 21 {
            return Err(malformed("has no length"));
        }
    }
    if length > LONGEST {
        return Err(malformed("is too long"));
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).await?;
    bind(&body).ok_or_else(|| malformed("cannot be understood"))
}

/// The answer to a CONNECT, as [`receive`] gave it, while there is no broker behind the gate: that it be tried later
/// (MQTT 3.1.1, 3.2.2.3; MQTT 5.0, 3.2.2.2).
pub(super) fn unavailable(packet: &[u8]) -> &'static [u8] {
    match level(packet) {
        Some(FIVE) => &[0x20, 3, 0, 0x88, 0],
        _ => &[0x20, 2, 0, 3],
    }
}

/// The CONNECT of a client of MQTT 3.1.1 that wants to know no more than whether there is a broker; it has no id.
pub(super) fn hello(user: &str, password: &Secret) -> Vec<u8> {
    /// A new session, a user name and a password.
    const FLAGS: u8 = USER | 0x40 | 0x02;
    const KEEP_ALIVE_S: u8 = 30;
    let mut body = b"\0\x04MQTT\x04".to_vec();
    body.extend([FLAGS, 0, KEEP_ALIVE_S]);
    for text in ["", user, password.expose()] {
        let long = u16::try_from(text.len()).unwrap_or_default();
        body.extend(long.to_be_bytes());
        body.extend(&text.as_bytes()[..usize::from(long)]);
    }
    packet(&body)
}

/// The protocol level of a whole CONNECT.
fn level(packet: &[u8]) -> Option<u8> {
    let mut rest = Rest(packet);
    rest.byte()?;
    while rest.byte()? & 0x80 != 0 {}
    rest.text()?;
    rest.byte().map(|level| level & !BRIDGE)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the first packet {what}"),
    )
}

/// The packet whose part after the length is `body`, with its id bound to its user. A client without a user or an id stays as
/// it is: the broker refuses the one, and chooses an id for the other. None where it cannot be understood.
fn bind(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Rest(body);
    rest.text()?;
    let level = rest.byte()? & !BRIDGE;
    let flags = rest.byte()?;
    rest.take(2)?;
    if level == FIVE {
        rest.properties()?;
    }
    let before = body.len() - rest.0.len();
    let id = rest.text()?;
    let after = rest.0;
    if flags & WILL != 0 {
        if level == FIVE {
            rest.properties()?;
        }
        rest.text()?;
        rest.text()?;
    }
    let user = if flags & USER == 0 { &[] } else { rest.text()? };
    let id = if user.is_empty() || id.is_empty() {
        id.to_vec()
    } else {
        [user, &[BETWEEN], id].concat()
    };
    let long = u16::try_from(id.len()).ok()?.to_be_bytes();
    Some(packet(&[&body[..before], &long, &id, after].concat()))
}

/// The packet whose part after the length is `body`.
fn packet(body: &[u8]) -> Vec<u8> {
    let mut packet = vec![CONNECT];
    let mut length = body.len();
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        packet.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// What is left to be read of a packet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    /// Text, or bytes, after their length.
    fn text(&mut self) -> Option<&'a [u8]> {
        let long = self.take(2)?;
        self.take(usize::from(u16::from_be_bytes([long[0], long[1]])))
    }

    /// Passes over properties.
    fn properties(&mut self) -> Option<()> {
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return self.take(length).map(drop);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: &str) -> Vec<u8> {
        let long = u16::try_from(of.len()).unwrap().to_be_bytes();
        [&long[..], of.as_bytes()].concat()
    }

    /// A CONNECT of `level`, with a last will and properties where the level has them.
    fn connect(level: u8, id: &str, user: Option<&str>) -> Vec<u8> {
        let flags = WILL | if user.is_some() { USER | 0x40 } else { 0 };
        let mut body = text("MQTT");
        body.extend([level, flags, 0, 30]);
        let properties: &[u8] = if level & !BRIDGE == FIVE {
            &[5, 0x11, 0, 0, 1, 0]
        } else {
            &[]
        };
        body.extend(properties);
        body.extend(text(id));
        body.extend(properties);
        body.extend([text("lares/home/status"), text(&"offline ".repeat(20))].concat());
        if let Some(user) = user {
            body.extend([text(user), text("secret")].concat());
        }
        body
    }

    fn framed(body: &[u8]) -> Vec<u8> {
        let length = body.len();
        assert!((128..16_384).contains(&length), "two bytes of length");
        let low = u8::try_from(length & 0x7f).unwrap() | 0x80;
        let high = u8::try_from(length >> 7).unwrap();
        [&[CONNECT, low, high], body].concat()
    }

    #[tokio::test]
    async fn an_id_belongs_to_its_user() {
        for level in [3, 4, 5, 4 | BRIDGE] {
            let sent = framed(&connect(level, "lares-home", Some("annex")));
            let more = [&sent[..], b"\xc0\x00"].concat();
            let mut client = &more[..];
            let bound = receive(&mut client).await.unwrap();
            assert_eq!(
                bound,
                framed(&connect(level, "annex/lares-home", Some("annex")))
            );
            assert_eq!(client, b"\xc0\x00", "what comes after it is untouched");
            let later: &[u8] = match level {
                5 => &[0x20, 3, 0, 0x88, 0],
                _ => &[0x20, 2, 0, 3],
            };
            assert_eq!(unavailable(&bound), later);
        }
        // The broker refuses who has no name, and chooses an id where there is none.
        for same in [
            connect(5, "lares-home", None),
            connect(5, "lares-home", Some("")),
            connect(5, "", Some("annex")),
        ] {
            assert_eq!(bind(&same).unwrap(), framed(&same));
        }
    }

    #[tokio::test]
    async fn a_packet_that_is_cut_or_made_up_is_refused() {
        let whole = connect(5, "lares-home", Some("annex"));
        let user_ends = whole.len() - text("secret").len();
        for cut in 0..user_ends {
            assert_eq!(bind(&whole[..cut]), None, "cut at {cut}");
        }
        let long = text(&"x".repeat(65_535));
        let head = [&text("MQTT")[..], &[4, USER, 0, 30]].concat();
        assert_eq!(bind(&[&head[..], &long, &text("annex")].concat()), None);
        for no in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x10\xff\xff\xff\xff\x01",
            b"\x10\x80\x80\x80\x01",
            b"\x10\x20MQTT",
            b"",
        ] {
            assert!(receive(&mut &no[..]).await.is_err(), "{no:?}");
        }
    }
}
