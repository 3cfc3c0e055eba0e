//! What is asked of a camera before it sends: DESCRIBE, SETUP and PLAY.

use std::time::{Duration, Instant};

use tracing::debug;

use super::{Context, Session};
use crate::ingest::rtsp::{
    diagnostics::{Diagnostics, Way},
    dialogue::Dialogue,
    end_reason::SessionEnd,
    lower_transport::LowerTransport,
    negotiate::{self, Transport},
    protocol::{
        control_url,
        keepalive::KeepAlive,
        sdp::{self, Description, Track},
    },
    rtp::receive::Receiver,
    transport::udp::Ports,
};

impl Session {
    /// DESCRIBE, SETUP and PLAY.
    pub(super) async fn prepare(
        context: &Context<'_>,
        dialogue: &mut Dialogue,
        alive: &mut KeepAlive,
    ) -> Result<Self, SessionEnd> {
        let asked = control_url::plain(&dialogue.camera);
        let options = dialogue.call("OPTIONS", &asked, &[]).await?;
        alive.offered(options.headers.get("Public"));
        let (described, asked) = dialogue.describe().await?;
        let description = Description::read(&described.body);
        let track = description.video().ok_or_else(|| SessionEnd::NoVideo {
            offered: description.offered(),
        })?;
        let header = |name| described.headers.get(name);
        let content_base = header("Content-Base").or(header("Content-Location"));
        let base = control_url::base(content_base, &asked, &dialogue.camera);
        let uri = control_url::aggregate(description.control.as_deref(), &base, &dialogue.camera);
        let mut ports = match context.lower_transport {
            LowerTransport::Tcp => None,
            LowerTransport::Udp => {
                let (local, peer) = (dialogue.link.local().ip(), dialogue.link.peer().ip());
                Some(
                    Ports::open(local, peer)
                        .await
                        .map_err(|_| SessionEnd::TransportRefused)?,
                )
            }
        };
        let tracks = control_url::track(track.control.as_deref(), &base, &asked, &dialogue.camera);
        let setup = negotiate::setup(dialogue, &tracks, ports.as_ref()).await?;
        let transport = Transport::read(setup.headers.get("Transport").unwrap_or_default());
        if let Some(session) = setup.headers.get("Session") {
            alive.session(session);
            let id = session.split(';').next().unwrap_or_default().trim();
            dialogue.session = Some(id.to_owned());
        }
        if let Some(ports) = &mut ports {
            if transport.channel.is_some() {
                return Err(SessionEnd::TransportRefused);
            }
            let (rtp, rtcp) = transport.server_port.unwrap_or_default();
            ports.knock(rtp, rtcp, transport.source).await;
        }
        let play = negotiate::play(dialogue, &uri).await?;
        let answered = play.headers.get("Range").and_then(sdp::length);
        debug!(encoding = ?track.encoding, lower_transport = ?context.lower_transport, "session stands");
        Self::new(
            context,
            track,
            transport,
            ports,
            uri,
            answered.or(description.length),
        )
    }

    fn new(
        context: &Context<'_>,
        track: Track,
        transport: Transport,
        ports: Option<Ports>,
        uri: String,
        length: Option<Duration>,
    ) -> Result<Self, SessionEnd> {
        let host = context.config.url.host_str().unwrap_or_default();
        let way = match &ports {
            Some(ports) => Way::Datagrams {
                capped: ports.capped(),
            },
            None => Way::Connection,
        };
        let quality = Diagnostics::new(host, way);
        let receiver = Receiver::new(context.role, track, transport.ssrc, quality);
        Ok(Self {
            uri,
            receiver: receiver.map_err(|error| SessionEnd::Setup {
                message: error.to_string(),
            })?,
            ports,
            channel: transport.channel.unwrap_or(0),
            length,
            started: Instant::now(),
            first: None,
            last: None,
            goodbye: None,
            asked: None,
            asked_at: None,
            renewed: false,
        })
    }
}
