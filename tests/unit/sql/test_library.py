# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading a folder of SQL: versions, requirements, order, and what is refused."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.report import (
    order_document as migration_order_document,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.found import rank_of_name
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.layouts.plain import versions_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import (
    AmbiguousMigration,
    SqlLibrary,
    SqlLibraryError,
    UnknownMigration,
    read_sql_library,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.order import (
    cycle_error,
    topological_order,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import SqlScriptError
from hypothesis import given
from hypothesis import strategies as st


def folder(root: Path, **files: str | bytes) -> Path:
    """Write files named like migrations__001_a='...' below root."""
    (root / "migrations").mkdir(exist_ok=True)
    for name, content in files.items():
        path = root / (name.replace("__", "/") + ".sql")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def library(root: Path, **files: str | bytes) -> SqlLibrary:
    return read_sql_library(folder(root, **files))


def requires(found: SqlLibrary) -> dict[str, tuple[str, ...]]:
    return {migration.version: migration.requires for migration in found.migrations}


# Reading


def test_scripts_are_found_by_the_stem_of_their_migration(tmp_path: Path) -> None:
    found = library(
        tmp_path,
        migrations__009_text_metadata="-- Description: Text\nSELECT 1;",
        rollback__009_text_metadata_rollback="SELECT 2;",
        verify__009_text_metadata="SELECT 3;",
        sample__009_text_metadata="SELECT 4;",
        smoke__b="SELECT 6;",
        smoke__a="SELECT 5;",
    )
    (migration,) = found.migrations
    assert (migration.version, migration.stem, migration.number) == ("009", "009_text_metadata", 9)
    assert migration.description == "Text"
    for script, name in (
        (migration.apply, "migrations/009_text_metadata.sql"),
        (migration.rollback, "rollback/009_text_metadata_rollback.sql"),
        (migration.verify, "verify/009_text_metadata.sql"),
        (migration.sample, "sample/009_text_metadata.sql"),
    ):
        assert script is not None
        assert script.name == name
        assert script.path == str(tmp_path / name)
        assert script.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert [script.name for script in found.smoke] == ["smoke/a.sql", "smoke/b.sql"]
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("stem", "version", "number", "description"),
    [
        ("009_text_metadata", "009", 9, "text metadata"),
        ("20240101120000-add.users", "20240101120000", 20240101120000, "add users"),
        ("7", "7", 7, "7"),
        ("update_names", "update_names", None, "update names"),
        ("3d_models", "3d_models", None, "3d models"),
    ],
)
def test_versions_numbers_and_words_come_from_the_stem(
    tmp_path: Path, stem: str, version: str, number: int | None, description: str
) -> None:
    (migration,) = library(tmp_path, **{f"migrations__{stem}": "SELECT 1"}).migrations
    assert (migration.version, migration.number, migration.description) == (version, number, description)


def test_a_missing_folder_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SqlLibraryError, match=r"nowhere does not exist; set sql_dir"):
        read_sql_library(tmp_path / "nowhere")
    with pytest.raises(SqlLibraryError, match=r"has no migrations/; set sql_dir"):
        read_sql_library(tmp_path)
    assert library(tmp_path).migrations == ()


def test_a_folder_where_a_file_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "migrations").write_text("")
    with pytest.raises(SqlLibraryError, match="cannot be read"):
        read_sql_library(tmp_path)


@pytest.mark.parametrize("name", ["all", "pending"])
def test_words_of_the_command_are_no_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(SqlLibraryError, match="cannot be called"):
        library(tmp_path, **{f"migrations__{name}": "SELECT 1"})


def test_scripts_that_belong_to_no_migration_are_reported(tmp_path: Path) -> None:
    found = library(
        tmp_path,
        migrations__001_a="SELECT 1",
        rollback__001_a="SELECT 1",
        rollback__002_gone_rollback="SELECT 1",
        verify__003_gone="SELECT 1",
        sample__001_b="SELECT 1",
    )
    assert found.migrations[0].rollback is None
    assert [warning.split()[0] for warning in found.warnings] == [
        "rollback/001_a.sql",
        "rollback/002_gone_rollback.sql",
        "verify/003_gone.sql",
        "sample/001_b.sql",
    ]
    assert "rollback/001_a_rollback.sql" in found.warnings[0]


def test_risk_and_data_loss_are_the_graver_of_script_and_rollback(tmp_path: Path) -> None:
    found = library(
        tmp_path,
        migrations__001_a="-- Risk Level: HIGH\n-- Data Loss: NONE",
        rollback__001_a_rollback="-- Risk Level: LOW\n-- Data Loss: PARTIAL",
        migrations__002_b="SELECT 1",
    )
    assert [(m.risk_level, m.data_loss) for m in found.migrations] == [("HIGH", "PARTIAL"), (None, None)]


# Requirements and order


