//! Which doors of the hub anybody needs beside the page: a box's own page needs neither a broker nor a store.
//!
//! In: the configuration, and whether Home Assistant's key was ever given out. Out: what is started.

use crate::config::HubConfig;
use crate::keys::Keys;

/// What is started beside the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needed {
    /// Mosquitto and its gate.
    pub(crate) broker: bool,
    /// The S3 endpoint.
    pub(crate) store: bool,
}

impl Needed {
    /// Other boxes need both. Home Assistant needs the broker: the configuration says so, or its key is there.
    pub(crate) fn of(config: &HubConfig) -> Self {
        let others = config.has_other_boxes();
        let house = Keys::has_house(&config.dir.join("keys"));
        Self {
            broker: config.broker.is_none() && (others || house || config.broker_wanted),
            store: config.store.is_none() && (others || config.store_wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_of_its_own_needs_neither_and_others_need_both() {
        let dir = tempfile::tempdir().unwrap();
        let needed = |change: &dyn Fn(&mut HubConfig)| {
            let mut config = HubConfig::new(dir.path().to_owned());
            change(&mut config);
            let Needed { broker, store } = Needed::of(&config);
            (broker, store)
        };
        let with_other = |config: &mut HubConfig| config.sites = vec!["annex".parse().unwrap()];
        assert_eq!(needed(&|_| {}), (false, false));
        assert_eq!(needed(&with_other), (true, true));
        assert_eq!(needed(&|config| config.broker_wanted = true), (true, false));
        assert_eq!(needed(&|config| config.store_wanted = true), (false, true));
        // As in the folder of an earlier version, or once `lares hub keys` has printed it.
        Keys::load(&dir.path().join("keys"), [], true).unwrap();
        assert_eq!(needed(&|_| {}), (true, false));
    }
}
