# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a step is told about the SQL: facts of all migrations for preflight, statements for those that run."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ...module_utils.errors import Refused, RunbookError
from ...module_utils.execution.parts import lines_of_changes
from ...module_utils.ledger.receipts import ALL_SCRIPTS, RESTORING_STEPS
from ...module_utils.ledger.tags import check_tag
from ..record.record import RunRecord
from ..sql.books import books_of
from ..sql.folder import unusable_names
from ..sql.layouts.choice import AUTO
from ..sql.library import NO_LIBRARY, AmbiguousMigration, Migration, Script, SqlLibrary, read_sql_library
from ..sql.lint import lint
from ..sql.script import SqlScriptError

__all__ = ["ALL", "PENDING", "entry_of", "plan_for", "plan_of_run", "resolve_migration"]

PENDING = "pending"
ALL = "all"

# -e to=tag:release_7; no file can be called so.
TO_TAG = "tag:"

# Steps that look at every migration of the folder, and need no statement of any.
STEPS_OF_FACTS = ("preflight", "status")

# Steps that compare scripts by their digests, and run none.
STEPS_OF_DIGESTS = ("approval", "approve")

FACTS_OF_DEPENDENCIES = ("version", "requires", "requires_declared", "creates")


def plan_of_run(step: str, run: dict[str, Any], record: RunRecord, options: dict[str, Any]) -> dict[str, Any]:
    """What a step of a run is told about the SQL; the record learns which migration is meant.

    Args:
        step: name of the step.
        run: its option ``run``; ``migration`` in it becomes the version that is meant, or the word for several.
        record: of the run.
        options: the others of the step; ``adopt``, ``automatic`` and ``lint_gating_rules`` are looked at.

    Raises:
        RunbookError: the folder cannot be read, or a script that the step needs cannot be used.
    """
    restoring = run["playbook"] == "restore"
    if step == "cleanup":
        return {}  # whatever the SQL is
    if step in ("salvage", "history") or step in RESTORING_STEPS:
        return _books_alone(run)
    if restoring and step in ("preflight", "maintenance_window"):
        return _books_alone(run)
    adopt = boolean(options.get("adopt", False))
    to_roll_back = run["playbook"] == "emergency_rollback" or boolean(options.get("automatic", False))
    limited = bool(run.get("up_to") or run.get("skip"))
    # What is left out may be what cannot be read; what is selected is looked at before anything is done.
    tolerant = restoring or to_roll_back or step == "status" or step == "approve" or limited
    library = _library(run, tolerant).recorded_as(record.content.get("deployed_files") or {})
    # What is adopted is recorded by these names.
    books = books_of(run.get("version_table"), library, tolerant and not adopt)
    if restoring:
        return {**plan_for(step, library, []), "books": books}
    if step == "approve":
        return {**plan_for(step, library, [one.version for one in library.migrations]), "books": books}
    _check_tag(run)
    down_to, to_tag = _down_to(library, run)
    exactly = [library.find(name).version for name in run.get("exactly") or _several(run)]
    if exactly:
        run["migration"] = wanted = exactly[-1]
    elif down_to or to_tag:
        # For the ledger and for people; preflight is told which version stays.
        run["migration"] = wanted = f"{ALL} after {down_to or f'tag {to_tag}'}"
    else:
        run["migration"] = wanted = (
            ALL if step == "status" else resolve_migration(library, run["playbook"], run.get("migration"))
        )
        record.expect(wanted)
    plan = plan_for(
        step,
        library,
        _versions(step, library, ALL if down_to or to_tag or exactly else wanted, record),
        with_statements=adopt,
        to_roll_back=to_roll_back,
        # A rollback asks the linter nothing, and a name that is mistyped must not hold it up.
        lint_gating_rules=() if to_roll_back else _names(options.get("lint_gating_rules")),
    )
    check_smoke(plan)
    chosen = {"down_to": down_to, "to_tag": to_tag, "exactly": exactly}
    return {**plan, "books": books, **chosen, **(_limits(library, run) if limited else {})}


def _several(run: dict[str, Any]) -> list[str]:
    """The migrations that an emergency rollback names, where those are several, with commas between them."""
    wanted = str(run.get("migration") or "")
    if run["playbook"] != "emergency_rollback" or "," not in wanted:
        return []
    return [name.strip() for name in wanted.split(",") if name.strip()]


def _check_tag(run: dict[str, Any]) -> None:
    """An inventory may have a variable of that name for something else, which must not hold up a rollback.

    Raises:
        Refused: what a deploy is given cannot be a tag; or a rollback is given one, and nothing else.
    """
    if run.get("tag") and run["playbook"] == "deploy":
        check_tag(run["tag"])
    names_another = run.get("migration") or run.get("down_to")
    if run.get("tag") and run["playbook"] == "emergency_rollback" and not names_another:
        raise Refused(
            "setting_invalid",
            "tag names the state after a deploy, and is for deploy.yml. To go back to that state: ansible-playbook"
            f" emergency_rollback.yml -e to={TO_TAG}{run['tag']}. Nothing was done.",
        )


