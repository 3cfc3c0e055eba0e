//! Who may watch: Basic, and Digest as RFC 2069, 2617 and 7616 describe it, checked independently of our client.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use sha2::Sha256;

use super::message::Request;

/// When a nonce is replaced by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonces {
    /// Never.
    Fixed,
    /// With each request; the one before is refused.
    EachRequest,
    /// After this time; the one before is refused.
    Each(Duration),
}

/// How a camera asks for a user and a password.
#[derive(Clone)]
pub struct Login {
    /// Who may watch.
    pub user: &'static str,
    /// Their password.
    pub password: &'static str,
    /// The `WWW-Authenticate` values, with this nonce.
    pub challenges: fn(nonce: &str) -> Vec<String>,
    /// Algorithms that are taken, such as `MD5` and `SHA-256-SESS`; none: Basic alone.
    pub algorithms: &'static [&'static str],
    /// An answer without `qop` is refused.
    pub needs_qop: bool,
    /// An answer by Basic is taken.
    pub basic: bool,
    /// How long a nonce lives.
    pub nonces: Nonces,
    /// The count of a nonce's uses must grow.
    pub counts: bool,
    /// OPTIONS needs a login too.
    pub options_too: bool,
}

impl Login {
    /// `admin` with the password `s3cret-w0rd`, by MD5 without `qop`, as most cameras ask.
    #[must_use]
    pub fn new() -> Self {
        Self {
            user: "admin",
            password: "s3cret-w0rd",
            challenges: |nonce| vec![format!("Digest realm=\"cam\", nonce=\"{nonce}\"")],
            algorithms: &["MD5"],
            needs_qop: false,
            basic: false,
            nonces: Nonces::Fixed,
            counts: false,
            options_too: false,
        }
    }
}

impl Default for Login {
    fn default() -> Self {
        Self::new()
    }
}

/// The gate of one camera, with the nonce of the moment.
pub(super) struct Gate {
    login: Login,
    number: u64,
    since: Instant,
    highest_count: u64,
}

impl Gate {
    pub(super) fn new(login: Login) -> Self {
        Self {
            login,
            number: 0,
            since: Instant::now(),
            highest_count: 0,
        }
    }

    /// The challenges of the moment.
    pub(super) fn challenges(&self) -> Vec<String> {
        (self.login.challenges)(&self.nonce())
    }

    fn nonce(&self) -> String {
        format!("n{:031}", self.number)
    }

    /// Whether a request may pass.
    pub(super) fn passes(&mut self, request: &Request) -> bool {
        if request.method == "OPTIONS" && !self.login.options_too {
            return true;
        }
        if let Nonces::Each(time) = self.login.nonces
            && self.since.elapsed() >= time
        {
            self.renew();
        }
        let passes = self.is_right(request);
        if self.login.nonces == Nonces::EachRequest {
            self.renew();
        }
        passes
    }

    fn renew(&mut self) {
        self.number += 1;
        self.since = Instant::now();
        self.highest_count = 0;
    }

    fn is_right(&mut self, request: &Request) -> bool {
        let Some(given) = request.header("authorization") else {
            return false;
        };
        let login = &self.login;
        if let Some(word) = given.strip_prefix("Basic ") {
            let right = STANDARD.encode(format!("{}:{}", login.user, login.password));
            return login.basic && word.trim() == right;
        }
        let Some(fields) = given.strip_prefix("Digest ").map(parameters) else {
            return false;
        };
        let field = |name: &str| {
            let mut fields = fields.iter();
            fields.find_map(|(key, value)| (key == name).then_some(value.as_str()))
        };
        let algorithm = field("algorithm").unwrap_or("MD5").to_ascii_uppercase();
        if !login.algorithms.contains(&algorithm.as_str())
            || field("username").map(unescaped).as_deref() != Some(login.user)
            || field("nonce") != Some(&self.nonce())
            || field("uri") != Some(&request.url)
            || (login.needs_qop && field("qop").is_none())
        {
            return false;
        }
        if login.counts {
            let count = field("nc").and_then(|nc| u64::from_str_radix(nc, 16).ok());
            match count {
                Some(count) if count > self.highest_count => self.highest_count = count,
                _ => return false,
            }
        }
        let realm = field("realm").unwrap_or_default();
        // Cameras hash their realm as they send it, or as it reads.
        [realm.to_owned(), unescaped(realm)].iter().any(|realm| {
            let right = response(&self.login, &algorithm, realm, &request.method, &field);
            field("response") == Some(&right)
        })
    }
}