def test_without_a_header_all_earlier_ones_are_required(tmp_path: Path) -> None:
    found = library(
        tmp_path,
        migrations__010_c="SELECT 1",
        migrations__2_b="SELECT 1",
        migrations__001_a="SELECT 1",
        migrations__zeta="SELECT 1",
        migrations__alpha="-- Requires: none\nSELECT 1",
    )
    assert requires(found) == {
        "001": (),
        "2": ("001",),
        "010": ("001", "2"),
        "alpha": (),
        "zeta": ("001", "2", "010", "alpha"),
    }
    assert list(requires(found)) == ["001", "2", "010", "alpha", "zeta"]
    assert [m.requires_declared for m in found.migrations] == [False, False, False, True, False]


def test_requires_takes_versions_and_names_and_may_point_at_later_ones(tmp_path: Path) -> None:
    found = library(
        tmp_path,
        migrations__001_a="-- Requires: none",
        migrations__002_b="-- Requires: 003, 001_a",
        migrations__003_c="-- Requires: data_fix",
        migrations__data_fix="-- Requires: 001",
        migrations__another="-- Requires: 001, 001_a",
    )
    assert requires(found) == {
        "001": (),
        "another": ("001",),
        "data_fix": ("001",),
        "003": ("data_fix",),
        "002": ("001", "003"),
    }
    assert list(requires(found)) == ["001", "another", "data_fix", "003", "002"]


def test_an_unknown_requirement_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(SqlScriptError, match="requires 007, which is no migration") as caught:
        library(tmp_path, migrations__001_a="-- x\n-- Requires: 007\nSELECT 1")
    assert (caught.value.path, caught.value.line) == (str(tmp_path / "migrations/001_a.sql"), 2)


def test_an_ambiguous_requirement_names_both(tmp_path: Path) -> None:
    with pytest.raises(SqlScriptError, match="requires 012, which could be 012_a or 012_b"):
        library(
            tmp_path,
            migrations__012_a="SELECT 1",
            migrations__012_b="SELECT 1",
            migrations__013="-- Requires: 012",
        )


def test_a_circle_is_named(tmp_path: Path) -> None:
    with pytest.raises(SqlLibraryError, match=r"in a circle: 001 -> 003 -> 002 -> 001$"):
        library(
            tmp_path,
            migrations__001_a="-- Requires: 003",
            migrations__002_b="-- Requires: 001",
            migrations__003_c="-- Requires: 002",
            migrations__004_d="-- Requires: 002",
        )


def test_a_circle_through_a_default_says_so(tmp_path: Path) -> None:
    with pytest.raises(SqlLibraryError, match=r"001 -> 002 -> 001; 002 has no '-- Requires:' line"):
        library(tmp_path, migrations__001_a="-- Requires: 002", migrations__002_b="SELECT 1")


def test_a_migration_cannot_require_itself(tmp_path: Path) -> None:
    with pytest.raises(SqlLibraryError, match="001 -> 001"):
        library(tmp_path, migrations__001_a="-- Requires: 001")


@given(
    st.lists(st.sampled_from(["001_a", "001_b", "02_c", "3_d", "004", "e", "f_g", "10_h"]), unique=True),
    st.data(),
)
def test_order_respects_requirements_or_names_a_real_circle(stems: list[str], data: st.DataObject) -> None:
    version_of = versions_of(stems)
    stem_of = {version: stem for stem, version in version_of.items()}
    assert len(stem_of) == len(stems)
    drawn = {
        v: data.draw(st.lists(st.sampled_from(sorted(stem_of)), unique=True, max_size=2)) for v in stem_of
    }
    order = topological_order(drawn, {v: rank_of_name(stem) for v, stem in stem_of.items()})
    for position, version in enumerate(order):
        assert set(drawn[version]) <= set(order[:position])
    if len(order) < len(stems):
        stuck = {version: drawn[version] for version in drawn if version not in order}
        circle = cycle_error(stuck, silent=()).details["cycle"]
        assert circle[0] == circle[-1]
        assert all(after in drawn[before] for before, after in pairwise(circle))


# Finding


def test_find_takes_version_stem_and_number(tmp_path: Path) -> None:
    found = library(
        tmp_path, migrations__009_text="SELECT 1", migrations__12_x="SELECT 1", migrations__fix="SELECT 1"
    )
    for name in ("009", "009_text", " 009 "):
        assert found.find(name).stem == "009_text"
    assert found.find(12).stem == "12_x"
    assert found.find("fix").stem == "fix"


@pytest.mark.parametrize("name", [None, "", "  "])
def test_no_name_is_refused_with_an_example(tmp_path: Path, name: object) -> None:
    with pytest.raises(Refused, match=r"No migration is named: -e migration=<version>"):
        library(tmp_path, migrations__009_text="SELECT 1").find(name)


@pytest.mark.parametrize("name", ["9", 9, "009_txt", "009_text.sql", "text", "009; DROP TABLE files"])
def test_an_unknown_name_offers_the_closest_first(tmp_path: Path, name: object) -> None:
    files = {f"migrations__{number:03}_m{number}": "SELECT 1" for number in range(1, 30) if number != 9}
    found = library(tmp_path, **files, migrations__009_text="SELECT 1")
    with pytest.raises(UnknownMigration) as caught:
        found.find(name)
    if name != "009; DROP TABLE files":
        assert "; it has 009, " in caught.value.reason
    assert repr(str(name)) in caught.value.reason
    assert caught.value.reason.endswith(" and 14 more")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "../migrations/001_a", "001_a.sql", "./001_a", "*", "²", "9" * 5000]
)
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownMigration):
        library(tmp_path, migrations__001_a="SELECT 1").find(name)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnknownMigration, match="holds no migration"):
        library(tmp_path).find("001")


