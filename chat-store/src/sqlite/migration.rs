use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Row, SqlSafeStr, SqliteConnection};

use super::error::Failure;
use super::{OpenError, SqliteStore};

/// Where it is written down which migrations were applied: apart from a host's own.
const TABLE: &str = "chat_migration";

/// All migrations, the oldest first. One that was released is never changed.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("../../migrations/sqlite/0001_initial.sql")),
    (2, "probe", include_str!("../../migrations/sqlite/0002_probe.sql")),
];

/// The schema that this version works with.
const LATEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

impl SqliteStore {
    /// Brings the database's tables up to what this version works with. To be called at every
    /// start, before anything else; when there is nothing to do it does nothing.
    ///
    /// Several processes may do this at once. Either all of it takes effect or nothing does.
    ///
    /// # Errors
    ///
    /// [`OpenError::NewerSchema`] when the database has been used by a later version, and
    /// [`OpenError::Migration`] when a migration fails.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        let outcome = self.writer.write(|connection| {
            Box::pin(async move {
                let applied = applied(connection).await?;
                if applied > LATEST {
                    return Ok(Err(OpenError::NewerSchema { found: applied, known: LATEST }));
                }
                if let Err(error) = migrator().run_direct(None, connection, false).await {
                    return Err(Failure::Sql(error.into()));
                }
                Ok(Ok(()))
            })
        });
        outcome.await.map_err(|failure| OpenError::Migration(failure.into()))?
    }
}

/// Refuses a database that a later version has been at work on.
pub(super) async fn refuse_newer(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let found = applied(connection).await.map_err(|error| OpenError::Unreadable(error.into()))?;
    if found > LATEST {
        return Err(OpenError::NewerSchema { found, known: LATEST });
    }
    Ok(())
}

/// The last migration that was applied; 0 before the first.
async fn applied(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    let exists = sqlx::query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")
        .bind(TABLE)
        .fetch_optional(&mut *connection)
        .await?;
    if exists.is_none() {
        return Ok(0);
    }
    let row = sqlx::query("SELECT coalesce(max(version), 0) AS version FROM chat_migration")
        .fetch_one(connection)
        .await?;
    row.try_get("version")
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator
}
