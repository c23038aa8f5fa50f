use chat_core::store::StoreError;

use super::*;

fn request() -> RequestId {
    let mut headers = HeaderMap::new();
    headers.insert(crate::request_id::X_REQUEST_ID, HeaderValue::from_static("r-1"));
    RequestId::of(&headers)
}

/// The problem as it goes over the wire: its status, its own headers, its body.
fn wire(problem: impl Into<Problem>) -> String {
    let problem = problem.into();
    let mut headers = HeaderMap::new();
    problem.write_headers(&mut headers);
    let mut text = format!("{}\n", problem.status());
    for (name, value) in &headers {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    let body: serde_json::Value = serde_json::from_slice(&problem.body(&request())).unwrap();
    text + &serde_json::to_string_pretty(&body).unwrap()
}

#[test]
fn a_refusal_names_its_code_and_the_request() {
    insta::assert_snapshot!(wire(Problem::not_found()));
}

#[test]
fn a_wrong_field_is_named() {
    let error = TextError::TooLong { max: 80, actual: 100 };
    insta::assert_snapshot!(wire(Problem::text("name", &error)));
}

#[test]
fn a_missing_credential_says_how_to_send_one() {
    insta::assert_snapshot!(wire(Problem::unauthenticated()));
}

#[test]
fn a_rate_limit_says_when_to_come_back() {
    let error = ChatError::RateLimited { retry_after: Duration::from_millis(1_200) };
    insta::assert_snapshot!(wire(error));
}

#[test]
fn a_fault_is_told_without_its_cause() {
    let error = ChatError::Store(StoreError::failed("table chat_users is gone"));
    insta::assert_snapshot!(wire(error));
}

#[test]
fn what_passes_by_itself_says_when_to_try_again() {
    insta::assert_snapshot!(wire(AuthError::Unavailable("connection refused".into())));
}

#[test]
fn every_account_error_has_its_code() {
    let store = || StoreError::unavailable("gone");
    for (error, code) in [
        (AccountError::InvalidCredentials, ErrorCode::InvalidCredentials),
        (AccountError::UsernameTaken, ErrorCode::UsernameTaken),
        (AccountError::DisplayNameTaken, ErrorCode::UsernameTaken),
        (AccountError::PasswordLength { min: 8, max: 9, actual: 7 }, ErrorCode::InvalidPayload),
        (AccountError::PasswordLength { min: 8, max: 9, actual: 10 }, ErrorCode::TextTooLong),
        (AccountError::Text(TextError::MixedScripts), ErrorCode::TextInvalid),
        (AccountError::RateLimited { retry_after: Duration::ZERO }, ErrorCode::RateLimited),
        (AccountError::Busy, ErrorCode::Unavailable),
        (AccountError::Store(store()), ErrorCode::Unavailable),
        (AccountError::Store(StoreError::failed("x")), ErrorCode::Internal),
    ] {
        assert_eq!(Problem::from(error).code, code);
    }
}

#[test]
fn every_429_and_503_says_when_to_try_again() {
    for problem in [
        Problem::from(ChatError::RateLimited { retry_after: Duration::ZERO }),
        Problem::from(ChatError::TooMany("too many memberships")),
        Problem::from(ChatError::Busy),
        Problem::from(ChatError::Timeout),
        Problem::from(AccountError::Busy),
        Problem::from(AuthError::Unavailable("away".into())),
        Problem::from(ChatError::Store(StoreError::unavailable("away"))),
        Problem::from(ChatError::Store(StoreError::Full("away".into()))),
    ] {
        let mut headers = HeaderMap::new();
        problem.write_headers(&mut headers);
        assert!(headers[RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() >= 1);
        let body: serde_json::Value = serde_json::from_slice(&problem.body(&request())).unwrap();
        assert!(body["retryAfterMs"].as_u64().unwrap() >= 1);
    }
}

#[test]
fn who_is_refused_while_the_store_is_away_is_told_when_to_come_back_and_nobody_else_hears_of_it() {
    let refused = || StoreError::CircuitOpen { retry_after: Duration::from_millis(3_200) };
    for problem in [
        Problem::from(ChatError::Store(refused())),
        Problem::from(AccountError::Store(refused())),
        Problem::from(AuthError::Unavailable(refused().into())),
    ] {
        let mut headers = HeaderMap::new();
        problem.write_headers(&mut headers);
        assert_eq!(problem.status().as_u16(), 503);
        assert_eq!(headers[RETRY_AFTER], "4");
        let body: serde_json::Value = serde_json::from_slice(&problem.body(&request())).unwrap();
        assert_eq!(body["retryAfterMs"], 3_200);
        assert!(problem.cause.is_none(), "the breaker has logged it");
    }
}

#[test]
fn only_faults_are_logged_with_their_whole_chain() {
    assert!(Problem::not_found().cause.is_none());
    let fault = Problem::from(ChatError::Store(StoreError::failed("disk on fire")));
    let text = chain(&*fault.cause.unwrap());
    assert!(text.ends_with(": disk on fire"), "{text}");
}
