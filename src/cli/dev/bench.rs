//! `lares bench`: what watching costs on this machine, on virtual RTSP cameras in real time.
//!
//! The agent runs in this process; cameras, broker and the plain GStreamer pipelines it is compared with are processes of
//! their own. CPU is read from `/proc` and counted after a warm-up.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use serde::Serialize;

use super::{
    limits::{Limits, Yardsticks},
    test_services::{Broker, CameraProcess, folder_config},
};
use crate::{
    app::App,
    base::{
        cpu::{self, Stage},
        telemetry::{CameraPartLabel, Latency, SinkLabel},
    },
    camera::Shared,
    cli::{environment, shutdown},
    config::Config,
};

/// Not counted: sessions begin, backgrounds are learnt.
const WARM_UP: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  lares bench --idle                      one camera on which nothing happens
  lares bench --visits --cameras 8        eight cameras with visits
  lares bench --main m.mp4 --sub s.mp4    one camera with two streams
  lares bench --json --seconds 60 my.mp4  for programs";

/// Measure what watching costs on this machine.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// Virtual cameras
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=300))]
    cameras: u32,
    /// Seconds to measure, after 10 s of warm-up
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=86400))]
    seconds: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// samples/video/idle.mp4
    #[arg(long, group = "what")]
    idle: bool,
    /// samples/video/vtest-h264.mp4
    #[arg(long, group = "what")]
    busy: bool,
    /// samples/video/visits.mp4 [default]
    #[arg(long, group = "what")]
    visits: bool,
    /// A stream of full quality for each camera ...
    #[arg(long, value_name = "FILE", group = "what")]
    main: Option<PathBuf>,
    /// ... beside this one, which is watched
    #[arg(long, value_name = "FILE", requires = "main")]
    sub: Option<PathBuf>,
    /// Videos, shared out to the cameras in turn
    #[arg(value_name = "VIDEO", group = "what")]
    videos: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Figures {
    v: u32,
    cameras: u32,
    seconds: u64,
    cpu_s_per_camera_s: f64,
    stage_cpu_s: BTreeMap<&'static str, f64>,
    limits: Limits,
    alert_latency_ms: Percentiles,
    wake_ms: Percentiles,
    rss_mb: u64,
    threads: u64,
    dropped: Dropped,
    source_bytes: u64,
    stored_bytes: u64,
    upload_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    p50: Option<u64>,
    p95: Option<u64>,
    max: Option<u64>,
    n: u64,
}

#[derive(Debug, Serialize)]
struct Dropped {
    packets: u64,
    frames: u64,
}

impl Percentiles {
    fn of(latency: &Latency) -> Self {
        let mut times = latency.recent();
        times.sort_by(f64::total_cmp);
        let ms = |seconds: &f64| (seconds * 1000.0).round() as u64;
        let at = |share: f64| {
            let rank = (share * times.len() as f64).ceil() as usize;
            times.get(rank.max(1) - 1).map(ms)
        };
        let (n, longest) = latency.all();
        Self {
            p50: at(0.5),
            p95: at(0.95),
            max: (n > 0).then(|| ms(&longest)),
            n,
        }
    }
}

/// What a camera shows: the watched stream, and the one of full quality.
type Streams = (PathBuf, Option<PathBuf>);

impl BenchArgs {
    fn streams(&self) -> anyhow::Result<Vec<Streams>> {
        let sample = |name: &str| (Path::new("samples/video").join(name), None);
        let shown = match (&self.main, &self.sub) {
            (Some(main), Some(sub)) => vec![(sub.clone(), Some(main.clone()))],
            (Some(_), None) => bail!("--main needs the watched stream beside it: add --sub FILE"),
            _ if self.idle => vec![sample("idle.mp4")],
            _ if self.busy => vec![sample("vtest-h264.mp4")],
            _ if self.videos.is_empty() => vec![sample("visits.mp4")],
            _ => self
                .videos
                .iter()
                .map(|video| (video.clone(), None))
                .collect(),
        };
        Ok((0..self.cameras as usize)
            .map(|n| shown[n % shown.len()].clone())
            .collect())
    }
}

