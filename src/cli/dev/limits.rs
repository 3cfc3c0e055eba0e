//! What a bench is measured against: other programs on the same stream, in the same run, with the same clock.
//!
//! Three plain GStreamer pipelines with `rtspsrc` and none of our code, and our own session that receives and does nothing
//! else. Each is a process of its own, and its CPU time is read from `/proc`.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::Context;
use serde::Serialize;

use super::test_services::Neighbour;
use crate::{
    base::cpu::StageCpu,
    flow::{Codec, StreamRole},
    ingest::FileSource,
};

/// CPU seconds: so far, or for each second of a camera.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Limits {
    /// GStreamer receives.
    pub(super) receive: f64,
    /// GStreamer decodes keyframes.
    pub(super) keyframes: f64,
    /// GStreamer decodes everything.
    pub(super) full_decode: f64,
    /// Our own session receives.
    pub(super) receive_own: f64,
}

impl Limits {
    /// For each second, over the last `seconds`.
    pub(super) fn since(&self, before: &Self, seconds: f64) -> Self {
        let each = |of: fn(&Self) -> f64| {
            let spent = (of(self) - of(before)) / seconds;
            (spent * 100_000.0).round() / 100_000.0
        };
        Self {
            receive: each(|limits| limits.receive),
            keyframes: each(|limits| limits.keyframes),
            full_decode: each(|limits| limits.full_decode),
            receive_own: each(|limits| limits.receive_own),
        }
    }
}

/// The processes; they end with this.
pub(super) struct Yardsticks {
    plain: [Neighbour; 3],
    own: Neighbour,
}

impl Yardsticks {
    /// Starts them on the stream at `url`, which serves `video`.
    pub(super) fn start(url: &str, video: &Path) -> anyhow::Result<Self> {
        let (depay, parse, decode) = if is_h265(video)? {
            ("rtph265depay", "h265parse", "avdec_h265")
        } else {
            ("rtph264depay", "h264parse", "avdec_h264")
        };
        let receive = format!("rtspsrc location={url} protocols=tcp latency=0 ! {depay} ! {parse}");
        let gst_launch = |tail: &str| {
            let mut command = Command::new("gst-launch-1.0");
            command
                .arg("-q")
                .args(format!("{receive} ! {tail}").split_whitespace());
            start(&mut command, "Install it: apt install gstreamer1.0-tools")
        };
        let mut own =
            Command::new(std::env::current_exe().context("cannot find the program itself")?);
        own.args(["receive", url]);
        Ok(Self {
            plain: [
                gst_launch("fakesink sync=false")?,
                gst_launch(&format!(
                    "identity drop-buffer-flags=delta-unit ! {decode} max-threads=1 ! fakesink sync=false"
                ))?,
                gst_launch(&format!("{decode} max-threads=1 ! fakesink sync=false"))?,
            ],
            own: start(&mut own, "Build the program again.")?,
        })
    }

    /// What each has used so far.
    pub(super) fn cpu(&self) -> anyhow::Result<Limits> {
        let [receive, keyframes, full_decode] = &self.plain;
        Ok(Limits {
            receive: cpu_of(receive.id())?,
            keyframes: cpu_of(keyframes.id())?,
            full_decode: cpu_of(full_decode.id())?,
            receive_own: cpu_of(self.own.id())?,
        })
    }
}

fn start(command: &mut Command, advice: &str) -> anyhow::Result<Neighbour> {
    let name = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Neighbour::spawn(command, &name, advice)
}

/// Whether the file's sample entry says HEVC: the bench only needs to pick a decoder.
fn is_h265(video: &Path) -> anyhow::Result<bool> {
    FileSource::open(video, StreamRole::Sub, StageCpu::default())
        .map(|source| source.format().codec == Codec::H265)
        .with_context(|| format!("{}", video.display()))
}

/// User and system seconds of a process, from `/proc/PID/stat` (proc(5), fields 14 and 15).
fn cpu_of(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context(
        "a program that the bench compares with ended: run `gst-launch-1.0` by hand to see why",
    )?;
    let fields: Vec<_> = stat
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok());
    let (user, system) = ticks(11)
        .zip(ticks(12))
        .context("cannot read /proc/PID/stat")?;
    Ok((user + system) / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_for_each_second() {
        let at = |own| Limits {
            receive: 1.0,
            keyframes: 2.0,
            full_decode: 3.0,
            receive_own: own,
        };
        let each = at(0.5).since(&at(0.2), 30.0);
        assert_eq!((each.receive, each.receive_own), (0.0, 0.01));
    }
}
