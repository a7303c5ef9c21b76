# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests that ``make test`` leaves out, and what tries the same there; ``make combinations`` runs them.

Each is one more case of a kind, or a whole playbook for what a step-level test holds already.  A test of something that
nothing else tries does not belong here.
"""

from __future__ import annotations

__all__ = ["LEFT_OUT"]

#: File in tests/integration -> test, or one of its cases (the name's beginning is enough) -> what tries the same.
LEFT_OUT: dict[str, dict[str, str]] = {
    # Whole playbooks.
    "stories/test_library_hosts.py": {
        "test_an_obstacle_on_one_host_leaves_both_and_production_as_they_were": "at step level, in"
        " library/test_files_check_obstacles.py; files on hosts, in test_three_hosts.py",
        "test_both_hosts_follow_and_come_back": "three hosts, in test_three_hosts.py",
        "test_an_obstacle_that_comes_after_the_look_takes_both_back": "an obstacle on one host; at step level"
        " test_an_obstacle_after_a_look_that_found_none",
        "test_a_run_that_is_killed_with_its_host_is_ended_by_the_next": "a kill in the middle of renaming, in"
        " library/test_files_rename_killed.py; a run that is killed, in test_second_run.py",
        "test_a_host_whose_renaming_is_killed_takes_both_back": "a kill in the middle, in"
        " library/test_files_rename_killed.py; both taken back, by an obstacle on one",
    },
    "stories/test_three_hosts.py": {
        "test_a_host_that_is_cut_off_is_named_and_the_others_stand": "a host that cannot be reached, in"
        " test_library_hosts.py; make faults cuts connections",
    },
    "stories/test_bad_input.py": {
        **{
            f"test_migrations_that_cannot_be_deployed[{case}]": "an unknown one, a syntax error and SQL in the name;"
            " each refusal in tests/unit/preflight/test_checks.py"
            for case in (
                "no migration",
                "empty migration",
                "path in the name",
                "ambiguous number",
                "already applied",
                "unmet requirement",
                "rollback missing",
                "rollback empty",
                "psql meta-command",
                "outside of this database",
            )
        },
        **{
            f"test_servers_that_cannot_be_used[{case}]": "a wrong password"
            for case in ("unreachable server", "unreachable socket", "no such database", "no database named")
        },
        "test_older_client_programs": "tests/unit/preflight/test_server.py",
        "test_a_rollback_of_what_is_not_applied": "tests/unit/preflight/test_checks.py",
    },
    "stories/test_one_payload.py": {
        "test_what_a_task_asks_of_its_module_s_process_is_kept[keyword0": "the other keyword",
        "test_a_deploy_packs_one_payload_for_all_its_steps": "deployed over SSH, in test_three_hosts.py; that the one"
        " archive has every step, in tests/unit/steps/test_one_payload.py",
    },
    "stories/test_least_privilege_releases.py": {
        "test_there_and_back_and_a_restore": "the newest release, in test_least_privilege.py; make versions",
    },
    "stories/test_standbys.py": {
        "test_what_a_standby_has_not_replayed_is_said_by_a_deploy_that_succeeds": "at step level"
        " test_a_standby_that_has_not_is_said_and_fails_nothing",
        "test_a_lag_that_is_too_great_is_refused_by_its_variable": "at step level"
        " test_a_standby_that_lags_refuses_a_deploy_before_production_is_touched",
    },
    "stories/test_on_call.py": {
        "test_the_status_and_a_rollback_beside_a_deploy": "status/test_while_a_run_is_at_work.py,"
        " production/test_run_lock.py and test_second_run.py",
        "test_a_grant_after_the_deploy_and_a_loss_that_was_accepted": "at step level, in"
        " production/test_privileges_given_again.py and rehearsal/test_declared_loss.py",
    },
    "stories/test_approval.py": {
        "test_two_people_resume_it": "one, in test_stop_approve_and_go_on; two at step level, in"
        " preflight/test_approvals.py",
        "test_another_deploys_meanwhile": "at step level, in preflight/test_approvals.py",
    },
    "stories/test_rows_wait.py": {
        "test_rows_that_wait_are_seen_until_they_are_settled": "the conflict of README.md, in"
        " demo/test_transcripts.py; what the status says of them, in status/test_facts.py",
    },
    "stories/test_retention.py": {
        "test_a_run_ends_with_what_is_no_longer_kept": "at step level, in retention/; artifacts of fleets, in"
        " test_fleet.py",
    },
    "stories/test_server_crashes.py": {
        "test_an_end_that_was_not_recorded_is_told_as_it_was[True]": "the other end",
        "test_after_the_commit_it_is_taken_back": "in apply; a module that is killed after its commit, in"
        " test_crashes.py",
    },
    "stories/test_drill.py": {
        "test_a_drill_of_what_is_pending": "at step level, in drill/test_drill.py; as a template of AWX, in make"
        " combinations",
    },
    "stories/test_signed_receipts.py": {
        "test_what_is_adopted_and_what_is_put_back_by_hand_is_signed": "what is deployed; signing itself in tests/unit",
    },
    "stories/test_connection.py": {
        "test_over_ssh_too_and_for_the_server_of_the_copy": "not over SSH; SSH in test_three_hosts.py",
    },
    "stories/test_restore_playbook.py": {
        "test_a_failed_rollback_is_followed_by_the_restore_where_that_was_asked_for": "offered; a restore itself, in"
        " restore/",
    },
    "stories/test_what_status_sees.py": {
        "test_a_backup_that_is_gone_is_not_advised_after_a_rollback_that_failed": "at step level, in"
        " backup/test_still_there.py",
    },
    "stories/test_generated_rows.py": {
        "test_all_rollbacks_of_a_folder_are_rehearsed_on_generated_rows": "at step level, in"
        " rehearsal/test_all_failures.py",
    },
    "stories/test_managed_service.py": {
        "test_a_backup_is_restored_beside_by_hand": "a backup that is restored beside, in restore/test_database.py",
    },
    "stories/test_history.py": {
        "test_all_runs_and_those_of_one_kind": "at step level, in ledger/test_history.py; its page in a browser, in"
        " report/test_page_in_browser.py",
    },
    "stories/test_runs.py": {
        "test_several_hosts_and_a_relative_sql_dir": "several hosts, in test_fleet.py",
    },
    "stories/test_failed_deploy.py": {
        "test_what_fails_on_the_copy_is_refused[015": "another failure on the copy",
        "test_a_killed_client_program_is_refused[pg_restore": "pg_dump; each program in backup/",
        "test_rows_that_a_rollback_does_not_give_back_are_named_in_the_record": "at step level, in"
        " rehearsal/test_rehearsal.py",
    },
    "stories/test_encrypted_backup.py": {
        "test_deployed_taken_back_and_put_back[gpg]": "age; both methods in backup/test_encryption.py",
    },
    "stories/test_restore_without_controller.py": {
        "test_the_controller_is_killed_in_the_middle_of_pg_restore": "the step that is killed there, in"
        " restore/test_restore_killed.py; make faults kills controllers of restores",
    },
    "stories/test_webhook.py": {
        "test_that_nobody_could_be_told_stops_nothing[not found]": "a byte now and then",
        "test_a_refusal_in_the_form_of_a_messenger[teams]": "slack; each form in tests/unit",
        "test_a_wrong_value_is_refused_before_anything_is_touched[announce_timeout_seconds]": "the other variable",
        "test_a_rollback_is_held_up_by_none_and_ends": "a deploy, which ends by the same role",
        "test_that_nobody_could_be_told_stops_nothing[a byte now and then]": "nobody is there; mail that nobody takes",
        "test_a_template_that_is_wrong_stops_nothing": "nobody is there",
    },
    "stories/test_maintenance_commands.py": {
        "test_a_command_that_fails_is_tried_again_by_the_next": "the status, after a kill",
        "test_that_nobody_could_be_told_stops_nothing": "nobody is there, in test_webhook.py",
        "test_the_status_takes_the_application_back_after_a_kill[9]": "signal 2",
        "test_a_window_that_does_not_close_hides_no_outcome_of_a_restore": "of a deploy",
        "test_that_nobody_could_be_told_stops_nothing[with a message]": "in silence",
        "test_any_other_command_does_so_too": "the status, which asks the same of the action plugin",
        "test_a_restore_that_fails_puts_the_application_back_into_service[open]": "one whose smoke test fails",
        "test_a_run_that_ends_by_itself_leaves_no_note_open": "at step level, in ledger/test_maintenance.py",
    },
    "stories/test_ara.py": {
        "test_every_task_is_recorded_and_no_password": "another callback, in test_screen.py; that no password is in"
        " what Ansible is told, in test_runs.py",
    },
    "stories/test_screen.py": {
        "test_a_command_one_of_whose_processes_is_killed_ends_and_says_so": "a module that is killed, in"
        " test_crashes.py; make faults",
        "test_a_failure_is_said_once_with_what_production_is_in[004": "a failure of another migration",
        "test_where_a_step_is_sent_the_line_moves_as_well": "where it is not; what a step tells, in"
        " step/test_progress.py",
        "test_an_interrupted_run_says_what_production_is_in[rehearse": "in apply",
    },
    "stories/test_crashes.py": {
        "test_nor_has_a_rollback": "a deploy",
        "test_the_time_of_a_step_that_was_killed_is_its_own": "a module that is killed",
        "test_a_run_whose_session_was_ended_as_it_was_opened_is_closed[emergency_rollback": "of a deploy",
        "test_a_rollback_whose_module_is_killed_after_its_commit_says_that_it_is_done": "of a deploy; make faults"
        " kills those of rollbacks",
        "test_a_module_that_raises_in_production[sent]": "forked; one that is killed, sent",
        "test_a_deploy_whose_module_is_killed_after_its_commit_is_taken_back[sent]": "forked",
        "test_a_module_that_is_killed[forked-apply": "sent, and forked in backup",
        "test_a_module_that_is_killed[forked-backup": "sent, in apply",
        "test_a_step_whose_code_cannot_be_loaded_has_not_begun[forked]": "sent",
    },
    "stories/test_awx.py": {
        "test_a_night_by_surveys": "each playbook by its own story; one by its survey, in"
        " test_a_consent_that_is_given_is_one; all variables of surveys in tests/unit/test_awx_documents.py",
        "test_a_drill": "test_drill.py",
    },
    "backup/test_pgbackrest_elsewhere.py": {
        "test_it_is_proven_by_what_only_the_repository_has[over SSH]": "in S3; over SSH a whole deploy and restore, in"
        " stories/test_pgbackrest_playbooks.py",
    },
    "demo/test_training.py": {
        "test_how_long_it_would_take": "drill/test_drill.py",
        "test_the_backup_comes_back_with_what_was_written_since": "restore/test_restore_steps.py",
        "test_somebody_sits_on_a_lock": "at step level, in production/test_attempt.py; that the page is what the tests"
        " play, by its other tasks",
        "test_the_controller_dies": "stories/test_second_run.py",
    },
    "benchmarks/test_faults.py": {
        "test_what_was_found_is_there_when_somebody_interrupts": "make faults, whenever somebody interrupts it",
        "test_what_is_true_is_not_called_a_lie": "make faults, in each case that ends well",
    },
    "backup/test_pgbackrest.py": {
        "test_a_deploy_a_rollback_and_a_restore": "whole playbooks, in stories/test_pgbackrest_playbooks.py",
    },
    "collection/test_checkout.py": {
        "test_folders_are_at_the_root[deploy.yml]": "of playbooks/rehearse.yml",
    },
    "collection/test_sanity.py": {
        "test_a_planted_fault_is_found[no-get-exception]": "the other faults",
        "test_a_planted_fault_is_found[shebang]": "the other faults",
    },
    "importing/test_alembic_imported.py": {
        "test_branches_and_their_merge_are_deployed_and_taken_back": "tests/unit/importing; a whole project, in"
        " test_django_imported.py",
    },
    "step/test_hostile_names.py": {
        "test_one_by_one": "one transaction",
        "test_restored_with_the_rows_since": "deployed and rolled back",
        "test_kept_rows_put_back_by_hand": "deployed, rolled back and by hand",
    },
    "restore/test_locked_database.py": {
        "test_the_application_is_let_in_where_the_names_cannot_be_had[grant]": "a comment",
        "test_a_swap_waits_for_no_other_transaction_without_an_end[comment]": "the other locks",
        "test_a_swap_waits_for_no_other_transaction_without_an_end[grant]": "a lock",
    },
    "rehearsal/test_residue.py": {
        "test_it_goes_all_the_way_and_is_deployed_again[enum label-declared]": "accepted",
        "test_it_goes_all_the_way_and_is_deployed_again[column order-accepted]": "declared",
    },
    "backup/test_still_there.py": {
        "test_nothing_is_applied_without_the_backup[link_to_elsewhere": "the other ways",
        "test_nothing_is_rolled_back_without_the_backup_made_for_it[remove_all": "one bit",
    },
    # Kinds of one thing.
    "production/test_privileges_given_again.py": {
        **{
            f"test_what_was_granted_and_revoked_stands_after_the_rollback[{kind}]": "the other kinds of objects"
            for kind in ("type", "sequence", "materialized view", "column of a view")
        },
        **{
            f"test_by_an_owner_who_is_no_superuser[{kind}]": "a view, and one who had privileges before"
            for kind in ("function", "table")
        },
    },
    "production/test_known_session.py": {
        f"test_what_a_script_leaves_decides_nothing_of_what_follows[{what}]": "what else goes with the session"
        for what in (
            "a cursor",
            "styles",
            "a client encoding",
            "an open cursor on a temporary table",
            "another user",
        )
    },
    "benchmarks/test_merges.py": {
        f"test_a_fault_is_seen_and_its_story_is_named[{fault}": "the other faults"
        for fault in ("UPDATE line", "INSERT INTO line SELECT", "SELECT 1 / 0")
    },
    "benchmarks/test_bench.py": {
        "test_a_column_is_added_by_both": "make bench",
    },
    "report/test_page_in_browser.py": {
        **{
            f"test_nothing_is_wrong_at_any_width[{case}]": "the other page, and the widest and the narrowest"
            for case in ("report-800", "report-1280", "history-360", "history-800")
        },
        "test_nothing_is_wrong_in_the_dark[history]": "the report, which has the same colours",
    },
    "stories/test_salvage_one_by_one.py": {
        "test_a_rollback_whose_statements_commit_one_by_one_loses_nothing": "one that is killed at a statement",
        "test_it_comes_back_to_a_migration_that_is_not_one_transaction": "execution/test_salvage_return.py and"
        " salvage/test_statements.py",
        "test_a_migration_that_is_not_one_transaction_overwrites_nobodys_row": "salvage/test_statements.py",
        "test_untouched_rows_of_a_migration_that_is_no_longer_one_transaction": "salvage/test_statements.py",
        "test_its_rehearsal_puts_it_back_too": "that production and copy see the same, in execution/test_recipe.py",
        **{
            f"test_a_rollback_killed_at_any_statement_is_finished_and_loses_nothing[{number}]": "statements 2 and 5"
            for number in (1, 3, 4, 6, 7)
        },
    },
    "stories/test_salvage_steps.py": {
        "test_a_verify_script_that_fails_in_production_is_noticed_where_salvage_returns[one by one]": "one transaction",
        "test_the_receipts_name_the_verify_scripts_that_were_run[one by one]": "one transaction",
    },
    "rehearsal/test_generated_rows.py": {
        f"test_what_shows_on_rows_only_is_found_in_an_empty_folder[{kind}]": "the other kinds of loss"
        for kind in ("a column comes back empty", "a sequence goes back", "the schema depends on the rows")
    },
    "ledger/test_broken_chain.py": {
        **{
            f"test_a_deploy_is_refused_until_somebody_says_that_it_may_go_on[{how}]": "cut off, and changed"
            for how in ("all gone", "all gone, and where it ended", "not known where it ended", "taken out")
        },
        **{
            f"test_a_rollback_goes_on_and_hides_nothing[{how}]": "cut off"
            for how in ("changed", "not known where it ended")
        },
    },
    "ledger/test_tables_of_tools_in_runs.py": {
        "test_django_plans_what_is_left": "what Django plans after an import, in importing/test_django_imported.py",
        "test_alembic_knows_where_it_is": "likewise, in importing/test_alembic_imported.py",
    },
    "importing/test_django_imported.py": {
        "test_a_squashed_migration_and_what_it_replaces_are_deployed_once": "a squashed one alone; what it replaces, in"
        " tests/unit/importing/test_squashed.py",
        "test_a_second_import_adds_what_is_new_and_leaves_what_was_edited": "tests/unit/importing/test_folder.py",
    },
    "collection/test_installed_collection.py": {
        "test_documents_go_into_the_strangers_folder_of_sql": "a deploy from there",
        "test_roles_in_a_playbook_of_the_project": "a playbook that imports the collection's",
        "test_folders_that_are_given_win": "the folders of the checkout, in test_checkout.py",
        "test_a_project_without_scripts_is_told_where_they_are_looked_for": "a refusal that names the command",
        "test_migrations_of_another_tool_are_imported_beside_those_of_the_project": "the imports of importing/; the"
        " documents of playbooks/rehearse.yml, which go there too",
    },
    "backup/test_definitions_of_all_kinds.py": {
        f"test_a_sound_backup_is_proven_and_each_fault_is_seen[{begins}": "a third of the schemas; make strangers"
        for begins in "3bcefilmnpqtvw"
    },
    "check/test_rehearsed.py": {
        f"test_what_fails_is_a_finding_at_its_place[changed{number}": "a verify script that fails"
        for number in (0, 1)
    },
    "library/test_files_rename_killed.py": {
        "test_real_kills": "a call that is cut short at each place; make lossless",
    },
    "catalog/test_dependencies.py": {
        "test_required_itself_or_through_another[-- Requires: 0025": "required itself",
    },
    "benchmarks/test_migrations_of_strangers.py": {
        "test_a_migration_gets_the_verdict_that_is_right[django_remove_middle_field": "make strangers",
    },
    "drafting/test_drafts.py": {
        "test_the_schemas_of_strangers": "the migrations of the library; make drafts",
    },
    "library/test_files_disturbed.py": {
        f"test_a_look_that_is_killed_leaves_nothing[{where}]": "killed in the walk"
        for where in ("folds", "check_place", "choose_way")
    },
    # Faults planted in the scripts of sql/ and in the measuring of benchmarks/, which no other change can bring.
    "sql/test_rollback_mutations.py": {
        f"test_every_fault_is_caught[{stem}": "the rollback of the filenames"
        for stem in ("001", "002", "003", "006", "007", "008", "009", "010", "011")
    },
    "benchmarks/test_measurements.py": {
        name: "its bar, in make proof and make lossless"
        for name in (
            "test_a_restore_that_leaves_the_rows_since_behind_is_found",
            "test_a_library_whose_salvage_is_left_behind_is_found",
            "test_a_catalog_that_always_says_the_same_disagrees_with_pg_dump",
            "test_a_fingerprint_of_another_snapshot_than_the_dump_is_found_under_load",
            "test_a_backup_beside_slow_writers_does_not_count",
            "test_a_safeguard_is_made_up_for_by_the_comparison_and_by_nothing_else",
            "test_a_fault_that_only_moves_a_sequence_is_counted_apart",
            "test_a_miss_that_is_known_is_a_miss_all_the_same",
        )
    },
}
