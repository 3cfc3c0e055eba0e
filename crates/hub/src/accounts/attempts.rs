//! How often somebody may try a password: failures make the next attempt wait, and lock nobody out.
//!
//! Counted is each attempt of an address, of an address at an account, and of all strangers at an account. A browser that was
//! logged in before has a counter of its own instead: what strangers do does not keep it waiting. A login that succeeds forgives
//! the attempts at this account from this address, and no others: who has an account gains nothing for guessing another's.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    time::{Duration, Instant},
};

use super::digest::Digest;
use crate::net::server;

/// Attempts at an account that an address has at once, and how long it waits for each further one. The same for a browser that
/// was logged in before.
const AT_ACCOUNT: (f64, Duration) = (5.0, Duration::from_secs(20));
/// Attempts at all accounts that an address has at once: a household behind one address, or a proxy that is not trusted.
const FROM_ADDRESS: (f64, Duration) = (20.0, Duration::from_secs(5));
/// From this many attempts of strangers at an account on, each takes longer ...
const MANY: f64 = 10.0;
/// ... by this much ...
const LONGER: Duration = Duration::from_millis(250);
/// ... up to this.
const LONGEST: Duration = Duration::from_secs(5);
/// How long a stranger's attempt at an account counts.
const COUNTS_FOR: Duration = Duration::from_secs(30);
/// Keys of one kind that are remembered.
const MOST: usize = 4096;

/// Buckets that fill by one with each attempt and empty with time.
struct Buckets<K> {
    filled: HashMap<K, (f64, Instant)>,
    every: Duration,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(every: Duration) -> Self {
        Self {
            filled: HashMap::new(),
            every,
        }
    }

    fn now(&self, entry: (f64, Instant), now: Instant) -> f64 {
        let (level, since) = entry;
        let gone = now.saturating_duration_since(since).as_secs_f64() / self.every.as_secs_f64();
        (level - gone).max(0.0)
    }

    fn level(&self, key: &K, now: Instant) -> f64 {
        self.filled
            .get(key)
            .map_or(0.0, |entry| self.now(*entry, now))
    }

    /// How long to wait until one more fits below `most`.
    fn wait(&self, key: &K, most: f64, now: Instant) -> Duration {
        let over = self.level(key, now) + 1.0 - most;
        self.every.mul_f64(over.max(0.0))
    }

    fn fill(&mut self, key: &K, now: Instant) {
        let level = self.level(key, now) + 1.0;
        if self.filled.len() >= MOST && !self.filled.contains_key(key) {
            let every = self.every;
            self.filled.retain(|_, (level, since)| {
                every.mul_f64(*level) > now.saturating_duration_since(*since)
            });
            // All are busy: the one that has waited longest goes.
            if self.filled.len() >= MOST {
                let oldest = self.filled.iter().min_by_key(|(_, (_, since))| *since);
                if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                    self.filled.remove(&oldest);
                }
            }
        }
        self.filled.insert(key.clone(), (level, now));
    }

    fn give_back(&mut self, key: &K, now: Instant) {
        let level = self.level(key, now) - 1.0;
        if level > 0.0 {
            self.filled.insert(key.clone(), (level, now));
        } else {
            self.filled.remove(key);
        }
    }
}

/// Who tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// A browser that was logged in to this account before.
    Browser(Digest),
    /// Anybody, from this address.
    Stranger(IpAddr),
}

