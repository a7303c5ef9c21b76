# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which recorded versions are the number of several files."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.shared_numbers import (
    refuse_shared_numbers,
)


def index(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [
        {"version": version, "stem": stem, "apply_name": f"migrations/{stem}.sql", "apply_sha256": stem}
        for version, stem in pairs
    ]


@pytest.mark.parametrize(
    ("files", "applied"),
    [
        (index(("012", "012_a")), {"012"}),
        (index(("012_a", "012_a"), ("012_b", "012_b")), {"012_a"}),
        (index(("012_a", "012_a"), ("012_b", "012_b")), {"12", "0120", "name"}),
        (index(("013_a", "013_a"), ("013_b", "013_b")), {"012"}),
        (index(("name", "name")), {""}),
    ],
)
def test_versions_that_are_known_by_their_names_pass(files: list[dict[str, str]], applied: set[str]) -> None:
    refuse_shared_numbers(files, applied, [])


def test_a_number_that_two_files_have_by_now_is_refused() -> None:
    files = index(("011", "011_x"), ("012_a", "012_a"), ("012_b", "012_b"))
    with pytest.raises(Refused) as refused:
        refuse_shared_numbers(files, {"011", "012"}, [])
    assert (
        "records 012, and migrations/012_a.sql, migrations/012_b.sql have that number" in refused.value.reason
    )
