# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the artifacts on the controller and the ledger still say the same of the runs of a database."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...module_utils.ledger.receipts import READING_PLAYBOOKS, digest_of_receipt
from ...module_utils.ledger.signatures import is_signed
from ...module_utils.own_files import read_regular
from .record import digest_of_record
from .run_folder import sha256_of_file

__all__ = ["changed_artifacts", "contradicting_records", "runs_without_signatures", "unsigned_receipts"]


def changed_artifacts(artifacts_dir: str, ledger: Mapping[str, Any]) -> list[str]:
    """Sentences on artifacts that are no longer as they were written, and on receipts that the ledger has lost.

    Args:
        artifacts_dir: holds a folder for each run; those of other databases are passed over.
        ledger: identity of the database, and its runs (run_id -> record_sha256, receipts), as the status returns it.
    """
    sentences: list[str] = []
    for folder in sorted(Path(artifacts_dir).expanduser().glob("*/")):
        if folder.is_symlink() or folder.name.startswith("."):
            continue  # latest, and what a cleanup removes
        run = ledger["runs"].get(folder.name)
        if run is not None and run["record_sha256"] is not None:
            sentences += _record(folder, run["record_sha256"])
        # A rehearsal has its receipts beside its backup.
        sentences += _receipts(folder, run, ledger["identity"])
    # What run.json lists may be a receipt as well, which says it of itself.
    return list(dict.fromkeys(sentences))


def contradicting_records(artifacts_dir: str, ledger: Mapping[str, Any]) -> list[dict[str, Any]]:
    """run_id, outcome (by the ledger) and why, of each run whose run.json, which is as it was left, says another one.

    Args:
        artifacts_dir, ledger: see changed_artifacts(); its runs have an outcome as well.
    """
    contradicting = []
    for run_id, run in ledger["runs"].items():
        if run["record_sha256"] is None or "outcome" not in run:
            continue
        path = Path(artifacts_dir).expanduser() / run_id / "run.json"
        content = _content(path)
        if content is None or digest_of_record(content) != run["record_sha256"]:
            continue
        if content["outcome"] != run["outcome"]:
            why = f"{path}, which is as the run left it, says {content['outcome']}"
            contradicting.append({"run_id": run_id, "outcome": run["outcome"], "why": why})
    return contradicting


def _content(path: Path) -> dict[str, Any] | None:
    """Content of a run.json; None where it is none."""
    with contextlib.suppress(ValueError, OSError):
        content = json.loads(read_regular(str(path)))
        return content if isinstance(content, dict) else None
    return None


def _record(folder: Path, recorded: str) -> list[str]:
    """What was changed in the folder of a run since its end, and what is gone of it."""
    path = folder / "run.json"
    if not path.is_symlink() and not path.exists():
        return [
            f"{path} is gone, by which one could tell whether the other files beside it are as the run left them"
        ]
    content = _content(path)
    sentences = []
    if content is None or digest_of_record(content) != recorded:
        sentences.append(f"{path} is not as the run left it")
    # Of one that was changed too: who changed it by accident has not changed what it lists.
    listed = (content or {}).get("artifacts")
    for name, digest in sorted(listed.items() if isinstance(listed, dict) else ()):
        sentences += _file(folder / name, digest)
    return sentences


def _file(path: Path, digest: str) -> list[str]:
    try:
        if sha256_of_file(path) == digest:
            return []
    except (FileNotFoundError, NotADirectoryError):
        return [f"{path} is gone"]
    except OSError:
        pass  # what is there now is no file that could be read
    return [f"{path} is not as the run left it"]


def _receipts(folder: Path, run: Mapping[str, Any] | None, identity: Mapping[str, Any]) -> list[str]:
    sentences = []
    for path in sorted((folder / "receipts").glob("*.json")):
        try:
            receipt = json.loads(read_regular(str(path)))
            whole = receipt["digest"] == digest_of_receipt(receipt)
            theirs, playbook = receipt["identity"], receipt["run_id"]
        except (ValueError, KeyError, TypeError, OSError):
            sentences.append(f"{path} is not as the run left it")
            continue
        if not whole or playbook != folder.name:
            sentences.append(f"{path} is not as the run left it")
        elif run is None and not _is_of_ledger(folder):
            continue
        elif receipt["digest"] not in (run["receipts"] if run else ()) and all(
            identity[key] == value for key, value in theirs.items()
        ):
            sentences.append(f"the ledger no longer has the receipt that {path} is a copy of")
    return sentences


def _is_of_ledger(folder: Path) -> bool:
    """Whether the run wrote its receipts into the database; a rehearsal or a drill does not."""
    try:
        return bool(json.loads(read_regular(str(folder / "run.json")))["playbook"] not in READING_PLAYBOOKS)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def runs_without_signatures(receipts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """run_id -> how many of its receipts have no signature; of runs that have ended.

    By themselves they do not tell whether there was no key, or somebody took them away, to write what
    he likes.
    """
    return dict(Counter(one["run_id"] for one in receipts if not one["signature"] and one["ended"]))


def unsigned_receipts(receipts: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    """Sentences on receipts whose signature is wrong, or is missing after the first that has one.

    Args:
        receipts: position, run_id, step, digest, signature and ended (of the run) of each, oldest first.
        key: with which they were signed. The last receipts of a run that has not ended are not signed yet.
    """
    sentences, first = [], next((one["position"] for one in receipts if one["signature"]), None)
    for receipt in receipts:
        what = f"receipt {receipt['position']} ({receipt['step']} in run {receipt['run_id']})"
        if receipt["signature"] and not is_signed(receipt["digest"], receipt["signature"], key):
            sentences.append(
                f"{what} was not signed with receipt_key: it was changed, or the key is another one"
            )
        elif (
            not receipt["signature"]
            and first is not None
            and receipt["position"] > first
            and receipt["ended"]
        ):
            sentences.append(
                f"{what} has no signature: its controller was stopped, or somebody else wrote it"
            )
    return sentences
