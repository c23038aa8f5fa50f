use std::path::PathBuf;

use clap::Args;

use crate::Failure;

/// Which programs run where.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// The server's binary (default: `chat-server` beside this one)
    #[arg(long)]
    pub(crate) server: Option<PathBuf>,
    /// The processor that servers run on
    #[arg(long, default_value_t = 0)]
    pub(crate) server_core: usize,
    /// The processor that the generator runs on
    #[arg(long, default_value_t = 1)]
    pub(crate) client_core: usize,
    /// Let the system choose processors: for tests of the harness, whose figures mean nothing
    #[arg(long)]
    pub(crate) unpinned: bool,
    /// How long a server is left alone before and after what is measured, in milliseconds: until what
    /// it holds back at first has gone out
    #[arg(long, default_value_t = 500)]
    pub(crate) rest_ms: u64,
    /// Where results, and databases while they are used, are put
    #[arg(long, default_value = "target/load")]
    pub(crate) folder: PathBuf,
}

impl Settings {
    /// The server's binary.
    pub(crate) fn server(&self) -> Result<PathBuf, Failure> {
        let path = match &self.server {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("chat-server"),
        };
        if !path.is_file() {
            return Err(format!("there is no {}: build chat-server first", path.display()).into());
        }
        Ok(path)
    }
}
