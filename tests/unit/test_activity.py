# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a process is doing is known to whoever watches it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ansible_collections.pgops.runbook.plugins.module_utils.activity import advance, begin, doing


def test_threads_count_together() -> None:
    begin("reading tables", total=200)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: advance(), range(200)))
    now = doing()
    assert now.pop("seconds") >= 0
    assert now == {"what": "reading tables", "done": 200, "total": 200, "unit": ""}


def test_what_begins_ends_what_was_before() -> None:
    begin("one", total=3)
    advance(2)
    begin("two", unit="bytes", measure=lambda: 7)
    now = doing()
    assert (now["what"], now["done"], now["total"], now["unit"]) == ("two", 7, None, "bytes")
