# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The password comes from one place, and what is wrong with that place is said without it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.run import password as subject
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.password import (
    Passwords,
    PasswordUnavailable,
    password_of,
)

SECRET = "s3cret"
PRINTS = [sys.executable, "-c"]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A file as it should be."""
    path = tmp_path / "the password"
    path.touch(mode=0o600)
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    return path


def refusal(password: Any = "", file: Any = "", command: Any = ()) -> str:
    with pytest.raises(PasswordUnavailable) as caught:
        password_of(password, file, command)
    assert (caught.value.code, caught.value.outcome) == ("password_unavailable", "failed")
    assert SECRET not in caught.value.reason
    return caught.value.reason


# One of three --------------------------------------------------------------------------------------------


def test_nothing_is_left_to_libpq() -> None:
    assert password_of("", "", []) == password_of(None, None, None) == ""


def test_each_way_gives_it(kept: Path) -> None:
    assert password_of(SECRET, "", []) == SECRET
    assert password_of("", str(kept), []) == SECRET
    assert password_of("", "", [*PRINTS, f"print({SECRET!r})"]) == SECRET


def test_two_ways_are_refused(kept: Path) -> None:
    assert "db_password and db_password_file are set" in refusal(SECRET, str(kept))
    assert "db_password_file and db_password_command are set" in refusal("", str(kept), ["true"])
    assert "db_password and db_password_command are set" in refusal(SECRET, "", ["true"])


# A file --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644, 0o777])
def test_a_file_that_others_may_use_is_refused(kept: Path, mode: int) -> None:
    kept.chmod(mode)
    said = refusal(file=str(kept))
    assert f"has mode {mode:04o}" in said
    assert f"chmod 600 '{kept}'" in said


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owner_alone_is_taken(kept: Path, mode: int) -> None:
    kept.chmod(mode)
    assert password_of("", str(kept), []) == SECRET


def test_the_mode_is_that_of_the_file_a_link_leads_to(kept: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(kept)
    assert password_of("", str(link), []) == SECRET
    kept.chmod(0o644)
    assert "has mode 0644" in refusal(file=str(link))


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (pipe, tmp_path, Path(os.devnull)):
        assert "is no plain file" in refusal(file=str(path))
    assert "No such file or directory" in refusal(file=str(tmp_path / "nowhere"))
    assert "cannot be read" in refusal(file="a\0b")
    assert "cannot be read" in refusal(file="~nobody-of-this-name/x")


def test_a_path_may_begin_at_home(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(kept.parent))
    assert password_of("", f"~/{kept.name}", []) == SECRET


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "gave no password"),
        (b"\n", "gave no password"),
        (b"one\ntwo\n", "more than one line"),
        (b"\xff\xfe\n", "not UTF-8"),
        (b"a\0b\n", "what is no password"),
        (b"x" * 70000, "what is no password"),
    ],
)
def test_what_cannot_be_a_password_is_refused(kept: Path, content: bytes, said: str) -> None:
    kept.write_bytes(content)
    assert said in refusal(file=str(kept))


@pytest.mark.parametrize(
    "text", [" with spaces ", '"quotes" and it\'s', "back\\slash", "ünï→日本", "{{ 1 }}", "$(x)"]
)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_it_is_taken_as_it_stands(kept: Path, text: str, ending: str) -> None:
    kept.write_bytes(f"{text}{ending}".encode())
    assert password_of("", str(kept), []) == text


# A command -----------------------------------------------------------------------------------------------


def test_the_first_line_counts_and_no_shell_is_asked() -> None:
    assert password_of("", "", ["printf", "%s\n%s\n", "$HOME;`x`", "more"]) == "$HOME;`x`"
    assert password_of("", "", ("echo", 42)) == "42"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "print('s3cret'); import sys; print('s3cret', file=sys.stderr); sys.exit(7)",
            "failed with exit status 7",
        ),
        ("print('s3cret', flush=True); import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("pass", "gave no password"),
        ("print(); print('s3cret')", "gave no password"),
        ("import sys; sys.exit('s3cret' if sys.stdin.read() else 3)", "failed with exit status 3"),
    ],
)
def test_a_command_that_fails_is_told_by_its_status(
    code: str, said: str, capfd: pytest.CaptureFixture
) -> None:
    assert said in refusal(command=[*PRINTS, code])
    assert SECRET not in "".join(capfd.readouterr())


def test_arguments_of_a_command_are_not_told() -> None:
    assert "(false ...)" in refusal(command=["false", f"--token={SECRET}"])


@pytest.mark.parametrize("command", ["pass show database", {"pass": "show"}, [["pass"]], 7, ["pass", None]])
def test_what_is_no_list_of_words_is_refused(command: Any) -> None:
    assert "no list of words" in refusal(command=command)


@pytest.mark.parametrize("program", ["/nowhere/pass", "", "a\0b", "/etc/passwd"])
def test_a_program_that_cannot_be_started_is_refused(program: str) -> None:
    assert "could not be started" in refusal(command=[program])


def test_a_command_that_waits_for_somebody_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "COMMAND_SECONDS", 0.1)
    assert "had not ended after 0.1 s" in refusal(command=["sleep", "600"])


# For a step ----------------------------------------------------------------------------------------------


def test_a_step_is_given_the_password_and_not_where_it_is_kept(tmp_path: Path) -> None:
    count = tmp_path / "count"
    command = [*PRINTS, f"open({str(count)!r}, 'a').write('x'); print({SECRET!r})"]
    passwords = Passwords()
    target = {"login_db": "shop", "login_password": "", "password_file": "", "password_command": command}
    for _ in range(3):
        assert passwords.put_into(target) == {"login_db": "shop", "login_password": SECRET}
    assert count.read_text(encoding="utf-8") == "x"
    assert (
        passwords.put_into({**target, "password_command": [], "login_password": "other"})["login_password"]
        == "other"
    )
    assert target["password_command"] == command


def test_whose_password_it_is_stands_in_front() -> None:
    with pytest.raises(
        PasswordUnavailable, match=r"^Of the server of the copy: db_password_command \(false \.\.\.\)"
    ):
        Passwords().put_into({"password_command": ["false"]}, "Of the server of the copy: ")
