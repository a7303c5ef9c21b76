# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What rollbacks leave behind on a copy: what each of them may leave, and what that means for those that come after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..catalog.difference import Difference, describe
from ..catalog.remade import difference_left
from ..catalog.residue import COLUMN_ORDER, beyond_residue, header_line, undeclared
from ..consent import Consent
from ..content.difference import difference as content_difference
from ..errors import Refused
from ..ledger.ledger import Ledger
from ..ledger.residue import residue_left
from ..postgres.connection import transaction
from ..sentences import listed
from ..shapes import Catalog, Connection, Content, Impact, Json, Migration
from .data_loss import accepted_loss
from .grown import grown_tables

__all__ = ["LeftBehind"]


class LeftBehind:
    """The one rule on what a rollback need not give back, and the memory of what was let pass.

    Args:
        copy: connection to the copy.
        production: idle connection to the database that the copy was made from, to name the rows that a rollback does
            not give back.
        accept_data_loss: for which migrations rows that a rollback does not give back may stay so where the header
            declares it; see Consent.of().
        accept_residue: likewise, for which what no rollback can take back may stay though no header declares it.
        residue: what earlier rollbacks have rightly left on this copy.

    Attributes:
        residue: what rollbacks have left by now; the schemas before them are compared with that in place.
    """

    def __init__(
        self,
        copy: Connection,
        production: Connection | None,
        accept_data_loss: Any,
        accept_residue: Any,
        residue: Iterable[str],
    ) -> None:
        self.copy = copy
        self.production = production
        self.accept_data_loss = Consent.of(accept_data_loss)
        self.accept_residue = Consent.of(accept_residue)
        self.residue: set[str] = set(residue)
        # Tables in which rollbacks have left other rows than there were: they say nothing about earlier migrations.
        self._other_rows: set[str] = set()

    def all_applied(self) -> None:
        """The rows of all tables can be compared again: the migrations are in place, and no rollback has begun."""
        self._other_rows = set()

    def differing(self, before: Catalog, after: Catalog) -> list[str]:
        """How a later schema of the copy differs from an earlier one, for the person on call; see difference_left().

        What rollbacks have rightly left does not count.
        """
        found, residue = self._parted(before, after)
        return [*describe(found), *sorted(set(residue) - self.residue)]

    def differing_again(
        self, first: Catalog, again: Catalog, before: Catalog, left: Sequence[str]
    ) -> list[str]:
        """How the schema of a second apply differs from that of the first.

        A table that the migration makes of another one has that one's columns in their order; and that order may be
        what the rollback has rightly left.

        Args:
            first, again: after the migration.
            before: before it.
            left: what its rollback has left.
        """
        found, residue = self._parted(first, again)
        of_others = {one for one in residue if one.startswith(f"{COLUMN_ORDER} ") and one not in before}
        may_differ = of_others if any(one.startswith(COLUMN_ORDER) for one in left) else set()
        return [*describe(found), *sorted(set(residue) - self.residue - may_differ)]

    def of_schema(self, migration: Migration, before: Catalog, after: Catalog) -> list[str]:
        """What the rollback of the migration has left of the schema that it rightly may.

        Raises:
            Refused: it does not give back the schema, or leaves something that it does not declare.
        """
        difference, residue = self._parted(before, after)
        left = [one for one in residue if one not in self.residue]
        if difference:
            raise Refused(
                "rehearsal_rollback_schema_differs",
                f"Checklist item 'rollback tested on a copy': the rollback of {migration['version']} does not give back"
                f" the schema: {listed(describe(difference))}. Correct the rollback script.",
            )
        silent = undeclared(left, migration.get("leaves", []))
        if silent and not self.accept_residue.given_for(migration["version"]):
            raise Refused(
                "rehearsal_rollback_leaves_residue",
                f"Checklist item 'rollback tested on a copy': the rollback of {migration['version']} does not give back"
                f" the schema: {listed(silent)}, which PostgreSQL cannot take back. If that may stay, say so in the"
                f" header of the rollback script, one line each: {listed([header_line(one) for one in silent])}."
                f" Or accept it once: -e accept_residue={migration['version']}",
                residue=silent,
            )
        self.residue.update(left)
        return left

    def of_rows(
        self, migration: Migration, before: Content | None, after: Content, impacts: Sequence[Impact]
    ) -> tuple[list[Json], list[str], list[str]]:
        """What the rollback does not give back of rows and need not.

        Args:
            before: the rows before the migration, or None where nobody knows them.
            after: those after its rollback.
            impacts: of the migration and of its rollback.

        Returns:
            the losses; tables of which a later rollback has left nothing to tell; lines that declare tables which only
            grew.

        Raises:
            Refused: it does not give back what it should.
        """
        problems = content_difference(before, after) if before else []
        own = [found for found in problems if found["table"] not in self._other_rows]
        not_compared = sorted({found["table"] for found in problems} & self._other_rows)
        grown = grown_tables(migration, own, impacts)
        self._other_rows.update(grown)
        own = [found for found in own if found["table"] not in grown]
        lines = sorted(set(grown.values()))
        if not before or not own:
            return [], not_compared, lines
        accepts = self.accept_data_loss.given_for(migration["version"])
        lost = accepted_loss(migration, own, before, (self.production, self.copy), accepts)
        self._other_rows.update(found["table"] for found in own)
        return lost, not_compared, lines

    def earlier(self, migration: Migration) -> list[str]:
        """What an earlier rollback of the migration has left in production, and so on the copy."""
        with transaction(self.copy) as cursor:
            return residue_left(Ledger().receipts(cursor)).get(migration["version"], [])

    def _parted(self, before: Catalog, after: Catalog) -> tuple[Difference, list[str]]:
        with transaction(self.copy) as cursor:
            return beyond_residue(difference_left(cursor, before, after))
