#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests may"))]

mod client;
mod commands;
mod compare;
mod limit;
mod measure;
mod output;
mod scenario;
mod target;
mod world;

use std::process::ExitCode;

use clap::Parser;

/// What went wrong, for the person who measures.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match commands::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
