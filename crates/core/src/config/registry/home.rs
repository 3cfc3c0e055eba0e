//! The keys of the box itself: top level, models, outbox, data plan, its own HTTP and its log.

use super::{Key, Kind, Occurs, SectionKeys};

static ROOT: SectionKeys = SectionKeys {
    path: "",
    was: None,
    occurs: Occurs::Always,
    about: "",
    keys: &[
        Key::new(
            "version",
            Kind::Whole(1, 2),
            "Version of this format. Version 1, with its older names, is read too: `lares config migrate` rewrites such a file.",
        )
        .required()
        .range("`2`, `1`")
        .example("2"),
        Key::new(
            "site",
            Kind::Id,
            "The household's permanent id; the MQTT client id is `lares-SITE`.",
        )
        .otherwise("made at the first start (`home-` and 12 hexadecimal digits), kept in `data_dir/site`")
        .example("\"maison-12\""),
        Key::new(
            "data_dir",
            Kind::Path,
            "Outbox, clips and the site's id; one agent per folder.",
        )
        .otherwise("`/var/lib/lares` for root, else `$XDG_DATA_HOME/lares`, else `~/.local/share/lares`")
        .example("\"/var/lib/lares\""),
        Key::new(
            "shutdown_timeout",
            Kind::Duration("1 s", "5 min"),
            "How long an orderly stop may take.",
        )
        .default("\"10 s\"")
        .was("stop_grace"),
    ],
};

pub(super) const TOP: &[&SectionKeys] = &[&ROOT];
pub(super) const FIRST: &[&SectionKeys] = &[&MODELS];
pub(super) const SECTIONS: &[&SectionKeys] = &[&OUTBOX, &DATA_PLAN];
pub(super) const LAST: &[&SectionKeys] = &[&WEB, &LOG];

static MODELS: SectionKeys = SectionKeys {
    path: "models",
    was: None,
    occurs: Occurs::Always,
    about: "Models and the inference library.",
    keys: &[
        Key::new("dir", Kind::Path, "Folder of models and their cards.")
            .otherwise("`models` in the current folder, else beside the program, else `/usr/share/lares/models`")
            .example("\"/usr/share/lares/models\""),
        Key::new("motion", Kind::Text, "Card of the motion model.")
            .default("\"motion\"")
            .range("name of a card"),
        Key::new(
            "person",
            Kind::Text,
            "Card of the person model; an int8 model is replaced by its float variant where this machine runs that faster, \
             see `lares models ls`.",
        )
        .default("\"person\"")
        .range("name of a card"),
        Key::new("onnxruntime", Kind::Path, "The ONNX Runtime library.")
            .otherwise("`ORT_DYLIB_PATH`, then `vendor/onnxruntime`, then the system's")
            .example("\"/usr/lib/lares/libonnxruntime.so\""),
        Key::new(
            "threads",
            Kind::Whole(1, 16),
            "Threads of one person inference; more than 1 answers sooner and costs more CPU in all.",
        )
        .default("1"),
    ],
};

static OUTBOX: SectionKeys = SectionKeys {
    path: "outbox",
    was: None,
    occurs: Occurs::Always,
    about: "What is kept on this box until it is delivered, and after.",
    keys: &[
        Key::new(
            "retention",
            Kind::Duration("1 h", "30 d"),
            "Clips, images and their records are deleted at this age; not while the clock is unsure, and \
             [never much at once](durability.md#what-is-deleted-by-age). With a hub in this program, where this is not \
             written: `hub.retention`.",
        )
        .default("\"7 d\""),
        Key::new(
            "quota",
            Kind::Bytes("20 MB", "to hold a clip"),
            "Most bytes of clips and images on this box; when it is reached, what was delivered goes first, clips before \
             images, the oldest first; alerts stay. With a hub in this program, where this is not written: the box's equal \
             share of `hub.quota`, and a tenth of it for images.",
        )
        .default("\"2 GB\""),
        Key::new("clip_retention", Kind::Duration("1 h", "30 d"), "Clips alone are deleted at this age.")
            .otherwise("`retention`")
            .range("1 h to `retention`")
            .example("\"3 d\""),
        Key::new("clip_quota", Kind::Bytes("20 MB", "to hold a clip"), "Most bytes of clips alone.")
            .otherwise("`quota`")
            .example("\"1 GB\""),
        Key::new("image_retention", Kind::Duration("1 h", "30 d"), "Images alone are deleted at this age.")
            .otherwise("`retention`")
            .range("1 h to `retention`")
            .was("picture_retention")
            .example("\"7 d\""),
        Key::new(
            "image_quota",
            Kind::Bytes("1 MB", "to hold the images of a day"),
            "Most bytes of images alone.",
        )
        .default("\"200 MB\"")
        .was("picture_quota"),
        Key::new(
            "alert_quota",
            Kind::Bytes("1 MB", "to hold the alerts of a day"),
            "Most bytes of alerts in the database; the oldest that have arrived are deleted, one that has not arrived never is.",
        )
        .default("\"50 MB\""),
        Key::new(
            "purpose",
            Kind::Text,
            "Written in each alert, for the household's records.",
        )
        .default("\"home security\""),
    ],
};

static DATA_PLAN: SectionKeys = SectionKeys {
    path: "data_plan",
    was: Some("budget"),
    occurs: Occurs::Optional,
    about: "A data plan. Without this section everything leaves as fast as the link carries it.",
    keys: &[
        Key::new(
            "rate",
            Kind::Rate("8 kbit/s"),
            "Speed at which things leave, for all receivers together; alerts go first.",
        )
        .example("\"1 Mbit/s\""),
        Key::new(
            "per_day",
            Kind::Bytes("1 MB", "for images"),
            "Most bytes a day, in the box's time zone.",
        )
        .example("\"50 MB\""),
        Key::new(
            "per_month",
            Kind::Bytes("1 MB", "for images"),
            "Most bytes in a month of the plan.",
        )
        .example("\"1 GB\""),
        Key::new(
            "month_starts",
            Kind::Whole(1, 28),
            "Day on which the plan's month begins.",
        )
        .default("1"),
    ],
};

static WEB: SectionKeys = SectionKeys {
    path: "web",
    was: None,
    occurs: Occurs::Always,
    about: "The box's own HTTP: health and metrics, on loopback only.",
    keys: &[
        Key::new("listen", Kind::Address, "Where `/healthz` and `/metrics` are served.")
            .default("\"127.0.0.1:8088\"")
            .range("a loopback address, or `\"off\"`"),
        Key::new(
            "server_names",
            Kind::Words(&[]),
            "Names by which other programs ask for them; addresses, `localhost`, the machine's own name and \
             `hub.server_names` are known.",
        )
        .default("[]")
        .was("names"),
    ],
};

static LOG: SectionKeys = SectionKeys {
    path: "log",
    was: None,
    occurs: Occurs::Always,
    about: "The log of `lares run`, on stderr.",
    keys: &[
        Key::new("level", Kind::Text, "What is logged.")
            .default("\"info\"")
            .range("`error`, `warn`, `info`, `debug`, or a filter such as `\"info,lares=debug\"`"),
        Key::new(
            "format",
            Kind::Choice(&["text", "json"]),
            "JSON has one object a line.",
        )
        .default("\"text\""),
    ],
};
