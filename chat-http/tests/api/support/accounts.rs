use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use chat_core::auth::{
    AccountError, Accounts, AuthError, Authenticator, ClientDetails, DeviceToken, Identity, Login,
    PasswordChange, Registration, UserClaims,
};
use chat_core::proto::{DisplayName, LoginSessionId, User, UserId, Username};
use chat_core::store::LoginSession;
use jiff::{Timestamp, ToSpan as _};
use secrecy::{ExposeSecret as _, SecretString};

/// Accounts in memory, with passwords as they are typed: enough to see what the API does with
/// each outcome. A login as `flooded` is limited, and one as `busy` finds no room. A device token tells
/// who has logged in with it, one name after the other.
#[derive(Debug, Default)]
pub(crate) struct FakeAccounts {
    /// Held for one lookup or change at a time.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    accounts: Vec<(User, String)>,
    sessions: Vec<LoginSession>,
}

impl State {
    fn log_in(&mut self, user: &User, client: ClientDetails, ended: Vec<LoginSessionId>) -> Login {
        let id = LoginSessionId::generate();
        let now = Timestamp::now();
        let session = LoginSession {
            id,
            user_id: user.id.clone(),
            token_hash: [0; 32],
            user_agent: client.user_agent,
            created_at: now,
            last_used_at: now,
            expires_at: now + 24.hours(),
        };
        self.sessions.push(session.clone());
        let known = client.device_token.map_or_else(String::new, |t| t.expose_secret().to_owned());
        let device = DeviceToken {
            token: format!("{known}{}.", user.username).into(),
            expires_at: now + 48.hours(),
        };
        let token = id.to_string().into();
        Login { user: user.clone(), token, session, device: Some(device), ended }
    }

    fn end(&mut self, ends: impl Fn(&LoginSession) -> bool) -> Vec<LoginSessionId> {
        self.sessions.extract_if(.., |session| ends(session)).map(|session| session.id).collect()
    }

    fn account(&mut self, is: impl Fn(&User) -> bool) -> Option<&mut (User, String)> {
        self.accounts.iter_mut().find(|(user, _)| is(user))
    }
}

fn check_length(password: &SecretString) -> Result<(), AccountError> {
    let actual = password.expose_secret().chars().count();
    let (min, max) = (8, 128);
    if (min..=max).contains(&actual) {
        Ok(())
    } else {
        Err(AccountError::PasswordLength { min, max, actual })
    }
}

#[async_trait]
impl Accounts for FakeAccounts {
    async fn register(
        &self,
        registration: Registration,
        client: ClientDetails,
    ) -> Result<Login, AccountError> {
        let username = registration.username;
        check_length(&registration.password)?;
        let mut state = self.state.lock().unwrap();
        if state.account(|user| user.username == username).is_some() {
            return Err(AccountError::UsernameTaken);
        }
        let user = User {
            id: UserId::generate(),
            display_name: registration.display_name.unwrap_or_else(|| DisplayName::from(&username)),
            username,
            created_at: Timestamp::now(),
            last_seen_at: None,
        };
        state.accounts.push((user.clone(), registration.password.expose_secret().into()));
        Ok(state.log_in(&user, client, Vec::new()))
    }

    async fn login(
        &self,
        username: String,
        password: SecretString,
        client: ClientDetails,
    ) -> Result<Login, AccountError> {
        match username.as_str() {
            "flooded" => {
                return Err(AccountError::RateLimited {
                    retry_after: Duration::from_millis(2_500),
                });
            }
            "busy" => return Err(AccountError::Busy),
            _ => {}
        }
        let mut state = self.state.lock().unwrap();
        let known = state.account(|user| user.username.as_str() == username);
        match known.filter(|(_, known)| known == password.expose_secret()) {
            Some((user, _)) => {
                let user = user.clone();
                Ok(state.log_in(&user, client, Vec::new()))
            }
            None => Err(AccountError::InvalidCredentials),
        }
    }

    async fn change_password(
        &self,
        change: PasswordChange,
        client: ClientDetails,
    ) -> Result<Login, AccountError> {
        let mut state = self.state.lock().unwrap();
        let Some((user, known)) = state.account(|user| user.id == change.user) else {
            return Err(AccountError::InvalidCredentials);
        };
        if known != change.current.expose_secret() {
            return Err(AccountError::InvalidCredentials);
        }
        check_length(&change.new)?;
        *known = change.new.expose_secret().into();
        let user = user.clone();
        let ended = state.end(|session| session.user_id == user.id);
        Ok(state.log_in(&user, client, ended))
    }

    async fn sessions(&self, user: &UserId) -> Result<Vec<LoginSession>, AccountError> {
        let state = self.state.lock().unwrap();
        Ok(state.sessions.iter().filter(|session| session.user_id == *user).cloned().collect())
    }

    async fn end_session(&self, user: &UserId, id: LoginSessionId) -> Result<bool, AccountError> {
        let mut state = self.state.lock().unwrap();
        Ok(!state.end(|session| session.user_id == *user && session.id == id).is_empty())
    }

    async fn end_sessions(
        &self,
        user: &UserId,
        except: Option<LoginSessionId>,
    ) -> Result<Vec<LoginSessionId>, AccountError> {
        let mut state = self.state.lock().unwrap();
        Ok(state.end(|session| session.user_id == *user && Some(session.id) != except))
    }
}

#[async_trait]
impl Authenticator for FakeAccounts {
    async fn authenticate(&self, token: &SecretString) -> Result<Identity, AuthError> {
        let mut state = self.state.lock().unwrap();
        let token = token.expose_secret();
        let session = state.sessions.iter().find(|session| session.id.to_string() == token);
        let session = session.ok_or(AuthError::Invalid)?.clone();
        let account = state.account(|user| user.id == session.user_id);
        let (user, _) = account.ok_or(AuthError::Invalid)?;
        Ok(Identity {
            claims: UserClaims {
                id: user.id.clone(),
                username: Some(Username::clone(&user.username)),
                display_name: Some(user.display_name.clone()),
            },
            login: Some(session.id),
            expires_at: Some(session.expires_at),
        })
    }
}
