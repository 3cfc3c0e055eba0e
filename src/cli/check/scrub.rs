//! Takes out of a conversation with a camera what is nobody's business: credentials, addresses, names and numbers.
//!
//! In: RTSP messages as they were. Out: the same with only what is known to be harmless; all else is replaced by words
//! that keep the message's form. Works by lists of what may stay, never by lists of what must go.

mod sdp;

/// Header values that stay as they are.
const PLAIN: &[&str] = &[
    "cseq",
    "public",
    "allow",
    "content-type",
    "range",
    "scale",
    "speed",
    "require",
    "unsupported",
    "connection",
    "supported",
    "blocksize",
    "bandwidth",
    "accept",
    "x-playback",
];
/// Fields of a transport that name no place.
const TRANSPORT: &[&str] = &[
    "unicast",
    "multicast",
    "interleaved",
    "client_port",
    "server_port",
    "mode",
    "ssrc",
    "append",
    "layers",
    "ttl",
];
/// What the last element of a track's address may begin with.
const TRACKS: &[&str] = &[
    "track",
    "trackid",
    "stream",
    "streamid",
    "video",
    "audio",
    "media",
    "channel",
    "metadata",
    "meta",
    "application",
    "ctl",
    "v",
    "a",
];
/// Fields of a login that say how it is made.
const METHODS: &[&str] = &["algorithm", "qop", "stale", "nc", "charset", "userhash"];
/// Fields of a login whose names stay.
const CREDENTIALS: &[&str] = &[
    "username", "realm", "nonce", "uri", "response", "cnonce", "opaque", "domain",
];
const SCHEMES: &[&str] = &["Basic", "Digest"];
/// In place of what was taken out.
const REMOVED: &str = "removed";
/// In place of the stream's address.
pub(super) const ADDRESS: &str = "rtsp://camera/stream";

/// A whole message without secrets.
pub(super) fn message(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let end = [
        text.find("\r\n\r\n").map(|at| at + 4),
        text.find("\n\n").map(|at| at + 2),
    ];
    let end = end.into_iter().flatten().min().unwrap_or(text.len());
    let (head, body) = text.split_at(end);
    let mut out = String::new();
    for (index, line) in head.split_inclusive('\n').enumerate() {
        let (line, ending) = split_ending(line);
        out += &match index {
            0 => first_line(line),
            _ => header(line),
        };
        out += ending;
    }
    let body = sdp::description(body);
    relength(&out, body.len()) + &body
}

/// The length of the body that is there now.
fn relength(head: &str, length: usize) -> String {
    let lines = head.split_inclusive('\n').map(|line| {
        let (text, ending) = split_ending(line);
        match text.split_once(':') {
            Some((name, _)) if name.trim().eq_ignore_ascii_case("content-length") => {
                format!("{name}: {length}{ending}")
            }
            _ => line.to_owned(),
        }
    });
    lines.collect()
}

fn split_ending(line: &str) -> (&str, &str) {
    line.split_at(line.trim_end_matches(['\r', '\n']).len())
}

/// `METHOD ADDRESS RTSP/1.0` or `RTSP/1.0 STATUS PHRASE`.
fn first_line(line: &str) -> String {
    let mut words = line.split(' ');
    let first = word(words.next().unwrap_or_default());
    if first.starts_with("RTSP/") {
        let status: String = words.next().unwrap_or_default().chars().take(3).collect();
        let number = status.chars().all(|c| c.is_ascii_digit());
        let status = if number { status.as_str() } else { REMOVED };
        // The phrase is free text; whether there is one may matter.
        return match words.next() {
            Some(_) => format!("{first} {status} Phrase"),
            None => format!("{first} {status}"),
        };
    }
    let address = address(words.next().unwrap_or_default());
    let version = word(words.next().unwrap_or_default());
    format!("{first} {address} {version}")
}

/// A word of a protocol; anything else is taken out.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if text.len() <= 24 && text.chars().all(plain) {
        text.to_owned()
    } else {
        REMOVED.to_owned()
    }
}

