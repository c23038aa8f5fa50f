use async_trait::async_trait;
use chat_core::store::{ProbeStore, StoreError};
use jiff::Timestamp;
use sqlx::Row;
use uuid::Uuid;

use super::SqliteStore;
use crate::failure::Failure;
use crate::probe::READ;

/// How long a mark is, in bytes: about as long as a long message, since on a disk that is as good as
/// full a few bytes may still fit.
const MARK: usize = 16 * 1024;

#[async_trait]
impl ProbeStore for SqliteStore {
    async fn probe(&self) -> Result<(), StoreError> {
        let work = self.writer.write(|connection| {
            Box::pin(async move {
                let mut mark = Uuid::new_v4().into_bytes().to_vec();
                mark.resize(MARK, 0);
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
        let _: Vec<u8> = row.and_then(|row| row.try_get("mark")).map_err(Failure::from)?;
        sqlx::query(READ).fetch_one(&self.readers).await.map_err(Failure::from)?;
        Ok(())
    }
}
