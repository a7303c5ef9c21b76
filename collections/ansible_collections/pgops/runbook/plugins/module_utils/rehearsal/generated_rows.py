# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same migrations once more on the same copy, on rows that were made up, where there are none or few.

What a rehearsal says of production it has said before, on the rows as they are. This asks one thing only: whether a
rollback loses rows, or fails, where there are some. That a migration cannot be applied to made-up rows says nothing
against it: it may know its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from ..errors import Refused, RunbookError
from ..execution.parts import commits_one_by_one
from ..generation.generator import Generator
from ..ledger.versions import VersionTable
from ..postgres.connection import psycopg2, sql, transaction
from ..postgres.message import one_line
from ..postgres.script_session import on_role_path
from ..sentences import listed
from ..shapes import Catalog, Connection, Content, Json, Migration
from .failures import refusal_of_all
from .rehearsal import Rehearsal

__all__ = ["OnGeneratedRows", "generated_spec", "refuse_too_many_rows", "rehearse_on_generated_rows"]

MOST_ROWS = 10_000

# What is wrong by itself, whichever rows show it.
AS_IT_IS = (
    "rehearsal_rollback_schema_differs",
    "rehearsal_rollback_leaves_residue",
    "sequence_would_collide",
)


def generated_spec(rows: int) -> Json:
    """Module options; ``rows`` is the default."""
    return {
        "generated_rows": {"type": "int", "default": rows},
        "generated_rows_seed": {"type": "int", "default": 1},
    }


def refuse_too_many_rows(params: Mapping[str, Any]) -> None:
    """
    Raises:
        Refused: the number of rows is none that can be made.
    """
    rows = params["generated_rows"]
    if not 0 <= rows <= MOST_ROWS:
        raise Refused(
            "generated_rows_out_of_range",
            f"{rows} is no number of rows to generate: rehearsal_rows and rehearse_generated_rows go from 0, which is"
            f" none, to {MOST_ROWS}. Production was not touched.",
        )


