//! One model in two precisions: which of the two this machine runs best.
//!
//! Both are timed, and the times kept (see `benchmark_cache`), so that every later start and every replay on this machine decide
//! alike. Where they cannot be timed, the processor's features decide.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ort::environment::Environment;

use super::{
    benchmark_cache::{self, Key, Times},
    card::{Card, Precision, Task},
    model_folder,
};
use crate::{
    config::ModelsConfig,
    flow::Size,
    infer::{InferError, detect::person::PersonModel, runtime},
};

/// Integers are taken unless floats are faster by more than this share: a difference that small is noise, and the
/// model in integers takes less memory.
const TIE: f64 = 0.1;
/// Looks of each model that are not counted ...
const WARM_UP: usize = 3;
/// ... and that are.
const TIMED: usize = 7;
/// A slow machine counts fewer: after this long, loading included, it is enough.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How a card does against its sibling on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// Whether it is the one of the two that runs best here.
    pub best: bool,
    /// CPU time of one look, on one thread: its own and its sibling's, where they could be timed.
    pub looks: Option<(Duration, Duration)>,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |look: Duration| look.as_secs_f64() * 1e3;
        match self.looks {
            Some((own, other)) => {
                write!(f, "{:.1} ms a look, sibling {:.1} ms", ms(own), ms(other))
            }
            None => f.write_str("not timed, told by the processor's features"),
        }
    }
}

/// The two cards of one model.
#[derive(Debug)]
struct Pair {
    int8: Card,
    float: Card,
    /// The largest input that both take.
    size: Size,
}

impl Pair {
    /// A card with its sibling, where it names one that is of the same task and the other precision.
    fn of(dir: &Path, card: &Card) -> Option<Self> {
        let other = Card::read(dir, card.sibling.as_ref()?).ok()?;
        let (int8, float) = match (card.precision, other.precision) {
            (Precision::Int8, Precision::Float) => (card.clone(), other),
            (Precision::Float, Precision::Int8) => (other, card.clone()),
            _ => return None,
        };
        let size = int8
            .input
            .sizes()
            .filter(|size| float.input.sizes().any(|other| other == *size))
            .max_by_key(|size| size.width * size.height)?;
        (int8.task == float.task).then_some(Self { int8, float, size })
    }

    fn key(&self, machine: &Machine) -> Key {
        Key {
            int8: self.int8.sha256().to_owned(),
            float: self.float.sha256().to_owned(),
            size: [self.size.width, self.size.height],
            runtime: machine.runtime.clone(),
            processor: machine.processor.clone(),
        }
    }

    /// Times looks of both in turn, so that whatever else the machine does slows both alike.
    fn time(&self, environment: &Environment) -> Result<Times, InferError> {
        let started = Instant::now();
        let mut int8 = PersonModel::open(environment, self.int8.clone(), 1)?;
        let mut float = PersonModel::open(environment, self.float.clone(), 1)?;
        let (mut of_int8, mut of_float) = (Vec::new(), Vec::new());
        while of_int8.len() < WARM_UP + TIMED && (of_int8.len() < 2 || started.elapsed() < PATIENCE)
        {
            of_int8.push(int8.rehearse(self.size)?);
            of_float.push(float.rehearse(self.size)?);
        }
        Ok(Times {
            int8: typical(of_int8),
            float: typical(of_float),
        })
    }
}

/// The median of what follows the warm-up.
fn typical(mut looks: Vec<Duration>) -> Duration {
    looks.drain(..WARM_UP.min(looks.len() / 2));
    looks.sort();
    looks.get(looks.len() / 2).copied().unwrap_or_default()
}

/// What else times depend on.
struct Machine {
    runtime: String,
    processor: String,
    dot_products: bool,
}

impl Machine {
    /// This one. ONNX Runtime must be loaded.
    fn this() -> Self {
        Self {
            runtime: ort::info().to_owned(),
            processor: processor(),
            dot_products: has_int8_dot_products(),
        }
    }
}

/// Times both models, where that can be done.
type Stopwatch<'a> = Box<dyn Fn(&Pair) -> Option<Times> + 'a>;

/// Compares siblings.
struct Referee<'a> {
    time: Stopwatch<'a>,
    /// Where times are kept.
    kept: Option<PathBuf>,
    machine: Machine,
}

impl<'a> Referee<'a> {
    fn new(environment: &'a Environment) -> Self {
        Self {
            time: Box::new(|pair| {
                let times = pair.time(environment);
                let failed = |error| tracing::debug!(%error, "siblings cannot be timed");
                times.map_err(failed).ok()
            }),
            kept: benchmark_cache::path(),
            machine: Machine::this(),
        }
    }

    /// Whether integers win, and the times that say so.
    fn integers_win(&self, pair: &Pair) -> (bool, Option<Times>) {
        let times = self.times(pair);
        let by_time =
            |times: Times| times.int8.as_secs_f64() <= times.float.as_secs_f64() * (1.0 + TIE);
        (times.map_or(self.machine.dot_products, by_time), times)
    }

