//! The pictures of one session, in real time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt, net::UdpSocket, time};
use tokio_util::sync::CancellationToken;

use super::{
    camera::{End, Source, Turn},
    clip::Clip,
    packetizer::Packetizer,
    recording::Recording,
    shared::{PATIENCE, Session, Shared, Wire},
};

/// A viewer that has taken so many pictures is one that plays.
const TAKEN: u64 = 3;
/// Cameras give up a viewer this long after the announced time-out.
const LENIENCE: Duration = Duration::from_millis(500);

/// What packets go by.
pub(super) enum Way {
    /// Inside of the connection.
    Tcp {
        wire: Arc<Wire>,
        channel: u8,
    },
    Udp {
        rtp: UdpSocket,
        rtcp: UdpSocket,
    },
}

/// Sends what one viewer has asked to play.
pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    pub(super) wire: Arc<Wire>,
    pub(super) way: Way,
    pub(super) session: Arc<Session>,
    pub(super) number: u64,
    pub(super) sdp: String,
    /// Ends the whole connection.
    pub(super) connection: CancellationToken,
}

impl Sender {
    /// Sends until the camera ends the session or the viewer is gone.
    pub(super) async fn run(self) {
        let camera = Arc::clone(&self.shared.camera);
        let end = match &camera.source {
            Source::Clip(clip) => self.pictures(clip).await,
            Source::Recording(recording) => self.recorded(recording).await,
        };
        match end {
            Some(End::Silence) => {
                self.shared.seen.lock().ended.push(Instant::now());
            }
            Some(End::Reset | End::Close) => {
                self.shared.seen.lock().ended.push(Instant::now());
                self.connection.cancel();
            }
            // The viewer has gone.
            None => self.connection.cancel(),
        }
    }

    async fn pictures(&self, clip: &Arc<Clip>) -> Option<End> {
        let camera = &self.shared.camera;
        let seed = u32::from(self.shared.port) * 7919 + u32::try_from(self.number).unwrap_or(0);
        let mut packets = Packetizer::new(Arc::clone(camera), Arc::clone(clip), seed);
        let mut strangers = camera.stranger.as_ref().map(|stranger| {
            let clip = Arc::clone(&stranger.clip);
            let plain = super::Camera::new(Arc::clone(&clip));
            let packets = Packetizer::new(Arc::new(plain), clip, !seed);
            (packets, stranger.ahead)
        });
        let begun = time::Instant::now();
        for n in 0.. {
            let key = packets.begin(n);
            let mut turn = Turn {
                picture: n,
                key,
                ssrc: packets.ssrc,
                channel: self.channel(),
                reports: self.session.reports.swap(0, Ordering::Relaxed),
                sdp: &self.sdp,
                sequence: packets.sequence,
                write: Vec::new(),
                rtcp: Vec::new(),
                skip: false,
                end: None,
            };
            (camera.before)(&mut turn);
            packets.sequence = turn.sequence;
            if !turn.write.is_empty() {
                self.write(&turn.write).await?;
            }
            for packet in &turn.rtcp {
                self.rtcp(packet).await?;
            }
            if turn.end.is_some() {
                return turn.end;
            }
            if let Some((packets, ahead)) = &mut strangers {
                packets.begin(n + *ahead);
                self.rtp(&packets.picture(n + *ahead)).await?;
            }
            let picture = packets.picture(n);
            if !turn.skip {
                self.rtp(&picture).await?;
                self.count(n);
            }
            let burst = u64::from(camera.burst);
            let next = (n + 1) / burst * burst;
            let due = Duration::from_secs(1).mul_f64(next as f64 / f64::from(clip.rate));
            time::sleep_until(begun + due).await;
            let alive = *self.session.alive.lock();
            if camera
                .timeout
                .is_some_and(|time| !time.is_zero() && alive.elapsed() > time + LENIENCE)
            {
                return Some(End::Close);
            }
        }
        None
    }

    async fn recorded(&self, recording: &Recording) -> Option<End> {
        if recording.is_silent() {
            std::future::pending::<()>().await;
        }
        let begun = time::Instant::now();
        for n in 0.. {
            let (due, is_rtcp, packet) = recording.packet(n)?;
            time::sleep_until(begun + due).await;
            if is_rtcp {
                self.rtcp(&packet).await?;
            } else {
                self.rtp(&[packet]).await?;
                self.count(n);
            }
        }
        None
    }

    fn count(&self, n: u64) {
        let mut seen = self.shared.seen.lock();
        seen.pictures += 1;
        if n + 1 == TAKEN {
            seen.played.push(Instant::now());
        }
    }

    fn channel(&self) -> u8 {
        match self.way {
            Way::Tcp { channel, .. } => channel,
            Way::Udp { .. } => 0,
        }
    }

    /// None where the viewer is gone, or does not read.
    async fn write(&self, bytes: &[u8]) -> Option<()> {
        let written = async { self.wire.lock().await.write_all(bytes).await };
        time::timeout(PATIENCE, written).await.ok()?.ok()
    }

    async fn rtp(&self, packets: &[Vec<u8>]) -> Option<()> {
        match &self.way {
            Way::Tcp { wire, channel } => {
                let bytes: Vec<u8> = packets
                    .iter()
                    .flat_map(|packet| framed(*channel, packet))
                    .collect();
                let written = async { wire.lock().await.write_all(&bytes).await };
                time::timeout(PATIENCE, written).await.ok()?.ok()
            }
            Way::Udp { rtp, .. } => {
                self.datagrams(rtp, packets).await;
                Some(())
            }
        }
    }

    async fn datagrams(&self, socket: &UdpSocket, packets: &[Vec<u8>]) {
        let lossy = self.shared.camera.lossy;
        let number = |packet: &[u8]| u32::from(packet[2]) << 8 | u32::from(packet[3]);
        let hits = |share: u32, packet: &[u8]| share > 0 && number(packet).is_multiple_of(share);
        let mut held: Option<&Vec<u8>> = None;
        for packet in packets {
            if hits(lossy.lose, packet) {
                continue;
            }
            if held.is_none() && hits(lossy.swap, packet) {
                held = Some(packet);
                continue;
            }
            // A viewer that is gone answers by ICMP; the connection tells.
            let _ = socket.send(packet).await;
            if let Some(late) = held.take() {
                let _ = socket.send(late).await;
            }
        }
        if let Some(late) = held {
            let _ = socket.send(late).await;
        }
    }

    async fn rtcp(&self, packet: &[u8]) -> Option<()> {
        match &self.way {
            Way::Tcp { channel, .. } => self.write(&framed(channel.wrapping_add(1), packet)).await,
            Way::Udp { rtcp, .. } => {
                let _ = rtcp.send(packet).await;
                Some(())
            }
        }
    }
}

/// An interleaved packet (RFC 2326, 10.12).
pub(super) fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    let mut frame = vec![b'$', channel];
    frame.extend(length.to_be_bytes());
    frame.extend(&packet[..usize::from(length)]);
    frame
}
