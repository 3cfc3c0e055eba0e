//! One worker for each sink: picks what goes next, hands it over, waits for the answer, backs off.
//!
//! A worker is a thread, because the database flushes to disk; its deliveries are polled on that thread and use the shared
//! runtime's sockets, so that they stand still while the worker waits for the database. A parcel
//! that fails waits alone, with its own back-off; a receiver that fails stops its own worker only. The log says once that a
//! receiver is away and once that it is back.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::base::{
    backoff::Backoff, heartbeat::Heartbeat, reserve, tasks::Tasks, telemetry::SinkLabel,
};
use crate::outbox::{
    Outbox, OutboxError,
    queue::LaneKey,
    sinks::{Delivery, DeliveryId, Outcome, Scope, Sink, Takes},
};

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// So many parcels that fail one after the other mean that the receiver is at fault.
const FAILURES_IN_ROW: u32 = 4;
/// What failed last is tried this much later than the others.
const AFTER_OTHERS: Duration = Duration::from_secs(1);
/// How often to look whether another process has changed rows.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often the metric of waiting rows is brought up to date.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How often to look for what is too old.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// A worker that has not come round for this long hangs. It comes round each [`LOOK_EVERY`], but a slow disk may hold it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same while the reserve is not whole.
const RESERVE_EVERY: Duration = Duration::from_secs(30);

impl Outbox {
    /// Starts a worker for each of `sinks`, and one that deletes what is too old or too much. They stop with `tasks`.
    ///
    /// # Errors
    /// When the database cannot be written, or the system has no thread to give.
    pub fn start(
        self: &Arc<Self>,
        tasks: &Tasks,
        sinks: Vec<Arc<dyn Sink>>,
    ) -> std::io::Result<()> {
        let uploading = sinks.iter().any(|sink| sink.takes() == Takes::Objects);
        self.uploading.store(uploading, Ordering::Relaxed);
        let metered = sinks
            .iter()
            .any(|sink| sink.takes() == Takes::Objects && sink.metered());
        self.metered.store(metered, Ordering::Relaxed);
        self.register(&sinks).map_err(std::io::Error::other)?;
        self.sinks.lock().clone_from(&sinks);
        // Not at the opening: what a replay leaves in its folder needs none.
        reserve::ROWS.keep(&self.dir);
        reserve::CLIPS.keep(&self.dir);
        for sink in sinks {
            let pump = Pump {
                outbox: Arc::clone(self),
                recipient: sink.recipient(),
                backoffs: HashMap::new(),
                sink_backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
                away: false,
                paused_until: None,
                failures_in_row: 0,
                taken: None,
                trouble: None,
                counted: None,
                stop: tasks.token().clone(),
                wake: self.wake_of(&*sink),
                sink,
            };
            let runtime = tasks.runtime().clone();
            let name = format!("out-{}", pump.sink.name());
            let pulse = tasks.heartbeats().expect(&name, PATIENCE);
            tasks.thread(&name, move || runtime.block_on(pump.run(pulse)))?;
        }
        let (outbox, stop, runtime) = (
            Arc::clone(self),
            tasks.token().clone(),
            tasks.runtime().clone(),
        );
        tasks.thread("out-sweep", move || {
            runtime.block_on(outbox.sweep_until(stop));
        })
    }

