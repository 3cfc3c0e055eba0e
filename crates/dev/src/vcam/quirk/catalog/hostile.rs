//! What an attacker would send in place of a camera.

use std::time::Duration;

use super::{Films, Kind, Right};
use crate::vcam::quirk::{Answer, Camera, Place, Reply, Request, sdp};

const GIGABYTE: u64 = 1 << 30;

/// Answers DESCRIBE with this head, then with the filler until a gigabyte has gone.
fn endless(request: &Request, answer: Answer, lines: &str, filler: &[u8]) -> Reply {
    if request.method != "DESCRIBE" {
        return Reply::Send(answer);
    }
    let cseq = request.header("cseq").unwrap_or("0");
    Reply::Endless {
        head: format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{lines}").into_bytes(),
        filler: filler.repeat(65_536 / filler.len()),
        total: GIGABYTE,
    }
}

fn answering(films: &Films, answers: fn(&Request, Answer, &Place) -> Reply) -> Camera {
    Camera {
        answers,
        ..films.plain()
    }
}

pub(super) const KINDS: &[Kind] = &[
    Kind::new("endless-header", "has a header of a gigabyte", |films| {
        answering(films, |request, answer, _| {
            endless(request, answer, "X-Long: ", b"a")
        })
    })
    .right(Right::Borne),
    Kind::new("endless-headers", "has a gigabyte of headers", |films| {
        answering(films, |request, answer, _| {
            endless(request, answer, "", b"X-Many: yes\r\n")
        })
    })
    .right(Right::Borne),
    Kind::new("endless-body", "has a description of a gigabyte", |films| {
        answering(films, |request, answer, _| {
            let lines =
                "Content-Type: application/sdp\r\nContent-Length: 1073741824\r\n\r\nv=0\r\n";
            endless(request, answer, lines, b"a=x:y\r\n")
        })
    })
    .right(Right::Borne),
    Kind::new(
        "length-absurd",
        "announces a description of 2^64 bytes",
        |films| {
            answering(films, |request, answer, _| {
                let lines = "Content-Length: 18446744073709551615\r\n\r\nv=0\r\n";
                match request.method.as_str() {
                    "DESCRIBE" => {
                        Reply::Bytes(format!("RTSP/1.0 200 OK\r\nCSeq: 2\r\n{lines}").into_bytes())
                    }
                    _ => Reply::Send(answer),
                }
            })
        },
    )
    .right(Right::Borne),
    Kind::new("many-tracks", "describes 100,000 tracks", |films| Camera {
        sdp: |_| "v=0\r\n".to_owned() + &"m=video 0 RTP/AVP 96\r\na=control:t\r\n".repeat(100_000),
        ..films.plain()
    })
    .right(Right::Borne),
    Kind::new(
        "tracks-before",
        "describes 2,000 tracks of sound before its pictures",
        |films| Camera {
            sdp: |facts| {
                let video = sdp::join(&sdp::video(facts));
                let sound = "m=audio 0 RTP/AVP 0\r\na=control:t\r\n".repeat(2_000);
                format!("v=0\r\n{sound}{video}")
            },
            ..films.plain()
        },
    )
    .right(Right::Borne),
    Kind::new("drips", "sends its answers one byte a second", |films| {
        answering(films, |_, answer, _| {
            Reply::Drip(answer, Duration::from_secs(1))
        })
    })
    .right(Right::Borne),
    Kind::new("mute", "accepts and never answers", |films| {
        answering(films, |_, _, _| Reply::Silence)
    })
    .right(Right::Tells(&[]))
    .seconds(24),
    Kind::new("hangs-up", "closes at the first request", |films| {
        answering(films, |_, _, _| Reply::Close)
    })
    .right(Right::Tells(&[])),
    Kind::new("speaks-http", "is a web server", |films| {
        answering(films, |_, _, _| {
            Reply::Bytes(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nsorry".to_vec())
        })
    })
    .right(Right::Tells(&[])),
    Kind::new("speaks-garbage", "answers with noise", |films| {
        answering(films, |_, _, _| {
            Reply::Bytes((0..=255).cycle().take(4_000).collect())
        })
    })
    .right(Right::Tells(&[])),
    Kind::new(
        "refuses-always",
        "answers 401 to every login, with another challenge each time",
        |films| {
            answering(films, |_, _, place| {
                Reply::Send(Answer::new("401 Unauthorized").with(format!(
                    "WWW-Authenticate: Digest realm=\"cam\", nonce=\"{}\", stale=true",
                    place.before
                )))
            })
        },
    )
    .right(Right::Borne),
    Kind::new(
        "empty-frames",
        "floods with interleaved packets of no bytes",
        |films| Camera {
            before: |turn| turn.write.extend([b'$', 0, 0, 0].repeat(100_000)),
            ..films.plain()
        },
    )
    .right(Right::Borne),
    Kind::new(
        "full-frames",
        "floods with interleaved packets of 65,535 bytes",
        |films| Camera {
            before: |turn| {
                let frame = [&[b'$', 0, 255, 255][..], &[0x80; 65_535]].concat();
                turn.write.extend(frame.repeat(20));
            },
            ..films.plain()
        },
    )
    .right(Right::Borne),
    Kind::new(
        "answers-flood",
        "floods with answers that nobody has asked for",
        |films| Camera {
            before: |turn| {
                let answer = Answer::new("200 OK").bytes("1");
                turn.write.extend(answer.repeat(10_000));
            },
            ..films.plain()
        },
    )
    .right(Right::Borne),
    Kind::new(
        "requests-flood",
        "floods with requests of its own",
        |films| Camera {
            before: |turn| {
                let request = b"OPTIONS rtsp://127.0.0.1/live RTSP/1.0\r\nCSeq: 1\r\n\r\n";
                turn.write.extend(request.repeat(5_000));
            },
            ..films.plain()
        },
    )
    .right(Right::Borne),
    Kind::new(
        "one-picture",
        "sends packets of one picture that never ends",
        |films| Camera {
            marker: |_| false,
            stamp: |_| 0,
            burst: 10,
            finish: |packet| vec![packet; 50],
            ..films.plain()
        },
    )
    .right(Right::Borne),
    Kind::new(
        "sources-flood",
        "sends each packet from another source",
        |films| Camera {
            finish: |mut packet| {
                let number = packet[3];
                packet[8..12].fill(number);
                vec![packet]
            },
            ..films.plain()
        },
    )
    .right(Right::Borne),
    Kind::new(
        "fragments-lost",
        "sends fragments without beginnings",
        |films| Camera {
            payload_max: 200,
            finish: |packet| {
                let starts = packet[12] & 31 == 28 && packet[13] & 0x80 != 0;
                if starts { Vec::new() } else { vec![packet] }
            },
            ..films.plain()
        },
    )
    .right(Right::Borne),
];
