//! `lares replay`: recordings through the very same lanes as live cameras, in lock-step.
//!
//! One access unit passes decoding, models, tracker and rules before the next is read; time is the recording's own. Two
//! replays of a file give the same answers, but for ids.

mod explain;
mod mot;
mod report;
mod visits;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use self::{
    mot::{Presented, write_mot},
    report::{Frames, Summary, rounded},
    visits::Visits,
};
use super::{ConfigArg, environment};
use crate::{
    base::{
        clock::{Clock, SimClock, SystemClock},
        cpu::{self, Stage, StageCpu},
        health_registry::HealthRegistry,
        link::WakeSignal,
        program,
        tasks::Tasks,
        telemetry::{CameraPartLabel, Metrics},
    },
    camera::{CameraPipeline, DetectStage, Pace, RecordStage, Shared, Stills},
    config::{CameraConfig, Config},
    flow::{EndReason, MediaTime, Mode, SiteId, StreamRole},
    infer::Infer,
    ingest::{self, FileSource, IdleDecoders},
    outbox::{Outbox, sinks::LiveState},
};

/// Looks a second on the grid that scoring uses.
const SCORING_LOOKS: Duration = Duration::from_millis(200);

const EXAMPLES: &str = "\
Examples:
  lares replay evening.mp4                       a line for each visit
  lares replay --json *.mp4 > visits.jsonl       the same for programs
  lares replay --out clips evening.mp4           keep the clips and pictures it would have sent
  lares replay --mot boxes.txt evening.mp4       every person on 5 pictures a second, for scoring";

/// Run recordings through the very same lanes.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Which of the configuration's cameras to be [default: the first]
    #[arg(long, value_name = "ID")]
    camera: Option<String>,
    /// Print JSON lines: an event for each incident, a summary for each video
    #[arg(long)]
    json: bool,
    /// Write every person seen as MOT lines (frame, id, x, y, w, h, score, -1, -1, -1), on a fixed grid of pictures
    #[arg(long, value_name = "FILE")]
    mot: Option<PathBuf>,
    /// Look at every picture instead of 5 a second; with --mot
    #[arg(long, requires = "mot")]
    every_frame: bool,
    /// Say why motion became no incident
    #[arg(long)]
    explain: bool,
    /// Keep clips and pictures in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The recordings: MP4, MKV, AVI or TS
    #[arg(required = true, value_name = "VIDEO")]
    videos: Vec<PathBuf>,
}

