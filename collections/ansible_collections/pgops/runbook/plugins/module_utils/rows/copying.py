# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows from one connection to another."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from ..postgres.connection import sql
from ..postgres.other_encodings import in_own_encoding
from ..shapes import Cursor

__all__ = ["copy_rows"]


def copy_rows(source: Cursor, query: sql.Composable, destination: Cursor, target: sql.Composable) -> None:
    """COPY from one connection to the other without a file in between, which would hold people's data.

    Args:
        source, destination: cursors.
        query, target: COPY ... TO STDOUT and COPY ... FROM STDIN, without options.
    """
    encodings = {one.connection.info.parameter_status("server_encoding") for one in (source, destination)}
    if len(encodings) == 1:
        query, target = query + in_own_encoding(source), target + in_own_encoding(destination)
    reading, writing = os.pipe()

    def send() -> None:
        with os.fdopen(writing, "wb") as file:
            source.copy_expert(query.as_string(source), file)

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send)
        try:
            with os.fdopen(reading, "rb") as file:
                destination.copy_expert(target.as_string(destination), file)
        except BaseException:
            # Its pipe is closed by now, so that the sender ends; its error is the cause if it has another one.
            cause = sent.exception()
            if cause is not None and not isinstance(cause, BrokenPipeError):
                raise cause from None
            raise
        sent.result()
