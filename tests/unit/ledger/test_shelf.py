# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One shelf: the DDL of both schemas is in one file, and SQL on the salvage is in its store."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.schema import (
    COLLECTION_VERSION,
    COMMENTS,
    RELEASES,
)

PLUGINS = Path(__file__).resolve().parents[3] / "collections/ansible_collections/pgops/runbook/plugins"

SALVAGE = re.compile(r"\brunbook_salvage\b")

DDL = re.compile(
    r"\b(CREATE|ALTER|DROP)\s+(SCHEMA|TABLE|INDEX)\s+(IF\s+(NOT\s+)?EXISTS\s+)?runbook(_salvage)?\b", re.I
)

# Where the schema's name may stand besides the store, and what it is there.
NAMED = {
    "module_utils/ledger/schema.py": "the DDL",
    "module_utils/ledger/upgrade.py": "which runs it, and asks whether the schema is there",
    "module_utils/postgres/application_tables.py": "the list of schemas that are not the application's",
    "modules/salvage.py": "documentation",
    "plugin_utils/report/salvage.py": "a sentence of the report",
}


def sources() -> Iterator[tuple[str, str]]:
    for path in sorted(PLUGINS.rglob("*.py")):
        yield path.relative_to(PLUGINS).as_posix(), path.read_text(encoding="utf-8")


def texts(source: str) -> Iterator[str]:
    """The string constants of a file, those of f-strings too, without docstrings."""
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def naming(found: re.Pattern[str]) -> set[str]:
    return {name for name, source in sources() if any(found.search(text) for text in texts(source))}


def test_sql_on_the_salvage_is_in_its_store() -> None:
    outside = {name for name in naming(SALVAGE) if not name.startswith("module_utils/salvage/store/")}
    assert sorted(outside) == sorted(NAMED)


def test_the_name_of_the_salvages_schema_is_imported_only_to_make_it_or_to_leave_it_out() -> None:
    importers = {
        name
        for name, source in sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and "SALVAGE_SCHEMA" in {one.name for one in node.names}
    }
    assert importers <= {"module_utils/ledger/upgrade.py"}


def test_all_ddl_of_both_schemas_is_in_one_file() -> None:
    assert naming(DDL) == {"module_utils/ledger/schema.py"}


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("cursor.execute('SELECT 1 FROM runbook_salvage.kept_row')", True),
        ("cursor.execute(f'DELETE FROM runbook_salvage.{table}')", True),
        ("sql.Identifier('runbook_salvage', 'manifest')", True),
        ("def f():\n    '''Reads runbook_salvage.'''", False),
        ("my_runbook_salvage_folder = '/my_runbook_salvages'", False),
    ],
)
def test_how_a_mention_is_told(source: str, seen: bool) -> None:
    assert any(SALVAGE.search(text) for text in texts(source)) is seen


def test_releases_are_numbered_without_a_gap() -> None:
    assert list(RELEASES) == list(range(1, len(RELEASES) + 1))


def test_comments_are_of_schemas_tables_and_columns_and_are_no_sentences_but_for_schemas() -> None:
    for name, text in COMMENTS.items():
        assert 1 <= name.count(".") + 1 <= 3
        assert text == text.strip()
        assert text.endswith(".") is (name.count(".") == 0), name


def test_the_version_that_a_release_is_signed_with_is_that_of_the_collection() -> None:
    galaxy = yaml.safe_load((PLUGINS.parent / "galaxy.yml").read_text(encoding="utf-8"))
    assert galaxy["version"] == COLLECTION_VERSION


def test_which_schemas_are_the_applications_is_asked_in_one_place() -> None:
    asking = naming(re.compile(r"NOT LIKE 'pg|!~ '\^pg_'|<> 'information_schema'", re.I))
    assert asking <= {"module_utils/postgres/application_tables.py"}, sorted(asking)
