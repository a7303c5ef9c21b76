# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible-builder takes execution-environment.yml, and finds what the collection needs beside itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_builder.ee_schema import validate_schema

from tests.integration.collection.strangers_project import PROJECT, environment, program

# ansible-builder sets it when it is imported: errors of all other tests of this process would come without places.
vars(sys).pop("tracebacklimit", None)

DEFINITION = PROJECT / "execution-environment.yml"


def definition() -> dict:
    return yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))


def builder(*arguments: str, cwd: Path) -> str:
    return subprocess.run(
        [program("ansible-builder"), *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_definition_is_of_the_newest_schema_and_valid() -> None:
    assert definition()["version"] == 3
    validate_schema(definition())


def test_the_schema_is_really_looked_at() -> None:
    with pytest.raises(Exception, match="not_a_key"):
        validate_schema({**definition(), "not_a_key": True})


def test_the_context_of_the_image_holds_the_collection(tarball: Path, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    shutil.copy(tarball, tmp_path / "dist")
    shutil.copy(DEFINITION, tmp_path)
    builder("create", "--output-filename", "Containerfile", cwd=tmp_path)
    context = tmp_path / "context"
    (wanted,) = yaml.safe_load((context / "_build" / "requirements.yml").read_text())["collections"]
    # ansible-galaxy runs in the folder that _build becomes in the image.
    assert (context / "_build" / wanted["name"]).read_bytes() == tarball.read_bytes()
    assert "COPY _build /build" in (context / "Containerfile").read_text()


def test_the_image_has_the_ansible_that_is_tested() -> None:
    tested = re.search(r"^(ansible-core\S+)", (PROJECT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert tested is not None
    assert definition()["dependencies"]["ansible_core"] == {"package_pip": tested[1]}


def test_packages_and_programs_are_found_in_the_installed_collection(
    collections: Path, tmp_path: Path
) -> None:
    found = yaml.safe_load(builder("introspect", str(collections), cwd=tmp_path))
    origin = "  # from collection pgops.runbook"
    tested = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    packages = [line.removesuffix(origin) for line in found["python"]]
    assert [package.split(">=")[0] for package in packages] == [
        *("pglast", "psycopg2-binary", "cronsim", "squawk-cli")
    ]
    assert [
        package for package in packages if not re.search(rf"^{package}\s", tested, flags=re.MULTILINE)
    ] == []
    assert {line.removesuffix(origin) for line in found["system"]} == {
        "openssh-client [platform:dpkg]",
        "openssh-clients [platform:rpm]",
        "postgresql [platform:rpm]",
        "postgresql-client [platform:dpkg]",
    }
