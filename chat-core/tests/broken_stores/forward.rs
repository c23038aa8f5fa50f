//! The honest part of stores that lie.
//!
//! `message_store!(Store: message heads; async fn append … )` implements the trait for a type that
//! holds an honest `store`: the methods named are handed on to it, the others are given.

macro_rules! user_store {
    (@ $type:ident [ensure_users $($rest:ident)*] $($given:tt)*) => { user_store! { @ $type [$($rest)*] $($given)*
        async fn ensure_users(
            &self,
            users: Vec<::chat_core::store::NewUser>,
        ) -> Result<Vec<::chat_core::store::EnsureUser>, ::chat_core::store::StoreError> {
            ::chat_core::store::UserStore::ensure_users(&*self.store, users).await
        }
    } };
    (@ $type:ident [user $($rest:ident)*] $($given:tt)*) => { user_store! { @ $type [$($rest)*] $($given)*
        async fn user(
            &self,
            id: &::chat_core::proto::UserId,
        ) -> Result<Option<::chat_core::proto::User>, ::chat_core::store::StoreError> {
            ::chat_core::store::UserStore::user(&*self.store, id).await
        }
    } };
    (@ $type:ident [users $($rest:ident)*] $($given:tt)*) => { user_store! { @ $type [$($rest)*] $($given)*
        async fn users(
            &self,
            ids: &[::chat_core::proto::UserId],
        ) -> Result<Vec<::chat_core::proto::User>, ::chat_core::store::StoreError> {
            ::chat_core::store::UserStore::users(&*self.store, ids).await
        }
    } };
    (@ $type:ident [user_by_name $($rest:ident)*] $($given:tt)*) => { user_store! { @ $type [$($rest)*] $($given)*
        async fn user_by_name(
            &self,
            key: &str,
        ) -> Result<Option<::chat_core::proto::User>, ::chat_core::store::StoreError> {
            ::chat_core::store::UserStore::user_by_name(&*self.store, key).await
        }
    } };
    (@ $type:ident [search_users $($rest:ident)*] $($given:tt)*) => { user_store! { @ $type [$($rest)*] $($given)*
        async fn search_users(
            &self,
            prefix: &str,
            limit: usize,
        ) -> Result<Vec<::chat_core::proto::User>, ::chat_core::store::StoreError> {
            ::chat_core::store::UserStore::search_users(&*self.store, prefix, limit).await
        }
    } };
    (@ $type:ident [record_last_seen $($rest:ident)*] $($given:tt)*) => { user_store! { @ $type [$($rest)*] $($given)*
        async fn record_last_seen(
            &self,
            id: &::chat_core::proto::UserId,
            at: ::jiff::Timestamp,
        ) -> Result<(), ::chat_core::store::StoreError> {
            ::chat_core::store::UserStore::record_last_seen(&*self.store, id, at).await
        }
    } };
    (@ $type:ident [choose_presence $($rest:ident)*] $($given:tt)*) => { user_store! { @ $type [$($rest)*] $($given)*
        async fn choose_presence(
            &self,
            id: &::chat_core::proto::UserId,
            status: ::chat_core::proto::PresenceStatus,
        ) -> Result<(), ::chat_core::store::StoreError> {
            ::chat_core::store::UserStore::choose_presence(&*self.store, id, status).await
        }
    } };
    (@ $type:ident [] $($methods:tt)*) => {
        #[::async_trait::async_trait]
        impl ::chat_core::store::UserStore for $type { $($methods)* }
    };
    ($type:ident: $($handed_on:ident)*; $($given:tt)*) => {
        user_store! { @ $type [$($handed_on)*] $($given)* }
    };
}

