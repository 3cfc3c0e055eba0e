//! What was committed, told to a test that pulls the plug (`make crash-test`): one JSON line for each row.
//!
//! In: the rows of a transaction. Out: lines in a pipe, written right after the commit and before the database is let go,
//! so that nothing else has happened in between. Only in a build with the feature `crash-test`, which a package is not, and
//! only when the agent is started with `LARES_WITNESS`.
//!
//! ```text
//! {"kind":"alert","id":"01…","seq":2,"state":"updated","sha256":"…"}
//! {"kind":"media","id":"01…","seq":1,"key":"v1/…/sub/00001.m4s","sha256":"…"}
//! ```
//!
//! The sum of an alert is taken over its facts as JSON with sorted names and no blanks; `seq` of an object rises when its
//! content is replaced. Playlists and `incident.json` are composed when they leave: their sum is `null`.

#[cfg(feature = "crash-test")]
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use serde::Serialize;
use sha2::{Digest, Sha256};

#[cfg(feature = "crash-test")]
use crate::outbox::OutboxError;
use crate::{flow::IncidentId, wire::Facts};

/// Environment variable with the path of the pipe.
#[cfg(feature = "crash-test")]
pub const VARIABLE: &str = "LARES_WITNESS";

/// The writing end of the pipe.
#[cfg(feature = "crash-test")]
pub(in crate::outbox) struct Witness(File);

#[derive(Serialize)]
struct Line<'a> {
    kind: &'a str,
    id: IncidentId,
    seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    sha256: Option<String>,
}

impl Line<'_> {
    fn text(&self) -> String {
        let mut text = serde_json::to_string(self).expect("plain data always serialises");
        text.push('\n');
        text
    }
}

/// The line of an alert.
pub(in crate::outbox) fn alert(facts: &Facts, json: &str) -> String {
    // A JSON object of this library sorts its names.
    let sorted = serde_json::from_str::<serde_json::Value>(json).map(|value| value.to_string());
    Line {
        kind: "alert",
        id: facts.id,
        seq: facts.seq.into(),
        state: Some(facts.state.as_str()),
        key: None,
        sha256: sorted.ok().map(|text| hex::encode(Sha256::digest(text))),
    }
    .text()
}

/// The line of an object.
pub(in crate::outbox) fn object(
    kind: &str,
    id: IncidentId,
    version: i64,
    key: &str,
    sha256: Option<[u8; 32]>,
) -> String {
    Line {
        kind,
        id,
        seq: version,
        state: None,
        key: Some(key),
        sha256: sha256.map(hex::encode),
    }
    .text()
}

#[cfg(feature = "crash-test")]
impl Witness {
    pub(in crate::outbox) fn open(path: &Path) -> Result<Self, OutboxError> {
        let pipe = OpenOptions::new().write(true).open(path);
        pipe.map(Self)
            .map_err(|error| OutboxError::file(path, "written", error))
    }

    /// One write for each line: shorter than `PIPE_BUF`, so it gets through whole or not at all.
    pub(in crate::outbox) fn tell(&self, lines: &[String]) {
        for line in lines {
            match (&self.0).write_all(line.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    tracing::error!(%error, "the witness cannot be told");
                }
                _ => {}
            }
        }
    }
}
