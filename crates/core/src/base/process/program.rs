//! What a program does at its edges: it starts its log, waits for the signal to stop, and says what went wrong.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::base::telemetry::{LogStyle, start_log};

/// How long a command without a configured grace may take to stop.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

/// Starts the log on stderr.
///
/// # Errors
/// When the filter cannot be read; says how to write one.
pub fn start_logging(style: &LogStyle) -> anyhow::Result<()> {
    start_log(style).map_err(|error| {
        anyhow::anyhow!("the log filter cannot be read ({error}): write error, warn, info, debug, or a filter like \"info,lares=debug\"")
    })
}

/// Waits for Ctrl-C or SIGTERM, or until `token` is cancelled by something else.
///
/// # Errors
/// When the system lets nobody listen for signals.
pub async fn asked_to_stop(token: CancellationToken) -> io::Result<()> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = token.cancelled() => {}
    }
    Ok(())
}

/// An error with its causes, each said once: many an error says its cause in its own sentence.
#[must_use]
pub fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// The exit status of the program `name`; an error is said on stderr first. A reader of stdout who has gone is no fault.
#[must_use]
pub fn exit(name: &str, result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{name}: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// Whether the reader of stdout has gone.
#[must_use]
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{}", format!("a.toml cannot be read ({})", self.0))]
    struct Unreadable(#[source] io::Error);

    #[test]
    fn a_cause_is_said_once() {
        let cause = || io::Error::from(io::ErrorKind::NotFound);
        let said = sentence(&Unreadable(cause()).into());
        assert_eq!(said.matches(&cause().to_string()).count(), 1, "{said}");
        let said = sentence(&anyhow::Error::from(cause()).context("cannot write"));
        assert_eq!(said, format!("cannot write: {}", cause()));
    }

    #[test]
    fn only_a_reader_who_has_gone_is_no_fault() {
        let ends = |kind: io::ErrorKind| exit("test", Err(io::Error::from(kind).into()));
        let same = |a: ExitCode, b: ExitCode| format!("{a:?}") == format!("{b:?}");
        assert!(same(ends(io::ErrorKind::BrokenPipe), ExitCode::SUCCESS));
        assert!(same(ends(io::ErrorKind::NotFound), ExitCode::FAILURE));
    }
}