def test_two_files_of_one_number_are_found_by_full_name_only(tmp_path: Path) -> None:
    found = library(
        tmp_path, migrations__012_a="SELECT 1", migrations__012_b="SELECT 1", migrations__013_c="SELECT 1"
    )
    assert requires(found) == {"012_a": (), "012_b": ("012_a",), "013": ("012_a", "012_b")}
    assert found.find("012_b").number == 12
    with pytest.raises(AmbiguousMigration, match="012_a and 012_b; give the full name") as caught:
        found.find("012")
    assert isinstance(caught.value, Refused)
    with pytest.raises(UnknownMigration, match="it has 012_a, 012_b"):
        found.find("12")


# What others get


def test_index_holds_the_facts_in_order(tmp_path: Path) -> None:
    found = library(
        tmp_path,
        migrations__002_b="-- Transaction: none\nSELEC 1",
        migrations__001_a="-- Requires: none\n-- Risk Level: LOW\nCREATE TABLE t ();",
        rollback__001_a_rollback="DROP TABLE t",
    )
    first, second = json.loads(json.dumps(found.index()))
    assert first == {
        "version": "001",
        "stem": "001_a",
        "number": 1,
        "description": "a",
        "requires": [],
        "requires_declared": True,
        "risk_level": "LOW",
        "data_loss": None,
        "transaction": None,
        "apply_sha256": found.migrations[0].apply.sha256,
        "rollback_sha256": hashlib.sha256(b"DROP TABLE t").hexdigest(),
        "verify_sha256": None,
        "files": None,
        "rollback_place": "rollback/001_a_rollback.sql",
        "creates": {
            "tables": [[None, "t"]],
            "columns": [],
            "indexes": [],
            "views": [],
            "functions": [],
            "types": [],
        },
    }
    assert (second["version"], second["creates"], second["transaction"]) == ("002", None, "none")
    assert second["rollback_sha256"] is None


def test_payload_holds_what_is_executed(tmp_path: Path) -> None:
    found = library(
        tmp_path,
        migrations__001_a="BEGIN;\n VACUUM;\nCOMMIT;",
        rollback__001_a_rollback="-- nothing",
        migrations__002_b="SELEC 1",
        smoke__a="SELECT true",
    )
    (payload,) = json.loads(json.dumps(found.payload(["001_a"])))
    assert payload["apply"] == {
        "name": "migrations/001_a.sql",
        "sha256": found.migrations[0].apply.sha256,
        "file_sha256": found.migrations[0].apply.sha256,
        "statements": [
            {
                "sql": "VACUUM",
                "line": 2,
                "column": 2,
                "kind": "VacuumStmt",
                "outside_transaction": "VACUUM",
                "object": None,
                "changes_rows": False,
                "batches": None,
            }
        ],
        "forbids_transaction": [[2, "VACUUM"]],
        "transaction": None,
        "transaction_blocks": 1,
        "notes": [],
    }
    assert payload["rollback"]["statements"] == []
    assert payload["verify"] is None
    assert payload["sample"] is None
    assert [script["name"] for script in found.smoke_payload()] == ["smoke/a.sql"]
    with pytest.raises(SqlScriptError):
        found.payload(["001", "002"])
    with pytest.raises(UnknownMigration):
        found.payload(["003"])


# The document


def test_the_document_shows_order_needs_and_tree(tmp_path: Path) -> None:
    text = migration_order_document.render(
        library(
            tmp_path,
            migrations__001_a="-- Requires: none\n-- Risk Level: HIGH\n-- Data Loss: COMPLETE",
            rollback__001_a_rollback="SELECT 1",
            migrations__002_b="-- Requires: 001",
            migrations__003_c="-- Requires: 001",
            migrations__004_d="-- Requires: 001, 002, 003",
            verify__004_d="SELECT 1",
            migrations__005_e="SELECT 1",
        )
    )
    assert "`ansible-playbook playbooks/rehearse.yml -e migration=all`" in text
    rows = [line for line in text.splitlines() if line.startswith("| 0")]
    assert (
        rows[0] == "| 001 | migrations/001_a.sql | none | 002, 003, 004, 005 | HIGH | COMPLETE | yes | no |"
    )
    assert (
        rows[3] == "| 004 | migrations/004_d.sql | 001, 002, 003 | 005 | not stated | not stated | no | yes |"
    )
    assert "| all earlier (not declared) | none |" in rows[4]
    tree = text.split("```text\n")[1].split("```")[0]
    assert tree == "001_a\n    002_b\n    003_c\n        004_d (also requires 002)\n            005_e\n"


def test_the_document_of_an_empty_folder_is_whole(tmp_path: Path) -> None:
    assert migration_order_document.render(library(tmp_path)).endswith("There is no migration.\n")
