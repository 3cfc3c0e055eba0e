//! Why a session ended, and what people are told about it. Pure.
//!
//! Each sentence names what the camera does, each hint what to do. Of its address no more is shown than
//! [`address`](crate::config::address) lets through.

use std::{path::PathBuf, time::Duration};

use super::protocol::control_url::port;
use crate::{
    config::{SourceConfig, Transport, address},
    flow::Problem,
};

/// Why a certificate is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distrust {
    /// Nobody vouches for it.
    Issuer,
    /// It is for another name.
    Name,
    /// Not valid any more, or not yet.
    Time,
    /// Its key or its signature is too weak, or of a kind that is no longer spoken.
    Weak,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SessionEnd {
    /// The token was cancelled.
    Stopped,
    /// Wrong user name or password.
    Refused,
    /// A user name and a password are wanted, and none are configured.
    NoUser,
    /// It wants to be logged in at in ways that are not spoken here.
    UnknownLogin {
        /// Their names.
        offered: String,
    },
    /// The account may not view this stream.
    Forbidden,
    /// No such stream.
    NotFound,
    /// It serves as many viewers as it can.
    Busy,
    /// It sends us to another host.
    Redirected {
        /// Which.
        host: String,
    },
    /// It says that it cannot, with this status.
    Status {
        /// Of RTSP.
        status: u16,
        /// To which request.
        method: &'static str,
    },
    /// No connection.
    Unreachable,
    /// The certificate is not accepted.
    Untrusted(Distrust),
    /// Versions or methods of TLS that are no longer safe.
    OldTls,
    /// Somebody listens who does not speak TLS.
    NotTls,
    /// The file with the authorities is of no use.
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The camera does not send by TCP, or not by UDP.
    TransportRefused,
    /// Somebody listens, and does not answer.
    Mute,
    /// The session stands, but no picture comes.
    Silent,
    /// Pictures came, and then no more.
    Stalled,
    /// The camera has ended the connection.
    Closed,
    /// What is served has an end, and it has come.
    Finished {
        /// How long it lasts.
        length: Duration,
    },
    /// No stream that can be watched.
    NoVideo {
        /// Encodings offered, for people.
        offered: String,
    },
    /// GStreamer lacks something.
    Setup {
        /// One sentence.
        message: String,
    },
    /// Another service listens there.
    Http,
    /// A message longer than any that makes sense.
    TooLong,
    /// Anything else.
    Protocol,
}

