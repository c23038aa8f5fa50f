use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Failure;

/// What figures depend on, beside the code: nothing that would tell whose machine it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// How many processors, and what they call themselves.
    processors: usize,
    processor: String,
    memory_gib: f64,
    /// The version of Linux.
    kernel: String,
    /// The kind of the file system that databases are on.
    file_system: String,
    /// The version of the server and the harness.
    version: String,
}

impl Machine {
    /// This one, with databases in a folder.
    pub(crate) fn of(folder: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let read = |path: &str| std::fs::read_to_string(path);
        let processors = read("/proc/cpuinfo")?;
        let mut names = processors.lines().filter(|line| line.starts_with("model name"));
        let name = names.next().and_then(|line| line.split_once(':'));
        let memory = read("/proc/meminfo")?;
        let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kib: f64 = memory.ok_or("no MemTotal")?.trim().trim_end_matches(" kB").parse()?;
        Ok(Self {
            processors: processors.lines().filter(|line| line.starts_with("processor")).count(),
            processor: name.map_or("unknown", |(_, name)| name.trim()).into(),
            memory_gib: kib / 1_048_576.0,
            kernel: release(&read("/proc/sys/kernel/osrelease")?).into(),
            file_system: file_system(&read("/proc/self/mounts")?, &folder).into(),
            version: env!("CARGO_PKG_VERSION").into(),
        })
    }
}

/// A kernel's version without what a distribution has added.
fn release(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    &text[..end.unwrap_or(text.len())]
}

/// The kind of the file system that a folder is in: that of the longest mount point above it, and of
/// those that are equal the last one.
fn file_system<'m>(mounts: &'m str, folder: &Path) -> &'m str {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounts.filter(|(point, _)| folder.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map_or("unknown", |(_, kind)| kind)
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processors, processor, memory_gib, kernel, file_system, version } = self;
        write!(
            f,
            "version {version}; {processors} processors ({processor}), {memory_gib:.0} GiB of memory, \
             Linux {kernel}, databases on {file_system}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts_and_the_last_of_two() {
        let mounts =
            "a / ext4 rw 0 0\nb /data xfs rw 0 0\nc /data btrfs rw 0 0\nd /dat tmpfs rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/data/load")), "btrfs");
        assert_eq!(file_system(mounts, Path::new("/home")), "ext4");
    }

    #[test]
    fn a_kernel_is_told_by_its_numbers() {
        assert_eq!(release("6.18.44-some-9\n"), "6.18.44");
        assert_eq!(release("6.1"), "6.1");
    }

    #[test]
    fn this_machine_is_described() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::of(folder.path()).unwrap();
        assert!(machine.processors > 0 && machine.memory_gib > 0.0, "{machine}");
    }
}
