//! An agent that watches odd cameras for a while, and everything that was seen of it.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::OnceLock,
    thread::sleep,
    time::{Duration, Instant},
};

use lares::{
    testing::films::films,
    vcam::quirk::{
        Running, Seen, Server,
        catalog::{Films, Kind, Password},
    },
};
use tempfile::TempDir;

use super::judge::{Verdict, judge, judge_agent};
use crate::{
    home::{Home, SOON, camera, page, web},
    program::{Running as Agent, free_port, wait_until},
};

/// How often the agent is asked.
const STEP: Duration = Duration::from_millis(400);
/// A password that no camera has.
const WRONG: &str = "wr0ng-w0rd";

/// One look at one camera.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// Since the agent was ready.
    pub(super) at: Duration,
    /// What health says.
    pub(super) state: String,
    pub(super) problem: String,
    pub(super) packets: f64,
    pub(super) sessions: f64,
}

/// All that was seen of a street.
pub(super) struct Record {
    /// Of each camera, in order of time.
    pub(super) looks: BTreeMap<String, Vec<Look>>,
    /// What each camera has seen.
    pub(super) seen: BTreeMap<String, Seen>,
    /// Packets that were dropped, by camera.
    pub(super) lost: BTreeMap<String, f64>,
    /// Looks of the models that a newer one replaced, by camera.
    pub(super) replaced: BTreeMap<String, f64>,
    pub(super) log: String,
    /// Every text that was given out: pages and log.
    pub(super) told: String,
    pub(super) exit: Option<i32>,
    pub(super) stopped_in: Duration,
    /// Most memory that the agent had, in MB.
    pub(super) memory: u64,
    /// CPU seconds a second.
    pub(super) load: f64,
    pub(super) ended: Instant,
    /// Passwords that must be in no text.
    pub(super) secrets: Vec<String>,
}

/// The films of this process, with the folder of their certificates.
fn shown() -> &'static (Films, TempDir) {
    static SHOWN: OnceLock<(Films, TempDir)> = OnceLock::new();
    SHOWN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        (films(folder.path()).unwrap(), folder)
    })
}

