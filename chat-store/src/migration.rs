//! What both databases do alike with their migrations.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType};

use crate::OpenError;

/// A migration that a database lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingMigration {
    /// Its number; they are applied in this order.
    pub version: i64,
    /// What it is about, in a word or two.
    pub description: &'static str,
}

/// All migrations of a database, the oldest first: number, description and script. One that was
/// released is never changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migrations(pub(crate) &'static [(i64, &'static str, &'static str)]);

impl Migrations {
    /// The schema that this version works with.
    pub(crate) fn latest(&self) -> i64 {
        self.0.last().map_or(0, |(version, ..)| *version)
    }

    /// Refuses a database that a later version has been at work on.
    pub(crate) fn refuse_newer(&self, found: i64) -> Result<(), OpenError> {
        let known = self.latest();
        if found > known { Err(OpenError::NewerSchema { found, known }) } else { Ok(()) }
    }

    /// What a database lacks whose last migration is this.
    pub(crate) fn after(&self, applied: i64) -> Vec<PendingMigration> {
        let pending = self.0.iter().filter(|(version, ..)| *version > applied);
        pending
            .map(|(version, description, _)| PendingMigration { version: *version, description })
            .collect()
    }

    /// All, as the driver has them.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = Migration> {
        self.0.iter().map(|(version, description, sql)| {
            let sql = sql.into_sql_str();
            let kind = MigrationType::Simple;
            Migration::new(*version, (*description).into(), kind, sql, false)
        })
    }
}
