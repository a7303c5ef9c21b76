# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A story: a database, a migration with its rollback, what users write, and the verdict that must come.

A file begins with what it is about, and these lines:

    -- Verdict: deployed
    -- Verdict: refused REASON_CODE
    -- Verdict: unchanged REASON_CODE     that only production knows: apply begins, and takes back what it did
    -- Verdict: consent VARIABLE=VALUE, REASON_CODE without it
    -- Names: TEXT             of a refusal: what its sentence has to say; may be repeated
    -- With: VARIABLE=VALUE    policy of this deploy; may be repeated
    -- Migration: VERSION      that is deployed; where nothing is said, 002
    -- Needs: extension NAME

Below them stand parts, each behind a line ``--- NAME``: ``before`` (the database and its rows), ``apply``,
``rollback``, ``verify``, ``precheck`` and ``smoke`` (scripts of the runbook's own layout), ``users`` (what they write
between deploy and rollback), or the path of any other file in sql_dir. A script is to the byte what its part holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["STORIES", "Story", "StoryError", "Verdict", "parse_story", "read_stories"]

STORIES = Path(__file__).resolve().parent.parent / "strangers" / "migrations"

DEPLOYED, REFUSED, CONSENT = "deployed", "refused", "consent"
VERSION = "002"
#: Parts that are no files, and where the scripts with a short name go.
PARTS = ("before", "users")
PLACES = {
    "apply": "migrations/002_{name}.sql",
    "rollback": "rollback/002_{name}_rollback.sql",
    "verify": "verify/002_{name}.sql",
    "precheck": "precheck/002_{name}.sql",
    "smoke": "smoke/{name}.sql",
}
_PART = re.compile(r"^--- (\S.*)$", re.MULTILINE)
_FACT = re.compile(r"^-- (Verdict|Names|With|Migration|Needs): (.*)$", re.MULTILINE)
_VERDICT = re.compile(
    r"(?P<deployed>deployed)|(?P<outcome>refused|unchanged) (?P<refused>\w+)"
    r"|consent (?P<consent>\w+=\S+), (?P<without>\w+) without it"
)


class StoryError(ValueError):
    """A story's file is not as it should be."""


@dataclass(frozen=True)
class Verdict:
    """What must come of a deploy.

    Attributes:
        kind: DEPLOYED, REFUSED or CONSENT.
        reason_code: of the refusal; of CONSENT the one that comes without the consent.
        outcome: of a run that is refused, as run.json has it.
        names: texts that the refusal's sentence has to contain.
        consent: variable and value; empty but for CONSENT.
    """

    kind: str
    reason_code: str = ""
    outcome: str = REFUSED
    names: tuple[str, ...] = ()
    consent: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Story:
    """One migration of a stranger.

    Attributes:
        files: path in sql_dir -> text.
        policy: variables of the deploy.
        extension: that the server has to have; empty where none.
    """

    name: str
    about: str
    verdict: Verdict
    before: str
    files: Mapping[str, str]
    users: str
    policy: Mapping[str, str]
    migration: str = VERSION
    extension: str = ""

    def script(self, part: str) -> str:
        """Text of a script by its short name; empty where the story has none."""
        return self.files.get(PLACES[part].format(name=self.name), "")

    @property
    def leaves_something(self) -> bool:
        """Whether the rollback says, or a consent, that the schema is another one in what cannot be taken back."""
        consent = self.verdict.consent or {}
        return "accept_residue" in consent or any("-- Leaves:" in text for text in self.files.values())


def read_stories(folder: Path = STORIES) -> list[Story]:
    """All stories, by name.

    Raises:
        StoryError: a file is not as it should be.
    """
    # Not as text, in which ends of lines would all be the same.
    return [parse_story(path.stem, path.read_bytes().decode()) for path in sorted(folder.glob("*.sql"))]


def parse_story(name: str, text: str) -> Story:
    """The story of a file.

    Raises:
        StoryError: it has no verdict, no migration, or a part twice.
    """
    head, *rest = _PART.split(text)
    facts: dict[str, list[str]] = {}
    for key, value in _FACT.findall(head):
        facts.setdefault(key, []).append(value.strip())
    parts: dict[str, str] = {}
    for part, content in zip(rest[::2], rest[1::2], strict=True):
        if part in parts:
            raise StoryError(f"{name}: it has the part {part} twice")
        parts[part] = content.removeprefix("\n")
    files = {
        PLACES.get(part, part).format(name=name): content
        for part, content in parts.items()
        if part not in PARTS
    }
    if not files:
        raise StoryError(f"{name}: it has no migration")
    return Story(
        name,
        head.split("\n", 1)[0].removeprefix("-- "),
        _verdict(name, facts),
        parts.get("before", ""),
        files,
        parts.get("users", ""),
        dict(_pair(one) for one in facts.get("With", [])),
        facts.get("Migration", [VERSION])[0],
        facts.get("Needs", [""])[0].removeprefix("extension "),
    )


def _verdict(name: str, facts: Mapping[str, list[str]]) -> Verdict:
    said = facts.get("Verdict", [])
    match = _VERDICT.fullmatch(said[0]) if len(said) == 1 else None
    if match is None:
        raise StoryError(f"{name}: its verdict is not one: {said}")
    names = tuple(facts.get("Names", []))
    if match["deployed"]:
        return Verdict(DEPLOYED)
    if not names:
        raise StoryError(f"{name}: it does not say what the refusal has to name")
    if match["refused"]:
        return Verdict(REFUSED, match["refused"], match["outcome"], names)
    return Verdict(CONSENT, match["without"], REFUSED, names, dict([_pair(match["consent"])]))


def _pair(text: str) -> tuple[str, str]:
    variable, _sign, value = text.partition("=")
    return variable.strip(), value.strip()
