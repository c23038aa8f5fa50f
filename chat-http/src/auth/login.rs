use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use chat_core::auth::ClientDetails;
use secrecy::SecretString;
use serde::Deserialize;

use super::logged_in;
use crate::extract::{Client, JsonBody, LeavingCaller, SameOrigin, secret};
use crate::problem::Problem;
use crate::state::{AccountsApi, Api};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    username: String,
    #[serde(deserialize_with = "secret")]
    password: SecretString,
    /// What a program got with its last login. It counts before the browser's cookie.
    device_token: Option<SecretString>,
}

/// `POST /auth/login`.
pub(crate) async fn login(
    State(AccountsApi { api, accounts }): State<AccountsApi>,
    SameOrigin: SameOrigin,
    Client(client): Client,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, Problem> {
    let device_token = body.device_token.or(client.device_token);
    let client = ClientDetails { device_token, ..client };
    let login = accounts.login(body.username, body.password, client).await?;
    Ok(logged_in(&api, StatusCode::OK, &login))
}

/// `POST /auth/logout`: ends the session behind the credential, its live connections too. A
/// credential that no session is behind stays good until it expires; its holder forgets it.
///
/// Whose session has ended already is logged out as well, and only the cookie is left to take.
pub(crate) async fn logout(
    State(AccountsApi { api, accounts }): State<AccountsApi>,
    LeavingCaller(caller): LeavingCaller,
) -> Result<impl IntoResponse, Problem> {
    if let Some(caller) = caller
        && let Some(session) = caller.identity.login
    {
        accounts.end_session(&caller.user.id, session).await?;
        api.chat.end_logins(&caller.user.id, &[session]);
    }
    Ok((StatusCode::NO_CONTENT, forget_cookie(&api)))
}

/// Takes the session cookie away from the browser.
pub(super) fn forget_cookie(
    api: &Api,
) -> AppendHeaders<[(axum::http::HeaderName, HeaderValue); 1]> {
    AppendHeaders([(SET_COOKIE, api.config.session_cookie.clear())])
}
