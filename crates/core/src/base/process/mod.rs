//! What is asked of the system for the process as a whole: its edges, its memory, its sockets.

pub mod memory;
pub mod program;
pub mod socket;
