//! Obeys what the hub asks, one command at a time, on a thread of its own: a command writes to the disk.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::cameras::Cameras;
use crate::{
    base::tasks::Tasks,
    outbox::{Outbox, OutboxError, sinks::HubCommand},
};

/// Starts the thread.
pub(super) fn start(
    tasks: &Tasks,
    mut commands: mpsc::Receiver<HubCommand>,
    cameras: &Arc<Cameras>,
    outbox: &Arc<Outbox>,
) -> std::io::Result<()> {
    let (stop, runtime) = (tasks.token().clone(), tasks.runtime().clone());
    let (cameras, outbox) = (cameras.clone(), outbox.clone());
    tasks.thread("commands", move || {
        loop {
            let command = runtime.block_on(async {
                tokio::select! {
                    command = commands.recv() => command,
                    () = stop.cancelled() => None,
                }
            });
            let Some(command) = command else { return };
            if let Err(error) = obey(&command, &cameras, &outbox) {
                tracing::warn!(?command, %error, "a command could not be carried out");
            }
        }
    })
}

fn obey(command: &HubCommand, cameras: &Cameras, outbox: &Outbox) -> Result<(), OutboxError> {
    match command {
        HubCommand::SetMode {
            camera,
            mode,
            account,
        } => cameras.set_mode(camera, *mode, account.as_deref()),
        HubCommand::Resend { from, to } => outbox.resend(*from, *to).map(drop),
        HubCommand::Retry { incident } => outbox.retry(*incident).map(drop),
    }
}
