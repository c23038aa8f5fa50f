use async_trait::async_trait;
use chat_core::proto::{
    ConversationId, Member, MemberProfile, MemberRole, MemberState, PresenceStatus, UserId,
};
use chat_core::store::{
    Circle, Contact, JoinOutcome, LeaveOutcome, MemberStore, Membership, StoreError,
};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::SqliteStore;
use super::inbox::summary;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::{
    asked, joined_by, member_columns, read_all, read_member, read_membership, read_optional,
    read_profile, user_columns,
};
use crate::value::{integer, json, word};

const PROFILE: &str = concat!(
    "SELECT ",
    member_columns!(),
    ", ",
    user_columns!(),
    " FROM chat_member m JOIN chat_user u ON u.id = m.user_id
      WHERE m.conversation_id = ?1 AND m.user_id = ?2"
);

pub(super) const MEMBERS: &str = concat!(
    "SELECT ",
    member_columns!(),
    ", ",
    user_columns!(),
    " FROM chat_member m JOIN chat_user u ON u.id = m.user_id
      WHERE m.conversation_id = ?1 AND m.user_id > ?2 AND m.state = 'joined'
      ORDER BY m.user_id LIMIT +?3"
);

pub(super) const MEMBERSHIPS: &str = concat!(
    "SELECT m.user_id AS member_id, m.conversation_id AS member_of, ",
    joined_by!("m"),
    " AS member_change_seq
     FROM chat_member m
     WHERE m.user_id IN (SELECT value FROM json_each(?1)) AND m.state = 'joined'"
);

const CHOSEN: &str = "SELECT count(*) AS chosen
     FROM chat_member m JOIN chat_conversation c ON c.id = m.conversation_id
     WHERE m.user_id = ?1 AND m.state = 'joined' AND (c.kind = 'room' OR c.created_by = ?1)";

/// Of some users, the memberships in force, the contacts, and the chosen presence, in one row.
pub(super) const CIRCLES: &str = concat!(
    "SELECT json_group_array(json_array(asked.key, (
       SELECT json_group_array(json_array(hex(m.conversation_id), ",
    joined_by!("m"),
    "))
       FROM chat_member m WHERE m.user_id = asked.value AND m.state = 'joined'), (
       SELECT json_group_array(json_array(contact, hex(shared))) FROM (
         SELECT o.user_id AS contact, min(o.conversation_id) AS shared
         FROM chat_member m
         JOIN chat_head h ON h.conversation_id = m.conversation_id AND h.member_count <= ?2
         JOIN chat_member o ON o.conversation_id = m.conversation_id
         WHERE m.user_id = asked.value AND m.state = 'joined' AND o.state = 'joined'
           AND o.user_id <> asked.value
         GROUP BY o.user_id
         LIMIT +?3)), (
       SELECT u.presence FROM chat_user u WHERE u.id = asked.value))) AS answer
     FROM json_each(?1) asked"
);

/// The circle of the user at a place: an array, in this order.
#[derive(Deserialize)]
struct CircleRow {
    place: u64,
    /// Conversations, and the changes that made the user a member.
    memberships: Vec<(Uuid, u64)>,
    /// Users, and a conversation with each.
    contacts: Vec<(UserId, Uuid)>,
    /// How the user chose to be shown.
    chosen: Option<PresenceStatus>,
}

