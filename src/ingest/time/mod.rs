//! The box's time for each timestamp of a stream (`timeline`), and whether its timestamps can be relied
//! on (`timestamp_check`). Pure.

pub(super) mod timeline;
mod timestamp_check;
