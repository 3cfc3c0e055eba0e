//! RTSP messages (RFC 2326, section 4) as a camera reads and writes them.

use tokio::io::{AsyncRead, AsyncReadExt};

/// No viewer of ours sends longer heads or bodies.
const LONGEST: usize = 64 * 1024;

/// A request of a viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Such as `DESCRIBE`.
    pub method: String,
    /// As the viewer wrote it.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find_map(|(key, value)| (key == name).then_some(value.as_str()))
    }

    pub(super) fn parse(head: &str) -> Self {
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split_whitespace();
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, url) = (word(), word());
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        });
        Self {
            method,
            url,
            headers: headers.collect(),
        }
    }
}

/// An answer of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Number and phrase, such as `200 OK`.
    pub status: String,
    /// Header lines besides `CSeq` and `Content-Length`.
    pub headers: Vec<String>,
    /// What follows the head.
    pub body: Vec<u8>,
}

impl Answer {
    /// One without headers and body.
    #[must_use]
    pub fn new(status: &str) -> Self {
        Self {
            status: status.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// With one more header line.
    #[must_use]
    pub fn with(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }

    /// Without the header lines of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|line| !line.starts_with(name));
        self
    }

    /// Whether it says yes.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status.starts_with("200")
    }

    /// The bytes of it, in answer to the request numbered `cseq`.
    #[must_use]
    pub fn bytes(&self, cseq: &str) -> Vec<u8> {
        let mut head = format!("RTSP/1.0 {}\r\nCSeq: {cseq}\r\n", self.status);
        for line in &self.headers {
            head.push_str(line);
            head.push_str("\r\n");
        }
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// What comes from a viewer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Request(Request),
    /// An answer to a request of the camera's own: its status.
    Answer(String),
    /// An interleaved packet: RTCP, or an opening of a way back.
    Packet,
}

/// Reads messages one after the other.
pub(super) struct Reader<R> {
    from: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            buffer: Vec::new(),
        }
    }

    /// The next message; none at the end of the connection, or of what a viewer may say.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some(heard) = self.buffered() {
                return Some(heard);
            }
            let mut chunk = [0; 4096];
            match self.from.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.buffer.extend_from_slice(&chunk[..read]),
            }
            if self.buffer.len() > LONGEST {
                return None;
            }
        }
    }

    fn buffered(&mut self) -> Option<Heard> {
        if self.buffer.first() == Some(&b'$') {
            let length = self.buffer.get(2..4)?;
            let end = 4 + usize::from(u16::from_be_bytes(length.try_into().ok()?));
            if self.buffer.len() < end {
                return None;
            }
            self.buffer.drain(..end);
            return Some(Heard::Packet);
        }
        let end = self
            .buffer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let request = Request::parse(&head);
        let body = request
            .header("content-length")
            .and_then(|length| length.parse::<usize>().ok())
            .unwrap_or(0);
        let whole = end.saturating_add(4).saturating_add(body);
        if self.buffer.len() < whole {
            return None;
        }
        self.buffer.drain(..whole);
        Some(if request.method.starts_with("RTSP/") {
            Heard::Answer(request.url)
        } else {
            Heard::Request(request)
        })
    }
}
