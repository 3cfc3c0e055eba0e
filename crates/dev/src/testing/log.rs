//! What the whole process writes into its log, kept in memory: for tests of what people are told.
//!
//! Tests that run in one process share it: ask for lines that hold something of your own, such as a port.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;

/// The log so far.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the log from the first call on.
///
/// # Panics
/// When something else has taken the log.
pub fn keep() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || writer.clone())
            .try_init()
            .expect("tests set up no other log");
        log
    })
}

impl Log {
    /// The lines that hold all of `words`.
    #[must_use]
    pub fn lines_with(&self, words: &[&str]) -> Vec<String> {
        String::from_utf8_lossy(&self.0.lock())
            .lines()
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .map(str::to_owned)
            .collect()
    }
}
