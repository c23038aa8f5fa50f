use std::time::{Duration, Instant};

use crate::Failure;

/// A tick of the system's clocks.
const TICK: Duration = Duration::from_millis(10);

/// More than this share of the machine used by others makes a figure doubtful.
pub(crate) const QUIET: f64 = 0.05;

/// Tells how much of the machine others use while something is measured.
#[derive(Debug)]
pub(super) struct Watch {
    since: Instant,
    all: Duration,
    own: Duration,
}

impl Watch {
    pub(super) fn begin() -> Result<Self, Failure> {
        let (all, own) = (all()?, own()?);
        Ok(Self { since: Instant::now(), all, own })
    }

    /// The share of all processors' time that neither this process nor its children used, which must
    /// have ended.
    pub(super) fn end(self) -> Result<f64, Failure> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let processors = processors.max(
            std::fs::read_to_string("/proc/stat")?
                .lines()
                .filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "))
                .count(),
        );
        let others = (all()? - self.all).saturating_sub(own()? - self.own);
        let time = self.since.elapsed().as_secs_f64() * processors as f64;
        Ok(others.as_secs_f64() / time)
    }
}

/// The time in which any processor did anything, or was taken away from this machine.
fn all() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().ok_or("an empty /proc/stat")?;
    let ticks = line.split_whitespace().skip(1).map(str::parse);
    let ticks: Vec<u32> = ticks.collect::<Result<_, _>>()?;
    // User, nice, system, idle, waiting, two kinds of interrupts, taken away.
    let busy = [0, 1, 2, 5, 6, 7].into_iter().filter_map(|place| ticks.get(place)).sum::<u32>();
    Ok(TICK * busy)
}

/// What this process and its children that have ended used.
fn own() -> Result<Duration, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("a strange /proc/self/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(4).map(str::parse);
    Ok(TICK * ticks.collect::<Result<Vec<u32>, _>>()?.into_iter().sum::<u32>())
}
