# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Django and Alembic print, in the words of their versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.alembic import history_of, section_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.django import half_of, plan_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.program import ToolFailed, ask
from ansible_collections.pgops.runbook.plugins.plugin_utils.importing.told import Half, could_not_say


def test_djangos_plan_is_read_in_its_order() -> None:
    found = plan_of(
        "System check\n[X]  auth.0001_initial\n[ ]  polls.0001_initial ... (auth.0001_initial, other.two)\n"
        "[ ]  polls.odd-name.x\r\n[?]  polls.0009_no\n(no migrations)\n"
    )
    assert [(one.key, one.requires) for one in found] == [
        ("auth.0001_initial", ()),
        ("polls.0001_initial", ("auth.0001_initial", "other.two")),
        ("polls.odd-name.x", ()),
    ]


@pytest.mark.parametrize(
    "comment",
    [
        # Django 3.2, and 5.2.
        "-- MIGRATION NOW PERFORMS OPERATION THAT CANNOT BE WRITTEN AS SQL:\n-- Raw Python operation\n--",
        "-- Raw Python operation\n--\n-- THIS OPERATION CANNOT BE WRITTEN AS SQL",
    ],
)
def test_pythons_part_of_a_migration_of_django_is_named(comment: str) -> None:
    half = half_of(f"BEGIN;\n--\n{comment}\nSELECT 1;\nCOMMIT;\n")
    assert half.statements == 1
    (what,) = half.unfinished
    assert what == "write as SQL what Django does in Python, where it says CANNOT BE WRITTEN AS SQL"


def test_what_djangos_project_prints_itself_is_no_sql() -> None:
    assert half_of("it's loading\nBEGIN;\n--\n-- Add\n--\nSELECT 1;\nCOMMIT;\n") == Half(
        "--\n-- Add\n--\nSELECT 1;", 1
    )


def test_without_begin_django_runs_it_outside_of_a_transaction() -> None:
    assert half_of("--\n-- x\n--\nUPDATE t SET a = 1;").one_by_one
    assert not half_of("--\n-- x\n--").one_by_one
    assert not half_of("").one_by_one


HISTORY = """Rev: d4 (head) (mergepoint)
Merges: b2, c3
Path: /x/d4.py

    merge

Rev: c3
Parent: a1
Also depends on: b2
Path: /x/c3.py

Rev: b2 (branchpoint)
Parent: a1
Branches into: c3
Branch names: left
Path: /x/b2.py

    Rev: no entry
    Parent: nobody

Rev: a1 (branchpoint)
Parent: <base>
Branches into: b2, c3
Path: /x/a1.py

    make: it

"""


def test_alembics_history_is_read_from_the_oldest_on() -> None:
    assert [(one.key, one.requires, one.description, one.recorded_as) for one in history_of(HISTORY)] == [
        ("a1", (), "make: it", "a1"),
        ("b2", ("a1",), "Rev: no entry", "b2 revises a1"),
        ("c3", ("a1", "b2"), "c3", "c3 revises a1, b2"),
        ("d4", ("b2", "c3"), "merge", "d4 revises b2, c3"),
    ]
    assert history_of("INFO nothing\n") == []
    with pytest.raises(ToolFailed, match="revision c3 depends on left, which is not a revision"):
        history_of(HISTORY.replace("Also depends on: b2", "Also depends on: left"))


STEPS = (
    "talk\nBEGIN;\n\n-- Running upgrade a1 -> c3\n\nSELECT 3;\n\n"
    "-- Running upgrade b2, c3 -> d4\n\nSELECT 4;\n\nCOMMIT;\n"
)


def test_only_the_step_of_the_revision_is_taken() -> None:
    assert section_of(STEPS, "c3", back=False) == "-- Running upgrade a1 -> c3\n\nSELECT 3;\n\n"
    assert section_of(STEPS, "d4", back=False).endswith("SELECT 4;\n\nCOMMIT;\n")
    back = "-- Running downgrade d4 -> b2, c3\nSELECT 1;"
    assert section_of(back, "d4", back=True) == back
    for told, is_back in ((STEPS, True), (back, False), ("", False)):
        with pytest.raises(ToolFailed, match="no step of revision b2"):
            section_of(told, "b2", is_back)


def test_a_program_is_started_without_a_shell(tmp_path: Path) -> None:
    assert ask(["/bin/echo", "$HOME; é"], tmp_path).text == "$HOME; é\n"


def test_bytes_that_no_script_may_hold_are_replaced(tmp_path: Path) -> None:
    assert ask(["/bin/sh", "-c", r"printf 'a\0b\377'"], tmp_path).text == "a\ufffdb\ufffd"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["/nowhere/python"], "/nowhere/python could not be started: No such file"),
        (["/bin/sh", "-c", "echo first >&2; printf 'Error: last\n\tgoes on\n\n' >&2; exit 1"], "Error: last"),
        (["/bin/sh", "-c", "echo FAILED: here; exit 255"], "FAILED: here"),
        (["/bin/sh", "-c", "exit 3"], "it ended with exit status 3"),
        (["/bin/sh", "-c", "exit 0\0"], "NUL byte"),
        (["/bin/sh", "-c", "kill -9 $$"], "exit status -9"),
    ],
)
def test_how_a_program_failed_is_said_in_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=said) as caught:
        ask(words, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_long_last_line_is_cut(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"word \.\.\.\Z"):
        ask(["/bin/sh", "-c", "printf 'word %.0s' $(seq 500) >&2; exit 1"], tmp_path)


def test_what_a_tool_cannot_say_a_person_writes() -> None:
    half = could_not_say("sqlmigrate", ToolFailed("ValueError: no"))
    assert (half.text, half.unfinished) == ("", ("write it: sqlmigrate ended with ValueError: no",))