macro_rules! conversation_store {
    (@ $type:ident [open_direct $($rest:ident)*] $($given:tt)*) => { conversation_store! { @ $type [$($rest)*] $($given)*
        async fn open_direct(
            &self,
            direct: ::chat_core::store::NewDirect,
        ) -> Result<::chat_core::store::OpenOutcome, ::chat_core::store::StoreError> {
            ::chat_core::store::ConversationStore::open_direct(&*self.store, direct).await
        }
    } };
    (@ $type:ident [direct $($rest:ident)*] $($given:tt)*) => { conversation_store! { @ $type [$($rest)*] $($given)*
        async fn direct(
            &self,
            a: &::chat_core::proto::UserId,
            b: &::chat_core::proto::UserId,
        ) -> Result<Option<::chat_core::proto::Conversation>, ::chat_core::store::StoreError> {
            ::chat_core::store::ConversationStore::direct(&*self.store, a, b).await
        }
    } };
    (@ $type:ident [create_room $($rest:ident)*] $($given:tt)*) => { conversation_store! { @ $type [$($rest)*] $($given)*
        async fn create_room(
            &self,
            room: ::chat_core::store::NewRoom,
        ) -> Result<::chat_core::store::OpenOutcome, ::chat_core::store::StoreError> {
            ::chat_core::store::ConversationStore::create_room(&*self.store, room).await
        }
    } };
    (@ $type:ident [find_or_create_room $($rest:ident)*] $($given:tt)*) => { conversation_store! { @ $type [$($rest)*] $($given)*
        async fn find_or_create_room(
            &self,
            room: ::chat_core::store::NewRoom,
        ) -> Result<::chat_core::store::OpenOutcome, ::chat_core::store::StoreError> {
            ::chat_core::store::ConversationStore::find_or_create_room(&*self.store, room).await
        }
    } };
    (@ $type:ident [room_by_name $($rest:ident)*] $($given:tt)*) => { conversation_store! { @ $type [$($rest)*] $($given)*
        async fn room_by_name(
            &self,
            key: &str,
        ) -> Result<Option<::chat_core::proto::Conversation>, ::chat_core::store::StoreError> {
            ::chat_core::store::ConversationStore::room_by_name(&*self.store, key).await
        }
    } };
    (@ $type:ident [conversation $($rest:ident)*] $($given:tt)*) => { conversation_store! { @ $type [$($rest)*] $($given)*
        async fn conversation(
            &self,
            id: ::chat_core::proto::ConversationId,
        ) -> Result<Option<::chat_core::proto::Conversation>, ::chat_core::store::StoreError> {
            ::chat_core::store::ConversationStore::conversation(&*self.store, id).await
        }
    } };
    (@ $type:ident [public_rooms $($rest:ident)*] $($given:tt)*) => { conversation_store! { @ $type [$($rest)*] $($given)*
        async fn public_rooms(
            &self,
            after: Option<::chat_core::store::RoomPosition>,
            limit: usize,
        ) -> Result<Vec<::chat_core::proto::Conversation>, ::chat_core::store::StoreError> {
            ::chat_core::store::ConversationStore::public_rooms(&*self.store, after, limit).await
        }
    } };
    (@ $type:ident [recent $($rest:ident)*] $($given:tt)*) => { conversation_store! { @ $type [$($rest)*] $($given)*
        async fn recent(
            &self,
            limit: usize,
        ) -> Result<Vec<::chat_core::proto::Conversation>, ::chat_core::store::StoreError> {
            ::chat_core::store::ConversationStore::recent(&*self.store, limit).await
        }
    } };
    (@ $type:ident [] $($methods:tt)*) => {
        #[::async_trait::async_trait]
        impl ::chat_core::store::ConversationStore for $type { $($methods)* }
    };
    ($type:ident: $($handed_on:ident)*; $($given:tt)*) => {
        conversation_store! { @ $type [$($handed_on)*] $($given)* }
    };
}

