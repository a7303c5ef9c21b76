# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether what a run has said, written down and left behind agrees with what is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.fault_stories.application import MIGRATION
from benchmarks.fault_stories.stage import Play, Stage, lets_in
from benchmarks.fault_stories.truth import State, ledger_of, left_behind, state_of

__all__ = ["AFTER", "AS_IT_WAS", "BEFORE", "TOUCHED_NOT", "Command", "Verdict", "judge"]

BEFORE, AFTER = "before", "after"

# Sentences of the report on a state that a run has found, whichever it is.
TOUCHED_NOT = "Production was not touched."
AS_IT_WAS = "Production is as it was: the transaction was rolled back."
UNTOUCHED = (TOUCHED_NOT, AS_IT_WAS)


@dataclass(frozen=True)
class Command:
    """What is typed, and what it is for.

    Attributes:
        name: deploy, rollback or restore.
        arguments: after ansible-playbook.
        success: outcome of a run that did it.
        states: what the application finds before and after it.
        done_already: reason codes with which it may be refused where it is done.
        afterwards: what is typed next where it was refused so: a run that has something to do.
        undone: outcome of a run that took it back by itself.
    """

    name: str
    arguments: tuple[str, ...]
    success: str
    states: dict[str, State]
    done_already: tuple[str, ...]
    afterwards: tuple[str, ...]
    undone: str = ""
    #: Reason codes with which it may be refused for good, where nothing was changed.
    impossible: tuple[str, ...] = ()
    #: Sentence of the report on the state of production -> the states in which it is true.
    says: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def applied(self, state: str) -> bool:
        """Whether the migration is in place in that state."""
        return (state == AFTER) == (self.name == "deploy")


@dataclass
class Verdict:
    """What was found of one case: sentences that are not true, and what was left behind."""

    untrue: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def judge(
    stage: Stage, command: Command, play: Play, say: Callable[[str], None] = lambda text: None
) -> Verdict:
    """Look at what is true after a run that something has happened to, and at what the next commands do.

    Args:
        say: is told of each command that is typed.
    """
    verdict = Verdict()
    roles = [name for (name,) in stage.ask("SELECT rolname FROM pg_catalog.pg_roles", "postgres")]
    if lets_in(stage):
        now = _state(stage, command, verdict, "after the fault")
        verdict.untrue += untrue_of_run(stage, command, play, now)
    status = stage.play("playbooks/status.yml")
    say(f"status: exit {status.status}")
    now = _state(stage, command, verdict, "after the status") if lets_in(stage) else ""
    verdict.untrue += untrue_of_status(stage, command, status, now)
    again = stage.play(*command.arguments)
    say(f"again: exit {again.status}, {(again.record or {}).get('outcome')}")
    after = _state(stage, command, verdict, "after the same command again")
    verdict.untrue += untrue_of_again(command, again, now, after)
    verdict.untrue += [
        f"again: {text}" for text in untrue_of_run(stage, command, again, after, had=now, fault=False)
    ]
    if again.status != 0:
        last = stage.play(*command.afterwards)
        say(f"afterwards: exit {last.status}")
        if last.status != 0:
            verdict.untrue.append(f"after the refusal {' '.join(command.afterwards)} failed: {_reason(last)}")
    verdict.untrue += _untrue_at_last(stage, play)
    verdict.left += left_behind(stage, roles)
    return verdict


def _state(stage: Stage, command: Command, verdict: Verdict, when: str) -> str:
    found = state_of(stage)
    for name, state in command.states.items():
        if state == found:
            return name
    verdict.untrue.append(f"{when} the database is neither as before nor as after the command: {found}")
    return "neither"


def _reason(play: Play) -> str:
    record = play.record or {}
    return (
        f"{record.get('outcome')}, {record.get('reason_code')}: {record.get('reason') or play.words[-600:]}"
    )


