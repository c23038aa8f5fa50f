use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_core::proto::{Cursor, HistoryMeta};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{Row, SqlitePool};
use uuid::Uuid;

use crate::Failure;

/// The statements of a page of history, as the store has them: whether the user may see it and how
/// much there is, and the messages.
const VISIBLE_HEAD: &str = "SELECT h.conversation_id, h.last_seq, h.change_seq
     FROM chat_member b JOIN chat_head h ON h.conversation_id = b.conversation_id
     WHERE b.conversation_id = ?1 AND b.user_id = ?2 AND b.state = 'joined'";
const HISTORY: &str =
    "SELECT m.id AS message_id, m.conversation_id AS sent_to, m.seq, m.change_seq,
       m.sender_id, m.client_id, m.created_at AS sent_at, m.mentions, m.content
     FROM chat_message m WHERE m.conversation_id = ?1 AND m.seq BETWEEN ?2 AND ?3
     ORDER BY m.seq";

/// Connections that read, as many as the store has.
const READERS: u32 = 4;

/// Answers requests for pages before a message, with the same bytes as the server. Whoever asks is
/// believed: the bearer token is the user's id.
#[derive(Debug)]
pub(super) struct Pages(SqlitePool);

/// A page, whose messages are borrowed from the rows.
#[derive(Serialize)]
struct Page<'r> {
    data: Vec<Message<'r>>,
    meta: HistoryMeta,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'r> {
    id: Uuid,
    conversation_id: Uuid,
    seq: i64,
    change_seq: i64,
    sender_id: &'r str,
    client_id: &'r str,
    content: &'r str,
    created_at: Timestamp,
}

/// The place that a cursor names.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Before(i64),
}

impl Pages {
    /// Opens the database with the settings of the store's readers.
    pub(super) async fn open(file: &Path) -> Result<Arc<Self>, Failure> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("temp_store", "MEMORY")
            .pragma("query_only", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        Ok(Arc::new(Self(pool.connect_with(options).await?)))
    }

    /// Answers one request.
    pub(super) async fn answer(
        &self,
        request: &Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Failure> {
        let user =
            request.headers().get(AUTHORIZATION).map(|header| header.to_str()).transpose()?;
        let user = user.and_then(|header| header.strip_prefix("Bearer "));
        let asked = asked(request.uri().path(), request.uri().query().unwrap_or_default());
        let (Some(user), Some((room, before, limit))) = (user, asked) else {
            return Ok(status(StatusCode::BAD_REQUEST));
        };
        let head = sqlx::query(VISIBLE_HEAD).bind(room).bind(user).fetch_optional(&self.0).await?;
        let Some(head) = head else { return Ok(status(StatusCode::NOT_FOUND)) };
        let last_seq: i64 = head.try_get("last_seq")?;
        let last = (before - 1).min(last_seq);
        let first = (last - limit + 1).max(1);
        let messages = sqlx::query(HISTORY).bind(room).bind(first).bind(last);
        let rows = messages.fetch_all(&self.0).await?;
        let data = rows.iter().map(message).collect::<Result<Vec<_>, _>>()?;
        let has_older = first > 1;
        let meta = HistoryMeta {
            next_cursor: has_older.then(|| Cursor::encode(&Place::Before(first))),
            has_more: has_older,
            has_older,
            has_newer: last < last_seq,
            last_seq: last_seq.unsigned_abs(),
        };
        let body = serde_json::to_vec(&Page { data, meta })?;
        let response = Response::builder().header(CONTENT_TYPE, "application/json");
        Ok(response.body(Full::from(body))?)
    }
}

/// The room, the message before which the page ends, and how many it has at most.
fn asked(path: &str, query: &str) -> Option<(Uuid, i64, i64)> {
    let room = path.strip_prefix("/api/chat/conversations/")?.strip_suffix("/messages")?;
    let number = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name)?.1.parse().ok()
    };
    Some((room.parse().ok()?, number("before")?, number("limit")?))
}

fn message(row: &SqliteRow) -> Result<Message<'_>, Failure> {
    Ok(Message {
        id: row.try_get("message_id")?,
        conversation_id: row.try_get("sent_to")?,
        seq: row.try_get("seq")?,
        change_seq: row.try_get("change_seq")?,
        sender_id: row.try_get("sender_id")?,
        client_id: row.try_get("client_id")?,
        content: row.try_get("content")?,
        created_at: Timestamp::from_microsecond(row.try_get("sent_at")?)?,
    })
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
