# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks of preflight that ask the scripts: whether each may be applied or rolled back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any

from ..consent import Consent
from ..errors import Refused
from ..sentences import listed
from ..shapes import IndexEntry, Json

__all__ = [
    "check_lint",
    "check_rows_change_together",
    "check_scripts_to_apply",
    "check_scripts_to_roll_back",
    "faults_of_scripts",
    "faulty_migrations",
]


# Those of which execution/outside_transaction.py can tell from the catalog whether they took effect, or that can be
# repeated.
RESUMABLE_COMMANDS = (
    "CREATE INDEX CONCURRENTLY",
    "DROP INDEX CONCURRENTLY",
    "REINDEX CONCURRENTLY",
    "DETACH PARTITION CONCURRENTLY",
    "ALTER TYPE ADD VALUE with the new value used later in the script",
    "VACUUM",
    "CLUSTER without a table",
    "REINDEX SCHEMA",
)


def check_scripts_to_apply(
    index: Iterable[IndexEntry],
    versions: Iterable[str],
    name_all: bool = False,
    accept_empty_rollback: Any = False,
) -> None:
    """Each selected migration parses, runs in one transaction and has a rollback.

    Args:
        name_all: whether what is wrong with any of them is said, and not only what is found first.
        accept_empty_rollback: for which of them the rollback may have no statement, as one that says why in a comment;
            see Consent.of().

    Raises:
        Refused: naming the item of the checklist.
    """
    by_version = {entry["version"]: entry for entry in index}
    may_be_empty = Consent.of(accept_empty_rollback)
    faults = (
        fault
        for version in versions
        for fault in _faults(by_version[version])
        if not (fault.code == "rollback_script_empty" and may_be_empty.given_for(version))
    )
    first = next(faults, None)
    if first is None:
        return
    others = [fault.reason for fault in faults] if name_all else []
    if others:
        total = f"The scripts have {len(others) + 1} faults"
        raise Refused(first.code, f"{total}: {listed([first.reason, *others])}", **first.details)
    raise first


def faulty_migrations(
    index: Iterable[IndexEntry], accept_empty_rollback: Any = False
) -> dict[str, dict[str, str]]:
    """Version -> reason_code and reason of the first fault, of the migrations that check_scripts_to_apply() refuses.

    Args:
        index, accept_empty_rollback: as for that.
    """
    faults: dict[str, dict[str, str]] = {}
    for entry in index:
        try:
            check_scripts_to_apply([entry], [entry["version"]], True, accept_empty_rollback)
        except Refused as fault:
            faults[entry["version"]] = {"reason_code": fault.code, "reason": fault.reason}
    return faults


def _faults(entry: IndexEntry) -> Iterator[Refused]:
    for problem in entry["problems"]:
        yield Refused(problem["reason_code"], problem["reason"])
    if not entry["problems"]:
        yield from faults_of_scripts(entry)


def faults_of_scripts(entry: IndexEntry) -> Iterator[Refused]:
    """All for which a migration may not be applied though its scripts parse; of one that does not parse nothing.

    ``details`` of each has the name of its ``script``, and where one is meant the ``line``.
    """
    for check in _checks_of_scripts(entry):
        try:
            check()
        except Refused as fault:
            yield fault


def _checks_of_scripts(entry: IndexEntry) -> Iterator[Callable[[], None]]:
    yield partial(_check_has_statements, entry)
    yield partial(_check_rollback_exists, entry)
    for kind in ("apply", "rollback"):
        name, facts = _name(entry, kind), entry["one_by_one"][kind]
        for statement in facts["statements"]:
            yield partial(check_statement, name, statement, facts["declared"])
        yield partial(check_own_transactions, name, facts)
        for statement in facts["shared"]:
            yield partial(check_not_shared, name, statement)
        if kind == "rollback":
            yield partial(_check_no_batches, name, facts)
            yield partial(check_rows_change_together, name, facts["changes"])
        yield partial(_check_files_can_follow, entry, kind)