    async fn sweep_until(self: Arc<Self>, stop: CancellationToken) {
        loop {
            if let Err(error) = self.sweep() {
                tracing::warn!(%error, "nothing could be deleted");
            }
            let whole = [reserve::ROWS, reserve::CLIPS].map(|reserve| reserve.keep(&self.dir));
            let again = if whole == [true, true] {
                SWEEP_EVERY
            } else {
                RESERVE_EVERY
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.sweep_wake.notified() => {
                    // A burst of files asks for one sweep, not for one each.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                () = tokio::time::sleep(again) => {}
            }
        }
    }
}

/// Of which delivery, when it began, and what came of it.
type Answer = (DeliveryId, Instant, Outcome);

struct Pump {
    outbox: Arc<Outbox>,
    sink: Arc<dyn Sink>,
    recipient: String,
    /// Lanes whose head has failed.
    backoffs: HashMap<LaneKey, Backoff>,
    sink_backoff: Backoff,
    /// The log has said that the receiver is away.
    away: bool,
    paused_until: Option<Instant>,
    failures_in_row: u32,
    /// When the receiver last took something.
    taken: Option<Instant>,
    /// What the log has said about our own database.
    trouble: Option<String>,
    counted: Option<Instant>,
    /// Told when something waits.
    wake: Arc<Notify>,
    stop: CancellationToken,
}

impl Pump {
    async fn run(mut self, pulse: Heartbeat) {
        let stop = self.stop.clone();
        let sink = Arc::clone(&self.sink);
        let wake = Arc::clone(&self.wake);
        let mut on_way: FuturesUnordered<_> = FuturesUnordered::new();
        loop {
            pulse.beat();
            if on_way.is_empty() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sink.ready() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => continue,
                }
            }
            let paused = self
                .paused_until
                .is_some_and(|until| until > Instant::now());
            while !paused && on_way.len() < sink.at_once() && sink.ready().now_or_never().is_some()
            {
                match self.pick() {
                    Ok(Some(delivery)) => {
                        let (delivery_id, began) = (delivery.delivery_id.clone(), Instant::now());
                        let answer = move |outcome| (delivery_id, began, outcome);
                        on_way.push(sink.deliver(delivery).map(answer));
                    }
                    Ok(None) => break,
                    Err(error) => {
                        self.outbox_failed(&error);
                        break;
                    }
                }
            }
            self.count_waiting();
            let look = self.wake_at();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(answer) = on_way.next() => self.settle(answer),
                () = wake.notified() => {}
                () = sleep_until(look) => {
                    if let Err(error) = self.outbox.reload_if_changed() {
                        self.outbox_failed(&error);
                    }
                }
            }
        }
        // What was already handed over may still be acknowledged; the grace period bounds this from outside.
        let grace = tokio::time::sleep(Duration::from_secs(2));
        tokio::pin!(grace);
        while !on_way.is_empty() {
            tokio::select! {
                () = &mut grace => return,
                Some(answer) = on_way.next() => self.settle(answer),
            }
        }
    }

    fn pick(&self) -> Result<Option<Delivery>, OutboxError> {
        match self.sink.takes() {
            Takes::Alerts => {
                let on_top = self.sink.metered().then(|| self.sink.on_top());
                let name = self.sink.name();
                self.outbox.next_alert(name, on_top)
            }
            Takes::Objects => self.outbox.next_object(),
        }
    }

    /// When to look again, if nothing wakes us.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let due = {
            let state = self.outbox.state.lock();
            match self.sink.takes() {
                Takes::Alerts => {
                    let queue = state.alerts.get(self.sink.name());
                    queue.and_then(|queue| queue.plan.next_due())
                }
                Takes::Objects => state.objects.next_due(),
            }
        };
        let due = due.map(|at| now + at.since(self.outbox.clock.now()));
        [Some(now + LOOK_EVERY), due, self.paused_until]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
            .unwrap_or(now)
    }

    fn pause(&mut self, after: Option<Duration>) -> Duration {
        let wait = after.unwrap_or_else(|| self.sink_backoff.wait());
        self.paused_until = Some(Instant::now() + wait);
        wait
    }

    fn settle(&mut self, (delivery_id, began, outcome): Answer) {
        let label = SinkLabel {
            sink: self.sink.name(),
        };
        let metrics = &self.outbox.metrics;
        let mut until = None;
        match &outcome {
            Outcome::Delivered { .. } => {
                metrics.delivered.get_or_create(&label).inc();
                metrics
                    .delivered_bytes
                    .get_or_create(&label)
                    .inc_by(delivery_id.bytes);
                self.backoffs.remove(&delivery_id.key);
                self.sink_backoff.reset();
                self.failures_in_row = 0;
                self.taken = Some(Instant::now());
                self.trouble = None;
                self.paused_until = None;
                if std::mem::take(&mut self.away) {
                    tracing::info!(
                        sink = self.sink.name(),
                        recipient = self.recipient,
                        "deliveries go on"
                    );
                }
            }
            Outcome::Retry {
                scope: Scope::Delivery,
                after,
                reason,
            } => {
                metrics.delivery_failures.get_or_create(&label).inc();
                tracing::debug!(sink = self.sink.name(), %reason, "a delivery failed and will be tried again");
                let backoff = self
                    .backoffs
                    .entry(delivery_id.key)
                    .or_insert_with(|| Backoff::new(FIRST_WAIT, LONGEST_WAIT));
                let wait = after.unwrap_or_else(|| backoff.wait());
                until = (!wait.is_zero()).then(|| self.outbox.clock.now() + wait);
                // Nobody tells a receiver that is down from one that dislikes each parcel: both deserve a pause.
                self.failures_in_row += u32::from(!wait.is_zero());
                if self.failures_in_row >= FAILURES_IN_ROW {
                    self.receiver_failed(None, reason);
                }
            }
            Outcome::Retry {
                scope: Scope::Sink,
                after,
                reason,
            } => {
                metrics.delivery_failures.get_or_create(&label).inc();
                let wait = if self.taken.is_some_and(|at| at > began) {
                    // It took something else meanwhile, so it is not away: this one alone waits.
                    after.unwrap_or(FIRST_WAIT)
                } else {
                    self.receiver_failed(*after, reason)
                };
                // After the pause another one goes first, in case it was this one's fault after all.
                until = Some(self.outbox.clock.now() + wait + AFTER_OTHERS);
            }
            Outcome::Reject { reason } => {
                metrics.delivery_failures.get_or_create(&label).inc();
                self.backoffs.remove(&delivery_id.key);
                tracing::warn!(
                    sink = self.sink.name(),
                    incident = %delivery_id.key.incident,
                    "{reason}; it is parked: see \"lares outbox ls\""
                );
            }
        }
        let settled = match self.sink.takes() {
            Takes::Alerts => {
                let to = (self.sink.name(), &*self.recipient);
                self.outbox.settle_alert(&delivery_id, to, &outcome, until)
            }
            Takes::Objects => {
                self.outbox
                    .settle_object(&delivery_id, &self.recipient, &outcome, until)
            }
        };
        if let Err(error) = settled {
            // The row still waits: it is sent once more, which receivers must bear anyway.
            self.outbox_failed(&error);
        }
    }

    /// Our own database does not work (a full disk, for one): waits, and says so once for each kind of trouble.
    fn outbox_failed(&mut self, error: &OutboxError) {
        self.pause(Some(LOOK_EVERY));
        let text = error.to_string();
        if self.trouble.as_ref() != Some(&text) {
            tracing::error!(sink = self.sink.name(), "{text}");
            self.trouble = Some(text);
        }
    }

    /// Stops this worker for a while, and says so once. Returns how long.
    fn receiver_failed(&mut self, after: Option<Duration>, reason: &str) -> Duration {
        let now = Instant::now();
        // Several deliveries were on their way and fail together: they count as one.
        let wait = match self.paused_until.filter(|until| *until > now) {
            Some(until) => until - now,
            None => self.pause(after),
        };
        if !std::mem::replace(&mut self.away, true) {
            tracing::warn!(
                sink = self.sink.name(),
                recipient = self.recipient,
                "{reason}; nothing is lost, deliveries go on when it is back"
            );
        }
        wait
    }

    fn count_waiting(&mut self) {
        let now = Instant::now();
        if self.counted.is_some_and(|at| now < at + COUNT_EVERY) {
            return;
        }
        self.counted = Some(now);
        if let Ok(waiting) = self.outbox.waiting_for(&*self.sink) {
            let label = SinkLabel {
                sink: self.sink.name(),
            };
            let gauge = self.outbox.metrics.outbox_waiting.get_or_create(&label);
            gauge.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
    }
}
