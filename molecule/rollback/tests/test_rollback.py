# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deployed migration goes back without a trace, and what users wrote in the meantime stays."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2 import sql


def rows_in(snapshot: dict, table: str, columns: list[str]) -> list[list]:
    """Return the rows of a table, of these columns only."""
    content = snapshot["tables"][table]
    places = [content["columns"].index(column) for column in columns]
    return sorted(([row[place] for place in places] for row in content["rows"]), key=json.dumps)


def test_schema_is_as_before_the_deployment(snapshot_of, present):
    before, used, after = snapshot_of("before"), snapshot_of("used"), present("midi_library")
    assert used["schema"] != before["schema"]
    assert after["schema"] == before["schema"]


def test_rows_are_those_that_users_left(snapshot_of, present):
    before, used, after = snapshot_of("before"), snapshot_of("used"), present("midi_library")
    assert after["tables"].keys() == before["tables"].keys()
    for table, content in before["tables"].items():
        assert after["tables"][table]["columns"] == content["columns"], table
        if table != "public.schema_migrations":
            assert after["tables"][table]["rows"] == rows_in(used, table, content["columns"]), table
    assert used["tables"]["public.files"]["rows"] != before["tables"]["public.files"]["rows"]


def test_version_table_is_as_before_the_deployment(snapshot_of, present):
    before, after = snapshot_of("before"), present("midi_library")
    assert after["tables"]["public.schema_migrations"] == before["tables"]["public.schema_migrations"]
    # Where users drew no value, the next one is what it was.
    assert (
        after["sequences"]["public.schema_migrations_id_seq"]
        == before["sequences"]["public.schema_migrations_id_seq"]
    )


def test_rows_of_users_are_there(query):
    assert query(
        "midi_library",
        "SELECT filename, file_size_bytes, (SELECT count(*) FROM favorites WHERE file_id = f.id) FROM files f"
        " WHERE filepath LIKE '/users/%%'",
    ) == [("Größe „5“.mid", 4711, 1)]
    assert query("midi_library", "SELECT count(*), max(manufacturer) FILTER (WHERE id = 1) FROM files") == [
        (100, "changed by a user")
    ]


def test_record_says_rolled_back(record_of):
    run = record_of("rollback_009")
    assert (run["playbook"], run["outcome"], run["migrations"]) == (
        "emergency_rollback",
        "rolled_back",
        ["009"],
    )
    assert (run["failed_step"], run["reason"]) == (None, None)
    assert run["proof"]["schema_restored"] is True
    steps = [(step["step"], step["status"]) for step in run["steps"]]
    assert steps == [
        ("preflight", "ok"),
        ("emergency_backup", "ok"),
        ("emergency_rollback", "ok"),
        ("smoke_test", "ok"),
    ]


@pytest.fixture
def restored(server, host, record_of, scenario_state) -> Iterator:
    """Connect to a database in which the emergency backup of the rollback was restored."""
    [dump] = (scenario_state / "backups" / record_of("rollback_009")["run_id"]).glob("emergency_backup/dump")
    name = "restored_by_test"
    with contextlib.closing(server.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            try:
                program = Path(server.bindir, "pg_restore")
                done = host.run(
                    "%s --exit-on-error --host=%s --port=%s --username=%s --dbname=%s %s",
                    *(str(program), server.host, str(server.port), server.user, name, str(dump)),
                )
                assert done.rc == 0, done.stderr
                with contextlib.closing(server.connect(name)) as copy:
                    yield copy
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_emergency_backup_holds_what_the_rollback_took(restored):
    with restored.cursor() as cursor:
        cursor.execute(
            "SELECT filename, track_names, copyright FROM files WHERE copyright = '© users'"
            " UNION ALL SELECT 'lyrics', lyrics, NULL FROM files WHERE id = 1"
        )
        assert cursor.fetchall() == [
            ("Größe „5“.mid", ["Piano", None], "© users"),
            ("lyrics", ["la la"], None),
        ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("under_dependents", ["001", "009, 008, 007, 006, 003, 002", "cascade=true"]),
        ("billing_under_dependents", ["002", "004 depend on it", "cascade=true"]),
        ("script_missing", ["rollback script exists", "003_notes_rollback.sql", "backup"]),
        ("not_applied", ["010", "is not applied"]),
        ("once_more", ["009", "is not applied"]),
    ],
)
def test_refusal_says_why(name, words, record_of):
    run = record_of(name)
    assert (run["outcome"], run["failed_step"]) == ("refused", "preflight")
    for word in words:
        assert word in run["reason"]
    assert [step["step"] for step in run["steps"]] == ["preflight"]


def test_missing_script_names_the_verified_backup(record_of, scenario_state):
    folder = scenario_state / "backups" / record_of("deploy_billing")["run_id"]
    assert str(folder) in record_of("script_missing")["reason"]
    assert folder.is_dir()


def test_refusals_changed_nothing(snapshot_of):
    assert snapshot_of("refused") == snapshot_of("used")
    assert snapshot_of("billing_refused") == snapshot_of("billing_used")


def test_cascade_takes_dependents_first_and_leaves_the_others(record_of, query, snapshot_of, present):
    run = record_of("cascade")
    assert (run["outcome"], run["migrations"]) == ("rolled_back", ["004", "002"])
    assert query("billing", "SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("003",)]
    before, after = snapshot_of("billing_used"), present("billing")
    assert set(before["tables"]) - set(after["tables"]) == {"public.invoices", "public.payments"}
    assert after["tables"]["public.accounts"] == before["tables"]["public.accounts"]
    assert after["tables"]["public.accounts"]["rows"] == [["1", "Łukasz", "pays late"]]
