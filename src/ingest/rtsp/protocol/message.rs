//! RTSP requests and responses (RFC 2326, 4 to 7), as cameras write them. Pure.
//!
//! Read tolerantly: lines may end in a bare line feed, the reason phrase may be missing, versions and letter case vary,
//! text may be Latin-1, and lines without a colon are passed over. Whatever comes, what is kept is bounded.

use bytes::Bytes;

/// The longest head: request or status line and headers.
pub(in crate::ingest::rtsp) const MOST_HEAD: usize = 32 * 1024;
/// The longest body. A description of a camera has some hundred bytes.
pub(in crate::ingest::rtsp) const MOST_BODY: usize = 256 * 1024;
/// Further headers are passed over.
const MOST_HEADERS: usize = 128;

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest::rtsp) enum Message {
    Response(Response),
    Request(Request),
}

/// The camera's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest::rtsp) struct Response {
    pub(in crate::ingest::rtsp) status: u16,
    /// It is one of HTTP: another service listens there.
    pub(in crate::ingest::rtsp) http: bool,
    pub(in crate::ingest::rtsp) headers: Headers,
    pub(in crate::ingest::rtsp) body: Bytes,
}

/// What the camera asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ingest::rtsp) struct Request {
    pub(in crate::ingest::rtsp) method: String,
    pub(in crate::ingest::rtsp) headers: Headers,
}

/// Names and values in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ingest::rtsp) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of `name`, in any letter case.
    pub(in crate::ingest::rtsp) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of `name`.
    pub(in crate::ingest::rtsp) fn all<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let of = move |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.0.iter().filter(of).map(|(_, value)| value.as_str())
    }

    /// The number of the request that this belongs to.
    pub(in crate::ingest::rtsp) fn cseq(&self) -> Option<u32> {
        self.get("CSeq")?.parse().ok()
    }

    /// One more line; a folded one belongs to the line before.
    fn line(&mut self, line: &str) {
        if line.starts_with([' ', '\t'])
            && let Some((_, value)) = self.0.last_mut()
        {
            value.push(' ');
            value.push_str(line.trim());
        } else if let Some((name, value)) = line.split_once(':')
            && self.0.len() < MOST_HEADERS
        {
            self.0
                .push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
}

/// What a buffer begins with.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::ingest::rtsp) enum Parsed {
    /// A message, and how many bytes it takes.
    Whole(Message, usize),
    /// The rest has not come yet.
    Partial,
    /// More than anybody needs.
    TooLong,
    /// Something else.
    NotRtsp,
}

/// Reads the message that `bytes` begin with.
pub(in crate::ingest::rtsp) fn parse(bytes: &[u8]) -> Parsed {
    let Some((head, length)) = head(&bytes[..bytes.len().min(MOST_HEAD)]) else {
        return match bytes.first() {
            Some(first) if !first.is_ascii_uppercase() => Parsed::NotRtsp,
            _ if !plausible(bytes) => Parsed::NotRtsp,
            _ if bytes.len() >= MOST_HEAD => Parsed::TooLong,
            _ => Parsed::Partial,
        };
    };
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    let first = lines.next().unwrap_or_default();
    let mut headers = Headers::default();
    lines.for_each(|line| headers.line(line));
    let body = headers.get("Content-Length").map_or(0, |value| {
        let digits = value.split(|c: char| !c.is_ascii_digit()).next();
        digits.unwrap_or_default().parse().unwrap_or(0)
    });
    if body > MOST_BODY {
        return Parsed::TooLong;
    }
    let Some(message) = start_line(first, headers) else {
        return Parsed::NotRtsp;
    };
    let Some(content) = bytes.get(length..length + body) else {
        return Parsed::Partial;
    };
    let message = match message {
        Message::Response(response) => Message::Response(Response {
            body: Bytes::copy_from_slice(content),
            ..response
        }),
        request => request,
    };
    Parsed::Whole(message, length + body)
}

/// The head without its empty line, and its length with it.
fn head(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
    for (at, _) in ends {
        let rest = &bytes[at + 1..];
        if rest.first() == Some(&b'\n') {
            return Some((&bytes[..at], at + 2));
        }
        if rest.starts_with(b"\r\n") {
            return Some((&bytes[..at], at + 3));
        }
    }
    None
}

