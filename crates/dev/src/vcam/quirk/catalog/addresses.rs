//! Cameras whose addresses are odd.

use super::{Films, Kind, Right};
use crate::vcam::quirk::{Answer, Camera, Facts, Place, Reply, Request, sdp};

/// A camera whose video track has this control line; none: it has none.
fn control(facts: &Facts<'_>, control: Option<&str>) -> String {
    let mut video = sdp::video(facts);
    video.pop();
    video.extend(control.map(|address| format!("a=control:{address}")));
    sdp::tracks(&[video])
}

fn redirecting(films: &Films, answers: fn(&Request, Answer, &Place) -> Reply) -> Camera {
    Camera {
        answers,
        ..films.plain()
    }
}

pub(super) const KINDS: &[Kind] = &[
    Kind::new("no-base", "gives no Content-Base", |films| Camera {
        content_base: |_| None,
        accepts_setup: |url| url.ends_with("/live/trackID=1"),
        ..films.plain()
    }),
    Kind::new("base-without-slash", "gives a Content-Base without a slash at its end", |films| {
        Camera {
            content_base: |url| Some(url.trim_end_matches('/').to_owned()),
            accepts_setup: |url| url.ends_with("/live/trackID=1"),
            ..films.plain()
        }
    }),
    Kind::new("base-relative", "gives a path as Content-Base", |films| Camera {
        content_base: |_| Some("/live/".to_owned()),
        accepts_setup: |url| url.starts_with("rtsp://127.0.0.1") && url.ends_with("/live/trackID=1"),
        ..films.plain()
    }),
    Kind::new("base-with-query", "expects the track's name behind the query, after a slash", |films| {
        Camera {
            path: "/cam/realmonitor?channel=1&subtype=0",
            content_base: |url| Some(format!("{url}/")),
            accepts_setup: |url| url.ends_with("?channel=1&subtype=0/trackID=1"),
            ..films.plain()
        }
    }),
    Kind::new("query-without-base", "the same, and gives no Content-Base", |films| Camera {
        path: "/cam/realmonitor?channel=1&subtype=0",
        content_base: |_| None,
        accepts_setup: |url| url.ends_with("?channel=1&subtype=0/trackID=1"),
        ..films.plain()
    }),
    Kind::new("base-of-nobody", "gives a Content-Base that only it knows", |films| Camera {
        content_base: |_| Some("rtsp://192.0.2.44:554/live/".to_owned()),
        ..films.plain()
    }),
    Kind::new("control-of-nobody", "gives its track an address that only it knows", |films| Camera {
        sdp: |facts| control(facts, Some("rtsp://192.0.2.44:554/live/trackID=1")),
        ..films.plain()
    }),
    Kind::new("control-absolute", "gives its track a whole address with a default host", |films| Camera {
        sdp: |facts| control(facts, Some("rtsp://127.0.0.1/live/trackID=1")),
        accepts_setup: |url| url.ends_with("/live/trackID=1"),
        ..films.plain()
    }),
    Kind::new("control-rooted", "gives its track an address that begins with a slash", |films| Camera {
        sdp: |facts| control(facts, Some("/live/trackID=1")),
        accepts_setup: |url| url.ends_with("/trackID=1"),
        ..films.plain()
    }),
    Kind::new("control-none", "gives no address of its track", |films| Camera {
        sdp: |facts| control(facts, None).replace("a=control:*\r\n", ""),
        ..films.plain()
    }),
    Kind::new("control-star", "gives its track the address *", |films| Camera {
        sdp: |facts| control(facts, Some("*")),
        accepts_setup: |url| !url.ends_with('*'),
        ..films.plain()
    }),
    Kind::new("control-empty", "gives its track an empty address", |films| Camera {
        sdp: |facts| control(facts, Some("")),
        ..films.plain()
    }),
    Kind::new("redirects", "sends its viewers to another of its addresses", |films| {
        redirecting(films, |request, answer, place| {
            Reply::Send(match request.url.contains("/live") && request.method == "DESCRIBE" {
                true => Answer::new("302 Moved Temporarily")
                    .with(format!("Location: rtsp://127.0.0.1:{}/real", place.port)),
                false => answer,
            })
        })
    }),
    Kind::new("redirects-in-circles", "sends its viewers to the same address for ever", |films| {
        redirecting(films, |request, answer, place| {
            Reply::Send(match request.method.as_str() {
                "DESCRIBE" => Answer::new("302 Moved Temporarily")
                    .with(format!("Location: rtsp://127.0.0.1:{}/live", place.port)),
                _ => answer,
            })
        })
    })
    .right(Right::Tells(&[])),
    Kind::new("redirects-away", "sends its viewers to another host", |films| {
        redirecting(films, |request, answer, _| {
            Reply::Send(match request.method.as_str() {
                "DESCRIBE" => Answer::new("302 Moved Temporarily")
                    .with("Location: rtsp://192.0.2.44:554/live"),
                _ => answer,
            })
        })
    })
    .right(Right::Tells(&[])),
    Kind::new("password-in-path", "has a password in its address, and no stream there", |films| Camera {
        path: "/user=admin_password=s3cret-w0rd_channel=1_stream=0.sdp?real_stream&pwd=s3cret-w0rd",
        answers: |request, answer, _| {
            Reply::Send(match request.method.as_str() {
                "DESCRIBE" => Answer::new("404 Not Found"),
                _ => answer,
            })
        },
        ..films.plain()
    })
    .right(Right::Tells(&["no stream"])),
    Kind::new("no-stream", "has no stream at its address", |films| Camera {
        answers: |request, answer, _| {
            Reply::Send(match request.method.as_str() {
                "DESCRIBE" => Answer::new("404 Stream Not Found"),
                _ => answer,
            })
        },
        ..films.plain()
    })
    .right(Right::Tells(&["no stream"])),
];
