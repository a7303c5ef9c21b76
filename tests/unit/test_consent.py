# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""For which migrations a consent is given, in the ways in which people write it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.consent import Consent, refuse_vague_consents
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused

RUN = ["009", "010"]
FOLDER = ["008", *RUN]


@pytest.mark.parametrize("value", [True, "true", "True", " yes ", "on", "1"])
def test_true_is_for_whichever_migration_the_run_has(value: Any) -> None:
    assert Consent.of(value).given_for("009")


@pytest.mark.parametrize("value", [False, None, "", "false", "No", "off", "0", "none", []])
def test_none_is_given(value: Any) -> None:
    assert not Consent.of(value).given_for("009")


@pytest.mark.parametrize("value", ["009", "009,010", " 010 , 009 ", ["009"], ("008", " 009")])
def test_a_version_is_for_that_one_only(value: Any) -> None:
    assert Consent.of(value).given_for("009")
    assert not Consent.of(value).given_for("011")


def test_a_list_may_name_what_else_would_be_a_truth() -> None:
    assert Consent.of(["1"]).given_for("1")
    assert not Consent.of(["1"]).given_for("2")


@pytest.mark.parametrize("value", [9, 1.5, {"009": "because"}, [9]])
def test_a_number_has_lost_its_zeros(value: Any) -> None:
    with pytest.raises(Refused) as refused:
        Consent.of(value)
    assert refused.value.code == "consent_not_readable"


def refused_for(value: Any, versions: list[str] = RUN) -> str:
    with pytest.raises(Refused) as refused:
        refuse_vague_consents({"accept_data_loss": Consent.of(value)}, versions, FOLDER)
    return f"{refused.value.code}: {refused.value.reason}"


def test_in_a_run_of_several_true_does_not_say_for_which() -> None:
    assert refused_for(True) == (
        "consent_without_migration: accept_data_loss=true does not say for which of the 2 migrations of this run it is"
        " meant: 009; 010. Nothing was changed. Name those for which you agree, with commas between them: -e"
        " accept_data_loss=010"
    )


def test_a_migration_that_is_none_is_named_with_those_of_the_run() -> None:
    assert refused_for("090") == (
        "consent_for_no_migration: accept_data_loss is given for 090, and there is no such migration. Nothing was"
        " changed. Of this run are: 009; 010. Correct the version, or leave the consent out."
    )
    assert "Of this run are: none." in refused_for("090", [])


@pytest.mark.parametrize(("value", "versions"), [(True, ["009"]), (True, []), ("009", RUN), ("008", RUN)])
def test_what_is_clear_passes(value: Any, versions: list[str]) -> None:
    """008 is pending in another database of the same command."""
    refuse_vague_consents({"accept_data_loss": Consent.of(value)}, versions, FOLDER)
