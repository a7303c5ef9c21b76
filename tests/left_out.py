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
        "test_both_hosts_follow_and_come_back": "three hosts, in test_three_hosts.py",
        "test_an_obstacle_that_comes_after_the_look_takes_both_back": "an obstacle on one host; at step level"
        " test_an_obstacle_after_a_look_that_found_none",
        "test_a_run_that_is_killed_with_its_host_is_ended_by_the_next": "a host whose renaming is killed; a run that is"
        " killed, in test_second_run.py",
    },
    "stories/test_three_hosts.py": {
        "test_a_host_that_is_cut_off_is_named_and_the_others_stand": "a host that cannot be reached, in"
        " test_library_hosts.py; make faults cuts connections",
    },
    "stories/test_webhook.py": {
        "test_that_nobody_could_be_told_stops_nothing[not found]": "a byte now and then",
        "test_a_refusal_in_the_form_of_a_messenger[teams]": "slack; each form in tests/unit",
        "test_a_wrong_value_is_refused_before_anything_is_touched[announce_timeout_seconds]": "the other variable",
        "test_a_rollback_is_held_up_by_none_and_ends": "a deploy, which ends by the same role",
    },
    "stories/test_maintenance_commands.py": {
        "test_the_status_takes_the_application_back_after_a_kill[9]": "signal 2",
        "test_a_window_that_does_not_close_hides_no_outcome_of_a_restore": "of a deploy",
        "test_that_nobody_could_be_told_stops_nothing[with a message]": "in silence",
    },
    "stories/test_ara.py": {
        "test_every_task_is_recorded_and_no_password": "another callback, in test_screen.py; that no password is in"
        " what Ansible is told, in test_runs.py",
    },
    "stories/test_screen.py": {
        "test_a_failure_is_said_once_with_what_production_is_in[004": "a failure of another migration",
    },
    "stories/test_crashes.py": {
        "test_a_module_that_raises_in_production[sent]": "forked; one that is killed, sent",
        "test_a_deploy_whose_module_is_killed_after_its_commit_is_taken_back[forked]": "sent",
        "test_a_module_that_is_killed[forked-apply": "sent, and forked in backup",
    },
    "benchmarks/test_faults.py": {
        "test_what_was_found_is_there_when_somebody_interrupts": "make faults, whenever somebody interrupts it",
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
    "library/test_files_disturbed.py": {
        f"test_a_look_that_is_killed_leaves_nothing[{where}]": "killed in the walk"
        for where in ("folds", "check_place", "choose_way")
    },
    # Faults planted in the scripts of sql/ and in the measuring of benchmarks/, which no other change can bring.
    "sql/test_rollback_mutations.py": {
        f"test_every_fault_is_caught[{stem}": "the rollbacks of 007 and of the filenames"
        for stem in ("001", "002", "003", "006", "008", "009", "010", "011")
    },
    "benchmarks/test_measurements.py": {
        name: "its bar, in make proof and make lossless"
        for name in (
            "test_a_restore_that_leaves_the_rows_since_behind_is_found",
            "test_a_library_whose_salvage_is_left_behind_is_found",
            "test_a_catalog_that_always_says_the_same_disagrees_with_pg_dump",
            "test_a_fingerprint_of_another_snapshot_than_the_dump_is_found_under_load",
        )
    },
}
