//! Work that goes on by itself: threads, tasks, pools, the queues between them, and who has not been heard of.

pub mod evidence;
pub mod heartbeat;
pub mod link;
pub mod live;
pub mod pool;
pub mod tasks;
