//! The server itself: what it sends is right before it is wrong on purpose.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Camera, Clip, Codec, End, Packing, Recording, Server, Unit, catalog, jpeg,
    packetizer::Packetizer, recording::RecordingError,
};

fn clip(codec: Codec) -> Arc<Clip> {
    let (set, slice) = match codec {
        Codec::H265 => ([66, 1], [38, 1]),
        _ => ([0x67, 1], [0x65, 1]),
    };
    let nal = |head: [u8; 2], length: usize| {
        let body = (0..length).map(|at| u8::try_from(at % 251).unwrap() | 4);
        Bytes::from(head.into_iter().chain(body).collect::<Vec<_>>())
    };
    let unit = |shown: i64| Unit {
        nals: vec![nal(slice, 5000), nal(slice, 40)],
        key: shown % 2 == 0,
        shown,
    };
    Arc::new(Clip {
        codec,
        rate: 50,
        units: vec![unit(0), unit(1)],
        sets: vec![nal(set, 10), nal(set, 6)],
    })
}

/// Puts NAL units together again as RFC 6184 and RFC 7798 say.
fn units(codec: Codec, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut units: Vec<Vec<u8>> = Vec::new();
    for packet in packets {
        let payload = &packet[12..];
        match (codec, codec.kind(payload)) {
            (Codec::H264, 28) => {
                if payload[1] & 0x80 != 0 {
                    units.push(vec![(payload[0] & 0xe0) | (payload[1] & 31)]);
                }
                units.last_mut().unwrap().extend(&payload[2..]);
            }
            (Codec::H265, 49) => {
                if payload[2] & 0x80 != 0 {
                    let head = (payload[0] & 0x81) | ((payload[2] & 63) << 1);
                    units.push(vec![head, payload[1]]);
                }
                units.last_mut().unwrap().extend(&payload[3..]);
            }
            (Codec::H264, 24) | (Codec::H265, 48) => {
                let mut rest = &payload[if codec == Codec::H264 { 1 } else { 2 }..];
                while let Some((length, after)) = rest.split_at_checked(2) {
                    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                    units.push(after[..length].to_vec());
                    rest = &after[length..];
                }
            }
            _ => units.push(payload.to_vec()),
        }
    }
    units
}

#[test]
fn units_come_whole_however_they_are_packed() {
    for codec in [Codec::H264, Codec::H265] {
        let clip = clip(codec);
        let expected = [&clip.sets[..], &clip.units[0].nals].concat();
        for packing in [
            Packing::Plain,
            Packing::Fragments,
            Packing::AggregatedSets,
            Packing::Aggregated,
        ] {
            let camera = Camera {
                packing,
                ..Camera::new(Arc::clone(&clip))
            };
            let mut packetizer = Packetizer::new(Arc::new(camera), Arc::clone(&clip), 7);
            assert!(packetizer.begin(0));
            let packets = packetizer.picture(0);
            let mut found = units(codec, &packets);
            // Aggregation brings small units before large ones.
            let mut expected: Vec<_> = expected.iter().map(|nal| nal.to_vec()).collect();
            if packing == Packing::Aggregated {
                found.sort();
                expected.sort();
            }
            assert_eq!(found, expected, "{codec:?} {packing:?}");
            let marked = packets
                .iter()
                .filter(|packet| packet[1] & 0x80 != 0)
                .count();
            assert_eq!(marked, 1, "{packing:?}");
            assert!(packets.last().unwrap()[1] & 0x80 != 0);
        }
    }
}

#[test]
fn an_image_is_sent_without_its_headers() {
    let mut image = vec![0xff, 0xd8];
    let table: Vec<u8> = (0..64).collect();
    image.extend([0xff, 0xdb, 0, 67, 0]);
    image.extend(&table);
    image.extend([
        0xff, 0xc0, 0, 17, 8, 0, 240, 1, 64, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1,
    ]);
    image.extend([0xff, 0xda, 0, 4, 1, 2]);
    let scan = vec![7; 3000];
    image.extend(&scan);
    image.extend([0xff, 0xd9]);
    let payloads = jpeg::payloads(&image);
    assert_eq!(payloads[0][..12], [0, 0, 0, 0, 1, 255, 40, 30, 0, 0, 0, 64]);
    assert_eq!(payloads[0][12..76], table[..]);
    let rest = payloads[1..].iter().flat_map(|payload| &payload[8..]);
    let found: Vec<u8> = payloads[0][76..].iter().chain(rest).copied().collect();
    assert_eq!(found, scan);
    assert_eq!(payloads[1][1..4], [0, 5, 20]);
}

#[test]
fn every_kind_has_a_name_of_its_own_that_a_camera_may_bear() {
    let mut names = BTreeSet::new();
    for kind in catalog::all() {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(
            kind.name.len() <= 32 && kind.name.chars().all(plain),
            "{}",
            kind.name
        );
        assert!(names.insert(kind.name), "{} twice", kind.name);
        assert!(!kind.about.is_empty());
    }
    assert!(names.len() > 120, "{} kinds", names.len());
}

/// A viewer of the simplest sort.
struct Viewer(TcpStream, u32);

impl Viewer {
    fn connect(url: &str) -> Self {
        let address = url.trim_start_matches("rtsp://").split('/').next().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        Self(stream, 0)
    }

