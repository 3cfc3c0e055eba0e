//! How the box is doing: the JSON on the `health` topic and behind `/healthz`.

use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::flow::{CameraId, ClockState, DegradationLevel, SiteId, WallTime};

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Version of this document.
    pub v: u32,
    /// The household.
    pub site: SiteId,
    /// When this was written, UTC milliseconds.
    pub at: WallTime,
    /// Version of the program.
    pub version: String,
    /// True when every camera and sink is well, the disk has room, the clock is right and no thread hangs.
    pub ok: bool,
    /// In a message: when the next one comes at the latest, UTC milliseconds. Silence after that means that the box is in
    /// trouble, even while the broker takes it for connected. None on the page.
    #[serde(default)]
    pub next_by: Option<WallTime>,
    /// What is wrong with disk, clock or threads, in one sentence each.
    #[serde(default)]
    pub problems: Vec<String>,
    /// Whether wall times can be trusted.
    pub clock: ClockState,
    /// Each camera.
    pub cameras: Vec<CameraHealth>,
    /// Each receiver.
    pub sinks: Vec<SinkHealth>,
    /// The data disk.
    pub disk: DiskHealth,
    /// What has left.
    pub budget: BudgetHealth,
    /// Newest entry of the ledger; none while it is empty.
    pub ledger: Option<LedgerHead>,
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraHealth {
    /// Which.
    pub id: CameraId,
    /// Its display name.
    #[serde(default)]
    pub name: Option<String>,
    /// `online`, `offline` or `suspended`.
    pub state: String,
    /// What is wrong, in one sentence.
    pub problem: Option<String>,
}

/// One receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkHealth {
    /// `mqtt` or `upload`.
    pub name: String,
    /// Whether it takes things now.
    pub up: bool,
    /// Rows that wait for it.
    pub waiting: u64,
    /// Rows that it refused and that wait for a person to look.
    pub parked: u64,
    /// What is wrong, in one sentence.
    pub problem: Option<String>,
}

/// The data disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskHealth {
    /// Bytes of clips and pictures that are kept.
    pub stored: u64,
    /// Most that may be kept.
    pub quota: u64,
    /// Free bytes of the disk.
    pub free: u64,
}

/// Bytes that have left the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BudgetHealth {
    /// In the last 24 hours.
    pub last_day: u64,
    /// In the last 30 days.
    pub last_30_days: u64,
    /// What leaves now; none where nothing is limited.
    pub rung: Option<DegradationLevel>,
    /// Today's bytes, where they are limited.
    pub day: Option<Allowance>,
    /// This month's bytes, where they are limited.
    pub month: Option<Allowance>,
    /// Bytes of the whole month, if it goes on as it did.
    pub forecast: Option<u64>,
    /// Lanes of the outbox that wait because of the budget.
    pub held: u64,
}

/// A limit, and how much of it is gone, in estimated bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Most bytes.
    pub limit: u64,
    /// Bytes that have left.
    pub spent: u64,
    /// Of these, text: it leaves even when the limit is reached.
    pub text: u64,
    /// When it is renewed.
    pub ends: WallTime,
}

/// Where the ledger stands; a hub keeps it to notice a shortened ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHead {
    /// Number of the newest entry.
    pub n: u64,
    /// Its hash, hexadecimal.
    pub hash: String,
}

impl Health {
    /// An empty report.
    #[must_use]
    pub fn new(site: SiteId, at: WallTime, clock: ClockState, disk: DiskHealth) -> Self {
        Self {
            v: VERSION,
            site,
            at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ok: true,
            next_by: None,
            problems: Vec::new(),
            clock,
            cameras: Vec::new(),
            sinks: Vec::new(),
            disk,
            budget: BudgetHealth::default(),
            ledger: None,
        }
    }

    /// The document.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data always serialises")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_the_contract() {
        let disk = DiskHealth {
            stored: 12_345,
            quota: 2_000_000_000,
            free: 9_000_000_000,
        };
        let mut health = Health::new(
            "home".parse().unwrap(),
            WallTime(1_770_000_000_000),
            ClockState::Good,
            disk,
        );
        health.version = "0.0.0".to_owned();
        health.ok = false;
        health.next_by = Some(WallTime(1_770_003_960_000));
        health
            .problems
            .push("the data disk is nearly full".to_owned());
        health.cameras.push(CameraHealth {
            id: "door".parse().unwrap(),
            name: Some("Front door".to_owned()),
            state: "offline".to_owned(),
            problem: Some("the camera does not answer".to_owned()),
        });
        health.sinks.push(SinkHealth {
            name: "mqtt".to_owned(),
            up: true,
            waiting: 2,
            parked: 0,
            problem: None,
        });
        health.ledger = Some(LedgerHead {
            n: 7,
            hash: "00ff".to_owned(),
        });
        insta::assert_snapshot!(health.to_json());
        assert_eq!(
            serde_json::from_str::<Health>(&health.to_json()).unwrap(),
            health
        );
    }
}
