use std::time::Duration;

use async_trait::async_trait;
use chat_core::proto::{NodeId, UserId};
use chat_core::store::{StoreError, VisitStore};

use super::PostgresStore;
use super::server::Repeat;
use super::statement::sql;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::value::integer;

/// Longer than clocks go back: some 36,000 years, in microseconds.
const ALWAYS: i64 = 1 << 60;

/// The database's clock, in microseconds.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

/// Users in the order of their ids, so that several nodes do not wait for each other in a circle.
const RECORD: &str = concat!(
    "WITH node AS (
       INSERT INTO chat_node (id, alive_at) VALUES ($1, ",
    now!(),
    ") ON CONFLICT (id) DO UPDATE SET alive_at = excluded.alive_at)
     INSERT INTO chat_visit (user_id, node_id)
     SELECT u.id, $1 FROM chat_user u WHERE u.id = ANY ($2) ORDER BY u.id
     ON CONFLICT (user_id) DO UPDATE SET node_id = excluded.node_id"
);

const DEAD: &str =
    concat!("SELECT 1 FROM chat_node WHERE id <> $1 AND alive_at <= ", now!(), " - $2 LIMIT 1");

pub(super) const END: &str = concat!(
    "WITH dead AS (
       SELECT id, alive_at FROM chat_node WHERE id <> $1 AND alive_at <= ",
    now!(),
    " - $2),
     ended AS (
       DELETE FROM chat_visit WHERE user_id IN (
         SELECT v.user_id FROM chat_visit v JOIN dead d ON d.id = v.node_id
         ORDER BY v.user_id LIMIT $3 FOR UPDATE OF v SKIP LOCKED)
       RETURNING user_id, node_id),
     seen AS (
       UPDATE chat_user u SET last_seen_at = d.alive_at
       FROM ended e JOIN dead d ON d.id = e.node_id
       WHERE u.id = e.user_id AND coalesce(u.last_seen_at < d.alive_at, TRUE))
     SELECT user_id FROM ended"
);

const FORGET: &str = concat!(
    "DELETE FROM chat_node n WHERE n.id <> $1 AND n.alive_at <= ",
    now!(),
    " - $2 AND NOT EXISTS (SELECT 1 FROM chat_visit v WHERE v.node_id = n.id)"
);

#[async_trait]
impl VisitStore for PostgresStore {
    async fn record_alive(&self, node: NodeId, users: &[UserId]) -> Result<(), StoreError> {
        let users: Vec<_> = users.iter().map(|user| user.as_str().to_owned()).collect();
        let outcome = self.primary.write(Repeat::Harmless, move |session| {
            let record = sql(RECORD).bind(node.as_uuid()).bind(users.clone());
            Box::pin(async move { session.execute(record).await.map(drop) })
        });
        Ok(outcome.await?)
    }

    async fn end_visits(
        &self,
        except: NodeId,
        silent: Duration,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        // Where no silence is asked for, no clock is either: it may have gone back.
        let silent = match silent {
            Duration::ZERO => -ALWAYS,
            silent => integer(silent.as_micros()),
        };
        let dead = sql(DEAD).bind(except.as_uuid()).bind(silent);
        // Most looks find nothing, and reading takes no transaction.
        if self.primary.row(dead).await?.is_none() {
            return Ok(Vec::new());
        }
        let outcome = self.primary.write(Repeat::Harmless, move |session| {
            let end = sql(END).bind(except.as_uuid()).bind(silent).bind(integer(limit));
            let forget = sql(FORGET).bind(except.as_uuid()).bind(silent);
            Box::pin(async move {
                let rows = session.rows(end).await?;
                if rows.len() < limit {
                    session.execute(forget).await?;
                }
                let ended = rows.iter().map(|row| row.parsed("user_id"));
                ended.collect::<sqlx::Result<Vec<UserId>>>().map_err(Failure::from)
            })
        });
        Ok(outcome.await?)
    }
}