/// The right `response`: RFC 7616, 3.4.1, and RFC 2069 where there is no `qop`.
fn response<'a>(
    login: &Login,
    algorithm: &str,
    realm: &str,
    method: &str,
    field: &impl Fn(&str) -> Option<&'a str>,
) -> String {
    let get = |name: &str| field(name).unwrap_or_default();
    let hash = |text: &str| {
        if algorithm.starts_with("SHA-256") {
            hex::encode(Sha256::digest(text))
        } else {
            hex::encode(Md5::digest(text))
        }
    };
    let mut secret = hash(&format!("{}:{realm}:{}", login.user, login.password));
    if algorithm.ends_with("-SESS") {
        secret = hash(&format!("{secret}:{}:{}", get("nonce"), get("cnonce")));
    }
    let mut act = format!("{method}:{}", get("uri"));
    if get("qop") == "auth-int" {
        act = format!("{act}:{}", hash(""));
    }
    let act = hash(&act);
    match field("qop") {
        Some(qop) => hash(&format!(
            "{secret}:{}:{}:{}:{qop}:{act}",
            get("nonce"),
            get("nc"),
            get("cnonce")
        )),
        None => hash(&format!("{secret}:{}:{act}", get("nonce"))),
    }
}

/// `a=b, c="d, e"` as pairs; what is quoted stays escaped.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut escaped = false;
                let end = quoted.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                let end = end.unwrap_or(quoted.len());
                (&quoted[..end], quoted.get(end + 1..).unwrap_or_default())
            }
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        pairs.push((name, value.trim().to_owned()));
        rest = next;
    }
    pairs
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(authorization: &str, method: &str, url: &str) -> Request {
        Request {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: vec![("authorization".to_owned(), authorization.to_owned())],
        }
    }

    #[test]
    fn the_example_of_rfc_2617_passes_and_a_changed_one_does_not() {
        let login = Login {
            user: "Mufasa",
            password: "Circle Of Life",
            ..Login::new()
        };
        let line = |response: &str| {
            format!(
                "username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", response=\"{response}\""
            )
        };
        let fields = parameters(&line("6629fae49393a05397450978507c4ef1"));
        let field = |name: &str| {
            let mut fields = fields.iter();
            fields.find_map(|(key, value)| (key == name).then_some(value.as_str()))
        };
        assert_eq!(
            response(&login, "MD5", "testrealm@host.com", "GET", &field),
            "6629fae49393a05397450978507c4ef1"
        );
        let mut gate = Gate::new(login);
        assert!(!gate.passes(&asks(
            &format!("Digest {}", line("0")),
            "GET",
            "/dir/index.html"
        )));
    }

    #[test]
    fn basic_is_refused_where_it_was_not_offered() {
        let right = format!("Basic {}", STANDARD.encode("admin:s3cret-w0rd"));
        let request = asks(&right, "DESCRIBE", "rtsp://h/");
        assert!(!Gate::new(Login::new()).passes(&request));
        let login = Login {
            basic: true,
            ..Login::new()
        };
        assert!(Gate::new(login).passes(&request));
    }

    #[test]
    fn quotes_inside_of_quotes_are_kept() {
        let pairs = parameters(r#"realm="Login to \"cam, one\" = 1", nc=00000001,qop=auth"#);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let realm = pair("realm", r#"Login to \"cam, one\" = 1"#);
        assert_eq!(pairs, [realm, pair("nc", "00000001"), pair("qop", "auth")]);
        assert_eq!(unescaped(r#"a \"b\""#), r#"a "b""#);
    }
}
