# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What dbmate and Sqitch get of the library's migrations."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.speed.of_migrations import SCRIPTS
from benchmarks.speed.tools import for_dbmate, for_sqitch


def test_dbmate_gets_them_in_their_order_without_their_transactions() -> None:
    files = for_dbmate(SCRIPTS)
    assert list(files) == sorted(files)
    assert [Path(name).name[4:] for name in files] == [script.name for script in SCRIPTS]
    for text in files.values():
        assert text.startswith("-- migrate:up\n")
        assert text.endswith("\n-- migrate:down\n")
        assert not re.search(r"^\s*(BEGIN|COMMIT)\s*;", text, re.MULTILINE)


def test_a_body_of_a_function_keeps_its_begin(tmp_path: Path) -> None:
    script = tmp_path / "001_a.sql"
    script.write_text("BEGIN;\nDO $$\nBEGIN\n  NULL;\nEND;\n$$;\nCOMMIT;\n")
    (text,) = for_dbmate([script]).values()
    assert "$$\nBEGIN\n  NULL;" in text
    assert "BEGIN;" not in text


def test_sqitch_gets_a_plan_that_names_each() -> None:
    files = for_sqitch(SCRIPTS)
    planned = [line.split()[0] for line in files["sqitch.plan"].splitlines()[3:]]
    assert planned == [script.stem for script in SCRIPTS]
    assert all(files[f"deploy/{script.name}"] == script.read_text() for script in SCRIPTS)
