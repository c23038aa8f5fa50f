//! Web pages of other origins, which make their visitor's browser send what they want.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use crate::support::{ALLOWED_ORIGIN, Api};

const HOME: &str = "http://chat.example.org";
const EVIL: &str = "https://evil.example";

#[tokio::test]
async fn a_cookie_acts_for_pages_of_allowed_origins_only() {
    let api = Api::start();
    let room = json!({"name": "general"});
    for origin in [HOME, ALLOWED_ORIGIN] {
        let page = api.browser("ada").with("origin", origin);
        page.post("/conversations", room.clone()).await.ok(201);
    }
    for origin in [EVIL, "null", "http://chat.example.org:8081"] {
        let page = api.browser("ada").with("origin", origin);
        page.post("/conversations", room.clone()).await.problem(403, "origin_not_allowed");
        page.put("/presence", json!({"status": "away"})).await.problem(403, "origin_not_allowed");
        page.delete("/auth/sessions").await.problem(403, "origin_not_allowed");
        page.post_nothing("/auth/logout").await.problem(403, "origin_not_allowed");
    }
    assert_eq!(api.ada().get("/conversations").await.list().len(), 2);
}

#[tokio::test]
async fn fetch_metadata_decides_where_there_is_no_origin() {
    let api = Api::start();
    let room = json!({"name": "general"});
    for (site, status) in
        [("same-origin", 201), ("none", 201), ("same-site", 403), ("cross-site", 403)]
    {
        let page = api.browser("ada").with("sec-fetch-site", site);
        assert_eq!(page.post("/conversations", room.clone()).await.status, status, "{site}");
    }
    api.browser("ada").post("/conversations", room).await.ok(201);
}

#[tokio::test]
async fn reading_needs_no_origin() {
    let api = Api::start();
    api.browser("ada").with("origin", EVIL).get("/conversations").await.ok(200);
}

#[tokio::test]
async fn a_link_on_another_page_opens_no_conversation() {
    let api = Api::start();
    api.bo().appears().await;
    let followed = api.browser("ada").with("sec-fetch-site", "cross-site");
    followed.get("/conversations/with/bo").await.problem(403, "origin_not_allowed");
    assert!(api.bo().get("/conversations").await.list().is_empty());
    api.browser("ada").with("sec-fetch-site", "same-origin").opens("bo").await;
    api.ada().with("sec-fetch-site", "cross-site").opens("bo").await;
}

#[tokio::test]
async fn an_explicit_token_needs_no_origin() {
    let api = Api::start();
    let room = json!({"name": "general"});
    api.ada().with("origin", EVIL).post("/conversations", room).await.ok(201);
}

#[tokio::test]
async fn an_explicit_token_wins_over_the_cookie() {
    let api = Api::start();
    let both = api.browser("bo").with("authorization", "Bearer ada");
    assert_eq!(both.get("/auth/me").await.ok(200)["id"], "ada");
    let bad = api.browser("bo").with("authorization", "Bearer forged");
    bad.get("/auth/me").await.problem(401, "unauthenticated");
    let elsewhere = api.browser("bo").with("authorization", "Basic YTpi");
    assert_eq!(elsewhere.get("/auth/me").await.ok(200)["id"], "bo");
}

#[tokio::test]
async fn nobody_is_logged_in_by_another_page() {
    let api = Api::start();
    let account = json!({"username": "ada", "password": "correct horse"});
    let evil = api.anonymous().with("origin", EVIL);
    evil.post("/auth/register", account.clone()).await.problem(403, "origin_not_allowed");
    api.anonymous().with("origin", HOME).post("/auth/register", account.clone()).await.ok(201);
    let refused = evil.post("/auth/login", account.clone()).await;
    refused.problem(403, "origin_not_allowed");
    assert_eq!(refused.header("set-cookie"), None);
    api.anonymous().post("/auth/login", account).await.ok(200);
}

#[tokio::test]
async fn a_form_is_no_request_even_where_no_body_is_read() {
    let api = Api::start();
    let room = api.ada().makes_room("general", "public").await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        for client in [api.browser("bo"), api.bo()] {
            for path in [format!("/conversations/{room}/join"), "/conversations".into()] {
                let client = client.clone().with("content-type", content_type);
                let answer = client.send(Method::POST, &path, Body::from("{}")).await;
                answer.problem(415, "unsupported_media_type");
            }
        }
        let form = api.anonymous().with("content-type", content_type);
        let answer = form.send(Method::POST, "/auth/login", Body::from("{}")).await;
        answer.problem(415, "unsupported_media_type");
    }
}
