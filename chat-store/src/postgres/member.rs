use async_trait::async_trait;
use chat_core::proto::{ConversationId, Member, MemberProfile, MemberRole, MemberState, UserId};
use chat_core::store::{Circle, JoinOutcome, LeaveOutcome, MemberStore, Membership, StoreError};
use jiff::Timestamp;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::inbox::summary_of;
use super::server::Repeat;
use super::session::Session;
use super::statement::sql;
use crate::columns::Columns;
use crate::failure::Failure;
use crate::record::{
    asked, joined_by, member_columns, read_all, read_contact, read_member, read_membership,
    read_optional, read_profile, read_summary, user_columns,
};
use crate::value::{integer, word};

const PROFILE: &str = concat!(
    "SELECT ",
    member_columns!(),
    ", ",
    user_columns!(),
    " FROM chat_member m JOIN chat_user u ON u.id = m.user_id
      WHERE m.conversation_id = $1 AND m.user_id = $2"
);

pub(super) const MEMBER: &str = concat!(
    "SELECT ",
    member_columns!(),
    " FROM chat_member m
      WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.state = 'joined'"
);

pub(super) const MEMBERS: &str = concat!(
    "SELECT ",
    member_columns!(),
    ", ",
    user_columns!(),
    " FROM chat_member m JOIN chat_user u ON u.id = m.user_id
      WHERE m.conversation_id = $1 AND m.user_id > $2 AND m.state = 'joined'
      ORDER BY m.user_id LIMIT $3"
);

pub(super) const MEMBERSHIPS: &str = concat!(
    "SELECT m.user_id AS member_id, m.conversation_id AS member_of, ",
    joined_by!("m"),
    " AS member_change_seq
     FROM chat_member m WHERE m.user_id = ANY ($1) AND m.state = 'joined'"
);

pub(super) const CHOSEN: &str = "SELECT count(*) AS chosen
     FROM chat_member m JOIN chat_conversation c ON c.id = m.conversation_id
     WHERE m.user_id = $1 AND m.state = 'joined' AND (c.kind = 'room' OR c.created_by = $1)";

/// Of some users, the memberships in force, after these the contacts, and then how each chose to be
/// shown, if so.
pub(super) const CIRCLES: &str = concat!(
    "SELECT asked.place - 1 AS place, m.conversation_id AS member_of, ",
    joined_by!("m"),
    " AS member_change_seq, NULL AS member_id, NULL AS presence
     FROM UNNEST($1::text[]) WITH ORDINALITY AS asked (user_id, place)
     JOIN chat_member m ON m.user_id = asked.user_id AND m.state = 'joined'
     UNION ALL
     SELECT asked.place - 1, contact.shared, NULL, contact.user_id, NULL
     FROM UNNEST($1::text[]) WITH ORDINALITY AS asked (user_id, place)
     CROSS JOIN LATERAL (
       SELECT DISTINCT ON (o.user_id) o.user_id, o.conversation_id AS shared
       FROM chat_member m
       JOIN chat_head h ON h.conversation_id = m.conversation_id AND h.member_count <= $2
       JOIN chat_member o ON o.conversation_id = m.conversation_id
       WHERE m.user_id = asked.user_id AND m.state = 'joined' AND o.state = 'joined'
         AND o.user_id <> asked.user_id
       ORDER BY o.user_id, o.conversation_id
       LIMIT $3) contact
     UNION ALL
     SELECT asked.place - 1, NULL, NULL, NULL, u.presence
     FROM UNNEST($1::text[]) WITH ORDINALITY AS asked (user_id, place)
     JOIN chat_user u ON u.id = asked.user_id AND u.presence IS NOT NULL"
);

