# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The library as it stands before migration 009, as a template that databases are copied from."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from benchmarks.speed.bench import PROJECT, Bench
from demo.load_library import DATABASE, load

__all__ = ["LIBRARY", "library"]

LIBRARY = "library_template"


@contextlib.contextmanager
def library(bench: Bench, files: int, name: str = LIBRARY) -> Iterator[str]:
    """Load it, as the demo does, and give it this name; dropped at the end.

    Raises:
        LoadError: a script failed.
    """
    load(bench.server, PROJECT / "sql", files, io.StringIO())
    # So that autovacuum has nothing left to do in a copy while something is measured there.
    bench.execute(DATABASE, "VACUUM (ANALYZE, FREEZE)")
    bench.rename(DATABASE, name)
    try:
        yield name
    finally:
        bench.drop(name)
