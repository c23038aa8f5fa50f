use chat_store::SqliteStore;

use super::{CommandError, Options, start};
use crate::DataFolder;

/// `chat-server migrate`. `serve` does the same when it starts; this is for doing it beforehand.
pub(super) async fn run(options: &Options) -> Result<(), CommandError> {
    let config = start(&options.sources()?)?;
    let folder = DataFolder::open(&config.data)?;
    let store = SqliteStore::open(&folder.database_location()).await?;
    store.migrate().await?;
    store.close().await;
    println!("{} is up to date", folder.database_location());
    Ok(())
}
