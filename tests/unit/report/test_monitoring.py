# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/monitoring: alerts and dashboard answer from what the end of a run writes, by Prometheus' own tool."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.metrics import FAMILIES, as_metrics

from tests.unit.record.records import failed, ok, record, run_until, settled

MONITORING = Path(__file__).resolve().parents[3] / "docs" / "monitoring"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
SCHEMA = json.loads((MONITORING / "dashboard.schema.json").read_text(encoding="utf-8"))
ALERTS = MONITORING / "alerts.yml"
RULES = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")

#: How long what was written is there before anybody asks: longer than an alert waits.
MINUTES = 120


@pytest.fixture
def deployed(tmp_path: Path) -> str:
    """The text file of a deploy that went well."""
    made = run_until(record(tmp_path), "announce")
    made.end("announce", ok())
    settled(made)
    return as_metrics(made.content)


def ended(tmp_path: Path, outcome: str) -> dict[str, Any]:
    """A deploy that ended otherwise."""
    made = run_until(record(tmp_path), "apply")
    made.end("apply", failed("no lock", outcome))
    settled(made, "no lock")
    return made.content


def queries() -> dict[str, str]:
    """What Grafana asks: the query of each panel, and of the variable that is taken from labels.

    A number that stands where nothing is found is left away, as is the choice of targets.
    """
    found = {
        panel["title"]: target["expr"].removesuffix(" or vector(0)").replace("$target", ".+")
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]).groups()
            found[variable["name"]] = f'{metric}{{{label}!=""}}'
    return found


def unanswered(text: str, asked: Mapping[str, str], folder: Path) -> set[str]:
    """Names of the queries to which Prometheus finds nothing in a text file; of an alert, while it does not fire.

    Args:
        text: the file as the collector reads it.
        asked: query by name.
        folder: for promtool's own files.
    """
    series = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    shutil.copy(ALERTS, folder)
    document = {
        "rule_files": ["alerts.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": f"{value}x{MINUTES}"} for name, _, value in series
                ],
                "promql_expr_test": [
                    {
                        "expr": f"count({query}) > bool 0",
                        "eval_time": f"{MINUTES}m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                    for query in asked.values()
                ],
            }
        ],
    }
    path = folder / "asked.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert "parse error" not in said, said
    nothing = set(re.findall(r'expr: "count\((.*)\) > bool 0"', said.replace('\\"', '"')))
    assert bool(done.returncode) is bool(nothing), said
    return {name for name, query in asked.items() if query in nothing}


def firing(text: str, folder: Path) -> set[str]:
    """Names of the alerts that fire on it."""
    asked = {rule["alert"]: f'ALERTS{{alertname="{rule["alert"]}",alertstate="firing"}}' for rule in RULES}
    return set(asked) - unanswered(text, asked, folder)


@needs_promtool
def test_each_panel_shows_what_a_deploy_has_written(deployed: str, tmp_path: Path) -> None:
    assert len(queries()) > len(DASHBOARD["panels"])
    assert unanswered(deployed, queries(), tmp_path) == set()


@needs_promtool
@pytest.mark.parametrize("metric", FAMILIES)
def test_a_metric_that_is_renamed_leaves_a_panel_empty(deployed: str, tmp_path: Path, metric: str) -> None:
    renamed = deployed.replace(f"pgops_runbook_{metric}", f"pgops_runbook_{metric}_of_old")
    empty = unanswered(renamed, queries(), tmp_path)
    # Whether a run did what it was for is asked by an alert only.
    assert empty == {name for name, query in queries().items() if metric in query}
    assert empty or metric == "run_success"


@needs_promtool
@pytest.mark.parametrize("label", ["target", "playbook"])
def test_so_does_a_label(deployed: str, tmp_path: Path, label: str) -> None:
    renamed = deployed.replace(f'{label}="', f'old_{label}="')
    assert unanswered(renamed, queries(), tmp_path) == {
        name for name, query in queries().items() if re.search(rf"\b{label}[=!]", query)
    }


@needs_promtool
def test_which_alerts_fire(deployed: str, tmp_path: Path) -> None:
    assert firing(deployed, tmp_path) == set()
    unknown = as_metrics(ended(tmp_path / "failed", "failed"))
    assert firing(unknown, tmp_path) == {"MigrationLeftProductionUnknown"}
    unchanged = ended(tmp_path / "unchanged", "unchanged")
    assert firing(as_metrics(unchanged), tmp_path) == {"MigrationDidNotSucceed"}
    assert firing(as_metrics({**unchanged, "outcome": "awaiting_approval"}), tmp_path) == set()
    long = {**unchanged, "rows_waiting": 2, "steps": [{"step": "backup", "seconds": 4000}]}
    assert firing(as_metrics(long), tmp_path) == {rule["alert"] for rule in RULES} - {
        "MigrationLeftProductionUnknown"
    }


@needs_promtool
def test_the_rules_are_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, check=True
    )
    assert f"{len(RULES)} rules found" in done.stdout


@pytest.mark.parametrize("name", ["alerts.yml", "dashboard.json"])
def test_rules_and_panels_ask_for_what_there_is(name: str) -> None:
    """Also where promtool is not installed."""
    text = (MONITORING / name).read_text(encoding="utf-8")
    asked = set(re.findall(r"pgops_runbook_(\w+)", text))
    assert asked
    assert asked <= set(FAMILIES)


def test_every_label_in_a_legend_or_a_sentence_is_there(deployed: str) -> None:
    labels = set(re.findall(r'(\w+)="', deployed))
    legends = [target["legendFormat"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    named = {label for text in legends for label in re.findall(r"\{\{(\w+)\}\}", text)}
    named |= set(re.findall(r"\$labels\.(\w+)", ALERTS.read_text(encoding="utf-8")))
    assert {"target", "database", "playbook", "step"} <= named <= labels


def check(dashboard: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(dashboard)


def test_the_dashboard_is_as_its_schema_says() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    check(DASHBOARD)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.pop("panels"),
        lambda one: one.update(schemaVersion="39"),
        lambda one: one["panels"][0].update(grid={}),
        lambda one: one["panels"][0]["gridPos"].update(w=25),
        lambda one: one["panels"][0]["targets"][0].pop("expr"),
        lambda one: one["panels"][0]["datasource"].update(uid="mine"),
        lambda one: one["panels"][0].update(type="graph"),
        lambda one: one["templating"]["list"][1].pop("datasource"),
        lambda one: one["time"].update({"from": "yesterday"}),
    ],
)
def test_the_schema_sees_what_is_wrong(spoil: Callable[[dict[str, Any]], Any]) -> None:
    spoilt = copy.deepcopy(DASHBOARD)
    spoil(spoilt)
    with pytest.raises(jsonschema.ValidationError):
        check(spoilt)


def test_no_panel_lies_on_another() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
