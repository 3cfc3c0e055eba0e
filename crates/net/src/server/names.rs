//! By which names browsers may ask for this machine, and which page may change something.
//!
//! A page elsewhere can have its own name lead here (DNS rebinding): then the browser asks with that name in `Host`, and gets
//! nothing. And it can send a form here: then `Origin` or `Sec-Fetch-Site` says so.

use std::{net::IpAddr, sync::Arc};

use axum::http::{HeaderMap, header, uri::Authority};

/// The names of this machine, beside its addresses and `localhost`. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Those that the configuration gives.
    given: Arc<[String]>,
    /// Those that the machine gives itself.
    own: Arc<[String]>,
}

impl Names {
    /// `given` by the configuration, and the machine's own.
    #[must_use]
    pub fn new(given: &[String]) -> Self {
        let system = rustix::system::uname();
        let host = system.nodename().to_string_lossy().into_owned();
        Self {
            given: given.into(),
            own: [format!("{host}.local"), host].into(),
        }
    }

    /// All of them, for a certificate.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.given.iter().chain(self.own.iter()).map(String::as_str)
    }

    /// Whether a browser may ask with this `Host`.
    #[must_use]
    pub fn admit(&self, host: &Authority) -> bool {
        let host = bare(host);
        // An address cannot be somebody else's name for us.
        host.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || self.all().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether a request that changes something comes from our own page, as far as its headers tell.
    ///
    /// A proxy may hand on a `Host` without the port, or its own name for us. Then the origin counts where its name is that of
    /// `host`, or one that the configuration gives.
    #[must_use]
    pub fn same_origin(&self, headers: &HeaderMap, host: &Authority) -> bool {
        let text = |value: &axum::http::HeaderValue| value.to_str().ok().map(str::to_owned);
        let site = headers.get("sec-fetch-site").map(text);
        if site.is_some_and(|site| site.as_deref() != Some("same-origin")) {
            return false;
        }
        headers.get(header::ORIGIN).is_none() || self.own_origin(headers, host)
    }

    /// Whether `Origin` is there and is our own page's: what is asked of a WebSocket, which a page elsewhere may open, and whose
    /// request says so nowhere else.
    #[must_use]
    pub fn own_origin(&self, headers: &HeaderMap, host: &Authority) -> bool {
        let text = |value: &axum::http::HeaderValue| value.to_str().ok().map(str::to_owned);
        let Some(origin) = headers.get(header::ORIGIN) else {
            return false;
        };
        let authority = text(origin)
            .and_then(|origin| Some(origin.split_once("://")?.1.to_owned()))
            .and_then(|authority| authority.parse::<Authority>().ok());
        let Some(origin) = authority else {
            return false;
        };
        let (from, asked) = (bare(&origin), bare(host));
        origin == *host
            || (host.port().is_none() && from.eq_ignore_ascii_case(asked))
            || self
                .given
                .iter()
                .any(|name| name.eq_ignore_ascii_case(from))
    }
}

/// The host that a request names. None where it names two: a proxy in front may have used the other one (RFC 9112, section 3.2).
#[must_use]
pub fn host(headers: &HeaderMap) -> Option<Authority> {
    let mut all = headers.get_all(header::HOST).iter();
    let (first, second) = (all.next()?, all.next());
    if second.is_some() {
        return None;
    }
    first.to_str().ok()?.parse().ok()
}

/// The name or address without brackets and port.
fn bare(host: &Authority) -> &str {
    host.host().trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(&["cams.example".to_owned()])
    }

    #[test]
    fn who_names_two_hosts_names_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(host(&headers), None);
        for (name, found) in [("localhost", Some("localhost")), ("rebind.example", None)] {
            headers.append(header::HOST, name.parse().unwrap());
            assert_eq!(host(&headers).as_ref().map(Authority::as_str), found);
        }
    }

    #[test]
    fn only_names_of_ours_are_answered() {
        let own = rustix::system::uname()
            .nodename()
            .to_str()
            .unwrap()
            .to_owned();
        for host in [
            "cams.example",
            "CAMS.example:8443",
            "localhost:1",
            "10.0.0.7",
            "[::1]:8080",
            &own,
            &format!("{own}.local:80"),
        ] {
            assert!(names().admit(&host.parse().unwrap()), "{host}");
        }
        for host in ["rebind.example", "example", "cams.example.net:80"] {
            assert!(!names().admit(&host.parse().unwrap()), "{host}");
        }
    }

    #[test]
    fn changes_come_from_our_own_page() {
        let asked = |host: &str, origin: Option<&str>, site: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            names().same_origin(&headers, &host.parse().unwrap())
        };
        assert!(asked("10.0.0.7:8080", None, None), "no browser");
        assert!(asked("10.0.0.7:8080", Some("http://10.0.0.7:8080"), None));
        // Behind a proxy: the port is gone, or the name is the proxy's for us.
        assert!(asked(
            "cams.example",
            Some("https://cams.example:8443"),
            None
        ));
        assert!(asked("10.0.0.7", Some("https://10.0.0.7:8443"), None));
        let proxied = Some("https://cams.example");
        assert!(asked("127.0.0.1:8080", proxied, Some("same-origin")));
        for (origin, site) in [
            ("http://evil.example", None),
            ("http://10.0.0.7:9999", None),
            ("null", None),
            ("http://10.0.0.7:8080", Some("cross-site")),
            ("http://10.0.0.7:8080", Some("same-site")),
        ] {
            assert!(!asked("10.0.0.7:8080", Some(origin), site), "{origin}");
        }
    }
}
