//! What fails around the outbox: links, brokers, stores, disks, clocks, power.

mod answers;
mod broker;
mod clocks;
mod cuts;
mod store;
