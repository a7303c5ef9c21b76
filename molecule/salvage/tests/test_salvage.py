# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Favorites and tags that people made are gone with the rollback, and there again with the next deploy."""

from __future__ import annotations

import json

GONE = "/users/gone.mid"


def lines(snapshot: dict, table: str) -> list[str]:
    content = snapshot["tables"][table]
    return sorted(json.dumps(row) for row in content["rows"])


def test_the_rollbacks_took_the_tables(snapshot_of):
    used, without = snapshot_of("used"), snapshot_of("without")
    assert {"public.favorites", "public.tag_categories"} <= used["tables"].keys() - without["tables"].keys()
    assert "priority" not in without["tables"]["public.tags"]["columns"]


def test_every_row_is_there_again_but_the_favorite_of_a_deleted_file(snapshot_of, present):
    used, now = snapshot_of("used"), present("midi_library")
    assert used["tables"].keys() == now["tables"].keys()
    for table in used["tables"].keys() - {"public.schema_migrations", "public.files", "public.favorites"}:
        assert sorted(used["tables"][table]["columns"]) == sorted(now["tables"][table]["columns"])
        assert lines(now, table) == lines(used, table), table
    missing = set(lines(used, "public.favorites")) - set(lines(now, "public.favorites"))
    assert len(missing) == 1
    assert len(lines(now, "public.favorites")) == len(lines(used, "public.favorites")) - 1


def test_the_one_that_could_not_go_back_is_kept_with_the_reason(query):
    assert query("midi_library", "SELECT held_back FROM runbook_salvage.kept_row") == [
        ("its parent in public.files is gone",)
    ]


def test_the_records_say_so(record_of):
    kept = record_of("rollback_003")["salvage"]
    assert [(item["migration"], item["kind"], item["table"]) for item in kept] == [
        ("003", "dropped table", "public.favorites"),
        ("003", "sequence", "public.favorites_id_seq"),
    ]
    assert {item["kind"] for item in record_of("rollback_007")["salvage"]} >= {
        "dropped table",
        "dropped columns",
        "changed rows",
    }
    (favorites,) = [
        item for item in record_of("deploy_again")["salvage_returned"] if item["table"] == "public.favorites"
    ]
    assert favorites["returned"] == kept[0]["rows"] - 1
    assert favorites["reasons"] == {"its parent in public.files is gone": 1}


def test_sequences_go_on_above_what_came_back(query):
    ((highest, following),) = query(
        "midi_library", "SELECT max(id), nextval('favorites_id_seq') FROM favorites"
    )
    assert following > highest
