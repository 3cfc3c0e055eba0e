//! Cameras whose clock or pace is odd.

use std::sync::Arc;

use super::{Kind, Right};
use crate::vcam::quirk::Camera;

/// What may be said of timestamps that are of no use.
const CLOCK: Right = Right::PlaysAndMayTell(&["timed by their arrival"]);
const HOUR: i64 = 3600 * 90_000;

pub(super) const KINDS: &[Kind] = &[
    Kind::new(
        "clock-milliseconds",
        "counts milliseconds where the description says 90,000 ticks a second",
        |films| Camera {
            stamp: |moment| moment.shown * 1000 / moment.rate,
            ..films.plain()
        },
    )
    .right(CLOCK),
    Kind::new("clock-double", "counts twice as fast as it says", |films| {
        Camera {
            stamp: |moment| moment.shown * 180_000 / moment.rate,
            ..films.plain()
        }
    })
    .right(CLOCK),
    Kind::new(
        "outlier-past",
        "stamps a picture each two seconds three hours into the past",
        |films| Camera {
            stamp: |moment| {
                let away = i64::from(moment.picture % 20 == 15) * 3 * HOUR;
                moment.shown * 90_000 / moment.rate - away
            },
            ..films.plain()
        },
    )
    .right(CLOCK),
    Kind::new(
        "outlier-future",
        "stamps a picture each two seconds three hours into the future",
        |films| Camera {
            stamp: |moment| {
                let away = i64::from(moment.picture % 20 == 15) * 3 * HOUR;
                moment.shown * 90_000 / moment.rate + away
            },
            ..films.plain()
        },
    )
    .right(CLOCK),
    Kind::new(
        "clock-frozen",
        "stamps all pictures alike and tells them apart by the marker alone",
        |films| Camera {
            stamp: |_| 0,
            ..films.plain()
        },
    )
    .right(CLOCK),
    Kind::new(
        "clock-jumps",
        "jumps an hour ahead after four seconds",
        |films| Camera {
            stamp: |moment| {
                moment.shown * 90_000 / moment.rate + i64::from(moment.picture >= 40) * HOUR
            },
            ..films.plain()
        },
    )
    .right(CLOCK)
    .share(0.6),
    Kind::new(
        "pieces",
        "begins sequence numbers and timestamps again each three seconds, with the same SSRC",
        |films| Camera {
            stamp: |moment| (moment.shown % 30) * 90_000 / moment.rate,
            before: |turn| {
                if turn.picture.is_multiple_of(30) {
                    turn.sequence = 0;
                }
            },
            ..films.plain()
        },
    )
    .right(CLOCK)
    .share(0.5),
    Kind::new(
        "decode-order",
        "stamps pictures with B-frames in the order of decoding",
        |films| Camera {
            stamp: |moment| moment.picture * 90_000 / moment.rate,
            ..Camera::new(Arc::clone(&films.reordered))
        },
    )
    .right(CLOCK),
    Kind::new("bursts", "sends a second of pictures at once", |films| {
        Camera {
            burst: 10,
            ..films.plain()
        }
    }),
    Kind::new(
        "joined-late",
        "is joined in the middle of a group of pictures",
        |films| Camera {
            begins_at: 5,
            ..films.plain()
        },
    ),
];
