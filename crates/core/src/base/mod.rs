//! What every room stands on and that knows nothing of surveillance: clocks, tasks, pools, links, back-off,
//! telemetry.
//!
//! | folder | what is in it |
//! |---|---|
//! | `time` | clocks and zones, ages, how long to wait and how often |
//! | `work` | threads, tasks and pools, the queues between them, their signs of life |
//! | `disk` | files and databases that survive a power cut, and room for them |
//! | `report` | log, metrics, states, CPU time |
//! | `process` | what is asked of the system for the whole process |
//!
//! Others name what is inside without the folder: `base::clock`. Imports no room but `flow`. `tasks` is the only place in
//! the whole house that starts a thread or an async task.

pub mod colour;
mod disk;
mod process;
pub mod recordings;
mod report;
mod time;
mod work;

pub use disk::{durable, reserve, sqlite};
pub use process::{memory, program, socket};
pub use report::{cpu, health_registry, log_throttle, telemetry};
pub use time::{ageing, backoff, clock, rate, zone};
pub use work::{evidence, heartbeat, link, live, pool, tasks};
