//! SETUP and PLAY: which address, by what the packets travel, from where on.

use std::net::IpAddr;

use super::{
    dialogue::{Dialogue, status},
    end_reason::SessionEnd,
    protocol::message::Response,
    transport::udp::Ports,
};

/// Sets the picture's track up, at the first address of `tracks` that the camera knows.
pub(super) async fn setup(
    dialogue: &mut Dialogue,
    tracks: &[String],
    ports: Option<&Ports>,
) -> Result<Response, SessionEnd> {
    let transport = ports.map_or_else(
        || "RTP/AVP/TCP;unicast;interleaved=0-1".to_owned(),
        |ports| {
            let port = ports.port();
            format!("RTP/AVP;unicast;client_port={port}-{}", port + 1)
        },
    );
    let mut first = None;
    for track in tracks {
        let response = dialogue
            .call("SETUP", track, &[("Transport", &transport)])
            .await?;
        match response.status {
            200..=299 => return Ok(response),
            // About the transport, the account or the number of viewers: another address does not help.
            401 | 403 | 453 | 461 | 503 => return Err(status(response.status, "SETUP")),
            other => {
                first.get_or_insert(other);
            }
        }
    }
    Err(status(first.unwrap_or(404), "SETUP"))
}

/// Starts the pictures; from the beginning where what is served has one.
pub(super) async fn play(dialogue: &mut Dialogue, uri: &str) -> Result<Response, SessionEnd> {
    let range: &[(&str, &str)] = &[("Range", "npt=0.000-")];
    let mut refused = 0;
    for headers in [range, &[]] {
        let response = dialogue.call("PLAY", uri, headers).await?;
        match response.status {
            200..=299 => return Ok(response),
            // Some know no range, or none that begins at 0.
            400 | 451 | 456 | 457 | 501 if refused == 0 => refused = response.status,
            other => return Err(status(other, "PLAY")),
        }
    }
    Err(status(refused, "PLAY"))
}

/// What the camera says about how its packets travel.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Transport {
    pub(super) channel: Option<u8>,
    pub(super) server_port: Option<(u16, u16)>,
    pub(super) source: Option<IpAddr>,
    pub(super) ssrc: Option<u32>,
}

impl Transport {
    pub(super) fn read(header: &str) -> Self {
        let mut transport = Self::default();
        for (name, value) in header
            .split([';', ','])
            .filter_map(|part| part.split_once('='))
        {
            let value = value.trim().trim_matches('"');
            let first = value.split('-').next().unwrap_or_default().trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "interleaved" => transport.channel = first.parse().ok(),
                "server_port" => {
                    let second = value
                        .split_once('-')
                        .and_then(|(_, b)| b.trim().parse().ok());
                    transport.server_port = first.parse().ok().map(|first: u16| {
                        (first, second.unwrap_or_else(|| first.saturating_add(1)))
                    });
                }
                "source" => transport.source = value.parse().ok(),
                "ssrc" => transport.ssrc = u32::from_str_radix(value, 16).ok().filter(|s| *s != 0),
                _ => {}
            }
        }
        transport
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_are_read_as_cameras_write_them() {
        let tcp =
            Transport::read("RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=0BADCAFE;mode=\"PLAY\"");
        assert_eq!((tcp.channel, tcp.ssrc), (Some(2), Some(0x0bad_cafe)));
        let udp = Transport::read(
            "RTP/AVP;unicast;client_port=5000-5001;server_port=6970;source=10.0.0.2",
        );
        assert_eq!(udp.server_port, Some((6970, 6971)));
        assert_eq!(udp.source, Some("10.0.0.2".parse().unwrap()));
        let odd = Transport::read("RTP/AVP/TCP; Interleaved = 0 ;ssrc=x;source=camera");
        assert_eq!(
            odd,
            Transport {
                channel: Some(0),
                ..Transport::default()
            }
        );
        assert_eq!(Transport::read(""), Transport::default());
    }
}