def _check_has_statements(entry: IndexEntry) -> None:
    if entry["statements"] == 0 and not entry["problems"]:
        raise Refused(
            "migration_empty",
            f"Migration {entry['version']} has no statement: {entry['apply_name']} is empty. Write it, or remove its"
            " files.",
            script=entry["apply_name"],
        )


def _name(entry: IndexEntry, kind: str) -> str | None:
    return entry["apply_name"] if kind == "apply" else entry["rollback_name"]


def _check_files_can_follow(entry: IndexEntry, kind: str) -> None:
    """Changes of paths are found by comparing before and after, which only one transaction makes possible."""
    facts = entry["one_by_one"][kind]
    if entry.get("files") and (facts["statements"] or facts["declared"] == "none"):
        raise Refused(
            "script_must_be_split",
            f"{_name(entry, kind)} is not one transaction, although the header of {entry['apply_name']} says '-- Files:"
            " rename'. Split it, so that the paths are changed in a transaction of their own.",
            script=_name(entry, kind),
        )


def check_lint(
    index: Iterable[IndexEntry], versions: Iterable[str], gating_rules: Collection[str]
) -> dict[str, list[Json]]:
    """Refuse a selected migration in which the linter found what may not be.

    Args:
        gating_rules: names of the rules that refuse; all other findings are only reported.

    Returns:
        dict: version -> findings of each selected migration.

    Raises:
        Refused: naming script, line and rule.
    """
    by_version = {entry["version"]: entry for entry in index}
    findings = {version: by_version[version]["lint"] for version in versions}
    for version, found in findings.items():
        for finding in found:
            if finding["rule"] in gating_rules:
                raise Refused(
                    "lint_rule_broken",
                    f"{by_version[version]['apply_name']} line {finding['line']}: {finding['message']} The linter's"
                    f" rule {finding['rule']} is among preflight_lint_gating_rules. Correct the statement, or take the"
                    " rule off that list.",
                )
    return findings


#: How a refusal begins that is about what PostgreSQL will not do in a transaction.
ITEM = "Checklist item 'migration runs in one transaction'"


def check_statement(name: str | None, statement: Json, declared: str | None) -> None:
    """A statement that cannot be in a transaction is one after which a killed script can be gone on with.

    Args:
        name: of the script.
        statement: line, command, object.
        declared: what the script's header says: "one", "none" or None.

    Raises:
        Refused: naming the line.
    """
    where = f"{ITEM}: {name} line {statement['line']}: {statement['command']}"
    place = {"script": name, "line": statement["line"]}
    if statement["command"] not in RESUMABLE_COMMANDS:
        raise Refused(
            "statement_not_resumable",
            f"{where} reaches beyond this database, or could not be resumed after a kill. Carry it out by hand,"
            " outside of the runbook.",
            **place,
        )
    if declared == "one":
        raise Refused(
            "statement_not_resumable",
            f"{where} cannot run inside a transaction, although the header says '-- Transaction: one'. Correct the"
            " header, or take the statement out.",
            **place,
        )
    if statement["command"] == "CREATE INDEX CONCURRENTLY" and statement["object"] is None:
        raise Refused(
            "statement_not_resumable",
            f"{where} gives the index no name, so that after a kill nothing would tell whether it is there. Name it.",
            **place,
        )


def check_own_transactions(name: str | None, facts: Json) -> None:
    """A script whose statements commit one by one has no transaction of its own.

    Args:
        name: of the script.
        facts: statements that cannot be in a transaction; declared (see check_statement); blocks, how many
            transactions of its own it has.

    Raises:
        Refused: it has both.
    """
    if (facts["statements"] or facts["declared"] == "none") and facts["blocks"]:
        raise Refused(
            "script_must_be_split",
            f"{ITEM}: {name} has a BEGIN of its own and statements that cannot run in a transaction, so that its"
            " statements would be committed one by one. Split it into two migrations.",
            script=name,
        )


