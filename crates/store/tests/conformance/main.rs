//! What every engine must do, seen from outside. Another engine adds one line at the end.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where it stands"
)]

mod audit;
mod backups;
mod engines;
mod erasure;
mod expiry;
mod journal;
mod queries;
mod workload;

/// Runs the suite on one engine.
macro_rules! conforms {
    ($engine:ident, $kind:expr) => {
        mod $engine {
            conforms!(@tests $kind,
                journal::records_are_kept_in_the_order_of_their_keys,
                journal::changes_of_one_entry_happen_in_order,
                journal::entries_appended_together_are_acknowledged_in_order,
                journal::an_entry_nobody_waits_for_is_acknowledged_too,
                journal::a_gap_in_the_numbers_poisons_the_store,
                journal::a_full_queue_refuses_and_a_stopped_store_takes_nothing,
                journal::two_owners_of_one_directory_are_refused,
                journal::files_are_their_owners_alone,
                queries::runs_are_found_by_time_loop_peer_status_and_direction,
                queries::pages_follow_each_other_without_gaps_or_repeats,
                queries::both_halves_of_a_call_are_found_by_its_id,
                queries::a_run_that_changes_leaves_no_old_index_rows,
                queries::events_are_read_from_any_position,
                queries::events_of_one_run_follow_each_other_across_commits,
                queries::retention_removes_old_ended_runs_and_all_that_is_theirs,
                audit::a_log_that_has_outgrown_its_bound_begins_at_a_head,
                erasure::the_content_of_a_run_is_erased_and_the_rest_stays,
                erasure::runs_that_lie_together_are_erased_together,
                expiry::a_record_outlives_its_expiry_until_it_is_swept,
                expiry::a_sweep_is_bounded_and_takes_the_earliest_first,
                expiry::only_the_last_expiry_of_a_record_counts,
                backups::a_backup_taken_while_writing_restores_one_moment,
                backups::a_backup_leaves_kem_keys_and_replay_memory_behind,
                backups::a_restore_refuses_a_directory_that_is_in_use,
                backups::a_changed_or_cut_backup_leaves_no_store_behind,
                backups::a_backup_holds_no_payload,
                backups::a_backup_of_the_first_format_still_restores,
                backups::a_backup_with_a_record_that_expires_still_restores,
                backups::a_restored_record_still_expires,
                engines::a_store_moves_to_every_engine_and_back_whole,
                engines::another_engines_store_is_refused_untouched,
                engines::files_that_vanished_are_not_made_anew,
                engines::a_move_cut_short_anywhere_leaves_the_store_that_the_mark_names,
                engines::an_open_store_does_not_move,
            );
        }
    };
    (@tests $kind:expr, $( $part:ident::$test:ident, )*) => {
        $(
            #[test]
            fn $test() {
                crate::$part::$test($kind);
            }
        )*
    };
}

conforms!(redb, realm_store::EngineKind::Redb);
#[cfg(feature = "sled")]
conforms!(sled, realm_store::EngineKind::Sled);
