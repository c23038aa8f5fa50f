//! Request bodies.

use std::error::Error as _;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use chat_core::proto::{ErrorCode, read_fields};
use http_body_util::LengthLimitError;
use secrecy::SecretString;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::problem::Problem;
use crate::state::Api;

/// A body: a JSON object of at most `json_body_bytes`. Unknown fields are ignored.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A body that may be left out, which means that all its fields are.
#[derive(Debug)]
pub(crate) struct OptionalJsonBody<T>(pub(crate) T);

impl<S, T> FromRequest<S> for JsonBody<T>
where
    S: Send + Sync,
    Api: FromRef<S>,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = read(request, Api::from_ref(state).config.json_body_bytes).await?;
        parse(&bytes).map(Self)
    }
}

impl<S, T> FromRequest<S> for OptionalJsonBody<T>
where
    S: Send + Sync,
    Api: FromRef<S>,
    T: DeserializeOwned + Default,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = read(request, Api::from_ref(state).config.json_body_bytes).await?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { parse(&bytes).map(Self) }
    }
}

/// Refuses a body of another type than JSON, told by the headers alone: there are types that a web
/// page can make a browser send anywhere without asking first (the Fetch standard calls them
/// safelisted), and JSON is none of them.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body && !is_json(headers) { Err(unsupported_media_type()) } else { Ok(()) }
}

/// Reads a text that no answer may repeat, not even as part of what is wrong with it.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    match String::deserialize(deserializer) {
        Ok(text) => Ok(text.into()),
        Err(_) => Err(D::Error::custom("expected a string")),
    }
}

async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if !is_json(&parts.headers) {
        return Err(unsupported_media_type());
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large(limit));
    }
    collect(body, limit).await
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, Problem> {
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        if error.source().is_some_and(|cause| cause.is::<LengthLimitError>()) {
            too_large(limit)
        } else {
            Problem::new(ErrorCode::MalformedJson, "the body broke off")
        }
    })
}

/// Reads the fields of an object. Whether the whole is JSON is found out first, so that a wrong
/// field before a syntax error does not hide it: the two have different codes.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| malformed(&error))?;
    // A derived reader would take an array for an object's fields in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(ErrorCode::MalformedJson, "the body must be a JSON object"));
    }
    // What was ignored was not looked at closely.
    let text = str::from_utf8(bytes).map_err(|_| malformed(&"it is not UTF-8"))?;
    read_fields(text).map_err(|wrong| match wrong.field {
        Some(name) => Problem::invalid(name, wrong.message),
        None => Problem::new(ErrorCode::InvalidPayload, wrong.message),
    })
}

fn malformed(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::MalformedJson, format!("the body is not JSON: {error}"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn unsupported_media_type() -> Problem {
    Problem::new(
        ErrorCode::UnsupportedMediaType,
        "send the body as \"Content-Type: application/json\"",
    )
}

fn too_large(limit: usize) -> Problem {
    Problem::new(ErrorCode::PayloadTooLarge, format!("a body has at most {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use secrecy::ExposeSecret as _;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Form {
        user_name: String,
        #[serde(deserialize_with = "secret")]
        password: SecretString,
        #[serde(default)]
        tags: Vec<u32>,
    }

    fn refusal(json: &str) -> String {
        format!("{:?}", parse::<Form>(json.as_bytes()).unwrap_err())
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let form: Form =
            parse(br#" {"userName": "ada", "password": "p", "future": [1]} "#).unwrap();
        assert_eq!((form.user_name.as_str(), form.tags.len()), ("ada", 0));
        assert_eq!(form.password.expose_secret(), "p");
    }

    #[test]
    fn what_is_not_an_object_is_malformed() {
        for json in ["", "{", "[]", "null", "\"x\"", "{\"userName\": }", "{} {}", "\u{FEFF}{}"] {
            assert!(refusal(json).contains("MalformedJson"), "{json}");
        }
        assert!(refusal(r#"{"userName":7,"password":"b",}"#).contains("MalformedJson"));
        assert!(refusal(r#"{"userName":"a","password":"b"} x"#).contains("MalformedJson"));
        assert!(refusal(r#"["ada","p"]"#).contains("MalformedJson"), "no object");
    }

    #[test]
    fn a_wrong_field_is_named() {
        insta::assert_snapshot!(
            [
                r#"{"userName": "ada"}"#,
                r#"{"userName": 7, "password": "p"}"#,
                r#"{"userName": "ada", "password": "p", "tags": [1, "x"]}"#,
            ]
            .map(refusal)
            .join("\n")
        );
    }

    #[test]
    fn a_wrong_secret_is_not_repeated() {
        let text = refusal(r#"{"userName": "ada", "password": 987654}"#);
        assert!(text.contains("\"password") && !text.contains("987654"), "{text}");
    }

    #[test]
    fn only_json_is_json() {
        for (content_type, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/plain", false),
            ("text/json", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=application/json", false),
            ("", false),
        ] {
            let headers = [(CONTENT_TYPE, content_type.parse().unwrap())].into_iter().collect();
            assert_eq!(is_json(&headers), expected, "{content_type}");
        }
    }

    #[tokio::test]
    async fn a_body_is_cut_off_at_the_limit_whether_or_not_its_length_is_told() {
        let request = |body: Body| {
            Request::post("/").header(CONTENT_TYPE, "application/json").body(body).unwrap()
        };
        let told = read(request(Body::from(vec![b' '; 11])), 10).await.unwrap_err();
        assert!(format!("{told:?}").contains("PayloadTooLarge"));
        let untold =
            Body::from_stream(futures::stream::iter([Ok::<_, Infallible>(vec![b' '; 11])]));
        let untold = read(request(untold), 10).await.unwrap_err();
        assert!(format!("{untold:?}").contains("PayloadTooLarge"));
        assert_eq!(read(request(Body::from(vec![b' '; 10])), 10).await.unwrap().len(), 10);
    }
}