def _down_to(library: SqlLibrary, run: dict[str, Any]) -> tuple[str, str]:
    """The version that an emergency rollback leaves in place, or the tag of the state to which it goes back.

    All later ones are taken back; both are empty where another one says what is.

    Raises:
        Refused: there is no such migration, or it says something else than the run's other options.
    """
    if not run.get("down_to"):
        return "", ""
    if run["playbook"] != "emergency_rollback" or run.get("migration"):
        raise Refused(
            "setting_invalid",
            "to names the migration that an emergency rollback leaves in place, while it takes all later ones back."
            f" Type it alone: ansible-playbook emergency_rollback.yml -e to={run['down_to']}. Nothing was done.",
        )
    name = run["down_to"]
    if name.startswith(TO_TAG):
        check_tag(name[len(TO_TAG) :])
        return "", name[len(TO_TAG) :]
    return _applied_version(library, name), ""


def _limits(library: SqlLibrary, run: dict[str, Any]) -> dict[str, Any]:
    """Of pending migrations the last that is wanted, and those that are not.

    Raises:
        Refused: there is no such migration, or one is named already.
    """
    if run["migration"] != PENDING:
        raise Refused(
            "setting_invalid",
            "until and skip choose among pending migrations: -e migration=pending. Nothing was done.",
        )
    return {
        "until": library.find(run["up_to"]).version if run.get("up_to") else "",
        "skip": [library.find(name).version for name in _names(run.get("skip"))],
    }


def _names(given: Any) -> list[str]:
    """Of a list, or of a text with commas or spaces between the names."""
    given = given or []
    return re.split(r"[,\s]+", given.strip()) if isinstance(given, str) else [str(name) for name in given]


def _library(run: dict[str, Any], tolerant: bool) -> SqlLibrary:
    """The folder of SQL.

    A script that nothing selects stops nobody, whatever is wrong with it; of what is selected, preflight says it. But
    of a file whose name cannot be used nobody knows whether it is selected.

    Args:
        tolerant: whether such files, too, are left out.

    Raises:
        RunbookError: it cannot be read.
    """
    folder, layout = run.get("sql_dir") or "sql", run.get("sql_layout") or AUTO
    if tolerant:
        return read_sql_library(folder, True, layout)
    try:
        return read_sql_library(folder, False, layout)
    except SqlScriptError:
        library = read_sql_library(folder, True, layout)
        if library.layout.name != "plain" or unusable_names(Path(library.sql_dir), "migrations"):
            raise
        return library


def _books_alone(run: dict[str, Any]) -> dict[str, Any]:
    """Of a step that runs no SQL of the folder, which may be what is broken: only where versions are recorded."""
    if not run.get("version_table"):
        return {}
    try:
        return {"books": books_of(run["version_table"], _library(run, tolerant=True), tolerant=True)}
    except RunbookError:
        return {"books": books_of(run["version_table"], NO_LIBRARY)}


def _versions(step: str, library: SqlLibrary, wanted: str, record: RunRecord) -> list[str]:
    """The versions whose scripts the step is told about."""
    if step != "preflight" and record.content["migrations"]:
        return list(record.content["migrations"])
    if step == "preflight" or wanted in (PENDING, ALL):
        return [migration.version for migration in library.migrations]
    return [wanted]


def resolve_migration(library: SqlLibrary, playbook: str, wanted: object) -> str:
    """The version that a person means, or one of the words that stand for several.

    Raises:
        Refused: nothing given, unknown, or ambiguous.
    """
    if wanted == PENDING and playbook in ("deploy", "rehearse", "drill"):
        return PENDING
    if playbook == "drill" and not wanted:
        return PENDING
    if wanted == ALL and playbook == "rehearse":
        return ALL
    if playbook == "emergency_rollback":
        return _applied_version(library, wanted)
    return library.find(wanted).version


def _applied_version(library: SqlLibrary, name: object) -> str:
    """The version that a rollback is about; a number that several files have is for the ledger to decide."""
    try:
        return library.find(name).version
    except AmbiguousMigration:
        return str(name).strip()


