//! Whether a database has the tables that its migrations made.

use std::collections::BTreeSet;

use sqlx::{Connection, Row, SqliteConnection};

use super::migration::{MIGRATIONS, applied};

/// Everything that has a name, and the columns of tables.
const OBJECTS: &str = "SELECT m.type || ' ' || m.name AS object FROM sqlite_schema m
      WHERE m.name LIKE 'chat@_%' ESCAPE '@'
    UNION ALL
    SELECT 'column ' || m.name || '.' || c.name FROM sqlite_schema m
      JOIN pragma_table_info(m.name) c
      WHERE m.type = 'table' AND m.name LIKE 'chat@_%' ESCAPE '@'";

/// What a database lacks of what the migrations made that it says were applied, such as `table
/// chat_head`; nothing where all is there. More than that may be there: it belongs to the host.
///
/// The same migrations are applied to an empty database in memory, which takes a few milliseconds.
pub(super) async fn missing(connection: &mut SqliteConnection) -> sqlx::Result<Option<String>> {
    let found = objects(connection).await?;
    let applied = applied(connection).await?;
    if applied.is_empty() {
        // Before the first migration none of its tables is there, unless the record of it is lost.
        let record = "table chat_migration".to_owned();
        let is_lost = found.contains("table chat_head") && found.contains("table chat_message");
        return Ok(is_lost.then_some(record));
    }
    let mut model = SqliteConnection::connect("sqlite::memory:").await?;
    for migration in MIGRATIONS.scripts().filter(|one| applied.contains(&one.version)) {
        sqlx::raw_sql(migration.sql).execute(&mut model).await?;
    }
    let expected = objects(&mut model).await?;
    model.close().await?;
    let missing: Vec<&String> = expected.difference(&found).collect();
    // Of a table that is gone, everything that belongs to it is gone, too.
    let table = missing.iter().find(|object| object.starts_with("table "));
    Ok(table.or(missing.last()).map(|object| (*object).clone()))
}

async fn objects(connection: &mut SqliteConnection) -> sqlx::Result<BTreeSet<String>> {
    let rows = sqlx::query(OBJECTS).fetch_all(connection).await?;
    rows.iter().map(|row| row.try_get("object")).collect()
}
