//! `lares check`: what works and what does not, in plain words, each with what to do next.

mod filler;
mod record;
mod scrub;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{
    ConfigArg,
    capacity::{Cost, capacity},
    environment,
};
use crate::{
    base::{
        clock::SystemClock,
        cpu::{Stage, StageCpu},
        program,
        tasks::Tasks,
        telemetry::Metrics,
        zone,
    },
    config::{ByteSize, CameraConfig, Config, SourceConfig},
    flow::{Packet, Problem, StreamFormat, StreamRole, Turn},
    hub::{self, AccountBook},
    infer::Infer,
    ingest::{self, PacketSink, Receiving, RtspSource, SourceState},
    net::pace::Pacer,
    outbox::sinks::{Takes, registry},
};

/// How long a camera may take to show two keyframes.
const CAMERA_PATIENCE: Duration = Duration::from_secs(15);

const EXAMPLES: &str = "\
Examples:
  lares check --config lares.toml              everything that the configuration names
  lares check --camera rtsp://10.0.0.2/live    one camera, before there is a configuration
  lares check --camera rtsp://10.0.0.2/live --record camera.jsonl
                                               the same, with a recording for a report";

/// Say in plain words what works and what to do about what does not.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Check this one camera without a configuration, such as rtsp://10.0.0.2/live
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    camera: Option<String>,
    /// Record what the camera says, and ten seconds of its packets, into FILE: without logins, addresses, names,
    /// sound and pictures, so that it can be shown to others (docs/cameras.md)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Leave the pictures in the recording: whoever has the file sees what the camera saw
    #[arg(long, requires = "record")]
    with_pictures: bool,
}

/// Writes one line for each thing checked, and remembers whether any failed.
struct Findings<'a> {
    out: &'a mut dyn Write,
    problems: u32,
}

impl Findings<'_> {
    fn ok(&mut self, what: &str, detail: &str) -> anyhow::Result<()> {
        writeln!(self.out, "ok       {what}: {detail}")?;
        Ok(self.out.flush()?)
    }

    fn advice(&mut self, what: &str, detail: &str) -> anyhow::Result<()> {
        writeln!(self.out, "advice   {what}: {detail}")?;
        Ok(self.out.flush()?)
    }

    fn problem(&mut self, what: &str, detail: &str) -> anyhow::Result<()> {
        self.problems += 1;
        writeln!(self.out, "problem  {what}: {detail}")?;
        Ok(self.out.flush()?)
    }

    fn result(&mut self, what: &str, result: Result<String, String>) -> anyhow::Result<()> {
        match result {
            Ok(detail) => self.ok(what, &detail),
            Err(detail) => self.problem(what, &detail),
        }
    }
}

/// Checks everything that the configuration names. The exit status is 1 where anything does not work.
///
/// # Errors
/// When the answer cannot be written.
pub fn run(args: &CheckArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut findings = Findings { out, problems: 0 };
    let config = match &args.camera {
        Some(url) => Config::for_camera(url, &environment())
            .map(Some)
            .map_err(|problems| {
                anyhow::anyhow!(
                    "{}",
                    problems
                        .iter()
                        .map(|p| p.message.clone())
                        .collect::<Vec<_>>()
                        .join("; ")
                )
            }),
        None => args.config.load(),
    };
    match config {
        Ok(Some(config)) => {
            findings.ok("configuration", &format!("{} camera(s)", config.cameras.len()))?;
            check(&config, args, &mut findings)?;
        }
        Ok(None) => findings.problem(
            "configuration",
            "there is none: start from deploy/lares.sample.toml as lares.toml, or give one camera with --camera URL",
        )?,
        Err(error) => findings.problem("configuration", &program::sentence(&error))?,
    }
    if findings.problems == 0 {
        writeln!(findings.out, "\nEverything works.")?;
        Ok(ExitCode::SUCCESS)
    } else {
        writeln!(
            findings.out,
            "\n{} problem(s): see above what to do.",
            findings.problems
        )?;
        Ok(ExitCode::FAILURE)
    }
}

