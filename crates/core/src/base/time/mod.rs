//! Time: clocks, the house's zone, what may go by age, how long to wait and how often.

pub mod ageing;
pub mod backoff;
pub mod clock;
pub mod rate;
pub mod zone;
