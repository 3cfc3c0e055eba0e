//! By what the packets of a session travel (RTSP's lower transport: RFC 2326, 12.39), and what is tried after it failed. Pure.

use super::end_reason::SessionEnd;
use crate::config::{SourceConfig, Transport};

/// What carries the packets of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LowerTransport {
    Tcp,
    Udp,
}

impl LowerTransport {
    /// The one to try first.
    pub(super) fn first(transport: Transport) -> Self {
        match transport {
            Transport::Auto | Transport::Tcp => Self::Tcp,
            Transport::Udp => Self::Udp,
        }
    }

    /// The one to try after a session that ended so. Nobody's pictures go unencrypted because TLS was asked for.
    pub(super) fn after(self, end: &SessionEnd, config: &SourceConfig) -> Self {
        let other = match self {
            Self::Tcp => Self::Udp,
            Self::Udp => Self::Tcp,
        };
        let free = config.transport == Transport::Auto && config.url.scheme() != "rtsps";
        match end {
            SessionEnd::TransportRefused if free => other,
            _ => self,
        }
    }
}
