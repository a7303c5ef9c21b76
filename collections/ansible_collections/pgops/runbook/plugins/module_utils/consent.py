# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""For which migrations of a run a person has agreed that something may pass which is refused otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import Refused
from .sentences import listed

__all__ = ["CONSENT_SPEC", "NO", "Consent", "refuse_vague_consents"]

#: Argument of a module whose value Consent.of() reads.
CONSENT_SPEC = {"type": "raw", "default": False}

# As in YAML and on Ansible's command line, where nothing says that a word is no text.
YES = ("true", "yes", "on", "y", "t", "1", "1.0")
NO = ("", "false", "no", "off", "n", "f", "0", "0.0", "none")


class Consent:
    """For which migrations a consent was given.

    Attributes:
        whole: it was given with ``true``: for the migration of the run, whichever that is.
        versions: those that it names.
    """

    def __init__(self, whole: bool = False, versions: Sequence[str] = ()) -> None:
        self.whole = whole
        self.versions = tuple(versions)

    @classmethod
    def of(cls, value: Any) -> Consent:
        """Read the value of a variable.

        Args:
            value: a truth; a version, or several with commas between them; a list of versions; or a consent.

        Raises:
            Refused: it is something else, such as a number without quotes, whose zeros are lost.
        """
        if isinstance(value, Consent):
            return value
        if value is None or isinstance(value, bool):
            return cls(bool(value))
        if isinstance(value, str):
            word = value.strip().lower()
            if word in YES or word in NO:
                return cls(word in YES)
            return cls(versions=[one.strip() for one in value.split(",") if one.strip()])
        if isinstance(value, Sequence) and all(isinstance(one, str) for one in value):
            return cls(versions=[one.strip() for one in value if one.strip()])
        raise Refused(
            "consent_not_readable",
            f"A consent is {value!r}. It is true, or the version for which it is given, in quotes, or a list of such:"
            ' -e \'{"accept_data_loss": ["009"]}\'. Nothing was changed.',
        )

    def given_for(self, version: str) -> bool:
        return self.whole or version in self.versions


def refuse_vague_consents(
    consents: Mapping[str, Consent], versions: Sequence[str], known: Sequence[str]
) -> None:
    """Refuse what leaves open for which migration it is meant.

    Args:
        consents: by the name of their variables.
        versions: migrations of the run.
        known: all that the folder has.

    Raises:
        Refused: one is given for a migration that is none, or without a name though the run has several.
    """
    for name, consent in consents.items():
        unknown = [version for version in consent.versions if version not in known]
        if unknown:
            raise Refused(
                "consent_for_no_migration",
                f"{name} is given for {listed(unknown)}, and there is no such migration. Nothing was changed. Of this"
                f" run are: {listed(list(versions)) or 'none'}. Correct the version, or leave the consent out.",
            )
        if consent.whole and len(versions) > 1:
            raise Refused(
                "consent_without_migration",
                f"{name}=true does not say for which of the {len(versions)} migrations of this run it is meant:"
                f" {listed(list(versions))}. Nothing was changed. Name those for which you agree, with commas between"
                f" them: -e {name}={versions[-1]}",
            )
