//! The keys of `[[cameras]]` and what stands below it.

use super::{Key, Kind, Occurs, SectionKeys};

const RTSP: Kind = Kind::Url(&["rtsp", "rtsps"]);

pub(super) const SECTIONS: &[&SectionKeys] = &[
    &CAMERA, &DETECT, &ZONES, &LINES, &INCIDENT, &CLIP, &RECORDING,
];

static CAMERA: SectionKeys = SectionKeys {
    path: "cameras",
    was: None,
    occurs: Occurs::Many,
    about: "One block for each camera, at least one; a box with a hub may have none.",
    keys: &[
        Key::new(
            "url",
            RTSP,
            "The stream that is watched: the camera's small second stream where it has one.",
        )
        .required()
        .example("\"rtsp://192.168.1.20:554/stream2\""),
        Key::new(
            "main_url",
            RTSP,
            "A stream of full quality, kept for clips and never decoded for watching.",
        )
        .example("\"rtsp://192.168.1.20:554/stream1\""),
        Key::new("id", Kind::Id, "Permanent name: topics and object keys depend on it.")
            .otherwise("`camera1`, `camera2`, ...")
            .range("id, each once")
            .example("\"front-door\""),
        Key::new("name", Kind::Text, "Display name.")
            .otherwise("the id")
            .example("\"Front door\""),
        Key::new("user", Kind::Text, "Login, for both streams.").example("\"viewer\""),
        Key::new("password", Kind::Secret, "Password, for both streams.")
            .example("\"/etc/lares/front-door.password\""),
        Key::new(
            "mode",
            Kind::Choice(&["armed", "disarmed"]),
            "Mode at the first start. Afterwards the last mode that was set is kept across restarts.",
        )
        .default("\"armed\""),
        Key::new(
            "max_idle_interval",
            Kind::Duration("200 ms", "50 s"),
            "Longest time between two analysed frames while nothing happens. A camera whose keyframes come at least this \
             often is cheapest: set its \"I-frame interval\" or \"GOP length\" to one or two seconds.",
        )
        .default("\"2 s\"")
        .was("wake_within"),
        Key::new(
            "decoder",
            Kind::Choice(&["auto", "software"]),
            "What decodes the watched stream. `auto` takes a hardware decoder that GStreamer offers (VA-API, V4L2, NVDEC) \
             where a trial at the first stream shows that it returns each frame at once and correctly, else the processor. \
             `lares check` and the log say which.",
        )
        .default("\"auto\""),
        Key::new(
            "rotate",
            Kind::Whole(0, 270),
            "Degrees, clockwise, by which frames of both streams are turned: for a camera that is mounted sideways or upside \
             down. Zones, lines, masks, images and clips are those of the turned frame (clips are turned by the player, \
             nothing is transcoded). Draw zones and masks again after a change.",
        )
        .default("0")
        .range("`0`, `90`, `180`, `270`"),
        Key::new(
            "stall_timeout",
            Kind::Duration("1 s", "10 min"),
            "Reconnect when a stream sends no data for this long.",
        )
        .default("\"10 s\"")
        .was("stall_after"),
        Key::new(
            "transport",
            Kind::Choice(&["auto", "tcp", "udp"]),
            "How the stream is carried. `auto` takes TCP, and UDP where the camera refuses TCP. UDP loses what the network \
             loses; a late packet is waited for up to 200 ms, and the system should grant a socket 2 MB \
             (`net.core.rmem_max`). `rtsps://` is always TCP.",
        )
        .default("\"auto\""),
        Key::new(
            "ca_file",
            Kind::Path,
            "For `rtsps://`: the authority of the camera's certificate, in PEM, or the certificate itself where the camera \
             signed it. Under an authority the address must be the name or number in the certificate; a certificate that is \
             given itself may have any name.",
        )
        .otherwise("the system's authorities")
        .example("\"/etc/lares/cameras-ca.pem\""),
        Key::new(
            "privacy_mask",
            Kind::Polygons,
            "Painted black on each frame straight after decoding, before models, images and clips. Clips of such a camera \
             are transcoded (H.264, at most 1280 pixels wide), which costs CPU while somebody is there; its `main_url` is \
             not kept.",
        )
        .default("[]")
        .example("[[[0.0, 0.0], [0.3, 0.0], [0.3, 0.4], [0.0, 0.4]]]"),
    ],
};

