//! The `[hub]` of a configuration.

use std::{net::SocketAddr, path::Path};

use super::{
    ByteSize, HubConfig,
    load::{DAY, HOUR},
    read::Section,
};
use crate::flow::SiteId;

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
