use clap::Args;

use super::{CommandError, Options, start};
use crate::{DataFolder, Database};

/// `chat-server migrate`. `serve` does the same when it starts; this is for doing it beforehand.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Change nothing: print what is pending, and fail if there is any
    #[arg(long)]
    check: bool,
}

impl Migrate {
    pub(super) async fn run(self, options: &Options) -> Result<(), CommandError> {
        let config = start(&options.sources()?)?;
        let _folder = match &config.store.url {
            None if !self.check => Some(DataFolder::open(&config.data)?),
            _ => None,
        };
        let place = match &config.store.url {
            Some(url) => url.to_string(),
            None => format!("the database in {}", config.data.display()),
        };
        let database = if self.check {
            if config.store.url.is_none() {
                DataFolder::open_shared(&config.data)?;
            }
            Database::open_shared(&config).await?
        } else {
            Database::open(&config).await?
        };
        let pending = database.pending_migrations().await?;
        if !self.check {
            database.migrate().await?;
        }
        database.close().await;
        if self.check && !pending.is_empty() {
            for migration in &pending {
                println!("{} {}", migration.version, migration.description);
            }
            return Err(format!("{place} is not up to date: run chat-server migrate").into());
        }
        println!("{place} is up to date");
        Ok(())
    }
}
