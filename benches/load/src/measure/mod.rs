//! What a process has used, and how long things took.

mod disk;
mod latency;
mod process;

pub(crate) use disk::flushes;
pub(crate) use latency::{Latencies, Percentiles};
pub(crate) use process::{Processor, resident_bytes};
