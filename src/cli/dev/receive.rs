//! `lares receive`: receives a camera and throws everything away. Not listed: what receiving costs by itself, for `lares bench`.

use std::{process::ExitCode, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    base::{
        clock::{Clock, SystemClock},
        cpu::StageCpu,
        program,
        tasks::Tasks,
    },
    cli::shutdown,
    config::SourceConfig,
    flow::{Packet, StreamRole},
    ingest::{PacketSink, Receiving, RtspSource, SourceState},
};

/// Receive a camera until stopped, and keep nothing
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct ReceiveArgs {
    /// The camera's address, without a login
    url: Url,
}

/// Where packets end.
struct Nowhere;

impl PacketSink for Nowhere {
    fn packet(&mut self, _packet: Packet) {}

    fn state(&mut self, state: SourceState) {
        tracing::debug!(?state, "camera");
    }

    /// As for a camera that is asleep.
    fn attention(&self) -> Option<watch::Receiver<bool>> {
        Some(watch::channel(false).1)
    }
}

/// Runs the command.
///
/// # Errors
/// When the system has no thread to give.
pub(in crate::cli) fn run(args: &ReceiveArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = Tasks::new(runtime.handle().clone(), CancellationToken::new());
    let receiving = Receiving::start()?;
    let clock: Arc<dyn Clock> = SystemClock::start();
    let source = RtspSource::new(
        SourceConfig::open(args.url.clone()),
        StreamRole::Sub,
        clock,
        StageCpu::default(),
    );
    let on = receiving.tasks(&tasks);
    on.spawn("receive", source.run(Box::new(Nowhere), on.token().clone()));
    runtime.block_on(shutdown::asked(CancellationToken::new()))?;
    let stubborn = on.close(program::STOP_GRACE);
    Ok(if stubborn.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
