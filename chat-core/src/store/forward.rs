/// Implements [`Store`](super::Store) for a type that hands every call on.
///
/// `$via!(self.aggregate.method(arguments), kind)` says how: `aggregate` is the field of
/// [`StoreParts`](super::StoreParts) that the method belongs to, and `kind` is `read` or `write`.
macro_rules! forward_store {
    ($type:ty, $via:ident) => {
        #[::async_trait::async_trait]
        impl $crate::store::UserStore for $type {
            async fn ensure_users(
                &self,
                users: Vec<$crate::store::NewUser>,
            ) -> Result<Vec<$crate::store::EnsureUser>, $crate::store::StoreError> {
                $via!(self.users.ensure_users(users), write)
            }

            async fn user(
                &self,
                id: &::chat_proto::UserId,
            ) -> Result<Option<::chat_proto::User>, $crate::store::StoreError> {
                $via!(self.users.user(id), read)
            }

            async fn users(
                &self,
                ids: &[::chat_proto::UserId],
            ) -> Result<Vec<::chat_proto::User>, $crate::store::StoreError> {
                $via!(self.users.users(ids), read)
            }

            async fn user_by_name(
                &self,
                key: &str,
            ) -> Result<Option<::chat_proto::User>, $crate::store::StoreError> {
                $via!(self.users.user_by_name(key), read)
            }

            async fn search_users(
                &self,
                prefix: &str,
                limit: usize,
            ) -> Result<Vec<::chat_proto::User>, $crate::store::StoreError> {
                $via!(self.users.search_users(prefix, limit), read)
            }

            async fn record_last_seen(
                &self,
                id: &::chat_proto::UserId,
                at: ::jiff::Timestamp,
            ) -> Result<(), $crate::store::StoreError> {
                $via!(self.users.record_last_seen(id, at), write)
            }

            async fn choose_presence(
                &self,
                id: &::chat_proto::UserId,
                status: ::chat_proto::PresenceStatus,
            ) -> Result<(), $crate::store::StoreError> {
                $via!(self.users.choose_presence(id, status), write)
            }
        }

        #[::async_trait::async_trait]
        impl $crate::store::ConversationStore for $type {
            async fn open_direct(
                &self,
                direct: $crate::store::NewDirect,
            ) -> Result<$crate::store::OpenOutcome, $crate::store::StoreError> {
                $via!(self.conversations.open_direct(direct), write)
            }

            async fn direct(
                &self,
                a: &::chat_proto::UserId,
                b: &::chat_proto::UserId,
            ) -> Result<Option<::chat_proto::Conversation>, $crate::store::StoreError> {
                $via!(self.conversations.direct(a, b), read)
            }

            async fn create_room(
                &self,
                room: $crate::store::NewRoom,
            ) -> Result<$crate::store::OpenOutcome, $crate::store::StoreError> {
                $via!(self.conversations.create_room(room), write)
            }

            async fn find_or_create_room(
                &self,
                room: $crate::store::NewRoom,
            ) -> Result<$crate::store::OpenOutcome, $crate::store::StoreError> {
                $via!(self.conversations.find_or_create_room(room), write)
            }

            async fn room_by_name(
                &self,
                key: &str,
            ) -> Result<Option<::chat_proto::Conversation>, $crate::store::StoreError> {
                $via!(self.conversations.room_by_name(key), read)
            }

            async fn conversation(
                &self,
                id: ::chat_proto::ConversationId,
            ) -> Result<Option<::chat_proto::Conversation>, $crate::store::StoreError> {
                $via!(self.conversations.conversation(id), read)
            }

            async fn public_rooms(
                &self,
                after: Option<$crate::store::RoomPosition>,
                limit: usize,
            ) -> Result<Vec<::chat_proto::Conversation>, $crate::store::StoreError> {
                $via!(self.conversations.public_rooms(after, limit), read)
            }

            async fn recent(
                &self,
                limit: usize,
            ) -> Result<Vec<::chat_proto::Conversation>, $crate::store::StoreError> {
                $via!(self.conversations.recent(limit), read)
            }
        }

        #[::async_trait::async_trait]
        impl $crate::store::MemberStore for $type {
            async fn join(
                &self,
                conversation: ::chat_proto::ConversationId,
                user: &::chat_proto::UserId,
                at: ::jiff::Timestamp,
                max_memberships: usize,
            ) -> Result<$crate::store::JoinOutcome, $crate::store::StoreError> {
                $via!(self.members.join(conversation, user, at, max_memberships), write)
            }

            async fn chosen(
                &self,
                user: &::chat_proto::UserId,
            ) -> Result<usize, $crate::store::StoreError> {
                $via!(self.members.chosen(user), read)
            }

            async fn leave(
                &self,
                conversation: ::chat_proto::ConversationId,
                user: &::chat_proto::UserId,
                even_as_last: bool,
            ) -> Result<$crate::store::LeaveOutcome, $crate::store::StoreError> {
                $via!(self.members.leave(conversation, user, even_as_last), write)
            }

            async fn member(
                &self,
                conversation: ::chat_proto::ConversationId,
                user: &::chat_proto::UserId,
            ) -> Result<Option<::chat_proto::Member>, $crate::store::StoreError> {
                $via!(self.members.member(conversation, user), read)
            }

            async fn members<'a>(
                &self,
                conversation: ::chat_proto::ConversationId,
                after: Option<&'a ::chat_proto::UserId>,
                limit: usize,
            ) -> Result<Vec<::chat_proto::MemberProfile>, $crate::store::StoreError> {
                $via!(self.members.members(conversation, after, limit), read)
            }

            async fn memberships(
                &self,
                users: &[::chat_proto::UserId],
            ) -> Result<Vec<$crate::store::Membership>, $crate::store::StoreError> {
                $via!(self.members.memberships(users), read)
            }

            async fn circles(
                &self,
                users: &[::chat_proto::UserId],
                max_members: usize,
                limit: usize,
            ) -> Result<Vec<$crate::store::Circle>, $crate::store::StoreError> {
                $via!(self.members.circles(users, max_members, limit), read)
            }
        }

        #[::async_trait::async_trait]
        impl $crate::store::MessageStore for $type {
            async fn append(
                &self,
                drafts: Vec<$crate::store::MessageDraft>,
            ) -> Result<Vec<$crate::store::AppendOutcome>, $crate::store::StoreError> {
                $via!(self.messages.append(drafts), write)
            }

            async fn message(
                &self,
                id: ::chat_proto::MessageId,
            ) -> Result<Option<::chat_proto::Message>, $crate::store::StoreError> {
                $via!(self.messages.message(id), read)
            }

            async fn messages(
                &self,
                conversation: ::chat_proto::ConversationId,
                seqs: ::std::ops::RangeInclusive<u64>,
            ) -> Result<Vec<::chat_proto::Message>, $crate::store::StoreError> {
                $via!(self.messages.messages(conversation, seqs), read)
            }

            async fn changes(
                &self,
                conversation: ::chat_proto::ConversationId,
                since: u64,
                limit: usize,
            ) -> Result<$crate::store::Changes, $crate::store::StoreError> {
                $via!(self.messages.changes(conversation, since, limit), read)
            }

            async fn heads(
                &self,
                conversations: &[::chat_proto::ConversationId],
            ) -> Result<Vec<$crate::store::Head>, $crate::store::StoreError> {
                $via!(self.messages.heads(conversations), read)
            }

            async fn visible_head(
                &self,
                conversation: ::chat_proto::ConversationId,
                user: &::chat_proto::UserId,
            ) -> Result<Option<$crate::store::Head>, $crate::store::StoreError> {
                $via!(self.messages.visible_head(conversation, user), read)
            }
        }

        #[::async_trait::async_trait]
        impl $crate::store::CursorStore for $type {
            async fn advance(
                &self,
                conversation: ::chat_proto::ConversationId,
                user: &::chat_proto::UserId,
                kind: $crate::store::CursorKind,
                seq: Option<u64>,
            ) -> Result<Option<$crate::store::CursorAdvance>, $crate::store::StoreError> {
                $via!(self.cursors.advance(conversation, user, kind, seq), write)
            }
        }

        #[::async_trait::async_trait]
        impl $crate::store::InboxStore for $type {
            async fn summaries(
                &self,
                user: &::chat_proto::UserId,
                after: Option<$crate::store::InboxPosition>,
                limit: usize,
            ) -> Result<Vec<::chat_proto::ConversationSummary>, $crate::store::StoreError> {
                $via!(self.inbox.summaries(user, after, limit), read)
            }

            async fn summary(
                &self,
                user: &::chat_proto::UserId,
                conversation: ::chat_proto::ConversationId,
            ) -> Result<Option<::chat_proto::ConversationSummary>, $crate::store::StoreError> {
                $via!(self.inbox.summary(user, conversation), read)
            }

            async fn unread_total(
                &self,
                user: &::chat_proto::UserId,
            ) -> Result<$crate::store::UnreadTotal, $crate::store::StoreError> {
                $via!(self.inbox.unread_total(user), read)
            }

            async fn overviews(
                &self,
                users: &[::chat_proto::UserId],
                limit: usize,
            ) -> Result<Vec<$crate::store::Overview>, $crate::store::StoreError> {
                $via!(self.inbox.overviews(users, limit), read)
            }

            async fn missed(
                &self,
                questions: &[$crate::store::Known],
                max_gap: u64,
                limit: usize,
            ) -> Result<Vec<Vec<$crate::store::Missed>>, $crate::store::StoreError> {
                $via!(self.inbox.missed(questions, max_gap, limit), read)
            }
        }

        #[::async_trait::async_trait]
        impl $crate::store::VisitStore for $type {
            async fn record_alive(
                &self,
                node: ::chat_proto::NodeId,
                users: &[::chat_proto::UserId],
            ) -> Result<(), $crate::store::StoreError> {
                $via!(self.visits.record_alive(node, users), write)
            }

            async fn end_visits(
                &self,
                except: ::chat_proto::NodeId,
                silent: ::std::time::Duration,
                limit: usize,
            ) -> Result<Vec<::chat_proto::UserId>, $crate::store::StoreError> {
                $via!(self.visits.end_visits(except, silent, limit), write)
            }
        }

        #[::async_trait::async_trait]
        impl $crate::store::ProbeStore for $type {
            async fn probe(&self) -> Result<(), $crate::store::StoreError> {
                $via!(self.probe.probe(), write)
            }
        }
    };
}
pub(crate) use forward_store;

