# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deploys that fail on the way: refused before production is touched, unchanged when it was tried."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from tests.integration.stories.application import Application


def check_production_untouched(application: Application, before: list) -> None:
    assert application.contents(ledger=False) == before, "schema, rows, and no copy on the server"


@pytest.mark.parametrize(
    ("migration", "code", "reason"),
    [
        (
            "013",
            "statement_failed",
            r"Migration 013 fails on the copy: migrations/013_fails\.sql line 3: check constraint .* is violated"
            r".*Production was not touched\.",
        ),
        (
            "015",
            "rehearsal_rollback_schema_differs",
            r"'rollback tested on a copy': the rollback of 015 does not give back the schema:"
            r" .*public\.forgotten: was not there before",
        ),
    ],
)
def test_what_fails_on_the_copy_is_refused(
    application: Application, migration: str, code: str, reason: str
) -> None:
    before = application.contents(ledger=False)
    run = application.deploy(migration)
    assert run.status != 0
    assert (run.record["outcome"], run.record["failed_step"]) == ("refused", "rehearse")
    assert run.record["reason_code"] == code
    assert re.search(reason, run.record["reason"]), run.record["reason"]
    assert "Traceback" not in run.output
    check_production_untouched(application, before)
    assert "apply" not in [step["step"] for step in run.record["steps"]]


def test_rows_that_a_rollback_does_not_give_back_are_named_in_the_record(application: Application) -> None:
    before = application.contents(ledger=False)
    run = application.deploy("018")
    assert run.status != 0
    assert run.record["reason_code"] == "rehearsal_rollback_data_differs"
    assert ": 1 row changed in body, (id) = (2). Correct" in run.record["reason"], run.record["reason"]
    failed = next(step for step in run.record["steps"] if step["step"] == "rehearse")
    (found,) = failed["details"]["rows"]
    assert (found["table"], found["as_expected"]) == ("public.notes", True)
    assert found["keys"] == [{"key": "(2)", "problem": "changed", "columns": ["body"]}]
    assert "zweite" not in run.output.lower(), "no value but that of the key is told"
    check_production_untouched(application, before)


def killed_program(folder: Path, bindir: str, name: str) -> str:
    """A folder of client programs in which one is killed, once started, as the kernel does when memory ends."""
    folder.mkdir()
    for program in ("pg_dump", "pg_restore"):
        real = Path(bindir, program)
        (folder / program).symlink_to(real)
    (folder / name).unlink()
    (folder / name).write_text(
        "#!/bin/sh\n"
        f"[ \"$1\" = --version ] && exec '{bindir}/{name}' --version\n"
        f"'{bindir}/{name}' \"$@\" & child=$!\n"
        "kill -STOP $child; kill -KILL $child; wait $child 2>/dev/null\n"
        "kill -KILL $$\n",
        encoding="utf-8",
    )
    (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(("program", "step"), [("pg_dump", "backup"), ("pg_restore", "verify_restore")])
def test_a_killed_client_program_is_refused(
    application: Application, tmp_path: Path, program: str, step: str
) -> None:
    before = application.contents(ledger=False)
    bindir = killed_program(tmp_path / "bin", application.server.bindir, program)
    run = application.deploy("002", pg_bindir=bindir)
    assert run.status != 0
    assert (run.record["outcome"], run.record["failed_step"]) == ("refused", step)
    assert run.record["reason_code"] == "client_program_failed"
    assert re.findall(r"^(\w+): 002 on ", run.output, re.MULTILINE) == ["refused"], run.output
    assert re.search(rf"{program} was killed by signal 9", run.record["reason"]), run.record["reason"]
    assert "Traceback" not in run.output
    check_production_untouched(application, before)


def test_no_lock_in_production_leaves_it_unchanged(application: Application) -> None:
    before = application.contents(ledger=False)
    with contextlib.closing(application.server.connect(application.databases[0])) as reader:
        with reader.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM notes")
        run = application.deploy("002", lock_timeout_seconds=0.6, lock_attempts=2, lock_pause_seconds=0.1)
        assert run.status != 0
        assert (run.record["outcome"], run.record["failed_step"]) == ("unchanged", "apply")
        assert run.record["reason_code"] == "lock_not_available"
        assert "No lock after 2 attempts of 0.6 s each" in run.record["reason"]
        assert f"pid {reader.info.backend_pid} " in run.record["reason"], "who blocks is named"
        assert "SELECT count(*) FROM notes" in run.record["reason"]
    check_production_untouched(application, before)
    (folder,) = application.backups.iterdir()
    assert not (folder / "emergency_backup").exists(), "nothing was committed, so nothing is backed up again"
