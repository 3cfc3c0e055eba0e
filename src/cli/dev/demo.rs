//! `lares demo`: the whole way on one machine: a virtual camera, the agent with its page, and a hub in a process of its own, which
//! receives alerts and uploads.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::test_services::{CameraProcess, HubProcess, KEY, Neighbour};
use crate::{
    app::App,
    base::{
        tasks::Tasks,
        telemetry::{CameraPartLabel, Metrics, SinkLabel},
    },
    cli::{environment, shutdown},
    config::{Config, HubConfig, Secret, parse_duration},
    flow::IncidentState,
    hub::HOUSE_USER,
    wire,
};

/// The box of the demo.
const SITE: &str = "demo";
/// Marks a folder that the demo made and may empty.
const MARK: &str = ".lares-demo";

const EXAMPLES: &str = "\
Examples:
  lares demo --for 60s
  lares demo --for 5min --video my-street.mp4";

/// Show the whole way on this machine, with a virtual camera.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// How long to watch
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    duration: Duration,
    /// What the virtual camera shows: H.264 or H.265 in MP4, MKV or TS
    #[arg(long, default_value = "samples/video/visits.mp4")]
    video: PathBuf,
    /// Where uploads arrive; emptied at the start
    #[arg(long, value_name = "DIR", default_value = "lares-demo")]
    out: PathBuf,
}

/// Runs the demo.
///
/// # Errors
/// When a part cannot be started.
pub fn run(args: &DemoArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let store = fresh_folder(&args.out)?;
    let scratch = tempfile::tempdir()?;
    let camera = CameraProcess::start(std::slice::from_ref(&args.video))?;
    let url = camera
        .urls
        .first()
        .context("the virtual camera has no address")?;
    writeln!(out, "camera   {url}  ({})", args.video.display())?;

    let receiving = HubProcess::start(SITE, &store, scratch.path())?;
    let file = scratch.path().join("lares.toml");
    fs::write(&file, configuration(url, &receiving))?;
    let mut config = Config::load(&file, &environment())?;
    if let Some(hub) = &mut config.hub {
        hub.open_page = true;
    }

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let app = runtime.block_on(App::start(config, runtime.handle().clone()))?;
    let page = app.hub().context("the demo has a page")?.page();
    let broker = receiving.broker;
    // Ends with this function, whatever it still waits for.
    let (listener, alerts) = listen(&receiving.house, broker, scratch.path(), &tasks)?;
    let metrics = app.shared().metrics.clone();
    writeln!(out, "broker   mqtt://{broker}")?;
    writeln!(out, "store    {}", store.display())?;
    writeln!(out, "page     http://{page}")?;
    writeln!(
        out,
        "watching for {} s; look at the page, or here: alerts as the broker hands them on:",
        args.duration.as_secs()
    )?;
    out.flush()?;

    let token = tasks.token().clone();
    tasks.spawn("signals", async move {
        if shutdown::asked(token.clone()).await.is_ok() {
            token.cancel();
        }
    });
    let began = Instant::now();
    let mut alerted = 0;
    let mut show = |line: &str, out: &mut dyn Write| -> anyhow::Result<()> {
        if let Some(incident) = alert_line(line) {
            alerted += u32::from(incident.state == IncidentState::Began);
            tell(&incident, began.elapsed(), out)?;
        }
        Ok(())
    };
    while began.elapsed() < args.duration && !tasks.token().is_cancelled() {
        match alerts.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => show(&line, out)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the broker's listener ended: is mosquitto-clients installed?")
            }
        }
    }
    let _runtime = shutdown::in_good_order(app, runtime);
    // What the agent sent while it stopped is on its way through the broker.
    while let Ok(line) = alerts.recv_timeout(Duration::from_millis(500)) {
        show(&line, out)?;
    }
    drop((camera, listener, receiving));
    let _ = tasks.close(Duration::from_secs(2));
    summary(&metrics, &store, alerted, out)?;
    Ok(ExitCode::SUCCESS)
}

fn summary(
    metrics: &Arc<Metrics>,
    store: &Path,
    alerted: u32,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    // Broker and store are those of the hub in the other process.
    let sent: u64 = ["mqtt", "upload"]
        .into_iter()
        .map(|sink| {
            metrics
                .delivered_bytes
                .get_or_create(&SinkLabel { sink })
                .get()
        })
        .sum();
    let label = CameraPartLabel {
        camera: "camera1".to_owned(),
        part: "sub",
    };
    let received = metrics.received_bytes.get_or_create(&label).get();
    let share = 100.0 * sent as f64 / received.max(1) as f64;
    writeln!(
        out,
        "demo: {alerted} incidents alerted, {} segments uploaded, {sent} of {received} bytes went to the hub \
         ({share:.1} %), none left this machine",
        count_segments(store)?
    )?;
    Ok(())
}

