//! What every room stands on and that knows nothing of surveillance: clocks, tasks, pools, links, back-off,
//! telemetry.
//!
//! Imports no room. `tasks` is the only place in the crate that starts a thread or an async task.

pub mod ageing;
pub mod backoff;
pub mod board;
pub mod clock;
pub mod colour;
pub mod cpu;
pub mod durable;
pub mod heartbeat;
pub mod http;
pub mod link;
pub mod live;
pub mod memory;
pub mod pool;
pub mod rate;
pub mod reserve;
pub mod seldom;
pub mod socket;
pub mod sqlite;
pub mod tasks;
pub mod telemetry;
pub mod zone;
