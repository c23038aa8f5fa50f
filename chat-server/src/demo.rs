//! Two users to try the server with, in development.

use chat_core::auth::{AccountError, Accounts, ClientDetails, Registration};
use chat_core::proto::{
    ConversationId, ConversationTarget, DisplayName, PeerTarget, RoomName, TextError, UserId,
    Username, Visibility,
};
use chat_core::store::{NewRoom, StoreError};
use chat_core::{Actor, ChatError};
use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use crate::{Engine, StartError};

/// An account that is there in development.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DemoLogin {
    pub(crate) username: &'static str,
    pub(crate) password: &'static str,
    display_name: &'static str,
}

/// The accounts. Their names are unlikely to be wanted by anybody else.
pub(crate) const LOGINS: [DemoLogin; 2] = [
    DemoLogin { username: "demo-ada", password: "demo-ada-1815", display_name: "Ada (demo)" },
    DemoLogin { username: "demo-ben", password: "demo-ben-1906", display_name: "Ben (demo)" },
];

const ROOM: &str = "lobby";

/// Why the demo accounts could not be looked after.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// An account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A conversation.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// A name.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl From<StoreError> for DemoError {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

/// Makes what is missing: the accounts with their passwords, their direct conversation, and a room.
pub(crate) async fn prepare(engine: &Engine) -> Result<(), DemoError> {
    let mut users = Vec::with_capacity(LOGINS.len());
    for login in LOGINS {
        users.push(login.prepare(engine).await?);
    }
    let [ada, ben] = users.try_into().unwrap_or_else(|_| unreachable!("there are two"));
    let actor = Actor::user(ada);
    let peer = PeerTarget { user_id: Some(ben.clone()), username: None };
    engine.chat.open_direct(&actor, &peer).await?;
    let name = RoomName::parse(ROOM)?;
    let room = ConversationTarget { conversation_id: None, name: Some(name.clone()) };
    match engine.chat.join_room(&actor, &room).await {
        Err(ChatError::NotFound) => make_room(engine, &actor, name).await?,
        joined => drop(joined?),
    }
    engine.chat.join_room(&Actor::user(ben), &room).await?;
    Ok(())
}

/// Makes the room, unless another server that starts at the same moment has made it.
async fn make_room(engine: &Engine, owner: &Actor, name: RoomName) -> Result<(), DemoError> {
    let room = NewRoom {
        id: ConversationId::generate(),
        name,
        topic: None,
        visibility: Visibility::Public,
        owner: owner.user_id.clone(),
        created_at: Timestamp::now(),
        max_memberships: engine.chat.config().limits.memberships_per_user,
    };
    let found = engine.database.store().find_or_create_room(room).await?.conversation();
    let room = ConversationTarget { conversation_id: found.map(|room| room.id), name: None };
    engine.chat.join_room(owner, &room).await?;
    Ok(())
}

/// Takes the printed passwords away, should the accounts be there: a data folder that was used in
/// development may be used in earnest afterwards. A database that does not say whether they are
/// there is no matter of the accounts.
pub(crate) async fn retire(engine: &Engine) -> Result<(), StartError> {
    for login in LOGINS {
        if let Some(user) = login.user(engine).await.map_err(StartError::Store)? {
            login.retire(engine, &user).await.map_err(StartError::Demo)?;
        }
    }
    Ok(())
}

impl DemoLogin {
    fn secret(self) -> SecretString {
        self.password.to_owned().into()
    }

    async fn user(self, engine: &Engine) -> Result<Option<UserId>, StoreError> {
        // What is no name is nobody's.
        let Ok(username) = Username::parse(self.username) else { return Ok(None) };
        let key = username.key();
        let account = engine.database.accounts().account_by_name(&key).await?;
        Ok(account.map(|account| account.user.id))
    }

    /// Whether the printed password is the account's. Leaves no session behind.
    async fn opens(self, engine: &Engine) -> Result<bool, DemoError> {
        let client = ClientDetails::default();
        match engine.accounts.login(self.username.into(), self.secret(), client).await {
            Ok(login) => {
                engine.accounts.end_session(&login.user.id, login.session.id).await?;
                Ok(true)
            }
            Err(AccountError::InvalidCredentials) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn retire(self, engine: &Engine, user: &UserId) -> Result<(), DemoError> {
        if self.opens(engine).await? {
            let random = format!("{}{}", Uuid::new_v4(), Uuid::new_v4());
            engine.accounts.reset_password(user, &random.into()).await?;
            tracing::info!(
                account = self.username,
                "the password of a demo account was taken away"
            );
        }
        Ok(())
    }

    async fn prepare(self, engine: &Engine) -> Result<UserId, DemoError> {
        if let Some(user) = self.user(engine).await? {
            if !self.opens(engine).await? {
                engine.accounts.reset_password(&user, &self.secret()).await?;
            }
            return Ok(user);
        }
        let registration = Registration {
            username: Username::parse(self.username)?,
            password: self.secret(),
            display_name: Some(DisplayName::parse(self.display_name)?),
        };
        match engine.accounts.register(registration, ClientDetails::default()).await {
            Ok(login) => {
                engine.accounts.end_session(&login.user.id, login.session.id).await?;
                Ok(login.user.id)
            }
            // Another server that starts at the same moment has made it, with the same password.
            Err(AccountError::UsernameTaken) => match self.user(engine).await? {
                Some(user) => Ok(user),
                None => Err(AccountError::UsernameTaken.into()),
            },
            Err(error) => Err(error.into()),
        }
    }
}
