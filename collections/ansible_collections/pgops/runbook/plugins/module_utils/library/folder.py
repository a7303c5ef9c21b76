# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The library's folder on disk. Every access goes through open folders, part by part, and never through a link.

A rename must never replace a file. ``rename(2)`` does, and looking first would leave a gap in which somebody else can
make the target. ``renameat2(2)`` with RENAME_NOREPLACE does both in one step and works on every local file system of
Linux; Python has no function for it, so it is called in the C library. Where the file system does not know the flag
(NFS), ``link(2)`` and ``unlink(2)`` take its place: a link is never made over a file, and a kill between the two
leaves both names on one file, which is recognised by its number and mended.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import stat
from collections import OrderedDict

from ..errors import Refused, StepFailed
from .paths import shown, split

__all__ = ["LibraryFolder", "Unreachable"]

PROBE_PREFIX = b".pgops-probe-"
OPEN_FOLDERS = 64
RENAME_NOREPLACE = 1
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Unreachable(Exception):
    """The folder of a path cannot be entered: missing, no folder, or a link; says which part and why."""


class LibraryFolder:
    """A folder of files, reached without following links.

    Args:
        root: its path; the root itself may be a link, since the operator names it.

    Raises:
        Refused: it is no folder, or cannot be opened.
    """

    def __init__(self, root):
        self.root = root
        self._folders = OrderedDict()
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Refused(
                "library_unusable", f"library_root {root} cannot be opened: {error.strerror}."
            ) from None
        self._rename = _renameat2

    def close(self):
        for descriptor in self._folders.values():
            os.close(descriptor)
        self._folders.clear()
        os.close(self._root)

    def hold(self):
        """Keep every other process that renames here out, as long as this one has the folder open.

        Journals are by database, so they do not keep two databases with one library apart.

        Raises:
            Refused: another process is at it.
        """
        try:
            fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                "library_in_use",
                f"Another process renames files below {self.root}, maybe for another database: wait for its end, then"
                " run again. No file was renamed by this step.",
            ) from None
        except OSError as error:
            # NFS locks no folder: there the journal keeps runs of one database apart, and no rename replaces a file.
            if error.errno not in (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise Refused(
                    "library_unusable", f"library_root {self.root} cannot be locked: {error.strerror}."
                ) from None

    # Folders -------------------------------------------------------------------------------------------

    def _open(self, folder):
        """Descriptor of a folder below the root; those used last are kept open.

        Raises:
            Unreachable: naming the part.
        """
        if not folder:
            return self._root
        if folder in self._folders:
            self._folders.move_to_end(folder)
            return self._folders[folder]
        above, name = split(folder)
        parent = self._open(above)
        try:
            descriptor = os.open(name, FOLDER_FLAGS, dir_fd=parent)
        except OSError as error:
            # A link is ENOTDIR or ELOOP (open(2)): it is told from a file by a look at it.
            with contextlib.suppress(OSError):
                if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                    raise Unreachable(f"{shown(folder)} is a symbolic link") from None
            raise Unreachable(f"folder {shown(folder)}: {error.strerror}") from None
        self._folders[folder] = descriptor
        if len(self._folders) > OPEN_FOLDERS:
            _, oldest = self._folders.popitem(last=False)
            os.close(oldest)
        return descriptor

    def status(self, path):
        """What lies at a path: os.stat_result, never of a link's target, or None.

        Raises:
            Unreachable: its folder cannot be entered, or the name cannot be one here (too long).
        """
        folder, name = split(path)
        try:
            return os.stat(name, dir_fd=self._open(folder), follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unreachable(f"{shown(path)}: {error.strerror}") from None

    def why_not_writable(self, path):
        """Why a name cannot be made or taken away in the folder of ``path``, or None; Unreachable as in status."""
        folder, _ = split(path)
        descriptor = self._open(folder)
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor, effective_ids=_may_ask_effective()):
            return f"folder {shown(folder) or '.'} cannot be written by the user that renames"
        return None

    def device(self, path):
        """Number of the file system of the folder of ``path``."""
        return os.fstat(self._open(split(path)[0])).st_dev

    def sync(self, folders):
        """Have the names of these folders on disk before this returns."""
        for folder in folders:
            os.fsync(self._open(folder))

    # Renaming ------------------------------------------------------------------------------------------

    def move(self, source, target):
        """Give a file another name; mode, times and content stay, since it remains the same file.

        Raises:
            FileExistsError: there is something at ``target``; nothing was changed.
            OSError: the system's reason.
            Unreachable: a folder cannot be entered any more.
        """
        from_folder, from_name = split(source)
        to_folder, to_name = split(target)
        # Both are taken out at once: opening one may close the other, which was opened long ago.
        first = os.dup(self._open(from_folder))
        try:
            self._rename(first, from_name, self._open(to_folder), to_name)
        finally:
            os.close(first)

    def choose_way(self):
        """Try on a file of our own how names can be changed without replacing any.

        Returns:
            str: "renameat2" or "link".

        Raises:
            Refused: this file system can do neither, or its folder cannot be written.
        """
        probe, other = _probe_name(), _probe_name()
        try:
            _remove_probes(self._root)
            os.close(
                os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=self._root)
            )
        except OSError as error:
            raise Refused(
                "library_unusable", f"library_root {self.root} cannot be written: {error.strerror}."
            ) from None
        try:
            for name, way in (("renameat2", _renameat2), ("link", _link_and_unlink)):
                try:
                    way(self._root, probe, self._root, other)
                except OSError as error:
                    reason = error.strerror
                    continue
                self._rename = way
                return name
        finally:
            for name in (probe, other):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._root)
        raise Refused(
            "library_cannot_rename_safely",
            f"The file system of library_root {self.root} can rename only by replacing what is there ({reason}):"
            " files cannot be renamed on it without the risk of losing one.",
        )

    def has_name(self, path):
        """Whether the folder has exactly this name, letter by letter; status() may answer to another spelling."""
        folder, name = split(path)
        return os.fsdecode(name) in os.listdir(self._open(folder))

    def remove_second_name(self, path):
        """Take away a name of a file that has another one, which link and unlink left after a kill."""
        folder, name = split(path)
        os.unlink(name, dir_fd=self._open(folder))

    # Looking -------------------------------------------------------------------------------------------

    def folds(self, folder, write):
        """Whether two spellings of a name that differ in case or normal form are one name in this folder.

        Asked of the file system itself: it may differ between folders of one (ext4's casefold).

        Args:
            write: whether a file of our own may be made for it; otherwise a name that is there is asked for in other
                spellings, and True is said where there is none to ask for.

        Raises:
            Unreachable: it cannot be entered.
        """
        descriptor = self._open(folder)
        if not write:
            for name in os.listdir(descriptor):
                text = os.fsdecode(name)
                if text.swapcase() != text:
                    return _same(descriptor, os.fsencode(name), os.fsencode(text.swapcase()))
            return True
        _remove_probes(descriptor)
        made = _probe_name()
        names = [made + "-\u00e9".encode(), made.upper() + "-\u00e9".encode(), made + "-e\u0301".encode()]
        os.close(
            os.open(names[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=descriptor)
        )
        try:
            return any(_same(descriptor, names[0], other) for other in names[1:])
        finally:
            os.unlink(names[0], dir_fd=descriptor)

    def walk(self):
        """Yields (path, kind) of everything below the root that is no folder: "file", "link" or "other"."""
        waiting = [b""]
        while waiting:
            folder = waiting.pop()
            try:
                descriptor = os.dup(self._open(folder))
            except Unreachable as error:
                raise StepFailed(
                    "library_unusable", f"The library cannot be read while it is compared: {error}."
                ) from None
            try:
                with os.scandir(descriptor) as entries:
                    for entry in entries:
                        name = os.fsencode(entry.name)
                        path = folder + b"/" + name if folder else name
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(path)
                        elif entry.is_symlink():
                            yield path, "link"
                        else:
                            yield path, "file" if entry.is_file(follow_symlinks=False) else "other"
            finally:
                os.close(descriptor)


def _probe_name():
    return PROBE_PREFIX + secrets.token_hex(8).encode("ascii")


def _remove_probes(descriptor):
    """Take away the empty files of an earlier process that was killed while it probed."""
    for name in map(os.fsencode, os.listdir(descriptor)):
        if (
            name.startswith(PROBE_PREFIX)
            and os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_size == 0
        ):
            os.unlink(name, dir_fd=descriptor)


def _same(descriptor, name, other):
    try:
        one = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        two = os.stat(other, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)


def _may_ask_effective():
    return os.access in os.supports_effective_ids


def _renameat2(from_folder, from_name, to_folder, to_name):
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if function(from_folder, from_name, to_folder, to_name, RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _link_and_unlink(from_folder, from_name, to_folder, to_name):
    os.link(from_name, to_name, src_dir_fd=from_folder, dst_dir_fd=to_folder, follow_symlinks=False)
    os.unlink(from_name, dir_fd=from_folder)
