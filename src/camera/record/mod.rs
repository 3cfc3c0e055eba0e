//! Recording: packets of both streams wait in the pre-roll and become clips.
//!
//! | file | what it does |
//! |---|---|
//! | `job` | the job in its pool: waits, and calls the stage |
//! | `stage` | its steps, without thread or clock |
//! | `clip_entry` | what became of clips, entered in the outbox |

pub(super) mod clip_entry;
pub(super) mod job;
pub(super) mod stage;
