# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was agreed to for a run, and why: kept with its receipts, where nobody changes it unseen."""

from __future__ import annotations

from collections.abc import Sequence

from ..consent import CONSENT_SPEC, Consent, refuse_vague_consents
from ..errors import Refused
from ..sentences import listed
from ..shapes import Json
from ..step.step import Step

__all__ = ["AGREED_SPEC", "agreed"]

#: The consents that preflight itself asks, and what it keeps of all of them.
AGREED_SPEC: Json = {
    "accept_drift": {"type": "bool", "default": False},
    "accept_edited_scripts": CONSENT_SPEC,
    "accept_applied_again": CONSENT_SPEC,
    "accept_empty_rollback": CONSENT_SPEC,
    "accept_broken_chain": {"type": "bool", "default": False},
    "consents": {"type": "dict", "default": {}},
    "consent_reason": {"type": "str", "default": ""},
    "consents_need_reason": {"type": "bool", "default": False},
}

# About a migration of the run; the others are about what the run finds.
OF_A_MIGRATION = (
    "accept_applied_again",
    "accept_data_loss",
    "accept_empty_rollback",
    "accept_residue",
    "accept_table_rewrite",
)

CHANGES_PRODUCTION = ("deploy", "emergency_rollback")


def agreed(step: Step, versions: Sequence[str]) -> Json:
    """What was agreed to, for the receipt.

    Returns:
        dict consents (name of the variable -> True, or the versions for which it was given) and consent_reason, where
        anything was.

    Raises:
        Refused: a consent is about a migration that the folder does not have, or of several it does not say for which,
            or no reason was given where one is wanted.
    """
    given = {name: Consent.of(value) for name, value in sorted(step.params["consents"].items())}
    given = {name: consent for name, consent in given.items() if consent.whole or consent.versions}
    if step.playbook in CHANGES_PRODUCTION:
        of_migrations = {name: consent for name, consent in given.items() if name in OF_A_MIGRATION}
        # Of several databases, one has it applied that is pending in another.
        known = [entry["version"] for entry in step.plan["index"]]
        refuse_vague_consents(of_migrations, versions, known)
        _refuse_silent(step, list(given))
    if not given:
        return {}
    return {
        "consents": {name: consent.whole or list(consent.versions) for name, consent in given.items()},
        "consent_reason": step.params["consent_reason"],
    }


def _refuse_silent(step: Step, names: list[str]) -> None:
    """
    Raises:
        Refused: nobody says why something is to pass, where that is wanted.
    """
    if names and step.params["consents_need_reason"] and not step.params["consent_reason"].strip():
        raise Refused(
            "consent_without_reason",
            f"{listed(names)} was given, and consents_need_reason wants to know why. Nothing was changed. Type the same"
            " command with -e consent_reason='...': it is kept with the receipts of the run.",
        )
