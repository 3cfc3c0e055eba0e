//! Log and metrics. Every metric's name is in this file and nowhere else.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, IsTerminal},
    sync::{Arc, atomic::AtomicU64},
};

use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

use crate::base::cpu::{self, Stage, StageCpu};

/// How the log is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStyle {
    /// Filter, such as `info` or `lares=debug`.
    pub filter: String,
    /// JSON lines instead of text.
    pub json: bool,
}

/// The crate that speaks S3 for the hub's store. Strangers can make it write as many lines as they like; what it refuses, the
/// store counts and says in one line. It speaks where the filter names it.
const S3: &str = "s3s";

/// Starts the log on stderr. A second call does nothing.
///
/// # Errors
/// When the filter cannot be read.
pub fn start_log(style: &LogStyle) -> Result<(), tracing_subscriber::filter::ParseError> {
    let mut filter = EnvFilter::builder().parse(&style.filter)?;
    if !style.filter.contains(S3) {
        filter = filter.add_directive(format!("{S3}=off").parse()?);
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(io::stderr)
        // A line that cannot be written is lost. It must not end the thread that wrote it, as it would when stderr is closed.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal());
    let _ = if style.json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_target(false).try_init()
    };
    Ok(())
}

/// Label set of one camera.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CameraLabel {
    /// Camera id.
    pub camera: String,
}

/// Label set of one camera's stage, stream or link.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CameraPartLabel {
    /// Camera id.
    pub camera: String,
    /// Which part.
    pub part: &'static str,
}

/// Label set of one sink.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct SinkLabel {
    /// `mqtt`, `upload`.
    pub sink: &'static str,
}

/// Label set of one period of the data plan.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PeriodLabel {
    /// `day`, `month`.
    pub period: &'static str,
}

/// CPU time, read when somebody asks.
#[derive(Debug)]
struct Cpu(StageCpu);

impl Collector for Cpu {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        ConstCounter::new(cpu::process().as_secs_f64()).encode(encoder.encode_descriptor(
            "cpu_seconds",
            "CPU time of the whole program",
            None,
            MetricType::Counter,
        )?)?;
        let mut stages = encoder.encode_descriptor(
            "stage_cpu_seconds",
            "CPU time of all cameras by stage; the rest of the program is in none",
            None,
            MetricType::Counter,
        )?;
        for stage in Stage::ALL {
            let spent = ConstCounter::new(self.0.get(stage).as_secs_f64());
            spent.encode(stages.encode_family(&[("stage", stage.as_str())])?)?;
        }
        Ok(())
    }
}

/// Times of one kind: a histogram for the metrics page, and the newest ones exactly, for a bench.
#[derive(Clone)]
pub struct Latency {
    histogram: Histogram,
    recent: Arc<Mutex<Recent>>,
}

/// Times as they were noted.
#[derive(Debug, Default)]
struct Recent {
    newest: VecDeque<f64>,
    count: u64,
    longest: f64,
}

impl Latency {
    const KEPT: usize = 4096;

    fn new() -> Self {
        Self {
            histogram: Histogram::new(exponential_buckets(0.01, 1.6, 16)),
            recent: Arc::default(),
        }
    }

    /// Notes one time in seconds.
    pub fn observe(&self, seconds: f64) {
        self.histogram.observe(seconds);
        let mut recent = self.recent.lock();
        recent.count += 1;
        recent.longest = recent.longest.max(seconds);
        if recent.newest.len() == Self::KEPT {
            recent.newest.pop_front();
        }
        recent.newest.push_back(seconds);
    }

    /// How many times were noted, and the longest of them in seconds.
    #[must_use]
    pub fn all(&self) -> (u64, f64) {
        let recent = self.recent.lock();
        (recent.count, recent.longest)
    }

    /// The newest times in seconds, at most a few thousand, oldest first.
    #[must_use]
    pub fn recent(&self) -> Vec<f64> {
        self.recent.lock().newest.iter().copied().collect()
    }
}