#[async_trait]
impl MemberStore for SqliteStore {
    async fn join(
        &self,
        conversation: ConversationId,
        user: &UserId,
        at: Timestamp,
        max_memberships: usize,
    ) -> Result<JoinOutcome, StoreError> {
        let user = user.clone();
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                let joined = match joinable(connection, conversation, &user).await? {
                    None => return Ok(JoinOutcome::NotJoinable),
                    Some(Joinable { joined, .. }) if joined => true,
                    Some(Joinable { chosen, .. }) if chosen >= integer(max_memberships) => {
                        return Ok(JoinOutcome::TooMany);
                    }
                    // A room with members has an owner.
                    Some(Joinable { deserted, .. }) => {
                        let role = if deserted { MemberRole::Owner } else { MemberRole::Member };
                        add_member(connection, conversation, &user, role, at).await?;
                        false
                    }
                };
                let profile = profile(connection, conversation, &user).await?;
                let summary = Box::new(summary(connection, conversation, &user).await?);
                Ok(if joined {
                    JoinOutcome::Already(profile, summary)
                } else {
                    JoinOutcome::Joined(profile, summary)
                })
            })
        });
        Ok(outcome.await?)
    }

    async fn chosen(&self, user: &UserId) -> Result<usize, StoreError> {
        let query = sqlx::query(CHOSEN).bind(user.as_str());
        let row = query.fetch_one(&self.readers).await.map_err(Failure::from)?;
        let chosen = row.number("chosen").map_err(Failure::from)?;
        Ok(usize::try_from(chosen).unwrap_or(usize::MAX))
    }

    async fn leave(
        &self,
        conversation: ConversationId,
        user: &UserId,
        even_as_last: bool,
    ) -> Result<LeaveOutcome, StoreError> {
        let user = user.clone();
        let outcome = self.writer.write(move |connection| {
            Box::pin(async move {
                match leavable(connection, conversation, &user).await? {
                    None => return Ok(LeaveOutcome::NotMember),
                    Some(Leavable { last: true, .. }) if !even_as_last => {
                        return Ok(LeaveOutcome::LastMember);
                    }
                    Some(_) => {}
                }
                let heir = match hand_over(connection, conversation, &user).await? {
                    Some(heir) => Some(Box::new(profile(connection, conversation, &heir).await?)),
                    None => None,
                };
                remove_member(connection, conversation, &user).await?;
                let member = profile(connection, conversation, &user).await?;
                Ok(LeaveOutcome::Left { member, heir })
            })
        });
        Ok(outcome.await?)
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Member>, StoreError> {
        const MEMBER: &str = concat!(
            "SELECT ",
            member_columns!(),
            " FROM chat_member m
              WHERE m.conversation_id = ?1 AND m.user_id = ?2 AND m.state = 'joined'"
        );
        let query = sqlx::query(MEMBER).bind(conversation.as_uuid()).bind(user.as_str());
        let row = query.fetch_optional(&self.readers).await.map_err(Failure::from)?;
        Ok(read_optional(row.as_ref(), read_member)?)
    }

    async fn members<'a>(
        &self,
        conversation: ConversationId,
        after: Option<&'a UserId>,
        limit: usize,
    ) -> Result<Vec<MemberProfile>, StoreError> {
        let query = sqlx::query(MEMBERS)
            .bind(conversation.as_uuid())
            .bind(after.map_or("", UserId::as_str))
            .bind(integer(limit));
        let rows = query.fetch_all(&self.readers).await.map_err(Failure::from)?;
        Ok(read_all(&rows, read_profile)?)
    }

    async fn memberships(&self, users: &[UserId]) -> Result<Vec<Membership>, StoreError> {
        let query = sqlx::query(MEMBERSHIPS).bind(json(users)?);
        let rows = query.fetch_all(&self.readers).await.map_err(Failure::from)?;
        Ok(read_all(&rows, read_membership)?)
    }

    async fn circles(
        &self,
        users: &[UserId],
        max_members: usize,
        limit: usize,
    ) -> Result<Vec<Circle>, StoreError> {
        let query =
            sqlx::query(CIRCLES).bind(json(users)?).bind(integer(max_members)).bind(integer(limit));
        let row = query.fetch_one(&self.readers).await.map_err(Failure::from)?;
        let rows = serde_json::from_str(row.text("answer").map_err(Failure::from)?);
        let rows: Vec<CircleRow> = rows.map_err(Failure::from)?;
        let mut circles = vec![Circle::default(); users.len()];
        for CircleRow { place, memberships, contacts, chosen } in rows {
            let (user, circle) = asked(users, &mut circles, place)?;
            let memberships = memberships.into_iter().map(|(id, change_seq)| Membership {
                user_id: user.clone(),
                conversation_id: id.into(),
                change_seq,
            });
            let contacts = contacts
                .into_iter()
                .map(|(user_id, id)| Contact { user_id, conversation_id: id.into() });
            *circle = Circle {
                memberships: memberships.collect(),
                contacts: contacts.collect(),
                chosen: chosen.unwrap_or(PresenceStatus::Online),
            };
        }
        Ok(circles)
    }
}