/// Replays all videos.
///
/// # Errors
/// When the configuration, the models or the output cannot be used. A video that cannot be read is told, the others go
/// on, and the exit status is 1.
pub fn run(args: &ReplayArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    ingest::init()?;
    let config = match args.config.load()? {
        Some(config) => config,
        None => Config::for_camera("rtsp://replay/", &environment()).expect("the address is sound"),
    };
    let camera = match &args.camera {
        None => config.cameras.first(),
        Some(id) => config
            .cameras
            .iter()
            .find(|camera| camera.id.as_str() == id),
    };
    let camera = camera.with_context(|| {
        let known: Vec<_> = config
            .cameras
            .iter()
            .map(|camera| camera.id.as_str())
            .collect();
        format!("no such camera: the configuration has {}", known.join(", "))
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()?;
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let stages = StageCpu::default();
    let metrics = Metrics::new();
    let infer = Infer::start(&config.models, &tasks, stages.clone(), metrics.clone())?;
    let mut replay = Replay {
        args,
        config: &config,
        camera: single_stream(camera),
        infer: Arc::new(infer),
        stages,
        metrics,
        mot: match &args.mot {
            Some(path) => {
                Some(BufWriter::new(File::create(path).with_context(|| {
                    format!("cannot write {}", path.display())
                })?))
            }
            None => None,
        },
    };
    let mut code = ExitCode::SUCCESS;
    for video in &args.videos {
        if let Err(error) = replay.video(video, out) {
            if program::is_broken_pipe(&error) {
                return Err(error);
            }
            let _ = writeln!(io::stderr(), "lares: {}", program::sentence(&error));
            code = ExitCode::FAILURE;
        }
    }
    if let Some(mut mot) = replay.mot.take() {
        mot.flush()?;
    }
    drop(replay);
    let _ = tasks.close(Duration::from_secs(5));
    Ok(code)
}

/// A recording is one stream, whatever the camera has.
fn single_stream(camera: &CameraConfig) -> CameraConfig {
    CameraConfig {
        main: None,
        ..camera.clone()
    }
}

struct Replay<'a> {
    args: &'a ReplayArgs,
    config: &'a Config,
    camera: CameraConfig,
    infer: Arc<Infer>,
    stages: StageCpu,
    metrics: Arc<Metrics>,
    mot: Option<BufWriter<File>>,
}

impl Replay<'_> {
    fn pace(&self) -> Pace {
        match (&self.args.mot, self.args.every_frame) {
            (None, _) => Pace::OnDemand,
            (Some(_), false) => Pace::Every(SCORING_LOOKS),
            (Some(_), true) => Pace::All,
        }
    }

    fn video(&mut self, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
        let name = path.display().to_string();
        let (wall, cpu) = (Instant::now(), cpu::process());
        let before: Vec<_> = Stage::ALL
            .iter()
            .map(|stage| self.stages.get(*stage))
            .collect();
        let looks_before = self.looks();
        let mut source = FileSource::open(path, StreamRole::Sub, self.stages.clone())?;

        let folder = self.folder(path)?;
        let clock = SimClock::new(SystemClock::start().wall());
        let site = self.config.site.clone();
        let site = site.unwrap_or_else(|| "replay".parse::<SiteId>().expect("a valid id"));
        let outbox = Outbox::open(
            folder.path(),
            site.clone(),
            clock.clone(),
            self.config.outbox.clone(),
            self.metrics.clone(),
        )?;
        let shared = Shared {
            clock: clock.clone(),
            infer: self.infer.clone(),
            outbox: outbox.clone(),
            live: LiveState::new(&site),
            decision_log: None,
            health_registry: HealthRegistry::new(),
            metrics: self.metrics.clone(),
            stages: self.stages.clone(),
            receiving: None,
            decoders: IdleDecoders::default(),
            stills: Stills::default(),
            viewing: Default::default(),
            recordings: Default::default(),
            scratch: folder.path().to_owned(),
        };
        let watch = DetectStage::new(
            &self.camera,
            Mode::Armed,
            self.pace(),
            &shared,
            &WakeSignal::new(),
        );
        let visits = Visits {
            name: &name,
            json: self.args.json,
            explain: self.args.explain,
            record: RecordStage::new(&self.camera, Mode::Armed, &shared),
            visits: BTreeMap::new(),
        };
        let mut pipeline = CameraPipeline::new(watch, visits, &shared);

        let bar = progress(self.args.json, path);
        let mut presented = Presented::default();
        let mut received = 0u64;
        let mut end = MediaTime::ZERO;
        while let Some(packet) = source.next_packet()? {
            received += 1;
            let size = packet.format.shown_size();
            end = end.max(packet.time + packet.duration.unwrap_or_default());
            clock.advance_to(packet.arrived);
            if self.mot.is_some() {
                presented.note(packet.time);
            }
            pipeline.keeper.record.packet(&packet);
            let sightings = pipeline.step(|watch| {
                watch.packet(packet);
                watch.settle();
                watch.take_raw_detections()
            })?;
            pipeline.keeper.print_over(out)?;
            for sighting in sightings {
                write_mot(
                    self.mot.as_mut(),
                    &sighting,
                    size,
                    presented.number(sighting.time),
                )?;
            }
            bar.set_position(pipeline.keeper.record.received_bytes());
        }
        pipeline.step(DetectStage::drain)?;
        pipeline.step(|watch| watch.finish(EndReason::Stream))?;
        pipeline.keeper.record.finish();
        pipeline.keeper.print_over(out)?;
        bar.finish_and_clear();
        if let Some(damage) = source.damage() {
            let _ = writeln!(io::stderr(), "lares: {damage}");
        }

        let looks = self.looks();
        let spent = cpu::process().saturating_sub(cpu).as_secs_f64();
        let mut stage_cpu: BTreeMap<_, _> = Stage::ALL
            .iter()
            .zip(before)
            .map(|(stage, before)| {
                (
                    stage.as_str(),
                    self.stages.get(*stage).saturating_sub(before).as_secs_f64(),
                )
            })
            .collect();
        let known: f64 = stage_cpu.values().sum();
        stage_cpu.insert("other", (spent - known).max(0.0));
        stage_cpu
            .values_mut()
            .for_each(|seconds| *seconds = rounded(*seconds));
        let summary = Summary {
            v: 1,
            r#type: "summary",
            video: &name,
            video_s: rounded(end.secs_f64()),
            wall_s: rounded(wall.elapsed().as_secs_f64()),
            cpu_s: rounded(spent),
            source_bytes: pipeline.keeper.record.received_bytes(),
            upload_bytes: outbox.totals()?.upload_bytes,
            frames: Frames {
                received,
                decoded: pipeline.watch().decoded(),
                motion: looks.0 - looks_before.0,
                person_runs: looks.1 - looks_before.1,
            },
            stage_cpu_s: stage_cpu,
        };
        if self.args.json {
            writeln!(out, "{}", serde_json::to_string(&summary)?)?;
        } else {
            writeln!(
                out,
                "{name}: {:.1} s watched in {:.1} CPU s; {} of {received} pictures decoded, {} person looks; {} of {} bytes would leave the house",
                summary.video_s,
                summary.cpu_s,
                summary.frames.decoded,
                summary.frames.person_runs,
                summary.upload_bytes,
                summary.source_bytes,
            )?;
        }
        if let Some(why) = pipeline.watch().blind() {
            let format = source.format();
            anyhow::bail!(
                "{name}: nothing was watched, for no picture of this {} video could be decoded: {why}",
                format.codec_name
            );
        }
        Ok(())
    }

    /// Motion and person looks so far.
    fn looks(&self) -> (u64, u64) {
        let count = |part| {
            let camera = self.camera.id.to_string();
            self.metrics
                .looks
                .get_or_create(&CameraPartLabel { camera, part })
                .get()
        };
        (count("motion"), count("person"))
    }

    /// The outbox of one video: in `--out`, or a folder that goes away.
    fn folder(&self, video: &Path) -> anyhow::Result<Folder> {
        match &self.args.out {
            None => Ok(Folder::Temporary(tempfile::tempdir()?)),
            Some(out) => {
                let stem = video.file_stem().unwrap_or_default();
                let folder = out.join(stem);
                std::fs::create_dir_all(&folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
                Ok(Folder::Kept(folder))
            }
        }
    }
}

enum Folder {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

/// How much of the file has been read, on a terminal.
fn progress(json: bool, path: &Path) -> ProgressBar {
    let length = path.metadata().map(|file| file.len()).ok();
    let Some(length) = length.filter(|_| !json && io::stderr().is_terminal()) else {
        return ProgressBar::hidden();
    };
    let bar = ProgressBar::new(length);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} of about {duration}")
    {
        bar.set_style(style);
    }
    bar
}
