//! Cameras that end their sessions, each in its own way.

use super::{Kind, Right};
use crate::vcam::quirk::{Camera, End, Turn};

/// Sessions last this many pictures.
const LENGTH: u64 = 60;

fn ends(turn: &mut Turn<'_>, end: End) {
    if turn.picture == LENGTH {
        turn.end = Some(end);
    }
}

pub(super) const KINDS: &[Kind] = &[
    Kind::new("reset", "resets the connection after 6 s", |films| Camera {
        resets: true,
        before: |turn| ends(turn, End::Reset),
        ..films.plain()
    })
    .right(Right::Returns)
    .seconds(24),
    Kind::new("closes", "closes the connection after 6 s", |films| {
        Camera {
            before: |turn| ends(turn, End::Close),
            ..films.plain()
        }
    })
    .right(Right::Returns)
    .seconds(24),
    Kind::new(
        "unread",
        "never reads reports, and closes after 6 s",
        |films| Camera {
            deaf: true,
            before: |turn| ends(turn, End::Close),
            ..films.plain()
        },
    )
    .right(Right::Returns)
    .seconds(24),
    Kind::new("falls-silent", "falls silent after 6 s", |films| Camera {
        before: |turn| ends(turn, End::Silence),
        ..films.plain()
    })
    .right(Right::Returns)
    .seconds(24),
    Kind::new(
        "says-goodbye",
        "says goodbye by RTCP after 6 s, and falls silent",
        |films| Camera {
            before: |turn| {
                if turn.picture == LENGTH {
                    let mut goodbye = vec![0x81, 203, 0, 1];
                    goodbye.extend(turn.ssrc.to_be_bytes());
                    turn.rtcp.push(goodbye);
                }
                ends(turn, End::Silence);
            },
            ..films.plain()
        },
    )
    .right(Right::Returns)
    .seconds(24),
    Kind::new(
        "garbage",
        "sends garbage after 6 s and goes on, its interleaving lost",
        |films| Camera {
            before: |turn| {
                if turn.picture == LENGTH {
                    turn.write
                        .extend(b"\x00\x01garbage \xff\xfe no RTSP\r\n\r\n");
                }
            },
            ..films.plain()
        },
    )
    .right(Right::Recovers)
    .seconds(20),
    Kind::new(
        "frame-cut",
        "announces a longer packet than it sends after 6 s",
        |films| Camera {
            before: |turn| {
                if turn.picture == LENGTH {
                    turn.write.extend([b'$', turn.channel, 0x10, 0]);
                    turn.write.extend([0x80; 100]);
                }
            },
            ..films.plain()
        },
    )
    .right(Right::Recovers)
    .seconds(20),
];
