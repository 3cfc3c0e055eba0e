//! Cameras that send by datagrams or over TLS.

use super::{Kind, Right};
use crate::vcam::quirk::{Camera, Carriers, Lossy};

const UDP: &str = "transport = \"udp\"\n";

pub(super) const KINDS: &[Kind] = &[
    Kind::new("udp", "sends by UDP as asked", |films| films.plain()).config(UDP),
    Kind::new("udp-only", "sends by UDP alone", |films| Camera {
        carriers: Carriers::Udp,
        ..films.plain()
    }),
    Kind::new(
        "udp-shuffled",
        "sends one datagram of seven after the next",
        |films| Camera {
            lossy: Lossy { lose: 0, swap: 7 },
            payload_max: 400,
            ..films.plain()
        },
    )
    .config(UDP),
    Kind::new("udp-lossy", "loses one datagram of a hundred", |films| {
        Camera {
            lossy: Lossy { lose: 100, swap: 0 },
            ..films.plain()
        }
    })
    .config(UDP)
    .right(Right::PlaysAndMayTell(&["of 100 packets", "tcp"]))
    .share(0.4),
    Kind::new("udp-doubled", "sends each datagram twice", |films| Camera {
        finish: |packet| vec![packet.clone(), packet],
        ..films.plain()
    })
    .config(UDP),
    Kind::new("tcp-only", "does not send by UDP", |films| Camera {
        carriers: Carriers::Tcp,
        ..films.plain()
    }),
    Kind::new(
        "udp-refused",
        "does not send by UDP, which is asked for",
        |films| Camera {
            carriers: Carriers::Tcp,
            ..films.plain()
        },
    )
    .config(UDP)
    .right(Right::Tells(&["UDP"])),
    Kind::new(
        "tls",
        "speaks TLS with a certificate of the viewer's authority",
        |films| Camera {
            tls: Some(films.trusted.clone()),
            ..films.plain()
        },
    )
    .config("ca_file = \"ca.pem\"\n"),
    Kind::new(
        "tls-own",
        "has signed its certificate itself, which the viewer names",
        |films| Camera {
            tls: Some(films.strange.clone()),
            ..films.plain()
        },
    )
    .config("ca_file = \"strange.pem\"\n"),
    Kind::new(
        "tls-strange",
        "has a certificate that nobody trusts",
        |films| Camera {
            tls: Some(films.strange.clone()),
            ..films.plain()
        },
    )
    .config("ca_file = \"ca.pem\"\n")
    .right(Right::Tells(&["certificate"])),
];
