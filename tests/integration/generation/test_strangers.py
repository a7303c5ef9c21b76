# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables of schemas that nobody wrote for it get rows; all of them: make strangers."""

from __future__ import annotations

from benchmarks.generated_rows import measure
from benchmarks.strangers import read_strangers
from demo.local_server import LocalServer

SOME = (
    "base_types", "checks_with_lists", "composite_types", "domains", "enums", "exclusion_constraints", "expressions",
    "foreign_keys", "odd_names", "partitions_by_expression", "partitions_of_partitions", "ranges", "temporal_keys",
)  # fmt: skip


def test_tables_of_strangers_and_of_the_library_get_rows(server: LocalServer) -> None:
    found = measure(server, [one for one in read_strangers() if one.name in SOME])
    print("\n".join(found.notes))
    assert found.passed, found.notes
    assert found.tried > 40
