use async_trait::async_trait;
use chat_core::proto::{PresenceStatus, User, UserId};
use chat_core::store::{EnsureUser, NewUser, StoreError, UserStore};
use jiff::Timestamp;

use super::PostgresStore;
use super::keys::insert_skeletons;
use super::server::Repeat;
use super::session::Session;
use super::statement::{is_storable, sql};
use crate::failure::Failure;
use crate::record::{read_all, read_optional, read_user, recorded_user, user_columns};
use crate::value::{end_of, integer, word};

const BY_ID: &str = concat!("SELECT ", user_columns!(), " FROM chat_user u WHERE u.id = $1");

pub(super) const BY_IDS: &str =
    concat!("SELECT ", user_columns!(), " FROM chat_user u WHERE u.id = ANY ($1)");

pub(super) const BY_NAME: &str =
    concat!("SELECT ", user_columns!(), " FROM chat_user u WHERE u.username_key = $1");

pub(super) const TAKEN: &str = "SELECT 1 FROM chat_user_skeleton WHERE skeleton = ANY ($1) LIMIT 1";

/// Each half goes through an index of its own; the union removes who is in both.
pub(super) const SEARCH: &str = concat!(
    "(SELECT ",
    user_columns!(),
    ", u.username_key FROM chat_user u
      WHERE u.username_key >= $1 AND u.username_key < $2
      ORDER BY u.username_key LIMIT $3)
    UNION
    (SELECT ",
    user_columns!(),
    ", u.username_key FROM chat_user u
      WHERE u.display_key >= $1 AND u.display_key < $2
      ORDER BY u.username_key LIMIT $4)
    ORDER BY username_key LIMIT $3"
);

/// Comes after every name: longer than any, of the last character there is.
const END_CHARACTERS: usize = 512;

#[async_trait]
impl UserStore for PostgresStore {
    async fn ensure_users(&self, users: Vec<NewUser>) -> Result<Vec<EnsureUser>, StoreError> {
        let outcomes = self.primary.write(Repeat::Harmless, move |session| {
            let users = users.clone();
            Box::pin(async move {
                // In the order of their names, in which all nodes do it: so two seldom wait for each
                // other. If they do, the database ends one of the two, and it is done again.
                let mut order: Vec<_> = (0..users.len()).collect();
                order.sort_by_cached_key(|place| users[*place].username.key());
                let mut outcomes = vec![EnsureUser::UsernameTaken; users.len()];
                for place in order {
                    outcomes[place] = insert_user(session, &users[place]).await?;
                }
                Ok(outcomes)
            })
        });
        Ok(outcomes.await?)
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let row = self.primary.row(sql(BY_ID).bind(id.as_str())).await?;
        Ok(read_optional(row.as_ref(), read_user)?)
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
        Ok(read_all(&self.primary.rows(sql(BY_IDS).bind(ids)).await?, read_user)?)
    }

    async fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError> {
        if !is_storable(key) {
            return Ok(None);
        }
        let row = self.primary.row(sql(BY_NAME).bind(key)).await?;
        Ok(read_optional(row.as_ref(), read_user)?)
    }

    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>, StoreError> {
        if !is_storable(prefix) {
            return Ok(Vec::new());
        }
        let end = end_of(prefix).unwrap_or_else(|| char::MAX.to_string().repeat(END_CHARACTERS));
        // All users have a name that begins with nothing, so the other names need no look.
        let by_display_name = if prefix.is_empty() { 0 } else { integer(limit) };
        let search = sql(SEARCH).bind(prefix).bind(end).bind(integer(limit)).bind(by_display_name);
        let rows = self.rows_of_either(search, |_| true).await?;
        Ok(read_all(&rows, read_user)?)
    }

    async fn record_last_seen(&self, id: &UserId, at: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        let outcome = self.primary.write(Repeat::Harmless, move |session| {
            let update = sql("WITH ended AS (DELETE FROM chat_visit WHERE user_id = $1)
                 UPDATE chat_user SET last_seen_at = $2
                 WHERE id = $1 AND coalesce(last_seen_at < $2, TRUE)")
            .bind(id.as_str())
            .bind(at.as_microsecond());
            Box::pin(async move { session.execute(update).await.map(drop) })
        });
        Ok(outcome.await?)
    }

    async fn choose_presence(&self, id: &UserId, status: PresenceStatus) -> Result<(), StoreError> {
        let (id, word) = (id.clone(), word(status)?);
        let outcome = self.primary.write(Repeat::Harmless, move |session| {
            let update = sql("UPDATE chat_user SET presence = $2 WHERE id = $1")
                .bind(id.as_str())
                .bind(word.clone());
            Box::pin(async move { session.execute(update).await.map(drop) })
        });
        Ok(outcome.await?)
    }
}

/// Records a user unless one with this id or a name like this is there.
pub(super) async fn insert_user(
    session: &mut Session,
    new: &NewUser,
) -> Result<EnsureUser, Failure> {
    let (id, skeletons) = (new.id.as_str(), new.username.skeletons());
    if is_taken(session, &skeletons).await? {
        return existing_or(session, new, EnsureUser::UsernameTaken).await;
    }
    if is_taken(session, &new.display_name.skeletons()).await? {
        return existing_or(session, new, EnsureUser::DisplayNameTaken).await;
    }
    // Waits for whoever is about to insert one like it, so that the answer is known.
    let insert = sql("INSERT INTO chat_user
           (id, username, username_key, skeleton, display_name, display_key, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT DO NOTHING")
    .bind(id)
    .bind(new.username.as_str())
    .bind(new.username.key())
    .bind(skeletons[0].as_str())
    .bind(new.display_name.as_str())
    .bind(new.display_name.key())
    .bind(new.created_at.as_microsecond());
    if session.execute(insert).await? == 0 {
        return existing_or(session, new, EnsureUser::UsernameTaken).await;
    }
    let rows: Vec<_> = skeletons.into_iter().map(|look| (look, id.to_owned())).collect();
    if insert_skeletons(session, &rows).await? < rows.len() as u64 {
        // Another has come with such a name since it was looked for.
        let looks: Vec<&str> = rows.iter().map(|(look, _)| look.as_str()).collect();
        let delete = "DELETE FROM chat_user_skeleton WHERE skeleton = ANY ($1) AND user_id = $2";
        session.execute(sql(delete).bind(looks).bind(id)).await?;
        session.execute(sql("DELETE FROM chat_user WHERE id = $1").bind(id)).await?;
        return Ok(EnsureUser::UsernameTaken);
    }
    Ok(EnsureUser::Created(recorded_user(new)))
}

/// Whether somebody's name looks like this.
async fn is_taken(session: &mut Session, skeletons: &[String]) -> Result<bool, Failure> {
    let skeletons: Vec<&str> = skeletons.iter().map(String::as_str).collect();
    Ok(session.row(sql(TAKEN).bind(skeletons)).await?.is_some())
}

async fn existing_or(
    session: &mut Session,
    new: &NewUser,
    otherwise: EnsureUser,
) -> Result<EnsureUser, Failure> {
    let row = session.row(sql(BY_ID).bind(new.id.as_str())).await?;
    let existing = read_optional(row.as_ref(), read_user)?;
    Ok(existing.map_or(otherwise, EnsureUser::Existing))
}
