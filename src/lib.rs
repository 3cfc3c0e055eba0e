//! Lares watches a home through its IP cameras and tells the people who should know, without sending the home's life away.
//!
//! # The map
//!
//! ```text
//!                        ┌────────── DecodeDemand: the only arrow that points back ──────────┐
//!                        ▼                                                                    │
//! camera ─► ingest ─Packet─► (GOP ring) ─► decode ─Frame─► infer: motion ─► infer: person ─Detection─► track ─Track─► event
//!              │                                                                                               │
//!              └─Packet─► clip: pre-roll ring ◄───────────── Incident (began / updated / ended) ───────────────┤
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
//! | [`ingest`] | sources of packets; the on-demand decoder (GStreamer) | `flow`, `base`, `config` |
//! | [`infer`] | models: motion and persons (ONNX Runtime); pictures | `flow`, `base`, `config` |
//! | [`aim`] | where the person model looks: the whole, and close-ups; pure | `flow`, `base`, `config` |
//! | [`track`] | detections over time become tracks; pure | `flow`, `base`, `config` |
//! | [`event`] | tracks and motion become incidents and the decoder's demand; pure | `flow`, `base`, `config` |
//! | [`clip`] | packets become segments on disk | `flow`, `base`, `config` |
//! | [`wire`] | everything that leaves the process as text: JSON, topics, keys | `flow`, `base`, `config` |
//! | [`outbox`] | what must arrive, kept until it has | `wire` too |
//! | [`diary`] | why there was an alert and why there was none, kept for a day | `event`'s refusals and `wire` too |
//! | [`web`] | the agent's HTTP: health, metrics, reasons | handles only |
//! | [`hub`] | what receives: broker, store, index, page | `flow`, `base`, `config`, `wire` |
//! | [`camera`] | the story of one camera: its two lanes, top to bottom | the stages |
//! | [`app`] | the composer: config to rooms to lanes, and the order of stopping | everything |
//! | [`cli`] | one file per command | everything |
//! | [`vcam`] | virtual RTSP cameras for demo, bench and tests (GStreamer) | `flow`, `base`, `config` |
//! | [`testing`] | helpers for tests and benches | everything |
//!
//! Stages never import each other; only [`camera`] and [`app`] know their order.

pub mod aim;
pub mod app;
pub mod base;
pub mod camera;
pub mod cli;
pub mod clip;
pub mod config;
pub mod diary;
pub mod event;
pub mod flow;
pub mod hub;
pub mod infer;
pub mod ingest;
pub mod outbox;
#[doc(hidden)]
pub mod testing;
pub mod track;
pub mod vcam;
pub mod web;
pub mod wire;
