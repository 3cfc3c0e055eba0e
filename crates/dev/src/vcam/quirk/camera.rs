//! The behaviours that one camera is made of. [`Camera::new`] behaves well; a quirk changes a field.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    clip::{Clip, Codec},
    login::Login,
    message::{Answer, Request},
    recording::Recording,
    sdp::{self, Facts},
};
use crate::vcam::TlsIdentity;

/// Where the packets of a camera come from.
#[derive(Clone)]
pub enum Source {
    /// Pictures, packetised with the camera's quirks.
    Clip(Arc<Clip>),
    /// Packets and answers as they were recorded.
    Recording(Arc<Recording>),
}

/// One packet-to-be: a NAL unit or a piece of one.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    /// Its unit carries a slice.
    pub is_slice: bool,
    /// Its unit is a parameter set.
    pub is_set: bool,
    /// It is the last piece of its NAL unit.
    pub ends_nal: bool,
    /// It is the last piece of its picture's last slice.
    pub ends_slices: bool,
    /// It is the last piece of its picture.
    pub ends_picture: bool,
}

/// The moment that a timestamp is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Pictures sent before.
    pub picture: i64,
    /// Place in the order of display.
    pub shown: i64,
    /// Pictures a second.
    pub rate: i64,
    /// The NAL unit is a parameter set.
    pub is_set: bool,
}

/// How NAL units become packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// One packet for a unit that fits, fragments for one that does not.
    #[default]
    Plain,
    /// A start code inside of each packet with a whole unit.
    StartCodes,
    /// Parameter sets and SEI in one aggregation packet (STAP-A, AP).
    AggregatedSets,
    /// All units of a picture that fit in aggregation packets.
    Aggregated,
    /// All units of a picture as one, with start codes between them.
    Joined,
    /// Every unit as fragments, also those that would fit; one fragment then has start and end.
    Fragments,
}

/// Packets of somebody else that come on the same channel.
#[derive(Clone)]
pub struct Stranger {
    /// Their pictures.
    pub clip: Arc<Clip>,
    /// Pictures that theirs are ahead by.
    pub ahead: u64,
}

/// How a session may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The connection is reset (RST).
    Reset,
    /// The connection is closed in order (FIN).
    Close,
    /// Nothing comes any more; the connection stays.
    Silence,
}

/// The moment before a picture is sent, and what a camera may do in it.
pub struct Turn<'a> {
    /// Pictures sent before in this session.
    pub picture: u64,
    /// The picture is a keyframe.
    pub key: bool,
    /// The source of the packets.
    pub ssrc: u32,
    /// The channel of the packets; RTCP goes by the next.
    pub channel: u8,
    /// Packets that the viewer has sent since the turn before.
    pub reports: u32,
    /// What the description says.
    pub sdp: &'a str,
    /// Sequence number of the packet before.
    pub sequence: u16,
    /// Bytes to write on the connection first.
    pub write: Vec<u8>,
    /// RTCP packets to send first.
    pub rtcp: Vec<Vec<u8>>,
    /// The picture is left out.
    pub skip: bool,
    /// The session ends here.
    pub end: Option<End>,
}

impl Turn<'_> {
    /// Writes an answer to nothing, or to what was not asked.
    pub fn answer(&mut self, cseq: u64, answer: &Answer) {
        self.write.extend(answer.bytes(&cseq.to_string()));
    }
}

/// Where in a session a request comes.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The camera's port.
    pub port: u16,
    /// Requests of this method before it, on this connection.
    pub before: u32,
    /// Connections to this camera before this one.
    pub connections: u64,
}

/// What a camera does with a request.
#[derive(Debug)]
pub enum Reply {
    /// It answers.
    Send(Answer),
    /// It answers, and pictures go out for so long before.
    Late(Answer, Duration),
    /// It answers and closes.
    Last(Answer),
    /// It answers with these bytes, which mean yes.
    Bytes(Vec<u8>),
    /// It never answers.
    Silence,
    /// It closes.
    Close,
    /// It writes these bytes, then the filler again and again, so many bytes in all.
    Endless {
        /// Written once.
        head: Vec<u8>,
        /// Written over and over.
        filler: Vec<u8>,
        /// When to stop.
        total: u64,
    },
    /// It writes its answer one byte at a time.
    Drip(Answer, Duration),
}

/// What a camera sends its pictures by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carriers {
    /// What the viewer asks for.
    #[default]
    Both,
    /// Inside of the connection alone.
    Tcp,
    /// Datagrams alone.
    Udp,
}