/// Whether a conversation is a public room and there is such a user; then, whether the user is a
/// member of it, how many memberships the user has chosen, and whether the room has no member.
const JOINABLE: &str = "SELECT
       EXISTS (SELECT 1 FROM chat_member m
               WHERE m.conversation_id = c.id AND m.user_id = $2 AND m.state = 'joined') AS joined,
       (SELECT count(*) FROM chat_member m JOIN chat_conversation o ON o.id = m.conversation_id
        WHERE m.user_id = $2 AND m.state = 'joined'
          AND (o.kind = 'room' OR o.created_by = $2)) AS chosen,
       h.member_count = 0 AS deserted
     FROM chat_conversation c JOIN chat_head h ON h.conversation_id = c.id
     WHERE c.id = $1 AND c.kind = 'room' AND c.visibility = 'public'";

const ADD: &str = "WITH head AS (
       UPDATE chat_head SET change_seq = change_seq + 1, member_count = member_count + 1
       WHERE conversation_id = $1 RETURNING change_seq, last_seq),
     member AS (
       INSERT INTO chat_member (conversation_id, user_id, role, state, change_seq, joined_at)
       SELECT $1, $2, $3, $4, head.change_seq, $5 FROM head
       ON CONFLICT (conversation_id, user_id)
       DO UPDATE SET state = excluded.state, change_seq = excluded.change_seq,
         role = CASE WHEN excluded.role = 'owner' THEN excluded.role ELSE chat_member.role END)
     INSERT INTO chat_cursor AS c (conversation_id, user_id, read_seq, delivered_seq)
     SELECT $1, $2, head.last_seq, head.last_seq FROM head
     ON CONFLICT (conversation_id, user_id) DO UPDATE SET
       read_seq = greatest(c.read_seq, excluded.read_seq),
       delivered_seq = greatest(c.delivered_seq, excluded.delivered_seq)";

/// Whether a member is the last one.
const LEAVABLE: &str = "SELECT h.member_count = 1 AS last
     FROM chat_member m JOIN chat_head h ON h.conversation_id = m.conversation_id
     WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.state = 'joined'";

/// Of an owner who leaves: another owner, or else the member who joined first.
const HEIR: &str = "SELECT o.user_id AS member_id, o.role = 'owner' AS owns
     FROM chat_member m JOIN chat_member o ON o.conversation_id = m.conversation_id
     WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.role = 'owner'
       AND o.user_id <> $2 AND o.state = 'joined'
     ORDER BY owns DESC, o.joined_at, o.user_id LIMIT 1";

/// Makes a member the owner by the conversation's next change, and remembers by which the user joined.
/// All parts see the rows as they were before.
const PROMOTE: &str = "WITH head AS (
       UPDATE chat_head SET change_seq = change_seq + 1
       WHERE conversation_id = $1 RETURNING change_seq),
     promotion AS (
       INSERT INTO chat_promotion (conversation_id, user_id, change_seq, joined_seq)
       SELECT m.conversation_id, m.user_id, head.change_seq, coalesce(p.joined_seq, m.change_seq)
       FROM head JOIN chat_member m ON m.conversation_id = $1 AND m.user_id = $2
       LEFT JOIN chat_promotion p ON p.conversation_id = m.conversation_id
         AND p.user_id = m.user_id AND p.change_seq = m.change_seq
       ON CONFLICT (conversation_id, user_id) DO UPDATE SET
         change_seq = excluded.change_seq, joined_seq = excluded.joined_seq)
     UPDATE chat_member SET role = 'owner', change_seq = head.change_seq
     FROM head WHERE conversation_id = $1 AND user_id = $2";

const REMOVE: &str = "WITH head AS (
       UPDATE chat_head SET change_seq = change_seq + 1, member_count = member_count - 1
       WHERE conversation_id = $1 RETURNING change_seq)
     UPDATE chat_member SET state = 'left', change_seq = head.change_seq,
       role = CASE WHEN role = 'owner' THEN 'member' ELSE role END
     FROM head WHERE conversation_id = $1 AND user_id = $2";

