# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each measurement of the proof misses its bar when what it measures is blind, and says what was not found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles
from ansible_collections.pgops.runbook.plugins.module_utils.backup.snapshot import back_up
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import difference
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import content_fingerprint
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction

from benchmarks import (
    proof,
    proof_of_backup_under_load,
    proof_of_damage_detection,
    proof_of_data_fingerprint,
    proof_of_library_rollback,
    proof_of_restore_under_writes,
    proof_of_rollback_mutations,
    proof_of_rollback_safeguards,
    proof_of_schema_fingerprint,
    proof_of_verify_scripts,
)
from benchmarks.measurement import Measurement, table
from benchmarks.rollback_faults import LibraryUnderTest
from demo.local_server import LocalServer
from tests.integration.sql.midi_library import script


def silent(text: str) -> None:
    pass


def missed(measurement: Measurement) -> str:
    """The table, after a look at that it says so."""
    assert not measurement.passed
    shown = table([measurement])
    assert "NO" in shown
    return shown


@pytest.mark.parametrize("verdict", [True, False])
def test_a_catalog_that_always_says_the_same_disagrees_with_pg_dump(
    server: LocalServer, verdict: bool
) -> None:
    found = proof_of_schema_fingerprint.measure(server, 12, Random(2), silent, compare=lambda *_: verdict)
    assert f"only {'the catalog' if verdict else 'pg_dump'} sees a difference" in missed(found)
    assert found.found > 0


def without_the_last_column(cursor: Any) -> Any:
    everything = content_fingerprint(cursor)
    columns = {name: facts["columns"][:-1] for name, facts in everything["tables"].items()}
    return content_fingerprint(cursor, only_columns=columns)


def test_a_fingerprint_that_ignores_a_column_misses_changes(server: LocalServer) -> None:
    found = proof_of_data_fingerprint.measure(
        server, 50, Random(1), silent, fingerprint=without_the_last_column
    )
    assert "found []" in missed(found)
    assert 0 < found.found < found.tried == 50


def test_a_fingerprint_that_differs_by_itself_does_not_count(server: LocalServer) -> None:
    never_twice = iter(range(1000))

    def restless(cursor: Any) -> Any:
        changed = content_fingerprint(cursor)
        changed["tables"]["public.plain"]["digest"] = str(next(never_twice))
        return changed

    found = proof_of_data_fingerprint.measure(server, 10, Random(1), silent, fingerprint=restless)
    assert "1 times the fingerprint was another one after all changes were taken back" in missed(found)


def only_the_manifest(files: BackupFiles, digest: str) -> object:
    try:
        return json.loads(Path(files.manifest_path).read_bytes())
    except ValueError as error:
        raise StepFailed("backup_damaged", str(error)) from None


def test_a_check_of_the_manifest_alone_misses_bits(server: LocalServer) -> None:
    found = proof_of_damage_detection.measure(server, 20, Random(1), silent, check=only_the_manifest)
    assert "of toc.dat" in missed(found) or ".dat.gz" in missed(found)
    assert found.found < 20


def test_a_check_that_calls_a_sound_backup_damaged_does_not_count(server: LocalServer) -> None:
    calls = []

    def suspicious(files: Any, digest: Any) -> None:
        calls.append(digest)
        if len(calls) > 1:
            raise StepFailed("backup_damaged", "damaged")

    found = proof_of_damage_detection.measure(server, 5, Random(1), silent, check=suspicious)
    assert found.found == 5
    assert "the backup without damage is refused" in missed(found)


def fingerprint_of_another_snapshot(connection: Any, target: Any, files: Any, bindir: Any) -> dict[Any, Any]:
    manifest = back_up(connection, target, files, bindir=bindir)
    with transaction(connection) as cursor:
        return {**manifest, "content": content_fingerprint(cursor)}


def test_a_fingerprint_of_another_snapshot_than_the_dump_is_found_under_load(server: LocalServer) -> None:
    found = proof_of_backup_under_load.measure(
        server, 1, Random(1), silent, make_backup=fingerprint_of_another_snapshot
    )
    assert "rows of the restored backup are not those of production: public.files" in missed(found)


def test_a_backup_beside_slow_writers_does_not_count(server: LocalServer) -> None:
    found = proof_of_backup_under_load.measure(server, 1, Random(1), silent, writers=1, pause=0.1)
    assert "do not count: the writers were slower" in missed(found)
    assert (found.tried, found.found) == (0, 0)


@pytest.fixture
def library(server: LocalServer) -> Iterator[Any]:
    made = LibraryUnderTest(server, ["002_add_parent_folder"])
    yield made
    made.databases.drop_all()


def planted(old: str, new: str) -> Any:
    def faults(stem: str) -> list[Any]:
        text = script("rollback", stem)
        assert old in text
        return [("planted", text.replace(old, new))]

    return faults


def NONE(stem: str) -> list[Any]:
    return [("sound", script("rollback", stem))]


def test_a_verify_script_that_looks_at_nothing_misses_all_changes(library: Any) -> None:
    found = proof_of_verify_scripts.measure(
        library, 0.5, Random(1), silent, verify=lambda stem: "SELECT true"
    )
    assert "002_add_parent_folder: ALTER TABLE files" in missed(found)
    assert found.found == 0


def test_and_the_librarys_own_misses_none(library: Any) -> None:
    found = proof_of_verify_scripts.measure(library, 1.0, Random(1), silent)
    assert found.passed, table([found])


