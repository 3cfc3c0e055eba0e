//! From RTP packets to packets on the box's time line.
//!
//! | file | what it does |
//! |---|---|
//! | `packet`, `rtcp` | the two formats (RFC 3550); pure |
//! | `rtp_time` | timestamps become times without wraps and jumps; pure |
//! | `losses` | counts what is missing; pure |
//! | `access_units` | all packets of one picture, with its time; pure |
//! | `depacketize` | pictures to access units, by GStreamer's elements |
//! | `receive` | the way from the first to the last of these, for one session |

pub(super) mod access_units;
mod depacketize;
mod losses;
pub(super) mod packet;
pub(super) mod receive;
pub(super) mod rtcp;
mod rtp_time;
