# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What --tags and --skip-tags may leave out: steps of a chain, which the chain refuses, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import context
from ansible.errors import AnsibleFilterError
from ansible_collections.pgops.runbook.plugins.filter.whole_runs_only import FilterModule

PROJECT = Path(__file__).resolve().parents[2]
PLAYBOOKS = sorted([*PROJECT.glob("*.yml"), *PROJECT.glob("playbooks/*.yml")])

#: Whose steps have a tag each.
CHAINS = {"deploy", "emergency_rollback", "restore"}

whole_runs_only = FilterModule().filters()["whole_runs_only"]


def plays(path: Path) -> list[dict[str, Any]]:
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [play for play in read if isinstance(play, dict)] if isinstance(read, list) else []


WITH_PLAYS = [path for path in PLAYBOOKS if any("hosts" in play for play in plays(path))]


def test_all_playbooks_were_found() -> None:
    assert {path.stem for path in WITH_PLAYS} > CHAINS | {"status", "drill", "cleanup"}


@pytest.mark.parametrize("path", WITH_PLAYS, ids=lambda path: path.stem)
def test_the_first_play_looks_at_what_is_skipped(path: Path) -> None:
    hosts = plays(path)[0]["hosts"]
    assert hosts.endswith(" | pgops.runbook.whole_runs_only(ansible_skip_tags) }}")


@pytest.mark.parametrize(
    "path", [path for path in WITH_PLAYS if path.stem not in CHAINS], ids=lambda path: path.stem
)
def test_tags_choose_nothing_where_there_are_no_steps(path: Path) -> None:
    assert [play.get("tags") for play in plays(path)] == [["always"]] * len(plays(path))


@pytest.mark.parametrize("tag", ["all", "always", "tagged", "untagged"])
def test_what_would_leave_out_how_a_run_ends_is_refused(tag: str) -> None:
    with pytest.raises(AnsibleFilterError, match=rf"--skip-tags {tag} .* production is untouched"):
        whole_runs_only("databases", ["rehearse", tag])


def test_nor_is_a_run_in_which_a_person_chooses_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", {"step": True})
    with pytest.raises(AnsibleFilterError, match=r"--step .* production is untouched"):
        whole_runs_only("databases", [])


def test_a_step_may_be_named() -> None:
    assert whole_runs_only("databases", ["rehearse"]) == "databases"
