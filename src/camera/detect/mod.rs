//! Detection: packets of the watched stream become frames, inferences and incidents.
//!
//! | file | what it does |
//! |---|---|
//! | `job` | the job in its pool: waits, and calls the stage |
//! | `stage` | its steps, without thread or clock |
//! | `grid` | which frames are looked at; pure |
//! | `best_snapshot` | which frame an incident is shown by |
//! | `sharpness` | how sharp somebody is shown |

pub(super) mod best_snapshot;
mod grid;
pub(super) mod job;
pub(super) mod sharpness;
pub(super) mod stage;
