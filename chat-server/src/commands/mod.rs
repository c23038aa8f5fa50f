//! The command line.

mod config;
mod migrate;
mod seed;
mod serve;
mod token;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, Sources};
use crate::telemetry;

/// What a command ends with when it fails: a message, with its causes.
pub type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// A chat server.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Options {
    /// A TOML file with keys that differ from the defaults
    #[arg(long, global = true, value_name = "FILE", env = "CHAT_CONFIG")]
    config: Option<OsString>,
    /// The folder of the database and the secret (default: data)
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<String>,
    /// Any key of the configuration, such as limits.page=20
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C; a second one stops at once
    Serve(serve::Serve),
    /// Bring the database up to date and stop
    Migrate(migrate::Migrate),
    /// Fill the database with users, conversations and messages to look at
    Seed(seed::Seed),
    /// Print a token for a user, signed as the host signs them
    Token(token::Token),
    /// Look at the configuration
    Config(config::ConfigCommand),
}

impl Cli {
    /// Carries the command out.
    ///
    /// # Errors
    ///
    /// What went wrong, for people.
    pub async fn run(self) -> Result<(), CommandError> {
        let Self { options, command } = self;
        match command {
            Command::Serve(serve) => serve.run(&options).await,
            Command::Migrate(migrate) => migrate.run(&options).await,
            Command::Seed(seed) => seed.run(&options).await,
            Command::Token(token) => token.run(&options),
            Command::Config(config) => config.run(&options),
        }
    }
}

impl Options {
    fn sources(&self) -> Result<Sources, ConfigError> {
        let mut command_line = Vec::new();
        for text in &self.set {
            command_line.push(Sources::assignment(text)?);
        }
        command_line.extend(self.data.clone().map(|data| ("data".to_owned(), data)));
        let own = |name: &String| name != "CHAT_CONFIG";
        Ok(Sources {
            file: self.config.clone().filter(|path| !path.is_empty()).map(Into::into),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .filter(|(name, _)| own(name))
                .collect(),
            command_line,
            dev: false,
        })
    }
}

/// Loads the configuration and begins the log.
fn start(sources: &Sources) -> Result<Config, ConfigError> {
    let loaded = sources.load()?;
    telemetry::install(&loaded.config.log);
    for variable in loaded.unknown_variables {
        tracing::warn!(variable, "this environment variable sets no key of the configuration");
    }
    for variable in loaded.empty_variables {
        tracing::warn!(variable, "this environment variable is empty and sets nothing");
    }
    Ok(loaded.config)
}
