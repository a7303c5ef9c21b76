# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Receipts: the chain of digests, and every reason for which a gate says no."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils import digests
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.ledger import receipts

IDENTITY = {
    "system_identifier": "7000000000000000001",
    "database": "library",
    "database_oid": 16384,
    "server_version": 180000,
    "in_recovery": False,
}
SCRIPTS = {"009": {"apply": "a1", "rollback": "b1", "verify": None}}


def chain(*steps: Any, identity: Any = IDENTITY, status: Any = None) -> Any:
    """Receipts of one run for these steps, each naming the digest of the one before it."""
    made, previous = [], receipts.FIRST_PREVIOUS
    for number, step in enumerate(steps):
        inputs = {"scripts": SCRIPTS} if step == "preflight" else {}
        receipt = receipts.make_receipt(
            "run-1",
            step,
            (status or {}).get(step, "ok"),
            f"2026-01-01T00:00:{number:02d}.000000Z",
            f"2026-01-01T00:00:{number + 1:02d}.000000Z",
            identity,
            previous,
            inputs=inputs,
            outputs={"rows": number, "names": ["é", None]},
        )
        previous = receipt["digest"]
        made.append(receipt)
    return made


def before(step: Any, playbook: str = "deploy") -> Any:
    """The receipts that the step needs, all of them."""
    return chain(*receipts.required_steps(playbook, step))


def gate(
    step: Any,
    written: Any,
    *,
    playbook: str = "deploy",
    identity: Any = IDENTITY,
    scripts: Any = SCRIPTS,
    **options: Any,
) -> None:
    receipts.check_gate(step, playbook, written, identity, scripts, **options)


# The chain -----------------------------------------------------------------------------------------------


def test_a_receipt_keeps_its_digest_through_json() -> None:
    (receipt,) = chain("preflight")
    assert receipts.altered([json.loads(json.dumps(receipt))]) is None


def test_a_whole_chain_is_whole() -> None:
    assert receipts.broken_link(chain(*receipts.DEPLOY_STEPS)) is None
    assert receipts.broken_link([]) is None


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failed"},
        {"step": "rehearse"},
        {"migration": "010"},
        {"finished": "2027-01-01T00:00:00.000000Z"},
        {"outputs": {"rows": 0}},
        {"inputs": {"scripts": {}}},
        {"run_id": "run-2"},
        {"previous": "f" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_changed_fact_of_a_receipt_is_found(change: dict[str, Any]) -> None:
    made = chain("preflight", "backup", "verify_restore")
    made[1] = {**made[1], **change}
    assert receipts.broken_link(made) is made[1]
    assert receipts.altered(made) is made[1]


def test_a_missing_receipt_breaks_the_chain_behind_it() -> None:
    made = chain("preflight", "backup", "verify_restore")
    del made[1]
    assert receipts.broken_link(made)["step"] == "verify_restore"
    assert receipts.altered(made) is None, "a part of a chain is not altered"


def test_a_removed_first_receipt_is_found() -> None:
    assert receipts.broken_link(chain("preflight", "backup")[1:])["step"] == "backup"


def test_a_receipt_written_anew_with_a_right_digest_breaks_the_next_one() -> None:
    made = chain("preflight", "backup", "verify_restore")
    document = {key: value for key, value in made[1].items() if key != "digest"}
    document["outputs"] = {"rows": 999}
    made[1] = {**document, "digest": digests.digest_of(document)}
    assert receipts.broken_link(made)["step"] == "verify_restore"


def test_latest_takes_the_newest_of_the_step_and_migration() -> None:
    made = chain("backup", "apply", "apply")
    made[1]["migration"], made[2]["migration"] = "009", "010"
    assert receipts.latest(made, "apply") is made[2]
    assert receipts.latest(made, "apply", "009") is made[1]
    assert receipts.latest(made, "apply", "011") is None
    assert receipts.latest(made, "rehearse") is None


# The gates -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("playbook", "step"),
    [(playbook, step) for playbook, chains in receipts.CHAINS.items() for steps in chains for step in steps],
)
def test_a_step_is_let_through_on_the_receipts_of_all_steps_before_it(playbook: Any, step: Any) -> None:
    gate(step, before(step, playbook), playbook=playbook)


@pytest.mark.parametrize(
    ("playbook", "step", "left_out"),
    [
        (playbook, step, left_out)
        for playbook, chains in receipts.CHAINS.items()
        for steps in chains
        for step in steps
        for left_out in steps[: steps.index(step)]
    ],
)
def test_no_step_before_it_can_be_left_out_or_have_failed(playbook: Any, step: Any, left_out: Any) -> None:
    needed = receipts.required_steps(playbook, step)
    with pytest.raises(Refused, match=f"needs the receipt of step {left_out}"):
        gate(step, chain(*(one for one in needed if one != left_out)), playbook=playbook)
    with pytest.raises(Refused, match=f"needs step {left_out} to have succeeded"):
        gate(step, chain(*needed, status={left_out: "failed"}), playbook=playbook)


