//! The `[hub]` of a configuration.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use serde::Serialize;

use super::reader::{Section, defaults};
use crate::{
    config::{ByteSize, MqttConfig, UploadConfig},
    flow::SiteId,
};

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
    pub server_names: Vec<String>,
    /// Networks of reverse proxies whose word on a browser's address and encryption counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Certificate and private key of ports that others than this machine can reach; none: one that the hub makes.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Those ports speak plain HTTP and MQTT.
    pub plain_http: bool,
    /// While nobody has an account, every visitor of the page may change everything. Only the demo says so, and no file can.
    #[serde(skip)]
    pub open_page: bool,
    /// Incidents are deleted when they are this old.
    pub retention: Duration,
    /// Most bytes of uploads.
    pub quota: ByteSize,
    /// The broker that boxes send their alerts to; none: the hub has its own, where somebody needs it.
    pub broker: Option<MqttConfig>,
    /// The store that boxes upload to; none: the hub is one, where somebody needs it.
    pub store: Option<UploadConfig>,
    /// The configuration asks for the hub's own broker, whether or not there are other boxes.
    pub broker_wanted: bool,
    /// The same of its store.
    pub store_wanted: bool,
}

impl HubConfig {
    /// Whether boxes elsewhere send to this hub.
    #[must_use]
    pub fn has_other_boxes(&self) -> bool {
        !self.sites.is_empty()
    }

    /// Defaults, with files in `dir`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        let others = Others {
            mqtt: None,
            upload: None,
        };
        defaults("hub", |section| settings(&section, dir, &others))
    }
}

/// Others than the hub's own, which `broker` and `store` may choose.
pub(in crate::config) struct Others<'a> {
    /// `[mqtt]`; the outer one says whether it is written.
    pub(in crate::config) mqtt: Option<&'a Option<MqttConfig>>,
    /// `[upload]`.
    pub(in crate::config) upload: Option<&'a Option<UploadConfig>>,
}

/// None where it is not enabled.
pub(in crate::config) fn hub(
    section: Section<'_>,
    data_dir: &Path,
    others: &Others<'_>,
) -> Option<HubConfig> {
    let enabled = section.flag("enabled");
    let dir = section.path("dir").unwrap_or_else(|| data_dir.join("hub"));
    let config = settings(&section, dir, others);
    if let Some(store) = &config.store
        && store.url.scheme().starts_with("webdav")
    {
        section.problem(
            "store",
            "is \"external\", but the page cannot read a WebDAV server: write s3:// or file:// in upload.url, or leave store out",
        );
    }
    section.done();
    enabled.then_some(config)
}

fn settings(section: &Section<'_>, dir: PathBuf, others: &Others<'_>) -> HubConfig {
    let (broker, broker_wanted) = whose(section, "broker", "mqtt", others.mqtt);
    let (store, store_wanted) = whose(section, "store", "upload", others.upload);
    HubConfig {
        listen: section.address("listen"),
        store_listen: section.address("store_listen"),
        broker_listen: section.address("broker_listen"),
        sites: sites(section),
        server_names: section.words("server_names"),
        trusted_proxies: proxies(section),
        certificate: certificate(section),
        plain_http: section.flag("plain_http"),
        open_page: false,
        retention: section.duration("retention"),
        quota: section.bytes("quota"),
        // An address is written for somebody who is to find it there.
        broker_wanted: broker_wanted || section.has("broker_listen"),
        store_wanted: store_wanted || section.has("store_listen"),
        broker,
        store,
        dir,
    }
}

/// What another section names, where `key` says that the hub shall use that; and whether it asks for the hub's own.
fn whose<T: Clone>(
    section: &Section<'_>,
    key: &str,
    named: &str,
    there: Option<&Option<T>>,
) -> (Option<T>, bool) {
    #[derive(Clone, Copy, PartialEq)]
    enum Whose {
        Auto,
        Own,
        External,
    }
    let choices = [
        ("auto", Whose::Auto),
        ("own", Whose::Own),
        ("external", Whose::External),
    ];
    let chosen = section.choice(key, &choices);
    if chosen != Whose::External {
        return (None, chosen == Whose::Own);
    }
    if there.is_none() {
        section.problem(
            key,
            format!("is \"external\", but there is no [{named}] that says which: write it, or leave {key} out"),
        );
    }
    (there.cloned().flatten(), false)
}

/// Two files, or none.
fn certificate(section: &Section<'_>) -> Option<(PathBuf, PathBuf)> {
    let (certificate, key) = (section.path("certificate"), section.path("private_key"));
    for (one, other, missing) in [
        (&certificate, &key, "private_key"),
        (&key, &certificate, "certificate"),
    ] {
        if one.is_some() && other.is_none() {
            section.problem(
                missing,
                "is missing: a certificate and its private key go together",
            );
        }
    }
    if certificate.is_some() && section.flag("plain_http") {
        section.problem(
            "plain_http",
            "is true beside a certificate, which is not used then: keep one of the two",
        );
    }
    certificate.zip(key)
}

/// Networks as "10.1.0.0/16", or single addresses.
fn proxies(section: &Section<'_>) -> Vec<IpNet> {
    let words = section.words("trusted_proxies");
    let mut nets = Vec::new();
    for word in words {
        let net = word
            .parse::<IpNet>()
            .or_else(|_| word.parse::<IpAddr>().map(IpNet::from));
        match net {
            Ok(net) => nets.push(net),
            Err(_) => section.problem(
                "trusted_proxies",
                format!("\"{word}\" is no address: write the proxy's, such as \"127.0.0.1\", or its network, such as \"10.1.0.0/16\""),
            ),
        }
    }
    nets
}

fn sites(section: &Section<'_>) -> Vec<SiteId> {
    let words = section.words("sites");
    let mut sites = Vec::new();
    for word in words {
        match word.parse() {
            Ok(site) => sites.push(site),
            Err(error) => section.problem("sites", format!("{error}")),
        }
    }
    sites
}
