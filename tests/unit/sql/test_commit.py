# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commit of sql_dir, from real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.commit import commit_of


def git(folder: Path, *arguments: str) -> str:
    names = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    run = ["git", *names, "-C", str(folder), *arguments]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def sql_dir(tmp_path: Path) -> Path:
    """Folder db/sql of a repository with one commit."""
    made = tmp_path / "db" / "sql"
    made.mkdir(parents=True)
    (made / "001.sql").write_text("SELECT 1;", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    return made


def test_of_a_clean_folder(sql_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("not of sql_dir", encoding="utf-8")
    assert commit_of(str(sql_dir)) == {"commit": git(sql_dir, "rev-parse", "HEAD"), "changed": False}


@pytest.mark.parametrize("name", ["001.sql", "002.sql"])
def test_of_one_with_changes(sql_dir: Path, name: str) -> None:
    (sql_dir / name).write_text("SELECT 2;", encoding="utf-8")
    assert commit_of(str(sql_dir))["changed"] is True


def test_of_no_repository(tmp_path: Path) -> None:
    assert commit_of(str(tmp_path)) is None
    assert commit_of(str(tmp_path / "nowhere")) is None


def test_of_one_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert commit_of(str(tmp_path)) is None


def test_without_git(sql_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert commit_of(str(sql_dir)) is None


def test_the_callers_own_repository_is_not_meant(sql_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As within a hook of git, which sets GIT_DIR."""
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert commit_of(str(sql_dir)) is not None


def test_nothing_that_the_repository_names_is_run(sql_dir: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/was-run'\n", encoding="utf-8")
    hook.chmod(0o755)
    git(sql_dir, "config", "core.fsmonitor", str(hook))
    commit_of(str(sql_dir))
    assert not (tmp_path / "was-run").exists()
