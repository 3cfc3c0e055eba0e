//! What strangers tried at the door: counted and summed, never written down one by one.

use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
};

use parking_lot::Mutex;

use crate::{flow::WallTime, net::server};

/// Addresses that are told apart in one minute.
const MOST: usize = 1000;

/// Refused logins of a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) at: WallTime,
    /// The account that was tried, where it was one and there is one of this name.
    pub(super) account: String,
    pub(super) times: u32,
    pub(super) addresses: u32,
}

#[derive(Default)]
struct Window {
    times: u32,
    accounts: BTreeSet<String>,
    /// A name was tried that nobody has.
    others: bool,
    addresses: HashSet<IpAddr>,
}

/// Counts refused logins.
#[derive(Default)]
pub(super) struct Strangers(Mutex<Window>);

impl Strangers {
    /// Counts one at `account`, which exists, or at a name that nobody has.
    pub(super) fn count(&self, account: Option<&str>, from: IpAddr) {
        let mut window = self.0.lock();
        window.times = window.times.saturating_add(1);
        match account {
            // Only names that exist are remembered: there are few of them.
            Some(name) if !window.accounts.contains(name) => {
                window.accounts.insert(name.to_owned());
            }
            Some(_) => {}
            None => window.others = true,
        }
        if window.addresses.len() < MOST {
            window.addresses.insert(server::party(from));
        }
    }

    /// What was counted since the last time; none where nothing was.
    pub(super) fn take(&self, now: WallTime) -> Option<Refused> {
        let window = std::mem::take(&mut *self.0.lock());
        let mut accounts = window.accounts.into_iter();
        let account = match (accounts.next(), accounts.next(), window.others) {
            (Some(only), None, false) => only,
            _ => String::new(),
        };
        (window.times > 0).then(|| Refused {
            at: now,
            account,
            times: window.times,
            addresses: u32::try_from(window.addresses.len()).unwrap_or(u32::MAX),
        })
    }
}
