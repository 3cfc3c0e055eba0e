//! Three more cameras of each kind whose faults programs for cameras are known for: the same fault in other words.

use std::{sync::Arc, time::Duration};

use super::{Kind, Right};
use crate::vcam::quirk::{
    Answer, Camera, End, Login, Packing, Reply, Turn,
    sdp::{self, text},
};

/// What may be said of timestamps that are of no use.
const CLOCK: Right = Right::PlaysAndMayTell(&["timed by their arrival"]);

/// A request of the camera's own, each second.
fn asks(turn: &mut Turn<'_>, request: &str) {
    if turn.picture % 10 == 5 {
        turn.write.extend(request.as_bytes());
    }
}

pub(super) const KINDS: &[Kind] = &[
    // Closes after 401.
    Kind::new(
        "401-then-reset",
        "resets the connection after its 401",
        |films| Camera {
            login: Some(Login::new()),
            resets: true,
            answers: |_, answer, _| match answer.status.starts_with("401") {
                true => Reply::Last(answer),
                false => Reply::Send(answer),
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "401-then-closed-sha",
        "closes after its 401, which says so, and asks by SHA-256 with qop",
        |films| Camera {
            login: Some(Login {
                algorithms: &["SHA-256"],
                challenges: |nonce| {
                    vec![format!(
                        "Digest realm=\"cam\", algorithm=SHA-256, qop=\"auth\", nonce=\"{nonce}\""
                    )]
                },
                ..Login::new()
            }),
            answers: |_, answer, _| match answer.status.starts_with("401") {
                true => Reply::Last(answer.with("Connection: close")),
                false => Reply::Send(answer),
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "401-says-close",
        "says that it closes after its 401, and does not",
        |films| Camera {
            login: Some(Login::new()),
            answers: |_, answer, _| match answer.status.starts_with("401") {
                true => Reply::Send(answer.with("Connection: close").with("Content-Length: 0")),
                false => Reply::Send(answer),
            },
            ..films.plain()
        },
    ),
    // Digest.
    Kind::new(
        "digest-tabs",
        "writes tabs and many blanks into its challenge, and its scheme in capitals",
        |films| Camera {
            login: Some(Login {
                challenges: |nonce| {
                    vec![format!("DIGEST\trealm = \"cam\" ,\t NONCE=\"{nonce}\"  ,")]
                },
                ..Login::new()
            }),
            ..films.plain()
        },
    ),
    Kind::new(
        "digest-domain",
        "gives a domain, an opaque value with an equals sign, and parameters of its own",
        |films| Camera {
            login: Some(Login {
                needs_qop: true,
                counts: true,
                challenges: |nonce| {
                    vec![format!(
                        "Digest realm=\"cam\", domain=\"/a /b, /c\", x-model=\"q,1\", nonce=\"{nonce}\", opaque=\"YWJj==\", qop=\"auth, auth-int\", charset=UTF-8"
                    )]
                },
                ..Login::new()
            }),
            ..films.plain()
        },
    ),
    Kind::new(
        "digest-behind-others",
        "offers Negotiate and Bearer before Digest",
        |films| Camera {
            login: Some(Login {
                challenges: |nonce| {
                    vec![
                        "Negotiate".into(),
                        "Bearer realm=\"cloud\", error=\"invalid_token\"".into(),
                        format!("Digest nonce=\"{nonce}\", realm=\"cam\", algorithm=\"MD5\""),
                    ]
                },
                ..Login::new()
            }),
            ..films.plain()
        },
    ),
    // Keep-alive.
    Kind::new(
        "timeout-unspoken",
        "wants a request each 6 s, and does not say so",
        |films| Camera {
            timeout: Some(Duration::from_secs(6)),
            says_timeout: |_| String::new(),
            ..films.plain()
        },
    )
    .right(Right::Learns)
    .seconds(36),
    Kind::new(
        "timeout-untrue",
        "says 60 s, and wants a request each 8 s",
        |films| Camera {
            timeout: Some(Duration::from_secs(8)),
            says_timeout: |_| ";timeout=60".to_owned(),
            ..films.plain()
        },
    )
    .right(Right::Learns)
    .seconds(42),
    Kind::new(
        "keepalive-not-found",
        "answers 454 to what keeps its session alive",
        |films| Camera {
            timeout: Some(Duration::from_secs(6)),
            answers: |request, answer, _| {
                Reply::Send(match request.method.as_str() {
                    "GET_PARAMETER" | "SET_PARAMETER" => Answer::new("454 Session Not Found"),
                    _ => answer,
                })
            },
            ..films.plain()
        },
    )
    .seconds(20),
    // Requests of the camera.
    Kind::new(
        "asks-with-body",
        "sends SET_PARAMETER with a body that looks like a packet",
        |films| Camera {
            before: |turn| {
                asks(
                    turn,
                    "SET_PARAMETER rtsp://x/live RTSP/1.0\r\nCSeq: 7\r\nContent-Type: text/parameters\r\nContent-Length: 12\r\n\r\n$\0\u{1}abc\r\n\r\nxx",
                );
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "asks-unnumbered",
        "sends GET_PARAMETER without a number, and REDIRECT to nowhere",
        |films| Camera {
            before: |turn| {
                asks(
                    turn,
                    "GET_PARAMETER * RTSP/1.0\r\n\r\nREDIRECT rtsp://x/live RTSP/1.0\r\nCSeq: 9\r\n\r\n",
                );
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "asks-strangely",
        "sends methods of its own in small letters, with RTSP/2.0",
        |films| Camera {
            before: |turn| asks(turn, "x-notify rtsp://x/live RTSP/2.0\r\ncseq: 3\r\n\r\n"),
            ..films.plain()
        },
    ),
    // Parameter sets in the description.
    Kind::new("sprop-pps-first", "gives the PPS before the SPS", |films| {
        Camera {
            sdp: |facts| {
                let (sps, pps) = (text(facts.clip.sps()), text(facts.clip.pps()));
                sdp::with_parameters(
                    facts,
                    &format!("sprop-parameter-sets={pps},{sps}; packetization-mode=1"),
                )
            },
            ..films.plain()
        }
    }),
    Kind::new(
        "sprop-quoted",
        "puts its parameter sets into quotation marks",
        |films| Camera {
            sdp: |facts| {
                let (sps, pps) = (text(facts.clip.sps()), text(facts.clip.pps()));
                sdp::with_parameters(
                    facts,
                    &format!("packetization-mode=1;sprop-parameter-sets=\"{sps},{pps}\""),
                )
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "sprop-cut",
        "gives parameter sets that are cut off, and right ones in the stream",
        |films| Camera {
            sdp: |facts| {
                let sps = text(&facts.clip.sps()[..6]);
                sdp::with_parameters(
                    facts,
                    &format!("packetization-mode=1;sprop-parameter-sets={sps},aA=="),
                )
            },
            ..films.plain()
        },
    ),
    // Ranges with an end.
    Kind::new(
        "range-smpte",
        "gives a range in time code with an end",
        |films| Camera {
            sdp: |facts| {
                sdp::plain(facts).replace("t=0 0", "t=0 0\r\na=range:smpte=0:00:00-0:00:20")
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "range-backwards",
        "gives a range that ends before it begins",
        |films| Camera {
            sdp: |facts| sdp::plain(facts).replace("t=0 0", "t=0 0\r\na=range:npt=20-2.5"),
            ..films.plain()
        },
    ),
    Kind::new(
        "range-answered-short",
        "says one second in its answer to PLAY, and goes on",
        |films| Camera {
            answers: |request, answer, _| {
                Reply::Send(match request.method.as_str() {
                    "PLAY" => answer.with("Range: npt=0.000-1.000"),
                    _ => answer,
                })
            },
            ..films.plain()
        },
    ),
    // Resets.
    Kind::new(
        "reset-in-keyframe",
        "resets the connection just before a keyframe, each 4 s",
        |films| Camera {
            resets: true,
            before: |turn| {
                if turn.key && turn.picture >= 40 {
                    turn.end = Some(End::Reset);
                }
            },
            ..films.plain()
        },
    )
    .right(Right::Returns)
    .seconds(24),
    Kind::new(
        "reset-in-packet",
        "resets the connection in the middle of a packet, each 6 s",
        |films| Camera {
            resets: true,
            before: |turn| {
                if turn.picture == 60 {
                    turn.write
                        .extend([b'$', turn.channel, 0x05, 0x78, 0x80, 96]);
                    turn.end = Some(End::Reset);
                }
            },
            ..films.plain()
        },
    )
    .right(Right::Returns)
    .seconds(24),
    Kind::new(
        "reset-at-first",
        "resets the first connection at SETUP",
        |films| Camera {
            resets: true,
            answers: |request, answer, place| match request.method.as_str() {
                "SETUP" if place.connections == 0 => Reply::Close,
                _ => Reply::Send(answer),
            },
            ..films.plain()
        },
    )
    .right(Right::Recovers)
    .seconds(14),
    // Intra refresh.
    Kind::new(
        "refreshed-fragments",
        "refreshes its picture in columns, each unit as fragments",
        |films| Camera {
            packing: Packing::Fragments,
            ..Camera::new(Arc::clone(&films.refreshed))
        },
    ),
    Kind::new(
        "refreshed-sets-described",
        "refreshes its picture in columns, gives sets in its description alone, and is joined late",
        |films| Camera {
            begins_at: 17,
            sends_sets: |_, _| false,
            ..Camera::new(Arc::clone(&films.refreshed))
        },
    )
    .seconds(14)
    .share(0.4),
    Kind::new(
        "refreshed-stamped-alike",
        "refreshes its picture in columns, and its clock stands still",
        |films| Camera {
            stamp: |_| 0,
            ..Camera::new(Arc::clone(&films.refreshed))
        },
    )
    .right(CLOCK),
    // B-frames without times.
    Kind::new(
        "reordered-frozen",
        "sends B-frames, and its clock stands still",
        |films| Camera {
            stamp: |_| 0,
            ..Camera::new(Arc::clone(&films.reordered))
        },
    )
    .right(CLOCK),
    Kind::new(
        "h265-decode-order",
        "stamps H.265 with B-frames in the order of decoding",
        |films| Camera {
            stamp: |moment| moment.picture * 90_000 / moment.rate,
            ..Camera::new(Arc::clone(&films.h265_reordered))
        },
    )
    .right(CLOCK),
    Kind::new(
        "reordered-late-joined",
        "stamps B-frames in the order of decoding in milliseconds, and is joined between keyframes",
        |films| Camera {
            begins_at: 4,
            stamp: |moment| moment.picture * 1000 / moment.rate,
            ..Camera::new(Arc::clone(&films.reordered))
        },
    )
    .right(CLOCK),
    // Passwords in addresses.
    Kind::new(
        "password-in-query",
        "has a password in its query, and no stream there",
        |films| Camera {
            path: "/h264?username=admin&password=s3cret-w0rd&channel=2",
            answers: |request, answer, _| {
                Reply::Send(match request.method.as_str() {
                    "DESCRIBE" => Answer::new("404 Not Found"),
                    _ => answer,
                })
            },
            ..films.plain()
        },
    )
    .right(Right::Tells(&["no stream"])),
    Kind::new(
        "password-encoded",
        "has a password percent-encoded in its path, repeats it in a redirect, and plays",
        |films| Camera {
            path: "/live/admin:s3cret%2Dw0rd/1",
            answers: |request, answer, place| {
                Reply::Send(
                    match request.method == "DESCRIBE" && !request.url.contains("again") {
                        true => Answer::new("302 Found").with(format!(
                            "Location: rtsp://admin:s3cret-w0rd@127.0.0.1:{}/again?pwd=s3cret-w0rd",
                            place.port
                        )),
                        false => answer,
                    },
                )
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "password-repeated",
        "refuses an address with a password, and repeats it in its answer",
        |films| Camera {
            path: "/user=admin&pass=s3cret-w0rd",
            answers: |request, answer, _| {
                Reply::Send(match request.method.as_str() {
                    "DESCRIBE" => Answer::new("404 s3cret-w0rd Not Found"),
                    _ => answer,
                })
            },
            ..films.plain()
        },
    )
    .right(Right::Tells(&["no stream"])),
];
