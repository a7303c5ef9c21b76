# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Paths of the library: as the database writes them, below the library's folder, and as names that may be one.

A path below the folder is bytes with ``/`` between its parts, since that is what Linux compares and stores.
"""

from __future__ import annotations

import hashlib
import unicodedata

__all__ = [
    "TEMPORARY_PREFIX",
    "UnusablePath",
    "below_library",
    "caseless_key",
    "shown",
    "split",
    "temporary_path",
]

TEMPORARY_PREFIX = b".pgops-rename-"


class UnusablePath(ValueError):
    """A path that names nothing below the library's folder that could be reached safely; says why."""


def below_library(path: str, prefix: str) -> bytes | None:
    """A path of the database as a path below the library's folder.

    Args:
        path: as the database has it.
        prefix: how the database writes the library's folder. A path that is not absolute is below it as it is.

    Returns:
        The path below the folder, or None when it lies elsewhere.

    Raises:
        UnusablePath: it climbs (``..``) or has an empty part: it could lead out of the folder, or to another name.
    """
    if prefix and path.startswith(prefix):
        rest = path[len(prefix) :]
        if not prefix.endswith("/"):
            if not rest.startswith("/"):
                return None  # /library2 is not below /library
            rest = rest[1:]
    elif path.startswith("/") or _has_drive(path):
        return None
    else:
        rest = path
    for part in rest.split("/"):
        if part in ("", ".", ".."):
            raise UnusablePath(f"{path!r} has a part {part!r}")
    try:
        return rest.encode("utf-8")
    except UnicodeEncodeError:
        raise UnusablePath(f"{path!r} is not Unicode text") from None


def _has_drive(path: str) -> bool:
    """``C:\\Music`` or ``\\\\server\\music``: a path of Windows, which no folder here can hold."""
    return path.startswith("\\\\") or (len(path) > 2 and path[1:3] == ":\\" and path[0].isalpha())


def split(path: bytes) -> tuple[bytes, bytes]:
    """(path of the folder, name); the folder of the library itself is ``b""``."""
    folder, _, name = path.rpartition(b"/")
    return folder, name


def caseless_key(path: bytes) -> str:
    """The one text of all spellings of a path that some file system may take for the same name.

    Canonical caseless matching as the Unicode standard defines it (section 3.13, D145): NFD(toCasefold(NFD(X))).
    File systems that ignore case or normal form do less than that, never more, so two paths with different keys are
    different everywhere.
    """
    text = path.decode("utf-8", "surrogateescape")
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def temporary_path(path: bytes, file: str) -> bytes:
    """The name that a file bears, in its own folder, while another one still has the name it is to get.

    The same in every run, so that a file is found again after a kill.

    Args:
        path: where it lies.
        file: what names the file in the database.
    """
    folder, _ = split(path)
    name = TEMPORARY_PREFIX + hashlib.sha256(file.encode("utf-8")).hexdigest()[:32].encode("ascii")
    return folder + b"/" + name if folder else name


def shown(path: bytes) -> str:
    """A path for people: names that are no UTF-8 are escaped."""
    return path.decode("utf-8", "backslashreplace")
