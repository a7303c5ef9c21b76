# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run ansible-test sanity on the collection as it is installed: ``python .ci/sanity.py [--offline]``.

Without a container. Some of its tests run in virtual environments that ansible-test makes for itself, with packages
of its own choice; they are made once, in .local/sanity, and need a package index. ``--offline`` leaves these tests out.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
HOME = PROJECT / ".local" / "sanity"

OFFLINE = (
    "action-plugin-docs",
    "compile",
    "empty-init",
    "ignores",
    "line-endings",
    "no-assert",
    "no-get-exception",
    "no-illegal-filenames",
    "no-smart-quotes",
    "replace-urlopen",
    "shebang",
    "symlinks",
    "use-argspec-type-path",
    "use-compat-six",
)
WITH_PACKAGES = ("ansible-doc", "pep8", "runtime-metadata", "validate-modules", "yamllint")
NOT_RUN = {
    "changelog": "reads the changelogs of antsibull, of which there are none",
    "import": "wants each file of the controller to import without pglast, which parses the SQL; that those of the"
    " target import without psycopg2 is tested in tests/unit/postgres",
    "pylint": "ruff and mypy do its work; its names are others (it forbids _, which ruff asks for)",
    "pslint": "there is no PowerShell in the collection",
    "shellcheck": "there is no shell script in the collection",
}

# ansible-test fetches get-pip.py to fill its environments. This file in its place takes the pip that Python brings.
GET_PIP = "get_pip_24_2.py"
PIP_OF_PYTHON = "import ensurepip\n\nensurepip.bootstrap()\n"


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def install(folder: Path) -> Path:
    """Build the collection and install it below ``folder``; returns where it then is."""
    subprocess.run([sys.executable, str(PROJECT / ".ci" / "collection.py"), str(folder / "dist")], check=True)
    (tarball,) = (folder / "dist").iterdir()
    # Not in the checkout, whose own folder of collections would count as an installation.
    command = [
        program("ansible-galaxy"),
        "collection",
        "install",
        "--offline",
        "-p",
        str(folder),
        str(tarball),
    ]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "ansible_collections" / "pgops" / "runbook"


def pip_settings() -> str:
    """The caller's settings of pip (index, mirror ...) as a file: ansible-test hands no variable on to pip."""
    listed = subprocess.run([program("pip"), "config", "list"], capture_output=True, text=True, check=True)
    settings: dict[str, str] = {}  # one line an option: a variable of the environment goes before a file
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        where, _, option = name.rpartition(".")
        is_setting = where in ("global", "install") and option not in settings
        if is_setting or where == ":env:":
            settings[option] = " ".join(ast.literal_eval(value).split())
    return "[global]\n" + "".join(f"{option} = {value}\n" for option, value in settings.items())


def prepare_home(home: Path) -> None:
    """A home for ansible-test, so that nothing is left in the caller's own."""
    for name, text in {
        f".ansible/test/cache/{GET_PIP}": PIP_OF_PYTHON,
        ".config/pip/pip.conf": pip_settings(),
    }.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def sanity(collection: Path, tests: tuple[str, ...]) -> int:
    """Exit status of ansible-test; its findings go to the screen."""
    prepare_home(HOME)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    chosen = [word for test in tests for word in ("--test", test)]
    return subprocess.run(
        [program("ansible-test"), "sanity", "--color", "no", "--python", version, *chosen],
        cwd=collection,
        env={**os.environ, "HOME": str(HOME)},
        check=False,
    ).returncode


def main() -> int:
    tests = OFFLINE if "--offline" in sys.argv[1:] else OFFLINE + WITH_PACKAGES
    with tempfile.TemporaryDirectory(prefix="pgops-sanity-") as folder:
        status = sanity(install(Path(folder)), tests)
    print(f"ansible-test sanity: {len(tests)} tests, {'passed' if status == 0 else 'FAILED'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
