//! The `[hub]` of a configuration.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use super::{
    ByteSize,
    load::{DAY, HOUR},
    read::Section,
};
use crate::flow::SiteId;

/// The hub.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HubConfig {
    /// Where its files live.
    pub dir: PathBuf,
    /// Where the page listens.
    pub listen: SocketAddr,
    /// Where boxes upload to.
    pub store_listen: SocketAddr,
    /// Where boxes send their alerts to.
    pub broker_listen: SocketAddr,
    /// Further boxes, beside the one that the hub runs in.
    pub sites: Vec<SiteId>,
    /// Names by which browsers may ask for the page, beside addresses and the machine's own name.
    pub names: Vec<String>,
    /// Incidents are deleted when they are this old.
    pub retention: Duration,
    /// Most bytes of uploads.
    pub quota: ByteSize,
}

impl HubConfig {
    /// Defaults, with files in `dir`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            dir,
            listen: loopback(8080),
            store_listen: loopback(9000),
            broker_listen: loopback(1883),
            sites: Vec::new(),
            names: Vec::new(),
            retention: Duration::from_secs(30 * 24 * 3600),
            quota: ByteSize::mb(20_000),
        }
    }
}

/// None where it is not enabled.
pub(super) fn hub(section: Section<'_>, data_dir: &Path) -> Option<HubConfig> {
    let enabled = section.flag("enabled", false);
    let dir = section.path("dir").unwrap_or_else(|| data_dir.join("hub"));
    let defaults = HubConfig::new(dir);
    let address = |key, default: SocketAddr| section.parsed(key).unwrap_or(default);
    let config = HubConfig {
        listen: address("listen", defaults.listen),
        store_listen: address("store_listen", defaults.store_listen),
        broker_listen: address("broker_listen", defaults.broker_listen),
        sites: sites(&section),
        names: section.words("names").unwrap_or_default(),
        retention: section.duration("retention", defaults.retention, HOUR, DAY * 365),
        quota: section.parsed("quota").unwrap_or(defaults.quota),
        dir: defaults.dir,
    };
    if config.quota < ByteSize::mb(100) && section.has("quota") {
        section.problem("quota", "is too small: choose \"100 MB\" or more");
    }
    section.done();
    enabled.then_some(config)
}

fn sites(section: &Section<'_>) -> Vec<SiteId> {
    let words = section.words("sites").unwrap_or_default();
    let mut sites = Vec::new();
    for word in words {
        match word.parse() {
            Ok(site) => sites.push(site),
            Err(error) => section.problem("sites", format!("{error}")),
        }
    }
    sites
}
