use clap::{Args, Subcommand};

use super::{CommandError, Options};

/// `chat-server config`.
#[derive(Debug, Args)]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say whether the server would start with it
    Check,
    /// Print every key with its value; secrets are not shown
    Print,
}

impl ConfigCommand {
    pub(super) fn run(self, options: &Options) -> Result<(), CommandError> {
        let loaded = options.sources()?.load()?;
        for variable in &loaded.empty_variables {
            eprintln!("{variable} is empty and sets nothing");
        }
        match self.action {
            Action::Check if loaded.unknown_variables.is_empty() => {
                println!("the configuration is good");
                Ok(())
            }
            Action::Check => {
                let variables = loaded.unknown_variables.join(", ");
                Err(format!("these environment variables set no key: {variables}").into())
            }
            Action::Print => {
                print!("{}", loaded.config.to_toml());
                Ok(())
            }
        }
    }
}
