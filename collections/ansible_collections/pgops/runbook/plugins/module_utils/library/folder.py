# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The library's folder on disk. Every access goes through open folders, part by part, and never through a link."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from ..errors import Refused, StepFailed
from .file_system import NoSafeRename, Rename, choose_rename, folds_spellings, renameat2
from .paths import shown, split

__all__ = ["LibraryFolder", "Unreachable"]

OPEN_FOLDERS = 64
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

    def __init__(self, root: str) -> None:
        self.root = root
        self._folders: OrderedDict[bytes, int] = OrderedDict()
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Refused(
                "library_unusable",
                f"library_root {root} cannot be opened: {error.strerror}. No file was renamed.",
            ) from None
        self._rename: Rename = renameat2

    def close(self) -> None:
        for descriptor in self._folders.values():
            os.close(descriptor)
        self._folders.clear()
        os.close(self._root)

    def hold(self) -> None:
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
                f"Another process is renaming files below {self.root}, perhaps for another database. No file was"
                " renamed by this step. Wait until it has finished, and run again.",
            ) from None
        except OSError as error:
            # NFS locks no folder: there the journal keeps runs of one database apart, and no rename replaces a file.
            if error.errno not in (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise Refused(
                    "library_unusable",
                    f"library_root {self.root} cannot be locked: {error.strerror}. No file was renamed.",
                ) from None

    # Folders -------------------------------------------------------------------------------------------

    def _open(self, folder: bytes) -> int:
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

    def status(self, path: bytes) -> os.stat_result | None:
        """What lies at a path, never a link's target; None for nothing.

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

    def why_not_writable(self, path: bytes) -> str | None:
        """Why a name cannot be made or taken away in the folder of ``path``, or None; Unreachable as in status."""
        folder, _ = split(path)
        descriptor = self._open(folder)
        if not os.access(
            ".", os.W_OK | os.X_OK, dir_fd=descriptor, effective_ids=os.access in os.supports_effective_ids
        ):
            return f"folder {shown(folder) or '.'} cannot be written by the user that renames"
        return None

    def device(self, path: bytes) -> int:
        """Number of the file system of the folder of ``path``."""
        return os.fstat(self._open(split(path)[0])).st_dev

    def sync(self, folders: Iterable[bytes]) -> None:
        """Have the names of these folders on disk before this returns."""
        for folder in folders:
            os.fsync(self._open(folder))

    # Renaming ------------------------------------------------------------------------------------------

    def move(self, source: bytes, target: bytes) -> None:
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

    def choose_way(self) -> str:
        """Find out how names can be changed here without replacing any; ``move`` does it so from here on.

        Returns:
            "renameat2" or "link".

        Raises:
            Refused: this file system can do neither, or its folder cannot be written.
        """
        try:
            way, self._rename = choose_rename(self._root)
        except OSError as error:
            raise Refused(
                "library_unusable",
                f"library_root {self.root} cannot be written: {error.strerror}. No file was renamed.",
            ) from None
        except NoSafeRename as error:
            raise Refused(
                "library_cannot_rename_safely",
                f"The file system of library_root {self.root} can only rename by overwriting what is there ({error}),"
                " which could lose a file. No file was renamed. Use a local file system, or rename the files yourself.",
            ) from None
        return way

    def has_name(self, path: bytes) -> bool:
        """Whether the folder has exactly this name, letter by letter; status() may answer to another spelling."""
        folder, name = split(path)
        return os.fsdecode(name) in os.listdir(self._open(folder))

    def remove_second_name(self, path: bytes) -> None:
        """Take away a name of a file that has another one, which link and unlink left after a kill."""
        folder, name = split(path)
        os.unlink(name, dir_fd=self._open(folder))

    # Looking -------------------------------------------------------------------------------------------

    def folds(self, folder: bytes, write: bool) -> bool:
        """Whether two spellings of a name are one name in this folder (see folds_spellings).

        Raises:
            Unreachable: it cannot be entered.
            OSError: it cannot be read or written.
        """
        return folds_spellings(self._open(folder), write)

    def walk(self) -> Iterator[tuple[bytes, str]]:
        """Yields (path, kind) of everything below the root that is no folder: "file", "link" or "other"."""
        waiting = [b""]
        while waiting:
            folder = waiting.pop()
            try:
                descriptor = os.dup(self._open(folder))
            except Unreachable as error:
                raise StepFailed(
                    "library_unusable",
                    f"The library could not be read to the end while it was compared with the database: {error}. Run"
                    " again.",
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
