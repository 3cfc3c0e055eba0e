//! Finding and loading the ONNX Runtime library, once for the process.

use std::{
    env,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use ort::{LoadDynamicError, environment::Environment};
use parking_lot::Mutex;

use super::InferError;

const LIBRARY: &str = "libonnxruntime.so";
const VENDORED: &str = "vendor/onnxruntime/lib/libonnxruntime.so";

/// ONNX Runtime allows one environment for the life of a process.
static LOADED: Mutex<Option<Environment>> = Mutex::new(None);

/// The process's environment; loads the library at the first call.
///
/// Looked for at `configured`, in the environment variable `ORT_DYLIB_PATH`, in `vendor/` (set-up puts it there;
/// seen from the working directory and from the program), and last among the system's libraries. The first two are
/// an explicit wish: when they cannot be used nothing else is tried.
///
/// # Errors
/// When there is no library, when it cannot be loaded, or when it is too old.
pub(super) fn environment(configured: Option<&Path>) -> Result<Environment, InferError> {
    let mut loaded = LOADED.lock();
    if let Some(environment) = &*loaded {
        return Ok(environment.clone());
    }
    let wish = configured.map(Path::to_path_buf).or_else(|| {
        env::var_os("ORT_DYLIB_PATH")
            .filter(|p| !p.is_empty())
            .map(PathBuf::from)
    });
    let path = find(wish.as_deref(), &vendored())?;
    let environment = ort::init_from(&path)
        .map_err(|error| explain(&path, error))?
        .with_name("lares")
        .with_telemetry(false)
        .build()
        .map_err(|error| InferError::RuntimeUnusable {
            path: path.clone(),
            reason: error.to_string(),
        })?;
    tracing::debug!(library = %path.display(), "ONNX Runtime loaded");
    Ok(loaded.insert(environment).clone())
}

/// Where set-up may have put the library. Programs of a working tree lie in `target/PROFILE`, tests one deeper.
fn vendored() -> Vec<PathBuf> {
    let mut places = Vec::new();
    places.extend(env::current_dir().ok().map(|dir| dir.join(VENDORED)));
    if let Ok(program) = env::current_exe() {
        places.extend(
            program
                .ancestors()
                .skip(1)
                .take(4)
                .map(|dir| dir.join(VENDORED)),
        );
    }
    places
}

/// The library's path, or its bare name where only the system's loader can tell.
fn find(wish: Option<&Path>, vendored: &[PathBuf]) -> Result<PathBuf, InferError> {
    if let Some(path) = wish {
        check_file(path)?;
        // A relative path would be looked up beside the program first.
        return std::path::absolute(path).map_err(|error| InferError::RuntimeUnusable {
            path: path.to_path_buf(),
            reason: error.to_string(),
        });
    }
    match vendored.iter().find(|path| path.exists()) {
        Some(path) => check_file(path).map(|()| path.clone()),
        None => Ok(PathBuf::from(LIBRARY)),
    }
}

/// Loading anything but a shared library could end in a panic inside the loader: look before.
fn check_file(path: &Path) -> Result<(), InferError> {
    const ELF: [u8; 4] = *b"\x7fELF";
    if path.is_dir() {
        return Err(unusable(path, "it is a folder: name the library in it"));
    }
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) if magic == ELF => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(InferError::RuntimeMissing {
                tried: path.display().to_string(),
            })
        }
        Ok(()) => Err(unusable(path, "it is not a shared library")),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

fn unusable(path: &Path, reason: &str) -> InferError {
    InferError::RuntimeUnusable {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    }
}

fn explain(path: &Path, error: LoadDynamicError) -> InferError {
    match error {
        LoadDynamicError::BadVersion { version_str, path } => InferError::RuntimeTooOld {
            path,
            version: version_str,
            needed: ort::MINOR_VERSION,
        },
        LoadDynamicError::Dlopen { .. } if path == Path::new(LIBRARY) => {
            InferError::RuntimeMissing {
                tried: format!(
                    "models.onnxruntime, ORT_DYLIB_PATH, {VENDORED} and the system's {LIBRARY}"
                ),
            }
        }
        LoadDynamicError::MissingApi { .. } => unusable(path, "it is another library"),
        other => unusable(path, &other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_that_is_no_library_is_told_and_not_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("none.so");
        let text = find(Some(&missing), &[]).unwrap_err().to_string();
        assert!(
            text.contains("none.so") && text.contains("make setup"),
            "{text}"
        );

        let script = dir.path().join("fake.so");
        std::fs::write(&script, "GROUP ( libc.so.6 )").unwrap();
        let text = find(Some(&script), &[]).unwrap_err().to_string();
        assert!(text.contains("not a shared library"), "{text}");
        std::fs::write(&script, "x").unwrap();
        assert!(find(Some(&script), &[]).is_err());
        let text = find(Some(dir.path()), &[]).unwrap_err().to_string();
        assert!(
            text.contains("is a folder") && !text.contains("os error"),
            "{text}"
        );
    }

    #[test]
    fn the_vendored_library_goes_before_the_systems() {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("libonnxruntime.so");
        assert_eq!(
            find(None, std::slice::from_ref(&library)).unwrap(),
            Path::new(LIBRARY)
        );
        std::fs::write(&library, b"\x7fELF....").unwrap();
        assert_eq!(find(None, std::slice::from_ref(&library)).unwrap(), library);
    }

    #[test]
    fn loader_errors_become_sentences() {
        let old = LoadDynamicError::BadVersion {
            version_str: "1.17.3".into(),
            path: "/opt/libonnxruntime.so".into(),
        };
        let text = explain(Path::new("/opt/libonnxruntime.so"), old).to_string();
        assert!(
            text.contains("ONNX Runtime 1.17.3") && text.contains("at least 1."),
            "{text}"
        );
        let other = LoadDynamicError::MissingApi {
            path: "/opt/libc.so".into(),
        };
        assert!(
            explain(Path::new("/opt/libc.so"), other)
                .to_string()
                .contains("another library")
        );
    }

    #[test]
    fn the_library_of_the_setup_loads() {
        crate::testing::models::require();
        environment(None).unwrap();
        environment(None).unwrap();
    }
}
