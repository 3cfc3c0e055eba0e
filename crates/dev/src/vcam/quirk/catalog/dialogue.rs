//! Cameras whose answers are odd, or that ask themselves.

use std::time::Duration;

use super::{Kind, Right};
use crate::vcam::quirk::{Answer, Camera, Reply, Request, Turn};

/// The answer as bytes, so that it can be spoilt.
fn bytes(request: &Request, answer: &Answer) -> Vec<u8> {
    answer.bytes(request.header("cseq").unwrap_or("0"))
}

/// The answer with its head spoilt; yes stays yes.
fn spoilt(request: &Request, answer: Answer, spoil: fn(&str) -> String) -> Reply {
    if !answer.is_ok() {
        return Reply::Send(answer);
    }
    let text = String::from_utf8_lossy(&bytes(request, &answer)).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    Reply::Bytes(
        [
            spoil(&format!("{head}\r\n\r\n")).as_bytes(),
            body.as_bytes(),
        ]
        .concat(),
    )
}

/// An answer that nobody has asked for, after three seconds.
fn stray(turn: &mut Turn<'_>, status: &str) {
    if turn.picture == 29 {
        turn.answer(
            5,
            &Answer::new(status).with("Date: Mon, Jul 28 2025 11:11:17 GMT"),
        );
    }
}

