//! What is wrong with a stream whose session goes on, as sentences for people, each told once. Pure.

use std::time::{Duration, Instant};

use super::protocol::sdp::Encoding;
use crate::{flow::Problem, ingest::SourceState};

/// Losses are counted over this long ...
const WINDOW: Duration = Duration::from_secs(5);
/// ... and over at least so many packets.
const ENOUGH: u64 = 50;
/// From which share of lost packets on pictures suffer, in percent, and below which they are well again.
const LOSSY: u64 = 2;
const SOUND: u64 = 1;

/// Packets of a session that arrived, and that did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Arrivals {
    pub(super) arrived: u64,
    pub(super) lost: u64,
}

/// By which way packets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Over the session's connection, which loses nothing.
    Connection,
    /// As datagrams; with the system's bound on what may arrive at once, in bytes, where that is
    /// too low for keyframes.
    Datagrams { capped: Option<usize> },
}

/// The ailments of one session.
pub(super) struct Diagnostics {
    host: String,
    way: Way,
    /// What the description says, and what comes.
    disagree: Option<(Encoding, Encoding)>,
    /// Percent, while it is worth a word.
    lost: Option<u64>,
    clock: bool,
    told: Option<Ailment>,
    counted: Option<(Instant, Arrivals)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ailment {
    Losses,
    Clock,
    Codec,
}

impl Diagnostics {
    /// Nothing is known yet of the camera at `host`.
    pub(super) fn new(host: &str, way: Way) -> Self {
        Self {
            host: host.to_owned(),
            way,
            disagree: None,
            lost: None,
            clock: false,
            told: None,
            counted: None,
        }
    }

    /// The description says one encoding, and another comes.
    pub(super) fn disagrees(&mut self, said: Encoding, shown: Encoding) -> Option<SourceState> {
        self.disagree = Some((said, shown));
        self.news()
    }

    /// Whether timestamps are relied on. Gives what is to be told, if that is news.
    pub(super) fn clock(&mut self, relied: bool) -> Option<SourceState> {
        self.clock = !relied;
        self.news()
    }

    /// Whether packets come over the connection.
    pub(super) fn connected(&self) -> bool {
        self.way == Way::Connection
    }

    /// What has arrived and was lost since the session's start.
    pub(super) fn losses(&mut self, so_far: Arrivals, now: Instant) -> Option<SourceState> {
        let (since, before) = *self.counted.get_or_insert((now, so_far));
        let lost = so_far.lost.saturating_sub(before.lost);
        let all = lost + so_far.arrived.saturating_sub(before.arrived);
        if now.duration_since(since) < WINDOW || all < ENOUGH {
            return None;
        }
        self.counted = Some((now, so_far));
        let percent = lost * 100 / all;
        if percent >= LOSSY {
            self.lost = Some(percent);
        } else if percent < SOUND {
            self.lost = None;
        }
        self.news()
    }

    fn news(&mut self) -> Option<SourceState> {
        let ailment = match (self.lost, self.clock, self.disagree) {
            (Some(_), _, _) => Some(Ailment::Losses),
            (None, true, _) => Some(Ailment::Clock),
            (None, false, Some(_)) => Some(Ailment::Codec),
            (None, false, None) => None,
        };
        if ailment == self.told {
            return None;
        }
        self.told = ailment;
        Some(SourceState::Impaired(ailment.map(|it| self.problem(it))))
    }

    fn problem(&self, ailment: Ailment) -> Problem {
        let host = &self.host;
        match ailment {
            Ailment::Losses => {
                let lost = self.lost.unwrap_or(0);
                let on_the_way = format!(
                    "camera {host} loses {lost} of 100 packets on the way, so pictures are damaged"
                );
                let (message, hint) = match self.way {
                    Way::Connection => (
                        format!(
                            "camera {host} leaves out {lost} of 100 packets, so pictures are damaged"
                        ),
                        "it cannot send as much as it encodes: lower the bit rate or the frame rate of this stream, or improve the camera's network".to_owned(),
                    ),
                    Way::Datagrams { capped: None } => (
                        on_the_way,
                        "set `transport = \"tcp\"` for it, or improve its network".to_owned(),
                    ),
                    Way::Datagrams { capped: Some(bytes) } => (
                        on_the_way,
                        format!(
                            "set `transport = \"tcp\"` for it, or improve its network; this system also holds only {} kB of what arrives at once: run `sysctl -w net.core.rmem_max=2097152`",
                            bytes / 1024
                        ),
                    ),
                };
                Problem { message, hint }
            }
            Ailment::Codec => {
                let (said, shown) = self.disagree.map_or(("", ""), |(a, b)| (a.name(), b.name()));
                Problem {
                    message: format!(
                        "camera {host} announces {said} and sends {shown}; it is watched as {shown}"
                    ),
                    hint: format!(
                        "set the codec of this stream to {shown} once more in the camera's settings, and update its firmware"
                    ),
                }
            }
            Ailment::Clock => Problem {
                message: format!(
                    "the timestamps of camera {host} are of no use, so its pictures are timed by their arrival"
                ),
                hint: "restart the camera, and check its frame rate and that its firmware is up to date"
                    .to_owned(),
            },
        }
    }

    /// For when data comes but nothing that can be decoded; `units`: whole pictures are among it.
    pub(super) fn unusable(&self, units: bool) -> Problem {
        let host = &self.host;
        if units {
            Problem {
                message: format!(
                    "camera {host} sends pictures but no keyframe yet, without which none can be decoded"
                ),
                hint: "set its \"I-frame interval\" (or \"GOP length\") to 1 or 2 seconds"
                    .to_owned(),
            }
        } else {
            Problem {
                message: format!(
                    "camera {host} sends data that no picture can be made of: its parameter sets are missing, or it is damaged"
                ),
                hint: "restart the camera; if this goes on, choose another codec or profile in its settings, and check its network"
                    .to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: Option<SourceState>) -> Option<Option<String>> {
        match state? {
            SourceState::Impaired(problem) => Some(problem.map(|problem| problem.message)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn losses_are_told_once_and_come_before_the_clock() {
        let mut quality = Diagnostics::new("10.0.0.2", Way::Datagrams { capped: None });
        let start = Instant::now();
        let count = |quality: &mut Diagnostics, seconds, arrived, lost| {
            let now = start + Duration::from_secs(seconds);
            told(quality.losses(Arrivals { arrived, lost }, now))
        };
        assert_eq!(count(&mut quality, 0, 0, 0), None);
        assert_eq!(count(&mut quality, 4, 70, 30), None, "too soon");
        let lossy = count(&mut quality, 6, 70, 30).unwrap().unwrap();
        assert!(lossy.contains("30 of 100 packets"), "{lossy}");
        assert_eq!(count(&mut quality, 12, 140, 60), None, "told already");
        assert_eq!(told(quality.clock(false)), None);
        let clock = count(&mut quality, 18, 300, 60).unwrap().unwrap();
        assert!(clock.contains("timestamps"), "{clock}");
        assert_eq!(told(quality.clock(true)), Some(None));
    }
}
