use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::home::Home;
use crate::http::{self, Answer};
use crate::soon;

/// A server process on a home. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Locked to signal it while others use the server.
    process: Mutex<Child>,
}

impl Server {
    /// Starts in development mode, on a free port.
    pub(crate) async fn start(home: &Home) -> Self {
        Self::start_with(home, &["--dev"]).await
    }

    /// Starts with these arguments of `serve`.
    pub(crate) async fn start_with(home: &Home, arguments: &[&str]) -> Self {
        Self::start_under(&[], home, arguments).await
    }

    /// The same under another program, which becomes the server.
    pub(crate) async fn start_under(runner: &[&str], home: &Home, arguments: &[&str]) -> Self {
        let words = [runner, &[env!("CARGO_BIN_EXE_chat-server-under-test")]].concat();
        let mut process = Command::new(words[0])
            .args(&words[1..])
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(home.folder())
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(home.database_url().map(|url| ("DATABASE_URL", url)))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = soon("the server's address", async {
            loop {
                let line = lines.next_line().await.unwrap().expect("the server has started");
                if let Some((_, rest)) = line.split_once("http://") {
                    let end = rest.find(|c: char| c != ':' && c != '.' && !c.is_ascii_digit());
                    break rest[..end.unwrap_or(rest.len())].parse().unwrap();
                }
            }
        })
        .await;
        // What it goes on to print must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { address, process: Mutex::new(process) }
    }

    /// Runs another command than `serve`: whether it succeeded, and what it printed.
    pub(crate) async fn command(home: &Home, arguments: &[&str]) -> (bool, String) {
        let running = Command::new(env!("CARGO_BIN_EXE_chat-server-under-test"))
            .arg("--data")
            .arg(home.folder())
            .args(arguments)
            .env_clear()
            .envs(home.database_url().map(|url| ("DATABASE_URL", url)))
            .output();
        let output = soon("a command", running).await.unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(printed).unwrap())
    }

    /// SIGKILL: no goodbye, no flush.
    pub(crate) async fn kill(self) {
        self.kill_now();
        let mut process = self.process.into_inner().unwrap();
        soon("the server's end", process.wait()).await.unwrap();
    }

    /// SIGKILL, without waiting for the end.
    pub(crate) fn kill_now(&self) {
        self.process.lock().unwrap().start_kill().unwrap();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn stop(self) {
        let mut process = self.process.into_inner().unwrap();
        let id = process.id().unwrap().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(status.success());
        assert!(soon("the server's end", process.wait()).await.unwrap().success());
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.lock().unwrap().id().unwrap()
    }

    /// What `/readyz` says.
    pub(crate) async fn readiness(&self) -> Answer {
        http::request(self.address, "GET", "/readyz", &[], None).await
    }

    /// The memory that the process holds, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most memory that the process has held so far, in KiB.
    pub(crate) fn highest_resident(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> u64 {
        let status = format!("/proc/{}/status", self.process_id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A request below the base path, with a bearer token or without.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let path = format!("/api/chat{path}");
        let authorization = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> =
            authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        let body = body.map(|body| body.to_string());
        http::request(self.address, method, &path, &headers, body.as_deref()).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Value {
        let answer = self.request("GET", path, Some(token), None).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        answer.json()
    }

    /// All messages of a room, page by page.
    pub(crate) async fn history(&self, token: &str, room: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let path = format!("/conversations/{room}/messages?limit=100&after={}", messages.len());
            let mut page = self.get(&path, token).await;
            messages.append(page["data"].as_array_mut().unwrap());
            if page["meta"]["hasMore"] == false {
                return messages;
            }
        }
    }

    /// Makes an account and returns its token.
    pub(crate) async fn register(&self, username: &str) -> String {
        let body = json!({"username": username, "password": "correct horse battery"});
        let answer = self.request("POST", "/auth/register", None, Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()["token"].as_str().unwrap().into()
    }

    /// A token for a user of the host's, from the development endpoint.
    pub(crate) async fn host_token(&self, user: &str) -> String {
        let body = json!({"userId": user}).to_string();
        let answer = http::request(self.address, "POST", "/dev/token", &[], Some(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["token"].as_str().unwrap().into()
    }
}