def untrue_of_run(
    stage: Stage, command: Command, play: Play, now: str, had: str = BEFORE, fault: bool = True
) -> list[str]:
    """What a run claims by its exit status, its record, its report and the ledger, against the state that there is.

    Args:
        now: the state.
        had: the state before the run.
        fault: whether something was done to the run.
    """
    record, found = play.record, []
    outcome = record["outcome"] if record else None
    ended = bool(record and record["ended"])
    if play.status == 0 and (now != AFTER or outcome != command.success):
        found.append(f"exit status 0, outcome {outcome}, and the state is that from {now} the command")
    if record is None:
        if play.status == 0:
            found.append("exit status 0 and no run.json")
        return found
    if not ended:
        if record["reason_code"] not in ("run_not_ended", None) and outcome != "failed" and now != had:
            found.append(f"run.json, not ended, says {outcome} ({record['reason']}), and the state is {now}")
        return found + _untrue_of_ledger(stage, command, play, now)
    changed_nothing = outcome in ("refused", "unchanged") or outcome == command.undone
    if changed_nothing and now != had:
        found.append(f"outcome {outcome}, and the state is that from {now} the command")
    if outcome == command.success and now != AFTER:
        found.append(f"outcome {outcome}, and the state is that from {now} the command")
    if (
        play.status != 0
        and not play.interrupted  # Ansible's own status for a signal that came when all was done
        and outcome == command.success
        and "was not taken back into service" not in play.words
    ):
        found.append(f"exit status {play.status} and outcome {outcome}: {record['reason']}")
    if outcome == "failed" and now == had == BEFORE:
        found.append(f"outcome failed, and nothing was changed: {record['reason']}")
    for sentence, states in command.says.items():
        untouched = sentence in UNTOUCHED and now == had
        if sentence in play.words and now not in states and not untouched:
            found.append(f"the report says {sentence!r}, and the state is that from {now} the command")
    return found + _untrue_of_ledger(stage, command, play, now)


def _untrue_of_ledger(stage: Stage, command: Command, play: Play, now: str) -> list[str]:
    record: dict[str, Any] = play.record or {}
    ledger = ledger_of(stage, record["run_id"])
    found = []
    if ledger is None:
        if record["ended"] and record["outcome"] not in ("refused", "failed"):
            found.append(f"the ledger knows nothing of a run whose outcome is {record['outcome']}")
        return found
    if record["ended"] and ledger["finished"] and ledger["outcome"] != record["outcome"]:
        found.append(f"the ledger says {ledger['outcome']} and run.json {record['outcome']}")
    said = play.interrupted or "ledger could not be closed" in play.words
    if record["ended"] and not ledger["finished"] and not said:
        found.append("run.json has ended, the ledger has not, and nobody says so")
    changes = [
        step
        for step, status, migration in ledger["receipts"]
        if status == "ok" and migration == MIGRATION and step in ("apply", "emergency_rollback")
    ]
    if command.name != "restore" and changes and (changes[-1] == "apply") != command.applied(now):
        found.append(f"the newest receipt of a change is {changes[-1]}, and the state is {now}")
    return found


def _untrue_at_last(stage: Stage, play: Play) -> list[str]:
    """A run that has ended by its run.json has so in the ledger when others have come after it."""
    record: dict[str, Any] = play.record or {}
    ledger = ledger_of(stage, record["run_id"]) if record else None
    if ledger is None or not record["ended"] or ledger["outcome"] == record["outcome"]:
        return []
    return [f"at last the ledger says {ledger['outcome']} of the run, and run.json {record['outcome']}"]


def untrue_of_status(stage: Stage, command: Command, status: Play, now: str) -> list[str]:
    """What playbooks/status.yml says of the migration, and of what is left open."""
    if status.status != 0:
        return [f"the status failed: {status.words[-600:]}"]
    lines = [line for line in status.output.splitlines() if f"{MIGRATION}_" in line]
    word = "applied" if command.applied(now) else "pending"
    found = []
    if not any(word in line for line in lines):
        found.append(f"the status does not say {word}: {lines}")
    if stage.out_of_service.exists() and "OUT OF SERVICE" not in status.output:
        found.append("the application is out of service, and the status does not say so")
    if not lets_in(stage) and "lets nobody in" not in status.words:
        found.append("the database lets nobody in, and the status does not say so")
    return found


def untrue_of_again(command: Command, again: Play, before: str, after: str) -> list[str]:
    """The same command once more does what it was for, or says that it is done."""
    if again.status == 0:
        return [] if after == AFTER else [f"the same command again ended well, and the state is {after}"]
    code = (again.record or {}).get("reason_code")
    if before == AFTER and code in command.done_already:
        return [] if after == before else ["the same command again was refused, and has changed something"]
    if before == after == BEFORE and code in command.impossible:
        return []
    return [f"the same command again failed: {_reason(again)}"]