/// Runs the bench.
///
/// # Errors
/// When a part cannot be started.
pub fn run(args: &BenchArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let streams = args.streams()?;
    let scratch = tempfile::tempdir()?;
    let store = scratch.path().join("store");
    fs::create_dir(&store)?;
    let broker = Broker::start(scratch.path())?;
    let videos: Vec<_> = streams
        .iter()
        .flat_map(|(sub, main)| std::iter::once(sub.clone()).chain(main.clone()))
        .collect();
    let cameras = CameraProcess::start(&videos)?;

    let config = config(
        &streams,
        &cameras.urls,
        &broker,
        &scratch.path().join("agent"),
        &store,
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let app = runtime.block_on(App::start(config, runtime.handle().clone()))?;
    let shared = app.shared().clone();
    let yardsticks = Yardsticks::start(&cameras.urls[0], &streams[0].0)?;

    let total = WARM_UP + Duration::from_secs(args.seconds);
    let bar = if !args.json && io::stderr().is_terminal() {
        ProgressBar::new(total.as_secs())
    } else {
        ProgressBar::hidden()
    };
    wait(WARM_UP, &bar);
    let before = Reading::take(&shared, &yardsticks)?;
    wait(Duration::from_secs(args.seconds), &bar);
    let after = Reading::take(&shared, &yardsticks)?;
    bar.finish_and_clear();

    let mut figures = after.since(&before, args, &shared, &streams)?;
    drop(yardsticks);
    let _runtime = shutdown::in_good_order(app, runtime);
    // Stopping has let what was ready leave.
    figures.stored_bytes = shared.outbox.disk().stored;
    figures.upload_bytes = ["mqtt", "upload"]
        .into_iter()
        .map(|sink| {
            shared
                .metrics
                .delivered_bytes
                .get_or_create(&SinkLabel { sink })
                .get()
        })
        .sum();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&figures)?)?;
    } else {
        table(&figures, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn wait(duration: Duration, bar: &ProgressBar) {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(Duration::from_secs(1)));
        bar.inc(1);
    }
}

fn config(
    streams: &[Streams],
    urls: &[String],
    broker: &Broker,
    data: &Path,
    store: &Path,
) -> anyhow::Result<Config> {
    let mut text = String::from("version = 2\nsite = \"bench\"\n[web]\nlisten = \"off\"\n");
    let mut urls = urls.iter();
    for (_, main) in streams {
        let url = urls
            .next()
            .context("the virtual camera serves too few streams")?;
        text += &format!("[[cameras]]\nurl = \"{url}\"\n");
        if main.is_some() {
            let url = urls
                .next()
                .context("the virtual camera serves too few streams")?;
            text += &format!("main_url = \"{url}\"\n");
        }
    }
    let mut config = Config::parse(&text, Path::new(""), &environment())
        .map_err(|problems| anyhow::anyhow!("the bench's own configuration: {problems:?}"))?;
    config.data_dir = data.to_owned();
    (config.mqtt, config.upload) = (Some(broker.config()?), Some(folder_config(store)?));
    Ok(config)
}

/// A number of `/proc/self/status` (proc(5)); memory is in kB.
fn status(name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok())
        .with_context(|| format!("cannot read {name}"))
}

/// Counters at one moment.
struct Reading {
    agent: f64,
    limits: Limits,
    stages: [Duration; 6],
}

impl Reading {
    fn take(shared: &Shared, yardsticks: &Yardsticks) -> anyhow::Result<Self> {
        Ok(Self {
            agent: cpu::process().as_secs_f64(),
            limits: yardsticks.cpu()?,
            stages: Stage::ALL.map(|stage| shared.stages.get(stage)),
        })
    }