impl SessionEnd {
    /// What happened as one sentence, and what to do.
    #[allow(
        clippy::too_many_lines,
        reason = "one arm for each end, each a pair of sentences"
    )]
    pub(super) fn problem(&self, config: &SourceConfig) -> Problem {
        let host = config.url.host_str().unwrap_or("without an address");
        let port = port(&config.url);
        let place =
            address::stream(&config.url).unwrap_or_else(|| "the configured path".to_owned());
        const AGAIN: &str = "it is connected to again; if this goes on, check";
        let (message, hint) = match self {
            Self::Stopped => (
                format!("camera {host} is no longer watched"),
                "nothing needs to be done".to_owned(),
            ),
            Self::Refused => (
                format!("camera {host} refused the user name or password"),
                "set `user` and `password` of this source to an account of the camera that may view its stream".to_owned(),
            ),
            Self::NoUser => (
                format!("camera {host} refused the user name or password: it asks for a login, and none is set"),
                "set `user` and `password_file` of this camera to an account that may view its stream".to_owned(),
            ),
            Self::UnknownLogin { offered } => (
                format!("camera {host} asks for a login that is not supported ({})", known(offered)),
                "choose Digest (MD5 or SHA-256) or Basic in the camera's settings for RTSP authentication".to_owned(),
            ),
            Self::Forbidden => (
                format!("camera {host} knows the account but does not let it view {place}"),
                "give the account the right to view live video, in the camera's settings for users".to_owned(),
            ),
            Self::NotFound => (
                format!("camera {host} has no stream at {place}"),
                "look up the address of the RTSP stream in the camera's manual or its web pages".to_owned(),
            ),
            Self::Busy => (
                format!("camera {host} serves as many viewers as it can"),
                "close other viewers (apps, recorders), or watch its second stream".to_owned(),
            ),
            Self::Redirected { host: other } => (
                format!("camera {host} redirects to another host, {other}"),
                "write that host into `url` if it is your camera or recorder".to_owned(),
            ),
            Self::Status { status, method } => (
                format!("camera {host} answers {method} with {status} ({})", reason(*status)),
                "check the address of its stream; restart the camera, and update its firmware".to_owned(),
            ),
            Self::Unreachable => (
                format!("camera {host} cannot be reached on port {port}"),
                "check that it is switched on and on this network, and that RTSP is enabled in its settings".to_owned(),
            ),
            Self::Untrusted(Distrust::Issuer) => (
                format!("the certificate of camera {host} is not trusted"),
                "name the authority that signed it, or the certificate itself, in `ca_file`, or use rtsp:// inside the home".to_owned(),
            ),
            Self::Untrusted(Distrust::Name) => (
                format!("the certificate of camera {host} is not trusted: it is for another name"),
                "write the address with the name that the certificate bears, or name the certificate itself in `ca_file`".to_owned(),
            ),
            Self::Untrusted(Distrust::Time) => (
                format!("the certificate of camera {host} is not trusted: it has expired, or is not valid yet"),
                "renew it in the camera's settings, and check the clocks of camera and box".to_owned(),
            ),
            Self::Untrusted(Distrust::Weak) => (
                format!("the certificate of camera {host} is not trusted: its key or signature is too weak, such as RSA with 1024 bits"),
                "make a new certificate in the camera's settings (RSA with 2048 bits or more), or use rtsp:// inside the home".to_owned(),
            ),
            Self::OldTls => (
                format!("camera {host} speaks only old TLS (before version 1.2, or without ECDHE key exchange)"),
                "update its firmware, or use rtsp:// inside the home".to_owned(),
            ),
            Self::NotTls => (
                format!("camera {host} does not speak TLS on port {port}"),
                "write rtsp:// for this port, or look up the port for RTSPS in the camera's settings".to_owned(),
            ),
            Self::Authorities { path, reason } => (
                format!("the certificates in {} cannot be read ({reason})", path.display()),
                "check ca_file: it names a file with the authority's certificate in PEM form".to_owned(),
            ),
            Self::TransportRefused => (
                format!("camera {host} does not send its pictures by {}", match config.transport {
                    Transport::Auto => "TCP or UDP",
                    Transport::Tcp => "TCP",
                    Transport::Udp => "UDP",
                }),
                "leave out `transport`, so that either is tried, and check the camera's RTSP settings".to_owned(),
            ),
            Self::Mute | Self::Silent => (
                format!("camera {host} answers on port {port} but sends no pictures"),
                "restart the camera, and check the address of its stream".to_owned(),
            ),
            Self::Stalled => (
                format!("camera {host} has stopped sending pictures"),
                format!("{AGAIN} its power supply and network"),
            ),
            Self::Closed => (
                format!("camera {host} has ended the stream"),
                format!("{AGAIN} how many viewers the camera allows"),
            ),
            Self::Finished { length } => (
                format!("camera {host} served a recording of {} s, which has ended", length.as_secs()),
                "it is played again; for the live picture, look up the address of the live stream".to_owned(),
            ),
            Self::NoVideo { offered } => (
                format!("camera {host} sends no H.264 or H.265 video at {place}{}", match offered.as_str() {
                    "" => String::new(),
                    offered => format!(", only {}", known(offered)),
                }),
                "set this stream to H.264 or H.265 in the camera's settings".to_owned(),
            ),
            Self::Setup { message } => (
                message.clone(),
                "install what is missing and start again".to_owned(),
            ),
            Self::Http => (
                format!("camera {host} answers on port {port} as a web server, not by RTSP"),
                "look up the camera's RTSP port, which is usually 554".to_owned(),
            ),
            Self::TooLong => (
                format!("camera {host} sends an answer of unreasonable length"),
                "check the address, and that the camera's firmware is up to date".to_owned(),
            ),
            Self::Protocol => (
                format!("camera {host} does not speak RTSP as expected"),
                "check the address, and that the camera's firmware is up to date".to_owned(),
            ),
        };
        Problem { message, hint }
    }
}

/// What the camera wrote, short and without control characters.
fn known(text: &str) -> String {
    const MOST: usize = 80;
    text.chars()
        .filter(|c| !c.is_control())
        .take(MOST)
        .collect()
}

/// RFC 2326, 7.1.1.
fn reason(status: u16) -> &'static str {
    match status {
        400 => "bad request",
        405 => "method not allowed",
        406 => "not acceptable",
        451 => "parameter not understood",
        454 => "session not found",
        455 => "method not valid in this state",
        457 => "invalid range",
        459 | 460 => "aggregate operation",
        462 => "destination unreachable",
        500 => "internal error",
        501 => "not implemented",
        551 => "option not supported",
        _ => "unexpected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> SourceConfig {
        SourceConfig {
            url: url.parse().unwrap(),
            user: None,
            password: None,
            stall_timeout: Duration::from_secs(10),
            transport: Transport::Auto,
            ca_file: None,
        }
    }

    #[test]
    fn addresses_are_told_without_what_may_be_secret() {
        let secret = config("rtsp://10.0.0.2/user=admin_password=S3CRET.sdp?token=S3CRET");
        for end in [
            SessionEnd::NotFound,
            SessionEnd::Forbidden,
            SessionEnd::NoVideo {
                offered: "VP8".to_owned(),
            },
        ] {
            let problem = end.problem(&secret);
            assert!(!problem.message.contains("S3CRET"), "{}", problem.message);
            assert!(problem.message.contains("10.0.0.2"));
        }
        let plain = SessionEnd::NotFound.problem(&config("rtsp://10.0.0.2/door"));
        assert_eq!(plain.message, "camera 10.0.0.2 has no stream at /door");
    }

    #[test]
    fn what_a_camera_writes_is_cut() {
        let offered = format!("NTLM\n{}", "x".repeat(500));
        let problem = SessionEnd::UnknownLogin { offered }.problem(&config("rtsp://cam/"));
        assert!(problem.message.len() < 200 && !problem.message.contains('\n'));
        assert!(problem.message.contains("NTLM"));
    }
}
