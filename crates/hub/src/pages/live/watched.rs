//! One camera on a socket: what comes from the box, cut into messages.
//!
//! Messages are small, so that the socket's buffer stays small whatever a keyframe weighs, and a large picture of one
//! camera does not hold up the others.

use axum::extract::ws::Message;
use bytes::{BufMut, Bytes, BytesMut};

use super::messages::{self, Channel};
use crate::base::live::{LiveView, Next};

/// Most bytes of pictures in a message.
const PIECE: usize = 16 * 1024;
/// The head of a message on a channel: the channel, flags, nought.
const HEAD: usize = 4;
/// A header begins with this message.
const HEADER: u8 = 1;
/// A keyframe begins with this message.
const KEY: u8 = 2;

/// A camera that is watched.
pub(super) struct Watched {
    pub(super) channel: Channel,
    view: Box<dyn LiveView>,
    /// What is begun and not sent to its end.
    rest: [Bytes; 2],
    flags: u8,
}

/// What a viewer gets.
pub(super) enum Sent {
    /// A message.
    Message(Message),
    /// Nothing for now.
    Nothing,
    /// A message, and nothing after it.
    Last(Message),
}

impl Watched {
    pub(super) fn new(channel: Channel, view: Box<dyn LiveView>) -> Self {
        Self {
            channel,
            view,
            rest: [const { Bytes::new() }; 2],
            flags: 0,
        }
    }

    /// The next message for a connection that has room for it.
    pub(super) fn next(&mut self) -> Sent {
        loop {
            if let Some(message) = self.piece() {
                return Sent::Message(message);
            }
            let text = match self.view.next() {
                Next::Nothing => return Sent::Nothing,
                Next::Fragment { key, head, data } => {
                    self.flags = if key { KEY } else { 0 };
                    self.rest = [head, data];
                    continue;
                }
                Next::Format { codecs, header } => {
                    self.flags = HEADER;
                    self.rest = [header, Bytes::new()];
                    messages::format(self.channel, &codecs)
                }
                // go2rtc's clients know neither.
                Next::CaughtUp if self.channel.is_none() => continue,
                Next::Standing(_) if self.channel.is_none() => continue,
                Next::CaughtUp => messages::caught_up(self.channel),
                Next::Standing(standing) => messages::standing(self.channel, standing),
                Next::Ended(why) => {
                    let text = messages::error(self.channel, "mse", why.sentence());
                    return Sent::Last(Message::Text(text));
                }
            };
            return Sent::Message(Message::Text(text));
        }
    }

    /// The next piece of what is begun.
    fn piece(&mut self) -> Option<Message> {
        let left: usize = self.rest.iter().map(Bytes::len).sum();
        if left == 0 {
            return None;
        }
        let mut room = left.min(PIECE);
        let mut message = BytesMut::with_capacity(HEAD + room);
        if let Some(channel) = self.channel {
            message.put_u16(channel);
            message.put_u8(std::mem::take(&mut self.flags));
            message.put_u8(0);
        }
        for part in &mut self.rest {
            let taken = part.split_to(part.len().min(room));
            room -= taken.len();
            message.put(taken);
        }
        Some(Message::Binary(message.freeze()))
    }
}
