# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an import is asked for, and what a person reads of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.report import import_report
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.told import Half, Listed, Squashed
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.work import (
    TOOLS,
    Imported,
    New,
    import_migrations,
    tool_for,
)


@pytest.mark.parametrize(
    ("tool", "project", "said"),
    [
        ("", "/", "The command names no tool: -e from=django or -e from=alembic"),
        ("flyway", "/", "from='flyway' names no tool"),
        ("django", "", "names no project: -e import_project="),
        ("django", "{tmp}", r"there is no .*/manage\.py"),
        ("alembic", "{tmp}/nowhere", "there is no .*/nowhere"),
        ("alembic", "{tmp}\0", "import_project: there is no"),
        ("alembic", "{tmp}/" + "x" * 300, "import_project: there is no"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, tool: str, project: str, said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        tool_for(tool, project.format(tmp=tmp_path), "python3")
    assert caught.value.code == "setting_invalid"
    assert caught.value.reason.endswith("Nothing was written.")


@pytest.mark.parametrize("python", ["/nowhere/python3", "nowhere/python3", "no-such-python"])
def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path, python: str) -> None:
    with pytest.raises(Refused, match=f"{python} could not be started: No such file") as caught:
        import_migrations(tool_for("alembic", tmp_path, python), str(tmp_path / "sql"), "auto", True)
    assert caught.value.code == "import_tool_failed"
    assert not (tmp_path / "sql").exists()


class OfOneMigration:
    """A tool that lists a migration and prints what it is told to."""

    name = "django"
    title = "Django"

    def __init__(self, apply: Half, rollback: Half) -> None:
        self._halves = {False: apply, True: rollback}

    def listing(self) -> list[Listed]:
        return [Listed("polls.0001", "polls_0001", "words", ("gone.0001",), "polls.0001")]

    def other_database(self) -> str:
        return ""

    def squashed(self) -> dict[str, Squashed]:
        return {}

    def half(self, one: Listed, back: bool) -> Half:
        return self._halves[back]


def unfinished(root: Path, apply: Half, rollback: Half) -> list[tuple[str, ...]]:
    root.mkdir()
    (new,) = import_migrations(OfOneMigration(apply, rollback), str(root / "sql"), "auto", True).new
    return [half.unfinished for half in new.files().values()]


SOMETHING, NOTHING = Half("SELECT f()", 1), Half("-- x")


def test_a_way_back_that_does_nothing_is_not_finished(tmp_path: Path) -> None:
    assert unfinished(tmp_path / "a", SOMETHING, NOTHING) == [
        ("write the way back, for which Django prints nothing",),
        (),
    ]
    assert unfinished(tmp_path / "b", NOTHING, NOTHING) == [(), ()]
    assert unfinished(tmp_path / "c", NOTHING, SOMETHING) == [(), ()]
    by_hand = Half("", unfinished=("write it",))
    assert unfinished(tmp_path / "d", by_hand, by_hand) == [("write it",)] * 2


def found(**changes: Any) -> Imported:
    of_one = {
        "title": "Alembic",
        "tool": "alembic",
        "root": Path("/srv/sql"),
        "new": (),
        "there": 2,
        "edited": (),
        "unfinished": {},
        "gone": (),
    }
    return Imported(**{**of_one, **changes})


ONE = Listed("aa", "aa_x", "x", (), "aa")


@pytest.mark.parametrize(
    ("new", "wrote", "first"),
    [
        ((), True, "/srv/sql has all migrations that Alembic lists (2); nothing was written"),
        (
            (New(ONE, "003_aa", SOMETHING, SOMETHING), New(ONE, "001_bb", None, SOMETHING)),
            True,
            "Alembic, into /srv/sql: 1 migration and 1 rollback imported; 2 migrations there before",
        ),
        (
            (New(ONE, "003_aa", SOMETHING, SOMETHING),) * 2,
            False,
            "Alembic, into /srv/sql: 2 migrations to import; nothing is written with --check; 2 migrations there"
            " before",
        ),
    ],
)
def test_the_first_line_counts(new: tuple[New, ...], wrote: bool, first: str) -> None:
    assert import_report(found(new=new), "alembic", wrote)[0] == first


def test_each_thing_that_wants_a_person_has_a_line() -> None:
    report = import_report(
        found(edited=("a.sql", "b.sql"), unfinished={"c.sql": "write it"}, gone=("d.sql",)), "alembic", True
    )
    assert report[1:] == [
        "To be written by a person; until then a deploy of them is refused:",
        "  c.sql: write it",
        "Edited since they were imported, and left as they are: a.sql, b.sql",
        "No longer among the migrations that Alembic lists, and left as they are: d.sql",
    ]


@pytest.mark.parametrize(
    ("books", "version_table", "hint"),
    [
        ("", "alembic", None),
        ("", "", "alembic"),
        ("alembic_version", {"tool": "alembic"}, None),
        ("alembic_version", "flyway", "alembic"),
        ("revisions", "alembic", "{tool: alembic, table: revisions}"),
        ("ops.alembic_version", "alembic", "{tool: alembic, table: ops.alembic_version}"),
        ("ops.alembic_version", {"tool": "alembic", "table": "ops.alembic_version"}, None),
    ],
)
def test_version_table_is_named_where_it_is_another(books: str, version_table: Any, hint: str | None) -> None:
    new = (New(ONE, "003_aa", SOMETHING, Half("SELECT 1", 1, books=books)),)
    (*_, last) = import_report(found(new=new), version_table, True)
    wanted = f"So that Alembic knows what is applied, set in the inventory: version_table: {hint}"
    assert last == (wanted if hint else "  003_aa: aa")


def test_every_tool_can_be_named() -> None:
    assert sorted(TOOLS) == ["alembic", "django"]
