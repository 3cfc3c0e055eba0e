//! Every kind of receiver that the configuration can name. One line each.

use std::sync::Arc;

use super::{
    Around, Probe, Sink, SinkError, SinkKind, mqtt, ntfy, store, webdav, webhook, wire_cost::Sent,
};
use crate::{config::Config, net::pace::Pacer};

/// All of them, in the order in which `lares check` tries them.
pub static KINDS: [&SinkKind; 5] = [
    &mqtt::KIND,
    &webhook::KIND,
    &ntfy::KIND,
    &store::KIND,
    &webdav::KIND,
];

/// Connects what `config` names.
///
/// # Errors
/// When an address or certificates are of no use, or the system has no thread to give.
pub fn connect(config: &Config, around: &Around<'_>) -> Result<Vec<Arc<dyn Sink>>, SinkError> {
    let built = KINDS.iter().map(|kind| (kind.build)(config, around));
    built.filter_map(Result::transpose).collect()
}

/// The kinds that `config` names, each with its trial.
pub fn probes<'a>(
    config: &'a Config,
    pacer: &'a Arc<Pacer>,
) -> Vec<(&'static SinkKind, Probe<'a>)> {
    let named = KINDS
        .iter()
        .filter_map(|kind| Some((*kind, (kind.probe)(config, pacer)?)));
    named.collect()
}

/// About how many bytes something was on the wire; its payload where nobody knows the recipient.
pub(crate) fn wire_cost(sent: &Sent<'_>) -> u64 {
    let known = KINDS.iter().find_map(|kind| (kind.wire_cost)(sent));
    known.map_or(sent.sum.bytes, |bytes| bytes.round() as u64)
}
