use chat_proto::{DisplayName, Operation, User, UserId, Username, fold};
use jiff::Timestamp;

use super::{Actor, Chat};
use crate::auth::UserClaims;
use crate::config::PresenceScope;
use crate::error::ChatError;
use crate::store::{EnsureUser, NewUser, user_named};

/// How many names are tried for a user whose name is taken, before a random one.
const NAME_TRIES: usize = 8;
/// No key of a name has more characters: what is longer is the beginning of none.
const KEY_CHARS: usize = 512;

impl Chat {
    /// Makes sure that a user the host vouches for is recorded.
    ///
    /// A new user gets the name in the claims; if that is missing or taken, a name made from the
    /// id. A name to be shown that looks like another user's unique name is replaced by the user's
    /// own. A known user is left as it is.
    ///
    /// # Errors
    ///
    /// [`ChatError::Forbidden`] for a new user with an id that no address can carry, or a failure of
    /// the store.
    pub async fn admit(&self, claims: &UserClaims) -> Result<User, ChatError> {
        let users = &self.engine.shown.users;
        if let Some(user) = self.within(users.user(&claims.id)).await? {
            return Ok(user);
        }
        if !claims.id.fits_into_a_path() {
            return Err(ChatError::Forbidden(
                "a new user's id (the token's \"sub\") is not \".\" or \"..\", which no address can carry",
            ));
        }
        // An id that could not be a new name is none.
        let from_id = Username::parse(claims.id.as_str()).ok();
        let numbered = (2..NAME_TRIES).map(|n| format!("{}~{n}", shortened(claims.id.as_str())));
        let random = std::iter::once(UserId::generate().to_string());
        let others = numbered.chain(random).filter_map(|name| Username::parse(&name).ok());
        let mut claimed = claims.display_name.clone();
        for username in claims.username.iter().cloned().chain(from_id).chain(others) {
            loop {
                let own = || DisplayName::from(&username);
                let user = NewUser {
                    id: claims.id.clone(),
                    username: username.clone(),
                    display_name: claimed.clone().unwrap_or_else(own),
                    created_at: Timestamp::now(),
                };
                match self.within(users.ensure_user(user)).await? {
                    EnsureUser::Existing(user) | EnsureUser::Created(user) => return Ok(user),
                    EnsureUser::DisplayNameTaken if claimed.take().is_some() => {}
                    EnsureUser::UsernameTaken | EnsureUser::DisplayNameTaken => break,
                }
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

    /// A user by name, whatever the case and the normal form of its letters, or else by id.
    ///
    /// # Errors
    ///
    /// [`ChatError::NotFound`], or a failure of the store.
    pub async fn user_by_name(&self, name: &str) -> Result<User, ChatError> {
        if let Ok(name) = Username::sought(name) {
            let found = self.within(user_named(&*self.engine.shown.users, &name)).await?;
            if let Some(user) = found {
                return Ok(self.as_shown_to_anybody(user));
            }
        }
        self.user(&name.parse().map_err(|_| ChatError::NotFound)?).await
    }

    /// Users whose name or display name begins with a text, whatever the case and the normal form of
    /// its letters, in the order of their names, for the actor to look at.
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
        let prefix = fold(query.trim());
        if prefix.chars().nth(KEY_CHARS).is_some() {
            return Ok(Vec::new());
        }
        let found = self.within(self.engine.stores.users.search_users(&prefix, limit)).await?;
        Ok(found.into_iter().map(|user| self.as_shown_to_anybody(user)).collect())
    }
}

/// A name with room for a number behind it.
fn shortened(name: &str) -> String {
    name.chars().take(Username::MAX_CHARS - 2).collect()
}
