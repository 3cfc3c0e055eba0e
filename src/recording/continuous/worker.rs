//! The thread that writes all recordings of the box. It is started with the first camera that is recorded, and works beside the
//! record pool: what it waits for holds up no clip.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{Inner, load::Loader, stream::Stream, sweep::Sweep};

/// Streams are looked at this often, where no keyframe has woken the thread.
const TICK: Duration = Duration::from_millis(500);
/// How often it is looked what must go.
const SWEEP: Duration = Duration::from_secs(10);
/// At start files are read for so long at once.
const SLICE: Duration = Duration::from_millis(100);

pub(super) fn run(inner: &Arc<Inner>, stop: &CancellationToken) {
    let mut loader = Some(Loader::new(&inner.root, true));
    let mut streams: Vec<Stream> = Vec::new();
    let (mut sweep, mut swept) = (Sweep::default(), None::<Instant>);
    loop {
        let stopping = stop.is_cancelled();
        streams.append(&mut inner.arrivals.lock());
        streams.retain_mut(|stream| stream.work(inner));
        if stopping {
            for stream in &mut streams {
                stream.finish(inner);
            }
            return;
        }
        if let Some(files) = &mut loader {
            if !files.step(inner, Some(Instant::now() + SLICE)) {
                continue;
            }
            loader = None;
        }
        if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
            sweep.run(inner);
            swept = Some(Instant::now());
        }
        inner.wake_signal.wait(Some(Instant::now() + TICK));
    }
}
