use async_trait::async_trait;
use chat_core::store::{ProbeStore, StoreError};
use jiff::Timestamp;
use uuid::Uuid;

use super::PostgresStore;
use super::server::Repeat;
use super::statement::sql;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::probe::READ;

#[async_trait]
impl ProbeStore for PostgresStore {
    async fn probe(&self) -> Result<(), StoreError> {
        let mark = Uuid::new_v4();
        let work = self.primary.write(Repeat::Harmless, move |session| {
            let upsert = sql("INSERT INTO chat_probe (id, mark, probed_at) VALUES (1, $1, $2)
                 ON CONFLICT (id)
                 DO UPDATE SET mark = excluded.mark, probed_at = excluded.probed_at")
            .bind(mark)
            .bind(Timestamp::now().as_microsecond());
            Box::pin(async move { session.execute(upsert).await })
        });
        work.await?;
        let row = self.primary.one(sql("SELECT mark FROM chat_probe")).await?;
        let _: Uuid = row.id("mark").map_err(Failure::from)?;
        self.primary.one(sql(READ)).await?;
        Ok(())
    }
}
