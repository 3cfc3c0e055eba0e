//! What can go wrong with models, each in one sentence that says what to do next.

use std::path::PathBuf;

/// Why a model could not be loaded or run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InferError {
    /// No library at any of the places.
    #[error(
        "ONNX Runtime was not found (looked for {tried}): run `make setup` or set models.onnxruntime"
    )]
    RuntimeMissing {
        /// Places that were looked at, in order.
        tried: String,
    },
    /// There is a file, but it cannot be used as the library.
    #[error(
        "{} cannot be used as ONNX Runtime ({reason}): run `make setup` or set models.onnxruntime",
        path.display()
    )]
    RuntimeUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The library is older than the interface that is used.
    #[error(
        "{} is ONNX Runtime {version}, but at least 1.{needed} is needed: run `make setup` or set models.onnxruntime",
        path.display()
    )]
    RuntimeTooOld {
        /// The library.
        path: PathBuf,
        /// Its version.
        version: String,
        /// The oldest minor version that will do.
        needed: u32,
    },
    /// There is no card of that name.
    #[error("there is no model card {}: {hint}", path.display())]
    NoCard {
        /// Where it should be.
        path: PathBuf,
        /// What to do: which cards there are, or where they may be.
        hint: String,
    },
    /// The card cannot be read or makes no sense.
    #[error("the model card {} is not valid: {reason}", path.display())]
    BadCard {
        /// The card.
        path: PathBuf,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The model's file is missing.
    #[error("{} cannot be read ({reason}): fetch it again with `git checkout` or `make models`", path.display())]
    NoModel {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The model's file is not the one that its card tells of.
    #[error(
        "{} does not match its card (sha256 {found}): fetch it again with `git checkout` or `make models`",
        path.display()
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Its sha256.
        found: String,
    },
    /// ONNX Runtime refuses the model.
    #[error(
        "ONNX Runtime cannot load the model {model} ({reason}): use a model for this version or update the runtime"
    )]
    Refused {
        /// The card's name.
        model: String,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// Inputs or outputs are not what the card says.
    #[error(
        "the model {model} is not what its card says ({reason}): correct the card or choose another model"
    )]
    Interface {
        /// The card's name.
        model: String,
        /// The first difference.
        reason: String,
    },
    /// A run failed.
    #[error(
        "a look of the model {model} failed ({reason}); the next picture is tried all the same"
    )]
    Run {
        /// The card's name.
        model: String,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// A picture that cannot be what it says.
    #[error("a decoded picture is unusable ({0}); the next one is tried all the same")]
    BadFrame(String),
    /// The agent is stopping.
    #[error("the models have been stopped")]
    Stopped,
    /// The system gave no thread.
    #[error("no thread for the model {model} ({reason}): raise the limit of threads for this user")]
    Thread {
        /// The card's name.
        model: String,
        /// What the system says.
        reason: String,
    },
}
