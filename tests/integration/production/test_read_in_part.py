# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Production reads of the schema what has changed, where the rehearsal has seen that this is all."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.reading import SchemaReading
from ansible_collections.pgops.runbook.plugins.module_utils.execution.hooks import Work
from ansible_collections.pgops.runbook.plugins.module_utils.production.apply import ApplyHooks
from ansible_collections.pgops.runbook.plugins.module_utils.production.rollback import RollbackHooks

from tests.integration.step_runs import migration


def _hooks(direction: str, in_part: bool | None, work: Work) -> ApplyHooks | RollbackHooks:
    """Those of a step whose rehearsal said so; None: that of an older release, which said nothing."""
    if direction == "apply":
        hooks = object.__new__(ApplyHooks)
        hooks.proof = {} if in_part is None else {"read_in_part": in_part}
        return hooks
    work.notes["read_in_part"] = bool(in_part)
    return object.__new__(RollbackHooks)


@pytest.mark.parametrize("direction", ["apply", "rollback"])
@pytest.mark.parametrize("in_part", [True, False, None])
def test_everything_is_read_unless_the_rehearsal_says_otherwise(
    connection: Any, direction: str, in_part: bool | None
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE one (id int); CREATE TABLE two (id int)")
        connection.commit()
        work = Work(migration("009", [], []), direction, reading=SchemaReading(cursor))
        cursor.execute("ALTER TABLE two ADD COLUMN more int")
        assert _hooks(direction, in_part, work).schema_now(cursor, work) == read_schema(cursor)
    if in_part:
        assert work.changed == {
            "table public.two",
            "column order public.two",
            "column public.two.id",
            "column public.two.more",
        }
    else:
        assert work.changed is None
