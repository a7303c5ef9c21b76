# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""`make sanity` looks at the files of the collection, and says of each test of ansible-test whether it is run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.collection.ci_scripts import ci_script
from tests.integration.collection.strangers_project import environment, program

PLANTED = {
    "line-endings": ("roles/apply/meta/main.yml", b"---\r\n"),
    "compile": ("plugins/module_utils/planted.py", b"def :\n"),
    "shebang": ("plugins/modules/apply.py", b"#!/usr/bin/env perl\n"),
    "no-get-exception": (
        "plugins/module_utils/planted.py",
        b"from ansible.module_utils.pycompat24 import get_exception\n",
    ),
}


@pytest.fixture
def copy(installed: Path, tmp_path: Path) -> Path:
    """The installed collection, to be spoiled."""
    return Path(shutil.copytree(installed, tmp_path / "ansible_collections" / "pgops" / "runbook"))


def test_each_test_of_ansible_test_is_run_or_named_with_a_reason(copy: Path) -> None:
    sanity = ci_script("sanity")
    command = [program("ansible-test"), "sanity", "--list-tests"]
    listed = subprocess.run(command, cwd=copy, env=environment(), capture_output=True, text=True, check=True)
    assert sorted([*sanity.OFFLINE, *sanity.WITH_PACKAGES, *sanity.NOT_RUN]) == sorted(listed.stdout.split())


@pytest.mark.parametrize("test", PLANTED)
def test_a_planted_fault_is_found(copy: Path, test: str) -> None:
    sanity = ci_script("sanity")
    assert sanity.sanity(copy, (test,)) == 0
    name, text = PLANTED[test]
    (copy / name).write_bytes(text)
    assert sanity.sanity(copy, (test,)) != 0