/// The counters.
pub(super) struct Attempts {
    browsers: Buckets<Digest>,
    at_account: Buckets<(IpAddr, String)>,
    addresses: Buckets<IpAddr>,
    accounts: Buckets<String>,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self {
            browsers: Buckets::new(AT_ACCOUNT.1),
            at_account: Buckets::new(AT_ACCOUNT.1),
            addresses: Buckets::new(FROM_ADDRESS.1),
            accounts: Buckets::new(COUNTS_FOR),
        }
    }

    /// Counts an attempt at `account`: how long it has to take, or how long to wait before the next one.
    pub(super) fn begin(
        &mut self,
        who: &Who,
        account: &str,
        now: Instant,
    ) -> Result<Duration, Duration> {
        match who {
            Who::Browser(device) => {
                let wait = self.browsers.wait(device, AT_ACCOUNT.0, now);
                if !wait.is_zero() {
                    return Err(wait);
                }
                self.browsers.fill(device, now);
                Ok(Duration::ZERO)
            }
            Who::Stranger(address) => {
                let address = server::party(*address);
                let pair = (address, account.to_owned());
                let wait = self.at_account.wait(&pair, AT_ACCOUNT.0, now);
                let wait = wait.max(self.addresses.wait(&address, FROM_ADDRESS.0, now));
                if !wait.is_zero() {
                    return Err(wait);
                }
                self.at_account.fill(&pair, now);
                self.addresses.fill(&address, now);
                let many = self.accounts.level(&pair.1, now) - MANY;
                self.accounts.fill(&pair.1, now);
                Ok(LONGER.mul_f64(many.max(0.0)).min(LONGEST))
            }
        }
    }

    /// The attempt succeeded.
    pub(super) fn succeeded(&mut self, who: &Who, account: &str, now: Instant) {
        match who {
            Who::Browser(device) => {
                self.browsers.filled.remove(device);
            }
            Who::Stranger(address) => {
                let address = server::party(*address);
                self.at_account
                    .filled
                    .remove(&(address, account.to_owned()));
                self.addresses.give_back(&address, now);
                self.accounts.give_back(&account.to_owned(), now);
            }
        }
    }

    /// The attempt was none: it was not looked at, or was half of one.
    pub(super) fn took_back(&mut self, who: &Who, account: &str, now: Instant) {
        match who {
            Who::Browser(device) => self.browsers.give_back(device, now),
            Who::Stranger(address) => {
                let address = server::party(*address);
                self.at_account
                    .give_back(&(address, account.to_owned()), now);
                self.addresses.give_back(&address, now);
                self.accounts.give_back(&account.to_owned(), now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger(last: u8) -> Who {
        Who::Stranger(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn who_guesses_has_to_wait_and_others_need_not() {
        let (mut attempts, now) = (Attempts::new(), Instant::now());
        for _ in 0..5 {
            assert_eq!(
                attempts.begin(&stranger(1), "anna", now),
                Ok(Duration::ZERO)
            );
        }
        let wait = attempts.begin(&stranger(1), "anna", now).unwrap_err();
        assert_eq!(wait, Duration::from_secs(20));
        assert!(attempts.begin(&stranger(1), "anna", now + wait).is_ok());
        assert!(attempts.begin(&stranger(1), "ben", now).is_ok());
        assert!(attempts.begin(&stranger(2), "anna", now).is_ok());
    }

    #[test]
    fn a_success_forgives_its_own_account_only() {
        let (mut attempts, now) = (Attempts::new(), Instant::now());
        let guesser = stranger(1);
        let mut guesses = 0;
        for _ in 0..1000 {
            // The own account, and then a guess at another.
            if attempts.begin(&guesser, "viewer", now).is_ok() {
                attempts.succeeded(&guesser, "viewer", now);
            }
            guesses += u32::from(attempts.begin(&guesser, "owner", now).is_ok());
        }
        assert_eq!(guesses, 5);
        // All accounts together are bounded too.
        let names: Vec<String> = (0..100).map(|n| format!("name{n}")).collect();
        let tried = names
            .iter()
            .filter(|name| attempts.begin(&guesser, name, now).is_ok());
        assert_eq!(tried.count(), 15);
    }

    #[test]
    fn strangers_delay_each_other_and_lock_nobody_out() {
        let (mut attempts, now) = (Attempts::new(), Instant::now());
        for n in 0..200 {
            let took = attempts.begin(&stranger(n), "anna", now).unwrap();
            assert!(took <= LONGEST);
        }
        assert_eq!(attempts.begin(&stranger(201), "anna", now), Ok(LONGEST));
        let browser = Who::Browser([7; 32]);
        assert_eq!(attempts.begin(&browser, "anna", now), Ok(Duration::ZERO));
        for _ in 1..5 {
            attempts.begin(&browser, "anna", now).unwrap();
        }
        assert!(attempts.begin(&browser, "anna", now).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let (mut attempts, now) = (Attempts::new(), Instant::now());
        for n in 0..2 * MOST as u32 {
            let address = Who::Stranger(std::net::Ipv4Addr::from(n).into());
            let _ = attempts.begin(&address, &format!("name{n}"), now);
        }
        assert!(attempts.addresses.filled.len() <= MOST && attempts.accounts.filled.len() <= MOST);
    }
}
