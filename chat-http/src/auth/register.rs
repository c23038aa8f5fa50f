use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat_core::auth::{AccountError, Registration};
use chat_core::proto::{DisplayName, Username};
use secrecy::SecretString;
use serde::Deserialize;

use super::logged_in;
use crate::extract::{Client, JsonBody, SameOrigin, secret};
use crate::problem::Problem;
use crate::state::AccountsApi;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    username: String,
    #[serde(deserialize_with = "secret")]
    password: SecretString,
    display_name: Option<String>,
}

/// `POST /auth/register`: makes an account and logs in.
pub(crate) async fn register(
    State(AccountsApi { api, accounts }): State<AccountsApi>,
    SameOrigin: SameOrigin,
    Client(client): Client,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, Problem> {
    let username =
        Username::parse(&body.username).map_err(|error| Problem::text("username", &error))?;
    let display_name = body
        .display_name
        .map(|name| DisplayName::parse(&name))
        .transpose()
        .map_err(|error| Problem::text("displayName", &error))?;
    let registration = Registration { username, password: body.password, display_name };
    let login = accounts.register(registration, client).await.map_err(refusal)?;
    Ok(logged_in(&api, StatusCode::CREATED, &login))
}

fn refusal(error: AccountError) -> Problem {
    let field = match error {
        AccountError::PasswordLength { .. } => Some("password"),
        AccountError::UsernameTaken | AccountError::Text(_) => Some("username"),
        AccountError::DisplayNameTaken => Some("displayName"),
        _ => None,
    };
    let problem = Problem::from(error);
    match field {
        Some(field) => problem.for_field(field),
        None => problem,
    }
}
