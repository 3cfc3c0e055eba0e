//! A small RTSP camera on loopback whose manners a test writes: real pictures, and answers as it likes.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use crate::{flow::Codec, testing::encoded::Encoded};

/// What the camera was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) uri: String,
    pub(super) cseq: String,
    pub(super) head: String,
}

/// Answers one request; false: as usual.
type Answer = dyn Fn(&mut Talk, &Asked) -> bool + Send + Sync;
/// Called before each picture with its number; false: no more pictures.
type Before = dyn Fn(&mut Talk, usize) -> bool + Send + Sync;

/// How the camera behaves.
pub(super) struct Manners {
    pub(super) public: &'static str,
    /// Header of the answer to SETUP.
    pub(super) session: &'static str,
    pub(super) sdp: &'static str,
    pub(super) answer: Box<Answer>,
    pub(super) before: Box<Before>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            public: "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN",
            session: "12345678",
            sdp: "v=0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n",
            answer: Box::new(|_, _| false),
            before: Box::new(|_, _| true),
        }
    }
}

/// One connection, from the camera's side.
pub(super) struct Talk {
    io: TcpStream,
    whole: Arc<Mutex<()>>,
    playing: Arc<AtomicBool>,
}

impl Talk {
    fn second(&self) -> Self {
        Self {
            io: self.io.try_clone().unwrap(),
            whole: Arc::clone(&self.whole),
            playing: Arc::clone(&self.playing),
        }
    }

    /// Sends bytes as they are.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        let _whole = self.whole.lock();
        // A client that has gone is no fault of the camera.
        let _ = self.io.write_all(bytes);
    }

    pub(super) fn answer(&mut self, asked: &Asked, status: &str, headers: &str, body: &str) {
        let cseq = &asked.cseq;
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        self.say(
            format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{headers}{length}\r\n{body}").as_bytes(),
        );
    }

    pub(super) fn close(&mut self) {
        let _ = self.io.shutdown(std::net::Shutdown::Both);
    }

    /// Ends the connection as a power cut does: with a reset.
    pub(super) fn reset(&mut self) {
        let socket = socket2::SockRef::from(&self.io);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        // The other half of the connection is held by the thread that reads: it is woken, and the last of both resets.
        let _ = self.io.shutdown(std::net::Shutdown::Read);
        self.playing.store(false, Ordering::Relaxed);
    }
}

/// The camera. Its threads end with the connections.
pub(super) struct Camera {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    open: Arc<AtomicBool>,
}

