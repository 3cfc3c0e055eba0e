//! Cameras whose RTP is odd.

use std::sync::Arc;

use bytes::Bytes;

use super::{Kind, Right};
use crate::vcam::quirk::{Camera, Packing, Stranger};

/// The RTP header without its payload: version 2, no CSRC.
const HEADER: usize = 12;

pub(super) const KINDS: &[Kind] = &[
    Kind::new("good", "behaves well", |films| films.plain()),
    Kind::new(
        "marker-every-nal",
        "marks the last packet of each NAL unit: parameter sets, SEI and slices",
        |films| Camera {
            marker: |piece| piece.ends_nal,
            ..films.plain()
        },
    ),
    Kind::new("marker-every-slice", "marks each slice", |films| Camera {
        marker: |piece| piece.ends_nal && piece.is_slice,
        ..films.plain()
    }),
    Kind::new("marker-never", "never sets the marker", |films| Camera {
        marker: |_| false,
        ..films.plain()
    }),
    Kind::new(
        "marker-always",
        "sets the marker on every packet, fragments too",
        |films| Camera {
            marker: |_| true,
            ..films.plain()
        },
    ),
    Kind::new(
        "sets-stamped-before",
        "gives parameter sets the marker and the timestamp of the picture before",
        |films| Camera {
            marker: |piece| piece.ends_nal && (piece.is_slice || piece.is_set),
            stamp: |moment| (moment.shown - i64::from(moment.is_set)) * 90_000 / moment.rate,
            ..films.plain()
        },
    ),
    Kind::new(
        "sei-after",
        "sends an SEI with a marker of its own behind each picture",
        |films| Camera {
            marker: |piece| piece.ends_slices || piece.ends_picture,
            units: |mut units, _| {
                units.push(Bytes::from_static(b"\x06\x05\x110123456789abcdefx\x80"));
                units
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "delimiters",
        "begins each picture with an access unit delimiter and ends it with filler data",
        |films| Camera {
            units: |mut units, _| {
                units.insert(0, Bytes::from_static(&[9, 0xf0]));
                units.push(Bytes::from_static(&[12, 255, 255, 255, 255, 128]));
                units
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "sets-each-picture",
        "sends parameter sets with each picture",
        |films| Camera {
            sends_sets: |_, _| true,
            ..films.plain()
        },
    ),
    Kind::new(
        "sets-twice",
        "sends parameter sets twice before each keyframe",
        |films| Camera {
            units: |units, key| {
                let sets = if key { units[..2].to_vec() } else { Vec::new() };
                [sets, units].concat()
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "ssrc-each-gop",
        "changes its SSRC at each keyframe",
        |films| Camera {
            ssrc: |first, _, keyframes| first.wrapping_add(keyframes * 7919),
            ..films.plain()
        },
    )
    // A switch may cost the pictures by which the new source is believed.
    .share(0.6),
    Kind::new(
        "ssrc-once",
        "changes its SSRC after four seconds, as after a restart of the encoder",
        |films| Camera {
            ssrc: |first, picture, _| if picture < 40 { first } else { !first },
            ..films.plain()
        },
    ),
    Kind::new(
        "stranger",
        "sends another client's packets of the same stream on the same channel",
        |films| Camera {
            stranger: Some(Stranger {
                clip: Arc::clone(&films.plain),
                ahead: 37,
            }),
            ..films.plain()
        },
    ),
    Kind::new(
        "stranger-large",
        "sends another client's packets of its large stream on the same channel",
        |films| Camera {
            stranger: Some(Stranger {
                clip: Arc::clone(&films.large),
                ahead: 7,
            }),
            ..films.plain()
        },
    )
    // The stranger may be believed for the first pictures, until the announced parameter sets come.
    .right(Right::PlaysAndMayTell(&["timed by their arrival"])),
    Kind::new(
        "payload-type-other",
        "describes payload type 96 and sends 97",
        |films| Camera {
            payload_type: 97,
            ..films.plain()
        },
    ),
    Kind::new(
        "start-codes",
        "puts a start code into each RTP payload",
        |films| Camera {
            packing: Packing::StartCodes,
            ..films.plain()
        },
    ),
    Kind::new(
        "aggregated-sets",
        "sends parameter sets and SEI as one STAP-A",
        |films| Camera {
            packing: Packing::AggregatedSets,
            ..films.plain()
        },
    ),
    Kind::new("aggregated", "aggregates whatever is small", |films| {
        Camera {
            packing: Packing::Aggregated,
            ..films.plain()
        }
    }),
    Kind::new(
        "joined",
        "sends a picture's NAL units as one, with start codes between them",
        |films| Camera {
            packing: Packing::Joined,
            ..films.plain()
        },
    ),
    Kind::new(
        "fragments-of-one",
        "sends every NAL unit as FU-A, small ones with start and end in one",
        |films| Camera {
            packing: Packing::Fragments,
            ..films.plain()
        },
    ),
    Kind::new("tiny-packets", "sends 100 bytes a packet", |films| Camera {
        payload_max: 100,
        ..films.plain()
    }),
    Kind::new(
        "huge-packets",
        "sends a whole picture a packet, up to 60 kB",
        |films| Camera {
            payload_max: 60_000,
            ..films.plain()
        },
    ),
    Kind::new("padded", "pads its packets", |films| Camera {
        finish: |mut packet| {
            packet[0] |= 0x20;
            packet.extend([0, 0, 0, 4]);
            vec![packet]
        },
        ..films.plain()
    }),
    Kind::new(
        "extended",
        "adds a header extension of ONVIF to each packet",
        |films| Camera {
            finish: |mut packet| {
                packet[0] |= 0x10;
                let extension = [0xab, 0xac, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0];
                packet.splice(HEADER..HEADER, extension);
                vec![packet]
            },
            ..films.plain()
        },
    ),
    Kind::new("contributed", "names two contributing sources", |films| {
        Camera {
            finish: |mut packet| {
                packet[0] |= 2;
                packet.splice(HEADER..HEADER, [0, 0, 0, 1, 0, 0, 0, 2]);
                vec![packet]
            },
            ..films.plain()
        }
    }),
    Kind::new("doubled", "sends every packet twice", |films| Camera {
        finish: |packet| vec![packet.clone(), packet],
        ..films.plain()
    }),
    Kind::new(
        "empty-packets",
        "sends a packet without payload before each, with the same number",
        |films| Camera {
            finish: |packet| vec![packet[..HEADER].to_vec(), packet],
            ..films.plain()
        },
    ),
    Kind::new(
        "short-packets",
        "sends packets of three bytes between the others",
        |films| Camera {
            finish: |packet| vec![packet[..3].to_vec(), packet],
            ..films.plain()
        },
    ),
    Kind::new(
        "sender-reports",
        "sends an RTCP sender report with each picture, and one that is cut off",
        |films| Camera {
            before: |turn| {
                let mut report = vec![0x80, 200, 0, 6];
                report.extend(turn.ssrc.to_be_bytes());
                report.extend([0; 20]);
                turn.rtcp.push(report);
                turn.rtcp.push(vec![0x80, 200, 0, 6, 1]);
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "foreign-channel",
        "sends data on a channel that nobody has set up",
        |films| Camera {
            before: |turn| {
                turn.write.extend([b'$', 12, 0, 5]);
                turn.write.extend(b"noise");
            },
            ..films.plain()
        },
    ),
    Kind::new(
        "loses-inside",
        "leaves out one packet of twenty, though TCP loses none",
        |films| Camera {
            finish: |packet| {
                let number = u16::from_be_bytes([packet[2], packet[3]]);
                if number.is_multiple_of(20) {
                    Vec::new()
                } else {
                    vec![packet]
                }
            },
            ..films.plain()
        },
    )
    .right(Right::PlaysAndTells(&["leaves out", "of 100 packets"]))
    .share(0.5),
];
