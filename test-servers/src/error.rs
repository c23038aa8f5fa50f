use std::io;

/// Why a server could not be started or controlled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A program is not installed.
    #[error("{program} is missing: install it, such as with 'apt-get install {package}'")]
    Missing {
        /// Which.
        program: &'static str,
        /// Where Debian has it.
        package: &'static str,
    },
    /// A program could not be run, or a file not be written.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system says.
        source: io::Error,
    },
    /// A program failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: String,
        /// What it said.
        said: String,
    },
    /// A server ended, or did not answer in time.
    #[error("{server} did not {what}; the end of its log:\n{log}")]
    Server {
        /// Which.
        server: &'static str,
        /// What it should have done.
        what: &'static str,
        /// What it wrote last.
        log: String,
    },
}

impl ServerError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

pub(crate) const fn not_running(server: &'static str) -> ServerError {
    ServerError::Server { server, what: "run", log: String::new() }
}
