//! Cameras whose encoding is odd, or is not what they say.

use std::sync::Arc;

use super::{Films, Kind, Right};
use crate::vcam::quirk::{
    Camera, Clip, Packing,
    sdp::{self, Facts},
};

/// A description of another codec than what is sent.
fn says(facts: &Facts<'_>, name: &str, parameters: &str) -> String {
    let number = facts.payload_type;
    let lines = [
        format!("m=video 0 RTP/AVP {number}"),
        format!("a=rtpmap:{number} {name}/90000"),
        format!("a=fmtp:{number} {parameters}"),
        "a=control:trackID=1".to_owned(),
    ];
    sdp::tracks(&[lines.to_vec()])
}

fn showing(clip: &Arc<Clip>) -> Camera {
    Camera::new(Arc::clone(clip))
}

fn h265(films: &Films) -> Camera {
    films.h265()
}

pub(super) const KINDS: &[Kind] = &[
    Kind::new("h265", "sends H.265", h265),
    Kind::new(
        "h265-no-sets",
        "describes H.265 without parameter sets",
        |films| Camera {
            sdp: |facts| sdp::with_parameters(facts, "profile-id=1"),
            ..films.h265()
        },
    ),
    Kind::new(
        "h265-empty-sets",
        "describes H.265 with empty parameter sets",
        |films| Camera {
            sdp: |facts| sdp::with_parameters(facts, "sprop-vps=;sprop-sps=;sprop-pps="),
            ..films.h265()
        },
    ),
    Kind::new("hevc", "calls H.265 HEVC", |films| Camera {
        sdp: |facts| sdp::plain(facts).replace("H265/", "HEVC/"),
        ..films.h265()
    }),
    Kind::new(
        "h265-aggregated",
        "sends H.265 in aggregation packets",
        |films| Camera {
            packing: Packing::Aggregated,
            ..films.h265()
        },
    ),
    Kind::new(
        "h265-fragments",
        "sends every unit of H.265 as fragments",
        |films| Camera {
            packing: Packing::Fragments,
            marker: |piece| piece.ends_nal,
            ..films.h265()
        },
    )
    // What its first picture is, is known only at its end: the format may be told twice.
    .right(Right::PlaysAndMayTell(&["timed by their arrival"])),
    Kind::new("says-h265", "describes H.265 and sends H.264", |films| {
        Camera {
            sdp: |facts| {
                says(
                    facts,
                    "H265",
                    "profile-level-id=420029; packetization-mode=1; sprop-parameter-sets=",
                )
            },
            ..films.plain()
        }
    })
    .right(Right::PlaysAndTells(&["H.265", "H.264"])),
    Kind::new("says-h264", "describes H.264 and sends H.265", |films| {
        Camera {
            sdp: |facts| says(facts, "H264", "packetization-mode=1"),
            ..films.h265()
        }
    })
    .right(Right::PlaysAndTells(&["H.264", "H.265"])),
    Kind::new("reordered", "sends B-frames", |films| {
        showing(&films.reordered)
    }),
    Kind::new(
        "h265-reordered",
        "sends H.265 with B-frames in open groups",
        |films| showing(&films.h265_reordered),
    ),
    Kind::new(
        "refreshed",
        "refreshes its picture in columns, joined at its keyframe",
        |films| showing(&films.refreshed),
    ),
    Kind::new(
        "refreshed-joined",
        "refreshes its picture in columns, and its keyframe was long ago",
        |films| Camera {
            begins_at: 25,
            ..showing(&films.refreshed)
        },
    )
    .seconds(14),
    Kind::new(
        "rare",
        "has a keyframe each 20 s, and smart codecs' names for it",
        |films| showing(&films.rare),
    ),
    Kind::new("jpeg", "sends Motion JPEG", |films| showing(&films.images)),
    Kind::new(
        "jpeg-promised",
        "describes Motion JPEG and sends nothing",
        |films| Camera {
            before: |turn| turn.skip = true,
            ..showing(&films.images)
        },
    )
    .right(Right::Tells(&["sends no pictures"]))
    .seconds(22),
    Kind::new("sound-only", "has no video", |films| Camera {
        sdp: |_| {
            sdp::tracks(&[sdp::lines(&[
                "m=audio 0 RTP/AVP 8",
                "a=rtpmap:8 PCMA/8000",
                "a=control:trackID=1",
            ])])
        },
        ..films.plain()
    })
    .right(Right::Tells(&["no"])),
];