fn header(line: &str) -> String {
    if line.trim().is_empty() {
        return line.to_owned();
    }
    let Some((name, value)) = line.split_once(':') else {
        return REMOVED.to_owned();
    };
    let name = word(name);
    let blank = if value.starts_with(' ') { " " } else { "" };
    let trimmed = value.trim();
    let value = match name.to_ascii_lowercase().as_str() {
        "content-base" | "content-location" | "location" => address(trimmed),
        "content-length" => trimmed.chars().filter(char::is_ascii_digit).collect(),
        "session" => session(trimmed),
        "transport" => transport(trimmed),
        "www-authenticate" | "authorization" => login(trimmed),
        "rtp-info" => rtp_info(trimmed),
        known if PLAIN.contains(&known) && harmless(trimmed) => trimmed.to_owned(),
        _ => REMOVED.to_owned(),
    };
    format!("{name}:{blank}{value}")
}

/// Nothing in it is an address or a name that somebody gave.
fn harmless(value: &str) -> bool {
    !value.contains("://") && !value.contains('@') && value.len() <= 300
}

/// The id goes; the time-out stays.
fn session(value: &str) -> String {
    match value.split_once(';') {
        Some((_, parameters)) if harmless(parameters) => format!("12345678;{parameters}"),
        _ => "12345678".to_owned(),
    }
}

fn transport(value: &str) -> String {
    let field = |field: &str| {
        let name = field
            .split('=')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let known = TRANSPORT.contains(&name.as_str()) || name.starts_with("rtp/");
        match known && harmless(field) {
            true => field.to_owned(),
            false => format!("{}={REMOVED}", word(&name)),
        }
    };
    value.split(';').map(field).collect::<Vec<_>>().join(";")
}

/// Scheme, algorithm and `qop` stay: they say what is asked for. Whom and with what does not.
fn login(value: &str) -> String {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let field = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        // A second challenge may begin here.
        let (next, name) = name.trim().rsplit_once(' ').unwrap_or(("", name.trim()));
        let next = SCHEMES
            .iter()
            .find(|known| next.eq_ignore_ascii_case(known));
        let next = next.map_or_else(String::new, |_| format!("{} ", word(next_word(part))));
        let (known, value) = (name.to_ascii_lowercase(), value.trim());
        let quote = if value.starts_with('"') { "\"" } else { "" };
        match known.as_str() {
            known if METHODS.contains(&known) && value.len() <= 40 && harmless(value) => {
                format!("{next}{name}={value}")
            }
            known if CREDENTIALS.contains(&known) => {
                format!("{next}{name}={quote}{REMOVED}{quote}")
            }
            _ => format!("{next}{REMOVED}"),
        }
    };
    let fields: Vec<_> = unquoted_split(rest).into_iter().map(field).collect();
    format!("{} {}", word(scheme), fields.join(", "))
}

fn next_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// Splits at commas outside of quotes.
fn unquoted_split(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&text[from..]);
    parts
}

fn rtp_info(value: &str) -> String {
    let field = |field: &str| match field.trim().split_once('=') {
        Some((name, url)) if name.eq_ignore_ascii_case("url") => format!("{name}={}", address(url)),
        Some((name @ ("seq" | "rtptime" | "ssrc"), number)) if harmless(number) => {
            format!("{name}={}", word(number))
        }
        _ => REMOVED.to_owned(),
    };
    value.split(';').map(field).collect::<Vec<_>>().join(";")
}

/// An address in its form: whole, rooted or relative, with a slash at its end or without, with the track's name.
fn address(text: &str) -> String {
    if matches!(text, "" | "*") {
        return text.to_owned();
    }
    let whole = text.contains("://");
    let scheme = if text.starts_with("rtsps") {
        "rtsps"
    } else {
        "rtsp"
    };
    let slash = if text.ends_with('/') { "/" } else { "" };
    let last = text
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let track = track(last);
    match (whole, track) {
        (true, Some(track)) => format!("{scheme}://camera/stream/{track}{slash}"),
        (true, None) => format!("{scheme}://camera/stream{slash}"),
        (false, Some(track)) if text.starts_with('/') => format!("/stream/{track}{slash}"),
        (false, Some(track)) => format!("{track}{slash}"),
        (false, None) if text.starts_with('/') => format!("/stream{slash}"),
        (false, None) => format!("track{slash}"),
    }
}