    fn since(
        &self,
        before: &Self,
        args: &BenchArgs,
        shared: &Shared,
        streams: &[Streams],
    ) -> anyhow::Result<Figures> {
        let seconds = args.seconds as f64;
        let rounded = |x: f64| (x * 100_000.0).round() / 100_000.0;
        let spent = self.agent - before.agent;
        let mut stage_cpu: BTreeMap<_, _> = Stage::ALL
            .iter()
            .zip(self.stages.iter().zip(before.stages))
            .map(|(stage, (after, before))| {
                (
                    stage.as_str(),
                    rounded(after.saturating_sub(before).as_secs_f64()),
                )
            })
            .collect();
        let known: f64 = stage_cpu.values().sum();
        stage_cpu.insert("other", rounded((spent - known).max(0.0)));
        let (mut packets, mut frames, mut source_bytes) = (0, 0, 0);
        for (camera, _) in streams.iter().enumerate() {
            let label = |part| CameraPartLabel {
                camera: format!("camera{}", camera + 1),
                part,
            };
            frames += shared.metrics.dropped.get_or_create(&label("looks")).get();
            for part in ["sub", "main"] {
                let label = label(part);
                packets += shared.metrics.dropped.get_or_create(&label).get();
                source_bytes += shared.metrics.received_bytes.get_or_create(&label).get();
            }
        }
        Ok(Figures {
            v: 1,
            cameras: args.cameras,
            seconds: args.seconds,
            cpu_s_per_camera_s: rounded(spent / seconds / f64::from(args.cameras)),
            stage_cpu_s: stage_cpu,
            limits: self.limits.since(&before.limits, seconds),
            alert_latency_ms: Percentiles::of(&shared.metrics.alert_latency),
            wake_ms: Percentiles::of(&shared.metrics.wake_latency),
            rss_mb: status("VmRSS")? / 1024,
            threads: status("Threads")?,
            dropped: Dropped { packets, frames },
            source_bytes,
            stored_bytes: 0,
            upload_bytes: 0,
        })
    }
}

fn table(figures: &Figures, out: &mut dyn Write) -> io::Result<()> {
    let percentiles = |p: &Percentiles| match (p.p50, p.p95) {
        (Some(p50), Some(p95)) => format!(
            "{p50} ms median, {p95} ms p95, {} ms at most ({} times)",
            p.max.unwrap_or(p95),
            p.n
        ),
        _ => "none".to_owned(),
    };
    writeln!(out, "{} camera(s), {} s", figures.cameras, figures.seconds)?;
    writeln!(
        out,
        "  CPU seconds per camera second   {:.4}",
        figures.cpu_s_per_camera_s
    )?;
    for (stage, seconds) in &figures.stage_cpu_s {
        let share = seconds / figures.seconds as f64 / f64::from(figures.cameras);
        writeln!(out, "    {stage:8}                      {share:.4}")?;
    }
    writeln!(
        out,
        "  receiving alone                 {:.4}",
        figures.limits.receive_own
    )?;
    writeln!(out, "  plain GStreamer, same stream")?;
    writeln!(
        out,
        "    receive                       {:.4}",
        figures.limits.receive
    )?;
    writeln!(
        out,
        "    and decode keyframes          {:.4}",
        figures.limits.keyframes
    )?;
    writeln!(
        out,
        "    and decode everything         {:.4}",
        figures.limits.full_decode
    )?;
    writeln!(
        out,
        "  alert latency                   {}",
        percentiles(&figures.alert_latency_ms)
    )?;
    writeln!(
        out,
        "  wake-up                         {}",
        percentiles(&figures.wake_ms)
    )?;
    writeln!(
        out,
        "  memory, threads                 {} MB, {}",
        figures.rss_mb, figures.threads
    )?;
    writeln!(
        out,
        "  dropped                         {} packets, {} frames",
        figures.dropped.packets, figures.dropped.frames
    )?;
    writeln!(
        out,
        "  bytes                           {} received, {} stored, {} sent",
        figures.source_bytes, figures.stored_bytes, figures.upload_bytes
    )
}
