//! A session that `lares check --record` wrote down, read to be played again.
//!
//! Its format is [`crate::wire::recording`].

use std::{collections::BTreeMap, time::Duration};

use super::message::{Answer, Request};
use crate::wire::recording::{Head, Line, VERSION};
use base64::{Engine, engine::general_purpose::STANDARD};

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
    /// Nothing was heard of the camera.
    #[error(
        "the recording holds no answer of the camera: make it again while the camera can be reached"
    )]
    Empty,
}

/// A recorded camera.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its last answer to each method.
    answers: BTreeMap<String, Answer>,
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

/// Headers that every session has its own of.
const OF_SESSIONS: &[&str] = &[
    "cseq",
    "content-length",
    "session",
    "transport",
    "www-authenticate",
    "rtp-info",
];

impl Recording {
    /// Reads the lines.
    ///
    /// # Errors
    /// When a line is not of the format, or the camera said nothing.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().map(|(_, line)| line).unwrap_or_default();
        let head: Head =
            serde_json::from_str(head).map_err(|_| RecordingError::Line { line: 1 })?;
        if head.lares_recording != VERSION {
            return Err(RecordingError::Line { line: 1 });
        }
        let (mut answers, mut packets, mut asked) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for (index, line) in lines {
            let bad = RecordingError::Line { line: index + 1 };
            match serde_json::from_str(line).map_err(|_| bad.clone())? {
                Line::Said { said, .. } => {
                    let request = Request::parse(&said);
                    let cseq = request.header("cseq").unwrap_or_default().to_owned();
                    asked.insert(cseq, request.method);
                }
                Line::Heard { heard, .. } => {
                    if let Some((cseq, answer)) = answer(&heard)
                        && let Some(method) = asked.get(&cseq)
                    {
                        answers.insert(method.clone(), answer);
                    }
                }
                Line::Packet { at, rtcp, packet } => packets.push(Recorded {
                    at: Duration::try_from_secs_f64(at).map_err(|_| bad.clone())?,
                    rtcp,
                    bytes: STANDARD.decode(packet).map_err(|_| bad)?,
                }),
            }
        }
        if answers.is_empty() {
            return Err(RecordingError::Empty);
        }
        let first = packets.first().map_or(Duration::ZERO, |packet| packet.at);
        for packet in &mut packets {
            packet.at = packet.at.saturating_sub(first);
        }
        Ok(Self {
            answers,
            lap: Lap::of(&packets).unwrap_or_default(),
            packets,
        })
    }

    /// What the camera answered where another would answer `plain`.
    pub(super) fn answer(&self, request: &Request, plain: Answer, port: u16) -> Answer {
        let Some(recorded) = self.answers.get(&request.method) else {
            return plain;
        };
        if !recorded.is_ok() || !plain.is_ok() {
            return if recorded.is_ok() {
                plain
            } else {
                recorded.clone()
            };
        }
        let of_session = |line: &String| {
            let name = line.split(':').next().unwrap_or_default();
            OF_SESSIONS.contains(&name.trim().to_ascii_lowercase().as_str())
        };
        let here = format!("127.0.0.1:{port}");
        let mut answer = recorded.clone();
        for line in &mut answer.headers {
            *line = line.replace("://camera", &format!("://{here}"));
        }
        let sessions = plain.headers.into_iter().filter(of_session);
        answer.headers.extend(sessions);
        answer
    }

    /// Whether there is something to play.
    pub(super) fn is_silent(&self) -> bool {
        self.packets.is_empty()
    }

    /// Packet `n` of the endless loop: when, whether it is RTCP, and its bytes.
    pub(super) fn packet(&self, n: u64) -> Option<(Duration, bool, Vec<u8>)> {
        let count = self.packets.len().max(1) as u64;
        let lap = u32::try_from(n / count).ok()?;
        let packet = self.packets.get(usize::try_from(n % count).ok()?)?;
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

/// An answer with its number; none where it is no answer.
fn answer(text: &str) -> Option<(String, Answer)> {
    let (head, body) = ["\r\n\r\n", "\n\n"]
        .iter()
        .find_map(|end| text.split_once(end))
        .unwrap_or((text, ""));
    let mut lines = head.lines();
    let (_, status) = lines.next()?.split_once(' ')?;
    head.starts_with("RTSP/").then_some(())?;
    let mut cseq = String::new();
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "cseq" => cseq = value.trim().to_owned(),
            known if OF_SESSIONS.contains(&known) => {}
            _ => headers.push(line.to_owned()),
        }
    }
    let answer = Answer {
        status: status.to_owned(),
        headers,
        body: body.as_bytes().to_vec(),
    };
    Some((cseq, answer))
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
