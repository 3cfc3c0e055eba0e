//! What `lares check` says of a hub: whether it could start, or runs.

use super::{BROKER, PAGE, STORE, needed::Needed, ports};
use crate::{HubError, broker, config::HubConfig};

/// Whether a hub with such a configuration could start, or is running; what it would say.
///
/// # Errors
/// One sentence that says what to do.
pub fn probe(config: &HubConfig) -> Result<String, HubError> {
    let mut doors = vec![(config.listen, PAGE)];
    let needed = Needed::of(config);
    if needed.broker {
        broker::is_installed()?;
        doors.push((config.broker_listen, BROKER));
    }
    if needed.store {
        doors.push((config.store_listen, STORE));
    }
    let count = doors.len();
    let taken: Vec<HubError> = doors
        .into_iter()
        .filter_map(|(address, door)| {
            let source = std::net::TcpListener::bind(address).err()?;
            Some(door.error(address, source))
        })
        .collect();
    // All of them at once are most likely taken by the hub itself.
    let running = taken.len() == count;
    match taken.into_iter().next() {
        Some(error) if !running => Err(error),
        _ => Ok(format!(
            "{} at {}{}",
            if running { "is open" } else { "can open" },
            ports::url(config, config.listen),
            ports::certificate(config)?
        )),
    }
}