static DETECT: SectionKeys = SectionKeys {
    path: "cameras.detect",
    was: None,
    occurs: Occurs::Always,
    about: "What the models look for, and how often.",
    keys: &[
        Key::new(
            "labels",
            Kind::Words(&["person", "bicycle", "car", "cat", "dog"]),
            "What makes an incident.",
        )
        .default("[\"person\"]"),
        Key::new(
            "detect_fps",
            Kind::Number(0.5, 30.0),
            "Most inferences a second while something moves; twice as many for a second when somebody may be coming and no \
             incident is open.",
        )
        .default("5")
        .was("looks_per_second"),
        Key::new(
            "min_score",
            Kind::Number(0.05, 0.99),
            "Lowest score of a detection that counts.",
        )
        .otherwise("the model card's (0.4)")
        .was("score")
        .example("0.4"),
        Key::new(
            "min_height",
            Kind::Number(0.02, 0.8),
            "Height of the smallest person that matters, as a share of the frame's height. A smaller value finds people \
             farther away, and wakes for smaller things.",
        )
        .default("0.08")
        .was("smallest_person"),
        Key::new(
            "roi",
            Kind::Choice(&["auto", "whole", "regions"]),
            "Where the person model looks: `auto` at the whole frame, and closer where somebody would be too small in it; \
             `whole` never closer; `regions` around each thing that moves, which costs several times as much.",
        )
        .default("\"auto\"")
        .was("look"),
        Key::new(
            "max_crops_per_second",
            Kind::Number(0.0, 30.0),
            "Most such closer looks a second; 0 for none.",
        )
        .default("1.9")
        .was("close_ups_per_second"),
        Key::new(
            "idle_after",
            Kind::Duration("1 s", "10 min"),
            "How long a scene must be quiet before full decoding stops.",
        )
        .default("\"6 s\"")
        .was("awake_hold"),
        Key::new(
            "motion_mask",
            Kind::Polygons,
            "Motion in here wakes nothing, and persons in here do not count. For a street beyond the fence, or a tree; it \
             hides nothing from clips and images.",
        )
        .default("[]")
        .example("[[[0.8, 0.0], [1.0, 0.0], [1.0, 0.1], [0.8, 0.1]]]"),
    ],
};

static ZONES: SectionKeys = SectionKeys {
    path: "cameras.zones",
    was: None,
    occurs: Occurs::AnyOrNone,
    about: "Named places in the frame.",
    keys: &[
        Key::new("name", Kind::Text, "Name in alerts, in the order of entry.")
            .required()
            .range("text, each once per camera")
            .example("\"garden\""),
        Key::new(
            "area",
            Kind::Polygon,
            "Where feet must stand: the middle of the lower edge of a person's box.",
        )
        .required()
        .example("[[0.1, 0.5], [0.9, 0.5], [0.9, 1.0], [0.1, 1.0]]"),
        Key::new(
            "required",
            Kind::Flag,
            "Where any zone or line is required, only visits that enter a required zone or cross a required line are reported.",
        )
        .default("false"),
        Key::new(
            "loiter",
            Kind::Duration("1 s", "1 h"),
            "A stay in the zone that is at least this long is loitering: the alert is updated, and says so. With `required`, \
             staying is what counts, not entering.",
        )
        .example("\"30 s\""),
    ],
};

