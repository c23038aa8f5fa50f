use std::time::Duration;

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

use crate::Failure;

/// The processor clock of a process: the nanoseconds in which any thread of it ran, those that have
/// ended among them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processor(ClockId);

impl Processor {
    /// That of a process, by its id.
    pub(crate) fn of(process: u32) -> Result<Self, Failure> {
        Ok(Self(clock_getcpuclockid(Pid::from_raw(process.try_into()?))?))
    }

    /// What it shows now.
    pub(crate) fn now(self) -> Result<Duration, Failure> {
        Ok(Duration::from_nanos(self.0.now()?.num_nanoseconds().try_into()?))
    }
}

/// The memory of a process that is in RAM now.
pub(crate) fn resident_bytes(process: u32) -> Result<u64, Failure> {
    let map = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = map.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("no Rss")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_threads_that_have_ended() {
        let clock = Processor::of(std::process::id()).unwrap();
        let before = clock.now().unwrap();
        let work = || (0..20_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        std::thread::spawn(work).join().unwrap();
        assert!(clock.now().unwrap() - before > Duration::from_millis(1));
    }

    #[test]
    fn memory_is_counted() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
    }
}