def rehearse_on_generated_rows(
    connection: Connection,
    copy: str,
    migrations: Sequence[Migration],
    evidence: Sequence[Json],
    params: Mapping[str, Any],
    from_empty: bool = False,
    anew: Callable[[], Connection] | None = None,
    failures: Mapping[str, RunbookError] = MappingProxyType({}),
    untried: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Json | None:
    """Rehearse the rollbacks once more, on generated rows, if any are wanted.

    Args:
        connection: to the copy.
        copy: its name.
        migrations: in their order; on a copy of production they are applied by now, else not.
        evidence: what the rehearsal before found of each; each gets ``generated_rows``.
        params: of the module: the options of generated_spec(), consents and limits.
        from_empty: whether the database was made from nothing: empty tables only are filled, and each rollback is
            also run with rows in what its migration has made.
        anew: gives a connection to another empty database of that name, in which to go on after a failure; without it
            the first failure is the end.
        failures, untried: what the rehearsal before found beside the evidence (see FromEmpty). A migration that has no
            evidence is applied, and not tried.

    Returns:
        see OnGeneratedRows.rehearse(); None where no rows are wanted.

    Raises:
        Refused: a rollback loses rows, or fails; with ``anew`` all of them, and ``failures``, at the end.
    """
    if not params["generated_rows"] or not migrations:
        return None
    generator = Generator(
        copy,
        params["generated_rows"],
        params["generated_rows_seed"],
        lambda cursor: VersionTable(cursor).quoted_names(),
        only_empty=from_empty,
    )
    again = OnGeneratedRows(
        connection,
        generator,
        evidence,
        # Nor is the schema given back where one of them leaves something.
        from_empty and not failures,
        anew,
        accept_data_loss=params["accept_data_loss"],
        accept_residue=params["accept_residue"],
        statement_timeout_seconds=params.get("statement_timeout_seconds") or 0,
    )
    ended = None if from_empty else again.go_back(migrations)
    if ended:
        return again.summary(ended)
    summary = again.rehearse(migrations)
    failed = {**failures, **again.failures}
    if failed:
        proofs = {proof["version"]: proof for proof in evidence if proof["version"] not in failed}
        raise refusal_of_all(failed, untried, proofs)
    return summary


class OnGeneratedRows:
    """Rehearses the rollbacks of migrations on generated rows.

    Args:
        connection: to the copy.
        generator: Generator of that copy.
        evidence: what the rehearsal before found of each migration; each gets ``generated_rows``.
        over_rows: whether all rollbacks are also run with rows over them that nobody had before the migration.
        anew: see rehearse_on_generated_rows().
        options: those of Rehearsal that are about consents and limits.

    Attributes:
        failures: by version, why it was refused, where there is ``anew``.
    """

    def __init__(
        self,
        connection: Connection,
        generator: Generator,
        evidence: Sequence[Json],
        over_rows: bool = False,
        anew: Callable[[], Connection] | None = None,
        **options: Any,
    ) -> None:
        residue = {one for proof in evidence for one in proof.get("residue") or []}
        self.failures: dict[str, RunbookError] = {}
        self.anew = anew
        self.generator = generator
        self.evidence = evidence
        self.over_rows = over_rows
        self.filled: set[str] = set()
        self._options = {"residue": residue, **options}
        self._begin(connection)

    def _begin(self, connection: Connection) -> None:
        self.connection = connection
        self.rehearsal = Rehearsal(connection, **self._options)

    def rehearse(self, migrations: Sequence[Migration]) -> Json:
        """Rehearse them from where the first of them is not applied.

        Returns:
            see summary().

        Raises:
            Refused: a rollback loses rows, or fails, and there is no going on.
        """
        # Verify scripts, as smoke scripts, may know which rows there are.
        plain = [cast("Migration", {**one, "verify": None}) for one in migrations]
        catalogs: list[Catalog] = []
        ended = None
        proofs = {proof["version"]: proof for proof in self.evidence}
        for place, migration in enumerate(plain):
            proof = proofs.get(migration["version"])
            if proof is None:
                ended = self._again(migration) and self._without_rows(migration)
                if ended:
                    break
                continue
            self._fill()
            before = self.rehearsal.state()
            catalogs.append(before[0])
            try:
                ended = self._one(migration, proof, before)
            except Refused as refusal:
                self._go_on(refusal, migration, plain[: place + 1])
            if ended:
                break
        if not ended and self.over_rows:
            self._fill()
            ended = self._all_back(plain, catalogs)
        return self.summary(ended)

    def _go_on(self, refusal: Refused, migration: Migration, in_place: Sequence[Migration]) -> None:
        """After a refusal: what should be in place by then, in a new database without rows.

        Raises:
            Refused: the same, where there is no going on.
        """
        if self.anew is None:
            raise refusal
        self.failures.setdefault(migration["version"], refusal)
        self._begin(self.anew())
        self.generator.forget()
        for one in in_place:
            self.rehearsal.apply(one, again=True)

    def summary(self, ended: str | None) -> Json:
        """{"rows", "seed", "filled": number of tables that got rows, "unfilled": {table: why}, "ended": why not all
        migrations were rehearsed so, or None}."""
        return {
            "rows": self.generator.rows,
            "seed": self.generator.seed,
            "filled": len(self.filled),
            "unfilled": dict(sorted(self.generator.unfilled.items())),
            "ended": ended,
        }

    def go_back(self, migrations: Sequence[Migration]) -> str | None:
        """Roll all of them back on the copy; why that did not do, or None."""
        for migration in reversed(migrations):
            try:
                self.rehearsal.roll_back(migration)
            except Refused as refusal:
                return refusal.reason
        return None

    def _fill(self) -> None:
        self.filled.update(one.table for one in self.generator.fill(self.connection) if one.rows)

    def _one(self, migration: Migration, proof: Json, before: tuple[Catalog, Content]) -> str | None:
        """One migration: why the others cannot follow, or None."""
        seen: Json = {
            "compared": None,
            "over": None,
            "not_given_back": [],
            "not_applied": None,
            "refuses": None,
        }
        proof["generated_rows"] = seen
        try:
            work = self.rehearsal.apply(migration)
        except Refused as refusal:
            seen["not_applied"] = refusal.reason
            return self._without_rows(migration)
        rows = self.rehearsal.rows_in(before[1])
        try:
            shown = self.rehearsal.prove_rollback(migration, before, work.after, work.impact)
        except Refused as refusal:
            raise self._refused(refusal, rows) from None
        seen["compared"] = rows
        seen["not_given_back"] = [table["words"] for table in shown["not_given_back"]]
        return self._again(migration)

    def _again(self, migration: Migration) -> str | None:
        try:
            self.rehearsal.apply(migration)
        except Refused as refusal:
            return refusal.reason
        return None

    def _without_rows(self, migration: Migration) -> str | None:
        """Apply a migration that generated rows are in the way of; why that is not to be done, or None."""
        if commits_one_by_one(migration["apply"]) or not self.generator.only_empty:
            return f"{migration['version']} cannot be applied to generated rows"
        return self._take_rows_away() or self._again(migration)

    def _take_rows_away(self) -> str | None:
        """Empty the tables that were filled, and those that refer to them; why that did not do, or None."""
        names = self.generator.forget()
        try:
            with transaction(self.connection) as cursor:
                for name in names:
                    cursor.execute("SELECT pg_catalog.to_regclass(%s) IS NOT NULL", (name,))
                    if cursor.fetchone() == (True,):
                        # As PostgreSQL writes it.
                        with on_role_path(cursor):
                            cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(name)))
        except psycopg2.Error as error:
            if self.connection.closed:
                raise
            return f"the generated rows could not be taken away again: {one_line(error)}"
        return None

    def _all_back(self, migrations: Sequence[Migration], catalogs: Sequence[Catalog]) -> str | None:
        """Roll all back, newest first, with rows in what each of them has made.

        A rollback may rightly refuse to go over such rows, which the schema before has no place for.
        """
        _, content = self.rehearsal.state()
        for position in range(len(migrations) - 1, -1, -1):
            migration, seen = migrations[position], self.evidence[position]["generated_rows"]
            rows = self.rehearsal.rows_in(content)
            try:
                self.rehearsal.roll_back(migration)
            except Refused as refusal:
                seen["refuses"] = refusal.reason
                if commits_one_by_one(migration["rollback"]):
                    return f"the rollback of {migration['version']} ended half way over generated rows"
                ended = self._take_rows_away() or self.go_back([migration])
                if ended:
                    return ended
                self._fill()
                _, content = self.rehearsal.state()
                continue
            catalog, content = self.rehearsal.state()
            try:
                self._compare(migration, self.rehearsal.differing(catalogs[position], catalog), rows)
            except Refused as refusal:
                self._go_on(refusal, migration, migrations[:position])
                self._fill()
                _, content = self.rehearsal.state()
                continue
            seen["over"] = rows
        return None

    def _compare(self, migration: Migration, lines: Sequence[str], rows: Json) -> None:
        """
        Raises:
            Refused: the rollback leaves the schema different where there are rows.
        """
        if lines:
            raise Refused(
                "rehearsal_rollback_schema_differs",
                f"{self._on(rows)}, the rollback of {migration['version']} does not give back the schema:"
                f" {listed(lines)}. Correct the rollback script.",
            )

    def _on(self, rows: Json) -> str:
        tables = listed([f"{name} ({count})" for name, count in rows["tables"].items()], 5)
        return f"With {self.generator.rows} generated rows a table (seed {self.generator.seed}), among them {tables}"

    def _refused(self, refusal: Refused, rows: Json) -> Refused:
        """A refusal of the rehearsal, as one that is about generated rows."""
        reason = f"{self._on(rows)}: {refusal.reason}"
        if refusal.code == "rehearsal_rollback_data_differs":
            return Refused("rollback_loses_generated_rows", reason, **refusal.details)
        if refusal.code in AS_IT_IS:
            return Refused(refusal.code, reason, **refusal.details)
        return Refused("rollback_fails_on_generated_rows", reason, **refusal.details)