static LINES: SectionKeys = SectionKeys {
    path: "cameras.lines",
    was: None,
    occurs: Occurs::AnyOrNone,
    about: "Named lines that people may cross.",
    keys: &[
        Key::new("name", Kind::Text, "Name in alerts.")
            .required()
            .range("text, each once per camera")
            .example("\"gate\""),
        Key::new(
            "ends",
            Kind::Ends,
            "Feet that come from one side of the line to the other cross it.",
        )
        .required()
        .example("[[0.2, 0.6], [0.5, 0.9]]"),
        Key::new(
            "direction",
            Kind::Choice(&["both", "to-left", "to-right"]),
            "Which crossings count, as seen by somebody who stands at the first end and looks at the second.",
        )
        .default("\"both\""),
        Key::new("required", Kind::Flag, "As for zones.").default("false"),
    ],
};

const LIFE: Kind = Kind::Duration("500 ms", "1 h");

static INCIDENT: SectionKeys = SectionKeys {
    path: "cameras.incident",
    was: None,
    occurs: Occurs::Always,
    about: "When an incident ends. One visit is one incident.",
    keys: &[
        Key::new(
            "end_after_left",
            LIFE,
            "It ends this long after its last person left through the edge of the frame.",
        )
        .default("\"2 s\""),
        Key::new(
            "end_after_lost",
            LIFE,
            "It ends this long after its last person was lost inside the frame; where nothing has moved for 4 s since, at \
             most 4 s after.",
        )
        .default("\"10 s\""),
        Key::new(
            "record_max",
            LIFE,
            "Recording stops after this long, while the incident stays open ...",
        )
        .default("\"60 s\""),
        Key::new(
            "record_resume",
            LIFE,
            "... and resumes for this long when somebody new appears.",
        )
        .default("\"20 s\""),
    ],
};

static CLIP: SectionKeys = SectionKeys {
    path: "cameras.clip",
    was: None,
    occurs: Occurs::Always,
    about: "What a clip holds, and how it is cut.",
    keys: &[
        Key::new(
            "pre_roll",
            Kind::Duration("0 s", "1 min"),
            "Kept from before an incident, at least: the clip begins on the keyframe at or before.",
        )
        .default("\"5 s\""),
        Key::new(
            "post_roll",
            Kind::Duration("0 s", "1 min"),
            "Kept from after its end.",
        )
        .default("\"5 s\""),
        Key::new(
            "pre_roll_bytes",
            Kind::Bytes("0 B", ""),
            "Most memory for the pre-roll, for each stream; when it is full the clip begins later.",
        )
        .default("\"24 MB\"")
        .range("bytes"),
        Key::new(
            "segment_target",
            Kind::Duration("1 s", "1 min"),
            "A segment is cut at the first keyframe after this long ...",
        )
        .default("\"2 s\""),
        Key::new(
            "segment_max",
            Kind::Duration("1 s", "1 min"),
            "... or, keyframe or not, after this long ...",
        )
        .default("\"4 s\"")
        .range("1 s to 1 min, not below `segment_target`"),
        Key::new("segment_bytes", Kind::Bytes("32 kB", ""), "... or after about this many bytes.")
            .default("\"512 kB\""),
        Key::new(
            "preview",
            Kind::Flag,
            "Clips of an H.265 camera are encoded as H.264 too (at most 640 pixels wide), because few browsers play H.265; \
             this costs CPU while somebody is there, and more bytes.",
        )
        .default("true"),
    ],
};

static RECORDING: SectionKeys = SectionKeys {
    path: "cameras.recording",
    was: None,
    occurs: Occurs::Always,
    about: "Recording round the clock, on this box only. Off unless `keep` is written.",
    keys: &[
        Key::new(
            "keep",
            Kind::Duration("1 h", "30 d"),
            "How long recordings are kept. Without it nothing is recorded but visits. A camera with a `privacy_mask` cannot \
             be recorded.",
        )
        .otherwise("off")
        .example("\"48 h\""),
        Key::new(
            "quota",
            Kind::Bytes("100 MB", "for a few minutes of recording"),
            "Most bytes of this camera's recordings; the oldest go first. On a full disk they go before anything else.",
        )
        .default("\"20 GB\""),
        Key::new(
            "streams",
            Kind::Choice(&["sub", "main", "both"]),
            "What is recorded: the watched stream, the one of `main_url`, or both.",
        )
        .default("\"sub\""),
    ],
};