def check_not_shared(name: str | None, statement: Json) -> None:
    """A script changes nothing that all databases of the server share: the rehearsal would change it in production.

    A rollback is not asked: of what was deployed as it is, it has to go back.

    Args:
        name: of the script.
        statement: line, command.

    Raises:
        Refused: it does.
    """
    if " SUBSCRIPTION " in statement["command"]:
        raise Refused(
            "statement_forbidden",
            f"{name} line {statement['line']}: {statement['command']} starts a subscription. That of the copy would, in"
            " the rehearsal, read from the publisher what production's own is to read, and the slot would not give it"
            " again. Start it by hand, before the deploy or after it.",
            script=name,
            line=statement["line"],
        )
    raise Refused(
        "statement_forbidden",
        f"{name} line {statement['line']}: {statement['command']} changes what all databases of the server share, and"
        " on the copy's server, which is production's own unless another one is named, the rehearsal would change it"
        " for good. Carry it out by hand before the deploy. What only this database is to have can be written without"
        " its name: DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ...', current_database()); END $$",
        script=name,
        line=statement["line"],
    )


def check_rows_change_together(name: str | None, lines: list[int]) -> None:
    """What a rollback destroys is kept in one transaction, so that no more than one part of it may destroy something.

    Args:
        name: of the rollback script.
        lines: for each part that may change rows its first such line; between parts are statements that cannot be
            in a transaction.

    Raises:
        Refused: naming the lines.
    """
    if len(lines) > 1:
        raise Refused(
            "rollback_changes_rows_apart",
            f"{name} may change rows in {len(lines)} places (lines {', '.join(map(str, lines))}), and statements"
            " between them cannot run in a transaction. What a rollback destroys is kept in one transaction: put the"
            " statements that change rows together, before or after the others.",
            script=name,
            line=lines[0],
        )


def _check_no_batches(name: str | None, facts: Json) -> None:
    """A rollback has none: what it destroys is kept in one transaction."""
    if facts.get("batches"):
        raise Refused(
            "batches_not_possible",
            f"{name}: the header of a rollback says '-- Batches:', and what a rollback destroys is kept in one"
            " transaction. Take that line out.",
            script=name,
        )


def check_scripts_to_roll_back(
    index: Iterable[IndexEntry],
    versions: Iterable[str],
    backup_of: Callable[[str], Json | None] = lambda version: None,
    accept_empty_rollback: Any = False,
) -> None:
    """Each migration has a rollback that parses.

    Args:
        backup_of: function version -> verified backup made before it was deployed (dict run_id, folder), or None.
        accept_empty_rollback: see check_scripts_to_apply().

    Raises:
        Refused: and names the verified backup where a script is missing.
    """
    by_version = {entry["version"]: entry for entry in index}
    may_be_empty = Consent.of(accept_empty_rollback)
    for version in versions:
        entry = by_version[version]
        if entry["rollback_name"] is None or (
            entry["rollback_statements"] == 0 and not may_be_empty.given_for(version)
        ):
            _check_rollback_exists(entry, backup_of(version))
        for problem in entry["rollback_problems"]:
            raise Refused(problem["reason_code"], problem["reason"])
        _check_no_batches(entry["rollback_name"], entry["one_by_one"]["rollback"])
        check_rows_change_together(entry["rollback_name"], entry["one_by_one"]["rollback"]["changes"])


def _check_rollback_exists(entry: IndexEntry, backup: Json | None = None) -> None:
    instead = (
        f" The verified backup from before its deploy ({backup['folder']}) can be put back:"
        f" ansible-playbook playbooks/restore.yml -e run_id={backup['run_id']}"
        if backup is not None
        else ""
    )
    if entry["rollback_name"] is None:
        raise Refused(
            "rollback_script_missing",
            f"Checklist item 'rollback script exists': migration {entry['version']} has no"
            f" {entry['rollback_place']}.{instead}",
            script=entry["apply_name"],
        )
    if entry["rollback_statements"] == 0 and not entry["rollback_problems"]:
        raise Refused(
            "rollback_script_empty",
            f"Checklist item 'rollback script exists': {entry['rollback_place']} has no statement. Write it;"
            " or, if there is nothing to take back, let a comment in it say why, and accept that:"
            f" -e accept_empty_rollback={entry['version']}{'.' if instead else ''}{instead}",
            script=entry["rollback_name"],
        )
