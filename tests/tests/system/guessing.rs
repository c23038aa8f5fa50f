//! Somebody guesses passwords: nobody else is kept out, and the server does not grow.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::home::Home;
use crate::http::{self, Answer};
use crate::server::Server;

const RIGHT: &str = "correct horse battery";
const WRONG: &str = "wrong horse battery";

const OWNER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const GUESSER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

async fn login(server: SocketAddr, from: Ipv4Addr, cookie: Option<&str>, form: Value) -> Answer {
    let headers: Vec<_> = cookie.iter().map(|cookie| ("cookie", *cookie)).collect();
    let (path, form) = ("/api/chat/auth/login", form.to_string());
    http::request_from(from, server, "POST", path, &headers, Some(&form)).await
}

fn form(username: &str, password: &str) -> Value {
    json!({"username": username, "password": password})
}

pub(crate) async fn a_flood_of_failed_logins_costs_a_block_a_worker(home: Home) {
    const MIB: u64 = 1024;
    let server = Server::start(&home).await;
    server.host_token("ada").await;
    let before = server.resident();
    let mut logins = JoinSet::new();
    for number in 0..200 {
        let (address, form) = (server.address, form(&format!("nobody{number}"), WRONG));
        let from = Ipv4Addr::new(127, 0, 1, 1 + number);
        logins.spawn(async move { login(address, from, None, form).await.status });
    }
    for status in logins.join_all().await {
        assert_eq!(status, 401);
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let workers = u64::try_from((cores - 1).max(1)).unwrap();
    let (allowed, highest) = (before + (workers * 19 + 32) * MIB, server.highest_resident());
    assert!(highest <= allowed, "{before} KiB became {highest} KiB, over {allowed} KiB");
}

pub(crate) async fn an_owner_gets_in_while_somebody_guesses(home: Home) {
    let server = Server::start(&home).await;
    let address = server.address;
    let registered = server.request("POST", "/auth/register", None, Some(form("ada", RIGHT))).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let device = registered.json()["deviceToken"].as_str().unwrap().to_owned();
    let cookies = registered.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
    let cookies: Vec<_> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
    assert!(cookies.contains(&format!("device={device}").as_str()), "{cookies:?}");
    let cookies = cookies.join("; ");

    let guess = async || login(address, GUESSER, None, form("ada", WRONG)).await.status;
    for _ in 0..5 {
        assert_eq!(guess().await, 401);
    }
    for round in 0..7 {
        assert_eq!(guess().await, 429);
        let known = login(address, OWNER, None, form("ada", RIGHT)).await;
        assert_eq!(known.status, 200, "by address, round {round}: {}", known.body);
        let known = login(address, ELSEWHERE, Some(&cookies), form("ada", RIGHT)).await;
        assert_eq!(known.status, 200, "by cookie, round {round}: {}", known.body);
        let mut program = form("ada", RIGHT);
        program["deviceToken"] = json!(device);
        let known = login(address, ELSEWHERE, None, program.clone()).await;
        assert_eq!(known.status, 200, "by token, round {round}: {}", known.body);
    }
    let stranger = login(address, Ipv4Addr::new(127, 0, 0, 9), None, form("ada", RIGHT)).await;
    assert_eq!((stranger.status, &*stranger.code()), (429, "rate_limited"));

    // Many at once, as a fleet of programs logs in, are as good as one.
    let mut logins = JoinSet::new();
    for _ in 0..12 {
        logins.spawn(async move { login(address, OWNER, None, form("ada", RIGHT)).await.status });
    }
    assert_eq!(logins.join_all().await, [200; 12]);
}

pub(crate) async fn every_user_of_a_host_is_found_by_an_address(home: Home) {
    let server = Server::start(&home).await;
    let bo = server.host_token("bo").await;
    server.get("/auth/me", &bo).await;
    for id in ["-", "@", "@@@", "~", ":", "_", "...", "..a", "a..", "auth0:7@example.org"] {
        let token = server.host_token(id).await;
        assert_eq!(server.get("/auth/me", &token).await["id"], id);
        let escaped: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for written in [id, &escaped] {
            assert_eq!(server.get(&format!("/users/{written}"), &bo).await["id"], id, "{written}");
            let path = format!("/conversations/with/{written}");
            assert_eq!(server.get(&path, &bo).await["peer"]["id"], id, "{written}");
        }
    }
    for id in [".", ".."] {
        let token = server.host_token(id).await;
        let refused = server.request("GET", "/auth/me", Some(&token), None).await;
        assert_eq!((refused.status, &*refused.code()), (403, "forbidden"), "{id}");
        assert!(refused.body.contains("no address can carry"), "{}", refused.body);
    }
}
