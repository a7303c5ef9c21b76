# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a step has found, in the terms of run.json.

Nothing here knows where run.json is: the content goes in, and has what the step found when it comes out.
"""

from __future__ import annotations

from typing import Any

from ...module_utils.generation.evidence import rows_seen

__all__ = ["take_approval", "take_findings"]

Found = dict[str, Any]

# Of what preflight found: in run.json and in its outputs by one name.
OF_PREFLIGHT = ("lint", "interrupted_run", "restorable_run")
OF_FILES = ("renamed", "rows", "missing", "extra", "extra_files", "direction")
OF_EMERGENCY_BACKUP = ("kind", "why", "folder", "engine", "restore_point", "lsn")


def take_findings(content: Found, step: str, result: Found) -> None:
    """Take what a step has found into the content of run.json.

    Args:
        content: of run.json, which is changed.
        result: the step's; its outputs, or the details of its failure.
    """
    failed = bool(result.get("failed"))
    outputs = result.get("outputs") or {}
    details = result.get("details") or {}
    take_approval(content, result)
    if result.get("backup_gone"):
        content["backup_gone"] = result["backup_gone"]
    if not failed and step in OF_STEP:
        OF_STEP[step](content, outputs, result)
    if step == "drill":
        _take_drill(content, details if failed else outputs)
    if step == "rehearse_from_empty" and failed:
        _take_failures(content, details)
    _take_replication(content, outputs)
    if not failed:
        _take_proof(content, step, outputs)


def take_approval(content: Found, result: Found) -> None:
    """What the run needs before it changes production, and has, as a step has found it."""
    found = (result.get("outputs") or {}).get("approval") or (result.get("details") or {}).get("approval")
    if found:
        content["approval"] = found


def _of_preflight(content: Found, outputs: Found, result: Found) -> None:
    content.update({key: outputs.get(key) for key in OF_PREFLIGHT})
    content["called_as_superuser"] = outputs.get("called_as_superuser") or []
    content["migrations"] = list(outputs.get("migrations", []))
    content["left_out"] = outputs.get("left_out") or {}
    content["taken_back_since"] = outputs.get("taken_back_since") or []
    content["deployed_files"] = outputs.get("deployed_files") or {}
    content["approval"] = outputs.get("approvals")
    if outputs.get("files"):
        hosts = result.get("library_hosts") or []
        content["files"] = {"migrations": outputs["files"], "hosts": {name: None for name in hosts}}


def _of_files_rename(content: Found, outputs: Found, result: Found) -> None:
    files = content.get("files")
    if files and files["hosts"]:
        files["hosts"][outputs["library_host"]] = {key: outputs.get(key) for key in OF_FILES}


def _of_emergency_backup(content: Found, outputs: Found, result: Found) -> None:
    if outputs.get("kind"):
        content["emergency_backup"] = {key: outputs[key] for key in OF_EMERGENCY_BACKUP if key in outputs}


def _of_verify_restore(content: Found, outputs: Found, result: Found) -> None:
    content["after_backup"] = outputs.get("after_backup")
    content["not_in_backup"] = outputs.get("not_in_backup") or []


def _of_restore(content: Found, outputs: Found, result: Found) -> None:
    if "proof" in outputs:
        content["proof"]["schema_restored"] = outputs["proof"]["schema_equal"]
        content["proof"]["data_restored"] = outputs["proof"]["data_equal"]
        content["not_in_backup"] = outputs["proof"].get("not_in_backup") or []


def _of_swap(content: Found, outputs: Found, result: Found) -> None:
    content["restore"] = outputs


OF_STEP = {
    "preflight": _of_preflight,
    "files_rename": _of_files_rename,
    "emergency_backup": _of_emergency_backup,
    "verify_restore": _of_verify_restore,
    "restore": _of_restore,
    "swap": _of_swap,
}


def _take_replication(content: Found, outputs: Found) -> None:
    """What steps say of standbys and slots; several of them look, and may see the same."""
    said = content.setdefault("replication", [])
    said += [sentence for sentence in outputs.get("replication") or [] if sentence not in said]


def _take_proof(content: Found, step: str, outputs: Found) -> None:
    """What a step says of each migration that it has rehearsed, applied or taken back."""
    evidence = outputs.get("migrations") or []
    if not evidence or not isinstance(evidence[0], dict):
        return
    if step in WHERE:
        _take_impact(content, WHERE[step], evidence)
    if step == "apply":
        _take_salvage(content, "salvage_returned", evidence)
    elif step in ("rehearse", "rehearse_from_empty"):
        _take_rehearsal(content, evidence, outputs.get("generated_rows"))
    elif step == "emergency_rollback":
        _take_salvage(content, "salvage", evidence)
        _take_loss(content, evidence)
        content["privileges_again"] += [
            name for one in evidence for name in one.get("privileges_again") or []
        ]
        values = [one["schema_restored"] for one in evidence]
        content["proof"]["schema_restored"] = None if None in values else all(values)


def _take_salvage(content: Found, key: str, evidence: list[Found]) -> None:
    content[key] += [{"migration": one["version"], **item} for one in evidence for item in one.get(key) or []]


def _take_rehearsal(content: Found, evidence: list[Found], generated: Found | None) -> None:
    proof = content["proof"]
    proof["schema_restored"] = all(one["schema_restored"] for one in evidence)
    proof["data_restored"] = all(one["data_restored"] for one in evidence)
    proof["rehearsed"] = [one["version"] for one in evidence]
    content["schema_changes"] = {
        one["version"]: one["schema_changes"] for one in evidence if one.get("schema_changes")
    }
    _take_loss(content, evidence)
    _take_rows(proof, evidence, generated)
    proof["depends_on"] = {one["version"]: one["depends_on"] for one in evidence if "depends_on" in one}
    proof["sequences_moved"] = {
        one["version"]: one["sequences_moved"] for one in evidence if one.get("sequences_moved")
    }


def _take_drill(content: Found, found: Found) -> None:
    """What each phase of a drill came to, also of one that failed."""
    phases = found.get("phases")
    if not phases:
        return
    content["drill"] = {"phases": phases}
    of = {one["phase"]: one for one in phases}
    if all(one["status"] == "ok" for one in phases):
        content["proof"]["schema_restored"] = of["rollback"]["schema_restored"]
        content["proof"]["data_restored"] = not of["deploy_again"]["rows_differing"]


def _take_failures(content: Found, details: Found) -> None:
    """Which of several rehearsed migrations failed, and on which rows the rollbacks of the others came back."""
    if "failures" not in details:
        return
    proof = content["proof"]
    proof.update(schema_restored=False, data_restored=False)
    proof["rehearsed"] = list(details["proven_on"])
    proof["rows"] = details["proven_on"]
    proof["failures"] = details["failures"]
    proof["untried"] = details["untried"]


def _take_loss(content: Found, evidence: list[Found]) -> None:
    """What the rollback does not give back, by migration, where there is anything."""
    proof = content["proof"]
    for key in ("not_given_back", "not_compared", "residue"):
        lost = {one["version"]: one[key] for one in evidence if one.get(key)}
        if lost:
            proof[key] = {**proof.get(key, {}), **lost}
    if proof.get("not_given_back"):
        proof["data_restored"] = False


def _take_rows(proof: Found, evidence: list[Found], generated: Found | None) -> None:
    """On how many rows of which tables each rollback was rehearsed, and what became of generated ones."""
    seen = {one["version"]: rows_seen(one) for one in evidence if "schema_restored" in one}
    proof["rows"] = {version: rows._asdict() for version, rows in seen.items()}
    if generated:
        proof["generated_rows"] = {
            **generated,
            **{
                key: {
                    one["version"]: one["generated_rows"][key]
                    for one in evidence
                    if (one.get("generated_rows") or {}).get(key)
                }
                for key in ("not_given_back", "not_applied", "refuses")
            },
        }


WHERE = {"rehearse": "copy", "apply": "production"}


def _take_impact(content: Found, where: str, evidence: list[Found]) -> None:
    """Production's figures stand beside those of the rehearsal."""
    impact = content["impact"]
    for proof in evidence:
        if "impact" not in proof:
            continue  # committed by an earlier process of this run, whose record has it
        seconds = sum(statement["seconds"] for statement in proof["statements"])
        impact.setdefault(proof["version"], {})[where] = {
            "seconds": round(seconds, 3),
            "statements": proof["statements"],
            **proof["impact"],
        }
