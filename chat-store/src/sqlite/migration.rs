use sqlx::migrate::Migrator;
use sqlx::{Row, SqliteConnection};

use super::SqliteStore;
use super::keys::SqliteKeys;
use crate::failure::Failure;
use crate::migration::Migrations;
use crate::rekey::Walk;
use crate::{OpenError, PendingMigration};

/// Where it is written down which migrations were applied: apart from a host's own.
const TABLE: &str = "chat_migration";

pub(super) const MIGRATIONS: Migrations = Migrations(&[
    (1, "initial", include_str!("../../migrations/sqlite/0001_initial.sql")),
    (2, "probe", include_str!("../../migrations/sqlite/0002_probe.sql")),
    (3, "head_follows", include_str!("../../migrations/sqlite/0003_head_follows.sql")),
    (4, "changes_by_seq", include_str!("../../migrations/sqlite/0004_changes_by_seq.sql")),
    (5, "client_ids_first", include_str!("../../migrations/sqlite/0005_client_ids_first.sql")),
    (6, "promotions", include_str!("../../migrations/sqlite/0006_promotions.sql")),
    (7, "text_keys", include_str!("../../migrations/sqlite/0007_text_keys.sql")),
    (8, "activity", include_str!("../../migrations/sqlite/0008_activity.sql")),
    (10, "visits", include_str!("../../migrations/sqlite/0010_visits.sql")),
]);

impl SqliteStore {
    /// Brings the database's tables up to what this version works with. To be called at every
    /// start, before anything else; when there is nothing to do it does nothing.
    ///
    /// Several processes may do this at once. Either all of it takes effect or nothing does, except
    /// that keys of names that are made by older rules are made anew in portions.
    ///
    /// # Errors
    ///
    /// [`OpenError::NewerSchema`] when the database has been used by a later version, and
    /// [`OpenError::Migration`] when a migration fails.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        let failed = |failure: Failure| OpenError::Migration(failure.into_cause());
        let outcome = self.writer.write(|connection| {
            Box::pin(async move {
                let applied = last(&applied(connection).await?);
                if let Err(newer) = MIGRATIONS.refuse_newer(applied) {
                    return Ok(Err(newer));
                }
                if let Err(error) = migrator().run_direct(None, &mut *connection, false).await {
                    return Err(Failure::Sql(error.into()));
                }
                Ok(Ok(Walk::due(&mut SqliteKeys(connection), applied == 0).await?))
            })
        });
        let mut due = outcome.await.map_err(failed)??;
        while let Some(walk) = due {
            let step = self.writer.write(|connection| {
                Box::pin(async move { walk.step(&mut SqliteKeys(connection)).await })
            });
            due = Some(step.await.map_err(failed)?).filter(|walk| !walk.is_over());
        }
        Ok(())
    }

    /// All migrations, the first first: what a database lacks that is not there yet.
    #[must_use]
    pub fn migrations() -> Vec<PendingMigration> {
        MIGRATIONS.after(0)
    }

    /// What [`migrate`](Self::migrate) would do, the first first.
    ///
    /// # Errors
    ///
    /// [`OpenError::NewerSchema`] when the database has been used by a later version.
    pub async fn pending_migrations(&self) -> Result<Vec<PendingMigration>, OpenError> {
        let unreadable = |error: Failure| OpenError::Unreadable(error.into_cause());
        let mut reader = self.reader().await.map_err(unreadable)?;
        let applied = applied(&mut reader).await.map_err(|error| unreadable(error.into()))?;
        let applied = last(&applied);
        MIGRATIONS.refuse_newer(applied)?;
        Ok(MIGRATIONS.after(applied))
    }
}

/// Refuses a database that a later version has been at work on.
pub(super) async fn refuse_newer(
    connection: &mut SqliteConnection,
) -> sqlx::Result<Result<(), OpenError>> {
    Ok(MIGRATIONS.refuse_newer(last(&applied(connection).await?)))
}

/// The migrations that were applied, the first first.
pub(super) async fn applied(connection: &mut SqliteConnection) -> sqlx::Result<Vec<i64>> {
    let exists = sqlx::query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")
        .bind(TABLE)
        .fetch_optional(&mut *connection)
        .await?;
    if exists.is_none() {
        return Ok(Vec::new());
    }
    let select = "SELECT version FROM chat_migration ORDER BY version";
    let rows = sqlx::query(select).fetch_all(connection).await?;
    rows.iter().map(|row| row.try_get("version")).collect()
}

/// The last of them; 0 before the first.
fn last(applied: &[i64]) -> i64 {
    applied.last().copied().unwrap_or(0)
}

fn migrator() -> Migrator {
    let mut migrator = Migrator::with_migrations(MIGRATIONS.scripts().collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator
}
