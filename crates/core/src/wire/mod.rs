//! Everything that leaves the process as text: JSON, topics, object keys and playlists, each with its version.
//!
//! In: nouns of `flow`. Out: strings, and nouns parsed back from strings. Pure: no file, no socket, no clock.
//! Other programs parse what is written here, so its tests are snapshots: a changed snapshot is a changed contract.
//! May be imported by `outbox`, `web`, the hub and the composer; imports `flow` only.

pub mod discovery;
pub mod health;
pub mod incident;
pub mod keys;
pub mod playlist;
pub mod range;
pub mod recording;
pub mod topics;
pub mod why;

pub use discovery::Discovery;
pub use health::Health;
pub use incident::{Clip, ClipState, Facts, IncidentMessage};
pub use keys::{Item, ObjectKey};
pub use topics::{Command, CommandError, Incoming, Topics};
pub use why::DecisionRecord;

/// Version of every JSON document and of the key grammar.
pub const VERSION: u32 = 1;
