# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Old findings that are accepted: a file beside the scripts, which knows them by their text and not by their lines.

An entry is {rule, file, text}, with a count where there are several alike, and a reason that a person may write there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...module_utils.durable import write_file_durably
from ...module_utils.errors import Refused
from ...module_utils.own_files import read_regular
from .finding import Finding, Key

__all__ = [
    "Accepted",
    "Baseline",
    "Sorted",
    "accept_all",
    "baseline_text",
    "read_baseline",
    "sort_out",
    "write_baseline",
]

VERSION = 1

NOTHING_DONE = "Nothing was checked."


@dataclass(frozen=True)
class Accepted:
    """How many findings of a key are accepted, and why."""

    count: int
    reason: str = ""


@dataclass(frozen=True)
class Baseline:
    """What is accepted; without a path nothing is."""

    path: str = ""
    entries: dict[Key, Accepted] = field(default_factory=dict)


@dataclass(frozen=True)
class Sorted:
    """Findings that count, those that are accepted, and entries that match nothing any more."""

    counting: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    stale: tuple[Key, ...]


def read_baseline(path: str, may_be_missing: bool = False) -> Baseline:
    """The file's content.

    Args:
        path: of a JSON or YAML file; empty where there is none.
        may_be_missing: it is about to be written.

    Raises:
        Refused: it cannot be read, or is no baseline.
    """
    if not path:
        return Baseline()
    try:
        # JSON is YAML, but for a tabulator between its words, which nobody who writes a baseline by hand needs.
        content = yaml.safe_load(read_regular(str(Path(path).expanduser())))
        return Baseline(path, _entries(content))
    except FileNotFoundError:
        if may_be_missing:
            return Baseline(path)
        raise _unusable(
            path, "is not there. To write it with what is found now: -e check_write_baseline=true"
        ) from None
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise _unusable(path, f"is neither JSON nor YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError:
        raise _unusable(path, "is no UTF-8 text") from None
    except ValueError as error:
        raise _unusable(path, str(error)) from None


def _unusable(path: str, why: str) -> Refused:
    return Refused("check_baseline_unusable", f"check_baseline {path} {why.rstrip('.')}. {NOTHING_DONE}")


def _entries(content: Any) -> dict[Key, Accepted]:
    """
    Raises:
        ValueError: it has not the form of a baseline; says what is wrong.
    """
    if not isinstance(content, dict) or not isinstance(content.get("accepted"), list):
        raise ValueError("is no baseline: it has no list 'accepted'")
    if content.get("version") != VERSION:
        raise ValueError(
            f"is of version {content.get('version')!r}, and this runbook reads version {VERSION}"
        )
    entries: dict[Key, Accepted] = {}
    for number, entry in enumerate(content["accepted"], 1):
        if not _is_entry(entry):
            raise ValueError(
                f"is no baseline: entry {number} is not made of rule, file and text, and perhaps count and reason"
            )
        key = Key(entry["rule"], entry["file"], entry.get("text", ""))
        before = entries.get(key, Accepted(0))
        entries[key] = Accepted(before.count + entry.get("count", 1), entry.get("reason") or before.reason)
    return entries


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict) or not {"rule", "file"} <= set(entry) <= {*Key._fields, "count", "reason"}:
        return False
    texts = all(isinstance(entry.get(name, ""), str) for name in (*Key._fields, "reason"))
    count = entry.get("count", 1)
    return texts and isinstance(count, int) and not isinstance(count, bool) and count > 0


def sort_out(findings: Iterable[Finding], baseline: Baseline) -> Sorted:
    """Take out what is accepted: of findings that are alike as many as the baseline has."""
    left = {key: one.count for key, one in baseline.entries.items()}
    counting, accepted = [], []
    for finding in findings:
        if left.get(finding.key, 0) > 0 and not finding.hides:
            left[finding.key] -= 1
            accepted.append(finding)
        else:
            counting.append(finding)
    return Sorted(tuple(counting), tuple(accepted), tuple(key for key, count in left.items() if count))


def accept_all(findings: Iterable[Finding], before: Baseline) -> Baseline:
    """The baseline that accepts all findings that can be; reasons that people wrote stay."""
    counts: dict[Key, int] = {}
    for one in findings:
        if not one.hides:
            counts[one.key] = counts.get(one.key, 0) + 1
    nothing = Accepted(0)
    return Baseline(
        before.path,
        {key: Accepted(count, before.entries.get(key, nothing).reason) for key, count in counts.items()},
    )


def baseline_text(baseline: Baseline) -> str:
    """What is in the file: YAML where its name says so, else JSON."""
    accepted = [_as_entry(key, one) for key, one in sorted(baseline.entries.items())]
    content = {"version": VERSION, "accepted": accepted}
    if Path(baseline.path).suffix.lower() in (".yml", ".yaml"):
        return "---\n" + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _as_entry(key: Key, accepted: Accepted) -> dict[str, Any]:
    return {
        **key._asdict(),
        **({"count": accepted.count} if accepted.count > 1 else {}),
        **({"reason": accepted.reason} if accepted.reason else {}),
    }


def write_baseline(baseline: Baseline, writes: bool = True) -> bool:
    """Write the file where it does not say so already; whether it had to be written.

    Args:
        writes: False in check mode.

    Raises:
        Refused: it cannot be written.
    """
    file, text = Path(baseline.path).expanduser(), baseline_text(baseline)
    try:
        if file.exists() and read_regular(str(file)) == text:
            return False
        if writes:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_file_durably(str(file), text, mode=0o644)
    except OSError as error:
        raise _unusable(baseline.path, f"cannot be written: {error.strerror}") from None
    return True
