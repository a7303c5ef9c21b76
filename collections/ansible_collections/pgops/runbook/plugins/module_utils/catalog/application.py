# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The application's schema: the catalog without what the runbook itself keeps in the database."""

from __future__ import annotations

from collections.abc import Sequence

from ..ledger.versions import VersionTable
from ..postgres.maintenance_mode import READ_ONLY_SETTING
from ..shapes import Catalog, Cursor
from .catalog import read_catalog

__all__ = ["of_application", "read_schema"]


def read_schema(cursor: Cursor) -> Catalog:
    """Catalog of the application's schema as the cursor's transaction sees it."""
    return of_application(cursor, read_catalog(cursor))


def of_application(cursor: Cursor, catalog: Catalog) -> Catalog:
    """What of a catalog is the application's.

    A record of versions that the runbook had to make is left out, as the ledger is: it comes and goes
    with the first and the last recorded version, not with a migration.

    Args:
        cursor: of the transaction in which the catalog was read.
        catalog: as read_catalog() gives it; not changed.
    """
    catalog = dict(catalog)
    # Owner, comment and privileges of the database itself: no dump of a database carries them to another.
    catalog.pop("database", None)
    # Who may write by default is the hour's affair, and while maintenance_mode holds the runbook's own.
    for key in [key for key in catalog if key.startswith("database settings")]:
        catalog[key] = {
            fact: value for fact, value in catalog[key].items() if fact != f"option {READ_ONLY_SETTING}"
        }
        if not catalog[key]:
            del catalog[key]
    table = VersionTable(cursor)
    if table.is_ours():
        names = table.quoted_names()
        beside = tuple(f" {one}" for one in (*names, *table.quoted_beside()))
        catalog = {key: facts for key, facts in catalog.items() if not _belongs_to(key, names, beside)}
    return catalog


def _belongs_to(key: str, tables: Sequence[str], beside: tuple[str, ...]) -> bool:
    """Whether a catalog key names a table or a part of it (``table x``, ``column x.y``, ``index x_pkey``)."""
    return key.endswith(beside) or any(f" {table}." in key for table in tables)
