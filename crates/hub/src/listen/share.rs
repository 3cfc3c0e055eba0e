//! How much one site may say: so many messages at once and so many a second, and so many documents for Home Assistant.
//!
//! A box that was away for days sends its backlog at once, within these bounds. What is left out leaves a gap in the numbers
//! and is asked for later.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    base::rate::RateLimit,
    flow::{MediaTime, SiteId},
    wire::range::MOST_CAMERAS,
};

/// Alerts at once: twice what a box sends again when it is asked; and one more each.
const ALERTS: (u64, Duration) = (5_000, Duration::from_millis(50));
/// Reports, words and pictures.
const OTHERS: (u64, Duration) = (2_000, Duration::from_millis(10));
/// Documents for Home Assistant: one for each camera, and the box's.
const DOCUMENTS: usize = MOST_CAMERAS + 1;

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Alert,
    Other,
}

#[derive(Debug)]
struct Share {
    alerts: RateLimit,
    others: RateLimit,
    documents: BTreeSet<String>,
}

/// The shares of all sites.
#[derive(Debug)]
pub(super) struct Shares(BTreeMap<SiteId, Share>);

impl Shares {
    pub(super) fn new(sites: Vec<SiteId>) -> Self {
        let limit = |(burst, every)| RateLimit::new(burst, every);
        let share = |site| {
            let share = Share {
                alerts: limit(ALERTS),
                others: limit(OTHERS),
                documents: BTreeSet::new(),
            };
            (site, share)
        };
        Self(sites.into_iter().map(share).collect())
    }

    /// Whether `site` may send one more.
    pub(super) fn admits(&self, site: &SiteId, kind: Kind, now: MediaTime) -> bool {
        self.0.get(site).is_some_and(|share| {
            let limit = match kind {
                Kind::Alert => &share.alerts,
                Kind::Other => &share.others,
            };
            limit.take(1, now) == 1
        })
    }

    /// Whether `site` may have a document `name` kept; `there`: it has one now.
    pub(super) fn keeps(&mut self, site: &SiteId, name: &str, there: bool) -> bool {
        let Some(share) = self.0.get_mut(site) else {
            return false;
        };
        if !there {
            share.documents.remove(name);
            return true;
        }
        share.documents.contains(name)
            || (share.documents.len() < DOCUMENTS && share.documents.insert(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site_uses_up_its_own_share_only() {
        let sites: Vec<SiteId> = ["home", "annex"].map(|id| id.parse().unwrap()).to_vec();
        let mut shares = Shares::new(sites.clone());
        let now = MediaTime::from_secs_f64(0.01);
        let sent = (0..20_000).filter(|_| shares.admits(&sites[1], Kind::Alert, now));
        assert_eq!(sent.count() as u64, ALERTS.0);
        assert!(shares.admits(&sites[0], Kind::Alert, now));
        assert!(shares.admits(&sites[1], Kind::Other, now));
        let later = MediaTime::from_secs_f64(1.02);
        let sent = (0..100).filter(|_| shares.admits(&sites[1], Kind::Alert, later));
        assert_eq!(sent.count(), 20);
        let kept = (0..1000).filter(|n| shares.keeps(&sites[1], &n.to_string(), true));
        assert_eq!(kept.count(), DOCUMENTS);
        assert!(shares.keeps(&sites[1], "0", true), "a newer one");
        assert!(shares.keeps(&sites[1], "0", false) && shares.keeps(&sites[1], "new", true));
        let stranger: SiteId = "stranger".parse().unwrap();
        assert!(!shares.admits(&stranger, Kind::Other, later));
    }
}
