# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils import digests


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert digests.canonical_json({"b": 1, "a": [1, {"d": 2, "c": "é"}]}) == '{"a":[1,{"c":"é","d":2}],"b":1}'
    assert digests.digest_of({"a": 1, "b": 2}) == digests.digest_of({"b": 2, "a": 1})
    assert digests.digest_of({"a": 1}) != digests.digest_of({"a": "1"})
