# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the .sql files of one folder: which are scripts, what is refused, and what a script hands on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.folder import (
    Script,
    SqlLibraryError,
    read_folder,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.header import Header
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.source import SqlScriptError


def read(root: Path, *, tolerant: bool = False, **files: str | bytes) -> dict[str, Script]:
    """The scripts of the folder ``migrations``, after these have been written into it."""
    (root / "migrations").mkdir(exist_ok=True)
    for stem, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (root / f"migrations/{stem}.sql").write_bytes(data)
    return read_folder(root, "migrations", tolerant=tolerant)


def test_each_file_is_a_script_under_its_stem_in_the_order_of_names(tmp_path: Path) -> None:
    found = read(tmp_path, b="-- Risk Level: LOW\nSELECT 2", a="\ufeffSELECT 1")
    assert list(found) == ["a", "b"]
    script = found["a"]
    assert (script.name, script.path) == ("migrations/a.sql", str(tmp_path / "migrations/a.sql"))
    assert script.text == "SELECT 1"
    assert script.sha256 == hashlib.sha256("\ufeffSELECT 1".encode()).hexdigest(), (
        "of the bytes, mark and all"
    )
    assert found["b"].header == Header(risk_level="LOW", present=True)


def test_only_a_folder_that_is_required_has_to_be_there(tmp_path: Path) -> None:
    assert read_folder(tmp_path, "smoke") == {}
    with pytest.raises(SqlLibraryError, match=r"has no smoke/; set sql_dir") as caught:
        read_folder(tmp_path, "smoke", required=True)
    assert caught.value.code == "sql_dir_unusable"
    with pytest.raises(SqlLibraryError, match=r"nowhere does not exist; set sql_dir"):
        read_folder(tmp_path / "nowhere", "smoke")


def test_a_script_that_is_not_finished_is_not_executed(tmp_path: Path) -> None:
    script = read(tmp_path, a="-- Risk Level: LOW\n-- Unfinished: write the way back\nSELECT 1;")["a"]
    for _ in range(2):
        with pytest.raises(
            SqlScriptError, match=r"line 2, column 4: .*unfinished \(write the way back\)"
        ) as caught:
            script.payload()
        assert caught.value.code == "script_unfinished"


def test_a_script_is_parsed_once_and_only_when_asked(tmp_path: Path) -> None:
    found = read(tmp_path, a="SELEC 1;", b="SELECT 1;")
    assert found["b"].parse() is found["b"].parse()
    with pytest.raises(SqlScriptError, match="at or near") as caught:
        found["a"].parse()
    assert caught.value.path == str(tmp_path / "migrations/a.sql")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user can enter, for tests without root's right to read everything."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    user = os.geteuid()
    yield path
    os.seteuid(user)
    (path / "closed").chmod(0o700)
    shutil.rmtree(path)


def become_anybody() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_an_unreadable_script_is_named(reachable: Path) -> None:
    (reachable / "closed").mkdir()
    read(reachable, a="SELECT 1")
    (reachable / "migrations/a.sql").chmod(0)
    become_anybody()
    with pytest.raises(SqlLibraryError, match=r"a\.sql cannot be read \(Permission denied\)"):
        read_folder(reachable, "migrations")


def test_a_dangling_link_is_named(tmp_path: Path) -> None:
    read(tmp_path, a="SELECT 1")
    (tmp_path / "migrations/b.sql").symlink_to("gone.sql")
    with pytest.raises(SqlLibraryError, match=r"b\.sql cannot be read"):
        read_folder(tmp_path, "migrations")


def test_an_unreachable_folder_is_named(reachable: Path) -> None:
    (reachable / "closed").mkdir()
    read(reachable / "closed", a="SELECT 1")
    (reachable / "closed").chmod(0)
    become_anybody()
    for root in (reachable / "closed", reachable / "closed/sql"):
        with pytest.raises(SqlLibraryError, match=r"cannot be read \(Permission denied\)"):
            read_folder(root, "migrations")