FORGOTTEN = planted("ALTER TABLE files DROP COLUMN parent_folder;", "")
CASCADING = planted("DROP COLUMN parent_folder;", "DROP COLUMN parent_folder CASCADE;")
MOVING = planted(
    "DROP COLUMN parent_folder;", "DROP COLUMN parent_folder; ALTER SEQUENCE files_id_seq RESTART 5000;"
)
BROKEN = planted("DROP COLUMN parent_folder;", "DROP COLUMN parent_folder")


def test_a_rehearsal_that_says_nothing_misses_the_fault(library: Any) -> None:
    found, _ = proof_of_rollback_mutations.measure(
        library, 1, Random(1), silent, FORGOTTEN, NONE, examine=lambda *_: None
    )
    assert "MISSED in 002_add_parent_folder: planted" in missed(found)


def test_a_rehearsal_that_only_names_a_sequence_misses_the_fault(library: Any) -> None:
    found, moving = proof_of_rollback_mutations.measure(
        library, 1, Random(1), silent, FORGOTTEN, NONE, examine=lambda *_: proof_of_rollback_mutations.NAMED
    )
    assert (found.tried, found.found, moving.tried) == (1, 0, 0)
    assert "MISSED in 002_add_parent_folder: planted: only named" in missed(found)


def test_a_fault_that_only_moves_a_sequence_is_counted_apart(library: Any) -> None:
    found, moving = proof_of_rollback_mutations.measure(library, 1, Random(1), silent, MOVING, NONE)
    assert (found.tried, found.found) == (0, 0)
    assert (moving.tried, moving.found) == (1, 1)
    assert moving.passed
    assert moving.notes == ["1 named in the rehearsal's evidence (sequences_moved)"]
    _, blind = proof_of_rollback_mutations.measure(
        library, 1, Random(1), silent, MOVING, NONE, examine=lambda *_: None
    )
    assert "MISSED in 002_add_parent_folder: planted" in missed(blind)


def test_a_rehearsal_that_refuses_everything_does_not_count(library: Any) -> None:
    found, _ = proof_of_rollback_mutations.measure(
        library, 1, Random(1), silent, FORGOTTEN, NONE, examine=lambda *_: "no"
    )
    assert found.found == 1
    assert "the sound rollback of 002_add_parent_folder is not accepted" in missed(found)


def test_the_rehearsal_itself_finds_it(library: Any) -> None:
    found, _ = proof_of_rollback_mutations.measure(library, 1, Random(1), silent, FORGOTTEN, NONE)
    assert found.passed
    assert "1 refused by the rehearsal" in found.notes


def test_a_script_that_does_not_parse_is_refused_before(library: Any) -> None:
    found, _ = proof_of_rollback_mutations.measure(
        library, 1, Random(1), silent, BROKEN, NONE, examine=lambda *_: None
    )
    assert (found.tried, found.found) == (1, 1)
    assert "1 refused by the parser, in preflight" in found.notes


def test_a_safeguard_is_made_up_for_by_the_comparison_and_by_nothing_else(library: Any) -> None:
    found = proof_of_rollback_safeguards.measure(library, 1, Random(1), silent, CASCADING)
    assert found.passed
    assert "1 refused by preflight, or stopped by the comparison before COMMIT" in found.notes
    blind = proof_of_rollback_safeguards.measure(
        library, 1, Random(1), silent, CASCADING, compare=lambda first, _: difference(first, first)
    )
    assert "MISSED in 002_add_parent_folder: planted" in missed(blind)


def test_a_miss_that_is_known_is_a_miss_all_the_same(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(proof_of_rollback_safeguards.BEYOND, ("002", "planted"), "nobody knows")
    found = proof_of_rollback_safeguards.measure(
        library, 1, Random(1), silent, CASCADING, compare=lambda first, _: difference(first, first)
    )
    assert (found.tried, found.found, found.bar) == (1, 0, 1)
    assert "MISSED in 002_add_parent_folder: planted: nobody knows" in missed(found)


def test_the_exit_status_and_the_table_tell_of_a_missed_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def short_of_one(server: LocalServer, sizes: Any, chance: Any, say: Any) -> Any:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return Measurement("things", 3, 2, 3, notes=["one is missing"])

    def broken(server: LocalServer, sizes: Any, chance: Any, say: Any) -> None:
        raise ValueError("no such thing")

    monkeypatch.setitem(proof.MEASUREMENTS, "pairs", short_of_one)
    monkeypatch.setitem(proof.MEASUREMENTS, "bits", broken)
    assert proof.main(["--only", "pairs", "bits", "--seed", "7"]) == 1
    shown = capsys.readouterr().out
    assert "Seed 7" in shown
    assert "things      3      2    3      NO" in shown
    assert "ended with an error: no such thing" in shown


def test_a_restore_that_leaves_the_rows_since_behind_is_found(server: LocalServer) -> None:
    found = proof_of_restore_under_writes.measure(
        server, 1, Random(1), silent, carry_over=False, writers=1, pause=0.02, files=50
    )
    assert "is missing or old" in missed(found)
    assert 0 < found.found < found.tried


def test_a_library_whose_salvage_is_left_behind_is_found(server: LocalServer) -> None:
    found = proof_of_library_rollback.measure(
        server, 50, print, restore_salvage=False, stems=("001_initial_schema", "002_add_parent_folder")
    )
    assert (found.passed, found.found) == (False, 0)
    assert any("rows are missing or changed" in note for note in found.notes)
