//! Which cases there are: the only place that names them all.
//!
//! A list hands its cases to another macro, which makes named tests of them or a slice, so that no
//! second list can fall behind.

/// Every case of a store.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_cases {
    ($then:ident! $($arguments:tt)*) => {
        $crate::$then! { $($arguments)*;
            users {
                a_user_is_recorded_once
                a_name_is_taken_by_its_case_and_by_its_look
                look_alikes_are_refused_in_either_order_and_case
                a_name_is_one_in_every_form
                a_name_to_be_shown_is_nobody_elses_name
                look_alike_names_at_once_make_one_user
                one_id_at_once_makes_one_user
                names_of_every_script_come_back_unchanged
                users_are_found_by_their_ids
                a_search_finds_both_names_by_their_beginning
                a_search_takes_every_character_for_itself
                a_search_ignores_case_in_every_script
                last_seen_moves_forward_only
                who_is_known_needs_no_free_name
                a_search_has_one_order
                users_seen_together_are_recorded_together
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
                the_oldest_room_of_a_name_is_found
                a_pair_that_parted_keeps_its_conversation
                recent_conversations_are_those_of_the_latest_messages
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
                conversations_made_at_once_keep_to_the_limit
                a_room_that_its_owner_leaves_is_inherited_by_the_longest_member
                the_last_member_leaves_when_that_is_meant
                of_members_who_leave_at_once_one_is_the_last
                joins_at_once_are_seen_as_they_took_effect
            }
            memberships {
                members_are_listed_by_user_id
                memberships_in_force_are_listed
                contacts_share_a_small_conversation
                circles_are_those_of_each_user
                a_chosen_presence_is_kept
            }
            messages {
                a_message_comes_back_as_it_was_stored
                text_is_kept_byte_for_byte
                only_members_write
                a_mention_is_of_a_member
                a_mention_is_of_the_longest_name
                only_members_count_as_mentions
                history_is_a_range
                messages_are_found_by_id
                heads_tell_how_far_conversations_are
                the_clock_orders_no_messages
                a_head_is_visible_to_members_only
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
                a_client_id_is_known_for_ever
            }
            changes {
                changes_tell_all_since_a_number
                changes_end_at_the_head
                changes_come_in_pages
                changes_are_found_among_comings_and_goings
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
                the_clock_orders_no_list
                pages_neither_repeat_nor_skip
                only_members_see_a_conversation
                unread_totals_are_sums
                an_overview_is_all_memberships_and_the_first_page
                overviews_are_those_of_each_user
            }
            missed {
                each_is_told_what_each_missed
                what_cannot_be_told_is_passed_over
                what_was_missed_is_counted_out
                what_was_missed_is_read_from_one_snapshot
            }
            snapshots {
                history_read_while_it_grows_has_no_hole
                heads_read_while_messages_come_are_true
                changes_become_visible_in_their_order
                a_summary_shows_one_moment
                an_overview_shows_one_moment
                totals_keep_up_with_messages
                what_was_acknowledged_is_in_every_read
            }
            races {
                one_client_id_in_batches_at_once_is_one_message
                batches_that_cross_all_succeed
                nobody_writes_after_leaving
                a_join_among_messages_passes_over_those_before_it
                a_user_who_comes_and_goes_at_once_is_in_or_out
                a_pair_that_opens_and_writes_at_once_loses_nothing
                a_cursor_among_messages_passes_each_once
                a_repeat_that_races_with_a_departure_stores_nothing
                last_seen_at_once_is_the_latest
            }
            visits {
                users_of_a_dead_node_were_seen_when_it_lived
                a_node_that_lives_keeps_its_users
                a_departure_ends_a_visit
                visits_are_ended_once_by_many
            }
            limits {
                every_time_is_kept_to_the_microsecond
                the_list_reaches_over_all_of_time
                the_longest_texts_are_kept
                names_are_compared_by_their_letters
                limits_reach_from_none_to_all
                a_place_in_a_list_need_not_exist
                a_question_may_name_thousands
            }
            refusals {
                a_batch_that_fails_stores_nothing
                a_conversation_that_fails_leaves_no_trace
            }
            probe {
                a_store_that_works_says_so_to_many_at_once
            }
        }
    };
}

/// Every case that only a store without a cache need pass.
#[doc(hidden)]
#[macro_export]
macro_rules! __uncached_store_cases {
    ($then:ident! $($arguments:tt)*) => {
        $crate::$then! { $($arguments)*;
            snapshots {
                heads_never_move_back_however_they_are_asked_for
            }
        }
    };
}

/// Every case of accounts and login sessions.
#[doc(hidden)]
#[macro_export]
macro_rules! __account_cases {
    ($then:ident! $($arguments:tt)*) => {
        $crate::$then! { $($arguments)*;
            accounts {
                an_account_is_a_user_with_a_password
                an_account_needs_a_free_name
                an_account_needs_a_new_user
                accounts_of_one_name_at_once_are_one
                a_password_is_replaced
                accounts_of_one_user_at_once_are_one
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
                existing_login_sessions_are_told_from_others
                a_login_that_fails_ends_nothing
                a_new_login_session_never_ends_itself
                a_login_session_ends_once
                login_sessions_reach_over_all_of_time
            }
        }
    };
}

/// Every case of a presence store.
#[doc(hidden)]
#[macro_export]
macro_rules! __presence_cases {
    ($then:ident! $($arguments:tt)*) => {
        $crate::$then! { $($arguments)*;
            presence {
                a_user_is_online_while_on_one_node
                arrivals_and_departures_at_once_are_told_once
                a_lost_lease_ends_presence_once
                the_gone_are_told_with_how_they_were_shown
                a_renewed_lease_does_not_end
                a_user_on_a_living_node_outlives_a_dead_one
                a_status_lasts_while_online
                who_arrives_is_shown_as_chosen
                the_online_are_listed_up_to_a_limit
                a_node_is_told_that_its_lease_was_lost
                a_lease_can_be_handed_over
                devices_are_counted_over_all_nodes
                users_with_any_id_are_apart
                many_users_of_a_dead_node_are_gone_at_once
            }
        }
    };
}

#[cfg(test)]
mod tests {
    macro_rules! sources {
        ($($module:ident)+) => {
            [$((stringify!($module), include_str!(concat!(stringify!($module), ".rs")))),+]
        };
    }

    /// A case that no macro lists would test nothing.
    #[test]
    fn every_case_is_listed() {
        let list = include_str!("list.rs");
        let modules =
            include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("pub mod "));
        let sources = sources!(
            accounts batches changes conversations cursors inbox limits logins members memberships
            messages missed presence probe races refusals snapshots users visits
        );
        for module in modules {
            let name = module.trim_end_matches(';');
            let source = sources.iter().find(|(module, _)| *module == name);
            let (_, source) = source.unwrap_or_else(|| panic!("{name} is not looked at"));
            let mut cases = source.split("pub async fn ").skip(1).peekable();
            assert!(cases.peek().is_some(), "{name} has no cases");
            for case in cases.filter_map(|rest| rest.split(['(', '<']).next()) {
                assert!(list.lines().any(|line| line.trim() == case), "{case}");
            }
        }
    }
}
