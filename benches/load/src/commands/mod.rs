//! The command line.

mod pinned;
mod report;
mod run;

use clap::{Parser, Subcommand};

use crate::Failure;
use crate::limit::Limit;
use crate::target::Serve;

pub(crate) use pinned::pin;

/// Measures the chat server beside the limits of what any server could do.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Do what a scenario says, and print what came of it
    Run(run::Run),
    /// Write a page with pictures from what runs have recorded
    Report(report::Report),
    /// Serve as a limit
    Limit(Limit),
    /// Serve the engine on a store that the server does not offer
    Serve(Serve),
    /// Become another program that runs on one processor only
    Pinned(pinned::Pinned),
}

impl Cli {
    /// Carries the command out.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Report(report) => report.run(),
            Command::Limit(limit) => limit.run(),
            Command::Serve(serve) => serve.run(),
            Command::Pinned(pinned) => pinned.run(),
        }
    }
}
