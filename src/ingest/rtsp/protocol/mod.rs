//! What is said in an RTSP session. Pure: text in, text out; no file here knows a socket.
//!
//! | file | what it does |
//! |---|---|
//! | `message` | requests and responses as text |
//! | `digest` | login |
//! | `sdp` | the description of a stream |
//! | `control_url` | which address a request names |
//! | `keepalive` | which request keeps a session alive, and when |

pub(super) mod control_url;
pub(super) mod digest;
pub(super) mod keepalive;
pub(super) mod message;
pub(super) mod sdp;
