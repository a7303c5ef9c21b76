# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A database that was migrated without records is not touched until it is adopted; then it is as any other."""

from __future__ import annotations

import pytest

IN_PLACE = ["001", "002", "003", "006", "007", "008"]


@pytest.mark.parametrize("name", ["not_adopted", "pending_not_adopted"])
def test_deployment_before_adoption_is_refused(name, record_of):
    run = record_of(name)
    assert (run["outcome"], run["failed_step"]) == ("refused", "preflight")
    assert "does not record" in run["reason"]
    assert "playbooks/status.yml -e adopt=true" in run["reason"]
    assert "002" in run["reason"]
    assert "003" not in run["reason"]


def test_refusal_changed_nothing(snapshot_of):
    assert snapshot_of("refused") == snapshot_of("unrecorded")


def test_adoption_records_exactly_what_is_in_place(snapshot_of, query):
    table = snapshot_of("adopted")["tables"]["public.schema_migrations"]
    assert sorted(row[table["columns"].index("version")] for row in table["rows"]) == IN_PLACE
    receipts = query("midi_library", "SELECT migration FROM runbook.receipt WHERE step = 'adopt' ORDER BY 1")
    assert [version for (version,) in receipts] == ["002", "006", "007", "008"]


def test_adoption_changed_nothing_else(snapshot_of):
    unrecorded, adopted = snapshot_of("unrecorded"), snapshot_of("adopted")
    assert adopted["schema"] == unrecorded["schema"]
    for snapshot in (unrecorded, adopted):
        del snapshot["tables"]["public.schema_migrations"]
        del snapshot["sequences"]["public.schema_migrations_id_seq"]
    assert adopted["tables"] == unrecorded["tables"]
    assert adopted["sequences"] == unrecorded["sequences"]


def test_next_migration_can_be_deployed(record_of, query):
    run = record_of("after_adoption")
    assert (run["outcome"], run["migrations"]) == ("deployed", ["009"])
    assert query("midi_library", "SELECT version FROM schema_migrations ORDER BY version") == [
        (version,) for version in [*IN_PLACE, "009"]
    ]
    assert query("midi_library", "SELECT count(*) FROM get_text_metadata_stats()") == [(7,)]
