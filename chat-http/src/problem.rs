//! Errors as clients see them: problem details (RFC 9457) with a stable `code`.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chat_core::ChatError;
use chat_core::auth::{AccountError, AuthError};
use chat_core::proto::{ErrorCode, TextError};
use chat_core::store::StoreError;
use serde::Serialize;

use crate::request_id::RequestId;

/// When to try again after a fault that names no time: long enough for a restart to begin.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(1);

/// When to try again after a limit on what somebody holds at a time, which only lifts when
/// something is given up.
const RETRY_TOO_MANY: Duration = Duration::from_secs(60);

/// Why a request was refused.
///
/// As a response it is a status and an extension; [`finish`](crate::finish) writes the body, since
/// only there the request's id is known.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    code: ErrorCode,
    detail: String,
    field: Option<String>,
    retry_after: Option<Duration>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A refusal in words for the developer of the client. The words must not hold anything that
    /// the client did not send or may not know.
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        let retry_after = match code {
            ErrorCode::Unavailable => Some(RETRY_UNAVAILABLE),
            ErrorCode::TooMany => Some(RETRY_TOO_MANY),
            _ => None,
        };
        Self { code, detail: detail.into(), field: None, retry_after, cause: None }
    }

    /// What a missing thing and a forbidden thing answer alike.
    pub(crate) fn not_found() -> Self {
        ChatError::NotFound.into()
    }

    /// The request has no credential, or none that is valid.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            ErrorCode::Unauthenticated,
            "log in, or send a valid token as \"Authorization: Bearer …\"",
        )
    }

    /// The field or parameter `name` is missing or wrong.
    pub(crate) fn invalid(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidPayload, detail).for_field(name)
    }

    /// The client is not to blame: it is told what to do, and the operator hears why.
    fn fault(code: ErrorCode, cause: impl Error + Send + Sync + 'static) -> Self {
        let problem = Self::new(code, cause.to_string());
        Self { cause: Some(Arc::new(cause)), ..problem }
    }

    /// The same problem, put down to a field of the body or a parameter of the query.
    pub(crate) fn for_field(mut self, name: impl Into<String>) -> Self {
        self.field = Some(name.into());
        self
    }

    /// The text in the field `name` is refused.
    pub(crate) fn text(name: &'static str, error: &TextError) -> Self {
        Self::new(error.code(), error.to_string()).for_field(name)
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Writes what an operator needs to find a fault; nothing for refusals, which are the client's.
    pub(crate) fn log(&self, request: &RequestId) {
        let Some(cause) = &self.cause else { return };
        let (request_id, code, error) = (request.as_str(), self.code.as_str(), chain(&**cause));
        if self.code == ErrorCode::Unavailable {
            tracing::warn!(request_id, code, error, "a request found something unavailable");
        } else {
            tracing::error!(request_id, code, error, "a request failed");
        }
    }

    /// The headers that belong to the problem.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        // The router counted the bytes of a body that was still empty.
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, whole_seconds(after).into());
        }
    }

    /// The body. Apart from `requestId`, equal problems have equal bytes.
    pub(crate) fn body(&self, request: &RequestId) -> Vec<u8> {
        let status = self.status();
        let details = Details {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code,
            retryable: self.code.is_retryable(),
            field: self.field.as_deref(),
            retry_after_ms: self.retry_after.map(milliseconds),
            request_id: request.as_str(),
        };
        serde_json::to_vec(&details).expect("problem details are plain data")
    }
}

/// The members of RFC 9457 §3.1, then the ones of this API.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    /// `about:blank` says that the title is that of the status (§4.2.1); `code` says more.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: ErrorCode,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    request_id: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        let code = error.code();
        let (retry_after, field) = (error.retry_after(), error.field());
        let problem = match code {
            // Nothing was asked, and why is in the log already: not once for each request.
            _ if matches!(error, ChatError::Store(StoreError::CircuitOpen { .. })) => {
                Self::new(code, error.to_string())
            }
            ErrorCode::Internal | ErrorCode::Unavailable => Self::fault(code, error),
            _ => Self::new(code, error.to_string()),
        };
        let field = field.map(str::to_owned);
        Self { retry_after: retry_after.or(problem.retry_after), field, ..problem }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let detail = error.to_string();
        match error {
            AccountError::InvalidCredentials => Self::new(ErrorCode::InvalidCredentials, detail),
            AccountError::UsernameTaken | AccountError::DisplayNameTaken => {
                Self::new(ErrorCode::UsernameTaken, detail)
            }
            AccountError::PasswordLength { max, actual, .. } if actual > max => {
                Self::new(ErrorCode::TextTooLong, detail)
            }
            AccountError::PasswordLength { .. } => Self::new(ErrorCode::InvalidPayload, detail),
            AccountError::Text(error) => Self::new(error.code(), detail),
            AccountError::RateLimited { retry_after } => {
                Self { retry_after: Some(retry_after), ..Self::new(ErrorCode::RateLimited, detail) }
            }
            AccountError::Busy => Self::fault(ErrorCode::Unavailable, error),
            AccountError::Store(error) => ChatError::Store(error).into(),
            _ => Self::fault(ErrorCode::Internal, error),
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid => Self::unauthenticated(),
            AuthError::Expired => {
                Self::new(ErrorCode::TokenExpired, "the token has expired: log in again")
            }
            AuthError::Unavailable(_) => match error.retry_after() {
                retry_after @ Some(_) => {
                    Self { retry_after, ..Self::new(ErrorCode::Unavailable, error.to_string()) }
                }
                None => Self::fault(ErrorCode::Unavailable, error),
            },
            _ => Self::fault(ErrorCode::Internal, error),
        }
    }
}

/// An error and what caused it, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += ": ";
        text += &error.to_string();
        cause = error.source();
    }
    text
}

/// `Retry-After` counts whole seconds (RFC 9110 §10.2.3): the next one, so that it is not too soon.
fn whole_seconds(after: Duration) -> u64 {
    after.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1)
}

fn milliseconds(after: Duration) -> u64 {
    after.as_millis().try_into().unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests;
