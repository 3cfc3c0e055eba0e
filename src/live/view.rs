//! One viewer's place in a stream.
//!
//! A viewer takes a picture when its connection has room. A picture that has waited for longer than [`LATE`] is skipped: the
//! viewer continues with the newest keyframe, or with the next one. A connection at half of the stream's rate shows the beginning
//! of each group of pictures; one at a tenth shows little but keyframes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{ring::Header, stream::Stream};
use crate::{
    base::live::{LiveView, Next, NoLive, Standing, Wanted},
    recording::cmaf::{self, Sample},
};

/// A picture that a viewer could have had for so long is not worth sending.
pub(super) const LATE: Duration = Duration::from_secs(1);

pub(super) struct View {
    stream: Arc<Stream>,
    viewer: u64,
    wanted: Wanted,
    /// Number of the next unit; none before the first.
    next: Option<u64>,
    /// When it last started or skipped: pictures from before that do not count as late.
    since: Instant,
    wants_key: bool,
    caught_up: bool,
    told: Option<Standing>,
    /// The header that it has received.
    header: Option<Arc<Header>>,
    /// Decode time of its first picture: its time begins there, for players that look for time zero.
    base: Option<i64>,
    fragments: u32,
}

impl View {
    /// Adds a viewer to `stream`.
    pub(super) fn begin(
        stream: &Arc<Stream>,
        wanted: Wanted,
        wake: Arc<Notify>,
    ) -> Result<Self, NoLive> {
        Ok(Self {
            viewer: stream.enter(wanted, wake)?,
            stream: Arc::clone(stream),
            wanted,
            next: None,
            since: Instant::now(),
            wants_key: false,
            caught_up: false,
            told: None,
            header: None,
            base: None,
            fragments: 0,
        })
    }

    /// What comes next for a viewer who asks at `now`.
    pub(super) fn next_at(&mut self, now: Instant) -> Next {
        let stream = Arc::clone(&self.stream);
        let inner = stream.lock();
        if let Some(why) = inner.refusal(self.wanted) {
            return Next::Ended(why);
        }
        let standing = inner.standing();
        if self.told != Some(standing) {
            self.told = Some(standing);
            self.caught_up &= standing != Standing::Online;
            return Next::Standing(standing);
        }
        let ring = &inner.ring;
        let Some(newest_key) = ring.newest_key() else {
            return Next::Nothing;
        };
        let mut number = self.next.unwrap_or(newest_key);
        if number < ring.first() {
            number = newest_key;
            self.since = now;
        }
        let unit = loop {
            self.next = Some(number);
            let Some(unit) = ring.get(number) else {
                let first = self.fragments > 0 && !std::mem::replace(&mut self.caught_up, true);
                return if first { Next::CaughtUp } else { Next::Nothing };
            };
            let late = now.saturating_duration_since(unit.at.max(self.since)) > LATE;
            if (late || self.wants_key) && number < newest_key {
                number = newest_key;
                self.since = now;
            } else if unit.key {
                // There is no newer one: late is better than never.
                if late {
                    self.since = now;
                }
                break unit;
            } else if late || self.wants_key {
                self.wants_key = true;
                number += 1;
            } else {
                break unit;
            }
        };
        let has = |header| Arc::ptr_eq(header, &unit.header);
        if !self.header.as_ref().is_some_and(has) {
            self.header = Some(Arc::clone(&unit.header));
            return Next::Format {
                codecs: Arc::clone(&unit.header.codecs),
                header: unit.header.bytes.clone(),
            };
        }
        self.wants_key = false;
        self.next = Some(number + 1);
        self.fragments += 1;
        let base = *self.base.get_or_insert(unit.timing.decode);
        let decode = u64::try_from(unit.timing.decode - base).unwrap_or(0);
        let sample = Sample {
            duration: unit.timing.duration,
            composition: unit.timing.composition,
            key: unit.key,
            droppable: unit.droppable,
            data: unit.data.clone(),
        };
        Next::Fragment {
            key: unit.key,
            head: cmaf::fragment(self.fragments, decode, &sample),
            data: sample.data,
        }
    }
}

impl LiveView for View {
    fn next(&mut self) -> Next {
        self.next_at(Instant::now())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.stream.leave(self.viewer);
    }
}
