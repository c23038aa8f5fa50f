use std::path::PathBuf;

use clap::Args;

use crate::Failure;
use crate::output::write_report;

/// `chat-load report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// Where the records are
    #[arg(long, default_value = "target/load")]
    folder: PathBuf,
    /// Where the page goes
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
}

impl Report {
    pub(super) fn run(&self) -> Result<(), Failure> {
        write_report(&self.folder, &self.docs)
    }
}
