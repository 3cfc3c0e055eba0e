//! Logging in at a camera: Basic (RFC 7617) and Digest (RFC 2069, 2617 and 7616) with MD5, MD5-sess, SHA-256 and
//! SHA-256-sess. Pure but for the client's nonce.
//!
//! In: the `WWW-Authenticate` headers of a refusal. Out: the `Authorization` header of the next request. A realm and a
//! nonce are hashed and sent back as they stood between their quotes.

use sha2::Digest as _;

use crate::config::Secret;

/// More challenges, or parameters of one, are passed over.
const MOST: usize = 16;

/// A way to log in that the camera offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Offer {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Offer {
    fn get(&self, name: &str) -> Option<&str> {
        let known = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.parameters.iter().find(known).map(|(_, v)| v.as_str())
    }

    /// As people would name it.
    fn name(&self) -> String {
        let scheme = &self.scheme;
        match (self.get("algorithm"), self.get("qop")) {
            _ if !scheme.eq_ignore_ascii_case("digest") => scheme.clone(),
            (Some(algorithm), _) => format!("{scheme} {algorithm}"),
            (None, Some(qop)) => format!("{scheme} with qop {qop}"),
            (None, None) => scheme.clone(),
        }
    }
}

/// The challenges in one header, of which cameras put several into one.
fn offers(header: &str) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut rest = header.trim_start();
    while !rest.is_empty() && offers.len() <= MOST {
        let end = rest.find(|c: char| c == '=' || c == ',' || c.is_whitespace());
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        let after = after.trim_start();
        match after.strip_prefix('=') {
            Some(value) => {
                let (value, after) = self::value(value.trim_start());
                if let Some(offer) = offers.last_mut().filter(|o| o.parameters.len() < MOST) {
                    offer.parameters.push((word.to_owned(), value.to_owned()));
                }
                rest = after;
            }
            None => {
                if !word.is_empty() {
                    offers.push(Offer {
                        scheme: word.to_owned(),
                        ..Offer::default()
                    });
                }
                rest = after;
            }
        }
        rest = rest.trim_start_matches(|c: char| c == ',' || c == ';' || c.is_whitespace());
    }
    offers.truncate(MOST);
    offers
}

/// A token, or what stands between quotes, escapes and all; and what comes after.
fn value(text: &str) -> (&str, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == ',' || c.is_whitespace());
        return text.split_at(end.unwrap_or(text.len()));
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return (&quoted[..at], &quoted[at + 1..]),
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    (quoted, "")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Md5,
    Sha256,
}

impl Hash {
    fn of(self, text: &str) -> String {
        match self {
            Self::Md5 => hex::encode(md5::Md5::digest(text)),
            Self::Sha256 => hex::encode(sha2::Sha256::digest(text)),
        }
    }
}

/// A challenge that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Challenge {
    Basic,
    Digest {
        hash: Hash,
        session: bool,
        realm: String,
        nonce: String,
        opaque: Option<String>,
        /// As the camera wrote it: without it a SHA-256 answer is checked as MD5.
        algorithm: Option<String>,
        qop: Option<&'static str>,
        stale: bool,
    },
}

impl Challenge {
    fn new(offer: &Offer) -> Option<Self> {
        if offer.scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !offer.scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let algorithm = offer.get("algorithm");
        let (hash, session) = match algorithm.unwrap_or("MD5").to_ascii_uppercase().as_str() {
            "MD5" | "" => (Hash::Md5, false),
            "MD5-SESS" => (Hash::Md5, true),
            "SHA-256" => (Hash::Sha256, false),
            "SHA-256-SESS" => (Hash::Sha256, true),
            _ => return None,
        };
        let qop = match offer.get("qop") {
            None | Some("") => None,
            Some(list) => {
                let offered =
                    |name: &str| list.split(',').any(|q| q.trim().eq_ignore_ascii_case(name));
                Some(["auth", "auth-int"].into_iter().find(|q| offered(q))?)
            }
        };
        Some(Self::Digest {
            hash,
            session,
            realm: offer.get("realm").unwrap_or_default().to_owned(),
            nonce: offer.get("nonce").unwrap_or_default().to_owned(),
            opaque: offer.get("opaque").map(str::to_owned),
            algorithm: algorithm.map(str::to_owned),
            qop,
            stale: offer
                .get("stale")
                .is_some_and(|s| s.eq_ignore_ascii_case("true")),
        })
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Basic => 0,
            Self::Digest {
                hash: Hash::Md5, ..
            } => 1,
            Self::Digest {
                hash: Hash::Sha256, ..
            } => 2,
        }
    }
}

