use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::Failure;

/// `chat-load pinned 0 -- program arguments…`.
#[derive(Debug, Args)]
pub(super) struct Pinned {
    /// The processor, from 0
    core: usize,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

impl Pinned {
    pub(super) fn run(self) -> Result<(), Failure> {
        pin(self.core)?;
        let (program, arguments) = self.program.split_first().ok_or("a program is needed")?;
        Err(Command::new(program).args(arguments).exec().into())
    }
}

/// Keeps this thread, and those that it starts, on one processor.
pub(crate) fn pin(core: usize) -> Result<(), Failure> {
    let mut processors = CpuSet::new();
    processors.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &processors)
        .map_err(|error| format!("processor {core} cannot be had: {error}").into())
}
