# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A whole check: what it returns, when it fails, and what it has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.checking import (
    OPTIONS,
    check,
    with_rehearsal,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.look import Look
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.rehearsed import (
    NOT_BEFORE,
    stands_in_the_way,
)

from tests.unit.check.folders import SOUND, seen, write

BROKEN = {**SOUND, "migrations/001_notes.sql": "SELEC 1;\n"}
WARNED = {**SOUND, "migrations/001_notes.sql": "DROP TABLE notes;\n"}


def checked(folder: Path, writes: bool = True, **options: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in OPTIONS.items()}
    return check({**defaults, "sql_dir": str(folder), **options}, writes)


@pytest.mark.parametrize(
    ("files", "fail_on", "fails"),
    [
        (SOUND, "warning", False),
        (WARNED, "error", False),
        (WARNED, "warning", True),
        (BROKEN, "error", True),
        (BROKEN, "warning", True),
    ],
)
def test_what_fails_it(tmp_path: Path, files: dict[str, str], fail_on: str, fails: bool) -> None:
    result = checked(write(tmp_path / "sql", files), fail_on=fail_on, output_dir=str(tmp_path / "out"))
    assert bool(result.get("failed")) is fails
    assert result.get("reason_code") == ("check_found_faults" if fails else None)
    assert result["changed"] is False
    assert len(result["files"]) == 3
    if fails:
        assert result["msg"].splitlines() == result["report"]


def test_a_baseline_is_changed_once(tmp_path: Path) -> None:
    folder, path = write(tmp_path / "sql", BROKEN), tmp_path / "b.json"
    options = {"baseline": str(path), "write_baseline": True}
    foreseen = checked(folder, writes=False, **options)
    assert (foreseen["changed"], path.exists()) == (True, False)
    assert f"The baseline would be written: {path}" in foreseen["report"]
    first, second = checked(folder, **options), checked(folder, **options)
    assert [one["changed"] for one in (first, second)] == [True, False]
    assert first["outputs"] == {**second["outputs"], "accepted": 1, "errors": 0}
    (folder / "migrations/001_notes.sql").write_text("CREATE TABLE notes (id bigint);\n")
    later = checked(folder, baseline=str(path))
    assert later["outputs"]["stale"] == [
        {"rule": "script_syntax_error", "file": "migrations/001_notes.sql", "text": "SELEC 1;"}
    ]
    assert not later.get("failed"), "an entry too many is told, and fails nothing"


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    checked(write(tmp_path / "sql", SOUND), writes=False, output_dir=str(tmp_path / "out"), rehearse=True)
    assert [path.name for path in tmp_path.iterdir()] == ["sql"]


def test_a_baseline_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="check_baseline names no file") as refused:
        checked(write(tmp_path, SOUND), write_baseline=True)
    assert refused.value.code == "setting_invalid"


def test_what_stands_in_the_way_of_trying(tmp_path: Path) -> None:
    assert stands_in_the_way(seen(write(tmp_path / "a", BROKEN)))
    assert not stands_in_the_way(seen(write(tmp_path / "b", {**WARNED, "verify/9.sql": "SELECT 1;\n"})))
    broken = Look("plain", 1, seen(tmp_path / "a"))
    assert with_rehearsal(broken, {}).notes == (NOT_BEFORE,)


def test_the_result_is_of_plain_values(tmp_path: Path) -> None:
    json.dumps(checked(write(tmp_path, BROKEN)))
