//! Bytes and packets on the wire, counted by a proxy that knows nothing of Lares: tests/wire.py.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::{free_port, process::Process, store::python, wait_for};

/// IPv4 and TCP headers with timestamps, in bytes.
pub(crate) const HEADERS: u64 = 52;

/// A proxy in front of some ports.
pub(crate) struct Wire {
    _process: Process,
    record: PathBuf,
    /// Where to connect instead of each target, in their order.
    pub(crate) ports: Vec<u16>,
}

/// What went through a port.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) connections: u64,
    pub(crate) up_bytes: u64,
    pub(crate) up_packets: u64,
    pub(crate) down_bytes: u64,
    pub(crate) down_packets: u64,
}

impl Count {
    /// What the client sent, with the headers of its packets.
    pub(crate) fn up(&self) -> u64 {
        self.up_bytes + HEADERS * self.up_packets
    }

    /// What the client was sent.
    pub(crate) fn down(&self) -> u64 {
        self.down_bytes + HEADERS * self.down_packets
    }
}

/// A piece that was handed on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    /// Seconds of Unix time.
    pub(crate) at: f64,
    pub(crate) bytes: u64,
}

impl Wire {
    /// Starts it in front of `targets`, ports of loopback. The record is a file in `dir`.
    pub(crate) fn start(dir: &Path, targets: &[u16]) -> Self {
        let record = dir.join("wire");
        let ports: Vec<_> = targets.iter().map(|_| free_port()).collect();
        let pairs = ports
            .iter()
            .zip(targets)
            .map(|(port, target)| format!("{port}:{target}"));
        let process = Process::start(python("wire.py").args(pairs), &record);
        let this = Self {
            _process: process,
            record,
            ports,
        };
        wait_for("counting proxy", Duration::from_secs(20), || {
            let text = fs::read_to_string(&this.record).unwrap();
            text.starts_with("ready\n").then_some(())
        });
        this
    }

    fn lines(&self, port: u16, what: &str) -> Vec<Value> {
        let text = fs::read_to_string(&self.record).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole.lines().skip(1).map(|line| -> Value {
            serde_json::from_str(line).unwrap_or_else(|_| panic!("the proxy failed: {line}"))
        });
        lines
            .filter(|line| line["what"] == what && line["port"] == port)
            .collect()
    }

    /// Sums of a port, as they were at `before` (seconds of Unix time).
    pub(crate) fn count_before(&self, port: u16, before: f64) -> Count {
        let lines = self.lines(port, "count");
        let Some(line) = lines
            .iter()
            .rfind(|line| line["at"].as_f64().unwrap() < before)
        else {
            return Count::default();
        };
        let number = |key: &str| line[key].as_u64().unwrap();
        Count {
            connections: number("connections"),
            up_bytes: number("up_bytes"),
            up_packets: number("up_packets"),
            down_bytes: number("down_bytes"),
            down_packets: number("down_packets"),
        }
    }

    /// Sums of a port.
    pub(crate) fn count(&self, port: u16) -> Count {
        self.count_before(port, f64::MAX)
    }

    /// What the client sent, piece by piece.
    pub(crate) fn sent(&self, port: u16) -> Vec<Chunk> {
        let lines = self.lines(port, "chunk").into_iter();
        lines
            .filter(|line| line["direction"] == "up")
            .map(|line| Chunk {
                at: line["at"].as_f64().unwrap(),
                bytes: line["bytes"].as_u64().unwrap(),
            })
            .collect()
    }
}
