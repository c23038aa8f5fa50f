//! Migrations of a database that others may be using at this moment.
//!
//! All that is pending is done in one transaction, behind an advisory lock that ends with it: one
//! node migrates, and the others find nothing left to do. While a migration waits for a table,
//! everybody who comes after it waits, too; so it waits briefly, gives up, and comes back later.
//!
//! Nodes of the version before go on serving while a migration runs and after it. So a migration:
//!
//! * only adds: tables, columns that may be null or have a constant default, indexes. What nobody
//!   needs any more is dropped by a later version, when no node uses it;
//! * does not rewrite a table, nor walk through one that grows, under a lock that keeps writers
//!   out. `CREATE INDEX CONCURRENTLY`, which Postgres allows only outside of a transaction, and
//!   filling a new column, in bounded portions, are steps of their own after the transaction,
//!   written so that they may be repeated;
//! * locks tables in the order of their names, and few.

use std::time::Duration;

use sqlx::migrate::Migration;
use tokio::time::sleep;

use super::PostgresStore;
use super::keys::PostgresKeys;
use super::open::statement_error;
use super::server::{Repeat, Server, Work};
use super::session::Session;
use super::statement::sql;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::migration::Migrations;
use crate::rekey::Walk;
use crate::{OpenError, PendingMigration};

const MIGRATIONS: Migrations = Migrations(&[
    (1, "initial", include_str!("../../migrations/postgres/0001_initial.sql")),
    (6, "promotions", include_str!("../../migrations/postgres/0006_promotions.sql")),
    (7, "text_keys", include_str!("../../migrations/postgres/0007_text_keys.sql")),
    (8, "activity", include_str!("../../migrations/postgres/0008_activity.sql")),
    (10, "visits", include_str!("../../migrations/postgres/0010_visits.sql")),
]);

/// One node migrates, and others wait for it.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('chat_migration', 0))";

/// How long a migration waits for a table, or for another node that migrates, before it steps back.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long all migrations together may take.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(10 * 60);
/// How often it is tried to get all locks.
const ATTEMPTS: u32 = 30;
/// The pause after an attempt, in which those who were kept waiting get their turn.
const PAUSE: Duration = Duration::from_secs(1);

impl PostgresStore {
    /// Brings the database's tables up to what this version works with. To be called at every
    /// start, before anything else; when there is nothing to do it does nothing.
    ///
    /// Several nodes may do this at once, while others are serving. Either all of it takes effect
    /// or nothing does, except that keys of names that are made by older rules are made anew in
    /// portions.
    ///
    /// # Errors
    ///
    /// [`OpenError::NewerSchema`] when the database has been used by a later version, and
    /// [`OpenError::Migration`] when a migration fails, or does not get its locks within a minute
    /// or so.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        let mut due = self.patiently(|session| Box::pin(migrate(session))).await??;
        while let Some(walk) = due {
            let step = self.patiently(move |session| {
                let walk = walk.clone();
                Box::pin(async move {
                    session.execute(sql(LOCK)).await?;
                    walk.step(&mut PostgresKeys(session)).await
                })
            });
            due = Some(step.await?).filter(|walk| !walk.is_over());
        }
        Ok(())
    }

    /// Does some work in a transaction, again if it has waited too long for a lock. It fails as a
    /// whole, so it may be tried again as a whole.
    async fn patiently<T, W>(&self, work: W) -> Result<T, OpenError>
    where
        T: Send + 'static,
        W: for<'c> Fn(&'c mut Session) -> Work<'c, T> + Clone + Send + Sync + 'static,
    {
        let server = self.primary.for_migration();
        let mut attempt = 1;
        loop {
            match server.write(Repeat::Harmless, work.clone()).await {
                Ok(done) => return Ok(done),
                Err(failure) if failure.waited_for_lock() && attempt < ATTEMPTS => {
                    tracing::info!(attempt, "a migration waits until a table is free");
                }
                Err(failure) => {
                    return Err(statement_error(&self.primary, failure, OpenError::Migration));
                }
            }
            attempt += 1;
            sleep(PAUSE).await;
        }
    }

    /// What [`migrate`](Self::migrate) would do, the first first.
    ///
    /// # Errors
    ///
    /// [`OpenError::NewerSchema`] when the database has been used by a later version.
    pub async fn pending_migrations(&self) -> Result<Vec<PendingMigration>, OpenError> {
        let applied = last_applied(&self.primary).await?;
        MIGRATIONS.refuse_newer(applied)?;
        Ok(MIGRATIONS.after(applied))
    }
}

/// Refuses a database that a later version has been at work on.
pub(super) async fn refuse_newer(server: &Server) -> Result<(), OpenError> {
    MIGRATIONS.refuse_newer(last_applied(server).await?)
}

async fn last_applied(server: &Server) -> Result<i64, OpenError> {
    let work = server.write(Repeat::Harmless, |session| {
        Box::pin(async move { Ok(applied(session).await?.last().map_or(0, |last| last.version)) })
    });
    work.await.map_err(|failure| statement_error(server, failure, OpenError::Unreadable))
}

async fn migrate(session: &mut Session) -> Result<Result<Option<Walk>, OpenError>, Failure> {
    session.execute(sql(LOCK)).await?;
    let applied = applied(session).await?;
    if let Err(newer) = MIGRATIONS.refuse_newer(applied.last().map_or(0, |last| last.version)) {
        return Ok(Err(newer));
    }
    if applied.is_empty() {
        session
            .run(
                "CREATE TABLE IF NOT EXISTS chat_migration (
                   version     BIGINT PRIMARY KEY,
                   description TEXT NOT NULL,
                   checksum    BYTEA NOT NULL,
                   applied_at  TIMESTAMPTZ NOT NULL DEFAULT now()
                 )",
            )
            .await?;
    }
    for migration in MIGRATIONS.scripts() {
        match applied.iter().find(|applied| applied.version == migration.version) {
            Some(applied) if applied.checksum != *migration.checksum => {
                return Err(Failure::Refused("a migration was changed after it was applied"));
            }
            Some(_) => {}
            None => apply(session, migration).await?,
        }
    }
    Ok(Ok(Walk::due(&mut PostgresKeys(session), applied.is_empty()).await?))
}

async fn apply(session: &mut Session, migration: Migration) -> Result<(), Failure> {
    session.run(migration.sql).await?;
    let insert = "INSERT INTO chat_migration (version, description, checksum) VALUES ($1, $2, $3)";
    let insert = sql(insert)
        .bind(migration.version)
        .bind(&*migration.description)
        .bind(&*migration.checksum);
    session.execute(insert).await?;
    Ok(())
}

/// A migration that is written down as done.
struct Applied {
    version: i64,
    checksum: Vec<u8>,
}

/// What was applied, the first first.
async fn applied(session: &mut Session) -> Result<Vec<Applied>, Failure> {
    // Asked of the catalogue itself. A function such as to_regclass may answer from what it knew
    // when the transaction began, before it waited for another that was making the table.
    let table = "SELECT 1 FROM pg_catalog.pg_class
                 WHERE relname = 'chat_migration' AND pg_catalog.pg_table_is_visible(oid)";
    if session.row(sql(table)).await?.is_none() {
        return Ok(Vec::new());
    }
    let select = "SELECT version, checksum FROM chat_migration ORDER BY version";
    let rows = session.rows(sql(select)).await?;
    let applied = rows.iter().map(|row| {
        let checksum = row.bytes("checksum")?.to_vec();
        Ok(Applied { version: i64::try_from(row.number("version")?).unwrap_or(i64::MAX), checksum })
    });
    Ok(applied.collect::<sqlx::Result<_>>()?)
}
