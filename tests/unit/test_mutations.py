# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The list of mutations is about the code as it is, and what runs it changes nothing and tells what it saw."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import mutants
from benchmarks.mutation import PLUGINS, PROJECT, Mutation, StaleMutation, mutated, read_mutations
from benchmarks.trees import Trees, Verdict
from docs.floors import CONTROLLER_FLOORS, FLOORS

MUTATIONS = read_mutations()


# The list --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", sorted({one.room for one in MUTATIONS}))
def test_the_place_of_each_is_there_once(room: str) -> None:
    for mutation in MUTATIONS:
        if mutation.room == room:
            mutated(mutation)


def test_the_tests_of_each_are_there() -> None:
    assert all(mutation.tests for mutation in MUTATIONS)
    for place in {place for mutation in MUTATIONS for place in mutation.tests}:
        path, _, name = place.partition("::")
        assert (PROJECT / path).exists(), path
        assert not name or f"def {name}(" in (PROJECT / path).read_text(encoding="utf-8"), place


def test_every_room_has_some_and_none_is_there_twice() -> None:
    plugins = PROJECT / PLUGINS
    rooms = [room for floor in FLOORS for room in floor if (plugins / "module_utils" / room).is_dir()]
    # Sentences for people are compared word by word in the tests of the report.
    rooms += [room for floor in CONTROLLER_FLOORS for room in floor if room != "report"]
    assert set(rooms) <= {mutation.room for mutation in MUTATIONS}
    assert len(MUTATIONS) >= 60
    assert len({(one.file, one.before, one.after) for one in MUTATIONS}) == len(MUTATIONS)


def mutation(before: str, after: str, file: str = "module_utils/code.py") -> Mutation:
    return Mutation("step", file, before, after, "it is wrong", ("test_code.py",))


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("return 3", "return 4", "its text is there 0 times"),
        ("return", "pass", "its text is there 2 times"),
        ("return 1", "return  1", "it changes nothing"),
        ("return 1", "return (", "the result is no Python"),
    ],
)
def test_a_stale_mutation_is_an_error(tmp_path: Path, before: str, after: str, reason: str) -> None:
    one = mutation(before, after)
    (tmp_path / one.path).parent.mkdir(parents=True)
    (tmp_path / one.path).write_text("def f():\n    return 1\n\n\ndef g():\n    return 2\n", encoding="utf-8")
    with pytest.raises(StaleMutation, match=reason):
        mutated(one, tmp_path)
    assert mutated(mutation("return 1", "return 5"), tmp_path).count("return 5") == 1


# Running them ----------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with one function and one test of it."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "code_under_test.py").write_text("def f():\n    return 1\n", encoding="utf-8")
    (folder / "test_code.py").write_text(
        "from code_under_test import f\n\n\ndef test_f():\n    assert f() == 1\n", encoding="utf-8"
    )
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def test_tests_run_on_a_copy_that_is_gone_afterwards(project: Path) -> None:
    with Trees(project, 1) as trees:
        assert trees.run(["test_code.py"]).status == "passed"
        failed = trees.run(["test_code.py"], {"code_under_test.py": "def f():\n    return 2\n"})
        assert (failed.status, failed.first) == ("failed", "test_code.py::test_f")
        assert trees.run(["test_code.py"]).status == "passed", "the change is taken back"
        assert trees.run(["no_such_test.py"]).status == "pytest ended with exit status 4"
        root = trees.root
        assert root.exists()
    assert not root.exists()
    assert "return 1" in (project / "code_under_test.py").read_text(encoding="utf-8")


def test_what_a_killed_run_left_is_removed_by_the_next_one(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / "pgops-mutants-left"
    left.mkdir()
    (left / "lock").touch()
    with Trees(project, 1) as trees:
        assert not left.exists()
        with Trees(project, 1) as others:
            assert trees.root.exists(), "one at work is left alone"
            assert others.root != trees.root
    assert sorted(path.name for path in tmp_path.glob("pgops-mutants-*")) == []


@pytest.mark.parametrize(
    ("status", "survives", "outcome"),
    [
        ("failed", "", "killed"),
        ("passed", "", "survived"),
        ("passed", "nobody can see it", "listed"),
        ("failed", "nobody can see it", "wrong"),
        ("pytest ended with exit status 2", "", "wrong"),
    ],
)
def test_the_outcome_of_a_mutation(status: str, survives: str, outcome: str) -> None:
    one = Mutation("step", "module_utils/step.py", "a", "b", "it is wrong", ("tests",), survives)
    tried = mutants.Tried(one, Verdict(status, "test_x", 1.0))
    assert tried.outcome == outcome
    shown = mutants.report([tried])
    assert ("it is wrong" in shown) == (outcome != "killed")
    counts = {"killed": "1       0         0", "listed": "0       1         0"}.get(
        outcome, "0       0         1"
    )
    assert f"step      1       {counts}" in shown