/// What decides whether a user may join a public room.
struct Joinable {
    joined: bool,
    chosen: i64,
    /// Whether nobody is a member.
    deserted: bool,
}

/// None when there is no such public room or no such user.
async fn joinable(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    user: &UserId,
) -> Result<Option<Joinable>, Failure> {
    let row = sqlx::query(
        "SELECT
           EXISTS (SELECT 1 FROM chat_member m
                   WHERE m.conversation_id = c.id AND m.user_id = u.id AND m.state = 'joined')
             AS joined,
           (SELECT count(*) FROM chat_member m
            JOIN chat_conversation o ON o.id = m.conversation_id
            WHERE m.user_id = u.id AND m.state = 'joined'
              AND (o.kind = 'room' OR o.created_by = u.id)) AS chosen,
           h.member_count = 0 AS deserted
         FROM chat_conversation c JOIN chat_user u ON u.id = ?2
         JOIN chat_head h ON h.conversation_id = c.id
         WHERE c.id = ?1 AND c.kind = 'room' AND c.visibility = 'public'",
    )
    .bind(conversation.as_uuid())
    .bind(user.as_str())
    .fetch_optional(connection)
    .await?;
    let read = |row: &SqliteRow| -> sqlx::Result<Joinable> {
        Ok(Joinable {
            joined: row.try_get("joined")?,
            chosen: row.try_get("chosen")?,
            deserted: row.try_get("deserted")?,
        })
    };
    Ok(row.as_ref().map(read).transpose()?)
}

/// Makes a user a member by the conversation's next change, with cursors at its last message.
pub(super) async fn add_member(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    user: &UserId,
    role: MemberRole,
    at: Timestamp,
) -> Result<(), Failure> {
    let head = sqlx::query(
        "UPDATE chat_head SET change_seq = change_seq + 1, member_count = member_count + 1
         WHERE conversation_id = ?1 RETURNING change_seq, last_seq",
    )
    .bind(conversation.as_uuid())
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO chat_member (conversation_id, user_id, role, state, change_seq, joined_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET state = excluded.state, change_seq = excluded.change_seq,
           role = CASE WHEN excluded.role = 'owner' THEN excluded.role ELSE role END",
    )
    .bind(conversation.as_uuid())
    .bind(user.as_str())
    .bind(word(role)?)
    .bind(word(MemberState::Joined)?)
    .bind(head.try_get::<i64, _>("change_seq")?)
    .bind(at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO chat_cursor (conversation_id, user_id, read_seq, delivered_seq)
         VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT DO UPDATE SET
           read_seq = max(read_seq, excluded.read_seq),
           delivered_seq = max(delivered_seq, excluded.delivered_seq)",
    )
    .bind(conversation.as_uuid())
    .bind(user.as_str())
    .bind(head.try_get::<i64, _>("last_seq")?)
    .execute(connection)
    .await?;
    Ok(())
}

/// What decides how a member may leave.
struct Leavable {
    /// Whether nobody else is a member.
    last: bool,
}