def test_a_failure_counts_although_an_earlier_attempt_succeeded() -> None:
    made = chain(*receipts.required_steps("deploy", "apply"), "backup", status={})
    again = receipts.make_receipt("run-1", "rehearse", "failed", "s", "f", IDENTITY, made[-1]["digest"])
    with pytest.raises(Refused, match="needs step rehearse to have succeeded"):
        gate("apply", [*made, again])


def test_the_automatic_rollback_needs_only_preflight_and_its_backup() -> None:
    gate("emergency_backup", chain("preflight"), automatic=True)
    gate("emergency_rollback", chain("preflight", "emergency_backup"), automatic=True)
    with pytest.raises(Refused, match="needs the receipt of step emergency_backup"):
        gate("emergency_rollback", chain("preflight"), automatic=True)


@pytest.mark.parametrize("step", receipts.AUTOMATIC_ROLLBACK_REQUIRES)
def test_nor_is_anything_left_out_where_that_failed(step: str) -> None:
    """With auto_restore a failed rollback is followed by a restore, of which no step is left out either."""
    needed = receipts.AUTOMATIC_ROLLBACK_REQUIRES[step]
    order = list(receipts.AUTOMATIC_ROLLBACK_REQUIRES)
    gate(step, chain(*needed), automatic=True)
    for left_out in needed:
        with pytest.raises(Refused, match=f"needs the receipt of step {left_out}"):
            gate(step, chain(*(one for one in needed if one != left_out)), automatic=True)
    if step in ("count_rows", "swap"):
        assert needed[-1] == order[order.index(step) - 1], "the one before it"


def test_a_rollback_is_no_step_of_a_deploy_that_goes_well() -> None:
    with pytest.raises(Refused, match="not part of deploy"):
        gate("emergency_rollback", before("apply"))


@pytest.mark.parametrize(
    "change",
    [{"database": "other"}, {"system_identifier": "7"}, {"database_oid": 99}],
    ids=lambda change: next(iter(change)),
)
def test_a_receipt_of_another_database_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="belongs to another database"):
        gate("apply", before("apply"), identity={**IDENTITY, **change})


def test_the_same_database_after_an_upgrade_of_the_server_is_not_another_one() -> None:
    gate("apply", before("apply"), identity={**IDENTITY, "server_version": 190000})


def test_an_altered_receipt_is_refused_before_anything_else() -> None:
    made = before("apply")
    made[2]["outputs"]["rows"] = 7
    with pytest.raises(Refused, match=f"receipt of step {made[2]['step']} was changed"):
        gate("apply", made)


@pytest.mark.parametrize("old", ["backup", "verify_restore", "rehearse"])
def test_a_receipt_is_refused_when_it_is_too_old(old: str) -> None:
    gate("apply", before("apply"), max_age={old: (60.0, 60, "backup_max_age_minutes")})
    with pytest.raises(
        Refused, match=rf"receipt of step {old} is 61\.2 minutes old, and backup_max_age_minutes allows 60"
    ):
        gate("apply", before("apply"), max_age={old: (61.2, 60, "backup_max_age_minutes")})


def test_the_age_of_a_step_that_is_not_needed_does_not_matter() -> None:
    gate(
        "verify_restore",
        before("verify_restore"),
        max_age={"rehearse": (999.0, 60, "backup_max_age_minutes")},
    )


@pytest.mark.parametrize("kind", ["apply", "rollback", "verify", "precheck"])
def test_other_bytes_of_a_script_are_refused_and_named(kind: str) -> None:
    with pytest.raises(Refused, match=f"The {kind} script of migration 009 was edited"):
        gate("apply", before("apply"), scripts={"009": {**SCRIPTS["009"], kind: "other"}})


def test_a_script_that_is_gone_is_refused() -> None:
    with pytest.raises(Refused, match="migration 009 are no longer in sql_dir"):
        gate("apply", before("apply"), scripts={"010": SCRIPTS["009"]})


def test_scripts_of_other_migrations_do_not_matter() -> None:
    gate("apply", before("apply"), scripts={**SCRIPTS, "010": {"apply": "x", "rollback": "y", "verify": "z"}})


# Files on disk -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("playbook", "automatic", "last"),
    [
        ("deploy", False, "smoke_test"),
        ("deploy", True, "emergency_rollback"),
        ("emergency_rollback", False, "emergency_rollback"),
    ],
)
def test_files_follow_only_what_the_steps_before_have_done(playbook: str, automatic: bool, last: str) -> None:
    steps = receipts.required_steps(playbook, "files_rename", automatic)
    assert steps[-1] == last
    gate("files_rename", chain(*steps), playbook=playbook, automatic=automatic)
    with pytest.raises(Refused, match=f"needs the receipt of step {last}"):
        gate("files_rename", chain(*steps[:-1]), playbook=playbook, automatic=automatic)


