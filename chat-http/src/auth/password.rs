use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chat_core::auth::{AccountError, PasswordChange};
use secrecy::SecretString;
use serde::Deserialize;

use super::logged_in;
use crate::extract::{Caller, Client, JsonBody, secret};
use crate::problem::Problem;
use crate::state::AccountsApi;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    #[serde(deserialize_with = "secret")]
    current_password: SecretString,
    #[serde(deserialize_with = "secret")]
    new_password: SecretString,
}

/// `POST /auth/password`: every session of the user ends, and a new one begins.
pub(crate) async fn change_password(
    State(AccountsApi { api, accounts }): State<AccountsApi>,
    caller: Caller,
    Client(client): Client,
    JsonBody(body): JsonBody<Body>,
) -> Result<Response, Problem> {
    let change = PasswordChange {
        user: caller.user.id,
        current: body.current_password,
        new: body.new_password,
    };
    let login = accounts.change_password(change, client).await.map_err(|error| {
        let is_length = matches!(error, AccountError::PasswordLength { .. });
        let problem = Problem::from(error);
        if is_length { problem.for_field("newPassword") } else { problem }
    })?;
    Ok(logged_in(&api, StatusCode::OK, &login))
}
