//! The promises of [`store`](crate::store) as tests of any implementation.
//!
//! Each case is a plain function that starts from an empty store. A macro lists them all and turns
//! each into a test with its name, so an implementation runs all of them in one line. The maker is
//! called once a test, and returns something that dereferences to an empty store; what else it
//! holds, such as a temporary folder, lives as long as the test:
//!
//! ```
//! use std::sync::Arc;
//!
//! use chat_core::MemoryStore;
//!
//! async fn empty_store() -> Arc<MemoryStore> {
//!     Arc::new(MemoryStore::new())
//! }
//!
//! chat_core::testing::store::store_conformance!(empty_store);
//! chat_core::testing::store::account_conformance!(empty_store);
//! # fn main() {}
//! ```
//!
//! The tests need `tokio` with the features `macros` and `rt-multi-thread`.

#![allow(clippy::unwrap_used, reason = "where a case cannot go on, its test has failed")]

pub mod accounts;
pub mod batches;
pub mod changes;
pub mod conversations;
pub mod cursors;
pub mod inbox;
pub mod logins;
pub mod members;
pub mod memberships;
pub mod messages;
pub mod presence;
pub mod users;

mod fixture;

use std::time::Duration;

/// Tests that an implementation of [`Store`](crate::store::Store) keeps its promises.
#[doc(inline)]
pub use crate::__store_conformance as store_conformance;

/// Tests that an implementation of [`AccountStore`](crate::store::AccountStore) and
/// [`LoginSessionStore`](crate::store::LoginSessionStore) keeps its promises.
#[doc(inline)]
pub use crate::__account_conformance as account_conformance;

/// Tests that an implementation of [`PresenceStore`](crate::presence::PresenceStore) keeps its
/// promises.
#[doc(inline)]
pub use crate::__presence_conformance as presence_conformance;

/// Runs a case, but not for ever.
#[doc(hidden)]
pub async fn bounded(case: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(120), case).await.expect("the case does not end");
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance {
    ($maker:expr; $($module:ident { $($case:ident)+ })+) => { $($(
        #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let store = ($maker)().await;
            let case = $crate::testing::store::$module::$case(&*store);
            $crate::testing::store::bounded(case).await;
        }
    )+)+ };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_conformance {
    ($maker:expr) => {
        $crate::__conformance! { $maker;
            users {
                a_user_is_recorded_once
                a_name_is_taken_by_its_case_and_by_its_look
                look_alike_names_at_once_make_one_user
                one_id_at_once_makes_one_user
                names_of_every_script_come_back_unchanged
                users_are_found_by_their_ids
                a_search_finds_both_names_by_their_beginning
                a_search_takes_every_character_for_itself
                a_search_ignores_case_in_every_script
                last_seen_moves_forward_only
            }
            conversations {
                a_pair_has_one_direct_conversation
                a_pair_that_opens_at_once_has_one_conversation
                a_room_begins_with_its_owner
                a_room_is_found_by_name_if_it_is_public
                a_named_room_is_found_or_made
                a_named_room_is_made_once_by_many
                conversations_count_their_members
                public_rooms_are_listed_by_name
            }
            members {
                a_user_joins_a_public_room_once
                only_public_rooms_are_joined
                only_chosen_memberships_count
                a_user_has_so_many_memberships_and_no_more
                memberships_at_once_keep_to_the_limit
                a_membership_ends_once
                who_comes_back_is_who_left
                a_join_passes_over_what_was_said_before
                joins_at_once_have_a_number_each
                one_user_joins_once_however_often_at_once
            }
            memberships {
                members_are_listed_by_user_id
                memberships_in_force_are_listed
                contacts_share_a_small_conversation
            }
            messages {
                a_message_comes_back_as_it_was_stored
                text_is_kept_byte_for_byte
                only_members_write
                a_mention_is_of_a_member
                history_is_a_range
                messages_are_found_by_id
                heads_tell_how_far_conversations_are
            }
            batches {
                a_batch_is_numbered_in_its_order
                a_batch_reaches_many_conversations
                a_repeat_is_answered_with_the_original
                a_repeat_within_a_batch_is_answered_with_the_original
                a_client_id_belongs_to_a_sender_and_a_conversation
                a_batch_outlives_the_refusal_of_some
                a_former_member_cannot_even_repeat
                a_large_batch_is_stored_whole
                an_empty_batch_is_nothing
                appends_at_once_have_consecutive_numbers
                a_repeat_at_once_is_stored_once
            }
            changes {
                changes_tell_all_since_a_number
                changes_end_at_the_head
                changes_come_in_pages
                of_a_member_the_last_change_is_told
                changes_are_read_from_one_snapshot
            }
            cursors {
                a_cursor_moves_forward_only
                a_cursor_stops_at_the_last_message
                what_is_read_is_delivered
                only_members_have_cursors
                own_messages_are_never_unread
                counts_stop_at_a_hundred
                a_cursor_moved_at_once_passes_each_message_once
            }
            inbox {
                a_direct_conversation_shows_the_other
                a_room_shows_its_last_message
                a_peer_who_left_is_still_the_peer
                the_most_recently_active_comes_first
                pages_neither_repeat_nor_skip
                only_members_see_a_conversation
                unread_totals_are_sums
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __account_conformance {
    ($maker:expr) => {
        $crate::__conformance! { $maker;
            accounts {
                an_account_is_a_user_with_a_password
                an_account_needs_a_free_name
                an_account_needs_a_new_user
                accounts_of_one_name_at_once_are_one
                a_password_is_replaced
            }
            logins {
                a_login_session_is_found_by_its_token
                a_login_session_lives_on_by_use
                login_sessions_are_listed_by_use
                the_least_recently_used_login_sessions_end
                logins_at_once_keep_to_the_limit
                a_login_session_is_ended_by_its_user
                all_other_login_sessions_end
                expired_login_sessions_are_removed
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __presence_conformance {
    ($maker:expr) => {
        $crate::__conformance! { $maker;
            presence {
                a_user_is_online_while_on_one_node
                arrivals_and_departures_at_once_are_told_once
                a_lost_lease_ends_presence_once
                a_renewed_lease_does_not_end
                a_user_on_a_living_node_outlives_a_dead_one
                a_status_lasts_while_online
                the_online_are_listed_up_to_a_limit
            }
        }
    };
}

#[cfg(test)]
mod tests {
    /// A case that no macro lists would test nothing.
    #[test]
    fn every_case_is_listed() {
        let list = include_str!("mod.rs");
        let listed = |case: &str| list.lines().any(|line| line.trim() == case);
        for source in [
            include_str!("accounts.rs"),
            include_str!("batches.rs"),
            include_str!("changes.rs"),
            include_str!("conversations.rs"),
            include_str!("cursors.rs"),
            include_str!("inbox.rs"),
            include_str!("logins.rs"),
            include_str!("members.rs"),
            include_str!("memberships.rs"),
            include_str!("messages.rs"),
            include_str!("presence.rs"),
            include_str!("users.rs"),
        ] {
            let mut cases = source.split("pub async fn ").skip(1).peekable();
            assert!(cases.peek().is_some());
            for case in cases.filter_map(|rest| rest.split(['(', '<']).next()) {
                assert!(listed(case), "{case}");
            }
        }
    }
}
