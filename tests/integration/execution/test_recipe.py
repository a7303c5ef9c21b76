# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One recipe: what is done to production was done to the copy before, call by call and statement by statement."""

from __future__ import annotations

import ast
import inspect

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.execution import recipe, recipe_one_by_one

from tests.integration.execution.recorded_recipe import ROOMS, Recorder, Recording
from tests.integration.step_runs import StepRuns

SCRIPTS = {
    "migrations__002_author": "{head}CREATE TABLE star (id serial PRIMARY KEY, mark text DEFAULT 'none');\n"
    "INSERT INTO notes (body) VALUES ('by the migration');\nALTER TABLE notes ADD COLUMN author text;",
    "rollback__002_author_rollback": "{head}ALTER TABLE notes DROP COLUMN author;\n"
    "DELETE FROM notes WHERE body = 'by the migration';\nDROP TABLE star;",
    "verify__002_author": "SELECT count(*) = 0 FROM star;",
    "smoke__notes": "SELECT count(*) > 0 FROM notes;",
}
WRITES = (
    "INSERT INTO star (mark) VALUES ('a'), (NULL)",
    "UPDATE notes SET author = 'ada' WHERE id = 1",
)

FORMS = {
    "one transaction": ("", "apply_in_one_transaction", "roll_back_in_one_transaction"),
    "one by one": ("-- Transaction: none\n", "apply_one_by_one", "roll_back_one_by_one"),
}


def write(runs: StepRuns, head: str) -> None:
    runs.write(**{name: text.replace("{head}", head) for name, text in SCRIPTS.items()})


def roll_back(runs: StepRuns) -> None:
    runs.another("emergency_rollback").roll_back()


def deploy(runs: StepRuns) -> None:
    runs.another().deploy()


def deploy_recorded(runs: StepRuns, monkeypatch: pytest.MonkeyPatch, head: str) -> Recorder:
    """Deploy and roll back, so that there is salvage; then deploy and roll back once more, recorded."""
    write(runs, head)
    deploy(runs)
    runs.execute(*WRITES)
    roll_back(runs)
    recorder = Recorder(monkeypatch)
    with recorder.running():
        deploy(runs)
        roll_back(runs)
    return recorder


def assert_alike(copy: Recording, production: Recording) -> None:
    assert len(copy.calls) > 10
    assert len(copy.sql) > 10
    assert production.calls == copy.calls
    assert production.sql == copy.sql


@pytest.mark.parametrize("form", FORMS)
def test_production_sees_what_the_copy_saw(
    runs: StepRuns, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    head, *functions = FORMS[form]
    recorder = deploy_recorded(runs, monkeypatch, head)
    assert runs.ask("SELECT to_regclass('star')") == [(None,)]
    for function in functions:
        copy, production = (recorder.last(where, function) for where in ("copy", "production"))
        assert_alike(copy, production)
    applied = recorder.last("production", functions[0]).sql
    came_back = next(i for i, text in enumerate(applied) if "kept_row" in text and "INSERT INTO" in text)
    script = next(i for i, text in enumerate(applied) if text.startswith("CREATE TABLE star"))
    verify = next(i for i, text in enumerate(applied) if text.startswith("SELECT count(*) = N FROM star"))
    smoke = next(i for i, text in enumerate(applied) if text.startswith("SELECT count(*) > N FROM notes"))
    assert script < verify < came_back < smoke


# A stage that somebody adds on one side only ---------------------------------------------------------------------

PLANTED = "        if type(hooks).__name__ != 'CopyHooks':\n            run_checks(cursor, hooks.smoke)\n"


def plant(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Write another check into the recipe before ``line``, for production only."""
    source = inspect.getsource(recipe.prove_apply)
    assert source.count(line) == 1
    namespace = dict(vars(recipe))
    exec(compile(source.replace(line, PLANTED + line), recipe.__file__, "exec"), namespace)
    for module in (recipe, recipe_one_by_one):
        monkeypatch.setattr(module, "prove_apply", namespace["prove_apply"])


@pytest.mark.parametrize("form", FORMS)
def test_a_stage_on_one_side_only_is_seen(runs: StepRuns, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    plant(
        monkeypatch, "        work.returned, losses = put_back_salvage(cursor, returner, work.one_by_one)\n"
    )
    head, function, _ = FORMS[form]
    write(runs, head)
    recorder = Recorder(monkeypatch)
    with recorder.running():
        runs.up_to("apply")
    copy, production = (recorder.last(where, function) for where in ("copy", "production"))
    with pytest.raises(AssertionError):
        assert_alike(copy, production)
    assert production.calls.count("run_checks") == copy.calls.count("run_checks") + 1
    smoke = "SELECT count(*) > N FROM notes"
    assert production.sql.count(smoke) == copy.sql.count(smoke) + 1


# Hooks -----------------------------------------------------------------------------------------------------------

#: What hooks may take from the room where scripts are run: none of it runs a script of a migration.
ALLOWED = {
    # Runs the migration on what the rollback has left, and is undone; every rehearsal applies it there too.
    "execution.again": {"apply_again"},
    "execution.hooks": {"Hooks", "Work"},
    "execution.parts": {"commits_one_by_one", "does_nothing"},
    "execution.recipe": {"apply_in_one_transaction", "apply_together", "roll_back_in_one_transaction"},
    "execution.recipe_one_by_one": {"apply_one_by_one", "roll_back_one_by_one"},
    # Sample rows of rehearse_all are no migration's.
    "execution.script": {"LockPolicy", "ScriptFailed", "run_script", "with_lock_retries"},
}


@pytest.mark.parametrize("room", ["rehearsal", "production"])
def test_neither_side_runs_scripts_beside_the_recipe(room: str) -> None:
    """SQL of hooks is left out of the comparison, so they must have no way to a migration's scripts."""
    for path in (ROOMS / room).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("execution"):
                assert {one.name for one in node.names} <= ALLOWED[node.module], path
