//! Cameras whose description (SDP) is odd.

use super::{Kind, Right};
use crate::vcam::quirk::{
    Camera, Facts, Reply,
    sdp::{self, lines, text},
};

/// The whole with a range before the tracks.
fn range(facts: &Facts<'_>, range: &str) -> String {
    let head = [sdp::head(), vec![format!("a=range:{range}")]].concat();
    sdp::join(&[head, sdp::video(facts)].concat())
}

/// The video track in these words, between a head and nothing.
fn track(words: &[&str]) -> String {
    sdp::tracks(&[lines(words)])
}

/// The video track with its lines changed.
fn changed(facts: &Facts<'_>, from: &str, to: &str) -> String {
    sdp::plain(facts).replace(from, to)
}

/// An answer to PLAY with another header.
fn on_play(method: &str, answer: super::super::Answer, line: &str) -> Reply {
    Reply::Send(match method {
        "PLAY" => answer.with(line),
        _ => answer,
    })
}

pub(super) const KINDS: &[Kind] = &[
    Kind::new("static-payload-type", "uses payload type 35", |films| {
        Camera {
            says_payload_type: 35,
            payload_type: 35,
            ..films.plain()
        }
    }),
    Kind::new("no-rtpmap", "does not say what it encodes", |films| {
        Camera {
            sdp: |_| track(&["m=video 0 RTP/AVP 96", "a=control:trackID=1"]),
            ..films.plain()
        }
    }),
    Kind::new("no-fmtp", "gives no format parameters", |films| Camera {
        sdp: |facts| sdp::with_parameters(facts, ""),
        ..films.plain()
    }),
    Kind::new("lower-case", "writes h264 in lower case", |films| Camera {
        sdp: |facts| changed(facts, "H264/", "h264/"),
        ..films.plain()
    }),
    Kind::new("no-clock-rate", "gives no clock rate", |films| Camera {
        sdp: |facts| changed(facts, "H264/90000", "H264"),
        ..films.plain()
    }),
    Kind::new(
        "blank-behind",
        "leaves blanks at the ends of lines",
        |films| Camera {
            sdp: |facts| sdp::plain(facts).replace("\r\n", " \r\n"),
            ..films.plain()
        },
    ),
    Kind::new(
        "blank-before",
        "leaves blanks behind colons and semicolons",
        |films| Camera {
            sdp: |facts| {
                let sdp = changed(facts, "rtpmap:96", "rtpmap: 96");
                sdp.replace("fmtp:96", "fmtp: 96").replace(';', " ; ")
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "rtpmap-one",
        "writes a number of channels behind the clock rate",
        |films| Camera {
            sdp: |facts| changed(facts, "H264/90000", "H264/90000/1"),
            ..films.plain()
        },
    ),
    Kind::new(
        "two-formats",
        "names a second format of the same track",
        |films| Camera {
            sdp: |facts| changed(facts, "RTP/AVP 96", "RTP/AVP 96 97"),
            ..films.plain()
        },
    ),
    Kind::new("sprop-empty", "gives empty parameter sets", |films| {
        Camera {
            sdp: |facts| sdp::with_parameters(facts, "packetization-mode=1;sprop-parameter-sets="),
            ..films.plain()
        }
    }),
    Kind::new(
        "sprop-no-pps",
        "gives an SPS, a comma and no PPS",
        |films| Camera {
            sdp: |facts| {
                let sps = text(facts.clip.sps());
                sdp::with_parameters(
                    facts,
                    &format!("packetization-mode=1;sprop-parameter-sets={sps},"),
                )
            },
            ..films.plain()
        },
    ),
    Kind::new("sprop-sps-only", "gives an SPS alone", |films| Camera {
        sdp: |facts| {
            let sps = text(facts.clip.sps());
            sdp::with_parameters(
                facts,
                &format!("packetization-mode=1;sprop-parameter-sets={sps}"),
            )
        },
        ..films.plain()
    }),
    Kind::new(
        "sprop-hole",
        "gives an empty set between SPS and PPS",
        |films| Camera {
            sdp: |facts| changed(facts, ",", ",,"),
            ..films.plain()
        },
    ),
    Kind::new(
        "sprop-comma",
        "ends its parameter sets with a comma",
        |films| Camera {
            sdp: |facts| {
                let parameters = sdp::parameters(facts);
                sdp::with_parameters(facts, &format!("{parameters},"))
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "sprop-unpadded",
        "leaves out the padding of base64",
        |films| Camera {
            sdp: |facts| {
                let parameters = sdp::parameters(facts);
                let (before, sets) = parameters.split_once("sets=").unwrap_or_default();
                sdp::with_parameters(facts, &format!("{before}sets={}", sets.replace('=', "")))
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "sprop-rubbish",
        "gives parameter sets of nothing",
        |films| Camera {
            sdp: |facts| {
                sdp::with_parameters(
                    facts,
                    "packetization-mode=1;sprop-parameter-sets=AAAAAWdNAB8=,AAAAAWjuPIA=;profile-level-id=000000",
                )
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "sprop-no-base64",
        "gives parameter sets that are no base64",
        |films| Camera {
            sdp: |facts| {
                sdp::with_parameters(
                    facts,
                    "packetization-mode=1;sprop-parameter-sets=!!!,(null)",
                )
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "sprop-only",
        "gives parameter sets here and never in the stream",
        |films| Camera {
            sends_sets: |_, _| false,
            ..films.plain()
        },
    ),
    Kind::new(
        "sprop-stale",
        "gives parameter sets of another size than the stream's",
        |films| {
            Camera {
                // 640x480 in Baseline, from an encoder that nobody here uses.
                sdp: |facts| {
                    sdp::with_parameters(
                        facts,
                        "packetization-mode=1;sprop-parameter-sets=Z0IAHpWoKA9k,aM48gA==",
                    )
                },
                ..films.plain()
            }
        },
    ),
    Kind::new(
        "mode-zero",
        "says packetization mode 0 and sends fragments",
        |films| Camera {
            sdp: |facts| changed(facts, "packetization-mode=1", "packetization-mode=0"),
            ..films.plain()
        },
    ),
    Kind::new(
        "sound-and-data",
        "has sound before its pictures, metadata and a way back for sound behind them",
        |films| Camera {
            sdp: |facts| {
                sdp::tracks(&[
                    lines(&[
                        "m=audio 0 RTP/AVP 8",
                        "a=rtpmap:8 PCMA/8000",
                        "a=control:trackID=0",
                    ]),
                    sdp::video(facts),
                    lines(&[
                        "m=application 0 RTP/AVP 107",
                        "a=rtpmap:107 vnd.onvif.metadata/90000",
                        "a=control:trackID=2",
                        "a=recvonly",
                    ]),
                    lines(&[
                        "m=audio 0 RTP/AVP 0",
                        "a=rtpmap:0 PCMU/8000",
                        "a=control:trackID=3",
                        "a=sendonly",
                    ]),
                ])
            },
            accepts_setup: |url| url.ends_with("trackID=1"),
            ..films.plain()
        },
    ),
    Kind::new("metadata-track", "has a track of kind metadata", |films| {
        Camera {
            sdp: |facts| {
                sdp::tracks(&[
                    sdp::video(facts),
                    lines(&[
                        "m=metadata 0 RTP/AVP 98",
                        "c=IN IP4 0.0.0.0",
                        "b=AS:1000",
                        "a=rtpmap:98 METADATA/90000",
                        "a=control:track2",
                        "a=x-onvif-track:track2",
                    ]),
                ])
            },
            ..films.plain()
        }
    }),
    Kind::new(
        "metadata-video",
        "has metadata in a video track before its pictures",
        |films| Camera {
            sdp: |facts| {
                sdp::tracks(&[
                    lines(&[
                        "m=video 0 RTP/AVP 107",
                        "a=rtpmap:107 vnd.onvif.metadata/90000",
                        "a=control:trackID=0",
                    ]),
                    sdp::video(facts),
                ])
            },
            accepts_setup: |url| url.ends_with("trackID=1"),
            ..films.plain()
        },
    ),
    Kind::new("jpeg-first", "offers Motion JPEG before H.264", |films| {
        Camera {
            sdp: |facts| {
                sdp::tracks(&[
                    lines(&[
                        "m=video 0 RTP/AVP 26",
                        "a=rtpmap:26 JPEG/90000",
                        "a=control:trackID=0",
                    ]),
                    sdp::video(facts),
                ])
            },
            accepts_setup: |url| url.ends_with("trackID=1"),
            ..films.plain()
        }
    }),
    Kind::new(
        "back-channel",
        "has a video track that the viewer would send",
        |films| Camera {
            sdp: |facts| {
                sdp::tracks(&[
                    lines(&[
                        "m=video 0 RTP/AVP 97",
                        "a=rtpmap:97 H264/90000",
                        "a=control:trackID=9",
                        "a=sendonly",
                    ]),
                    sdp::video(facts),
                ])
            },
            accepts_setup: |url| url.ends_with("trackID=1"),
            ..films.plain()
        },
    ),
    Kind::new(
        "untidy",
        "ends lines with LF alone, leaves values empty, has lines of nothing",
        |films| Camera {
            sdp: |facts| {
                let before = lines(&[
                    "v=0",
                    "o=",
                    "s=",
                    "i= ",
                    "c=",
                    "b=AS:",
                    "a=control:",
                    "a=x-qt-text-nam:",
                    "",
                ]);
                let after = lines(&["a=framerate:", "a=cliprect:0,0,0,0", "garbage here", ""]);
                [before, sdp::video(facts), after].concat().join("\n") + "\n"
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "nul-behind",
        "ends with NUL bytes that the length counts",
        |films| Camera {
            sdp: |facts| sdp::plain(facts) + "\0\0\0\0",
            ..films.plain()
        },
    ),
    Kind::new(
        "mark-before",
        "begins with a byte order mark and an empty line",
        |films| Camera {
            sdp: |facts| format!("\u{feff}\r\n{}", sdp::plain(facts)),
            ..films.plain()
        },
    ),
    Kind::new("no-version", "begins with its track", |films| Camera {
        sdp: |facts| sdp::join(&sdp::video(facts)),
        ..films.plain()
    }),
    Kind::new("long-line", "has a line of 20 kB", |films| Camera {
        sdp: |facts| {
            let long = vec![format!("a=x-note:{}", "n".repeat(20_000))];
            sdp::tracks(&[sdp::video(facts), long])
        },
        ..films.plain()
    }),
    Kind::new("no-type", "does not say that it is SDP", |films| Camera {
        answers: |_, answer, _| Reply::Send(answer.without("Content-Type")),
        ..films.plain()
    }),
    Kind::new(
        "range-long",
        "says that its pictures are ten minutes long",
        |films| Camera {
            sdp: |facts| range(facts, "npt=0-600"),
            ..films.plain()
        },
    ),
    Kind::new(
        "range-hours",
        "says that its pictures are two hours long",
        |films| Camera {
            sdp: |facts| range(facts, "npt=0-7200"),
            ..films.plain()
        },
    ),
    Kind::new("range-short", "says three seconds, and goes on", |films| {
        Camera {
            sdp: |facts| range(facts, "npt=0-3.0"),
            answers: |request, answer, _| {
                on_play(&request.method, answer, "Range: npt=0-3.0\r\nScale: 1.0")
            },
            ..films.plain()
        }
    }),
    Kind::new("range-clock", "gives a range of the day", |films| Camera {
        sdp: |facts| range(facts, "clock=20260618T212222Z-20260618T222312Z"),
        ..films.plain()
    }),
    Kind::new(
        "range-zero",
        "says that its pictures are 0 s long",
        |films| Camera {
            sdp: |facts| range(facts, "npt=0-0"),
            ..films.plain()
        },
    ),
    Kind::new("range-of-track", "gives its track a range", |films| {
        Camera {
            sdp: |facts| sdp::tracks(&[sdp::video(facts), lines(&["a=range:npt=0-42.5"])]),
            ..films.plain()
        }
    }),
    Kind::new(
        "range-answered",
        "gives a range in its answer to PLAY alone",
        |films| Camera {
            answers: |request, answer, _| {
                on_play(&request.method, answer, "Range: npt=0.000-30.000")
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "rtp-info-odd",
        "answers PLAY with empty and odd numbers",
        |films| Camera {
            answers: |request, answer, _| {
                let line = "RTP-Info: url=trackID=1;seq=;rtptime=\r\nRange: npt=now-\r\nScale: 0";
                on_play(&request.method, answer, line)
            },
            ..films.plain()
        },
    ),
    Kind::new("nothing-described", "has an empty description", |films| {
        Camera {
            sdp: |_| "v=0\r\n".to_owned(),
            ..films.plain()
        }
    })
    .right(Right::Tells(&["no"])),
];
