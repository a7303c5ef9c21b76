# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backup is put back by hand and by itself; what was replaced is kept, and rows come over where that was wanted."""

from __future__ import annotations

import pytest

STEPS = ("preflight", "restore", "count_rows", "swap", "smoke_test")


def columns_of(snapshot: dict, table: str, columns: list[str]) -> list[list]:
    """Rows of a table, of these columns only."""
    content = snapshot["tables"][table]
    places = [content["columns"].index(column) for column in columns]
    return sorted([[row[place] for place in places] for row in content["rows"]], key=str)


@pytest.mark.parametrize("name", ["library", "by_hand"])
def test_record_says_restored(name, record_of):
    run = record_of(name)
    assert (run["playbook"], run["outcome"], run["reason"]) == ("restore", "restored", None)
    assert [(step["step"], step["status"]) for step in run["steps"]] == [(step, "ok") for step in STEPS]
    assert (run["proof"]["schema_restored"], run["proof"]["data_restored"]) == (True, True)


def test_library_has_the_schema_from_before_the_deployment(snapshot_of, present):
    before, after = snapshot_of("before"), present("midi_library")
    assert after["schema"] == before["schema"]
    version = "public.schema_migrations"
    assert after["tables"][version] == before["tables"][version]


def test_library_has_the_rows_of_its_users(snapshot_of, present, record_of):
    before, used, after = snapshot_of("before"), snapshot_of("used"), present("midi_library")
    for table, content in before["tables"].items():
        if table != "public.schema_migrations":
            found = sorted(after["tables"][table]["rows"], key=str)
            assert found == columns_of(used, table, content["columns"]), table
    restore = record_of("library")["restore"]
    assert restore["rows"]["tables"]["public.files"] == {"added": 1, "changed": 1, "deleted": 1}
    assert restore["rows"]["tables"]["public.favorites"]["added"] == 1
    assert restore["rows"]["only_live"]["columns"]["public.files.copyright"] >= 1
    assert restore["left"]["rows"] == []


def test_sequences_are_where_users_left_them(snapshot_of, present):
    used, after = snapshot_of("used"), present("midi_library")
    assert {name: used["sequences"][name] for name in after["sequences"]} == after["sequences"]


@pytest.mark.parametrize(("name", "snapshot"), [("library", "used"), ("by_hand", "shop_used")])
def test_what_was_replaced_is_kept(name, snapshot, record_of, snapshot_of, present):
    assert present(record_of(name)["restore"]["replaced"]) == snapshot_of(snapshot)


def test_without_carrying_over_it_is_the_backup(snapshot_of, present, record_of):
    before, after = snapshot_of("shop_before"), present("shop_by_hand")
    assert (after["schema"], after["tables"]) == (before["schema"], before["tables"])
    assert record_of("by_hand")["restore"]["rows"]["tables"] == {
        "public.orders": {"added": 1, "changed": 0, "deleted": 0}
    }


def test_failed_rollback_is_followed_by_a_restore_where_that_was_wanted(
    snapshot_of, present, record_of, query
):
    run = record_of("by_itself")
    assert (run["playbook"], run["outcome"], run["failed_step"]) == ("deploy", "restored", "verify")
    assert "the prices went missing after COMMIT" in run["reason"]
    assert "the rollback fails in production" in run["reason"]
    assert "The backup of this run was put back." in run["reason"]
    ended = [(step["step"], step["status"]) for step in run["steps"]]
    assert ended[-5:] == [
        ("emergency_backup", "ok"),
        ("emergency_rollback", "failed"),
        ("restore", "ok"),
        ("count_rows", "ok"),
        ("swap", "ok"),
    ]
    before, after = snapshot_of("shop_before"), present("shop_by_itself")
    assert (after["schema"], after["tables"]) == (before["schema"], before["tables"])


def test_without_consent_a_failed_rollback_is_left_to_people(record_of):
    run = record_of("deploy_002")
    assert (run["outcome"], run["restore"]) == ("failed", None)