impl Camera {
    pub(super) fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, open) = (Arc::default(), Arc::new(AtomicBool::new(true)));
        let (log, manners, going) = (Arc::clone(&asked), Arc::new(manners), Arc::clone(&open));
        let pictures = Arc::new(pictures());
        #[allow(clippy::disallowed_methods)]
        std::thread::spawn(move || {
            for io in listener.incoming().flatten() {
                if !going.load(Ordering::Relaxed) {
                    return;
                }
                let talk = Talk {
                    io,
                    whole: Arc::default(),
                    playing: Arc::new(AtomicBool::new(true)),
                };
                let (log, manners) = (Arc::clone(&log), Arc::clone(&manners));
                let pictures = Arc::clone(&pictures);
                std::thread::spawn(move || converse(talk, &log, &manners, &pictures));
            }
        });
        Self { port, asked, open }
    }

    pub(super) fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/live", self.port)
    }

    /// The methods that were asked so far.
    pub(super) fn methods(&self) -> Vec<String> {
        self.asked
            .lock()
            .iter()
            .map(|asked| asked.method.clone())
            .collect()
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.open.store(false, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// The next request; packets of the client are passed over.
fn request(io: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Asked> {
    loop {
        while buffer.first() == Some(&b'$') && buffer.len() >= 4 {
            let whole = 4 + usize::from(u16::from_be_bytes([buffer[2], buffer[3]]));
            if buffer.len() < whole {
                break;
            }
            buffer.drain(..whole);
        }
        let end = buffer.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end.filter(|_| buffer.first() != Some(&b'$')) {
            let head: Vec<u8> = buffer.drain(..end + 4).collect();
            let head = String::from_utf8(head).unwrap();
            let mut words = head.split(' ');
            let (method, uri) = (words.next().unwrap(), words.next().unwrap());
            if method.starts_with("RTSP/") {
                continue;
            }
            let cseq = head
                .lines()
                .find_map(|line| line.strip_prefix("CSeq: "))
                .unwrap();
            return Some(Asked {
                method: method.to_owned(),
                uri: uri.to_owned(),
                cseq: cseq.to_owned(),
                head: head.clone(),
            });
        }
        let mut more = [0; 4096];
        match io.read(&mut more) {
            Ok(length @ 1..) => buffer.extend(&more[..length]),
            _ => return None,
        }
    }
}

fn converse(
    mut talk: Talk,
    log: &Mutex<Vec<Asked>>,
    manners: &Arc<Manners>,
    pictures: &Arc<Vec<Vec<Vec<u8>>>>,
) {
    let mut buffer = Vec::new();
    let mut io = talk.io.try_clone().unwrap();
    while let Some(asked) = request(&mut io, &mut buffer) {
        log.lock().push(asked.clone());
        if (manners.answer)(&mut talk, &asked) {
            continue;
        }
        match asked.method.as_str() {
            "OPTIONS" => talk.answer(
                &asked,
                "200 OK",
                &format!("Public: {}\r\n", manners.public),
                "",
            ),
            "DESCRIBE" => talk.answer(
                &asked,
                "200 OK",
                "Content-Type: application/sdp\r\n",
                manners.sdp,
            ),
            "SETUP" => {
                let headers = format!(
                    "Session: {}\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
                    manners.session
                );
                talk.answer(&asked, "200 OK", &headers, "");
            }
            "PLAY" => {
                talk.answer(&asked, "200 OK", "", "");
                let (talk, manners, pictures) =
                    (talk.second(), Arc::clone(manners), Arc::clone(pictures));
                #[allow(clippy::disallowed_methods)]
                std::thread::spawn(move || send(talk, &manners, &pictures));
            }
            "TEARDOWN" => {
                talk.answer(&asked, "200 OK", "", "");
                break;
            }
            _ => talk.answer(&asked, "200 OK", "", ""),
        }
    }
    talk.playing.store(false, Ordering::Relaxed);
}

/// Twenty pictures a second, in a loop, each unit in a packet of its own.
fn send(mut talk: Talk, manners: &Manners, pictures: &[Vec<Vec<u8>>]) {
    let mut sequence = 0u16;
    for (n, picture) in pictures.iter().cycle().enumerate() {
        if !talk.playing.load(Ordering::Relaxed) || !(manners.before)(&mut talk, n) {
            return;
        }
        let timestamp = u32::try_from(n).unwrap().wrapping_mul(4500);
        for (at, unit) in picture.iter().enumerate() {
            let marker = if at + 1 == picture.len() { 0x80 } else { 0 };
            let mut packet = vec![0x80, marker | 96];
            packet.extend(sequence.to_be_bytes());
            packet.extend(timestamp.to_be_bytes());
            packet.extend(7u32.to_be_bytes());
            packet.extend(unit);
            sequence = sequence.wrapping_add(1);
            let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
            let frame = [&[b'$', 0, length[0], length[1]], &packet[..]].concat();
            talk.say(&frame);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Units of pictures with a keyframe every half second, each with its parameter sets.
fn pictures() -> Vec<Vec<Vec<u8>>> {
    let packets = Encoded::new(Codec::H264, 40, 10).packets();
    let record = packets[0].format.codec_data.clone();
    // One of each, as x264 makes them (ISO/IEC 14496-15, 5.3.3.1).
    let length = |at: usize| usize::from(u16::from_be_bytes([record[at], record[at + 1]]));
    let sps = record[8..8 + length(6)].to_vec();
    let at = 8 + sps.len() + 1;
    let pps = record[at + 2..at + 2 + length(at)].to_vec();
    packets
        .iter()
        .map(|packet| {
            let units = crate::ingest::bitstream::nal::units(&packet.data, 4).map(<[u8]>::to_vec);
            let sets = [sps.clone(), pps.clone()]
                .into_iter()
                .filter(|_| packet.key);
            sets.chain(units.filter(|unit| !matches!(unit[0] & 31, 7 | 8)))
                .collect()
        })
        .collect()
}