/// All metrics of the agent.
pub struct Metrics {
    registry: Mutex<Registry>,
    /// 1 while pictures arrive.
    pub camera_up: Family<CameraLabel, Gauge>,
    /// Sessions begun with the camera.
    pub camera_sessions: Family<CameraLabel, Counter>,
    /// Access units received, by stream.
    pub packets: Family<CameraPartLabel, Counter>,
    /// Bytes received, by stream.
    pub received_bytes: Family<CameraPartLabel, Counter>,
    /// Bytes of continuous recordings.
    pub recorded_bytes: Family<CameraPartLabel, Counter>,
    /// Items lost because a link was full, by link.
    pub dropped: Family<CameraPartLabel, Counter>,
    /// Pictures decoded.
    pub frames_decoded: Family<CameraLabel, Counter>,
    /// Looks, by model.
    pub looks: Family<CameraPartLabel, Counter>,
    /// Looks for persons that took longer than from one look to the next.
    pub late_looks: Family<CameraLabel, Counter>,
    /// Share of the last seconds in which the busier model was at work, 0..1.
    pub load: Gauge<f64, AtomicU64>,
    /// Looks that failed, by model.
    pub look_failures: Family<CameraPartLabel, Counter>,
    /// Incidents begun.
    pub incidents: Family<CameraLabel, Counter>,
    /// Seconds from a picture's arrival to the broker's acknowledgement of the alert that it confirmed.
    pub alert_latency: Latency,
    /// Seconds from a keyframe's arrival at a sleeping camera to the end of its look.
    pub wake_latency: Latency,
    /// Outbox rows waiting, by sink.
    pub outbox_waiting: Family<SinkLabel, Gauge>,
    /// Rows delivered, by sink.
    pub delivered: Family<SinkLabel, Counter>,
    /// Payload bytes delivered, by sink.
    pub delivered_bytes: Family<SinkLabel, Counter>,
    /// Failed tries, by sink.
    pub delivery_failures: Family<SinkLabel, Counter>,
    /// Estimated bytes on the wire in the current period, where the data plan limits it.
    pub budget_spent: Family<PeriodLabel, Gauge>,
    /// Most bytes of that period.
    pub budget_limit: Family<PeriodLabel, Gauge>,
    /// Lanes of the outbox that wait because of the data plan.
    pub budget_held: Gauge,
    /// Bytes of clips and pictures on disk.
    pub stored_bytes: Gauge<i64, std::sync::atomic::AtomicI64>,
    /// Free share of the data disk, 0..1.
    pub disk_free: Gauge<f64, AtomicU64>,
    /// 1 while nothing is wrong: the `ok` of the health report.
    pub healthy: Gauge,
    /// 1 while the system clock is known to be right.
    pub clock_good: Gauge,
    /// 1 while a receiver takes things, by sink.
    pub sink_up: Family<SinkLabel, Gauge>,
    /// Threads that have not been heard of for too long.
    pub stalled: Gauge,
}