/// Whether the first line, as far as it has come, may become one of RTSP.
fn plausible(bytes: &[u8]) -> bool {
    const LONGEST_WORD: usize = 32;
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let word = line.split(|b| *b == b' ').next().unwrap_or_default();
    let letters = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_/.\r".contains(b);
    word.len() <= LONGEST_WORD && word.iter().all(letters)
}

fn start_line(line: &str, headers: Headers) -> Option<Message> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let http = first.starts_with("HTTP/");
    if http || first.starts_with("RTSP/") {
        return Some(Message::Response(Response {
            status: words.next()?.parse().ok()?,
            http,
            headers,
            body: Bytes::new(),
        }));
    }
    let method = |word: &str| word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let version = words.next_back()?;
    (method(first) && version.starts_with("RTSP/")).then(|| {
        Message::Request(Request {
            method: first.to_owned(),
            headers,
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn response(text: &str) -> Response {
        match parse(text.as_bytes()) {
            Parsed::Whole(Message::Response(response), length) => {
                assert_eq!(length, text.len());
                response
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn untidy_answers_are_read() {
        let tidy = response("RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nv=0\n");
        assert_eq!((tidy.status, tidy.headers.cseq()), (200, Some(3)));
        assert_eq!(&tidy.body[..], b"v=0\n");
        // No reason, another version, bare line feeds, a line without colon, a folded one, odd letter case.
        let untidy = response(
            "RTSP/1.1 401\ncseq:7 \ngarbage\nWWW-Authenticate: Digest realm=\"a\",\n nonce=\"b\"\nwww-authenticate:Basic\n\n",
        );
        assert_eq!((untidy.status, untidy.headers.cseq()), (401, Some(7)));
        let challenges: Vec<_> = untidy.headers.all("WWW-AUTHENTICATE").collect();
        assert_eq!(challenges, ["Digest realm=\"a\", nonce=\"b\"", "Basic"]);
        assert!(response("HTTP/1.1 404 Not Found\r\n\r\n").http);
    }

    #[test]
    fn latin_1_does_not_end_the_session() {
        let bytes = b"RTSP/1.0 200 OK\r\nServer: Kam\xe9ra\r\nCSeq: 1\r\n\r\n";
        assert!(matches!(parse(bytes), Parsed::Whole(_, n) if n == bytes.len()));
    }

    #[test]
    fn requests_of_the_camera_are_told_from_its_answers() {
        let text = b"OPTIONS rtsp://10.0.0.1/a b RTSP/1.0\r\nCSeq: 77\r\n\r\nrest";
        let Parsed::Whole(Message::Request(request), length) = parse(text) else {
            panic!("a request");
        };
        assert_eq!(
            (request.method.as_str(), length),
            ("OPTIONS", text.len() - 4)
        );
        assert_eq!(request.headers.cseq(), Some(77));
    }

    #[test]
    fn what_is_too_long_or_something_else_is_given_up() {
        for text in [
            "SSH-2.0-OpenSSH_9.2\r\n",
            "\u{1}\u{2}",
            "garbage",
            "220 ftp ready\r\n",
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::NotRtsp, "{text}");
        }
        let endless = format!("RTSP/1.0 200 OK\r\nX: {}", "x".repeat(MOST_HEAD));
        assert_eq!(parse(endless.as_bytes()), Parsed::TooLong);
        let body = "RTSP/1.0 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
        assert_eq!(parse(body.as_bytes()), Parsed::TooLong);
        assert_eq!(parse(b"RTSP/1.0 200 OK\r\nCSe"), Parsed::Partial);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            if let Parsed::Whole(_, length) = parse(&bytes) {
                prop_assert!(length <= bytes.len() && length > 0);
            }
        }

        #[test]
        fn what_looks_like_rtsp_is_read_within_bounds(text in "(RTSP/1.0 |OPTIONS )[ -~\r\n:]{0,200}(\r\n\r\n)?") {
            if let Parsed::Whole(_, length) = parse(text.as_bytes()) {
                prop_assert!(length <= text.len() && length > 0);
            }
        }

        #[test]
        fn a_message_that_comes_in_parts_is_the_same_message(cut in 0usize..60) {
            let text = b"RTSP/1.0 200 OK\r\nCSeq: 9\r\nContent-Length: 5\r\n\r\nhello";
            let cut = cut.min(text.len() - 1);
            prop_assert_eq!(parse(&text[..cut]), Parsed::Partial);
        }
    }
}
