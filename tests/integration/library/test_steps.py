# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps on a host of the library: which library they mean, and what they say of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.library.steps import library_of, show_renames

from benchmarks.library_on_disk import LibraryOnDisk
from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns

OPTIONS = {
    "library_host": "media1",
    "library_root": "/srv/library",
    "library_path_prefix": "",
    "library_state_dir": "/var/lib/x",
    "accept_missing_files": False,
    "accept_paths_elsewhere": False,
}


def step(found: list[str], given: list[str], **options: Any) -> Any:
    """A step of a run whose preflight has found some hosts and whose task names some."""
    receipts = [{"step": "preflight", "migration": None, "outputs": {"library_hosts": found}}]
    params = {**OPTIONS, "run": {"library_hosts": given}, **options}
    return SimpleNamespace(params=params, receipts=receipts)


@pytest.mark.parametrize(
    ("found", "given", "hosts"),
    [
        (["media1", "media2"], ["media1"], ["media1", "media2"]),
        ([], ["media1", "media3"], ["media1", "media3"]),
        ([], [], ["media1"]),
    ],
)
def test_hosts_that_preflight_has_found_come_before_those_of_the_task(
    found: list[str], given: list[str], hosts: list[str]
) -> None:
    assert library_of(step(found, given))["hosts"] == hosts


def test_a_host_that_is_none_of_the_library_s() -> None:
    with pytest.raises(Refused, match="Host media1 is not one of the library's: media2, media3") as refused:
        library_of(step(["media2", "media3"], ["media1"]))
    assert refused.value.code == "library_host_unknown"


def test_paths_begin_with_the_folder_unless_said_otherwise() -> None:
    assert library_of(step([], []))["path_prefix"] == "/srv/library"
    assert library_of(step([], [], library_path_prefix="/music"))["path_prefix"] == "/music"


def test_renames_are_shown_by_host() -> None:
    library = library_of(step([], []))
    shown = show_renames(library, [("a b", "a_b"), ("c", "d")])
    assert (shown["before"], shown["after"]) == ("a b\nc\n", "a_b\nd\n")
    assert shown["before_header"] == "media1: names before"
    assert show_renames(library, None)["after"] == ""


def test_a_file_that_users_delete_during_the_proof_is_none_that_is_missing(
    server: LocalServer, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading of the rows and that of the folder a user deletes file and row."""
    library = LibraryOnDisk(server, database, tmp_path, ["a b", "c"])
    library.rename({"a b": "a_b"})
    from ansible_collections.pgops.runbook.plugins.module_utils.library import steps

    proof = steps._still_missing

    def deletes_first(*arguments: Any) -> list[str]:
        library.execute("DELETE FROM files WHERE filepath LIKE '%/c'")
        return proof(*arguments)

    class WithoutC(steps.FileAgreement):
        def without_file(self) -> Any:
            yield "public.files.filepath", f"{library.root}/c", b"c", "c is missing"

    monkeypatch.setattr(steps, "_still_missing", deletes_first)
    agreement = steps.FileAgreement
    calls = []

    def second_is_without_c(*arguments: Any) -> Any:
        calls.append(arguments)
        return (WithoutC if len(calls) == 2 else agreement)(*arguments)

    monkeypatch.setattr(steps, "FileAgreement", second_is_without_c)
    assert library.followed()["missing"] == 0
    assert len(calls) == 2


def test_a_library_that_none_of_the_run_s_hosts_has_is_refused_by_the_module(runs: StepRuns) -> None:
    runs.library_hosts = ("media1",)
    runs.write(
        migrations__002_author="-- Files: rename notes.body\nUPDATE notes SET body = body || '_';",
        rollback__002_author_rollback="UPDATE notes SET body = rtrim(body, '_');",
    )
    runs.up_to("rehearse")
    answer = runs.step("files_check", library_host="media9", library_root=str(runs.folder))
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "library_host_unknown")
