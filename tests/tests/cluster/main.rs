//! Several server processes as one, over a broker and a database that fail: whatever happens, clients
//! that go by the protocol are told everything once and in order, and nothing acknowledged is lost.
//!
//! Each test has a broker of its own, and they run one at a time: `CHAT_TEST_SEED` repeats the random
//! decisions of a run.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod broker;
mod client;
mod dice;
mod directory;
mod faults;
#[path = "../system/home.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod home;
#[path = "../system/http.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod http;
mod link;
mod node;
#[path = "../system/person.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod person;
mod scenarios;
#[path = "../system/server.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod server;
mod together;
mod traffic;
mod world;

use std::time::Duration;

use tokio::sync::Mutex;

/// Held by the test that runs: each needs the whole machine.
static TURN: Mutex<()> = Mutex::const_new(());

/// Runs every case with each broker that nodes can share.
macro_rules! on_every_broker {
    ($($module:ident { $($case:ident)+ })+) => {
        on_every_broker! { nats: $($($module::$case)+)+ }
        on_every_broker! { redis: $($($module::$case)+)+ }
    };
    ($broker:ident: $($module:ident::$case:ident)+) => {
        mod $broker { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let _turn = crate::TURN.lock().await;
                crate::$module::$case(crate::broker::Broker::$broker()).await;
            }
        )+ }
    };
}

on_every_broker! {
    scenarios {
        nodes_are_killed
        nodes_stand_still
        the_broker_stands_still
        the_broker_is_killed_and_comes_back_empty
        the_network_to_the_broker_fails
        the_network_to_the_database_fails
        nodes_are_restarted_one_after_another
    }
    together {
        signing_out_everywhere_ends_connections_on_all_nodes
        a_lost_sign_out_is_found_by_comparison
        connections_of_a_user_are_counted_on_all_nodes
        sends_are_counted_on_all_nodes
        who_was_on_a_dead_node_goes_offline_once
        readiness_tells_of_a_broker_that_stands_still
    }
    traffic {
        a_node_hears_nothing_of_conversations_elsewhere
        idle_connections_cost_the_broker_nothing
    }
}

/// How long anything may take. Tests wait for events, so only a failing one takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits, but not for ever.
async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not happen in time"),
    }
}
