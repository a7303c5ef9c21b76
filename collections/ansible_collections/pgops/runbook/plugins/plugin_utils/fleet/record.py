# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""``fleet.json``: one run over many databases, written on the controller by the tasks of all of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from ...module_utils.durable import one_at_a_time, write_file_durably
from ...module_utils.errors import Refused
from ...module_utils.own_files import make_own_folder, make_parent, read_regular
from ..report.fleet import DEPLOYED, deployed_databases, fleet_page
from .content import Content, close

__all__ = ["FLEET_JSON", "FLEET_MD", "FleetRecord"]

FLEET_JSON, FLEET_MD = "fleet.json", "fleet.md"


class FleetRecord:
    """The artifacts of one run over many databases.

    Args:
        artifacts_dir: holds a folder for each fleet, beside those of the runs.
        fleet_id: name of the fleet.
    """

    def __init__(self, artifacts_dir: str, fleet_id: str) -> None:
        self.artifacts_dir = Path(artifacts_dir).expanduser().absolute()
        self.folder = self.artifacts_dir / fleet_id
        self.path = self.folder / FLEET_JSON

    @contextlib.contextmanager
    def changing(self, new: Callable[[], Content] | None = None) -> Iterator[Content]:
        """The content, for one process at a time, and saved at the end unless that is an error.

        Args:
            new: makes it where there is none yet.

        Raises:
            Refused: what is there cannot be read.
            OSError: it cannot be written.
        """
        make_parent(str(self.folder))
        make_own_folder(str(self.folder))
        with one_at_a_time(self.folder):
            read = self.read()
            content = read if read is not None else new() if new else {}
            yield content
            is_over = close(content)
            write_file_durably(str(self.path), json.dumps(content, indent=1, ensure_ascii=False) + "\n")
            if is_over:
                write_file_durably(str(self.folder / FLEET_MD), fleet_page(content))
                # As --limit @file takes it.
                names = "".join(f"{name}\n" for name in deployed_databases(content))
                write_file_durably(str(self.folder / DEPLOYED), names)

    def read(self) -> Content | None:
        """The content; None where nothing has begun.

        Raises:
            Refused: it cannot be read.
        """
        try:
            read: Content = json.loads(read_regular(str(self.path)))
            _ = read["databases"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            why = error.strerror if isinstance(error, OSError) else f"it is damaged ({error})"
            raise Refused(
                "fleet_record_unusable",
                f"The record of the fleet {self.path} cannot be read: {why}. Nothing was done in this database. Check"
                " artifacts_dir, and type the same command again: what is done is not done twice.",
            ) from None
        return read