def test_a_run_that_selected_nothing_only_ends_the_renaming() -> None:
    (preflight,) = chain("preflight")
    document = {**preflight, "outputs": {"migrations": []}}
    del document["digest"]
    alone = [{**document, "digest": digests.digest_of(document)}]
    gate("files_rename", alone)
    with pytest.raises(Refused, match="needs the receipt of step maintenance_window"):
        gate("backup", alone)
    with pytest.raises(Refused, match="files_rename is not part of rehearse"):
        gate("files_rename", alone, playbook="rehearse")


# A restore ------------------------------------------------------------------------------------------------


def swapped(
    written: Any, *, oid: int = 99999, replaced_oid: Any = IDENTITY["database_oid"], in_backup: int = 0
) -> list[Any]:
    """The receipts, and that of a swap after them."""
    receipt = receipts.make_receipt(
        "run-1",
        "swap",
        "ok",
        "2026-01-02T00:00:00.000000Z",
        "2026-01-02T00:00:01.000000Z",
        {**IDENTITY, "database_oid": oid},
        written[-1]["digest"] if written else receipts.FIRST_PREVIOUS,
        outputs={"replaced_oid": replaced_oid, "receipts_in_backup": in_backup},
    )
    return [*written, receipt]


def test_receipts_of_the_database_that_was_replaced_count_after_the_swap() -> None:
    written = swapped(before("swap", "restore"))
    gate("smoke_test", written, playbook="restore", identity={**IDENTITY, "database_oid": 99999})
    for identity in (IDENTITY, {**IDENTITY, "database_oid": 5}):
        with pytest.raises(Refused, match="belongs to another database"):
            gate("smoke_test", written, playbook="restore", identity=identity)
    # Nor in a third database, to a step that does not need the receipt of the swap itself.
    with pytest.raises(Refused, match="receipt of step preflight belongs to another database"):
        gate("swap", written, playbook="restore", identity={**IDENTITY, "database_oid": 5})
    other = swapped(before("swap", "restore"), replaced_oid=7)
    with pytest.raises(Refused, match="belongs to another database"):
        gate("smoke_test", other, playbook="restore", identity={**IDENTITY, "database_oid": 99999})


@pytest.mark.parametrize("step", receipts.RESTORING_STEPS)
def test_a_restore_does_not_mind_scripts(step: Any) -> None:
    gate(step, before(step, "restore"), playbook="restore", scripts={})


@pytest.mark.parametrize("step", receipts.RESTORING_STEPS)
def test_the_restore_of_a_failed_deploy_needs_a_proven_backup(step: Any) -> None:
    needed = receipts.required_steps("deploy", step, automatic=True)
    gate(step, chain(*needed), automatic=True)
    with pytest.raises(Refused, match="needs the receipt of step verify_restore"):
        gate(step, chain(*(name for name in needed if name != "verify_restore")), automatic=True)


def test_what_was_done_between_a_backup_and_its_restore_is_not_in_force() -> None:
    written = swapped(chain("preflight", "backup", "apply"), in_backup=2)
    assert [one["step"] for one in receipts.in_force(written)] == ["preflight", "backup", "swap"]
    later = swapped([*written, *chain("apply")], in_backup=4)
    assert [one["step"] for one in receipts.in_force(later)] == ["preflight", "backup", "swap", "swap"]
    assert receipts.in_force(written[:3]) == written[:3]
    failed = [*written[:3], {**written[3], "status": "failed"}]
    assert receipts.in_force(failed) == failed


def test_what_a_run_applied_is_gone_with_the_database_that_it_replaced() -> None:
    applied = {**chain("apply")[0], "migration": "009"}
    assert receipts.committed_versions([applied]) == ["009"]
    assert receipts.committed_versions(swapped([applied])) == []


def test_what_a_run_took_back_is_not_committed_any_more() -> None:
    applied = [{**chain("apply")[0], "migration": version} for version in ("008", "009")]
    taken_back = {**chain("emergency_rollback")[0], "migration": "009"}
    assert receipts.committed_versions([*applied, taken_back]) == ["008"]
    assert receipts.committed_versions([*applied, taken_back], "emergency_rollback") == ["009"]
    again = {**chain("apply")[0], "migration": "009"}
    assert receipts.committed_versions([*applied, taken_back, again]) == ["008", "009"]


def test_the_outputs_of_the_newest_receipt_of_a_step_or_the_sentence_that_there_is_none() -> None:
    written = [
        {**one, "outputs": {"rows": number}} for number, one in enumerate(chain("apply", "backup", "apply"))
    ]
    assert receipts.outputs_in(written, "apply") == {"rows": 2}
    with pytest.raises(StepFailed, match="no receipt of step preflight"):
        receipts.outputs_in(written, "preflight")
