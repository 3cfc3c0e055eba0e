//! A session that `lares check --record` wrote down, read to be played again.
//!
//! JSON lines: first a [`Head`], then in order of time what was [`said`](Line::Said) and [`heard`](Line::Heard) on the
//! connection, and every [`packet`](Line::Packet) of the video track in base64. What the writer takes out of it is
//! described in docs/cameras.md.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// The newest version of the format.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`VERSION`].
    pub lares_recording: u32,
    /// The program that wrote it.
    pub program: String,
    /// Slices are as the camera sent them: it shows what the camera saw.
    pub pictures: bool,
}

/// Any other line. Times are in seconds since the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A message of ours.
    Said {
        /// When.
        at: f64,
        /// The message.
        said: String,
    },
    /// A message of the camera.
    Heard {
        /// When.
        at: f64,
        /// The message.
        heard: String,
    },
    /// A packet of the video track.
    Packet {
        /// When.
        at: f64,
        /// It is RTCP.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rtcp: bool,
        /// Its bytes in base64.
        packet: String,
    },
}

/// Why a recording cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// A line is not of the format.
    #[error(
        "line {line} of the recording cannot be read: make it again with `lares check --record`"
    )]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// There is no description, or no packet.
    #[error("the recording holds no {what}: make it again while the camera sends pictures")]
    Incomplete {
        /// What is missing.
        what: &'static str,
    },
}

/// A recorded camera.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its description.
    pub sdp: String,
    packets: Vec<Recorded>,
    lap: Lap,
}

#[derive(Debug, Clone)]
struct Recorded {
    at: Duration,
    rtcp: bool,
    bytes: Vec<u8>,
}

/// What is added each time that the recording begins again.
#[derive(Debug, Clone, Copy, Default)]
struct Lap {
    time: Duration,
    sequence: u16,
    ticks: u32,
}

impl Recording {
    /// Reads the lines.
    ///
    /// # Errors
    /// When a line is not of the format, or no description or no packet is among them.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().map(|(_, line)| line).unwrap_or_default();
        let head: Result<Head, _> = serde_json::from_str(head);
        if head.is_ok_and(|head| head.lares_recording != VERSION) {
            return Err(RecordingError::Line { line: 1 });
        }
        let (mut sdp, mut packets) = (None, Vec::new());
        for (index, line) in lines {
            let bad = RecordingError::Line { line: index + 1 };
            match serde_json::from_str(line).map_err(|_| bad.clone())? {
                Line::Heard { heard, .. } => {
                    let described = heard.split_once("\r\n\r\n").map(|(_, body)| body);
                    sdp = described
                        .filter(|body| body.starts_with("v="))
                        .map(str::to_owned)
                        .or(sdp);
                }
                Line::Said { .. } => {}
                Line::Packet { at, rtcp, packet } => packets.push(Recorded {
                    at: Duration::try_from_secs_f64(at).map_err(|_| bad.clone())?,
                    rtcp,
                    bytes: STANDARD.decode(packet).map_err(|_| bad)?,
                }),
            }
        }
        let sdp = sdp.ok_or(RecordingError::Incomplete {
            what: "description",
        })?;
        let lap = Lap::of(&packets).ok_or(RecordingError::Incomplete { what: "pictures" })?;
        let first = packets[0].at;
        for packet in &mut packets {
            packet.at = packet.at.saturating_sub(first);
        }
        Ok(Self { sdp, packets, lap })
    }

    /// Packet `n` of the endless loop: when, whether it is RTCP, and its bytes.
    pub(super) fn packet(&self, n: u64) -> Option<(Duration, bool, Vec<u8>)> {
        let count = self.packets.len() as u64;
        let lap = u32::try_from(n / count).ok()?;
        let packet = &self.packets[usize::try_from(n % count).ok()?];
        let mut bytes = packet.bytes.clone();
        if !packet.rtcp
            && let Some((_, [s0, s1, t0, t1, t2, t3, ..])) = bytes.split_at_mut_checked(2)
        {
            let step = self.lap.sequence.wrapping_mul(lap as u16);
            let sequence = u16::from_be_bytes([*s0, *s1]).wrapping_add(step);
            [*s0, *s1] = sequence.to_be_bytes();
            let step = self.lap.ticks.wrapping_mul(lap);
            let stamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]).wrapping_add(step);
            [*t0, *t1, *t2, *t3] = stamp.to_be_bytes();
        }
        Some((packet.at + self.lap.time * lap, packet.rtcp, bytes))
    }
}

impl Lap {
    /// From the first packet to where the next would come.
    fn of(packets: &[Recorded]) -> Option<Self> {
        let rtp = || packets.iter().filter(|packet| !packet.rtcp);
        let read = |packet: &Recorded| {
            let b = packet.bytes.get(2..8)?;
            let sequence = u16::from_be_bytes([b[0], b[1]]);
            Some((sequence, u32::from_be_bytes([b[2], b[3], b[4], b[5]])))
        };
        let ((first, begin), (last, end)) = (read(rtp().next()?)?, read(rtp().next_back()?)?);
        let (from, to) = (packets.first()?.at, packets.last()?.at);
        let mut stamps: Vec<u32> = rtp().filter_map(read).map(|(_, stamp)| stamp).collect();
        stamps.dedup();
        let steps = u32::try_from(stamps.len().saturating_sub(1)).ok()?.max(1);
        let ticks = end.wrapping_sub(begin);
        Some(Self {
            time: to.saturating_sub(from) * (steps + 1) / steps,
            sequence: last.wrapping_sub(first).wrapping_add(1),
            ticks: ticks.wrapping_add(ticks / steps),
        })
    }
}
