use clap::Args;

use super::{CommandError, Options, start};
use crate::{DataFolder, Database, database};

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
        let (_, place) = database::place(&config);
        if self.check {
            if config.store.url.is_none() {
                DataFolder::open_shared(&config.data)?;
            }
            let pending = Database::pending(&config).await?;
            for migration in &pending {
                println!("{} {}", migration.version, migration.description);
            }
            if !pending.is_empty() {
                let told = format!("{place} is not up to date: run chat-server migrate");
                return Err(told.into());
            }
        } else {
            let _folder = match &config.store.url {
                None => Some(DataFolder::open(&config.data)?),
                Some(_) => None,
            };
            let database = Database::open(&config).await?;
            database.migrate().await?;
            database.close().await;
        }
        println!("{place} is up to date");
        Ok(())
    }
}
