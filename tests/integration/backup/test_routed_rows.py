# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A table partitioned BY HASH of an enum: proven, deployed and put back, in whichever partitions its rows are."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles
from ansible_collections.pgops.runbook.plugins.module_utils.backup.proof import compare_with_backup
from ansible_collections.pgops.runbook.plugins.module_utils.backup.snapshot import back_up
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed

from demo.local_server import LocalServer
from tests.integration.backup.proving import restore_and_compare
from tests.integration.restore_runs import Restore, drop_what_restores_left
from tests.integration.step_runs import StepRuns, target

LABELS = [f"label {number}" for number in range(24)]

# Which label goes where depends on numbers that each database gives anew; of so many, some go elsewhere.
HASHED = (
    f"CREATE TYPE mood AS ENUM ({', '.join(repr(label) for label in LABELS)})",
    "CREATE TABLE felt (id int, m {type}, note int REFERENCES notes, PRIMARY KEY (id, m)) PARTITION BY HASH (m)",
    *(
        f"CREATE TABLE felt_{n} PARTITION OF felt FOR VALUES WITH (MODULUS 4, REMAINDER {n})"
        for n in range(4)
    ),
    "INSERT INTO felt SELECT n, ({value})::{type}, 1 + n % 3 FROM generate_series(0, 95) n",
)
PLACES = "SELECT id, tableoid::regclass::text FROM felt ORDER BY 1"


def hashed(runs: StepRuns, kind: str = "mood") -> StepRuns:
    label = f"(enum_range(NULL::mood))[1 + n % {len(LABELS)}]"
    value = label if kind == "mood" else f"ARRAY[{label}]"
    runs.execute(*(one.replace("{type}", kind).replace("{value}", value) for one in HASHED))
    return runs


def copy_of(runs: StepRuns) -> StepRuns:
    name = CopyDatabase(target(runs.server, runs.database), runs.run_id).name
    return StepRuns(runs.server, name, runs.folder)


@pytest.mark.parametrize("kind", ["mood", "mood[]"])
def test_it_is_proven_and_deployed_wherever_its_rows_went(runs: StepRuns, kind: str) -> None:
    hashed(runs, kind)
    runs.write(
        migrations__002_author="ALTER TABLE felt ADD COLUMN x int; UPDATE felt SET x = id WHERE id < 30;"
        " DELETE FROM notes WHERE id > 1000;",
        rollback__002_author_rollback="ALTER TABLE felt DROP COLUMN x;",
    )
    proof = runs.up_to("verify_restore")["outputs"]
    assert (proof["data_equal"], proof["rows"]) == (True, 100)
    assert copy_of(runs).ask(PLACES) != runs.ask(PLACES), (
        "the test means something only where rows went elsewhere"
    )
    runs.steps("rehearse", "apply", "verify", "smoke_test")
    runs.conclude()
    assert runs.ask("SELECT count(*), sum(x) FROM felt WHERE x IS NOT NULL") == [(30, 435)]
    runs.another("emergency_rollback").roll_back()
    assert runs.ask("SELECT count(*) FROM felt") == [(96,)]


def test_rows_of_one_label_are_deleted_on_both_sides(runs: StepRuns) -> None:
    """On the copy another partition loses them, and another one is empty after it."""
    hashed(runs)
    runs.write(
        migrations__002_author="-- Data Loss: COMPLETE\nDELETE FROM felt WHERE m <> 'label 3';",
        rollback__002_author_rollback="CREATE TABLE gone (); DROP TABLE gone;",
    )
    runs.up_to("verify_restore")
    runs.must("rehearse", accept_data_loss=True, accept_empty_rollback=True)
    answer = runs.must("apply")
    (done,) = answer["outputs"]["migrations"]
    assert done["impact"]["rows"]["public.felt"]["deleted"] == 92
    assert not [name for name in done["impact"]["rows"] if "felt_" in name]


def test_a_restore_brings_it_back(runs: StepRuns, admin: StepRuns) -> None:
    hashed(runs)
    before = runs.ask("SELECT id, m::text, note FROM felt ORDER BY 1")
    runs.up_to("verify_restore")
    runs.conclude("failed")
    runs.execute("DELETE FROM felt WHERE id > 10")
    try:
        restore = Restore(runs)
        restore.steps("preflight", "restore")
        rows = restore.steps("count_rows")["outputs"]["rows"]
        assert rows["tables"] == {"public.felt": {"added": 0, "changed": 0, "deleted": 85}}
        restore.steps("maintenance_window", "swap")
        assert runs.ask("SELECT id, m::text, note FROM felt ORDER BY 1") == before
    finally:
        drop_what_restores_left(admin, runs.database)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("DELETE FROM public.felt WHERE id = 7", "public.felt: 1 rows fewer"),
        ("UPDATE public.felt SET note = 3 WHERE id = 0", "public.felt: as many rows, with other values"),
        ("UPDATE public.felt SET m = 'label 4' WHERE id = 3", "public.felt: as many rows, with other values"),
    ],
)
def test_a_row_that_differs_is_seen(
    runs: StepRuns, server: LocalServer, tmp_path: Path, fault: str, problem: str
) -> None:
    hashed(runs)
    where = target(server, runs.database)
    files, copy = BackupFiles(str(tmp_path / "b"), "run"), CopyDatabase(where, f"routed-{runs.database}")
    with contextlib.closing(server.connect(runs.database)) as connection:
        manifest: Any = back_up(connection, where, files, bindir=server.bindir)
    assert manifest["by_root"] == ["public.felt"]
    try:
        restore_and_compare(files, manifest, copy, bindir=server.bindir)
        with contextlib.closing(copy.connect()) as there, there.cursor() as cursor:
            cursor.execute(fault)
            with pytest.raises(StepFailed, match=problem):
                compare_with_backup(there, manifest)
    finally:
        copy.drop()
