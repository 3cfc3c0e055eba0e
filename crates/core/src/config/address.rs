//! How the address of a camera is shown. Pure.
//!
//! Many cameras take the password in the path or the query of their address, and some addresses are themselves the
//! secret. So a log, a topic, a page or a ledger shows the host, the port and at most the last element of the path.

use sha2::{Digest, Sha256};
use url::Url;

/// A longer element says little to people.
const MOST_SHOWN: usize = 32;
/// From this length on, an element of letters and digits alone may be an access token.
const TOKEN: usize = 12;
/// Parts of names under which secrets travel.
const SECRET_WORDS: [&str; 9] = [
    "pass", "pwd", "psw", "user", "auth", "token", "secret", "login", "key",
];

/// `rtsp://host:port/…/stream`, without user, password, query, and all of the path but its last element. That one is
/// left out too where it may hold a secret.
#[must_use]
pub fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map_or(String::new(), |port| format!(":{port}"));
    let path = stream(url).unwrap_or_else(|| "/…".to_owned());
    format!("{}://{host}{port}{path}", url.scheme())
}

/// The last element of the address's path as people may see it, such as `/stream2` or `/…/101`.
#[must_use]
pub fn stream(url: &Url) -> Option<String> {
    let path = url.path().trim_end_matches('/');
    let (before, last) = path.rsplit_once('/')?;
    if !harmless(last) {
        return None;
    }
    Some(match before {
        "" => format!("/{last}"),
        _ => format!("/…/{last}"),
    })
}

/// [`shown`], with four digits by which a change of what is left out can be noticed.
pub(super) fn fingerprinted(url: &Url) -> String {
    let digest = Sha256::digest(url.as_str().as_bytes());
    format!("{} ({:02x}{:02x})", shown(url), digest[0], digest[1])
}

fn harmless(element: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let lower = element.to_ascii_lowercase();
    let count = |kind: fn(&char) -> bool| element.chars().filter(kind).count();
    let digits = count(char::is_ascii_digit);
    let mixed = count(char::is_ascii_uppercase) > 0 && count(char::is_ascii_lowercase) > 0;
    let token = element.len() >= TOKEN
        && element.chars().all(|c| c.is_ascii_alphanumeric())
        && (digits >= 4 || (digits > 0 && mixed));
    !element.is_empty()
        && element.len() <= MOST_SHOWN
        && element.chars().all(plain)
        && !SECRET_WORDS.iter().any(|word| lower.contains(word))
        && !token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_paths_and_queries_are_left_out() {
        for (address, expected) in [
            ("rtsp://cam/stream2", "rtsp://cam/stream2"),
            (
                "rtsp://10.0.0.2:8554/Streaming/Channels/101?a=b",
                "rtsp://10.0.0.2:8554/…/101",
            ),
            ("rtsp://cam/live.sdp/", "rtsp://cam/live.sdp"),
            (
                "rtsp://cam/user=admin_password=S3CRET_channel=1_stream=0.sdp?real_stream",
                "rtsp://cam/…",
            ),
            ("rtsp://cam/h264/S3CRET/ch1", "rtsp://cam/…/ch1"),
            ("rtsps://nvr:7441/aB3dE5gH7jK9mN1p", "rtsps://nvr:7441/…"),
            (
                "rtsp://cam/cam/realmonitor?channel=1&password=S3CRET",
                "rtsp://cam/…/realmonitor",
            ),
            ("rtsp://cam", "rtsp://cam/…"),
            ("rtsp://anna:S3CRET@cam/", "rtsp://cam/…"),
            ("rtsp://cam/mypassword", "rtsp://cam/…"),
        ] {
            let text = shown(&address.parse().unwrap());
            assert_eq!(text, expected);
            assert!(!text.contains("S3CRET"));
        }
    }

    #[test]
    fn a_change_of_what_is_left_out_can_be_noticed() {
        let print = |address: &str| fingerprinted(&address.parse().unwrap());
        let (one, two) = (print("rtsp://cam/x?p=1"), print("rtsp://cam/x?p=2"));
        assert!(
            one.starts_with("rtsp://cam/x (") && one != two,
            "{one} {two}"
        );
    }
}