    fn times(&self, pair: &Pair) -> Option<Times> {
        // A look of the motion model costs half a millisecond, and it has no sibling yet.
        if pair.int8.task != Task::Person {
            return None;
        }
        let Some(path) = &self.kept else {
            return (self.time)(pair);
        };
        let key = pair.key(&self.machine);
        let known = benchmark_cache::find(path, &key);
        known.or_else(|| Some(benchmark_cache::keep(path, key, (self.time)(pair)?)))
    }

    /// How `card` does against its sibling.
    fn comparison(&self, dir: &Path, card: &Card) -> Option<Comparison> {
        let pair = Pair::of(dir, card)?;
        let (integers, times) = self.integers_win(&pair);
        let is_int8 = card.precision == Precision::Int8;
        Some(Comparison {
            best: integers == is_int8,
            looks: times.map(|times| {
                if is_int8 {
                    (times.int8, times.float)
                } else {
                    (times.float, times.int8)
                }
            }),
        })
    }

    fn choose(&self, dir: &Path, name: &str, task: Task) -> Result<Choice, InferError> {
        let card = model_folder::card(dir, name, task)?;
        if card.precision == Precision::Float {
            return Ok((card, None));
        }
        let comparison = self.comparison(dir, &card);
        match (&card.sibling, comparison) {
            (Some(sibling), Some(Comparison { best: false, looks })) => {
                let looks = looks.map(|(own, other)| (other, own));
                let card = model_folder::card(dir, sibling, task)?;
                Ok((card, Some(Comparison { best: true, looks })))
            }
            _ => Ok((card, comparison)),
        }
    }
}

/// A card, and how it does against its sibling where the two were compared.
pub(in crate::infer) type Choice = (Card, Option<Comparison>);

/// The card to use where `name` is configured: itself, or where it is of integers and this machine runs its float
/// sibling faster, that one. Who names the card of floats gets it.
///
/// # Errors
/// When the card is missing, not valid, or of another task.
pub(in crate::infer) fn choose(
    environment: &Environment,
    dir: &Path,
    name: &str,
    task: Task,
) -> Result<Choice, InferError> {
    Referee::new(environment).choose(dir, name, task)
}

/// A card among those of its folder.
#[derive(Debug)]
pub struct ModelEntry {
    /// Its name.
    pub name: String,
    /// The card, or what is wrong with it or with its model's file.
    pub card: Result<Card, InferError>,
    /// Whether it is taken, with the configuration as it is.
    pub in_use: bool,
    /// How it does against its sibling, where it has one.
    pub comparison: Option<Comparison>,
}

/// Every card in the folder of `config`, sorted by name. Siblings are timed where that was not done before, which
/// takes a second; without ONNX Runtime they are not compared.
#[must_use]
pub fn survey(config: &ModelsConfig) -> Vec<ModelEntry> {
    let environment = runtime::environment(config.onnxruntime.as_deref())
        .inspect_err(|error| tracing::warn!(%error, "models cannot be compared"))
        .ok();
    let referee = environment.as_ref().map(Referee::new);
    let taken = [
        (&config.motion, Task::Motion),
        (&config.person, Task::Person),
    ]
    .map(|(name, task)| {
        let choice = referee
            .as_ref()
            .and_then(|referee| referee.choose(&config.dir, name, task).ok());
        choice.map_or(name.clone(), |(card, _)| card.name)
    });
    let shelved = |(name, card): (String, Result<Card, InferError>)| ModelEntry {
        in_use: taken.contains(&name),
        comparison: referee
            .as_ref()
            .zip(card.as_ref().ok())
            .and_then(|(referee, card)| referee.comparison(&config.dir, card)),
        name,
        card,
    };
    model_folder::list(&config.dir)
        .into_iter()
        .map(shelved)
        .collect()
}

/// What this processor calls itself, and what matters most of what it can do. On Arm the name is the board's, or a
/// number.
fn processor() -> String {
    const NAMES: [&str; 4] = ["model name", "Model", "CPU implementer", "CPU part"];
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |wanted: &&str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == *wanted).then(|| value.trim())
        })
    };
    let mut parts = vec![env::consts::ARCH];
    parts.extend(NAMES.iter().filter_map(value));
    if has_int8_dot_products() {
        parts.push("int8 dot products");
    }
    parts.join(", ")
}

/// Whether this processor multiplies and adds 8-bit integers in one instruction (VNNI on x86, dot product on Arm).
fn has_int8_dot_products() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512vnni")
            || std::arch::is_x86_feature_detected!("avxvnni")
    }
    #[cfg(target_arch = "aarch64")]
    {
        std::arch::is_aarch64_feature_detected!("dotprod")
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        false
    }
}

#[cfg(test)]
#[path = "variants_tests.rs"]
mod tests;
