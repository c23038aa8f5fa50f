#![doc = include_str!("../README.md")]

mod cpu;
mod databases;
mod side_by_side;

use tokio::runtime::Runtime;

pub use chat_bench_room::{Room, TEXT};
pub use cpu::cpu_time;
pub use databases::{Databases, one_by_one};
pub use side_by_side::{Durations, SideBySide};

/// A runtime on two threads, the smallest on which anything runs beside anything.
///
/// # Panics
///
/// When the system gives no threads.
#[must_use]
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("threads to run on")
}
