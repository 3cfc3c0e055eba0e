//! Cameras that end sessions which are not kept alive, each in its own way.

use std::time::Duration;

use super::{Kind, Right};
use crate::vcam::quirk::{Answer, Camera, Reply};

const OFFERS_LITTLE: &str = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN";

pub(super) const KINDS: &[Kind] = &[
    Kind::new("alive-by-any", "wants a request each 8 s", |films| Camera {
        timeout: Some(Duration::from_secs(8)),
        ..films.plain()
    })
    .seconds(24),
    Kind::new(
        "alive-by-options",
        "wants OPTIONS each 8 s, and offers nothing else",
        |films| Camera {
            public: OFFERS_LITTLE,
            alive_by: &["OPTIONS", "SETUP", "PLAY"],
            timeout: Some(Duration::from_secs(8)),
            ..films.plain()
        },
    )
    .seconds(24),
    Kind::new(
        "alive-by-get-parameter",
        "wants GET_PARAMETER each 8 s",
        |films| Camera {
            alive_by: &["GET_PARAMETER", "SETUP", "PLAY"],
            timeout: Some(Duration::from_secs(8)),
            ..films.plain()
        },
    )
    .seconds(24),
    Kind::new(
        "alive-by-set-parameter",
        "wants SET_PARAMETER each 8 s, and offers no other",
        |films| Camera {
            public: "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, SET_PARAMETER",
            alive_by: &["SET_PARAMETER", "SETUP", "PLAY"],
            timeout: Some(Duration::from_secs(8)),
            ..films.plain()
        },
    )
    .right(Right::Learns)
    .seconds(30),
    Kind::new(
        "keepalive-refused",
        "answers 400 to GET_PARAMETER, which it offers",
        |films| Camera {
            timeout: Some(Duration::from_secs(8)),
            answers: |request, answer, _| {
                Reply::Send(match request.method.as_str() {
                    "GET_PARAMETER" => Answer::new("400 Bad Request"),
                    _ => answer,
                })
            },
            ..films.plain()
        },
    )
    .seconds(24),
    Kind::new(
        "keepalive-unanswered",
        "takes GET_PARAMETER without an answer",
        |films| Camera {
            timeout: Some(Duration::from_secs(8)),
            answers: |request, answer, _| match request.method.as_str() {
                "GET_PARAMETER" => Reply::Silence,
                _ => Reply::Send(answer),
            },
            ..films.plain()
        },
    )
    .seconds(24),
    Kind::new(
        "keepalive-closes",
        "closes at GET_PARAMETER, which it offers",
        |films| Camera {
            timeout: Some(Duration::from_secs(8)),
            answers: |request, answer, _| match request.method.as_str() {
                "GET_PARAMETER" => Reply::Close,
                _ => Reply::Send(answer),
            },
            ..films.plain()
        },
    )
    .right(Right::Learns)
    .seconds(30),
    Kind::new(
        "alive-by-unlisted",
        "wants GET_PARAMETER each 8 s, and does not offer it",
        |films| Camera {
            public: OFFERS_LITTLE,
            alive_by: &["GET_PARAMETER", "SETUP", "PLAY"],
            timeout: Some(Duration::from_secs(8)),
            ..films.plain()
        },
    )
    .right(Right::Learns)
    .seconds(40),
    Kind::new("timeout-short", "gives a session 4 s", |films| Camera {
        timeout: Some(Duration::from_secs(4)),
        ..films.plain()
    })
    .seconds(14),
    Kind::new("timeout-one", "gives a session 1 s", |films| Camera {
        timeout: Some(Duration::from_secs(1)),
        ..films.plain()
    }),
    Kind::new(
        "timeout-zero",
        "gives a session 0 s, and does not mean it",
        |films| Camera {
            timeout: Some(Duration::ZERO),
            ..films.plain()
        },
    ),
];
