//! The keys of `[hub]`.

use super::{Key, Kind, Occurs, SectionKeys};

pub(super) const SECTIONS: &[&SectionKeys] = &[&HUB];

const WHOSE: Kind = Kind::Choice(&["auto", "own", "external"]);

static HUB: SectionKeys = SectionKeys {
    path: "hub",
    was: None,
    occurs: Occurs::Always,
    about: "The hub in this program: the page for the household, and a broker and a store for other boxes. Its page shows \
            what this box keeps, wherever `[mqtt]` and `[upload]` send it.",
    keys: &[
        Key::new(
            "enabled",
            Kind::Flag,
            "Whether `lares run` has a hub in it. `[[cameras]]` may be left out then.",
        )
        .default("false"),
        Key::new(
            "listen",
            Kind::Address,
            "The page; `\"0.0.0.0:8080\"` lets the home's network reach it. Not on loopback it asks for a password, and \
             starts with none: make the first account on the machine.",
        )
        .default("\"127.0.0.1:8080\""),
        Key::new(
            "broker",
            WHOSE,
            "`own`: the hub starts a broker; `auto`: where `sites`, `broker_listen` or Home Assistant's key need one; \
             `external`: it listens to that of `[mqtt]`, with its login.",
        )
        .default("\"auto\""),
        Key::new(
            "store",
            WHOSE,
            "`own`: the hub takes uploads; `auto`: where `sites` or `store_listen` need that; `external`: the page reads the \
             store of `[upload]` (`s3://` or `file://`), with its key.",
        )
        .default("\"auto\""),
        Key::new(
            "broker_listen",
            Kind::Address,
            "Where boxes, and Home Assistant, reach the broker; `mqtts://` where that is not on loopback.",
        )
        .default("\"127.0.0.1:1883\""),
        Key::new("store_listen", Kind::Address, "Where boxes upload to (S3).")
            .default("\"127.0.0.1:9000\""),
        Key::new(
            "sites",
            Kind::Words(&[]),
            "Further boxes; that of this box is known. `lares hub keys` says what to write into their configuration.",
        )
        .default("[]")
        .range("list of site ids"),
        Key::new(
            "server_names",
            Kind::Words(&[]),
            "Names by which browsers ask for the page, such as behind a reverse proxy; addresses, `localhost` and the \
             machine's own name are known.",
        )
        .default("[]")
        .was("names"),
        Key::new(
            "trusted_proxies",
            Kind::Words(&[]),
            "Reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed \
             ([hub.md](hub.md#behind-a-reverse-proxy)).",
        )
        .default("[]")
        .range("list of addresses or networks")
        .example("[\"127.0.0.1\", \"10.1.0.0/16\"]"),
        Key::new(
            "certificate",
            Kind::Path,
            "The certificate of page, store and broker where others than this machine can reach them; read again when renewed.",
        )
        .otherwise("made at the first start")
        .range("PEM file, with `private_key`")
        .example("\"/etc/lares/certificate.pem\""),
        Key::new("private_key", Kind::Path, "Its private key.")
            .otherwise("made at the first start")
            .range("PEM file")
            .example("\"/etc/lares/key.pem\""),
        Key::new(
            "plain_http",
            Kind::Flag,
            "Page, store and broker without TLS where others can reach them: everybody on the way can read along.",
        )
        .default("false"),
        Key::new(
            "retention",
            Kind::Duration("1 h", "365 d"),
            "Incidents are deleted at this age, [never much at once](durability.md#what-is-deleted-by-age), those of this box \
             too; of an external store only what the page lists.",
        )
        .default("\"30 d\""),
        Key::new(
            "quota",
            Kind::Bytes("100 MB", ""),
            "Most bytes of clips and images, those of this box included. When all sites together take more, the one that takes \
             most loses its oldest incidents; not those of an external store.",
        )
        .default("\"20 GB\""),
        Key::new("dir", Kind::Path, "Keys, broker, store, index and accounts.")
            .otherwise("`hub` in `data_dir`")
            .example("\"/var/lib/lares/hub\""),
    ],
};