pub(super) const KINDS: &[Kind] = &[
    Kind::new(
        "other-channels",
        "uses other channels than those asked for",
        |films| Camera {
            channel: |asked| asked + 2,
            ..films.plain()
        },
    ),
    Kind::new(
        "data-before-answer",
        "sends pictures before it answers PLAY",
        |films| Camera {
            answers: |request, answer, _| match request.method.as_str() {
                "PLAY" => Reply::Late(answer, Duration::from_millis(500)),
                _ => Reply::Send(answer),
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "slow-answers",
        "takes a second and a half for each answer",
        |films| Camera {
            answers: |_, answer, _| Reply::Late(answer, Duration::from_millis(1500)),
            ..films.plain()
        },
    )
    // What waited for the answer comes at once: the time line may begin again.
    .right(Right::PlaysAndMayTell(&["timed by their arrival"])),
    Kind::new("options-refused", "does not know OPTIONS", |films| Camera {
        answers: |request, answer, _| {
            Reply::Send(match request.method.as_str() {
                "OPTIONS" => Answer::new("501 Not Implemented"),
                _ => answer,
            })
        },
        ..films.plain()
    }),
    Kind::new(
        "options-silent",
        "offers nothing in its answer to OPTIONS",
        |films| Camera {
            answers: |_, answer, _| Reply::Send(answer.without("Public")),
            ..films.plain()
        },
    ),
    Kind::new(
        "empty-lines",
        "sends an empty line before each picture",
        |films| Camera {
            before: |turn| turn.write.extend(b"\r\n"),
            ..films.plain()
        },
    ),
    Kind::new(
        "stray-answers",
        "answers 400 to nothing each three seconds",
        |films| Camera {
            before: |turn| {
                if turn.picture % 30 == 29 {
                    turn.answer(5 + turn.picture, &Answer::new("400 Bad Request"));
                }
            },
            ..films.plain()
        },
    ),
    Kind::new("stray-ok", "answers 200 to nothing", |films| Camera {
        before: |turn| stray(turn, "200 OK"),
        ..films.plain()
    }),
    Kind::new("stray-400", "answers 400 to nothing", |films| Camera {
        before: |turn| stray(turn, "400 Bad Request"),
        ..films.plain()
    }),
    Kind::new("stray-454", "answers 454 to nothing", |films| Camera {
        before: |turn| stray(turn, "454 Session Not Found"),
        ..films.plain()
    }),
    Kind::new(
        "reports-refused",
        "answers 400 to each receiver report",
        |films| Camera {
            before: |turn| {
                if turn.reports > 0 {
                    turn.answer(5, &Answer::new("400 Bad Request"));
                }
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "asks-back",
        "sends OPTIONS and ANNOUNCE of its own",
        |films| Camera {
            before: |turn| {
                let url = "rtsp://127.0.0.1/live RTSP/1.0\r\nCSeq:";
                match turn.picture {
                15 | 45 => turn.write.extend(format!("OPTIONS {url} 77\r\n\r\n").bytes()),
                30 => turn.write.extend(
                    format!(
                        "ANNOUNCE {url} 78\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{}",
                        turn.sdp.len(),
                        turn.sdp
                    )
                    .bytes(),
                ),
                _ => {}
            }
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "goodbye-early",
        "says goodbye by RTCP, and its pictures go on",
        |films| Camera {
            before: |turn| {
                if turn.picture == 20 {
                    let mut goodbye = vec![0x81, 203, 0, 1];
                    goodbye.extend(turn.ssrc.to_be_bytes());
                    turn.rtcp.push(goodbye);
                }
            },
            ..films.plain()
        },
    ),
    Kind::new("no-phrase", "leaves out the reason phrase", |films| {
        Camera {
            answers: |request, answer, _| {
                spoilt(request, answer, |head| head.replace(" OK\r\n", "\r\n"))
            },
            ..films.plain()
        }
    }),
    Kind::new("version-1-1", "answers with RTSP/1.1", |films| Camera {
        answers: |request, answer, _| {
            spoilt(request, answer, |head| head.replace("RTSP/1.0", "RTSP/1.1"))
        },
        ..films.plain()
    }),
    Kind::new(
        "line-feeds",
        "ends the lines of its heads with LF alone",
        |films| Camera {
            answers: |request, answer, _| spoilt(request, answer, |head| head.replace('\r', "")),
            ..films.plain()
        },
    ),
    Kind::new(
        "lower-case-headers",
        "writes names of headers in lower case",
        |films| Camera {
            answers: |request, answer, _| {
                spoilt(request, answer, |head| {
                    let lines = head.split("\r\n").map(|line| match line.split_once(": ") {
                        Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
                        None => line.to_owned(),
                    });
                    lines.collect::<Vec<_>>().join("\r\n")
                })
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "odd-headers",
        "has header lines without a colon, in Latin-1 and folded",
        |films| Camera {
            answers: |request, answer, _| {
                if !answer.is_ok() {
                    return Reply::Send(answer);
                }
                let whole = bytes(request, &answer);
                let first = whole.windows(2).position(|two| two == b"\r\n").unwrap_or(0) + 2;
                let odd: &[u8] = b"no colon here\r\nServer: Cam\xe9ra \xe0 moi\r\nX-Folded: one\r\n two\r\n: nameless\r\n";
                Reply::Bytes([&whole[..first], odd, &whole[first..]].concat())
            },
            ..films.plain()
        },
    ),
    Kind::new("no-cseq", "does not number its answers", |films| Camera {
        answers: |request, answer, _| {
            spoilt(request, answer, |head| {
                let lines = head.split("\r\n").filter(|line| !line.starts_with("CSeq"));
                lines.collect::<Vec<_>>().join("\r\n")
            })
        },
        ..films.plain()
    }),
    Kind::new(
        "session-spaced",
        "writes blanks into its session header",
        |films| Camera {
            answers: |_, mut answer, _| {
                for line in &mut answer.headers {
                    if line.starts_with("Session:") {
                        *line = "Session:   12345678 ; timeout = 60 ".to_owned();
                    }
                }
                Reply::Send(answer)
            },
            ..films.plain()
        },
    ),
    Kind::new("session-odd", "has a session of odd characters", |films| {
        Camera {
            answers: |_, mut answer, _| {
                for line in &mut answer.headers {
                    if line.starts_with("Session:") {
                        *line = "Session: aB+/9_-$.=;timeout=60".to_owned();
                    }
                }
                Reply::Send(answer)
            },
            ..films.plain()
        }
    }),
    Kind::new("play-answered-twice", "answers PLAY twice", |films| {
        Camera {
            answers: |request, answer, _| match request.method.as_str() {
                "PLAY" => Reply::Bytes(bytes(request, &answer).repeat(2)),
                _ => Reply::Send(answer),
            },
            ..films.plain()
        }
    }),
    Kind::new(
        "continues",
        "says 100 Continue before it answers",
        |films| Camera {
            answers: |request, answer, _| {
                if !answer.is_ok() {
                    return Reply::Send(answer);
                }
                let first = bytes(request, &Answer::new("100 Continue"));
                Reply::Bytes([first, bytes(request, &answer)].concat())
            },
            ..films.plain()
        },
    ),
    Kind::new("teardown-hangs", "never answers TEARDOWN", |films| Camera {
        answers: |request, answer, _| match request.method.as_str() {
            "TEARDOWN" => Reply::Silence,
            _ => Reply::Send(answer),
        },
        ..films.plain()
    }),
    Kind::new(
        "busy-first",
        "answers 453 to the first two viewers' SETUP",
        |films| Camera {
            answers: |request, answer, place| {
                Reply::Send(match request.method == "SETUP" && place.connections < 2 {
                    true => Answer::new("453 Not Enough Bandwidth"),
                    false => answer,
                })
            },
            ..films.plain()
        },
    )
    .right(Right::PlaysAndMayTell(&[]))
    .seconds(16)
    .share(0.5),
];
