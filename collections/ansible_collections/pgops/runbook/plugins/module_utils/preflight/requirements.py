# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a migration's header requires the migrations whose objects it uses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ..catalog.difference import difference
from ..errors import Refused
from ..ledger.ledger import Ledger
from ..ledger.versions import VersionTable
from ..postgres.answers import one_row
from ..postgres.script_session import schemas_of_role
from ..sentences import listed
from ..shapes import Catalog, Cursor, Json, Migration

__all__ = ["check_declared", "makers_in_production", "makers_of_chain"]

# Lists of a script's footprint, and the words that their objects have in a catalog.
WORDS = {
    "tables": ("table", "foreign table"),
    "views": ("view", "materialized view"),
    "indexes": ("index",),
    "types": ("enum", "domain", "range", "composite type"),
    "functions": ("function", "procedure"),
    "columns": ("column",),
}


def makers_in_production(
    cursor: Cursor, keys: Collection[str], facts: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """Which applied migration made which object.

    The ledger knows it of those that the runbook deployed. Of the others the scripts tell, as far as they say
    it outside of DO blocks.

    Args:
        cursor: of a transaction in the target database.
        keys: keys of catalogs.
        facts: of each migration in order: version and creates (footprint, or None).

    Returns:
        dict key -> version; keys whose maker is not known are left out.
    """
    applied = VersionTable(cursor).applied()
    made = {}
    for one in facts:
        if one["version"] in applied and one["creates"]:
            made.update(dict.fromkeys(_named_by_footprint(cursor, one["creates"], keys), one["version"]))
    made.update(Ledger().makers(cursor, keys))
    return made


def _named_by_footprint(
    cursor: Cursor, creates: Mapping[str, list[list[str]]], keys: Collection[str]
) -> list[str]:
    """Those of ``keys`` that a footprint names."""
    functions = {key.split("(", 1)[0]: key for key in keys if "(" in key}
    # What a script names without a schema it makes in the first one of the role's path.
    schemas = schemas_of_role(cursor)
    first = schemas[0] if schemas else None
    named: list[str] = []
    for kind, words in WORDS.items():
        for schema, *names in creates[kind]:
            cursor.execute(
                "SELECT string_agg(quote_ident(n), '.' ORDER BY position)"
                " FROM unnest(array_prepend(coalesce(%s, %s), %s::text[]))"
                " WITH ORDINALITY AS name(n, position)",
                (schema, first, names),
            )
            (identity,) = one_row(cursor)
            for word in words:
                key = f"{word} {identity}"
                named += [known for known in (functions.get(key), key) if known is not None and known in keys]
    return named


def makers_of_chain(evidence: Iterable[Json], catalogs: Mapping[str, Catalog]) -> dict[str, str]:
    """dict key -> version, of objects that a rehearsed migration made.

    Args:
        evidence: of the rehearsal, in order.
        catalogs: digest -> catalog.
    """
    made: dict[str, str] = {}
    for proof in evidence:
        added = difference(catalogs[proof["catalog_before"]], catalogs[proof["catalog_after"]]).added
        made.update((key, proof["version"]) for key in added)
    return made


def check_declared(
    migrations: Iterable[Migration],
    evidence: Iterable[Json],
    made: Mapping[str, str],
    facts: Sequence[Mapping[str, Any]],
) -> None:
    """Note in the evidence which migrations each one depends on, and refuse what its header leaves out.

    Args:
        migrations: those rehearsed, with the apply script.
        evidence: theirs, with ``uses`` (keys); gets ``depends_on`` (versions).
        made: dict key -> version.
        facts: of each migration of the folder: version, requires and requires_declared.

    Raises:
        Refused: for a header with a line '-- Requires:' that names neither the maker of an object that the
            migration uses nor one that requires it. A script without that line requires all before it.
    """
    requires = {one["version"]: one["requires"] for one in facts}
    declares = {one["version"]: one["requires_declared"] for one in facts}
    for migration, proof in zip(migrations, evidence):
        version = migration["version"]
        # A maker whose script is gone cannot be required any more.
        uses = {key: made[key] for key in proof["uses"] if made.get(key) in requires}
        uses = {key: maker for key, maker in uses.items() if maker != version}
        proof["depends_on"] = sorted(set(uses.values()))
        declared = _closure(version, requires)
        missing = {key: maker for key, maker in uses.items() if maker not in declared}
        if missing and declares.get(version):
            makers = ", ".join(sorted(set(missing.values())))
            objects = listed([f"{key} of {maker}" for key, maker in missing.items()])
            raise Refused(
                "requirement_not_declared",
                f"Checklist item 'dependencies identified': {migration['apply']['name']} uses objects of"
                f" {makers}, but its header does not require it. Add it to the line '-- Requires:'. It uses {objects}.",
            )


def _closure(version: str, requires: Mapping[str, list[str]]) -> set[str]:
    reached, open_ends = set(), list(requires.get(version, []))
    while open_ends:
        one = open_ends.pop()
        if one not in reached:
            reached.add(one)
            open_ends += requires.get(one, [])
    return reached
