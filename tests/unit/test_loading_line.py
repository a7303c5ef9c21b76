# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The moving line: one that is rewritten on a terminal, lines elsewhere, and nothing after its end."""

from __future__ import annotations

import io
import re
import threading

from demo.loading_line import LoadingLine

COUNTED = r"1,234 rows, [\d,]+ rows/s, 2 MB, \d+\.\d s"


class _Stream(io.StringIO):
    """Remembers what was written, and tells when the line was shown some more times."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal
        self._left = 0
        self.shown = threading.Event()

    def expect(self, times: int) -> None:
        self._left = times
        self.shown.clear()

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        written = super().write(text)
        self._left -= "rows" in text
        if self._left <= 0:
            self.shown.set()
        return written


def _written(*, terminal: bool) -> str:
    stream = _Stream(terminal=terminal)
    with LoadingLine(stream, lambda: 2 * 2**20, seconds=0.001) as line:
        line.add(1000)
        line.add(234)
        line.now("indexes 1 of 2")
        stream.expect(4)  # the first may have been on its way before
        assert stream.shown.wait(30)
    return stream.getvalue()


def test_on_a_terminal_one_line_is_rewritten_and_erased_at_the_end() -> None:
    written = _written(terminal=True)
    assert "\n" not in written
    shown = written.split("\r\x1b[K")
    assert shown[0] == ""
    assert shown[-1] == ""
    assert re.fullmatch(rf"  indexes 1 of 2: {COUNTED}", shown[-2])


def test_without_a_terminal_lines_follow_each_other_without_control_characters() -> None:
    lines = _written(terminal=False).splitlines()
    assert len(lines) >= 3
    assert re.fullmatch(rf"  indexes 1 of 2: {COUNTED}", lines[-1])


def test_a_load_that_fails_ends_the_line_too() -> None:
    stream = _Stream(terminal=True)
    before = threading.active_count()
    try:
        with LoadingLine(stream, lambda: 0, seconds=0.001):
            raise ValueError
    except ValueError:
        pass
    assert threading.active_count() == before
    assert stream.getvalue().endswith("\r\x1b[K")
