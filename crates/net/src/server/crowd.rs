//! Who is connected: strangers, and clients that have shown a session or a key.
//!
//! In: connections as they come, and the word of a handler that one of them is known. Out: which connection has to go. A new
//! connection is always let in. Where there are too many strangers, the oldest connection goes of the address that has most of
//! them: a flood from few addresses shuts out itself. Known connections are never closed for the sake of strangers.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Limits;

/// The connections of a port. Cheap to clone.
#[derive(Clone)]
pub(super) struct Crowd(Arc<Inner>);

struct Inner {
    limits: Limits,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    next: u64,
    /// Oldest first.
    strangers: BTreeMap<u64, Entry>,
    known: BTreeMap<u64, Entry>,
}

struct Entry {
    from: IpAddr,
    /// Closes the connection at once.
    shut: CancellationToken,
}

/// A connection's place in the crowd; given up when it is dropped.
pub struct Place {
    crowd: Crowd,
    id: u64,
    /// Cancelled when the connection has to go.
    pub shut: CancellationToken,
    /// Whose connection had to go for this one.
    pub(super) instead_of: Option<IpAddr>,
}

/// Lets a handler say that the client of a connection is known.
#[derive(Clone)]
pub struct Standing(Option<(Crowd, u64)>);

/// Addresses that one party has as a rule: of IPv6 it is a network of 64 bits.
pub fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        four => four,
    }
}

impl Crowd {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner {
            limits,
            places: Mutex::default(),
        }))
    }

    /// Takes a connection in; another one may have to go for it.
    pub(super) fn enter(&self, from: IpAddr) -> Place {
        let shut = CancellationToken::new();
        let mut places = self.0.places.lock();
        let id = places.next;
        places.next += 1;
        let entry = Entry {
            from: party(from),
            shut: shut.clone(),
        };
        places.strangers.insert(id, entry);
        let mut instead_of = None;
        while places.strangers.len() > self.0.limits.strangers {
            let Some(oldest) = oldest_of_the_greediest(&places.strangers, id) else {
                break;
            };
            if let Some(entry) = places.strangers.remove(&oldest) {
                entry.shut.cancel();
                instead_of = Some(entry.from);
            }
        }
        Place {
            crowd: self.clone(),
            id,
            shut,
            instead_of,
        }
    }

    /// Strangers and known connections.
    pub(super) fn count(&self) -> (usize, usize) {
        let places = self.0.places.lock();
        (places.strangers.len(), places.known.len())
    }
}

/// The oldest connection of the address that has most of them, but not `newest`.
fn oldest_of_the_greediest(strangers: &BTreeMap<u64, Entry>, newest: u64) -> Option<u64> {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for entry in strangers.values() {
        *counts.entry(entry.from).or_default() += 1;
    }
    let most = counts.values().max()?;
    let greedy = |entry: &Entry| counts.get(&entry.from) == Some(most);
    strangers
        .iter()
        .filter(|(id, _)| **id != newest)
        .find(|(_, entry)| greedy(entry))
        // The newest alone has most only where there is one place.
        .or_else(|| strangers.iter().next())
        .map(|(id, _)| *id)
}

impl Place {
    /// What handlers get of it.
    pub fn standing(&self) -> Standing {
        Standing(Some((self.crowd.clone(), self.id)))
    }

    /// Whether it is one of the places of known clients.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.crowd.0.places.lock().known.contains_key(&self.id)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.crowd.0.places.lock();
        places.strangers.remove(&self.id);
        places.known.remove(&self.id);
    }
}

impl Standing {
    /// One that belongs to no connection, for requests that come from no socket.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(None)
    }

    /// The client has shown a session or a key: its connection may stay, as long as there is room among the known ones.
    pub fn known(&self) {
        let Some((crowd, id)) = &self.0 else {
            return;
        };
        let mut places = crowd.0.places.lock();
        if places.known.len() >= crowd.0.limits.known {
            return;
        }
        let Some(entry) = places.strangers.get(id) else {
            return;
        };
        let from = entry.from;
        let same = places.known.values().filter(|entry| entry.from == from);
        if same.count() >= crowd.0.limits.from_one {
            return;
        }
        if let Some(entry) = places.strangers.remove(id) {
            places.known.insert(*id, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server::Pace;

    fn crowd(strangers: usize, known: usize) -> Crowd {
        let pace = Pace {
            patience: Duration::from_secs(1),
            per_second: 1,
            most: 1,
        };
        Crowd::new(Limits::new(strangers, known, Duration::from_secs(60), pace))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn a_flood_from_one_address_closes_its_own_connections() {
        let crowd = crowd(8, 8);
        let quiet = crowd.enter(address(1));
        let flood: Vec<_> = (0..100).map(|_| crowd.enter(address(2))).collect();
        assert!(!quiet.shut.is_cancelled());
        assert_eq!(flood.iter().filter(|p| !p.shut.is_cancelled()).count(), 7);
        assert!(!flood[99].shut.is_cancelled(), "the newest is let in");
        assert_eq!((quiet.instead_of, flood[6].instead_of), (None, None));
        assert_eq!(flood[7].instead_of, Some(address(2)));
        // Of many addresses the oldest goes.
        let many: Vec<_> = (10..110).map(|n| crowd.enter(address(n))).collect();
        assert!(quiet.shut.is_cancelled());
        assert_eq!(many.iter().filter(|p| !p.shut.is_cancelled()).count(), 8);
        drop((quiet, flood, many));
        assert_eq!(crowd.count(), (0, 0));
    }

    #[test]
    fn known_connections_stay_whatever_strangers_do() {
        let crowd = crowd(2, 4);
        let owner: Vec<_> = (0..3).map(|_| crowd.enter(address(1))).collect();
        assert!(owner[0].shut.is_cancelled(), "three strangers are too many");
        owner[1].standing().known();
        owner[1].standing().known();
        owner[2].standing().known();
        assert_eq!(crowd.count(), (0, 2));
        // One address has half of the places.
        let third = crowd.enter(address(1));
        third.standing().known();
        assert!(!third.is_known());
        let flood: Vec<_> = (0..100).map(|n| crowd.enter(address(n))).collect();
        assert!(owner[1].is_known() && !owner[1].shut.is_cancelled());
        assert!(owner[2].is_known() && !owner[2].shut.is_cancelled());
        // A connection that had to go is not taken back.
        flood[0].standing().known();
        assert!(!flood[0].is_known());
    }

    #[test]
    fn a_network_of_ipv6_is_one_party() {
        let same = ["2001:db8::1", "2001:db8::ffff:1"].map(|text| party(text.parse().unwrap()));
        assert_eq!(same[0], same[1]);
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(party(mapped), address(1));
        assert_ne!(party("2001:db8:0:1::1".parse().unwrap()), same[0]);
    }
}