fn check(config: &Config, args: &CheckArgs, findings: &mut Findings<'_>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    findings.result("data folder", data_folder(&config.data_dir))?;
    let stages = StageCpu::default();
    let infer = Infer::start(&config.models, &tasks, stages.clone(), Metrics::new());
    let models = infer.as_ref().map_err(ToString::to_string);
    let loaded =
        |infer: &Infer| format!("{} and {} loaded", infer.motion_card(), infer.person_card());
    findings.result("models", models.map(loaded))?;
    let infer = infer.ok();
    let models = infer.as_ref().map(|infer| (infer, &stages));
    match ingest::init() {
        Ok(()) => {
            let receiving = Receiving::start()?;
            let mut costs = Vec::new();
            for camera in &config.cameras {
                let scouts = receiving.tasks(&tasks);
                costs.extend(check_camera(camera, models, &scouts, findings)?);
            }
            if let Some(file) = &args.record {
                let (cameras, scouts) = (&config.cameras, receiving.tasks(&tasks));
                record::camera(cameras, file, args.with_pictures, &scouts, findings)?;
            }
            if let Some(capacity) = capacity(&costs) {
                findings.ok("this machine", &format!("carries {capacity}"))?;
            }
        }
        Err(error) => findings.problem("GStreamer", &error.to_string())?,
    }
    match &zone::house().problem {
        Some(problem) => findings.problem("time zone", problem)?,
        None => findings.ok("time zone", &zone::house().name)?,
    }
    if let Some(hub) = &config.hub {
        let probed = hub::probe(hub).map_err(|error| error.to_string());
        findings.result("hub", probed)?;
        if !hub.listen.ip().is_loopback() && !AccountBook::has_any(&hub.dir) {
            findings.advice(
                "hub",
                "nobody has an account, so nobody gets in: run lares hub account add NAME",
            )?;
        }
    }
    let pacer = Pacer::new(config.outbox.budget.rate);
    let probes = registry::probes(config, &pacer);
    let missing = |takes| !probes.iter().any(|(kind, _)| kind.takes == takes);
    let (no_alerts, no_objects) = (missing(Takes::Alerts), missing(Takes::Objects));
    match config.hub {
        Some(_) if no_alerts => findings.ok("broker", "the page shows alerts")?,
        None if no_alerts => {
            findings.advice("broker", "none is set: alerts stay on this box, see [mqtt]")?;
        }
        _ => {}
    }
    for (kind, probe) in probes {
        findings.result(kind.shown, runtime.block_on(probe))?;
    }
    match config.hub {
        Some(_) if no_objects => {
            findings.ok("store", "clips stay on this box, where the page shows them")?;
        }
        None if no_objects => {
            findings.advice("store", "none is set: clips stay on this box, see [upload]")?;
        }
        _ => {}
    }
    let _ = tasks.close(Duration::from_secs(5));
    Ok(())
}

fn data_folder(dir: &Path) -> Result<String, String> {
    let advice = format!(
        "cannot write to {}: make it writable for this user, or choose another with data_dir",
        dir.display()
    );
    // Only looked at: the agent makes it at its first start.
    let existing = dir.ancestors().find(|folder| folder.is_dir());
    let folder = existing.unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder).map_err(|error| format!("{advice} ({error})"))?;
    let disk = rustix::fs::statvfs(folder).map_err(|error| error.to_string())?;
    let free = ByteSize(disk.f_bavail.saturating_mul(disk.f_frsize));
    if free < ByteSize::mb(200) {
        return Err(format!(
            "{} has only {free} left: free some space",
            dir.display()
        ));
    }
    Ok(format!("{}, {free} free", dir.display()))
}

fn check_camera(
    camera: &CameraConfig,
    models: Option<(&Infer, &StageCpu)>,
    tasks: &Tasks,
    findings: &mut Findings<'_>,
) -> anyhow::Result<Option<Cost>> {
    let mut cost = None;
    let streams = [
        (StreamRole::Sub, "", Some(&camera.source)),
        (StreamRole::Main, " (main stream)", camera.main.as_ref()),
    ];
    for (role, suffix, source) in streams {
        let Some(source) = source else { continue };
        let what = format!("camera {}{suffix}", camera.id);
        match watch(source, role, camera.rotate, tasks)? {
            Err(problem) => {
                findings.problem(&what, &format!("{}: {}", problem.message, problem.hint))?
            }
            Ok(seen) => {
                let interval = seen.keyframe_interval.map_or_else(
                    || format!("no second keyframe in {} s", CAMERA_PATIENCE.as_secs()),
                    |interval| format!("a keyframe each {:.1} s", interval.as_secs_f64()),
                );
                if let Some(problem) = &seen.impaired {
                    findings.advice(&what, &format!("{}: {}", problem.message, problem.hint))?;
                }
                if role == StreamRole::Sub {
                    cost = models.and_then(|models| {
                        Cost::measure(camera, &seen.packets, seen.ingest, models)
                    });
                }
                let costs = cost.filter(|_| role == StreamRole::Sub);
                let costs = costs.map_or_else(String::new, |cost| format!("; {}", cost.told()));
                let decoded = match role {
                    StreamRole::Sub => {
                        let codec = seen.format.codec;
                        format!(", {}", ingest::describe_decoder(codec, camera.decoder))
                    }
                    StreamRole::Main => String::new(),
                };
                findings.ok(
                    &what,
                    &format!("{:?}, {interval}{decoded}{costs}", seen.format),
                )?;
                let rare = seen
                    .keyframe_interval
                    .is_none_or(|i| i > camera.max_idle_interval + Duration::from_millis(100));
                if role == StreamRole::Sub && rare {
                    findings.advice(
                        &what,
                        "its keyframes are rarer than max_idle_interval, so nearly every picture must be decoded even while nothing happens: \
                         set the camera's \"I-frame interval\" (or \"GOP length\") to 1 or 2 seconds",
                    )?;
                }
                if !seen.format.codec.fits_cmaf() {
                    let codec = &seen.format.codec_name;
                    match role {
                        StreamRole::Sub => findings.advice(
                            &what,
                            &format!(
                                "{codec} cannot be kept as a clip, so this machine encodes its clips: set the camera to H.264 to save that work"
                            ),
                        )?,
                        StreamRole::Main => findings.problem(
                            &what,
                            &format!("{codec} cannot be kept as a clip: set the camera to H.264 or H.265"),
                        )?,
                    }
                }
            }
        }
    }
    Ok(cost)
}

