//! The real server as a process of its own, driven over real sockets.

#![allow(clippy::unwrap_used, reason = "where a test cannot go on, it has failed")]

mod bad_input;
mod chatting;
mod database;
mod entering;
mod guessing;
mod home;
mod http;
mod kill;
mod limits;
mod lists;
mod memberships;
mod names;
mod nodes;
mod person;
mod server;
mod unread;

use std::time::Duration;

/// Runs every case with each database that a server can use.
macro_rules! on_every_database {
    ($($module:ident { $($case:ident)+ })+) => {
        on_every_database! { sqlite on_sqlite: $($($module::$case)+)+ }
        on_every_database! { postgres on_postgres: $($($module::$case)+)+ }
    };
    ($database:ident $home:ident: $($module:ident::$case:ident)+) => {
        mod $database { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::$module::$case(crate::home::Home::$home()).await;
            }
        )+ }
    };
}

on_every_database! {
    bad_input {
        every_bad_frame_has_its_code_and_the_connection_goes_on
        frames_that_break_the_transport_close_it_with_the_right_code
        every_bad_request_has_its_status_and_code
        what_is_not_json_or_too_large_is_refused
        the_same_wrong_value_is_told_alike_over_both
    }
    chatting {
        two_people_register_and_talk_and_a_restart_loses_nothing
        what_was_sent_while_somebody_was_away_arrives_once_and_in_order
        the_page_and_the_health_check_are_served
    }
    database {
        migrations_are_told_before_they_are_made
    }
    entering {
        a_socket_opens_by_header_subprotocol_cookie_and_first_frame
        what_is_not_good_enough_is_refused_before_the_upgrade
        logging_out_ends_the_session_everywhere
        a_password_change_ends_all_other_sessions
        development_ends_with_development
    }
    guessing {
        a_flood_of_failed_logins_costs_a_block_a_worker
        an_owner_gets_in_while_somebody_guesses
        every_user_of_a_host_is_found_by_an_address
    }
    kill {
        nothing_acknowledged_is_lost_or_doubled_by_sigkill
    }
    memberships {
        a_limit_on_memberships_holds_for_what_is_made_at_once
        a_room_is_inherited_and_its_last_member_confirms_leaving
    }
    limits {
        a_flood_of_messages_is_refused_with_a_time_to_come_back
        a_reader_that_stops_is_closed_resumes_and_costs_bounded_memory
        a_flood_of_pings_does_no_harm
        what_one_user_reads_and_signals_is_limited_over_both_transports_together
        requests_of_an_address_are_limited_before_a_credential_is_looked_at
    }
    lists {
        a_client_that_follows_the_protocol_holds_every_conversation
        the_list_goes_on_from_where_the_greeting_ends
    }
    names {
        a_name_is_one_in_every_form_on_every_path
        a_name_that_misleads_is_refused
        a_mention_tells_whom_it_names
    }
    unread {
        clients_that_read_nothing_take_nothing_from_others
    }
    nodes {
        two_nodes_over_one_database_tell_one_order
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