/// None when the user is not a member.
async fn leavable(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    user: &UserId,
) -> Result<Option<Leavable>, Failure> {
    let row = sqlx::query(
        "SELECT h.member_count = 1 AS last
         FROM chat_member m JOIN chat_head h ON h.conversation_id = m.conversation_id
         WHERE m.conversation_id = ?1 AND m.user_id = ?2 AND m.state = 'joined'",
    )
    .bind(conversation.as_uuid())
    .bind(user.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| row.try_get("last")).transpose()?.map(|last| Leavable { last }))
}

/// Before the only owner leaves: makes the member who joined first the owner, by the conversation's
/// next change, and returns who that is. None when the user is not the only owner, or nobody is left.
async fn hand_over(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    leaving: &UserId,
) -> Result<Option<UserId>, Failure> {
    let heir = sqlx::query(
        "SELECT o.user_id AS member_id, o.role = 'owner' AS owns
         FROM chat_member m JOIN chat_member o ON o.conversation_id = m.conversation_id
         WHERE m.conversation_id = ?1 AND m.user_id = ?2 AND m.role = 'owner'
           AND o.user_id <> ?2 AND o.state = 'joined'
         ORDER BY owns DESC, o.joined_at, o.user_id LIMIT 1",
    )
    .bind(conversation.as_uuid())
    .bind(leaving.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(heir) = heir else { return Ok(None) };
    if heir.try_get("owns")? {
        return Ok(None);
    }
    let heir: UserId = heir.parsed("member_id")?;
    sqlx::query(
        "INSERT INTO chat_promotion (conversation_id, user_id, change_seq, joined_seq)
         SELECT m.conversation_id, m.user_id, h.change_seq + 1, coalesce(p.joined_seq, m.change_seq)
         FROM chat_member m JOIN chat_head h ON h.conversation_id = m.conversation_id
         LEFT JOIN chat_promotion p ON p.conversation_id = m.conversation_id
           AND p.user_id = m.user_id AND p.change_seq = m.change_seq
         WHERE m.conversation_id = ?1 AND m.user_id = ?2
         ON CONFLICT DO UPDATE SET
           change_seq = excluded.change_seq, joined_seq = excluded.joined_seq",
    )
    .bind(conversation.as_uuid())
    .bind(heir.as_str())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE chat_member SET role = 'owner', change_seq =
           (SELECT change_seq + 1 FROM chat_head WHERE conversation_id = ?1)
         WHERE conversation_id = ?1 AND user_id = ?2",
    )
    .bind(conversation.as_uuid())
    .bind(heir.as_str())
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE chat_head SET change_seq = change_seq + 1 WHERE conversation_id = ?1")
        .bind(conversation.as_uuid())
        .execute(connection)
        .await?;
    Ok(Some(heir))
}

/// Ends a membership that is in force, by the conversation's next change.
async fn remove_member(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    user: &UserId,
) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE chat_member SET state = 'left',
           role = CASE WHEN role = 'owner' THEN 'member' ELSE role END,
           change_seq = (SELECT change_seq + 1 FROM chat_head WHERE conversation_id = ?1)
         WHERE conversation_id = ?1 AND user_id = ?2",
    )
    .bind(conversation.as_uuid())
    .bind(user.as_str())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE chat_head SET change_seq = change_seq + 1, member_count = member_count - 1
         WHERE conversation_id = ?1",
    )
    .bind(conversation.as_uuid())
    .execute(connection)
    .await?;
    Ok(())
}

/// How many memberships the user has chosen, as the transaction sees it.
pub(super) async fn count_chosen(
    connection: &mut SqliteConnection,
    user: &UserId,
) -> Result<u64, Failure> {
    Ok(sqlx::query(CHOSEN).bind(user.as_str()).fetch_one(connection).await?.number("chosen")?)
}

async fn profile(
    connection: &mut SqliteConnection,
    conversation: ConversationId,
    user: &UserId,
) -> Result<MemberProfile, Failure> {
    let query = sqlx::query(PROFILE).bind(conversation.as_uuid()).bind(user.as_str());
    Ok(read_profile(&query.fetch_one(connection).await?)?)
}
