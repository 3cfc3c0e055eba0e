//! Pictures as datagrams: two ports, put in order, with an eye on what is lost.
//!
//! Only datagrams from the camera's own address are taken. Late ones are waited for a little; what does not come then is
//! counted as lost, and the pictures go on without it.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::ingest::rtsp::{
    diagnostics::Arrivals,
    rtp::{packet::Head, rtcp},
};

/// A keyframe of some hundred kilobytes comes at once: with less it does not fit.
const RECEIVE_BUFFER: usize = 2 * 1024 * 1024;
/// Ports that are tried before the system is said to have none.
const TRIES: usize = 32;
/// Reserved for reading at once, and the longest datagram of a network with large frames.
const RESERVED: usize = 128 * 1024;
const LONGEST: usize = 16 * 1024;
/// Datagrams read in a row, before others have a turn.
const IN_A_ROW: usize = 64;
/// How long a datagram that is late is waited for: several times what Wi-Fi delays, and little beside the second by
/// which the streams of a camera are joined.
const REORDER_WITHIN: Duration = Duration::from_millis(200);
/// Datagrams that may wait for one that is late.
const MOST_HELD: usize = 1024;
/// A greater step of sequence numbers is a new beginning.
const MOST_STEP: u16 = 3000;

/// The sockets of one session.
pub(in crate::ingest::rtsp) struct Ports {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    port: u16,
    peer: IpAddr,
    /// Where the camera said that it sends from.
    source: Option<IpAddr>,
    reports_to: Option<SocketAddr>,
    buffer: BytesMut,
    reorder: Reorder,
    /// What the system grants for what arrives at once.
    granted: usize,
}