@pytest.mark.parametrize(
    "name", ["my file.sql", "_a.sql", "a;b.sql", "é.sql", "001.SQL", "-x.sql", "$(id).sql"]
)
def test_unusable_file_names_are_refused(tmp_path: Path, name: str) -> None:
    read(tmp_path, a="SELECT 1")
    (tmp_path / "migrations" / name).write_text("SELECT 1")
    with pytest.raises(SqlLibraryError, match="cannot be used") as caught:
        read_folder(tmp_path, "migrations")
    assert caught.value.code == "script_name_unusable"
    assert list(read_folder(tmp_path, "migrations", tolerant=True)) == ["a"]


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    read(tmp_path, a="SELECT 1")
    for name in (".hidden.sql", "README.md", "a.sql~", ".gitkeep"):
        (tmp_path / "migrations" / name).write_bytes(b"\xff")
    (tmp_path / "migrations/old.sql").mkdir()
    assert list(read_folder(tmp_path, "migrations")) == ["a"]


UNUSABLE = [
    (b"-- \xff", "not UTF-8"),
    (b"-- Risk Level: SOMETIMES", "SOMETIMES"),
]


@pytest.mark.parametrize(("content", "word"), UNUSABLE)
def test_wrong_bytes_and_headers_are_refused_on_reading(tmp_path: Path, content: bytes, word: str) -> None:
    with pytest.raises(SqlScriptError, match=rf"a\.sql, line 1, column 4: .*{word}"):
        read(tmp_path, a=content)


@pytest.mark.parametrize(("content", "word"), UNUSABLE)
def test_one_who_tolerates_them_is_told_when_the_script_is_to_run(
    tmp_path: Path, content: bytes, word: str
) -> None:
    found = read(tmp_path, tolerant=True, a=content, b="SELECT 1")
    assert len(found["b"].parse().statements) == 1
    assert found["a"].header == Header()
    assert found["a"].sha256 == hashlib.sha256(content).hexdigest(), (
        "it is told from another one all the same"
    )
    for run in (found["a"].parse, found["a"].payload):
        with pytest.raises(SqlScriptError, match=word):
            run()


def test_a_file_that_cannot_be_read_is_tolerated_likewise(tmp_path: Path) -> None:
    read(tmp_path, a="SELECT 1")
    (tmp_path / "migrations/b.sql").symlink_to("gone.sql")
    found = read_folder(tmp_path, "migrations", tolerant=True)
    assert (found["b"].sha256, found["b"].text) == ("", "")
    with pytest.raises(SqlScriptError, match=r"b\.sql, line 1, column 1: the file cannot be read"):
        found["b"].parse()


def test_what_is_handed_to_a_module_is_the_script_or_its_name(tmp_path: Path) -> None:
    script = read(tmp_path, a="-- Transaction: none\nBEGIN;\n CREATE INDEX CONCURRENTLY i ON t (a);")["a"]
    assert json.loads(json.dumps(script.payload())) == {
        "name": "migrations/a.sql",
        "sha256": script.sha256,
        "file_sha256": script.sha256,
        "statements": [
            {
                "sql": "CREATE INDEX CONCURRENTLY i ON t (a)",
                "line": 3,
                "column": 2,
                "kind": "IndexStmt",
                "outside_transaction": "CREATE INDEX CONCURRENTLY",
                "object": {"index": [None, "i"]},
                "changes_rows": False,
                "batches": None,
            }
        ],
        "forbids_transaction": [[3, "CREATE INDEX CONCURRENTLY"]],
        "transaction": "none",
        "transaction_blocks": 1,
        "notes": ["line 2: BEGIN without COMMIT; the runbook commits it all the same"],
    }
    assert script.named() == {
        "name": "migrations/a.sql",
        "sha256": script.sha256,
        "file_sha256": script.sha256,
        "statements": [],
        "forbids_transaction": [],
        "transaction": "none",
        "transaction_blocks": 0,
        "notes": [],
    }
