use async_trait::async_trait;
use chat_core::store::{ProbeStore, StoreError};
use jiff::Timestamp;
use sqlx::Row;
use uuid::Uuid;

use super::SqliteStore;
use crate::failure::Failure;

#[async_trait]
impl ProbeStore for SqliteStore {
    async fn probe(&self) -> Result<(), StoreError> {
        let work = self.writer.write(|connection| {
            Box::pin(async move {
                let mark = Uuid::new_v4();
                sqlx::query(
                    "INSERT INTO chat_probe (id, mark, probed_at) VALUES (1, ?1, ?2)
                     ON CONFLICT DO UPDATE SET mark = excluded.mark, probed_at = excluded.probed_at",
                )
                .bind(mark)
                .bind(Timestamp::now().as_microsecond())
                .execute(connection)
                .await?;
                Ok(())
            })
        });
        work.await?;
        let row = sqlx::query("SELECT mark FROM chat_probe").fetch_one(&self.readers).await;
        let _: Uuid = row.and_then(|row| row.try_get("mark")).map_err(Failure::from)?;
        Ok(())
    }
}
