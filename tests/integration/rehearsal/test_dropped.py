# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A header that says ``Data Loss: NONE`` is right where things get other names or hold no values, else not."""

from __future__ import annotations

import pytest

from tests.integration.step_runs import StepRuns

APPLY = """-- Data Loss: NONE
ALTER TABLE notes RENAME COLUMN body TO "Text";
ALTER TABLE "old.one".t RENAME TO "T 2";
ALTER TABLE "old.one".moved SET SCHEMA public;
ALTER SCHEMA "old.one" RENAME TO new;
ALTER TYPE pair RENAME ATTRIBUTE a TO b;
ALTER VIEW seen RENAME COLUMN id TO number;
ALTER TABLE notes DROP COLUMN twice;
DROP VIEW one;
DROP TYPE unused;
"""
ROLLBACK = """-- Leaves: column order notes
CREATE TYPE unused AS (a int);
CREATE VIEW one AS SELECT 1 AS x;
ALTER TABLE notes ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED;
ALTER VIEW seen RENAME COLUMN number TO id;
ALTER TYPE pair RENAME ATTRIBUTE b TO a;
ALTER SCHEMA new RENAME TO "old.one";
ALTER TABLE moved SET SCHEMA "old.one";
ALTER TABLE "old.one"."T 2" RENAME TO t;
ALTER TABLE notes RENAME COLUMN "Text" TO body;
"""


@pytest.fixture
def renaming(runs: StepRuns) -> StepRuns:
    runs.execute(
        'CREATE SCHEMA "old.one"',
        'CREATE TABLE "old.one".t (id int PRIMARY KEY, "a.b" text)',
        'CREATE TABLE "old.one".moved (id int)',
        'INSERT INTO "old.one".t VALUES (1)',
        "CREATE TYPE pair AS (a int)",
        "ALTER TABLE notes ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED",
        "CREATE VIEW seen AS SELECT id FROM notes",
        "CREATE VIEW one AS SELECT 1 AS x",
        "CREATE TYPE unused AS (a int)",
    )
    runs.write(migrations__002_author=APPLY, rollback__002_author_rollback=ROLLBACK)
    return runs


def test_other_names_are_no_loss(renaming: StepRuns) -> None:
    proof = renaming.up_to("rehearse")["outputs"]["migrations"][0]
    assert (proof["dropped_tables"], proof["dropped_columns"]) == ([], [])


def test_beside_other_names_a_loss_is_seen(renaming: StepRuns) -> None:
    renaming.write(
        migrations__002_author=APPLY + 'ALTER TABLE new."T 2" DROP COLUMN "a.b"; DROP TABLE moved;',
        rollback__002_author_rollback="CREATE TABLE moved (id int);"
        'ALTER TABLE new."T 2" ADD COLUMN "a.b" text;' + ROLLBACK,
    )
    renaming.up_to("verify_restore")
    answer = renaming.step("rehearse")
    assert answer["reason_code"] == "impact_not_allowed", answer["msg"]
    assert """and it drops column "old.one".t."a.b" and drops table "old.one".moved (""" in answer["msg"]
