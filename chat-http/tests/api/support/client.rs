use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Answer, BASE};

/// Somebody who sends requests.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    router: Router,
    headers: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn new(router: Router) -> Self {
        Self { router, headers: vec![("host".into(), "chat.example.org".into())] }
    }

    /// The same client with one more header on every request.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Body::empty()).await
    }

    /// A `POST` without a body.
    pub(crate) async fn post_nothing(&self, path: &str) -> Answer {
        self.send(Method::POST, path, Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send_json(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send_json(Method::PUT, path, body).await
    }

    pub(crate) async fn send_json(&self, method: Method, path: &str, body: Value) -> Answer {
        if body.is_null() {
            return self.send(method, path, Body::empty()).await;
        }
        let client = self.clone().with("content-type", "application/json");
        client.send(method, path, Body::from(body.to_string())).await
    }

    /// Sends a request as it would arrive over a connection: a body of known length has one in
    /// its headers.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{BASE}{path}"));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match axum::body::HttpBody::size_hint(&body).exact() {
            Some(0) => {}
            Some(length) => request = request.header("content-length", length),
            None => request = request.header("transfer-encoding", "chunked"),
        }
        let answering = self.router.clone().oneshot(request.body(body).unwrap());
        let answer = tokio::time::timeout(Duration::from_secs(10), answering);
        let (parts, body) = answer.await.expect("an answer in time").unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let caller = parts.extensions.get().cloned();
        Answer { status: parts.status, headers: parts.headers, bytes, caller }
    }

    /// Makes a room and returns its id.
    pub(crate) async fn makes_room(&self, name: &str, visibility: &str) -> String {
        let room = json!({"kind": "room", "name": name, "visibility": visibility});
        let room = self.post("/conversations", room).await.ok(201);
        room["id"].as_str().unwrap().to_owned()
    }

    /// The id of the direct conversation with somebody.
    pub(crate) async fn opens(&self, username: &str) -> String {
        let direct = self.get(&format!("/conversations/with/{username}")).await.ok(200);
        direct["id"].as_str().unwrap().to_owned()
    }

    /// Sends a message and returns it.
    pub(crate) async fn sends(&self, conversation: &str, content: &str) -> Value {
        let path = format!("/conversations/{conversation}/messages");
        self.post(&path, json!({"content": content})).await.ok(201)
    }

    /// Joins a public room.
    pub(crate) async fn joins(&self, room: &str) {
        self.post_nothing(&format!("/conversations/{room}/join")).await.ok(200);
    }

    /// Shows up, so that others can find the user.
    pub(crate) async fn appears(&self) -> Value {
        self.get("/auth/me").await.ok(200)
    }
}
