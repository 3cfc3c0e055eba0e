//! `lares recordings`: what was recorded round the clock; a range as one file with its SHA-256; and whether such a file is as it was.

use std::{
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};
use clap::{Subcommand, ValueEnum};
use jiff::{Timestamp, Unit};

use super::{ConfigArg, environment, ledger::Moment};
use crate::{
    app::site_id,
    base::{
        clock::SystemClock,
        durable,
        recordings::{
            About, Facts, LONGEST, LONGEST_TIMELINE, Range, RecordingSource, Timeline, Why,
        },
    },
    config::Config,
    flow::{CameraId, StreamRole, WallTime},
    recording::continuous::{Recordings, copy, verify},
};

const EXAMPLES: &str = "\
Examples:
  lares recordings list                          what there is of each camera, and what is missing
  lares recordings export --camera door --from 2026-11-30T18:00:00Z --to 2026-11-30T18:10:00Z -o door.mp4
                                                 ten minutes as one file, and door.mp4.json beside it
  lares recordings verify door.mp4               whether the file is as it was exported";

/// List, export or verify what was recorded round the clock.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RecordingsArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The data folder [default: the configuration's]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// What there is, and what is missing
    List {
        /// Only of this camera
        #[arg(long, value_name = "ID")]
        camera: Option<CameraId>,
        /// As JSON, one line for each camera
        #[arg(long)]
        json: bool,
    },
    /// Write a range of a camera's recording as one MP4, as the camera sent it
    Export {
        /// Of which camera
        #[arg(long, value_name = "ID")]
        camera: CameraId,
        /// From this moment on: 2026-11-01T18:00:00Z, or "10 min" ago
        #[arg(long, value_name = "TIME")]
        from: Moment,
        /// Up to this moment, at most 24 hours later
        #[arg(long, value_name = "TIME")]
        to: Moment,
        /// Which stream [default: the one that is recorded]
        #[arg(long, value_enum)]
        stream: Option<StreamArg>,
        /// Where to; what is said beside it goes to FILE.json
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Check an exported file against what was said of it in FILE.json
    Verify {
        /// The file
        file: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StreamArg {
    Sub,
    Main,
}

impl From<StreamArg> for StreamRole {
    fn from(arg: StreamArg) -> Self {
        match arg {
            StreamArg::Sub => Self::Sub,
            StreamArg::Main => Self::Main,
        }
    }
}

/// Lists, exports or verifies; may be used while the agent runs.
///
/// # Errors
/// When there is nothing to export, or files cannot be read or written.
pub fn run(args: &RecordingsArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::List { camera, json } => list(&recordings(args)?, camera.as_ref(), *json, out)?,
        Action::Export {
            camera,
            from,
            to,
            stream,
            output,
        } => {
            let Ok(range) = Range::new(from.0.0, to.0.0, LONGEST) else {
                bail!("--from must be before --to, and at most 24 hours before");
            };
            let stream = stream.map(StreamRole::from);
            export(&recordings(args)?, (camera, range, stream), output, out)?;
        }
        Action::Verify { file } => return check(file, out),
    }
    Ok(ExitCode::SUCCESS)
}

fn recordings(args: &RecordingsArgs) -> anyhow::Result<Recordings> {
    let mut config = args.config.load()?.unwrap_or_else(|| {
        Config::for_camera("rtsp://unused/", &environment()).expect("the address is sound")
    });
    if let Some(dir) = &args.data_dir {
        config.data_dir.clone_from(dir);
    }
    let dir = &config.data_dir;
    ensure!(
        dir.is_dir(),
        "there is no data folder {}: give the configuration with --config, or the folder with --data-dir",
        dir.display()
    );
    let site = site_id(&config)?;
    Ok(Recordings::read_only(
        dir,
        &site,
        SystemClock::start(),
        &config.cameras,
    ))
}

fn time(at: WallTime) -> String {
    let at = Timestamp::from_millisecond(at.0).and_then(|at| at.round(Unit::Second));
    at.map_or_else(|_| "?".to_owned(), |at| at.to_string())
}

fn cause(why: Why) -> &'static str {
    match why {
        Why::Off => "nothing was running",
        Why::Away => "the camera sent nothing",
        Why::Paused => "the camera was suspended",
        Why::Disk => "the disk was full or refused",
        Why::Busy => "this box was too slow",
        Why::Stream => "the stream was interrupted",
        Why::Clock => "the clock was set",
    }
}