impl Ports {
    /// An even port and the next one, at the address by which the camera is reached.
    pub(in crate::ingest::rtsp) async fn open(local: IpAddr, peer: IpAddr) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES {
            let first = socket(SocketAddr::new(local, 0))?;
            let port = first.local_addr()?.port();
            // RFC 3550, 11: RTP has the even one.
            let (even, odd) = (port & !1, port | 1);
            let other = if port == even { odd } else { even };
            match socket(SocketAddr::new(local, other)) {
                Ok(second) => {
                    let (rtp, rtcp) = if port == even {
                        (first, second)
                    } else {
                        (second, first)
                    };
                    let granted = socket2::SockRef::from(&rtp).recv_buffer_size().unwrap_or(0);
                    return Ok(Self {
                        rtp,
                        rtcp,
                        port: even,
                        peer,
                        source: None,
                        reports_to: None,
                        buffer: BytesMut::new(),
                        reorder: Reorder::default(),
                        granted,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The port for RTP; the next one is for RTCP.
    pub(in crate::ingest::rtsp) fn port(&self) -> u16 {
        self.port
    }

    /// The system's bound, in bytes, where it grants less than keyframes need.
    pub(in crate::ingest::rtsp) fn capped(&self) -> Option<usize> {
        // Linux tells twice what was asked for.
        (self.granted < RECEIVE_BUFFER).then_some(self.granted)
    }

    /// Sends a datagram from either port to the camera's, so that firewalls between let its packets through.
    pub(in crate::ingest::rtsp) async fn knock(
        &mut self,
        rtp: u16,
        rtcp: u16,
        source: Option<IpAddr>,
    ) {
        /// A header without a payload, which nobody takes for a picture.
        const NOTHING: [u8; 12] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        self.source = source;
        let to = source.unwrap_or(self.peer);
        if rtp != 0 {
            // What does not arrive is not missed.
            let _ = self.rtp.send_to(&NOTHING, SocketAddr::new(to, rtp)).await;
        }
        if rtcp != 0 {
            self.reports_to = Some(SocketAddr::new(to, rtcp));
            self.report().await;
        }
    }

    /// Tells the camera that somebody listens.
    pub(in crate::ingest::rtsp) async fn report(&self) {
        if let Some(to) = self.reports_to {
            let _ = self.rtcp.send_to(&rtcp::report(), to).await;
        }
    }

    /// Waits for datagrams; true for a goodbye. May be given up and called again.
    pub(in crate::ingest::rtsp) async fn turn(&mut self) -> bool {
        loop {
            let mut report = [0; 1500];
            tokio::select! {
                ready = self.rtp.readable() => {
                    if ready.is_ok() && self.read() {
                        return false;
                    }
                }
                came = self.rtcp.recv_from(&mut report) => {
                    if let Ok((length, from)) = came
                        && self.is_camera(from.ip())
                        && rtcp::says_goodbye(&report[..length])
                    {
                        return true;
                    }
                }
            }
        }
    }

    fn is_camera(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        from == self.peer.to_canonical() || self.source.is_some_and(|s| s.to_canonical() == from)
    }

    fn read(&mut self) -> bool {
        let mut any = false;
        for _ in 0..IN_A_ROW {
            if self.buffer.capacity() - self.buffer.len() < LONGEST {
                self.buffer.reserve(RESERVED);
            }
            let Ok((_, from)) = self.rtp.try_recv_buf_from(&mut self.buffer) else {
                break;
            };
            let packet = self.buffer.split();
            if self.is_camera(from.ip()) {
                self.reorder.push(packet, Instant::now());
                any = true;
            }
        }
        any
    }

    /// The next packet in order.
    pub(in crate::ingest::rtsp) fn next(&mut self) -> Option<BytesMut> {
        self.reorder.next(Instant::now())
    }

    /// When a datagram is no longer waited for.
    pub(in crate::ingest::rtsp) fn deadline(&self) -> Option<Instant> {
        self.reorder.deadline()
    }

    /// Counts since the session's start.
    pub(in crate::ingest::rtsp) fn arrivals(&self) -> Arrivals {
        self.reorder.arrivals
    }
}

fn socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    // Granted as far as `net.core.rmem_max` goes.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Puts packets in order by their sequence numbers. No input or output.
#[derive(Debug, Default)]
struct Reorder {
    /// The number that is due, counted without wraps.
    due: Option<i64>,
    held: BTreeMap<i64, (BytesMut, Instant)>,
    arrivals: Arrivals,
}

impl Reorder {
    fn push(&mut self, packet: BytesMut, now: Instant) {
        let Some(head) = Head::read(&packet) else {
            return;
        };
        self.arrivals.arrived += 1;
        let due = *self.due.get_or_insert(i64::from(head.sequence));
        let step = head.sequence.wrapping_sub(due as u16) as i16;
        if step.unsigned_abs() > MOST_STEP {
            // The camera counts from elsewhere; what was waited for does not come any more.
            let last = self.held.keys().next_back().map_or(due, |last| last + 1);
            let gap = i64::from(head.sequence.wrapping_sub(last as u16));
            self.held.insert(last + gap, (packet, now));
            return;
        }
        let number = due + i64::from(step);
        // One that comes after its turn, or twice, is of no use any more.
        if step >= 0 {
            self.held.entry(number).or_insert((packet, now));
        }
    }

    fn next(&mut self, now: Instant) -> Option<BytesMut> {
        let entry = self.held.first_entry()?;
        let due = self.due.unwrap_or(*entry.key());
        let late = now.duration_since(entry.get().1) >= REORDER_WITHIN;
        let number = *entry.key();
        if number != due && !late && self.held.len() <= MOST_HELD {
            return None;
        }
        let missing = u64::try_from(number - due).unwrap_or(0);
        if missing <= u64::from(MOST_STEP) {
            self.arrivals.lost += missing;
        }
        self.due = Some(number + 1);
        self.held.pop_first().map(|(_, (packet, _))| packet)
    }

    fn deadline(&self) -> Option<Instant> {
        self.held
            .first_key_value()
            .map(|(_, (_, since))| *since + REORDER_WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(sequence: u16) -> BytesMut {
        let mut packet = vec![0x80, 96];
        packet.extend(sequence.to_be_bytes());
        packet.extend([0; 9]);
        BytesMut::from(&packet[..])
    }

    fn sequences(reorder: &mut Reorder, now: Instant) -> Vec<u16> {
        std::iter::from_fn(|| reorder.next(now))
            .map(|packet| Head::read(&packet).unwrap().sequence)
            .collect()
    }

    #[test]
    fn late_packets_are_waited_for_and_lost_ones_counted() {
        let mut reorder = Reorder::default();
        let start = Instant::now();
        for sequence in [65_534, 0, 65_535] {
            reorder.push(packet(sequence), start);
        }
        assert_eq!(sequences(&mut reorder, start), [65_534, 65_535, 0]);
        for sequence in [2, 3, 3] {
            reorder.push(packet(sequence), start);
        }
        assert!(
            sequences(&mut reorder, start).is_empty(),
            "1 may still come"
        );
        assert_eq!(reorder.deadline(), Some(start + REORDER_WITHIN));
        assert_eq!(sequences(&mut reorder, start + REORDER_WITHIN), [2, 3]);
        reorder.push(packet(1), start);
        assert!(
            sequences(&mut reorder, start + REORDER_WITHIN).is_empty(),
            "too late"
        );
        assert_eq!((reorder.arrivals.arrived, reorder.arrivals.lost), (7, 1));
    }

    #[test]
    fn a_camera_that_counts_from_elsewhere_goes_on() {
        let mut reorder = Reorder::default();
        let start = Instant::now();
        for sequence in [10, 11, 30_000, 30_001] {
            reorder.push(packet(sequence), start);
        }
        let later = start + REORDER_WITHIN;
        assert_eq!(sequences(&mut reorder, later), [10, 11, 30_000, 30_001]);
        assert_eq!(reorder.arrivals.lost, 0);
    }

    #[tokio::test]
    async fn two_ports_in_a_row_are_found() {
        let home = IpAddr::from([127, 0, 0, 1]);
        let ports = Ports::open(home, home).await.unwrap();
        assert_eq!(ports.port() % 2, 0);
        assert_eq!(ports.rtcp.local_addr().unwrap().port(), ports.port() + 1);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_given_once_and_bounded(sequences in prop::collection::vec(any::<u16>(), 0..300)) {
            let mut reorder = Reorder::default();
            let now = Instant::now();
            for sequence in &sequences {
                reorder.push(packet(*sequence), now);
            }
            let given = std::iter::from_fn(|| reorder.next(now + REORDER_WITHIN)).count();
            prop_assert!(given <= sequences.len());
            prop_assert_eq!(reorder.deadline(), None);
        }
    }
}
