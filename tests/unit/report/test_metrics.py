# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Metrics of a run as Prometheus reads them; its own tool looks at them."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.metrics import (
    FAMILIES,
    as_metrics,
    metrics_file,
    write_metrics,
)

from tests.unit.record.records import failed, ok, record, run_until, settled

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def promtool(*arguments: str, text: str = "") -> str:
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def deployed(tmp_path: Path) -> dict[str, Any]:
    made = run_until(record(tmp_path), "announce")
    made.end("announce", ok())
    settled(made)
    return made.content


def value(text: str, sample: str) -> float:
    (found,) = re.findall(rf"^pgops_runbook_{sample} (\S+)$", text, re.MULTILINE)
    return float(found)


def test_a_run_that_went_well(deployed: dict[str, Any]) -> None:
    text = as_metrics(deployed)
    labels = r'\{target="library",database="midi",playbook="deploy"\}'
    assert value(text, f"run_success{labels}") == 1
    assert value(text, f"run_production_unknown{labels}") == 0
    assert value(text, f"run_rows_waiting{labels}") == 0
    assert value(text, f"run_duration_seconds{labels}") == sum(step["seconds"] for step in deployed["steps"])
    assert set(re.findall(r"^pgops_runbook_(\w+)\{", text, re.MULTILINE)) == set(FAMILIES)
    assert set(re.findall(r'step="(\w+)"', text)) == {step["step"] for step in deployed["steps"]}


@pytest.mark.parametrize(("outcome", "unknown"), [("failed", 1), ("unchanged", 0)])
def test_one_that_did_not(tmp_path: Path, outcome: str, unknown: int) -> None:
    made = run_until(record(tmp_path), "apply")
    made.end("apply", failed("no lock", outcome))
    settled(made, "no lock")
    text = as_metrics(made.content)
    assert value(text, r"run_success\{.*\}") == 0
    assert value(text, r"run_production_unknown\{.*\}") == unknown
    assert f'outcome="{outcome}"' in text


@needs_promtool
@pytest.mark.parametrize("target", ["library", 'a"b\\c\nd', "größe", "{{ x }}", "\udcff"])
def test_prometheus_reads_it_whatever_the_names_are(deployed: dict[str, Any], target: str) -> None:
    promtool("check", "metrics", text=as_metrics({**deployed, "target": target, "database": target}))


def test_two_targets_have_two_files(deployed: dict[str, Any], tmp_path: Path) -> None:
    names = {metrics_file({**deployed, "target": target}) for target in ("a_b", "a b", "a/b", "../b", "a.b")}
    assert len(names) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+\.prom", name) for name in names)


def test_the_next_run_replaces_it_and_others_may_read_it(deployed: dict[str, Any], tmp_path: Path) -> None:
    path = Path(write_metrics(deployed, str(tmp_path)))
    assert write_metrics({**deployed, "outcome": "refused"}, str(tmp_path)) == str(path)
    assert 'outcome="refused"' in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".prom"] == [path.name]
