use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// The command line.
    CommandLine,
}

/// Why a configuration is refused. Messages name the key, the value and what is allowed; secrets
/// are never shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// In which line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// There is no such key.
    #[error("there is no key {key:?} (from {origin}){}", did_you_mean(suggestion.as_deref()))]
    UnknownKey {
        /// The key given.
        key: String,
        /// Where it was given.
        origin: Origin,
        /// A key that looks like it.
        suggestion: Option<String>,
    },
    /// The value is of another type.
    #[error("{key} (from {origin}): {message}")]
    Type {
        /// Which key.
        key: String,
        /// Where its value comes from.
        origin: Origin,
        /// What is wrong.
        message: String,
    },
    /// The value is not allowed.
    #[error("{key} is {value}, but {allowed}")]
    Value {
        /// Which key.
        key: &'static str,
        /// The value; "not shown" for a secret.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The value of `--set` is not `key=value`.
    #[error("--set takes key=value, such as --set limits.page=20, not {0:?}")]
    Assignment(String),
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |key| format!("; did you mean {key}?"))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::CommandLine => f.write_str("the command line"),
        }
    }
}
