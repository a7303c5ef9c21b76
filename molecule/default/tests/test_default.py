# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""009 is deployed on a library with rows, proven, recorded, and at work."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest

STEPS = [
    "preflight",
    "maintenance_window",
    "backup",
    "verify_restore",
    "rehearse",
    "apply",
    "verify",
    "smoke_test",
]
NEW_COLUMNS = ["track_names", "copyright", "instrument_names_text", "markers", "lyrics"]


@pytest.fixture
def runs(scenario_state) -> list[dict]:
    """Return the records of both runs, oldest first; run ids sort by time."""
    paths = sorted((scenario_state / "artifacts").glob("2*/run.json"))
    return [json.loads(path.read_text()) for path in paths]


def test_first_run_deployed_009_step_by_step(runs):
    run = runs[0]
    assert (run["playbook"], run["database"], run["migrations"]) == ("deploy", "midi_library", ["009"])
    assert (run["outcome"], run["failed_step"], run["reason"]) == ("deployed", None, None)
    assert [step["step"] for step in run["steps"]] == STEPS
    for step in run["steps"]:
        assert step["status"] == "ok", step
        assert re.fullmatch("[0-9a-f]{64}", step["receipt"]), step
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", step["started"]), step
        assert step["seconds"] > 0, step


def test_receipts_of_the_record_are_in_the_ledger(runs, query):
    ledger = query(
        "midi_library",
        "SELECT step, status, digest FROM runbook.receipt WHERE migration IS NULL ORDER BY position",
    )
    without_apply = [
        (step["step"], "ok", step["receipt"]) for step in runs[0]["steps"] if step["step"] != "apply"
    ]
    assert ledger == without_apply
    apply = runs[0]["steps"][STEPS.index("apply")]["receipt"]
    assert query(
        "midi_library", "SELECT step, migration FROM runbook.receipt WHERE digest = %s", (apply,)
    ) == [("apply", "009")]


def test_rollback_was_proven_before_production_changed(runs, query):
    assert runs[0]["proof"]["schema_restored"] is True
    assert runs[0]["proof"]["data_restored"] is True
    [(document,)] = query("midi_library", "SELECT document FROM runbook.receipt WHERE step = 'rehearse'")
    [evidence] = json.loads(document)["outputs"]["migrations"]
    [(rows,)] = query("midi_library", "SELECT count(*) FROM files")
    assert evidence["rows_compared"] > rows == 100


def test_second_run_had_nothing_to_do(runs):
    assert len(runs) == 2
    assert (runs[1]["migrations"], runs[1]["outcome"]) == ([], "deployed")
    assert [step["step"] for step in runs[1]["steps"]] == ["preflight"]


def test_latest_points_to_the_newest_run(host, scenario_state, runs):
    latest = host.file(str(scenario_state / "artifacts" / "latest"))
    assert latest.is_symlink
    assert Path(latest.linked_to).name == runs[1]["run_id"] > runs[0]["run_id"]


def test_backup_can_be_listed_and_holds_the_library(host, server, scenario_state, runs):
    [dump] = (scenario_state / "backups" / runs[0]["run_id"]).glob("backup/dump")
    listed = host.run("%s --list %s", f"{server.bindir}/pg_restore", str(dump))
    assert listed.rc == 0
    assert "TABLE DATA public files" in listed.stdout


def test_state_file_is_private(host, scenario_state):
    assert host.file(str(scenario_state / "server.json")).mode == 0o600


def test_version_is_recorded(query):
    versions = query("midi_library", "SELECT version FROM schema_migrations ORDER BY version")
    assert [version for (version,) in versions] == ["001", "002", "003", "006", "007", "008", "009"]


def test_columns_indexes_and_view_are_there(query):
    columns = query(
        "midi_library",
        "SELECT attname FROM pg_attribute WHERE attrelid = 'files'::regclass AND NOT attisdropped ORDER BY attnum",
    )
    assert [name for (name,) in columns][-5:] == NEW_COLUMNS
    indexes = query(
        "midi_library",
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_attribute a"
        " ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = 'files'::regclass"
        " AND i.indisvalid AND a.attname = ANY (%s) ORDER BY 1",
        (NEW_COLUMNS,),
    )
    assert [name for (name,) in indexes] == [
        "idx_files_copyright",
        "idx_files_copyright_trgm",
        "idx_files_instrument_names_text",
        "idx_files_markers",
        "idx_files_track_names",
    ]
    assert query("midi_library", "SELECT to_regclass('files_with_text_metadata') IS NOT NULL") == [(True,)]


def test_search_finds_a_file_by_its_texts(library):
    library.autocommit = False
    with contextlib.closing(library), library.cursor() as cursor:  # closing rolls back
        cursor.execute(
            "UPDATE files SET track_names = ARRAY['Bläser'], lyrics = ARRAY['la'], copyright = '© 1999 O''Neil'"
            " WHERE id = (SELECT min(id) FROM files) RETURNING id"
        )
        [(file,)] = cursor.fetchall()
        for arguments in (
            "p_track_name => 'Bläser'",
            "p_copyright_search => 'o''neil'",
            "p_has_lyrics => true",
        ):
            cursor.execute(f"SELECT id FROM search_files_by_text_metadata({arguments})")
            assert cursor.fetchall() == [(file,)], arguments
        cursor.execute("SELECT id FROM search_files_by_text_metadata(p_has_lyrics => false, p_limit => 1000)")
        found = [row[0] for row in cursor.fetchall()]
        assert len(found) == 99
        assert file not in found
        cursor.execute("SELECT count FROM get_text_metadata_stats() WHERE metric = 'Files with Lyrics'")
        assert cursor.fetchall() == [(1,)]


def test_rows_and_sequences_are_as_before(snapshot_of, present):
    before, after = snapshot_of("before"), present("midi_library")
    assert after["tables"].keys() == before["tables"].keys()
    for table, content in before["tables"].items():
        if table == "public.schema_migrations":
            continue
        columns = [after["tables"][table]["columns"].index(column) for column in content["columns"]]
        rows = [[row[column] for column in columns] for row in after["tables"][table]["rows"]]
        assert sorted(rows, key=json.dumps) == content["rows"], table
    del (
        before["sequences"]["public.schema_migrations_id_seq"],
        after["sequences"]["public.schema_migrations_id_seq"],
    )
    assert after["sequences"] == before["sequences"]