macro_rules! member_store {
    (@ $type:ident [join $($rest:ident)*] $($given:tt)*) => { member_store! { @ $type [$($rest)*] $($given)*
        async fn join(
            &self,
            conversation: ::chat_core::proto::ConversationId,
            user: &::chat_core::proto::UserId,
            at: ::jiff::Timestamp,
            max_memberships: usize,
        ) -> Result<::chat_core::store::JoinOutcome, ::chat_core::store::StoreError> {
            ::chat_core::store::MemberStore::join(&*self.store, conversation, user, at, max_memberships).await
        }
    } };
    (@ $type:ident [chosen $($rest:ident)*] $($given:tt)*) => { member_store! { @ $type [$($rest)*] $($given)*
        async fn chosen(
            &self,
            user: &::chat_core::proto::UserId,
        ) -> Result<usize, ::chat_core::store::StoreError> {
            ::chat_core::store::MemberStore::chosen(&*self.store, user).await
        }
    } };
    (@ $type:ident [leave $($rest:ident)*] $($given:tt)*) => { member_store! { @ $type [$($rest)*] $($given)*
        async fn leave(
            &self,
            conversation: ::chat_core::proto::ConversationId,
            user: &::chat_core::proto::UserId,
            even_as_last: bool,
        ) -> Result<::chat_core::store::LeaveOutcome, ::chat_core::store::StoreError> {
            ::chat_core::store::MemberStore::leave(&*self.store, conversation, user, even_as_last)
                .await
        }
    } };
    (@ $type:ident [member $($rest:ident)*] $($given:tt)*) => { member_store! { @ $type [$($rest)*] $($given)*
        async fn member(
            &self,
            conversation: ::chat_core::proto::ConversationId,
            user: &::chat_core::proto::UserId,
        ) -> Result<Option<::chat_core::proto::Member>, ::chat_core::store::StoreError> {
            ::chat_core::store::MemberStore::member(&*self.store, conversation, user).await
        }
    } };
    (@ $type:ident [members $($rest:ident)*] $($given:tt)*) => { member_store! { @ $type [$($rest)*] $($given)*
        async fn members<'a>(
            &self,
            conversation: ::chat_core::proto::ConversationId,
            after: Option<&'a ::chat_core::proto::UserId>,
            limit: usize,
        ) -> Result<Vec<::chat_core::proto::MemberProfile>, ::chat_core::store::StoreError> {
            ::chat_core::store::MemberStore::members(&*self.store, conversation, after, limit).await
        }
    } };
    (@ $type:ident [memberships $($rest:ident)*] $($given:tt)*) => { member_store! { @ $type [$($rest)*] $($given)*
        async fn memberships(
            &self,
            users: &[::chat_core::proto::UserId],
        ) -> Result<Vec<::chat_core::store::Membership>, ::chat_core::store::StoreError> {
            ::chat_core::store::MemberStore::memberships(&*self.store, users).await
        }
    } };
    (@ $type:ident [circles $($rest:ident)*] $($given:tt)*) => { member_store! { @ $type [$($rest)*] $($given)*
        async fn circles(
            &self,
            users: &[::chat_core::proto::UserId],
            max_members: usize,
            limit: usize,
        ) -> Result<Vec<::chat_core::store::Circle>, ::chat_core::store::StoreError> {
            ::chat_core::store::MemberStore::circles(&*self.store, users, max_members, limit).await
        }
    } };
    (@ $type:ident [] $($methods:tt)*) => {
        #[::async_trait::async_trait]
        impl ::chat_core::store::MemberStore for $type { $($methods)* }
    };
    ($type:ident: $($handed_on:ident)*; $($given:tt)*) => {
        member_store! { @ $type [$($handed_on)*] $($given)* }
    };
}

macro_rules! message_store {
    (@ $type:ident [append $($rest:ident)*] $($given:tt)*) => { message_store! { @ $type [$($rest)*] $($given)*
        async fn append(
            &self,
            drafts: Vec<::chat_core::store::MessageDraft>,
        ) -> Result<Vec<::chat_core::store::AppendOutcome>, ::chat_core::store::StoreError> {
            ::chat_core::store::MessageStore::append(&*self.store, drafts).await
        }
    } };
    (@ $type:ident [message $($rest:ident)*] $($given:tt)*) => { message_store! { @ $type [$($rest)*] $($given)*
        async fn message(
            &self,
            id: ::chat_core::proto::MessageId,
        ) -> Result<Option<::chat_core::proto::Message>, ::chat_core::store::StoreError> {
            ::chat_core::store::MessageStore::message(&*self.store, id).await
        }
    } };
    (@ $type:ident [messages $($rest:ident)*] $($given:tt)*) => { message_store! { @ $type [$($rest)*] $($given)*
        async fn messages(
            &self,
            conversation: ::chat_core::proto::ConversationId,
            seqs: ::std::ops::RangeInclusive<u64>,
        ) -> Result<Vec<::chat_core::proto::Message>, ::chat_core::store::StoreError> {
            ::chat_core::store::MessageStore::messages(&*self.store, conversation, seqs).await
        }
    } };
    (@ $type:ident [changes $($rest:ident)*] $($given:tt)*) => { message_store! { @ $type [$($rest)*] $($given)*
        async fn changes(
            &self,
            conversation: ::chat_core::proto::ConversationId,
            since: u64,
            limit: usize,
        ) -> Result<::chat_core::store::Changes, ::chat_core::store::StoreError> {
            ::chat_core::store::MessageStore::changes(&*self.store, conversation, since, limit).await
        }
    } };
    (@ $type:ident [heads $($rest:ident)*] $($given:tt)*) => { message_store! { @ $type [$($rest)*] $($given)*
        async fn heads(
            &self,
            conversations: &[::chat_core::proto::ConversationId],
        ) -> Result<Vec<::chat_core::store::Head>, ::chat_core::store::StoreError> {
            ::chat_core::store::MessageStore::heads(&*self.store, conversations).await
        }
    } };
    (@ $type:ident [visible_head $($rest:ident)*] $($given:tt)*) => { message_store! { @ $type [$($rest)*] $($given)*
        async fn visible_head(
            &self,
            conversation: ::chat_core::proto::ConversationId,
            user: &::chat_core::proto::UserId,
        ) -> Result<Option<::chat_core::store::Head>, ::chat_core::store::StoreError> {
            ::chat_core::store::MessageStore::visible_head(&*self.store, conversation, user).await
        }
    } };
    (@ $type:ident [] $($methods:tt)*) => {
        #[::async_trait::async_trait]
        impl ::chat_core::store::MessageStore for $type { $($methods)* }
    };
    ($type:ident: $($handed_on:ident)*; $($given:tt)*) => {
        message_store! { @ $type [$($handed_on)*] $($given)* }
    };
}

