# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which settings of an application's own a script reads without setting them itself."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.execution.settings_left import settings_read


@pytest.mark.parametrize(
    ("statements", "names"),
    [
        (["SELECT current_setting('app.tenant', true) IS NOT NULL"], ["app.tenant"]),
        (["DO $$ BEGIN PERFORM pg_catalog.current_setting( 'App.Tenant' ); END $$"], ["app.tenant"]),
        (["SELECT current_setting('a.b', true)", "SELECT current_setting('c.d.e', true)"], ["a.b", "c.d.e"]),
        (["SET LOCAL app.tenant = '7'", "SELECT current_setting('app.tenant')"], []),
        (["SELECT set_config('app.tenant', '7', true)", "SELECT current_setting('app.tenant')"], []),
        (["SELECT current_setting('app.tenant', true)", "SET app.tenant TO '7'"], []),
        (["SELECT nullif(current_setting('app.tenant', true), '')"], []),
        (["SELECT current_setting('search_path')", "UPDATE app.t SET a.b = 1"], []),
        (["UPDATE t SET x = current_setting('app.tenant')"], ["app.tenant"]),
    ],
)
def test_what_is_read_and_set_nowhere(statements: list[str], names: list[str]) -> None:
    assert settings_read(statements) == names