#[async_trait]
impl MemberStore for PostgresStore {
    async fn join(
        &self,
        conversation: ConversationId,
        user: &UserId,
        at: Timestamp,
        max_memberships: usize,
    ) -> Result<JoinOutcome, StoreError> {
        let user = user.clone();
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let user = user.clone();
            Box::pin(async move { join(session, conversation, &user, at, max_memberships).await })
        });
        Ok(outcome.await?)
    }

    async fn chosen(&self, user: &UserId) -> Result<usize, StoreError> {
        let row = self.primary.one(sql(CHOSEN).bind(user.as_str())).await?;
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
        let outcome = self.primary.write(Repeat::Harmful, move |session| {
            let user = user.clone();
            Box::pin(async move { leave(session, conversation, &user, even_as_last).await })
        });
        Ok(outcome.await?)
    }

    async fn member(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<Option<Member>, StoreError> {
        let member = sql(MEMBER).bind(conversation.as_uuid()).bind(user.as_str());
        Ok(read_optional(self.primary.row(member).await?.as_ref(), read_member)?)
    }

    async fn members<'a>(
        &self,
        conversation: ConversationId,
        after: Option<&'a UserId>,
        limit: usize,
    ) -> Result<Vec<MemberProfile>, StoreError> {
        let members = sql(MEMBERS)
            .bind(conversation.as_uuid())
            .bind(after.map_or("", UserId::as_str))
            .bind(integer(limit));
        Ok(read_all(&self.primary.rows(members).await?, read_profile)?)
    }

    async fn memberships(&self, users: &[UserId]) -> Result<Vec<Membership>, StoreError> {
        let users: Vec<&str> = users.iter().map(UserId::as_str).collect();
        let rows = self.primary.rows(sql(MEMBERSHIPS).bind(users)).await?;
        Ok(read_all(&rows, read_membership)?)
    }

    async fn circles(
        &self,
        users: &[UserId],
        max_members: usize,
        limit: usize,
    ) -> Result<Vec<Circle>, StoreError> {
        let ids: Vec<_> = users.iter().map(|user| user.as_str().to_owned()).collect();
        let circles = sql(CIRCLES).bind(ids).bind(integer(max_members)).bind(integer(limit));
        let rows = self.primary.rows(circles).await?;
        let mut circles = vec![Circle::default(); users.len()];
        for row in &rows {
            let place = row.number("place").map_err(Failure::from)?;
            let (user, circle) = asked(users, &mut circles, place)?;
            add(circle, user, row).map_err(Failure::from)?;
        }
        Ok(circles)
    }
}

/// Adds a membership, a contact, or the chosen presence to a user's circle.
fn add(circle: &mut Circle, user: &UserId, row: &PgRow) -> sqlx::Result<()> {
    if !row.is_null("presence")? {
        circle.chosen = row.word("presence")?;
    } else if row.is_null("member_id")? {
        circle.memberships.push(Membership {
            user_id: user.clone(),
            conversation_id: row.id("member_of")?,
            change_seq: row.number("member_change_seq")?,
        });
    } else {
        circle.contacts.push(read_contact(row)?);
    }
    Ok(())
}

async fn join(
    session: &mut Session,
    conversation: ConversationId,
    user: &UserId,
    at: Timestamp,
    max_memberships: usize,
) -> Result<JoinOutcome, Failure> {
    // Joins of one user count each other, whatever room they are to.
    if !lock_user(session, user).await? || !lock_head(session, conversation).await? {
        return Ok(JoinOutcome::NotJoinable);
    }
    let joinable = sql(JOINABLE).bind(conversation.as_uuid()).bind(user.as_str());
    let Some(row) = session.row(joinable).await? else {
        return Ok(JoinOutcome::NotJoinable);
    };
    let joined: bool = row.try_get("joined")?;
    if !joined {
        if row.try_get::<i64, _>("chosen")? >= integer(max_memberships) {
            return Ok(JoinOutcome::TooMany);
        }
        // A room with members has an owner.
        let deserted = row.try_get("deserted")?;
        let role = if deserted { MemberRole::Owner } else { MemberRole::Member };
        add_member(session, conversation, user, role, at).await?;
    }
    let profile = profile(session, conversation, user).await?;
    let summary = Box::new(read_summary(&session.one(summary_of(conversation, user)).await?)?);
    Ok(if joined {
        JoinOutcome::Already(profile, summary)
    } else {
        JoinOutcome::Joined(profile, summary)
    })
}

