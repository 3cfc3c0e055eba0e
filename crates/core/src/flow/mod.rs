//! The nouns that pass between rooms. One file each, plain data, no I/O, imports nothing of this crate.
//!
//! Units are in the types: [`MediaTime`] apart from [`WallTime`], [`NormRect`] for anything in a picture.
//! A bare number never crosses a room.

mod changes;
mod detection;
mod frame;
mod geometry;
mod ids;
mod incident;
mod language;
mod motion;
mod packet;
mod segment;
mod status;
mod time;
mod track;
mod turn;

pub use changes::Changes;
pub use detection::{Clothes, Detection, Label};
pub use frame::{ColourMatrix, ColourRange, Frame, PixelLayout, Plane};
pub use geometry::{NormPoint, NormRect, Polygon, Size};
pub use ids::{CameraId, IncidentId, SiteId, TrackId};
pub use incident::{
    DecodeDemand, EndReason, Incident, IncidentChange, IncidentState, Mode, Movement, Rule,
    RuleHit, Why,
};
pub use language::Language;
pub use motion::{MotionRegion, MotionReport};
pub use packet::{Codec, Packet, StreamFormat, StreamRole};
pub use segment::{MediaFile, MediaKind, Rendition};
pub use status::{CameraState, DegradationLevel, Problem};
pub use time::{ClockState, MediaTime, WallTime};
pub use track::{Track, TrackState};
pub use turn::Turn;
