//! An agent with a well-behaved camera and others beside it, and what must hold whatever those do.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    home::{Cameras, Home, SOON, camera, camera_health, counter, stop, web},
    program::{Running, assert_plain, free_port, lares, lines_with, text, wait_until},
};

/// Pictures a second of every video here.
const RATE: f64 = 10.0;
/// The camera that behaves.
const GOOD: &str = "good";

/// Tiny videos, made by ffmpeg when a test runs.
pub(crate) struct Studio(TempDir);

impl Studio {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `seconds` of a grey scene with a sensor's noise, of this size, encoded with `codec`.
    pub(crate) fn scene(&self, name: &str, size: &str, seconds: u32, codec: &str) -> PathBuf {
        let source = format!(
            "-f lavfi -i color=gray:size={size}:rate={RATE}:duration={seconds},noise=alls=8:allf=t"
        );
        self.ffmpeg(name, &format!("{source} {codec} -pix_fmt yuv420p"))
    }

    /// The scene as most cameras send it: H.264, a keyframe each second.
    pub(crate) fn plain(&self) -> PathBuf {
        self.scene("plain.mp4", "320x240", 20, &x264("keyint=10"))
    }

    /// Runs ffmpeg with `arguments`, split at spaces, to make the file `name`.
    pub(crate) fn ffmpeg(&self, name: &str, arguments: &str) -> PathBuf {
        let path = self.path(name);
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y"])
            .args(arguments.split_whitespace())
            .arg(&path)
            .stdin(Stdio::null())
            .status()
            .expect("ffmpeg is installed by the set-up");
        assert!(status.success(), "ffmpeg {arguments}");
        path
    }

    /// Serves `videos` with this script; what it says of paths starts at the studio's folder.
    pub(crate) fn serve(&self, script: &str, more: &[&str], videos: &[PathBuf]) -> Cameras {
        let file = self.path(&format!("script-{}", free_port()));
        fs::write(&file, script).unwrap();
        let mut command = lares(["camera", "--listen", "127.0.0.1:0", "--script", text(&file)]);
        Cameras::run(command.args(more).args(videos))
    }
}

/// H.264 as a small encoder makes it; `options` go to x264.
pub(crate) fn x264(options: &str) -> String {
    format!("-c:v libx264 -preset ultrafast -x264-params scenecut=0:{options}")
}

/// What an agent holds and has used.
#[derive(Debug, Clone, Copy)]
struct Held {
    threads: usize,
    files: usize,
    megabytes: u64,
    cpu: Duration,
}

impl Held {
    fn by(process: u32) -> Self {
        let entries = |what: &str| {
            fs::read_dir(format!("/proc/{process}/{what}"))
                .unwrap()
                .count()
        };
        let read = |what: &str| fs::read_to_string(format!("/proc/{process}/{what}")).unwrap();
        let statm = read("statm");
        let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        let stat = read("stat");
        // After the name in parentheses; user and system time are the 14th and 15th field, in ticks of 10 ms.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = [fields[11], fields[12]]
            .iter()
            .map(|field| field.parse::<u64>().unwrap())
            .sum();
        Self {
            threads: entries("task"),
            files: entries("fd"),
            megabytes: pages * 4096 / 1_000_000,
            cpu: Duration::from_millis(ticks * 10),
        }
    }
}

/// An agent that watches a good camera and others.
pub(crate) struct Street {
    agent: Running,
    port: u16,
    watching: Instant,
    packets: f64,
    held: Held,
    others: u32,
    _good: Cameras,
    _home: Home,
}

impl Street {
    /// Starts an agent for [`GOOD`] and `others`: the `[[cameras]]` block of each. Secrets are files beside the
    /// configuration, a name and a value each.
    pub(crate) fn open(studio: &Studio, others: &[String], secrets: &[(&str, &str)]) -> Self {
        let good = studio.serve("", &[], &[studio.plain()]);
        let home = Home::new();
        for (name, value) in secrets {
            fs::write(home.path().join(name), value).unwrap();
        }
        let port = free_port();
        let cameras = camera(GOOD, &good.urls[0], "") + &others.concat();
        let agent = home.agent(&(cameras + &web(port)));
        wait_until("pictures of the good camera", SOON, || {
            let (state, problem) = camera_health(port, GOOD)?;
            match state.as_str() {
                "online" => Ok(()),
                _ => Err(format!("{state}: {problem}\n{}", agent.stderr())),
            }
        });
        let mut street = Self {
            packets: 0.0,
            held: Held::by(agent.id()),
            watching: Instant::now(),
            agent,
            port,
            others: u32::try_from(others.len()).unwrap(),
            _good: good,
            _home: home,
        };
        street.packets = street.counter("lares_packets_total", GOOD);
        street
    }