/// What happens to datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lossy {
    /// One of so many is lost; 0: none.
    pub lose: u32,
    /// One of so many comes after the next; 0: none.
    pub swap: u32,
}

/// One camera.
#[derive(Clone)]
pub struct Camera {
    /// What it sends.
    pub source: Source,
    /// Path and query of its address.
    pub path: &'static str,

    /// Its description.
    pub sdp: fn(&Facts<'_>) -> String,
    /// The payload type that the description names.
    pub says_payload_type: u8,
    /// The payload type of the packets.
    pub payload_type: u8,

    /// Timestamps, in ticks.
    pub stamp: fn(&Moment) -> i64,
    /// Which packets have the marker bit.
    pub marker: fn(&Piece) -> bool,
    /// How units become packets.
    pub packing: Packing,
    /// Largest payload in bytes.
    pub payload_max: usize,
    /// Whether parameter sets come before a picture: its number, and whether it is a keyframe.
    pub sends_sets: fn(u64, bool) -> bool,
    /// The units of a picture as they are sent.
    pub units: fn(Vec<Bytes>, bool) -> Vec<Bytes>,
    /// The source of a picture: the first, the number of the picture, and of keyframes so far.
    pub ssrc: fn(u32, u64, u32) -> u32,
    /// A packet as it is sent: none, one or several.
    pub finish: fn(Vec<u8>) -> Vec<Vec<u8>>,
    /// Packets of somebody else.
    pub stranger: Option<Stranger>,
    /// The clip's picture that comes first.
    pub begins_at: u64,
    /// Pictures that are sent at once.
    pub burst: u32,
    /// What happens before a picture.
    pub before: fn(&mut Turn<'_>),

    /// The methods that it offers.
    pub public: &'static str,
    /// The session's time-out, kept to.
    pub timeout: Option<Duration>,
    /// What is said of it, behind the session's number.
    pub says_timeout: fn(Option<Duration>) -> String,
    /// Methods that keep a session alive; none: all.
    pub alive_by: &'static [&'static str],
    /// What it makes of the right answer to a request.
    pub answers: fn(&Request, Answer, &Place) -> Reply,
    /// The base of control addresses, made from the address asked for; none: not said.
    pub content_base: fn(&str) -> Option<String>,
    /// Whether an address may be set up.
    pub accepts_setup: fn(&str) -> bool,
    /// The channel that it uses when this one was asked for.
    pub channel: fn(u8) -> u8,
    /// Nothing is read after PLAY.
    pub deaf: bool,
    /// Connections end by RST whatever ends them.
    pub resets: bool,

    /// Who may watch; none: everybody.
    pub login: Option<Login>,
    /// What it sends its pictures by.
    pub carriers: Carriers,
    /// What happens to its datagrams.
    pub lossy: Lossy,
    /// Serves over TLS, and only so.
    pub tls: Option<TlsIdentity>,
}

impl Camera {
    /// A camera that behaves well.
    #[must_use]
    pub fn new(clip: Arc<Clip>) -> Self {
        let payload_type = match clip.codec {
            Codec::Jpeg => 26,
            _ => 96,
        };
        Self {
            source: Source::Clip(clip),
            path: "/live",
            sdp: sdp::plain,
            says_payload_type: payload_type,
            payload_type,
            stamp: |moment| moment.shown * 90_000 / moment.rate,
            marker: |piece| piece.ends_picture,
            packing: Packing::Plain,
            payload_max: 1400,
            sends_sets: |_, key| key,
            units: |units, _| units,
            ssrc: |first, _, _| first,
            finish: |packet| vec![packet],
            stranger: None,
            begins_at: 0,
            burst: 1,
            before: |_| {},
            public: "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER, SET_PARAMETER",
            timeout: None,
            says_timeout: |timeout| {
                timeout.map_or_else(String::new, |time| format!(";timeout={}", time.as_secs()))
            },
            alive_by: &[],
            answers: |_, answer, _| Reply::Send(answer),
            content_base: |url| Some(format!("{}/", url.trim_end_matches('/'))),
            accepts_setup: |_| true,
            channel: |asked| asked,
            deaf: false,
            resets: false,
            login: None,
            carriers: Carriers::Both,
            lossy: Lossy::default(),
            tls: None,
        }
    }

    /// A camera that does what a recorded one did.
    #[must_use]
    pub fn recorded(recording: Recording) -> Self {
        let empty = Clip {
            codec: Codec::H264,
            rate: 1,
            units: Vec::new(),
            sets: Vec::new(),
        };
        Self {
            source: Source::Recording(Arc::new(recording)),
            path: "/stream",
            ..Self::new(Arc::new(empty))
        }
    }
}
