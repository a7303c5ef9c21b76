# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where imported scripts go: beside what is there, never in its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.folder import (
    read_folder_of_imports,
    write_new,
)


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_migrations_are_known_by_name_header_or_comment(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "migrations/001_polls.0001_initial.sql": "SELECT 1",
            "migrations/002_x.sql": "-- Recorded as: polls.initial\nSELECT 1",
            "migrations/003_others.sql": "SELECT 1",
            "migrations/004_broken.sql": "-- Requires: nobody\n-- Recorded as: polls.0004_x\nSELEC",
        },
    )
    folder = read_folder_of_imports(str(root), "auto", "django")
    assert {key: one.version for key, one in folder.known.items()} == {
        "polls.0001_initial": "001",
        "polls.initial": "002",
        "polls.0004_x": "004",
    }
    merge = "-- Running upgrade aa, bb -> cc\nSELECT 1"
    alembic = read_folder_of_imports(
        str(write(tmp_path / "b", {"migrations/1_x.sql": merge})), "auto", "alembic"
    )
    assert list(alembic.known) == ["cc"]


def test_a_folder_that_is_not_there_knows_nothing(tmp_path: Path) -> None:
    folder = read_folder_of_imports(str(tmp_path / "sql"), "auto", "django")
    assert (folder.known, folder.stems_for(["polls_0001"])) == ({}, ["001_polls_0001"])


def test_numbers_go_on_after_the_greatest_with_as_many_digits(tmp_path: Path) -> None:
    root = write(tmp_path, {"migrations/0009_a.sql": "SELECT 1", "migrations/zz.sql": "SELECT 1"})
    folder = read_folder_of_imports(str(root), "plain", "django")
    names = ["a/../b c", "é", "x" * 300, "polls.down"]
    assert folder.stems_for(names) == ["0010_a_b_c", "0011_migration", f"0012_{'x' * 80}", "0013_polls_down"]


def test_one_whose_file_is_gone_gets_the_name_that_others_require(tmp_path: Path) -> None:
    root = write(tmp_path, {"migrations/009_b.sql": "-- Requires: 004_a, 005\nSELECT 1"})
    folder = read_folder_of_imports(str(root), "plain", "django")
    assert folder.stems_for(["a", "c", "a"]) == ["004_a", "010_c", "011_a"]


def test_a_migration_without_a_number_would_come_after_new_ones(tmp_path: Path) -> None:
    root = write(tmp_path, {"migrations/polls.0001_initial.sql": "SELECT 1"})
    with pytest.raises(Refused, match=r"without a number.*migrations/polls\.0001_initial\.sql") as caught:
        read_folder_of_imports(str(root), "plain", "django").stems_for(["x"])
    assert caught.value.code == "import_in_the_way"


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        Refused, match=r"cannot be read \(File name too long\)\. Nothing was written"
    ) as caught:
        read_folder_of_imports(str(tmp_path / ("x" * 300)), "auto", "django")
    assert caught.value.code == "sql_dir_unusable"


def test_another_layout_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path, {"V1__a.sql": "SELECT 1"})
    with pytest.raises(Refused, match=r"sql_layout flyway \(by V1__a\.sql\)") as caught:
        read_folder_of_imports(str(root), "auto", "django")
    assert caught.value.code == "import_in_the_way"


def test_files_are_written_whole_and_none_is_overwritten(tmp_path: Path) -> None:
    root = tmp_path / "sql"
    texts = {"rollback/1_rollback.sql": "back\n", "migrations/1.sql": "é\n"}
    write_new(root, texts)
    written = {
        str(path.relative_to(root)): path.read_text("utf-8") for path in root.rglob("*") if path.is_file()
    }
    assert written == texts
    (root / "migrations/1.sql").unlink()
    (root / "migrations/.1.sql.part").write_text("of an import that was killed")
    write_new(root, texts)
    assert (root / "migrations/1.sql").read_text("utf-8") == "é\n"
    (root / "rollback/1_rollback.sql").write_text("edited")
    (root / "migrations/1.sql").unlink()
    with pytest.raises(
        Refused, match=r"does not overwrite: rollback/1_rollback\.sql\. Nothing was"
    ) as caught:
        write_new(root, texts)
    assert caught.value.code == "import_in_the_way"
    assert not (root / "migrations/1.sql").exists()


def test_a_link_that_leads_nowhere_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/1.sql").symlink_to("nowhere")
    with pytest.raises(Refused, match="does not overwrite"):
        write_new(tmp_path, {"migrations/1.sql": "x"})


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "migrations").write_text("a file")
    with pytest.raises(Refused, match=r"migrations.* cannot be written \(") as caught:
        write_new(tmp_path, {"migrations/1.sql": "x"})
    assert caught.value.code == "sql_dir_unusable"
    with pytest.raises(Refused, match="cannot be written"):
        write_new(tmp_path / "a" / "b", {"migrations/1.sql": "x"})
    assert [path.name for path in tmp_path.iterdir()] == ["migrations"]


def test_a_link_in_the_place_of_a_half_written_file_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "sql" / "migrations").mkdir(parents=True)
    (tmp_path / "sql" / "migrations" / ".a.sql.part").symlink_to(precious)
    write_new(tmp_path / "sql", {"migrations/a.sql": "SELECT 1;\n"})
    assert precious.read_text() == "precious"
    assert (tmp_path / "sql" / "migrations" / "a.sql").read_text() == "SELECT 1;\n"
