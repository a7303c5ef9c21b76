# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A database that writes down who logs in, as the manual's own example does: in the copy it does so, too."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.backup import proof

from tests.integration.step_runs import StepRuns

WRITES = """
    CREATE OR REPLACE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        IF current_setting('application_name') IN ({passed_over}) THEN RETURN; END IF;
        INSERT INTO public.logins (who) VALUES (session_user);
    END $$"""


def test_it_is_named_and_deployed_once_it_passes_over_the_runbook(runs: StepRuns) -> None:
    assert proof.LOGIN_TRIGGERS
    runs.execute(
        "CREATE TABLE logins (id serial PRIMARY KEY, who text)",
        WRITES.format(passed_over="'nobody'"),
        "CREATE EVENT TRIGGER note_login ON login EXECUTE FUNCTION note_login()",
    )
    try:
        runs.steps("preflight", "maintenance_window", "backup")
        answer = runs.step("verify_restore")
        assert answer["reason_code"] == "copy_differs_from_production", answer
        assert "a trigger that fires at each login, note_login" in answer["msg"]
        assert "is 'pgops.runbook', then type the same command again." in answer["msg"]
        runs.conclude("refused")
        runs.execute(WRITES.format(passed_over="'pgops.runbook'"))
        again = runs.another("deploy", "002")
        again.deploy()
        assert runs.ask("SELECT count(author) FROM notes") == [(0,)]
    finally:
        runs.execute("DROP EVENT TRIGGER note_login")
