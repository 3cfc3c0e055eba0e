//! Is the ledger whole, and the one that others saw? In: the chain, and heads from the command line, from the data folder,
//! from a receiver's file and from the broker. Out: sentences, and an exit status.

use std::{io::Write, path::Path, process::ExitCode};

use anyhow::Context;
use rusqlite::Connection;

use crate::{
    app,
    config::Config,
    outbox::{
        ledger::{
            heads,
            verify::{Witness, verify},
        },
        sinks::kept_health,
    },
    wire::health::LedgerHead,
};

/// Everybody who may know a head, and what could not be asked.
pub(super) struct Witnesses {
    all: Vec<Witness>,
    /// One sentence for each source that did not answer.
    silent: Vec<String>,
}

/// Collects heads. `config`: whose broker is asked; none: nobody is.
///
/// # Errors
/// When a file that was named cannot be read.
pub(super) fn witnesses(
    dir: &Path,
    given: &[LedgerHead],
    file: Option<&Path>,
    config: Option<&Config>,
) -> anyhow::Result<Witnesses> {
    let mut all: Vec<Witness> = given
        .iter()
        .map(|head| Witness {
            name: "the command line".to_owned(),
            head: head.clone(),
        })
        .collect();
    if let Some(file) = file {
        let read = heads::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        all.extend(read);
    }
    let kept = heads::path(dir);
    if kept.exists() {
        all.extend(heads::read(&kept).with_context(|| format!("cannot read {}", kept.display()))?);
    }
    let mut silent = Vec::new();
    if let Some(config) = config
        && let Some(mqtt) = &config.mqtt
    {
        let site = app::site_id(config)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        match runtime.block_on(kept_health(mqtt, &site)) {
            Ok(Some(health)) => all.extend(health.ledger.map(|head| Witness {
                name: format!("the broker {}", mqtt.url),
                head,
            })),
            Ok(None) => silent.push(format!(
                "the broker {} keeps no health report of this home, or this user may not read it",
                mqtt.url
            )),
            Err(reason) => silent.push(reason),
        }
    }
    Ok(Witnesses { all, silent })
}

/// Checks, and says what was found.
///
/// # Errors
/// When the ledger cannot be read or the answer cannot be written.
pub(super) fn run(
    db: &Connection,
    witnesses: &Witnesses,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let verdict = verify(db, &witnesses.all)?;
    for fault in &verdict.faults {
        writeln!(out, "problem  {fault}")?;
    }
    for sentence in &witnesses.silent {
        writeln!(out, "advice   {sentence}")?;
    }
    if let Some(checkpoint) = &verdict.checkpoint {
        writeln!(
            out,
            "ok       records up to {} were cut off after 12 months; the checkpoint fits",
            checkpoint.through
        )?;
    }
    match &verdict.head {
        Some(head) => writeln!(out, "head     {}:{}", head.n, head.hash)?,
        None => writeln!(out, "head     none: the ledger is empty")?,
    }
    if verdict.too_old > 0 {
        writeln!(
            out,
            "advice   {} kept heads are older than the first record and were not compared",
            verdict.too_old
        )?;
    }
    if !verdict.faults.is_empty() {
        writeln!(
            out,
            "\nThis ledger is not what was written: see docs/ledger.md for what that means."
        )?;
        return Ok(ExitCode::FAILURE);
    }
    writeln!(
        out,
        "\nThe {} records fit together, and {} kept heads agree.",
        verdict.records, verdict.agreed
    )?;
    if verdict.agreed == 0 {
        writeln!(
            out,
            "Nobody else has seen this ledger yet: that its end was cut off could not be noticed."
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
