# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Favorites and tags that people made are gone with the rollback, and there again with the next deploy."""

from __future__ import annotations

import csv
import json
import re
import stat

import pytest

GONE = "/users/gone.mid"


@pytest.fixture
def said(scenario_state):
    """Return a function that gives what a run has said, however it was wrapped."""
    return lambda name: " ".join((scenario_state / "output" / name).read_text().split())


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


REASON = "its parent in public.files is gone"


def test_the_one_that_could_not_go_back_is_kept_with_the_reason(scenario_state, said):
    assert json.loads((scenario_state / "output" / "kept.json").read_text()) == [REASON]
    assert f"1 of them held back (1: {REASON})" in said("list_left")


def test_the_list_names_what_was_kept(said):
    for table in ("favorites", "tag_categories"):
        line = rf"item \d+, run \S+, migration \S+ \d+ rows? of public\.{table} \(dropped table"
        assert re.search(line, said("list"))


def test_an_export_as_csv_has_every_row(scenario_state, snapshot_of):
    used = snapshot_of("used")["tables"]["public.favorites"]
    with (scenario_state / "favorites.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == used["columns"]
    assert sorted(rows) == sorted([value or "" for value in row] for row in used["rows"])


def test_an_export_as_statements_makes_the_rows_again(scenario_state, snapshot_of, query, server):
    """In a database that has nothing but the tables."""
    used = snapshot_of("used")["tables"]
    query("postgres", "CREATE DATABASE exported")
    try:
        query("exported", "CREATE TABLE favorites (id int, file_id bigint, created_at timestamptz)")
        query("exported", "CREATE TABLE tags (id int PRIMARY KEY)")
        columns = [name for name in used["public.tags"]["columns"] if name != "id"]
        for column in columns:
            query("exported", f"ALTER TABLE tags ADD COLUMN {column} text")
        place = used["public.tags"]["columns"].index("id")
        for row in used["public.tags"]["rows"]:
            query("exported", "INSERT INTO tags (id) VALUES (%s)", (row[place],))
        query(
            "exported", (scenario_state / "favorites.sql").read_text(encoding="utf-8").replace("%", "%%"), ()
        )
        query("exported", (scenario_state / "tags.sql").read_text(encoding="utf-8").replace("%", "%%"), ())
        favorites = query("exported", "SELECT id::text, file_id::text, created_at::text FROM favorites")
        assert sorted(map(list, favorites), key=str) == sorted(used["public.favorites"]["rows"], key=str)
        changed = used["public.tags"]["columns"].index("detection_method")
        found = query("exported", "SELECT detection_method FROM tags WHERE detection_method LIKE '%way%'")
        assert found == [('my own "way"',)]
        assert ('my own "way"') in [row[changed] for row in used["public.tags"]["rows"]]
    finally:
        query("postgres", "DROP DATABASE exported WITH (FORCE)")


def test_exports_can_be_read_by_their_owner_only_and_write_over_nothing(scenario_state, said, server):
    for name in ("favorites.csv", "favorites.sql", "tags.sql"):
        assert stat.S_IMODE((scenario_state / name).stat().st_mode) == 0o600
    assert "exists, and an export never overwrites a file" in said("export_over")
    assert server.host in (scenario_state / "server.json").read_text()


def test_a_purge_names_what_would_go_and_then_takes_just_that(said, query, record_of):
    for name in ("purge_unconfirmed", "purge_wrong"):
        assert "Nothing was purged. 1 rows would be deleted for good" in said(name)
        assert "1 rows of public.favorites (dropped table, migration 003" in said(name)
    assert "salvage_confirm=1-00000000 does not confirm what would be deleted now" in said("purge_wrong")
    assert "Purged 1 row:" in said("purge")
    assert query("midi_library", "SELECT count(*) FROM runbook_salvage.kept_row") == [(0,)]
    ((outcome, reason),) = query(
        "midi_library", "SELECT outcome, reason FROM runbook.run ORDER BY started DESC LIMIT 1"
    )
    assert outcome == "salvage purged"
    assert reason.startswith("purged 1 rows of items ")


def test_the_records_say_so(record_of):
    kept = record_of("rollback_003")["salvage"]
    assert [(item["migration"], item["kind"], item["table"]) for item in kept] == [
        ("003", "dropped table", "public.favorites"),
        ("003", "sequence", "public.favorites_id_seq"),
    ]
    assert {item["kind"] for item in record_of("rollback_007")["salvage"]} >= {
        "dropped table",
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
