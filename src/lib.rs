//! Lares watches a home through its IP cameras and tells the people who should know, without sending the home's life away.
//!
//! # The map
//!
//! ```text
//!                        ┌────────── DecodeDemand: the only arrow that points back ──────────┐
//!                        ▼                                                                    │
//! camera ─► ingest ─Packet─► (GOP ring) ─► decode ─Frame─► infer: motion ─► infer: person ─Detection─► track ─Track─► event
//!              │                                                                                               │
//!              └─Packet─► recording: pre-roll ◄───────────── Incident (began / updated / ended) ───────────────┤
//!                               │ MediaFile                                                                    │ alert
//!                               ▼                                                                              ▼
//!                         disk, then outbox row ───────────► outbox (plan, ledger) ──────► sinks: S3/folder, MQTT ──► hub
//! ```
//!
//! | room | what it is | may import |
//! |---|---|---|
//! | [`flow`] | the nouns that pass between rooms | nothing |
//! | [`base`] | clocks, tasks, links, back-off, telemetry | `flow` |
//! | [`config`] | the tree, its units, the check | `flow`, `base` |
//! | [`net`] | connections to receivers and from clients: TLS, HTTP, MQTT, S3, the pace of the link | `flow`, `base`, `config` |
//! | [`ingest`] | sources of packets; the on-demand decoder (GStreamer) | `flow`, `base`, `config` |
//! | [`infer`] | models: motion and persons (ONNX Runtime); pictures | `flow`, `base`, `config` |
//! | [`roi`] | where the person model looks: the whole, and close-ups; pure | `flow`, `base`, `config` |
//! | [`track`] | detections over time become tracks; pure | `flow`, `base`, `config` |
//! | [`event`] | tracks and motion become incidents and the decoder's demand; pure | `flow`, `base`, `config` |
//! | [`recording`] | packets become segments on disk | `flow`, `base`, `config` |
//! | [`live`] | packets become a byte stream for browsers, while somebody watches | `flow`, `base`, `recording` |
//! | [`wire`] | everything that leaves the process as text: JSON, topics, keys | `flow`, `base`, `config` |
//! | [`outbox`] | what must arrive, kept until it has | `flow`, `base`, `config`, `net`, `wire` |
//! | [`outbox::sinks`] | receivers: each answers for every delivery, and knows no database | `flow`, `base`, `config`, `net`, `wire`, `outbox::budget`, `outbox::ledger::HERE`, `outbox::queue::LaneKey` |
//! | [`decision_log`] | why there was an alert and why there was none, kept for a day | `flow`, `base`, `event`, `wire` |
//! | [`web`] | the agent's HTTP: health, metrics, reasons; handles only | `base`, `net`, `wire` |
//! | [`hub`] | what receives: broker, store, index, page | `flow`, `base`, `config`, `net`, `wire` |
//! | [`camera`] | the story of one camera: its jobs, top to bottom | `flow`, `base`, `config`, `ingest`, `infer`, `roi`, `track`, `event`, `recording`, `live`, `outbox`, `decision_log` |
//! | [`app`] | the composer: config to rooms to cameras, and the order of stopping | `everything` |
//! | [`cli`] | one file per command | `everything` |
//! | [`vcam`] | virtual RTSP cameras for demo, bench and tests (GStreamer) | `flow`, `base`, `config`, `wire` |
//! | [`testing`] | helpers for tests and benches | `flow`, `base`, `config`, `vcam` |
//!
//! | crate | its rooms | depends on |
//! |---|---|---|
//! | `lares-core` | `flow`, `base`, `config`, `wire` | nothing |
//! | `lares-net` | `net` | `lares-core` |
//! | `lares-hub` | `hub`, and the program of that name | `lares-core`, `lares-net` |
//! | `lares-dev` | `vcam`, `testing` | `lares-core` |
//! | `lares` | the box: all others | `lares-core`, `lares-net`, `lares-hub`, and for developers `lares-dev` |
//!
//! Stages never import each other; only [`camera`] and [`app`] know their order. Code outside of tests that imports more
//! than its row fails in `tests/fences`, and so does a new circle of files that import each other.
//!
//! | dependency | named only by |
//! |---|---|
//! | `gstreamer`, `gstreamer_app` | `ingest`, `vcam`, `testing` |
//! | `gstreamer_video` | `ingest` |
//! | `gstreamer_rtsp`, `gstreamer_rtsp_server` | `vcam` |
//! | `ort` | `infer` |
//! | `rusqlite` | `base`, `outbox`, `hub`, `cli` |
//! | `rumqttc`, `object_store` | `net`, `outbox`, `hub` |
//! | `reqwest` | `net`, `outbox` |
//! | `s3s`, `rust_embed`, `totp_rs` | `hub` |
//! | `axum`, `hyper` | `net`, `hub`, `web` |
//! | `toml` | `config`, `infer`, `cli` |
//! | `toml_edit` | `config` |
//! | `clap` | `hub`, `cli` |
//! | `indicatif` | `cli` |

pub mod app;
pub mod camera;
pub mod cli;
pub mod decision_log;
pub mod event;
pub mod infer;
pub mod ingest;
pub mod live;
pub mod outbox;
pub mod recording;
pub mod roi;
pub mod track;
pub mod web;

pub use lares_core::{base, config, flow, wire};
#[cfg(any(test, feature = "dev"))]
#[doc(hidden)]
pub use lares_dev::{testing, vcam};
pub use lares_hub as hub;
pub use lares_net as net;