async fn leave(
    session: &mut Session,
    conversation: ConversationId,
    user: &UserId,
    even_as_last: bool,
) -> Result<LeaveOutcome, Failure> {
    if !lock_head(session, conversation).await? {
        return Ok(LeaveOutcome::NotMember);
    }
    let leavable = sql(LEAVABLE).bind(conversation.as_uuid()).bind(user.as_str());
    let Some(row) = session.row(leavable).await? else { return Ok(LeaveOutcome::NotMember) };
    if row.try_get("last")? && !even_as_last {
        return Ok(LeaveOutcome::LastMember);
    }
    let heir = match hand_over(session, conversation, user).await? {
        Some(heir) => Some(Box::new(profile(session, conversation, &heir).await?)),
        None => None,
    };
    session.execute(sql(REMOVE).bind(conversation.as_uuid()).bind(user.as_str())).await?;
    let member = profile(session, conversation, user).await?;
    Ok(LeaveOutcome::Left { member, heir })
}

/// Before the only owner leaves: makes the member who joined first the owner, and returns who that is.
/// None when the user is not the only owner, or nobody is left.
async fn hand_over(
    session: &mut Session,
    conversation: ConversationId,
    leaving: &UserId,
) -> Result<Option<UserId>, Failure> {
    let heir = sql(HEIR).bind(conversation.as_uuid()).bind(leaving.as_str());
    let Some(heir) = session.row(heir).await? else { return Ok(None) };
    if heir.try_get("owns")? {
        return Ok(None);
    }
    let heir: UserId = heir.parsed("member_id")?;
    session.execute(sql(PROMOTE).bind(conversation.as_uuid()).bind(heir.as_str())).await?;
    Ok(Some(heir))
}

/// Whether a user may have one more membership that counts. Until the transaction ends, no other counts
/// or adds one for the same user.
pub(super) async fn may_add(
    session: &mut Session,
    user: &UserId,
    max_memberships: usize,
) -> Result<bool, Failure> {
    // Who is not there is refused by what refers to the user.
    lock_user(session, user).await?;
    let chosen = session.one(sql(CHOSEN).bind(user.as_str())).await?;
    Ok(chosen.try_get::<i64, _>("chosen")? < integer(max_memberships))
}

/// Makes a user a member by the conversation's next change, with cursors at its last message.
pub(super) async fn add_member(
    session: &mut Session,
    conversation: ConversationId,
    user: &UserId,
    role: MemberRole,
    at: Timestamp,
) -> Result<(), Failure> {
    let add = sql(ADD)
        .bind(conversation.as_uuid())
        .bind(user.as_str())
        .bind(word(role)?)
        .bind(word(MemberState::Joined)?)
        .bind(at.as_microsecond());
    session.execute(add).await?;
    Ok(())
}

async fn profile(
    session: &mut Session,
    conversation: ConversationId,
    user: &UserId,
) -> Result<MemberProfile, Failure> {
    let profile = sql(PROFILE).bind(conversation.as_uuid()).bind(user.as_str());
    Ok(read_profile(&session.one(profile).await?)?)
}

/// Waits until no other transaction changes the conversation; false when there is none.
async fn lock_head(session: &mut Session, conversation: ConversationId) -> Result<bool, Failure> {
    let lock = sql("SELECT 1 FROM chat_head WHERE conversation_id = $1 FOR UPDATE")
        .bind(conversation.as_uuid());
    Ok(session.row(lock).await?.is_some())
}

/// Waits until no other transaction counts what belongs to the user; false when there is none.
/// Rows that refer to the user can be written meanwhile. Whoever locks a head, too, does so after
/// this.
pub(super) async fn lock_user(session: &mut Session, user: &UserId) -> Result<bool, Failure> {
    let lock = sql("SELECT 1 FROM chat_user WHERE id = $1 FOR NO KEY UPDATE").bind(user.as_str());
    Ok(session.row(lock).await?.is_some())
}
