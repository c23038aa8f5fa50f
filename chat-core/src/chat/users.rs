use chat_proto::{DisplayName, Operation, User, UserId, Username};
use jiff::Timestamp;

use super::{Actor, Chat};
use crate::auth::UserClaims;
use crate::config::PresenceScope;
use crate::error::ChatError;
use crate::store::{EnsureUser, NewUser};

/// How many names are tried for a user whose name is taken, before a random one.
const NAME_TRIES: usize = 8;

impl Chat {
    /// Makes sure that a user the host vouches for is recorded.
    ///
    /// A new user gets the name in the claims; if that is missing or taken, a name made from the
    /// id. A known user is left as it is.
    ///
    /// # Errors
    ///
    /// A failure of the store.
    pub async fn admit(&self, claims: &UserClaims) -> Result<User, ChatError> {
        let users = &self.engine.shown.users;
        if let Some(user) = self.within(users.user(&claims.id)).await? {
            return Ok(user);
        }
        let from_id = Username::from(&claims.id);
        let numbered = (2..NAME_TRIES).map(|n| format!("{}~{n}", shortened(from_id.as_str())));
        let random = std::iter::once(UserId::generate().to_string());
        let others = numbered.chain(random).filter_map(|name| Username::parse(&name).ok());
        for username in claims.username.iter().cloned().chain([from_id.clone()]).chain(others) {
            let display_name =
                claims.display_name.clone().unwrap_or_else(|| DisplayName::from(&username));
            let user = NewUser {
                id: claims.id.clone(),
                username,
                display_name,
                created_at: Timestamp::now(),
            };
            match self.within(users.ensure_user(user)).await? {
                EnsureUser::Existing(user) | EnsureUser::Created(user) => return Ok(user),
                EnsureUser::UsernameTaken => {}
            }
        }
        Err(ChatError::Conflict("no user name is free for this user"))
    }

    /// A user, by id, for the actor to look at: as [`Chat::user`], and one of the actor's reads.
    ///
    /// # Errors
    ///
    /// [`ChatError::RateLimited`], [`ChatError::NotFound`], or a failure of the store.
    pub async fn profile(&self, actor: &Actor, id: &UserId) -> Result<User, ChatError> {
        let _turn = self.begin_read(actor, Operation::UserShow).await?;
        self.user(id).await
    }

    /// A user, by id. When the user was last seen is told to those who may see the user's presence
    /// only, and so not here unless everyone may.
    ///
    /// # Errors
    ///
    /// [`ChatError::NotFound`], or a failure of the store.
    pub async fn user(&self, id: &UserId) -> Result<User, ChatError> {
        let found = self.within(self.engine.shown.users.user(id)).await?;
        found.map(|user| self.as_shown_to_anybody(user)).ok_or(ChatError::NotFound)
    }

    fn as_shown_to_anybody(&self, user: User) -> User {
        match self.engine.config.presence_scope {
            PresenceScope::Everyone => user,
            PresenceScope::Shared => User { last_seen_at: None, ..user },
        }
    }

    /// A user by name, whatever the case of its letters, or else by id.
    ///
    /// # Errors
    ///
    /// [`ChatError::NotFound`], or a failure of the store.
    pub async fn user_by_name(&self, name: &str) -> Result<User, ChatError> {
        if let Ok(username) = Username::parse(name) {
            let key = username.key();
            let found = self.within(self.engine.shown.users.user_by_name(&key)).await?;
            if let Some(user) = found {
                return Ok(self.as_shown_to_anybody(user));
            }
        }
        self.user(&name.parse().map_err(|_| ChatError::NotFound)?).await
    }

    /// Users whose name or display name begins with a text, in the order of their names, for the
    /// actor to look at.
    ///
    /// # Errors
    ///
    /// [`ChatError::PageTooLarge`], [`ChatError::RateLimited`], or a failure of the store.
    pub async fn search_users(
        &self,
        actor: &Actor,
        query: &str,
        limit: Option<usize>,
    ) -> Result<Vec<User>, ChatError> {
        let _turn = self.begin_read(actor, Operation::UserSearch).await?;
        let limit = self.page_size(limit)?;
        // No name is longer than this.
        let prefix: String =
            query.trim().chars().take(DisplayName::MAX_CHARS).collect::<String>().to_lowercase();
        let found = self.within(self.engine.stores.users.search_users(&prefix, limit)).await?;
        Ok(found.into_iter().map(|user| self.as_shown_to_anybody(user)).collect())
    }
}

/// A name with room for a number behind it.
fn shortened(name: &str) -> String {
    name.chars().take(Username::MAX_CHARS - 2).collect()
}