/// What a camera showed.
struct Shown {
    format: Arc<StreamFormat>,
    keyframe_interval: Option<Duration>,
    /// From the first keyframe to the second, or as far as patience went.
    packets: Vec<Packet>,
    /// What receiving them cost.
    ingest: Duration,
    /// What is wrong with them.
    impaired: Option<Problem>,
}

enum Sign {
    Packet(Packet),
    Impaired(Option<Problem>),
    Away(Problem),
}

struct Scout(mpsc::Sender<Sign>);

impl PacketSink for Scout {
    fn packet(&mut self, packet: Packet) {
        let _ = self.0.send(Sign::Packet(packet));
    }

    fn state(&mut self, state: SourceState) {
        let sign = match state {
            SourceState::Away { problem, .. } | SourceState::Unusable(problem) => {
                Sign::Away(problem)
            }
            SourceState::Impaired(problem) => Sign::Impaired(problem),
            SourceState::Connecting | SourceState::Online(_) => return,
        };
        let _ = self.0.send(sign);
    }
}

/// Opens a stream until its second keyframe, its first problem, or the end of patience.
fn watch(
    source: &SourceConfig,
    role: StreamRole,
    rotate: Turn,
    tasks: &Tasks,
) -> anyhow::Result<Result<Shown, Problem>> {
    let (sender, signs) = mpsc::channel();
    let scouting = tasks.child();
    let token = scouting.token().clone();
    let stages = StageCpu::default();
    let rtsp = RtspSource::new(source.clone(), role, SystemClock::start(), stages.clone());
    let sink = ingest::turned_sink(Box::new(Scout(sender)), rotate);
    scouting.spawn("check", rtsp.run(sink, token));
    let deadline = Instant::now() + CAMERA_PATIENCE;
    let mut packets: Vec<Packet> = Vec::new();
    let mut begun = Duration::ZERO;
    let mut problem = None;
    let mut keyframe_interval = None;
    let mut impaired = None;
    while keyframe_interval.is_none() && problem.is_none() {
        match signs.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Sign::Packet(packet)) => match packets.first() {
                None if packet.key => {
                    begun = stages.get(Stage::Ingest);
                    packets.push(packet);
                }
                None => {}
                Some(first) => {
                    keyframe_interval = packet.key.then(|| packet.time.since(first.time));
                    packets.push(packet);
                }
            },
            Ok(Sign::Away(away)) => problem = Some(away),
            Ok(Sign::Impaired(wrong)) => impaired = wrong,
            Err(_) => break,
        }
    }
    // Pictures may come in a rush at first, but not later than they are shown: stamps that say so
    // are no measure.
    if let (Some(interval), Some(first), Some(last)) =
        (&mut keyframe_interval, packets.first(), packets.last())
    {
        let came = last.arrived.since(first.arrived);
        if came > *interval * 2 + Duration::from_millis(100) {
            *interval = came;
            for packet in &mut packets {
                packet.time = packet.arrived;
            }
        }
    }
    let outcome = match (problem, packets.first()) {
        (Some(problem), _) => Err(problem),
        (None, Some(first)) => Ok(Shown {
            format: Arc::clone(&first.format),
            keyframe_interval,
            ingest: stages.get(Stage::Ingest).saturating_sub(begun),
            packets,
            impaired,
        }),
        (None, None) => Err(Problem {
            message: format!("no picture came within {} s", CAMERA_PATIENCE.as_secs()),
            hint: "check that the address plays in another player".to_owned(),
        }),
    };
    if !scouting.close(Duration::from_secs(5)).is_empty() {
        return Err(anyhow::anyhow!("the camera's session does not end")).context("check");
    }
    Ok(outcome)
}