/// The name of a track, where it is one that cameras give: a known word and a few digits.
fn track(text: &str) -> Option<&str> {
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - name.len();
    let word = name.trim_end_matches(['=', '_', '-']).to_ascii_lowercase();
    (digits <= 3 && TRACKS.contains(&word.as_str())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_loses_names_numbers_and_addresses_and_keeps_its_form() {
        let heard = "RTSP/1.0 200 OK\r\nCSeq: 3\r\nServer: CamCo/DS-2CD SN998877\r\nContent-Base: rtsp://10.0.0.9:554/user=admin_password=pw/\r\n\
             Date: Mon, 1 Jun 2026\r\nContent-Type: application/sdp\r\nContent-Length: 400\r\nbare line\r\n\r\n\
             v=0\r\no=admin 12 1 IN IP4 10.0.0.9\r\ns=Garden of the Martins\r\ni=\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
             a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0IAHpWoKA9k,aM48gA==;owner=Martin\r\n\
             a=control:rtsp://10.0.0.9/user=admin_password=pw/trackID=1\r\na=x-serial:SN998877\r\n\0\0";
        let told = message(heard.as_bytes());
        for gone in [
            "10.0.0.9", "admin", "pw", "SN99", "Martin", "CamCo", "Jun", "bare",
        ] {
            assert!(!told.contains(gone), "{gone} is in\n{told}");
        }
        for kept in [
            "RTSP/1.0 200 Phrase\r\n",
            "Content-Base: rtsp://camera/stream/\r\n",
            "removed\r\n\r\nv=0\r\n",
            "a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0IAHpWoKA9k,aM48gA==;owner=removed\r\n",
            "a=control:rtsp://camera/stream/trackID=1\r\n",
            "i=\r\n",
            "\0\0",
        ] {
            assert!(told.contains(kept), "{kept:?} is not in\n{told}");
        }
        let (head, body) = told.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }

    #[test]
    fn a_login_keeps_its_method_alone() {
        let said = "DESCRIBE rtsp://10.0.0.9/secret?x=1 RTSP/1.0\r\nCSeq: 2\r\n\
             Authorization: Digest username=\"admin\", realm=\"a, b\", nonce=\"abc\", uri=\"rtsp://10.0.0.9/secret\", algorithm=SHA-256, qop=auth, nc=00000001, response=\"ff\"\r\n\r\n";
        let told = message(said.as_bytes());
        assert_eq!(
            told,
            "DESCRIBE rtsp://camera/stream RTSP/1.0\r\nCSeq: 2\r\n\
             Authorization: Digest username=\"removed\", realm=\"removed\", nonce=\"removed\", uri=\"removed\", algorithm=SHA-256, qop=auth, nc=00000001, response=\"removed\"\r\n\r\n"
        );
        let basic = message(b"PLAY * RTSP/1.0\nAuthorization: Basic YWRtaW46cHc=\n\n");
        assert_eq!(basic, "PLAY * RTSP/1.0\nAuthorization: Basic removed\n\n");
        let asked = "RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"SN1\", Digest realm=\"SN2\", nonce=\"n\", qop=\"auth,auth-int\"\r\n\r\n";
        let told = message(asked.as_bytes());
        assert!(
            !told.contains("SN") && told.contains("qop=\"auth,auth-int\""),
            "{told}"
        );
    }

    #[test]
    fn addresses_keep_their_form() {
        for (from, to) in [
            ("*", "*"),
            ("", ""),
            ("trackID=1", "trackID=1"),
            ("/cam/track2", "/stream/track2"),
            ("serial-998877", "track"),
            (
                "rtsp://10.0.0.9/ch1?p=x/trackID=0",
                "rtsp://camera/stream/trackID=0",
            ),
            ("rtsps://10.0.0.9/ch1/", "rtsps://camera/stream/"),
        ] {
            assert_eq!(address(from), to, "{from}");
        }
    }

    #[test]
    fn whatever_comes_is_borne() {
        for bytes in [
            &b""[..],
            b"\xff\xfe\0",
            b"RTSP/1.0",
            b"\r\n\r\nx",
            b"A B\n:\n\n=\na=\n",
        ] {
            message(bytes);
        }
    }
}
