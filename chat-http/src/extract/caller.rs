use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use chat_core::Actor;
use chat_core::auth::{AuthError, Identity, bearer_token, single_value};
use chat_core::proto::User;
use secrecy::SecretString;

use super::json;
use crate::caller_id::CallerSlot;
use crate::problem::Problem;
use crate::state::Api;
use crate::{SessionCookie, origin};

/// The user behind a request.
///
/// Taking it is what makes a path need a credential. It comes first among a handler's arguments,
/// so that a stranger learns nothing of what else may be wrong with a request.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) identity: Identity,
    pub(crate) actor: Actor,
    /// The token, if a browser sent it in the session cookie.
    pub(crate) cookie: Option<SecretString>,
}

/// A token, and how it came.
#[derive(Debug)]
enum Credential {
    /// A program put it there.
    Bearer(SecretString),
    /// A browser adds it by itself, whoever causes the request.
    Cookie(SecretString),
}

impl Credential {
    const fn token(&self) -> &SecretString {
        match self {
            Self::Bearer(token) | Self::Cookie(token) => token,
        }
    }

    /// A token that was put there on purpose counts before one that the browser adds.
    fn find(headers: &HeaderMap, cookie: SessionCookie) -> Option<Self> {
        let lines = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        match single_value(lines).and_then(bearer_token) {
            Some(token) => Some(Self::Bearer(token.into())),
            None => cookie.token(headers).map(Self::Cookie),
        }
    }
}

/// The user behind a request that changes something although its method does not say so.
///
/// Browsers follow a link with the cookie, wherever the link is. One that opened a conversation
/// would tell whoever made the link who followed it.
#[derive(Debug)]
pub(crate) struct ActingCaller(pub(crate) Caller);

/// The user behind a request to log out; none when the credential was good once and is no more, or
/// never was. A request without any is refused as everywhere.
#[derive(Debug)]
pub(crate) struct LeavingCaller(pub(crate) Option<Caller>);

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Api: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let acts = origin::is_unsafe(&parts.method);
        identify(parts, &Api::from_ref(state), acts).await
    }
}

impl<S> FromRequestParts<S> for ActingCaller
where
    S: Send + Sync,
    Api: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        identify(parts, &Api::from_ref(state), true).await.map(Self)
    }
}

impl<S> FromRequestParts<S> for LeavingCaller
where
    S: Send + Sync,
    Api: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let api = Api::from_ref(state);
        let credential = credential(parts, &api, true)?;
        match api.config.authenticator.authenticate(credential.token()).await {
            Ok(identity) => admit(parts, &api, credential, identity, true).await.map(Some),
            Err(AuthError::Invalid | AuthError::Expired) => {
                json::check_content_type(&parts.headers).map(|()| None)
            }
            Err(error) => Err(error.into()),
        }
        .map(Self)
    }
}

/// Finds out who asks, and whether a request that `acts` was meant by them.
async fn identify(parts: &Parts, api: &Api, acts: bool) -> Result<Caller, Problem> {
    let credential = credential(parts, api, acts)?;
    let identity = api.config.authenticator.authenticate(credential.token()).await?;
    admit(parts, api, credential, identity, acts).await
}

/// The credential of a request, if it may be used for what the request does.
fn credential(parts: &Parts, api: &Api, acts: bool) -> Result<Credential, Problem> {
    let credential = Credential::find(&parts.headers, api.config.session_cookie)
        .ok_or_else(Problem::unauthenticated)?;
    if acts && matches!(credential, Credential::Cookie(_)) {
        origin::check(&api.config.origins, parts)?;
    }
    Ok(credential)
}

/// The caller with a credential that was found to be good.
async fn admit(
    parts: &Parts,
    api: &Api,
    credential: Credential,
    identity: Identity,
    acts: bool,
) -> Result<Caller, Problem> {
    if let Some(slot) = parts.extensions.get::<CallerSlot>() {
        slot.fill(&identity.claims.id);
    }
    if acts {
        json::check_content_type(&parts.headers)?;
    }
    let user = api.chat.admit(&identity.claims).await?;
    let actor = Actor::user(user.id.clone());
    let cookie = match credential {
        Credential::Bearer(_) => None,
        Credential::Cookie(token) => Some(token),
    };
    Ok(Caller { user, identity, actor, cookie })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::COOKIE;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn found(headers: &[(axum::http::HeaderName, &'static str)]) -> Option<(char, String)> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        Credential::find(&headers, SessionCookie::Plain).map(|credential| match credential {
            Credential::Bearer(token) => ('b', token.expose_secret().to_owned()),
            Credential::Cookie(token) => ('c', token.expose_secret().to_owned()),
        })
    }

    #[test]
    fn an_explicit_token_wins_over_the_cookie() {
        let both = [(AUTHORIZATION, "Bearer t"), (COOKIE, "sid=c")];
        assert_eq!(found(&both), Some(('b', "t".into())));
        assert_eq!(found(&both[1..]), Some(('c', "c".into())));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_header_of_another_scheme_is_somebody_elses() {
        assert_eq!(
            found(&[(AUTHORIZATION, "Basic eDp5"), (COOKIE, "sid=c")]),
            Some(('c', "c".into()))
        );
        assert_eq!(found(&[(AUTHORIZATION, "Bearer ")]), None);
    }

    #[test]
    fn two_headers_that_disagree_name_nobody() {
        let two = [(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer b"), (COOKIE, "sid=c")];
        assert_eq!(found(&two[..2]), None);
        assert_eq!(found(&two), Some(('c', "c".into())));
    }
}
