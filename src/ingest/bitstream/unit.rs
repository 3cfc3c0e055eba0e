//! One access unit on its way from a parser to a packet.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::nal::Facts;
use crate::flow::{MediaTime, StreamFormat};

/// One access unit with the stream's own times.
#[derive(Debug, Clone)]
pub(in crate::ingest) struct Unit {
    pub(in crate::ingest) format: Arc<StreamFormat>,
    /// When it is shown; always there once the unit has left the parser.
    pub(in crate::ingest) pts: Option<MediaTime>,
    /// When it is decoded, where the stream says so.
    pub(in crate::ingest) dts: Option<MediaTime>,
    pub(in crate::ingest) duration: Option<Duration>,
    pub(in crate::ingest) key: bool,
    pub(in crate::ingest) facts: Facts,
    pub(in crate::ingest) discontinuity: bool,
    pub(in crate::ingest) data: Bytes,
}