macro_rules! inbox_store {
    (@ $type:ident [summaries $($rest:ident)*] $($given:tt)*) => { inbox_store! { @ $type [$($rest)*] $($given)*
        async fn summaries(
            &self,
            user: &::chat_core::proto::UserId,
            after: Option<::chat_core::store::InboxPosition>,
            limit: usize,
        ) -> Result<Vec<::chat_core::proto::ConversationSummary>, ::chat_core::store::StoreError> {
            ::chat_core::store::InboxStore::summaries(&*self.store, user, after, limit).await
        }
    } };
    (@ $type:ident [summary $($rest:ident)*] $($given:tt)*) => { inbox_store! { @ $type [$($rest)*] $($given)*
        async fn summary(
            &self,
            user: &::chat_core::proto::UserId,
            conversation: ::chat_core::proto::ConversationId,
        ) -> Result<Option<::chat_core::proto::ConversationSummary>, ::chat_core::store::StoreError> {
            ::chat_core::store::InboxStore::summary(&*self.store, user, conversation).await
        }
    } };
    (@ $type:ident [unread_total $($rest:ident)*] $($given:tt)*) => { inbox_store! { @ $type [$($rest)*] $($given)*
        async fn unread_total(
            &self,
            user: &::chat_core::proto::UserId,
        ) -> Result<::chat_core::store::UnreadTotal, ::chat_core::store::StoreError> {
            ::chat_core::store::InboxStore::unread_total(&*self.store, user).await
        }
    } };
    (@ $type:ident [overviews $($rest:ident)*] $($given:tt)*) => { inbox_store! { @ $type [$($rest)*] $($given)*
        async fn overviews(
            &self,
            users: &[::chat_core::proto::UserId],
            limit: usize,
        ) -> Result<Vec<::chat_core::store::Overview>, ::chat_core::store::StoreError> {
            ::chat_core::store::InboxStore::overviews(&*self.store, users, limit).await
        }
    } };
    (@ $type:ident [missed $($rest:ident)*] $($given:tt)*) => { inbox_store! { @ $type [$($rest)*] $($given)*
        async fn missed(
            &self,
            questions: &[::chat_core::store::Known],
            max_gap: u64,
            limit: usize,
        ) -> Result<Vec<Vec<::chat_core::store::Missed>>, ::chat_core::store::StoreError> {
            ::chat_core::store::InboxStore::missed(&*self.store, questions, max_gap, limit).await
        }
    } };
    (@ $type:ident [] $($methods:tt)*) => {
        #[::async_trait::async_trait]
        impl ::chat_core::store::InboxStore for $type { $($methods)* }
    };
    ($type:ident: $($handed_on:ident)*; $($given:tt)*) => {
        inbox_store! { @ $type [$($handed_on)*] $($given)* }
    };
}
