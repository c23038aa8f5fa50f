use std::path::{Path, PathBuf};

use chat_store::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tempfile::TempDir;

use crate::Failure;
use crate::world::World;

/// A world, and a database that it is in, which every server begins with a copy of.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) world: World,
    folder: TempDir,
}

impl Template {
    /// Makes the database through the store itself, only not kept on the disk after each step.
    pub(crate) fn make(world: World, within: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(within)?;
        let folder = tempfile::tempdir_in(within)?;
        let template = Self { world, folder };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(template.fill())?;
        Ok(template)
    }

    async fn fill(&self) -> Result<(), Failure> {
        let options = SqliteConnectOptions::new()
            .filename(self.database())
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off);
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await?;
        let store = SqliteStore::from_pool(pool);
        store.migrate().await?;
        self.world.fill(&store).await?;
        store.close().await;
        Ok(())
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("chat.db")
    }

    /// Makes a data folder, in the place of any other, with a copy of the database. Nothing of it is
    /// left for the disk to do later.
    pub(super) fn copy_to(&self, folder: &Path) -> Result<(), Failure> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        let copy = folder.join("chat.db");
        std::fs::copy(self.database(), &copy)?;
        Ok(std::fs::File::open(copy)?.sync_all()?)
    }

    /// Writes the world to a file, for a server that keeps it in memory.
    pub(super) fn write_to(&self, file: &Path) -> Result<(), Failure> {
        Ok(std::fs::write(file, serde_json::to_vec(&self.world)?)?)
    }
}
