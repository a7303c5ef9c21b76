# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""File names, headers and wanted migrations with hostile names are taken as they are, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.pgops.runbook.plugins.module_utils.errors import RunbookError
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from benchmarks.fault_stories.names import names

SEED, MANY = 1126, 500


def folder(root: Path, stem: str, text: str = "CREATE TABLE t ();\n") -> Path:
    for name in ("migrations", "rollback"):
        (root / name).mkdir(parents=True)
    (root / "migrations" / f"002_{stem}.sql").write_text(text, encoding="utf-8", newline="")
    (root / "rollback" / f"002_{stem}_rollback.sql").write_text("DROP TABLE t;\n", encoding="utf-8")
    return root


def said(root: Path, wanted: str = "002") -> str:
    """Nothing where the migration is there as it was written, or the sentence of a refusal."""
    try:
        library = read_sql_library(root)
        library.find(wanted)
    except RunbookError as error:
        return f"{error.code}: {error.reason}"
    return ""


def test_file_names(tmp_path: Path) -> None:
    answers: dict[str, str] = {}
    for number, name in enumerate(names(SEED, MANY)):
        try:
            root = folder(tmp_path / str(number), name)
        except (OSError, ValueError):
            continue  # no disk has such a name
        answers[name] = said(root)
    assert len(answers) > MANY * 0.7
    refused = {name: reason for name, reason in answers.items() if reason}
    assert all("cannot be used" in reason for reason in refused.values()), refused
    plain = [name for name in answers if name.isascii() and name.isalnum()]
    assert plain
    assert all(answers[name] == "" for name in plain)


def test_headers(tmp_path: Path) -> None:
    for number, name in enumerate(names(SEED, MANY)):
        text = f"-- Description: {name}\n-- Requires: {name}\nCREATE TABLE t ();\n"
        reason = said(folder(tmp_path / str(number), "author", text))
        assert reason == "" or len(reason) > 40, (name, reason)


def test_wanted_migrations(tmp_path: Path) -> None:
    root = folder(tmp_path / "sql", "author")
    assert said(root) == ""
    for name in names(SEED, MANY):
        assert said(root, name) or name in ("2", "02", "002"), name