def plan_for(
    step: str,
    library: SqlLibrary,
    versions: list[str],
    with_statements: bool = False,
    to_roll_back: bool = False,
    lint_gating_rules: Collection[str] = (),
) -> dict[str, Any]:
    """The plan that the module of ``step`` gets.

    Args:
        step: name of the step.
        library: the folder of SQL.
        versions: the versions of the run; for preflight those that it may select.
        with_statements: whether a step of facts needs the statements too (adopting a database does).
        to_roll_back: whether only rollback scripts are going to run.
        lint_gating_rules: of preflight: rules that the linter is to know.

    Returns:
        dict: index (preflight, status), migrations (statements and digests), prechecks (preflight), smoke, versions,
        facts (rehearse, drill), opening (drill: the facts of all migrations, as for the status).

    Raises:
        SqlScriptError: a script of the run does not parse.
        Refused: the linter has no such rule.
    """
    if step in STEPS_OF_FACTS:
        scripts = [migration.apply for migration in library.migrations]
        findings = lint(scripts, lint_gating_rules) if step == "preflight" else None
        to_adopt, undecided = library.to_adopt() if with_statements else ([], {})
        # Digests only: preflight records them, and the later steps send the statements.
        return {
            "index": [
                {**entry_of(entry, migration), "lint": (findings or {}).get(migration.apply.name, [])}
                for entry, migration in zip(library.index(), library.migrations, strict=True)
            ],
            "migrations": (
                to_adopt if with_statements else [_digests(library.find(version)) for version in versions]
            ),
            "undecided": undecided,
            "prechecks": library.prechecks() if step == "preflight" and not to_roll_back else {},
            "smoke_digests": {script.name: script.sha256 for script in library.smoke},
            "smoke_problems": [problem for script in library.smoke for problem in _problems(script)],
            "warnings": [str(remark) for remark in library.warnings],
            "unusable": library.problems(),
            "linted": findings is not None,
            "layout": {"name": library.layout.name, "sentence": library.layout.in_words()},
        }
    if step in STEPS_OF_DIGESTS:
        return {
            "migrations": [_digests(library.find(version)) for version in versions],
            "smoke": [{"name": script.name, "sha256": script.sha256} for script in library.smoke],
            "versions": versions,
        }
    plan: dict[str, Any] = {
        "migrations": library.payload(versions, to_roll_back),
        "smoke": library.smoke_payload(),
        "versions": versions,
    }
    if step in ("rehearse", "drill"):
        # What a migration uses may have been made by any other.
        plan["facts"] = [{key: entry[key] for key in FACTS_OF_DEPENDENCIES} for entry in library.index()]
    if step == "drill":
        # For the preflight of the runs on the copy; the linter was asked by its own.
        plan["opening"] = plan_for("status", library, [one.version for one in library.migrations])
    return plan


def _digests(migration: Migration) -> dict[str, Any]:
    return {
        "version": migration.version,
        **{
            kind: {"sha256": script.sha256} if (script := getattr(migration, kind)) else None
            for kind in ALL_SCRIPTS
        },
    }


def entry_of(entry: dict[str, Any], migration: Migration) -> dict[str, Any]:
    """A migration's entry of the library's index, with what preflight's checks ask beyond that."""
    rollback = migration.rollback
    return {
        **entry,
        "apply_name": migration.apply.name,
        "rollback_name": rollback.name if rollback else None,
        "problems": [
            problem
            for script in (migration.apply, rollback, migration.verify, migration.precheck)
            if script
            for problem in _problems(script)
        ],
        "rollback_problems": _problems(rollback) if rollback else [],
        "statements": _statement_count(migration.apply),
        "rollback_statements": _statement_count(rollback),
        "one_by_one": {"apply": _one_by_one(migration.apply), "rollback": _one_by_one(rollback)},
    }


def _problems(script: Script) -> list[dict[str, str]]:
    try:
        script.parse()
    except SqlScriptError as error:
        return [{"reason_code": error.code, "reason": error.reason}]
    return []


def _statement_count(script: Script | None) -> int:
    if script is None or _problems(script):
        return 0
    return len(script.parse().statements)


def _one_by_one(script: Script | None) -> dict[str, Any]:
    """Statements that cannot be in a transaction, and what the script says and has of transactions itself."""
    if script is None or _problems(script):
        return {"statements": [], "declared": None, "blocks": 0, "changes": [], "shared": []}
    parsed = script.parse()
    return {
        "statements": [
            {"line": one.line, "command": one.outside_transaction, "object": one.object}
            for one in parsed.statements
            if one.outside_transaction
        ],
        "declared": script.header.transaction,
        "batches": script.header.batches is not None,
        "blocks": parsed.transaction_blocks,
        "shared": [{"line": line, "command": command} for line, command in parsed.shared],
        # Of a rollback: the parts that may change rows.
        "changes": lines_of_changes(script.payload()),
    }


def check_smoke(plan: dict[str, Any]) -> None:
    """Refuse smoke scripts that do not parse.

    Raises:
        Refused: with the first problem.
    """
    for problem in plan.get("smoke_problems", []):
        raise Refused(problem["reason_code"], problem["reason"])