/// Why there is no answer to a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest::rtsp) enum NoAnswer {
    /// No user name is configured.
    NoUser,
    /// Only ways are offered that are not spoken here; their names, for people.
    Unspoken(String),
}

/// The account, and how the camera wants to be shown it.
pub(in crate::ingest::rtsp) struct Login {
    user: Option<String>,
    password: Option<Secret>,
    challenge: Option<Challenge>,
    /// Requests that were signed with the same nonce.
    count: u32,
}

impl Login {
    pub(in crate::ingest::rtsp) fn new(user: Option<&str>, password: Option<&Secret>) -> Self {
        Self {
            user: user.map(str::to_owned),
            password: password.cloned(),
            challenge: None,
            count: 0,
        }
    }

    /// Takes in what a refusal asks for. Says whether the camera only wants a fresh nonce.
    pub(in crate::ingest::rtsp) fn challenged<'a>(
        &mut self,
        headers: impl Iterator<Item = &'a str>,
    ) -> Result<bool, NoAnswer> {
        let offers: Vec<_> = headers.take(MOST).flat_map(offers).collect();
        let best = offers.iter().filter_map(Challenge::new);
        let Some(best) = best.max_by_key(Challenge::strength) else {
            let names: Vec<_> = offers.iter().map(Offer::name).collect();
            return Err(NoAnswer::Unspoken(names.join(", ")));
        };
        if self.user.is_none() {
            return Err(NoAnswer::NoUser);
        }
        let stale = matches!(best, Challenge::Digest { stale: true, .. });
        self.challenge = Some(best);
        self.count = 0;
        Ok(stale)
    }

    /// The header's value for a request without a body; none before the camera has asked.
    pub(in crate::ingest::rtsp) fn authorization(
        &mut self,
        method: &str,
        uri: &str,
    ) -> Option<String> {
        self.count += 1;
        let mut random = [0; 8];
        // A nonce of the client that repeats weakens the digest, and gives nothing away.
        let _ = getrandom::fill(&mut random);
        self.signed(method, uri, &hex::encode(random))
    }

    fn signed(&self, method: &str, uri: &str, cnonce: &str) -> Option<String> {
        let user = self.user.as_deref().unwrap_or_default();
        let password = self.password.as_ref().map_or("", Secret::expose);
        let Challenge::Digest {
            hash,
            session,
            realm,
            nonce,
            opaque,
            algorithm,
            qop,
            ..
        } = self.challenge.as_ref()?
        else {
            use base64::{Engine, engine::general_purpose::STANDARD};
            let pair = format!("{user}:{password}");
            return Some(format!("Basic {}", STANDARD.encode(pair)));
        };
        let hash = |text: String| hash.of(&text);
        let mut account = hash(format!("{user}:{realm}:{password}"));
        if *session {
            account = hash(format!("{account}:{nonce}:{cnonce}"));
        }
        let request = match qop {
            // The hash of an empty body.
            Some("auth-int") => hash(format!("{method}:{uri}:{}", hash(String::new()))),
            _ => hash(format!("{method}:{uri}")),
        };
        let quoted = user.replace('\\', "\\\\").replace('"', "\\\"");
        let mut header = format!(
            "Digest username=\"{quoted}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\""
        );
        let response = match qop {
            Some(qop) => {
                let count = format!("{:08x}", self.count);
                header += &format!(", qop={qop}, nc={count}, cnonce=\"{cnonce}\"");
                hash(format!(
                    "{account}:{nonce}:{count}:{cnonce}:{qop}:{request}"
                ))
            }
            None => {
                if *session {
                    header += &format!(", cnonce=\"{cnonce}\"");
                }
                hash(format!("{account}:{nonce}:{request}"))
            }
        };
        header += &format!(", response=\"{response}\"");
        if let Some(algorithm) = algorithm {
            header += &format!(", algorithm={algorithm}");
        }
        if let Some(opaque) = opaque {
            header += &format!(", opaque=\"{opaque}\"");
        }
        Some(header)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn login(user: &str, password: &str, challenges: &[&str]) -> Login {
        let mut login = Login::new(Some(user), Some(&Secret::new(password)));
        login.challenged(challenges.iter().copied()).unwrap();
        login.count = 1;
        login
    }

    #[test]
    fn answers_are_those_of_the_standards() {
        // RFC 2617, 3.5, without and with qop.
        let nonce = "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let old = format!("Digest realm=\"testrealm@host.com\", {nonce}");
        let answer = login("Mufasa", "Circle Of Life", &[&old]);
        let answer = answer.signed("GET", "/dir/index.html", "0a4f113b").unwrap();
        assert!(
            answer.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""),
            "{answer}"
        );
        let new = format!("{old}, qop=\"auth,auth-int\"");
        let answer = login("Mufasa", "Circle Of Life", &[&new]);
        let answer = answer.signed("GET", "/dir/index.html", "0a4f113b").unwrap();
        assert!(
            answer.contains("response=\"6629fae49393a05397450978507c4ef1\""),
            "{answer}"
        );
        assert!(
            answer.contains("qop=auth, nc=00000001, cnonce=\"0a4f113b\""),
            "{answer}"
        );
        // RFC 7616, 3.9.1.
        let modern = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
                      nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\"";
        let answer = login("Mufasa", "Circle of Life", &[modern]);
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let answer = answer.signed("GET", "/dir/index.html", cnonce).unwrap();
        let expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(answer.contains(expected), "{answer}");
        let basic = login("Aladdin", "open sesame", &["Basic realm=\"x\""]);
        let expected = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert_eq!(basic.signed("GET", "/", "").unwrap(), expected);
    }

    #[test]
    fn the_strongest_offer_is_taken_wherever_it_stands() {
        let both = "Basic realm=\"cam\", Digest realm=\"cam, one\", nonce=\"n\", stale=TRUE";
        let offers = offers(both);
        assert_eq!(offers.len(), 2);
        assert_eq!(offers[1].get("REALM"), Some("cam, one"));
        let strong = "digest realm=\"c\",nonce=\"s\",algorithm=\"SHA-256\"";
        for order in [[both, strong], [strong, both]] {
            let answer = login("a", "b", &order).signed("OPTIONS", "*", "c").unwrap();
            assert!(answer.contains("nonce=\"s\"") && answer.contains("algorithm=SHA-256"));
        }
        let mut login = Login::new(Some("a"), None);
        assert_eq!(login.challenged([both].into_iter()), Ok(true));
        let session = "Digest realm=\"c\", nonce=\"n\", algorithm=MD5-sess";
        assert_eq!(login.challenged([session].into_iter()), Ok(false));
        assert!(
            login
                .authorization("PLAY", "x")
                .unwrap()
                .contains("cnonce=")
        );
    }

    #[test]
    fn quotes_in_a_realm_are_sent_back_as_they_came() {
        let realm = r#"Digest realm="Login to \"cam, one\" = 1", nonce="n""#;
        let answer = login("a\"b", "p", &[realm])
            .signed("PLAY", "u", "")
            .unwrap();
        assert!(
            answer.contains(r#"realm="Login to \"cam, one\" = 1""#),
            "{answer}"
        );
        assert!(answer.contains(r#"username="a\"b""#), "{answer}");
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        let mut login = Login::new(Some("a"), None);
        let offers = [
            "NTLM",
            "Digest realm=\"c\", nonce=\"n\", algorithm=SHA-512-256",
        ];
        let expected = NoAnswer::Unspoken("NTLM, Digest SHA-512-256".to_owned());
        assert_eq!(login.challenged(offers.into_iter()), Err(expected));
        assert_eq!(login.authorization("OPTIONS", "*"), None);
        let mut nobody = Login::new(None, None);
        let basic = ["Basic realm=\"c\""].into_iter();
        assert_eq!(nobody.challenged(basic), Err(NoAnswer::NoUser));
    }

    proptest! {
        #[test]
        fn whatever_is_offered_is_bounded(header in "[ -~é]{0,300}") {
            let offers = offers(&header);
            prop_assert!(offers.len() <= MOST);
            prop_assert!(offers.iter().all(|offer| offer.parameters.len() <= MOST));
        }
    }
}