/// A configuration like that of a home whose clips go to another machine too, with a free port for the page where its usual one is
/// taken.
fn configuration(camera: &str, hub: &HubProcess) -> String {
    let usual = HubConfig::new(PathBuf::new()).listen;
    let page = if TcpListener::bind(usual).is_ok() {
        usual
    } else {
        SocketAddr::new(usual.ip(), 0)
    };
    let camera = toml::Value::from(camera);
    let HubProcess { broker, store, .. } = hub;
    format!(
        "version = 2\nsite = \"{SITE}\"\ndata_dir = \"agent\"\n\n[[cameras]]\nname = \"Front door\"\nurl = {camera}\n\n\
         [mqtt]\nurl = \"mqtt://{broker}\"\nuser = \"{SITE}\"\npassword_file = \"{KEY}\"\n\n\
         [upload]\nurl = \"s3://lares\"\nendpoint = \"http://{store}\"\naccess_key = \"{SITE}\"\n\
         secret_key_file = \"{KEY}\"\n\n[hub]\nenabled = true\nlisten = \"{page}\"\n\n[web]\nlisten = \"off\"\n"
    )
}

/// Every alert, as another program of the household receives it: Debian's `mosquitto_sub`.
fn listen(
    house: &Secret,
    broker: SocketAddr,
    scratch: &Path,
    tasks: &Tasks,
) -> anyhow::Result<(Neighbour, mpsc::Receiver<String>)> {
    let login = format!("-u {HOUSE_USER}\n-P {}\n", house.expose());
    fs::write(scratch.join("mosquitto_sub"), login)?;
    let (host, port) = (broker.ip().to_string(), broker.port());
    let mut command = Command::new("mosquitto_sub");
    command
        .args(["-h", &host, "-p", &port.to_string()])
        .args(["-q", "1", "-V", "mqttv5", "-t", "lares/+/+/incident"])
        // Its file of default arguments: on the command line the password would be there for all to read.
        .env("XDG_CONFIG_HOME", scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = Neighbour::spawn(
        &mut command,
        "mosquitto_sub",
        "Install it: apt install mosquitto-clients",
    )?;
    let lines = process.stdout().context("mosquitto_sub has no output")?;
    let (sender, receiver) = mpsc::channel();
    tasks.thread("alerts", move || {
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok((process, receiver))
}

fn alert_line(line: &str) -> Option<wire::IncidentMessage> {
    serde_json::from_str(line).ok()
}

fn tell(
    incident: &wire::IncidentMessage,
    after: Duration,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    writeln!(
        out,
        "  {:5.1} s  {:8}{} at {}  score {:.2}  clip {:?}, {} segments",
        after.as_secs_f64(),
        incident.state.as_str(),
        incident.label,
        incident.camera,
        incident.score,
        incident.clip.state,
        incident.clip.segments,
    )?;
    out.flush()?;
    Ok(())
}

/// Makes the folder, or empties it where the demo made it before.
fn fresh_folder(path: &Path) -> anyhow::Result<PathBuf> {
    let mark = path.join(MARK);
    let empty = || {
        fs::read_dir(path)
            .map(|mut entries| entries.next().is_none())
            .unwrap_or(true)
    };
    if path.exists() && !mark.exists() && !empty() {
        bail!(
            "{} holds other files: choose another folder with --out",
            path.display()
        );
    }
    if mark.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot empty {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    fs::write(mark, "made by lares demo, which empties it at each start\n")?;
    Ok(path.canonicalize()?)
}

/// Media segments in the store, counted there.
fn count_segments(folder: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            count += count_segments(&path)?;
        } else {
            count += usize::from(path.extension().is_some_and(|extension| extension == "m4s"));
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let made = fresh_folder(&dir.path().join("demo")).unwrap();
        fs::write(made.join("old.m4s"), "x").unwrap();
        fresh_folder(&made).unwrap();
        assert_eq!(count_segments(&made).unwrap(), 0);
        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("letter.txt"), "x").unwrap();
        assert!(
            fresh_folder(&other)
                .unwrap_err()
                .to_string()
                .contains("--out")
        );
    }
}