/// What there is of a camera, in pieces that may be asked for at once.
fn timeline(recordings: &Recordings, about: &About) -> anyhow::Result<Timeline> {
    let mut all = Timeline::default();
    let (Some(oldest), Some(newest)) = (about.oldest, about.newest) else {
        return Ok(all);
    };
    let most = i64::try_from(LONGEST_TIMELINE.as_millis())?;
    let (mut from, end) = (oldest.0, newest.0 + 1);
    while from < end {
        let to = end.min(from + most);
        let range = Range::new(from, to, LONGEST_TIMELINE);
        let part = range.and_then(|range| recordings.timeline(&about.camera, range));
        let part = part.map_err(|why| anyhow::anyhow!(why.sentence()))?;
        all.spans.extend(part.spans);
        all.gaps.extend(part.gaps);
        from = to;
    }
    Ok(all)
}

fn list(
    recordings: &Recordings,
    camera: Option<&CameraId>,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut cameras = recordings.list();
    cameras.retain(|about| camera.is_none_or(|camera| *camera == about.camera));
    for about in &cameras {
        let found = timeline(recordings, about)?;
        if json {
            let line = serde_json::json!({
                "v": 1,
                "camera": about.camera,
                "bytes": about.bytes,
                "streams": about.streams,
                "spans": found.spans,
                "gaps": found.gaps,
            });
            writeln!(out, "{line}")?;
            continue;
        }
        writeln!(
            out,
            "{}: {:.1} MB of {}",
            about.camera,
            about.bytes as f64 / 1e6,
            about.streams.join(" and ")
        )?;
        let mut lines: Vec<(WallTime, WallTime, String)> = Vec::new();
        lines.extend(
            found
                .spans
                .iter()
                .map(|s| (s.from, s.to, "recorded".to_owned())),
        );
        let missing = |why| format!("missing: {}", cause(why));
        lines.extend(found.gaps.iter().map(|g| (g.from, g.to, missing(g.why))));
        lines.sort();
        for (from, to, what) in lines {
            writeln!(out, "  {}  {}  {what}", time(from), time(to))?;
        }
    }
    if cameras.is_empty() && !json {
        writeln!(
            out,
            "Nothing is recorded round the clock: write keep = \"48 h\" in [cameras.recording] to begin."
        )?;
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn export(
    recordings: &Recordings,
    (camera, range, stream): (&CameraId, Range, Option<StreamRole>),
    output: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    ensure!(
        !output.exists(),
        "{} exists: choose another name, or remove it first",
        output.display()
    );
    let exported = recordings.export(camera, range, stream);
    let mut exported = exported.map_err(|why| anyhow::anyhow!(why.sentence()))?;
    let part = beside(output, ".part");
    let write = || -> anyhow::Result<Facts> {
        let mut file = BufWriter::new(durable::create(&part)?);
        let (bytes, sha256) = copy(&mut exported.reader, &mut file)?;
        file.into_inner()?.sync_all()?;
        let mut facts = exported.facts;
        ensure!(
            bytes == facts.bytes,
            "the recording changed while it was read"
        );
        facts.sha256 = Some(sha256);
        let json = serde_json::to_vec_pretty(&facts)?;
        durable::write(&beside(output, ".json"), &json)?;
        fs::rename(&part, output)?;
        Ok(facts)
    };
    let facts = write().with_context(|| format!("{} cannot be written", output.display()));
    let facts = facts.inspect_err(|_| {
        let _ = fs::remove_file(&part);
    })?;
    writeln!(
        out,
        "{}: {} to {}, {} frames, {:.1} MB, sha256 {}",
        output.display(),
        time(facts.range.from),
        time(facts.range.to),
        facts.frames,
        facts.bytes as f64 / 1e6,
        facts.sha256.as_deref().unwrap_or_default()
    )?;
    for gap in &facts.gaps {
        let (from, to) = (time(gap.from), time(gap.to));
        writeln!(out, "  missing: {from} to {to}: {}", cause(gap.why))?;
    }
    Ok(())
}

fn check(file: &Path, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let beside = beside(file, ".json");
    let facts = fs::read(&beside).with_context(|| {
        format!(
            "cannot read {}: it is written beside the file by lares recordings export",
            beside.display()
        )
    })?;
    let facts: Facts = serde_json::from_slice(&facts)
        .with_context(|| format!("{} holds no facts of an export", beside.display()))?;
    let verified =
        verify(file, &facts).with_context(|| format!("cannot read {}", file.display()))?;
    match verified {
        Ok(()) => {
            writeln!(
                out,
                "{} is as it was exported: camera {} of {}, {} to {}.",
                file.display(),
                facts.camera,
                facts.site,
                time(facts.range.from),
                time(facts.range.to)
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Err(sentence) => {
            writeln!(
                out,
                "{} is not as it was exported: {sentence}.",
                file.display()
            )?;
            Ok(ExitCode::FAILURE)
        }
    }
}
