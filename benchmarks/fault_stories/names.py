# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names by chance, of what a shell, a template engine, a driver, a disk or a terminal would take apart."""

from __future__ import annotations

from random import Random

from benchmarks.fault_stories.truth import OWNED

__all__ = ["LONGEST_IDENTIFIER", "names"]

#: Bytes of an identifier; PostgreSQL cuts off the rest (NAMEDATALEN).
LONGEST_IDENTIFIER = 63

TOUCH = f"touch {OWNED}"

PARTS = (
    *("'", '"', "''", '""', "`", "\\", "\\'", "$$", "$x$", "E'\\x27"),
    *(" ", "  ", "\n", "\r\n", "\t", "\x0b", "\x1b[31m", "\x7f", "\x00"),
    *(
        f"$({TOUCH})",
        f"`{TOUCH}`",
        f"; {TOUCH} #",
        f"| {TOUCH}",
        f"&& {TOUCH}",
        f"\n{TOUCH}\n",
        "${HOME}",
        "$PATH",
        "~",
    ),
    *("{{ 1 / 0 }}", "{{ lookup('pipe', '" + TOUCH + "') }}", "{% raw %}", "{#", "}}", "{{"),
    *("%", "%s", "%(name)s", "%%", "%n", "{0}", "{name}"),
    *(
        "-",
        "--",
        "-rf",
        "--help",
        "-- x",
        "/* x",
        "*/",
        ";",
        ",",
        "(",
        ")",
        "[",
        "]",
        "*",
        "?",
        "!",
        "#",
        "@",
        ":",
        "=",
        "|",
    ),
    *("ä", "é", "→", "日本", "🎹", "\u202e", "\u200b", "\ufeff", "İ", "ß", "ﬁ", "\u0301"),
    *(
        "select",
        "user",
        "table",
        "null",
        "default",
        "order",
        "public",
        "pg_catalog",
        "runbook",
        "template1",
        "all",
    ),
    *(
        "..",
        ".",
        "/",
        "../x",
        "a",
        "B",
        "7",
        "_",
        "x=1 dbname=postgres",
        "host=/",
        "a.b",
        "true",
        "1e3",
        "0x10",
    ),
)


def names(seed: int, many: int) -> list[str]:
    """So many different names, the same for the same seed; every fifth is about as long as an identifier may be."""
    chance, found = Random(seed), dict[str, None]()  # noqa: S311 - to be repeatable, not secret
    while len(found) < many:
        name = "".join(chance.choice(PARTS) for _ in range(chance.randint(1, 5)))
        if len(found) % 5 == 0:
            name = _as_long(name, LONGEST_IDENTIFIER + chance.randint(-1, 1))
        found[name] = None
    return list(found)


def _as_long(name: str, length: int) -> str:
    """The name with letters behind it, or cut off between two characters, so that it has so many bytes or one less."""
    while len(name.encode()) > length:
        name = name[:-1]
    return name + "x" * (length - len(name.encode()))
