# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a cleanup says: each thing that went, with size and age."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.plugin_utils.report.cleanup import (
    cleanup_in_short,
    cleanup_report,
)

OUTPUTS: dict[str, Any] = {
    "check_mode": False,
    "backup_keep": {"count": 1},
    "artifacts_keep": {},
    "removed": [
        {"run_id": "run-3", "bytes": 3 * 2**30, "age_days": 40.2, "proven": True},
        {"run_id": "run-2", "bytes": 2**20, "age_days": 1.5, "proven": False},
    ],
    "artifacts": [{"run_id": "run-1", "bytes": 40_000, "age_days": 0.01}],
    "fleets": [],
    "ended": [],
    "artifacts_ended": [],
    "kept": [{"run_id": "run-4", "why": "it has not ended"}],
    "left_alone": [
        {"folder": "/backups/run-5", "run_id": "run-5", "why": "it holds x, which no backup has written"}
    ],
    "artifacts_left_alone": [],
    "warnings": ["/backups/run-6 was not removed: Permission denied."],
    "artifacts_warnings": [],
}


def test_what_went_is_named_with_size_and_age_and_what_stays_with_its_reason() -> None:
    assert cleanup_report(OUTPUTS, "library") == [
        "library: 2 backups (3.0 GB) and 1 folder of artifacts (39 kB) removed",
        "  removed: backup of run run-3: 3.0 GB, 40 days old, proven",
        "  removed: backup of run run-2: 1.0 MB, 36 hours old, never proven",
        "  removed: artifacts of run run-1: 39 kB, 14 minutes old",
        "  stays: backup of run run-4, because it has not ended",
        "  left alone: /backups/run-5: it holds x, which no backup has written",
        "  WARNING: /backups/run-6 was not removed: Permission denied.",
    ]


def test_check_mode_says_what_would_go() -> None:
    lines = cleanup_report({**OUTPUTS, "check_mode": True}, "library")
    assert lines[0].endswith("would be removed, in check mode")
    assert lines[1].startswith("  would go: backup of run run-3")


FLEET: dict[str, Any] = {"run_id": "fleet-1", "bytes": 9_000, "age_days": 9, "beside": []}


def test_the_record_of_a_fleet_is_named() -> None:
    lines = cleanup_report({**OUTPUTS, "fleets": [FLEET]}, "library")
    assert lines[0] == (
        "library: 2 backups (3.0 GB), 1 folder of artifacts (39 kB) and 1 record of a fleet (9 kB) removed"
    )
    assert lines[4] == "  removed: record of fleet fleet-1: 9 kB, 9 days old"
    assert cleanup_in_short({**OUTPUTS, "removed": [], "artifacts": [], "fleets": [FLEET]}) == [
        "Removed, as artifacts_keep says: 1 record of a fleet (9 kB): fleet-1"
    ]


def test_check_mode_says_what_has_to_go_before_the_record_of_a_fleet() -> None:
    others = {**FLEET, "beside": ["run-7", "run-8"]}
    lines = cleanup_report({**OUTPUTS, "check_mode": True, "fleets": [others, FLEET]}, "library")
    assert lines[4:6] == [
        "  would go: record of fleet fleet-1: 9 kB, 9 days old, once the artifacts of 2 runs of other databases are"
        " gone",
        "  would go: record of fleet fleet-1: 9 kB, 9 days old",
    ]


def test_nothing_to_remove_and_nothing_set() -> None:
    nothing = {**OUTPUTS, "removed": [], "artifacts": [], "kept": [], "left_alone": [], "warnings": []}
    assert cleanup_report(nothing, "library") == ["library: nothing to remove"]
    ended = cleanup_report({**nothing, "ended": ["/backups/.removed-x"]}, "library")
    assert ended[1] == "  removed: /backups/.removed-x, which an earlier cleanup had begun to remove"
    (line,) = cleanup_report({**nothing, "backup_keep": {}}, "library")
    assert line == "library: neither backup_keep nor artifacts_keep is set, so that nothing is ever removed"
    assert cleanup_in_short(nothing) == []


def test_at_the_end_of_a_run_it_is_a_line_each() -> None:
    assert cleanup_in_short(OUTPUTS) == [
        "Removed, as backup_keep says: 2 backups (3.0 GB): run-3, run-2",
        "Removed, as artifacts_keep says: 1 folder of artifacts (39 kB): run-1",
    ]
