//! Proxies before us, and what they say of their clients.
//!
//! `X-Forwarded-For` and `X-Forwarded-Proto` are believed where the connection comes from a proxy that the configuration trusts.
//! Of a list of addresses the last one counts that is no trusted proxy itself: what stands before it, a client may have made up.

use std::{net::IpAddr, sync::Arc};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Networks whose word counts. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// Those of the configuration.
    #[must_use]
    pub fn new(trusted: &[IpNet]) -> Self {
        Self(trusted.into())
    }

    fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The address of the client behind `peer`, and whether its connection to the proxy is encrypted; where `peer` is no
    /// trusted proxy, it is the client, and nothing is known of encryption.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> (IpAddr, bool) {
        if !self.trust(peer) {
            return (peer.to_canonical(), false);
        }
        let all = headers.get_all("x-forwarded-for").into_iter();
        let mut named: Vec<&str> = all
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .collect();
        let mut client = peer;
        while let Some(address) = named.pop().and_then(address) {
            client = address;
            if !self.trust(address) {
                break;
            }
        }
        let mut protocols = headers.get_all("x-forwarded-proto").into_iter();
        let secure = protocols.next_back().is_some_and(|value| {
            let last = value.as_bytes().rsplit(|byte| *byte == b',').next();
            last.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"https"))
        });
        (client.to_canonical(), secure)
    }
}

/// An address as proxies write it, some with the port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .or_else(|_| text.parse::<std::net::SocketAddr>().map(|a| a.ip()))
        .or_else(|_| text.trim_matches(['[', ']']).parse())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = Proxies::new(&[
            "127.0.0.1/32".parse().unwrap(),
            "10.1.0.0/16".parse().unwrap(),
        ]);
        let client = |peer: &str, lists: &[&str], proto: &str| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append("x-forwarded-for", list.parse().unwrap());
            }
            headers.append("x-forwarded-proto", proto.parse().unwrap());
            let (address, secure) = proxies.client(peer.parse().unwrap(), &headers);
            (address.to_string(), secure)
        };
        let told = |address: &str, secure| (address.to_owned(), secure);
        assert_eq!(
            client("192.0.2.1", &["10.0.0.1"], "https"),
            told("192.0.2.1", false)
        );
        assert_eq!(
            client("127.0.0.1", &["198.51.100.7"], "https"),
            told("198.51.100.7", true)
        );
        assert_eq!(
            client("::ffff:127.0.0.1", &["198.51.100.7"], "http"),
            told("198.51.100.7", false)
        );
        // What a client has made up stands first.
        let lists = ["203.0.113.1, 198.51.100.7", "10.1.2.3"];
        assert_eq!(
            client("127.0.0.1", &lists, "http,https"),
            told("198.51.100.7", true)
        );
        assert_eq!(
            client("127.0.0.1", &["nonsense"], "x"),
            told("127.0.0.1", false)
        );
        assert_eq!(
            client("127.0.0.1", &["[2001:db8::1]:443"], "x"),
            told("2001:db8::1", false)
        );
    }
}