    /// Takes what is held now for what the agent needs: the cameras that are to be watched are, with decoders and all.
    pub(crate) fn settle(&mut self) {
        self.held = Held {
            cpu: self.held.cpu,
            ..Held::by(self.agent.id())
        };
    }

    pub(crate) fn counter(&self, name: &str, camera: &str) -> f64 {
        counter(self.port, name, &format!("camera=\"{camera}\"")).unwrap()
    }

    /// Waits until health says of a camera that it is in `state`, with all of `words` in its problem; without words,
    /// that there is no problem.
    pub(crate) fn until(&mut self, camera: &str, state: &str, words: &[&str], within: Duration) {
        let what = format!("{camera}: {state} {words:?}");
        let (port, agent) = (self.port, &mut self.agent);
        wait_until(&what, within, || {
            assert!(agent.is_running(), "it has ended:\n{}", agent.stderr());
            let (now, problem) = camera_health(port, camera)?;
            let told = match words {
                [] => problem.is_empty(),
                words => words.iter().all(|word| problem.contains(word)),
            };
            match now == state && told {
                true => Ok(()),
                false => Err(format!("{now}: {problem}\n{}", agent.stderr())),
            }
        });
    }

    /// Waits until a camera has begun at least so many sessions.
    pub(crate) fn until_sessions(&self, camera: &str, sessions: f64, within: Duration) {
        wait_until(&format!("{sessions} sessions of {camera}"), within, || {
            let now = self.counter("lares_camera_sessions_total", camera);
            match now >= sessions {
                true => Ok(()),
                false => Err(format!("{now}\n{}", self.agent.stderr())),
            }
        });
    }

    /// Waits until the log has a line about `camera` with all of `words`.
    pub(crate) fn until_logged(&mut self, camera: &str, words: &[&str], within: Duration) {
        let camera = format!("camera={camera}");
        let all: Vec<&str> = words.iter().copied().chain([camera.as_str()]).collect();
        let what = format!("{all:?}");
        self.agent
            .wait_for(&what, within, |log| !lines_with(log, &all).is_empty());
    }

    /// How many lines of the log about `camera` have all of `words`.
    pub(crate) fn logged(&self, camera: &str, words: &[&str]) -> usize {
        let camera = format!("camera={camera}");
        let all: Vec<&str> = words.iter().copied().chain([camera.as_str()]).collect();
        lines_with(&self.agent.stderr(), &all).len()
    }

    /// That packets of a camera still come.
    pub(crate) fn goes_on(&self, camera: &str) {
        let before = self.counter("lares_packets_total", camera);
        wait_until(&format!("packets of {camera}"), SOON, || {
            let now = self.counter("lares_packets_total", camera);
            match now > before + RATE {
                true => Ok(()),
                false => Err(format!("{before}, then {now}\n{}", self.agent.stderr())),
            }
        });
    }

    /// The end: the good camera has not noticed, and nothing leaked or spun.
    pub(crate) fn close(self) -> String {
        let elapsed = self.watching.elapsed();
        let came = self.counter("lares_packets_total", GOOD) - self.packets;
        // Half is generous: the machine that runs tests is busy, and cameras are paced by its clock.
        assert!(
            came > elapsed.as_secs_f64() * RATE / 2.0,
            "{came} packets of the good camera in {elapsed:?}"
        );
        assert!((self.counter("lares_camera_sessions_total", GOOD) - 1.0).abs() < 0.5);
        assert_eq!(counter(self.port, "lares_dropped_total", "").unwrap(), 0.0);
        assert_eq!(self.logged(GOOD, &["WARN"]), 0, "{}", self.agent.stderr());

        let (before, after) = (self.held, Held::by(self.agent.id()));
        let told = format!("{before:?}, {after:?} after {elapsed:?}");
        assert!(after.threads <= before.threads + 12, "{told}");
        // A camera that connects after the first count holds some sockets and the wakers of its threads.
        assert!(
            after.files <= before.files + 8 * (self.others as usize + 1),
            "{told}"
        );
        assert!(after.megabytes <= before.megabytes + 150, "{told}");
        // A lane that spins takes a whole core by itself.
        let used = after.cpu.saturating_sub(before.cpu);
        assert!(
            used < elapsed.mul_f64(0.1 * f64::from(self.others + 1)),
            "{told}"
        );
        let log = stop(self.agent).stderr;
        assert_plain(&log);
        log
    }
}

/// The `[[cameras]]` block of a camera that is given up after two seconds of silence.
pub(crate) fn watched(id: &str, url: &str, more: &str) -> String {
    camera(id, url, &format!("stall_timeout = \"2 s\"\n{more}"))
}

/// The path's file name.
pub(crate) fn name(path: &Path) -> &str {
    text(Path::new(path.file_name().unwrap()))
}
