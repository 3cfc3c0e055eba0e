//! Files and databases that survive a power cut, and room for them.

pub mod durable;
pub mod reserve;
pub mod sqlite;