/// Watches `kinds` together for as long as the slowest of them needs. The last verdict is on the agent.
pub(super) fn watch(kinds: &[&'static Kind]) -> Vec<Verdict> {
    let longest = kinds.iter().map(|kind| kind.seconds).max().unwrap_or(0);
    let record = record(kinds, Duration::from_secs(u64::from(longest)));
    let cameras = kinds.iter().map(|kind| judge(kind, &record));
    cameras.chain([judge_agent(&record)]).collect()
}

/// Watches `kinds` together for `time`.
pub(super) fn record(kinds: &[&'static Kind], time: Duration) -> Record {
    let (films, certificates) = shown();
    let server = Server::start(2).unwrap();
    let home = Home::new();
    for name in ["ca.pem", "strange.pem"] {
        fs::copy(certificates.path().join(name), home.path().join(name)).unwrap();
    }
    fs::write(home.path().join("wrong"), WRONG).unwrap();
    let mut secrets = vec![WRONG.to_owned()];
    let mut blocks = String::new();
    let mut cameras = BTreeMap::new();
    for kind in kinds {
        let behaviour = (kind.make)(films);
        let login = behaviour.login.clone();
        let running = server.add(behaviour).unwrap();
        let mut more = format!("stall_timeout = \"2 s\"\n{}", kind.config);
        if let Some(login) = login {
            secrets.push(login.password.to_owned());
            more += &credentials(kind, login.user, login.password, home.path());
        }
        blocks += &camera(kind.name, &running.url(), &more);
        cameras.insert(kind.name.to_owned(), running);
    }
    let port = free_port();
    let agent = home.agent(&(blocks + &web(port)));
    wait_until("the agent", SOON, || page(port, "/healthz"));
    let mut record = look_on(agent, port, &cameras, time);
    record.secrets = secrets;
    record
}

fn credentials(kind: &Kind, user: &str, password: &str, folder: &Path) -> String {
    let file = match kind.password {
        Password::None => return String::new(),
        Password::Wrong => "wrong",
        Password::Right => {
            fs::write(folder.join(kind.name), password).unwrap();
            kind.name
        }
    };
    format!("user = \"{user}\"\npassword_file = \"{file}\"\n")
}

fn look_on(
    mut agent: Agent,
    port: u16,
    cameras: &BTreeMap<String, Running>,
    time: Duration,
) -> Record {
    let begun = Instant::now();
    let mut looks: BTreeMap<String, Vec<Look>> = BTreeMap::new();
    let mut told = String::new();
    let mut pages = (String::new(), String::new());
    while begun.elapsed() < time {
        sleep(STEP);
        assert!(agent.is_running(), "it has ended:\n{}", agent.stderr());
        let (Ok(health), Ok(metrics)) = (page(port, "/healthz"), page(port, "/metrics")) else {
            continue;
        };
        look(begun.elapsed(), &health, &metrics, &mut looks);
        if pages.0 != health {
            told += &health;
        }
        pages = (health, metrics);
    }
    told += &pages.1;
    let (memory, load) = usage(agent.id(), begun.elapsed());
    let seen = cameras
        .iter()
        .map(|(name, camera)| (name.clone(), camera.seen()));
    let seen = seen.collect();
    let ended = Instant::now();
    let done = agent.terminate();
    let stopped_in = ended.elapsed();
    let dropped = |parts: &[&str]| {
        let lines = pages.1.lines();
        let of_part = |line: &&str| {
            parts
                .iter()
                .any(|part| line.contains(&format!("part=\"{part}\"")))
        };
        let metrics = lines.filter(of_part).collect::<Vec<_>>().join("\n");
        let of = |name: &String| (name.clone(), value(&metrics, "lares_dropped_total", name));
        cameras.keys().map(of).collect()
    };
    Record {
        looks,
        seen,
        lost: dropped(&["sub", "main"]),
        replaced: dropped(&["looks"]),
        told: told + &done.stderr + &done.stdout,
        log: done.stderr,
        exit: done.status,
        stopped_in,
        memory,
        load,
        ended,
        secrets: Vec::new(),
    }
}

/// Adds what health and metrics say at a moment.
fn look(at: Duration, health: &str, metrics: &str, looks: &mut BTreeMap<String, Vec<Look>>) {
    let body = health.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let Ok(health) = serde_json::from_str::<serde_json::Value>(body) else {
        return;
    };
    for camera in health["cameras"].as_array().into_iter().flatten() {
        let word = |key: &str| camera[key].as_str().unwrap_or_default().to_owned();
        let name = word("id");
        let look = Look {
            at,
            state: word("state"),
            problem: word("problem"),
            packets: value(metrics, "lares_packets_total", &name),
            sessions: value(metrics, "lares_camera_sessions_total", &name),
        };
        looks.entry(name).or_default().push(look);
    }
}

/// A counter of a camera, summed over its other labels.
fn value(metrics: &str, name: &str, camera: &str) -> f64 {
    let label = format!("camera=\"{camera}\"");
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with(name) && line.contains(&label));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Most memory in MB, and CPU seconds a second, of a process that has been looked at for `time`.
fn usage(process: u32, time: Duration) -> (u64, f64) {
    let read = |what: &str| fs::read_to_string(format!("/proc/{process}/{what}")).unwrap();
    let status = read("status");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let stat = read("stat");
    // Behind the name in parentheses; user and system time are the 14th and 15th field, in ticks of 10 ms.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: f64 = [fields[11], fields[12]]
        .iter()
        .map(|field| field.parse::<f64>().unwrap())
        .sum();
    (peak.unwrap_or(0) / 1000, ticks / 100.0 / time.as_secs_f64())
}