/// Implements [`AccountStore`](super::AccountStore) and
/// [`LoginSessionStore`](super::LoginSessionStore) for a type that hands every call on, in the way of
/// [`forward_store`]; `aggregate` is `accounts` or `logins`.
macro_rules! forward_accounts {
    ($type:ty, $via:ident) => {
        #[::async_trait::async_trait]
        impl $crate::store::AccountStore for $type {
            async fn create_account(
                &self,
                account: $crate::store::NewAccount,
            ) -> Result<$crate::store::CreateAccount, $crate::store::StoreError> {
                $via!(self.accounts.create_account(account), write)
            }

            async fn account_by_name(
                &self,
                key: &str,
            ) -> Result<Option<$crate::store::Account>, $crate::store::StoreError> {
                $via!(self.accounts.account_by_name(key), read)
            }

            async fn account(
                &self,
                user: &::chat_proto::UserId,
            ) -> Result<Option<$crate::store::Account>, $crate::store::StoreError> {
                $via!(self.accounts.account(user), read)
            }

            async fn set_password(
                &self,
                user: &::chat_proto::UserId,
                password_hash: ::secrecy::SecretString,
            ) -> Result<bool, $crate::store::StoreError> {
                $via!(self.accounts.set_password(user, password_hash), write)
            }
        }

        #[::async_trait::async_trait]
        impl $crate::store::LoginSessionStore for $type {
            async fn insert_login_session(
                &self,
                session: $crate::store::LoginSession,
                max_per_user: usize,
            ) -> Result<Vec<::chat_proto::LoginSessionId>, $crate::store::StoreError> {
                $via!(self.logins.insert_login_session(session, max_per_user), write)
            }

            async fn login_session(
                &self,
                token_hash: &$crate::store::TokenHash,
            ) -> Result<Option<$crate::store::LoginSession>, $crate::store::StoreError> {
                $via!(self.logins.login_session(token_hash), read)
            }

            async fn touch_login_session(
                &self,
                id: ::chat_proto::LoginSessionId,
                last_used_at: ::jiff::Timestamp,
                expires_at: ::jiff::Timestamp,
            ) -> Result<(), $crate::store::StoreError> {
                $via!(self.logins.touch_login_session(id, last_used_at, expires_at), write)
            }

            async fn login_sessions(
                &self,
                user: &::chat_proto::UserId,
            ) -> Result<Vec<$crate::store::LoginSession>, $crate::store::StoreError> {
                $via!(self.logins.login_sessions(user), read)
            }

            async fn existing_login_sessions(
                &self,
                ids: &[::chat_proto::LoginSessionId],
            ) -> Result<Vec<::chat_proto::LoginSessionId>, $crate::store::StoreError> {
                $via!(self.logins.existing_login_sessions(ids), read)
            }

            async fn end_login_session(
                &self,
                user: &::chat_proto::UserId,
                id: ::chat_proto::LoginSessionId,
            ) -> Result<bool, $crate::store::StoreError> {
                $via!(self.logins.end_login_session(user, id), write)
            }

            async fn end_login_sessions(
                &self,
                user: &::chat_proto::UserId,
                except: Option<::chat_proto::LoginSessionId>,
            ) -> Result<Vec<::chat_proto::LoginSessionId>, $crate::store::StoreError> {
                $via!(self.logins.end_login_sessions(user, except), write)
            }

            async fn remove_expired_login_sessions(
                &self,
                now: ::jiff::Timestamp,
            ) -> Result<u64, $crate::store::StoreError> {
                $via!(self.logins.remove_expired_login_sessions(now), write)
            }
        }
    };
}
pub(crate) use forward_accounts;
