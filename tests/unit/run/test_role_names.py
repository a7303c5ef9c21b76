# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names that go into SQL as they are: those that would be something else there are refused."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.role_names import check_names


@pytest.mark.parametrize("name", ["app", "De loyR.x", "my-app", "ä;b", "a\\b", "x" * 63, "public_app"])
def test_a_name_that_is_quoted_rightly_passes(name: str) -> None:
    check_names({"db_user": name, "bootstrap_roles_owners": [name, "app"]})


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("De'p", "has ' in it"),
        ('a"b%', 'has " and % in it'),
        ("a,b", "has , in it"),
        ("a\nb", "cannot be seen"),
        ("a\u202eb", "cannot be seen"),
        ("session_User", "another role's"),
        ("", "is empty"),
    ],
)
def test_any_other_is_refused_by_what_has_it(name: str, what: str) -> None:
    with pytest.raises(Refused) as refused:
        check_names({"db_user": "app", "bootstrap_roles_owners": ["app", name]})
    assert refused.value.code == "name_unusable"
    assert refused.value.reason.startswith(f"bootstrap_roles_owners: the name {name!r} ")
    assert what in refused.value.reason
    assert "Nothing was changed." in refused.value.reason
