//! What is counted: the instructions of the hot paths, under valgrind's callgrind.
//!
//! Inputs are fixed, and whatever a function needs is made before it and dropped after it. What
//! the engine makes up itself, ids and times, is as long as any other.

mod access;
mod fan_out;
mod frames;
mod order_gate;

use gungraun::{Callgrind, LibraryBenchmarkConfig};

/// How everything here is counted.
fn instructions() -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    // No caches are simulated: no two processors have the same.
    config.tool(Callgrind::with_args(["--cache-sim=no"]));
    // What was freed is taken again without a search, whose length depends on all that was freed
    // before, and so on the seeds of hash maps: it made a fan-out shake by 3 %.
    config.env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=8192");
    config
}

/// Generates the harness, whose `main` is private.
mod harness {
    use gungraun::main;

    use crate::access::access;
    use crate::fan_out::fan_out;
    use crate::frames::frames;
    use crate::order_gate::order_gate;

    main!(
        config = super::instructions(),
        library_benchmark_groups = [frames, access, order_gate, fan_out]
    );

    pub(super) fn run() {
        main();
    }
}

/// Counts when cargo or the harness itself says so. `cargo test` starts benchmarks as well, to see
/// that they work, without valgrind or any need of it: there is nothing to do then.
fn main() {
    if std::env::args().any(|argument| argument == "--bench" || argument == "--gungraun-run") {
        harness::run();
    }
}