    fn ask(&mut self, method: &str, url: &str, header: &str) -> String {
        self.1 += 1;
        write!(
            self.0,
            "{method} {url} RTSP/1.0\r\nCSeq: {}\r\n{header}\r\n",
            self.1
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.split("Content-Length: ").nth(1);
        let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        head + &String::from_utf8(body).unwrap()
    }

    fn play(&mut self, url: &str) -> String {
        let described = self.ask("DESCRIBE", url, "");
        let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
        assert!(
            self.ask("SETUP", &format!("{url}/trackID=1"), transport)
                .contains("200 OK")
        );
        assert!(
            self.ask("PLAY", url, "Session: 12345678\r\n")
                .contains("200 OK")
        );
        described
    }

    fn packet(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 4];
        self.0.read_exact(&mut header)?;
        assert_eq!(header[0], b'$');
        let mut packet = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
        self.0.read_exact(&mut packet)?;
        Ok((header[1], packet))
    }
}

#[test]
fn a_viewer_gets_the_description_and_then_pictures_in_time() {
    let server = Server::start(1).unwrap();
    let camera = server.add(Camera::new(clip(Codec::H264))).unwrap();
    let url = camera.url();
    let mut viewer = Viewer::connect(&url);
    let begun = Instant::now();
    let described = viewer.play(&url);
    assert!(
        described.contains(&format!("Content-Base: {url}/")),
        "{described}"
    );
    assert!(described.contains("a=rtpmap:96 H264/90000"), "{described}");
    let mut stamps = BTreeSet::new();
    while stamps.len() < 11 {
        let (channel, packet) = viewer.packet().unwrap();
        assert_eq!(channel, 0);
        stamps.insert(u32::from_be_bytes(packet[4..8].try_into().unwrap()));
    }
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(180),
        "ten pictures at 50 a second in {took:?}"
    );
    let stamps: Vec<u32> = stamps.into_iter().collect();
    assert!(
        stamps.windows(2).all(|two| two[1] - two[0] == 1800),
        "{stamps:?}"
    );
    let seen = camera.seen();
    assert_eq!(
        (seen.connections, seen.asked("PLAY"), seen.played.len()),
        (1, 1, 1)
    );
}

#[test]
fn a_connection_is_reset_when_the_kind_says_so_and_the_absence_is_measured() {
    let server = Server::start(1).unwrap();
    let camera = Camera {
        resets: true,
        before: |turn| {
            if turn.picture == 5 {
                turn.end = Some(End::Reset);
            }
        },
        ..Camera::new(clip(Codec::H264))
    };
    let camera = server.add(camera).unwrap();
    for _ in 0..2 {
        let mut viewer = Viewer::connect(&camera.url());
        viewer.play(&camera.url());
        let error = loop {
            if let Err(error) = viewer.packet() {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let absences = camera.seen().absences();
    assert!(matches!(absences[..], [Some(_), None]), "{absences:?}");
}

const RECORDED: &str = r#"{"lares_recording":1,"program":"Lares","pictures":false}
{"at":0.0,"said":"OPTIONS rtsp://camera/stream RTSP/1.0\r\nCSeq: 1\r\n\r\n"}
{"at":0.1,"heard":"RTSP/1.0 200 Phrase\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n"}
{"at":0.1,"said":"DESCRIBE rtsp://camera/stream RTSP/1.0\r\nCSeq: 2\r\n\r\n"}
{"at":0.2,"heard":"RTSP/1.0 200 Phrase\r\nCSeq: 2\r\nContent-Base: rtsp://camera/stream/\r\nContent-Length: 99\r\n\r\nv=0\r\nm=video 0 RTP/AVP 96\r\n"}
{"at":0.5,"packet":"gGD//wAAA+gAAAABZQ=="}
{"at":0.6,"packet":"gGAAAAAAB9AAAAABZQ=="}
"#;

#[test]
fn a_recording_is_played_again_and_again_without_a_jump() {
    let recording = Recording::parse(RECORDED).unwrap();
    let server = Server::start(1).unwrap();
    let camera = server.add(Camera::recorded(recording)).unwrap();
    let mut viewer = Viewer::connect(&camera.url());
    let options = viewer.ask("OPTIONS", &camera.url(), "");
    assert!(
        options.contains("Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n"),
        "{options}"
    );
    let described = viewer.play(&camera.url());
    assert!(
        described.ends_with("v=0\r\nm=video 0 RTP/AVP 96\r\n"),
        "{described}"
    );
    assert!(
        described.contains(&format!("Content-Base: {}/", camera.url())),
        "{described}"
    );
    let mut seen = Vec::new();
    for _ in 0..5 {
        let (_, packet) = viewer.packet().unwrap();
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        seen.push((
            sequence,
            u32::from_be_bytes(packet[4..8].try_into().unwrap()),
        ));
    }
    let expected = [(65535, 1000), (0, 2000), (1, 3000), (2, 4000), (3, 5000)];
    assert_eq!(seen, expected);
}

#[test]
fn a_recording_of_nothing_is_named() {
    let head = RECORDED.lines().next().unwrap();
    assert_eq!(Recording::parse(head).unwrap_err(), RecordingError::Empty);
    let bad = format!("{head}\nnoise");
    let error = Recording::parse(&bad).unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
}