impl Metrics {
    /// All metrics at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("lares")),
            camera_up: Family::default(),
            camera_sessions: Family::default(),
            packets: Family::default(),
            received_bytes: Family::default(),
            recorded_bytes: Family::default(),
            dropped: Family::default(),
            frames_decoded: Family::default(),
            looks: Family::default(),
            late_looks: Family::default(),
            load: Gauge::default(),
            look_failures: Family::default(),
            incidents: Family::default(),
            alert_latency: Latency::new(),
            wake_latency: Latency::new(),
            outbox_waiting: Family::default(),
            delivered: Family::default(),
            delivered_bytes: Family::default(),
            delivery_failures: Family::default(),
            budget_spent: Family::default(),
            budget_limit: Family::default(),
            budget_held: Gauge::default(),
            stored_bytes: Gauge::default(),
            disk_free: Gauge::default(),
            healthy: Gauge::default(),
            clock_good: Gauge::default(),
            sink_up: Family::default(),
            stalled: Gauge::default(),
        };
        {
            let mut r = metrics.registry.lock();
            r.register(
                "camera_up",
                "1 while pictures arrive",
                metrics.camera_up.clone(),
            );
            r.register(
                "camera_sessions",
                "Sessions begun with the camera",
                metrics.camera_sessions.clone(),
            );
            r.register("packets", "Access units received", metrics.packets.clone());
            r.register(
                "received_bytes",
                "Encoded bytes received",
                metrics.received_bytes.clone(),
            );
            r.register(
                "recorded_bytes",
                "Bytes written as continuous recordings",
                metrics.recorded_bytes.clone(),
            );
            r.register(
                "dropped",
                "Items lost because a link was full",
                metrics.dropped.clone(),
            );
            r.register(
                "frames_decoded",
                "Pictures decoded",
                metrics.frames_decoded.clone(),
            );
            r.register("looks", "Model runs", metrics.looks.clone());
            r.register(
                "late_looks",
                "Looks for persons that took longer than from one look to the next",
                metrics.late_looks.clone(),
            );
            r.register(
                "load_ratio",
                "Share of the last seconds in which the busier model was at work: near 1, looks come late",
                metrics.load.clone(),
            );
            r.register(
                "look_failures",
                "Model runs that failed",
                metrics.look_failures.clone(),
            );
            r.register("incidents", "Incidents begun", metrics.incidents.clone());
            r.register(
                "alert_latency_seconds",
                "Picture received to alert acknowledged",
                metrics.alert_latency.histogram.clone(),
            );
            r.register(
                "wake_latency_seconds",
                "Keyframe received asleep to look done",
                metrics.wake_latency.histogram.clone(),
            );
            r.register(
                "outbox_waiting",
                "Outbox rows waiting",
                metrics.outbox_waiting.clone(),
            );
            r.register(
                "delivered",
                "Outbox rows delivered",
                metrics.delivered.clone(),
            );
            r.register(
                "delivered_bytes",
                "Payload bytes delivered",
                metrics.delivered_bytes.clone(),
            );
            r.register(
                "delivery_failures",
                "Failed tries to deliver",
                metrics.delivery_failures.clone(),
            );
            r.register(
                "budget_spent_bytes",
                "Estimated bytes on the wire in the current period of the data plan",
                metrics.budget_spent.clone(),
            );
            r.register(
                "budget_limit_bytes",
                "Most bytes in a period of the data plan",
                metrics.budget_limit.clone(),
            );
            r.register(
                "budget_held",
                "Lanes of the outbox that wait because of the data plan",
                metrics.budget_held.clone(),
            );
            r.register(
                "stored_bytes",
                "Bytes of clips and pictures on disk",
                metrics.stored_bytes.clone(),
            );
            r.register(
                "disk_free_ratio",
                "Free share of the data disk",
                metrics.disk_free.clone(),
            );
            r.register(
                "healthy",
                "1 while nothing is wrong",
                metrics.healthy.clone(),
            );
            r.register(
                "clock_good",
                "1 while the system clock is known to be right",
                metrics.clock_good.clone(),
            );
            r.register(
                "sink_up",
                "1 while the receiver takes things",
                metrics.sink_up.clone(),
            );
            r.register(
                "stalled",
                "Threads that have not been heard of for too long",
                metrics.stalled.clone(),
            );
        }
        Arc::new(metrics)
    }

    /// Shows the CPU time of this process and that summed in `stages` too.
    pub fn show_cpu(&self, stages: StageCpu) {
        let mut registry = self.registry.lock();
        registry.register_collector(Box::new(Cpu(stages)));
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// Never in practice: writing to a string does not fail.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn metrics_render_with_their_labels() {
        let metrics = Metrics::new();
        let camera = CameraLabel {
            camera: "door".to_owned(),
        };
        metrics.frames_decoded.get_or_create(&camera).inc_by(3);
        let text = metrics.render().unwrap();
        assert!(
            text.contains("lares_frames_decoded_total{camera=\"door\"} 3"),
            "{text}"
        );
    }

    #[test]
    fn cpu_time_is_read_when_asked_for() {
        let (metrics, stages) = (Metrics::new(), StageCpu::default());
        metrics.show_cpu(stages.clone());
        stages.add(Stage::Decode, Duration::from_millis(1500));
        let text = metrics.render().unwrap();
        assert!(
            text.contains("lares_stage_cpu_seconds_total{stage=\"decode\"} 1.5\n"),
            "{text}"
        );
        assert!(text.contains("\nlares_cpu_seconds_total "), "{text}");
    }
}
