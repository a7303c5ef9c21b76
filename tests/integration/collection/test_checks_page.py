# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/checks.md in a fresh repository that is not ours: its commands, its workflows, and the hook."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.pgops.runbook.plugins.plugin_utils.check.markdown import MARK

from tests.checks_page import commands, files, outputs, workflow
from tests.integration.collection.strangers_project import PROJECT, environment
from tests.web_server import Answer, Request, serving


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the files of the page, and nothing else."""
    folder = tmp_path / "repository"
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def run(repository: Path, command: list[str], collections: Path | None = None, **env: str) -> tuple[int, str]:
    """Exit status and output of a command in the repository, where ansible-playbook is on PATH."""
    settings = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if collections:
        settings["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
    done = subprocess.run(
        command,
        cwd=repository,
        env={**environment(), **settings, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
    )
    return done.returncode, done.stdout


def test_the_commands_of_the_page_print_what_it_says(repository: Path, collections: Path) -> None:
    first, tried, write, again = commands()
    # Run in tests/integration/check/test_rehearsed.py.
    assert tried[:4] == [*first, "-e", "check_rehearse=true"]
    failing, passing = outputs()
    status, output = run(repository, first, collections)
    assert status == 2, output
    assert all(line in output for line in failing), output
    written = repository / "artifacts" / "check"
    assert sorted(path.name for path in written.iterdir()) == ["check.junit.xml", "check.md", "check.sarif"]
    assert len(json.loads((written / "check.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]) == 3

    status, output = run(repository, write, collections)
    assert status == 0, output
    assert "The baseline was written: sql/baseline.json" in output

    # Lines above change nothing; what is new counts.
    script = repository / "sql/migrations/002_email.sql"
    script.write_text(f"-- Description: x\n\n{script.read_text(encoding='utf-8')}", encoding="utf-8")
    status, output = run(repository, again, collections)
    assert status == 0, output
    assert all(line in output for line in passing), output
    script.write_text(f"{script.read_text(encoding='utf-8')}\\q\n", encoding="utf-8")
    status, output = run(repository, again, collections)
    assert status == 2
    assert "sql/migrations/002_email.sql:6:1: error: script_not_plain_sql" in output


# Workflows ------------------------------------------------------------------------------------------------------


def bash(script: str) -> list[str]:
    """As both services run it."""
    return ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]


def test_the_workflow_of_github(repository: Path, collections: Path, tmp_path: Path) -> None:
    job = workflow("github.yml")["jobs"]["check"]
    steps = {step["name"]: step for step in job["steps"] if "name" in step}
    variables = {**job["env"], "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    status, output = run(repository, bash(steps["Check"]["run"]), collections, **variables)
    assert status == 2, output
    run(repository, bash(steps["Show it beside the run"]["run"]), **variables)
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith(MARK)

    # GitHub itself is not here: what its program is asked is.
    (tmp_path / "bin").mkdir()
    asked = tmp_path / "asked"
    gh = tmp_path / "bin" / "gh"
    gh.write_text(f'#!/bin/sh\necho "$*" >> {asked}\ncase "$*" in *--jq*) echo "$FOUND";; esac\n')
    gh.chmod(0o755)
    variables = {"COMMENTS": "repos/o/r/issues/7/comments", "COMMENT": "repos/o/r/issues/comments"}
    variables["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    for found, call in (
        ("", "api --method POST repos/o/r/issues/7/comments --field body=@check/check.md --silent"),
        ("12\n9", "api --method PATCH repos/o/r/issues/comments/12 --field body=@check/check.md --silent"),
    ):
        status, output = run(repository, bash(steps["Comment"]["run"]), **variables, FOUND=found)
        assert status == 0, output
        lines = asked.read_text(encoding="utf-8").splitlines()
        assert lines[-1] == call
        assert f'startswith("{MARK}")' in lines[-2]
    # A check that could not look has nothing to comment.
    (repository / "check" / "check.md").unlink()
    assert run(repository, bash(steps["Comment"]["run"]), **variables, FOUND="")[0] == 0
    assert asked.read_text(encoding="utf-8").splitlines() == lines


class GitLab:
    """The part of GitLab's interface that notes of a merge request are.

    Attributes:
        url: where it is.
        notes: of the merge request, but for one of a person.
        tokens: with which it was asked.
    """

    url = ""

    def __init__(self) -> None:
        self.notes: list[dict[str, Any]] = []
        self.tokens: set[str | None] = set()

    def answer(self, request: Request) -> Answer:
        self.tokens.add(request.headers["PRIVATE-TOKEN"])
        if request.method == "GET":
            first = request.path.endswith("page=1")
            notes = [{"id": 1, "body": "of a person"}] if first else self.notes
            return Answer(headers={"X-Next-Page": "2" if first else ""}, body=json.dumps(notes).encode())
        if request.method == "POST":
            assert request.path == "/projects/5/merge_requests/7/notes"
            self.notes.append({"id": 10 + len(self.notes)})
            note = self.notes[-1]
        else:
            (note,) = [one for one in self.notes if request.path.endswith(f"/7/notes/{one['id']}")]
        note["body"] = str(request.content["body"])
        return Answer(body=b"{}")


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    made = GitLab()
    with serving(made.answer) as server:
        made.url = f"http://{server.host}"
        yield made


def test_the_workflow_of_gitlab(repository: Path, collections: Path, gitlab: GitLab) -> None:
    job = workflow("gitlab.yml")["check-migrations"]
    (check,), (comment,) = job["script"], job["after_script"]
    status, output = run(repository, bash(check), collections, **job["variables"])
    assert status == 2, output
    assert (repository / job["artifacts"]["reports"]["junit"]).exists()
    variables = {
        "CI_API_V4_URL": gitlab.url,
        "CI_PROJECT_ID": "5",
        "CI_MERGE_REQUEST_IID": "7",
        "CHECK_TOKEN": "secret",
        "no_proxy": "*",
    }
    for _ in range(2):
        status, output = run(repository, bash(comment), **variables)
        assert (status, output) == (0, "")
    (note,) = gitlab.notes
    assert note["body"] == (repository / "check" / "check.md").read_text(encoding="utf-8")
    assert gitlab.tokens == {"secret"}
    assert run(repository, bash(comment), **{**variables, "CHECK_TOKEN": ""}) == (0, "")


def test_both_workflows_are_of_the_version_that_is_there() -> None:
    version = yaml.safe_load(
        (PROJECT / "collections/ansible_collections/pgops/runbook/galaxy.yml").read_text()
    )["version"]
    for name in ("github.yml", "gitlab.yml"):
        assert f"pgops-runbook-{version}.tar.gz" in (PROJECT / "docs" / "ci" / name).read_text(
            encoding="utf-8"
        )


# The hook -------------------------------------------------------------------------------------------------------


def test_the_hook_checks_the_repository_in_which_it_is_started(repository: Path) -> None:
    (hook,) = yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert (hook["language"], hook["pass_filenames"]) == ("script", False)
    entry = str(PROJECT / hook["entry"])
    before = sorted(repository.rglob("*"))
    # As whoever uses other playbooks may have it set.
    strange = {"ANSIBLE_CONFIG": "/nowhere", "ANSIBLE_ROLES_PATH": "/nowhere"}
    status, output = run(repository, [entry], **strange)
    assert status == 2, output
    assert "sql/migrations/002_email.sql:3:1: error: script_not_plain_sql" in output
    assert sorted(repository.rglob("*")) == before
    script = repository / "sql/migrations/002_email.sql"
    script.write_text("ALTER TABLE users ADD COLUMN email text;\n", encoding="utf-8")
    (repository / "sql/rollback/002_email_rollback.sql").write_text("ALTER TABLE users DROP COLUMN email;\n")
    (repository / "sql").rename(repository / "db")
    assert run(repository, [entry], **strange)[0] == 2
    status, output = run(repository, [entry, "-e", "sql_dir=db"], **strange)
    assert status == 0, output


def test_the_hook_says_what_is_missing(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dirname").symlink_to(str(shutil.which("dirname")))
    done = subprocess.run(
        [str(PROJECT / ".ci" / "check-hook")],
        cwd=repository,
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "python -m pip install 'ansible-core" in done.stderr
