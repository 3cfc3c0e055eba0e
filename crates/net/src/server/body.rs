//! Bodies of requests that come too slowly or are too long end with an error.
//!
//! A sender has so much patience to use up; each byte gives a part of it back, so that a slow line may take its time and one that
//! says nothing may not. Only the time counts in which we wait for the sender.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::Pace;

/// Says afterwards whether a body came too slowly.
#[derive(Clone, Default)]
pub(super) struct WasSlow(Arc<AtomicBool>);

impl WasSlow {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body with a pace.
pub(super) struct Paced<B> {
    inner: B,
    pace: Pace,
    left: Duration,
    got: u64,
    /// Since when we wait for the sender, and until when.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    slow: WasSlow,
}

impl<B> Paced<B> {
    pub(super) fn new(inner: B, pace: Pace, slow: WasSlow) -> Self {
        Self {
            inner,
            left: pace.patience,
            pace,
            got: 0,
            waiting: None,
            slow,
        }
    }

    /// Counts `bytes` that have come.
    fn took(&mut self, bytes: usize) -> io::Result<()> {
        if let Some((since, _)) = self.waiting.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        self.got += bytes as u64;
        let gained = bytes as f64 / f64::from(self.pace.per_second.max(1));
        self.left = (self.left + Duration::from_secs_f64(gained)).min(self.pace.patience);
        if self.got > self.pace.most {
            return Err(io::Error::other("the body of the request is too long"));
        }
        Ok(())
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                Poll::Ready(Some(this.took(bytes).map(|()| frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let left = this.left;
                let (_, sleep) = this
                    .waiting
                    .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.slow.0.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
