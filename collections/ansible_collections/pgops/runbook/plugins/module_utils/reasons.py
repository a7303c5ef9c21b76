# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every reason_code: what it means, and what to do. docs/reasons.md is made from this table.

A code stays when its sentence is reworded: alerts match it. One that is no longer used is removed, never given another
meaning.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PARTS", "REASONS", "Reason"]


class Reason(NamedTuple):
    """What a person who is woken by a code wants to know.

    Attributes:
        meaning: one sentence.
        to_do: what to do about it.
    """

    meaning: str
    to_do: str


#: Heading of the page -> code -> reason, each part in the order of the alphabet.
PARTS: dict[str, dict[str, Reason]] = {
    "The SQL folder": {
        "check_baseline_unusable": Reason(
            "The file of accepted findings is missing, cannot be read or written, or has another form.",
            "Correct check_baseline, or write the file with -e check_write_baseline=true.",
        ),
        "check_found_faults": Reason(
            "The check of the SQL folder found what preflight would refuse, or what check_fail_on asks for.",
            "Correct what it names; old findings can be accepted in check_baseline.",
        ),
        "header_invalid": Reason(
            "A header comment of a script has a value that is not allowed, or states a fact twice.",
            "Correct the header at the line that the reason names.",
        ),
        "import_in_the_way": Reason(
            "sql_dir has something that the scripts of an import would not go well with, or would overwrite.",
            "Do what the reason says with the files that it names, and import again.",
        ),
        "import_not_postgresql": Reason(
            "The project whose migrations are to be imported works with another database than PostgreSQL.",
            "Run the import with the environment in which the project works with PostgreSQL.",
        ),
        "import_tool_failed": Reason(
            "Django or Alembic ended with an error when it was asked for its migrations, or could not be started.",
            "Run the tool's own command in import_project by hand until it works, then import again.",
        ),
        "layout_foreign": Reason(
            "A file is one of another layout than the folder's: both halves of it would run as one script.",
            "Name the layout with -e sql_layout=<layout>, or bring the file into that of the others.",
        ),
        "layout_mark_wrong": Reason(
            "A file that holds a migration and its rollback has no mark for a half, or has it twice or misplaced.",
            "Correct the line that the reason names, as the tool would want it too.",
        ),
        "migration_ambiguous": Reason(
            "Several migrations share the number that was given.",
            "Give the full name of the one that is meant; the reason lists them.",
        ),
        "migration_empty": Reason(
            "The migration's script holds no statement.",
            "Write the migration, or remove its files.",
        ),
        "migration_not_named": Reason(
            "The command names no migration.",
            "Add -e migration=<version>, or -e migration=pending.",
        ),
        "migration_unknown": Reason(
            "The SQL folder has no migration of the name that was given.",
            "Check the name, for which the reason offers similar ones, and sql_dir.",
        ),
        "new_migration_refused": Reason(
            "Files of a new migration were not written: its name cannot be one, or a file is in the way.",
            "Do as the reason says; no file was written or changed.",
        ),
        "path_column_unusable": Reason(
            "A header says '-- Files: rename table.column', but files cannot follow that column.",
            "Correct the line '-- Files:', or give the table a primary key.",
        ),
        "requirement_not_declared": Reason(
            "A migration uses objects of another one, but its header does not require that one.",
            "Add that migration to the line '-- Requires:'.",
        ),
        "requirement_unknown": Reason(
            "A header requires a migration that the folder does not have, or that several have as their number.",
            "Correct the line '-- Requires:', or add the missing migration.",
        ),
        "requirements_circular": Reason(
            "Migrations require each other in a circle, so that no order of applying them is right.",
            "Correct the line '-- Requires:' of one of those that the reason names.",
        ),
        "rollback_changes_rows_apart": Reason(
            "A rollback changes rows in several places, and statements between them cannot run in a transaction.",
            "Put the statements that change rows together, before or after the others; the reason names their lines.",
        ),
        "rollback_script_empty": Reason(
            "The rollback script of a migration has no statement.",
            "Write it; if there is nothing to take back: -e accept_empty_rollback=<version>.",
        ),
        "rollback_script_missing": Reason(
            "A migration has no rollback script, or an empty one.",
            "Write rollback/<migration>_rollback.sql. Where the migration is already applied, the reason names the"
            " backup that can be put back instead.",
        ),
        "sample_rows_unusable": Reason(
            "The rows of sample/, which a rehearsal from an empty database loads, cannot be loaded.",
            "Correct the sample script so that it fits the schema after its migration.",
        ),
        "scratch_server_unusable": Reason(
            "The server of PostgreSQL on which check_rehearse tries the migrations could not be started.",
            "Install PostgreSQL's server programs on the controller and set pg_bindir, or leave check_rehearse out.",
        ),
        "script_has_placeholders": Reason(
            "A script has placeholders, for which its tool would put in values that the runbook does not know.",
            "Write what is meant in their place; where they are none, say so as the reason tells.",
        ),
        "script_must_be_split": Reason(
            "A script mixes statements that belong in one transaction with others that cannot run in one.",
            "Split it into two migrations.",
        ),
        "script_name_unusable": Reason(
            "A file of the SQL folder has a name that cannot be used.",
            "Rename it as the reason says.",
        ),
        "script_not_plain_sql": Reason(
            "A script uses what only psql understands: a meta-command, a variable, or rows after COPY.",
            "Write it as plain SQL.",
        ),
        "script_syntax_error": Reason(
            "A script is not valid SQL.",
            "Correct it at the line and column that the reason names.",
        ),
        "script_unfinished": Reason(
            'A script says in its header that it is not written to its end ("-- Unfinished: ...").',
            "Write what the line and its comments name, and take the line out.",
        ),
        "script_unreadable": Reason(
            "A script cannot be read: it is not UTF-8 text, or its permissions forbid it.",
            "Save it as UTF-8, and check its permissions.",
        ),
        "sqitch_plan_wrong": Reason(
            "sqitch.plan has a line that Sqitch would not read, or names a change that has no script.",
            "Correct the plan at the line that the reason names, or add the script.",
        ),
        "sql_dir_changed": Reason(
            "The scripts are no longer those with which this run began.",
            "Start a new run, so that what is applied is what was rehearsed.",
        ),
        "sql_dir_unusable": Reason(
            "The SQL folder is missing or cannot be read.",
            "Set sql_dir to the folder that holds migrations/, and check its permissions.",
        ),
        "sql_layout_ambiguous": Reason(
            "The SQL folder holds files of several layouts, and a file of one would run wrongly as one of another.",
            "Keep one layout in a folder, or name the one that is meant: -e sql_layout=<layout>.",
        ),
        "sql_layout_unknown": Reason(
            "There is no layout of that name.",
            "Set sql_layout to one of those that the reason lists.",
        ),
        "statement_forbidden": Reason(
            "A script holds a statement that would break the transaction or change the whole server.",
            "Take the statement out; the reason says why it cannot stay.",
        ),
        "statement_not_resumable": Reason(
            "A statement cannot run in a transaction, and could not be resumed after a kill.",
            "Write it as the reason asks, or carry it out by hand outside of the runbook.",
        ),
        "version_key_unknown": Reason(
            "The files of a migration do not say how the application's own tool knows it.",
            "Add the line to its header that the reason names: -- Recorded as: ...",
        ),
        "version_means_several_files": Reason(
            "schema_migrations records a number that one file had when it was applied, and that several have by now.",
            "Give each file that is not applied a number of its own; the reason names the one that is, where the ledger"
            " knows it. An emergency rollback then takes that one back by itself.",
        ),
        "version_not_unique": Reason(
            "Several files have one version, which the tool of this layout does not allow either.",
            "Give each file a version of its own; the reason names them.",
        ),
    },
    "Before a run begins": {
        "already_applied": Reason(
            "The migration is already applied.",
            "Nothing needs to be done; ansible-playbook playbooks/status.yml shows what is applied.",
        ),
        "another_run_in_progress": Reason(
            "Another run is in progress in this database, or was interrupted in it.",
            "Wait until it has finished, or end the process that the reason names. If it is known to be dead: the same"
            " command with -e take_over=<run_id>.",
        ),
        "applied_under_another_version": Reason(
            "A migration's text is applied already, under another version: its file was renumbered or copied.",
            "Give the file its old name again; if it is to be applied once more: -e accept_applied_again=<version>.",
        ),
        "applied_without_smoke_test": Reason(
            "The migration is applied, but the run that applied it ended before the smoke tests had succeeded.",
            "See whether the application works. If it does, leave it; else roll it back and deploy it anew.",
        ),
        "batches_never_end": Reason(
            "A statement that is carried out in batches finds rows still when it has taken every row once.",
            "Let its WHERE leave out what it has changed, as in WHERE new_column IS NULL.",
        ),
        "batches_not_possible": Reason(
            "A header says '-- Batches:', and a statement of the script cannot be carried out so, none could be,"
            " or the script is a rollback.",
            "Write the statement as the reason says, or take the line out of the header.",
        ),
        "bookkeeping_runs_code": Reason(
            "The runbook's role is a superuser, and writing the table of versions, or the ledger, would call what"
            " somebody else has hung on it: a trigger, a rule, a default, a check, a type.",
            "If nobody needs it, take it away with the statement that the reason names; else let the runbook connect as"
            " a role that is no superuser, with the command that it names.",
        ),
        "changed_since_deploy": Reason(
            "Objects that the migration made were changed after its deploy, and its rollback would undo that too.",
            "Take that change back first, or make it a migration of its own.",
        ),
        "client_program_unusable": Reason(
            "pg_dump or another of PostgreSQL's programs is missing, does not go with the server's version, or does not"
            " tell its own.",
            "Install the client programs of the server's version on the host of the backup, or set pg_bindir.",
        ),
        "connection_pooled": Reason(
            "The connection goes through a pooler that gives a session of the server for one transaction only, so that"
            " neither the run's lock nor a setting stays where it was made.",
            "Set db_host and db_port to the server itself, or to a pool with pool_mode = session.",
        ),
        "consent_for_no_migration": Reason(
            "A consent names a migration that the SQL folder does not have.",
            "Correct the version in the command, or leave the consent out.",
        ),
        "consent_not_readable": Reason(
            "A consent is neither true nor a version, such as a number without quotes, which loses its zeros.",
            "Give it as -e accept_...=<version>, several with commas between them.",
        ),
        "consent_without_migration": Reason(
            "A consent was given with true in a run of several migrations, so that nobody knows for which.",
            "Name those for which you agree: -e accept_...=<version>, several with commas between them.",
        ),
        "consent_without_reason": Reason(
            "A consent was given without a reason, and consents_need_reason wants one.",
            "The same command with -e consent_reason='...'.",
        ),
        "cronsim_missing": Reason(
            "A maintenance window is by cron, and the Python package that reads it is missing on the controller.",
            "Install cronsim there, or write the window with start and end.",
        ),
        "database_closed_by_restore": Reason(
            "A restore keeps the application out, or was killed while it did; no row is lost.",
            "Wait until it has finished; if it no longer runs, the next command lets everybody in again.",
        ),
        "database_not_adopted": Reason(
            "Objects of migrations are in place without being recorded.",
            "Look: ansible-playbook playbooks/status.yml; then record them with -e adopt=true.",
        ),
        "database_read_only": Reason(
            "Transactions of the runbook's role may not write in the database: default_transaction_read_only is on.",
            "If it may be written, type the command in the reason, and run again; where the step tells none, look with"
            " SHOW default_transaction_read_only, and whether the server is a standby by now.",
        ),
        "deployed_script_edited": Reason(
            "A script was edited after it was deployed.",
            "Bring the deployed text back; if the edit is right: -e accept_edited_scripts=<version>.",
        ),
        "drill_too_old": Reason(
            "drill_max_age_days asks for a drill before a deploy, and none that went well is young enough.",
            "Do one: ansible-playbook playbooks/drill.yml; then type the same command again.",
        ),
        "files_behind": Reason(
            "Files on disk have not followed an earlier migration.",
            "Finish that first, with the command that the reason names.",
        ),
        "fleet_batches_invalid": Reason(
            "fleet_batches is no list of sizes.",
            "Give numbers of databases from 1, and percentages of all from 1 % to 100 %, as [1, '10%', '100%'].",
        ),
        "fleet_record_unusable": Reason(
            "The record of the run over several databases cannot be read.",
            "Check artifacts_dir, and type the same command again: what is done is not done twice.",
        ),
        "impact_not_allowed": Reason(
            "On the copy the migration locked, rewrote or wrote more than the policy allows.",
            "Write the migration in a gentler way, or give the variable that the reason names, for this run.",
        ),
        "invalid_index_in_the_way": Reason(
            "An index of that name exists and is invalid; a failure outside of the runbook left it.",
            "DROP INDEX it, and deploy again.",
        ),
        "layout_just_upgraded": Reason(
            "Another session has just brought the runbook's schemas up to date.",
            "Type the same command again.",
        ),
        "layout_newer_than_runbook": Reason(
            "The runbook's schemas in the database were made by a newer version of the runbook.",
            "Use that version, or a newer one; the reason names it.",
        ),
        "layout_unknown": Reason(
            "Table runbook.release is empty: somebody has emptied it, or has made the schema before the runbook did.",
            "Put back its rows out of a backup; or drop both schemas, where nobody needs a run or a kept row.",
        ),
        "lint_rule_broken": Reason(
            "The linter found what preflight_lint_gating_rules forbids.",
            "Correct the statement, or take the rule off preflight_lint_gating_rules.",
        ),
        "maintenance_mode_not_held": Reason(
            "maintenance_mode cannot keep everybody out, or from writing, who has to be: sessions or roles stand above"
            " it, or do not end.",
            "End the sessions, or type the command that the reason names; or name the roles in maintenance_keep_roles.",
        ),
        "migration_half_done": Reason(
            "A run was stopped in the middle of a script whose statements are committed one by one.",
            "Finish it first, with the command that the reason names; it resumes where it stopped.",
        ),
        "name_unusable": Reason(
            "The name of a role, database or extension has a character in it with which the modules of"
            " community.postgresql do something else than was meant.",
            "Take another name, or type the statements yourself. An owner of the database of such a name: -e"
            " bootstrap_roles_restore=false.",
        ),
        "needed_by_later_migration": Reason(
            "Later migrations that are applied depend on the one to roll back.",
            "Roll them back first, or all together with -e cascade=true.",
        ),
        "not_applied": Reason(
            "The migration to roll back is not applied.",
            "Nothing needs to be done; ansible-playbook playbooks/status.yml shows what is applied.",
        ),
        "nothing_to_drill": Reason(
            "There is no migration for a drill: none is pending, and sql_dir has none of those that are applied.",
            "Check sql_dir.",
        ),
        "outside_maintenance_window": Reason(
            "It is not the time at which production may be changed.",
            "Run again within the window that the reason names.",
        ),
        "precondition_not_met": Reason(
            "What the author of a migration wants to hold before it begins (precheck/) does not hold in production.",
            "Look at the rows that the script asks about, and put them right; or correct the script.",
        ),
        "precondition_unanswered": Reason(
            "A precheck script took longer than precheck_timeout_seconds, or did not get a lock that it asked for.",
            "Run again at a quieter time, let the script ask for less, or give it more time.",
        ),
        "rehearsal_server_is_production": Reason(
            "The group rehearsal is to name another server, but its connection leads to production's own.",
            "Give the host in group rehearsal an address that leads to its server from where the modules run; or take"
            " the group out of the inventory.",
        ),
        "rehearsal_server_unusable": Reason(
            "The server of group rehearsal cannot hold a copy: it is a standby, or has another major version, or roles,"
            " extensions, tablespaces or libraries are missing.",
            "Type what the reason says on that server, or name another one.",
        ),
        "rehearsed_time_exceeds_window": Reason(
            "Less is left of the maintenance window than the migration and its rollback took on the copy.",
            "Begin earlier in a window, or make it longer.",
        ),
        "replica_lags": Reason(
            "A standby is further behind than max_replica_lag_mb, and the migration's WAL would come on top of it.",
            "Wait until it has caught up (pg_stat_replication). For one that lags on purpose: -e max_replica_lag_mb=0.",
        ),
        "requirement_not_applied": Reason(
            "A migration that this one requires is not applied.",
            "Deploy it first, or all with -e migration=pending.",
        ),
        "role_lacks_privilege": Reason(
            "The runbook's role may not do what the step needs.",
            "Have a superuser type the statement that the reason names.",
        ),
        "schema_drifted": Reason(
            "The schema was changed outside of the runbook since its last run.",
            "Find out who changed it and why; if the change is right: -e accept_drift=true.",
        ),
        "schemas_of_another_maker": Reason(
            "The database has schemas of the runbook's names that no known version of it made.",
            "If they are not the runbook's, rename them; the next deploy makes its own.",
        ),
        "script_edited_when_half_done": Reason(
            "A script of a migration that is half done was edited.",
            "Bring the old text back, and run again. Only where nothing that is committed was edited, and nothing that"
            " others have approved: -e accept_edited_scripts=<version>.",
        ),
        "server_is_standby": Reason(
            "The server is a standby, which cannot be written.",
            "Set db_host to the primary.",
        ),
        "server_too_old": Reason(
            "The server is older than the runbook supports.",
            "Upgrade PostgreSQL to the version that the reason names.",
        ),
        "server_unreachable": Reason(
            "No connection to PostgreSQL could be made. A server that says that it starts or recovers was waited for.",
            "Check the server, and the variables that the reason names.",
        ),
        "setting_invalid": Reason(
            "A variable of the runbook has a value that cannot be used.",
            "Correct the variable that the reason names.",
        ),
        "slot_would_be_lost": Reason(
            "The WAL that the run is going to write, as measured in the rehearsal or told by the size of the database,"
            " is more than a replication slot survives (max_slot_wal_keep_size).",
            "Let the slot's reader catch up, or raise max_slot_wal_keep_size. If it may be lost: -e"
            " accept_slot_loss=true.",
        ),
        "synchronous_standby_missing": Reason(
            "synchronous_standby_names asks for more standbys than are connected and streaming, so that COMMIT would"
            " wait without an end, and keep its locks.",
            "Bring the standby back. If the server may do without it, a superuser types: ALTER SYSTEM SET"
            " synchronous_standby_names = ''; SELECT pg_reload_conf().",
        ),
        "tag_taken": Reason(
            "The tag of the deploy is that of an earlier one, whose migrations are applied.",
            "Give this one another tag; the history names those that there are.",
        ),
        "tag_unknown": Reason(
            "No deploy of this database has the tag to whose state a rollback is to go back.",
            "Take one that the reason names, or the last migration that is to stay: -e to=<version>.",
        ),
        "text_in_another_encoding": Reason(
            "A role, database or tablespace that is needed has a name in another encoding than the database.",
            "Rename what the reason names, in a database of the encoding in which it was made.",
        ),
        "text_not_utf8": Reason(
            "A name, a comment, a definition or a value in the database, whose encoding is SQL_ASCII, is not UTF-8.",
            "Give it again in UTF-8 (COMMENT ON, ALTER ... RENAME, UPDATE).",
        ),
        "together_not_possible": Reason(
            "A script of one of the pending migrations cannot run in a transaction, and all were to be in one.",
            "Deploy without together, or leave that migration out with -e skip=<version>.",
        ),
        "version_table_dirty": Reason(
            "The application's own tool has recorded that a migration began or failed, and was not put right.",
            "See what of it is in place, put that right, and let the tool say so; the reason names its command.",
        ),
        "version_table_hidden": Reason(
            "A script puts another schema_migrations before the one in which versions are recorded, or takes that one"
            " out of the role's search_path.",
            "Leave the table where it is, or move its rows along in the same script and drop it.",
        ),
        "version_table_one_number": Reason(
            "golang-migrate's table holds one number, and would say of other migrations what is not true.",
            "Deploy in the order of the numbers, and roll back the newest first; cascade=true takes all at once.",
        ),
        "version_table_unusable": Reason(
            "The table of applied migrations cannot record them, or there is no schema to make one in.",
            "Give it a column version of type text, or say with version_table which tool's it is. Where schema public"
            " was dropped, name another one in the search_path of the database.",
        ),
    },
    "Backup and proof": {
        "backup_damaged": Reason(
            "A backup is no longer as it was written; also where a change of production was about to rely on it.",
            "Do not use it. Check the disk, and start a new run, which makes a new backup.",
        ),
        "backup_dir_full": Reason(
            "The backup folder has less room than the database needs.",
            "Make room, or choose another backup_dir.",
        ),
        "backup_dir_unusable": Reason(
            "The backup folder cannot be made or written.",
            "Correct backup_dir, its owner or its permissions.",
        ),
        "backup_encryption_unusable": Reason(
            "The program of backup_encryption is missing, or cannot encrypt for backup_recipients, or cannot decrypt"
            " with backup_identity.",
            "Install it on the host that makes the backup, and correct backup_recipients or backup_identity there; or"
            " go without: -e backup_encryption=none.",
        ),
        "backup_engine_failed": Reason(
            "pgbackrest could not make or restore a backup.",
            "Remove the cause that its last lines in the reason name, and run again.",
        ),
        "backup_engine_unusable": Reason(
            "backup_engine=pgbackrest cannot work here: a variable, the program, its stanza or the host is not as it"
            " needs it.",
            "Correct what the reason names; or back up with -e backup_engine=pg_dump.",
        ),
        "backup_exists": Reason(
            "This run has already made its backup.",
            "Start a new run.",
        ),
        "client_program_failed": Reason(
            "pg_dump or another of PostgreSQL's programs failed or was killed.",
            "Remove the cause that its last lines in the reason name, and run again.",
        ),
        "copy_differs_from_production": Reason(
            "The restored backup does not hold what production had: the backup is not proven.",
            "Look at the difference in the reason; rows, columns and keys are in the step's details in run.json. Run"
            " again. If it differs again, pg_dump does not carry over what this database holds.",
        ),
        "full_backup_needed": Reason(
            "A rollback that is not one transaction needs a full backup: its salvage alone does not take it back.",
            "Set emergency_backup=full.",
        ),
        "restore_point_not_quiet": Reason(
            "Others wrote just when the restore point of a backup was set, and what was restored differs from what was"
            " compared: nothing is proven, and nothing is known against the backup.",
            "Run again when less is written, as with maintenance_mode=read_only.",
        ),
        "rows_not_in_backup": Reason(
            "Tables that belong to an extension have rows, and pg_dump leaves such tables out, unless they are the"
            " extension's configuration tables.",
            "Take a table of the application's own out of the extension: ALTER EXTENSION … DROP TABLE …. If its rows"
            " come from the extension itself, or may be lost: -e accept_rows_not_in_backup=true.",
        ),
        "scratch_cluster_failed": Reason(
            "The server on the cluster that pgbackrest restored did not start, recover or stop.",
            "Remove the cause that its last lines in the reason name, and run again.",
        ),
        "scratch_dir_unusable": Reason(
            "The folder for scratch clusters cannot be used, has too little room, or has too long a path.",
            "Correct pgbackrest_scratch_dir, its owner or its permissions, or name another folder.",
        ),
        "tables_not_held_still": Reason(
            "The backup could not lock the tables, because another session creates, drops or alters some.",
            "Wait until that session has finished, and run again.",
        ),
        "unlogged_rows_not_backed_up": Reason(
            "Unlogged tables have rows, which no backup of a server's files holds.",
            "Empty them or make them logged, as the reason says; or back up with -e backup_engine=pg_dump.",
        ),
        "wal_archiving_fails": Reason(
            "The server fails to archive its WAL, so that recovery to a restore point is not certain.",
            "Repair the archiving, or choose another emergency_backup or backup_engine.",
        ),
        "wal_archiving_off": Reason(
            "emergency_backup=restore_point or backup_engine=pgbackrest needs WAL archiving, and the server has none.",
            "Switch archiving on, or choose another emergency_backup or backup_engine.",
        ),
    },
    "Approval": {
        "approvals_missing": Reason(
            "The deploy needs approvals of others, and does not have them; production was not touched.",
            "Somebody else than the one who started it reads the report and types the command that the reason names;"
            " then resume the run: ansible-playbook deploy.yml -e run_id=<run_id>.",
        ),
        "approver_is_deployer": Reason(
            "Who has started a run wanted to approve it.",
            "Let somebody else approve it, by a login of their own.",
        ),
        "production_changed_since_rehearsal": Reason(
            "Another run has changed production since this one rehearsed, so that what was approved is no longer what"
            " would be done.",
            "Deploy again, and have that approved.",
        ),
        "run_id_taken": Reason(
            "run_id names a run that the database knows and that has no record in artifacts_dir.",
            "Resume it where its record is, or start a new run without run_id.",
        ),
        "run_not_waiting": Reason(
            "The run that was to be approved, or to go on, does not wait for approval.",
            "See which runs wait: ansible-playbook playbooks/status.yml.",
        ),
        "scripts_not_those_rehearsed": Reason(
            "Who wanted to approve has other scripts in sql_dir than the run has rehearsed.",
            "Check out the commit that was rehearsed (sql_commit in run.json), read it, and approve again.",
        ),
    },
    "Rehearsal": {
        "drill_lost_rows": Reason(
            "In a drill users' rows that a rollback should have kept were gone after the next deploy.",
            "Look at what the rollback script does with the tables that the reason names.",
        ),
        "drill_schema_differs": Reason(
            "In a drill the schema after rollback, restore and another deploy was not the one that was deployed.",
            "Correct the migration or its rollback by the difference in the reason.",
        ),
        "generated_rows_out_of_range": Reason(
            "The number of rows that a rehearsal or a drill should generate is negative or too large.",
            "Give rehearsal_rows, rehearse_generated_rows or drill_rows a number between 0 and 10000.",
        ),
        "rehearsal_failed_for_several": Reason(
            "Several migrations fail the rehearsal of all from an empty database; the sentence says of each what is"
            " wrong.",
            "Correct the scripts that it names, and rehearse all again. Those named as not tried require one of them.",
        ),
        "rehearsal_rollback_data_differs": Reason(
            "On the copy the rollback does not give back the rows as they were before the migration.",
            "Correct the rollback script; rows, columns and keys are in the step's details in run.json. If these rows"
            " need not come back (a time that a trigger sets, a log), let the header declare it (-- Data Loss: PARTIAL)"
            " and give -e accept_data_loss=<version>: both, because headers declare what users wrote as well.",
        ),
        "rehearsal_rollback_leaves_residue": Reason(
            "The rollback gives back the schema but for the place of a column or a label of an enum, which PostgreSQL"
            " cannot take back, and its header does not say so.",
            "If that may stay, add the lines that the reason gives to the header of the rollback script; or once:"
            " -e accept_residue=<version>.",
        ),
        "rehearsal_rollback_schema_differs": Reason(
            "On the copy the rollback does not give back the schema as it was before the migration.",
            "Correct the rollback script by the difference in the reason.",
        ),
        "rehearsal_second_apply_differs": Reason(
            "On the copy the migration, applied again after its rollback, gives another schema.",
            "Correct the migration or its rollback by the difference in the reason.",
        ),
        "rehearsal_together_differs": Reason(
            "On the copy the rollbacks of several migrations, all in one transaction, do not give back what there was.",
            "Deploy without together, or correct the rollback scripts by the difference in the reason.",
        ),
        "rollback_fails_on_generated_rows": Reason(
            "Where tables have rows like those that were generated for the rehearsal, the rollback fails.",
            "Correct the rollback script. If there can be no such rows, say so to the database with a constraint, or"
            " leave them out: -e rehearse_generated_rows=0 from an empty database, -e rehearsal_rows=0 on a copy of"
            " production.",
        ),
        "rollback_loses_generated_rows": Reason(
            "Where tables have rows like those that were generated for the rehearsal, the rollback does not give them"
            " back as they were.",
            "Correct the rollback script. If these rows need not come back, let the header declare it (-- Data Loss:"
            " PARTIAL) and give -e accept_data_loss=<version>. If there can be no such rows, say so to the database"
            " with a constraint, or leave them out: -e rehearse_generated_rows=0 from an empty database,"
            " -e rehearsal_rows=0 on a copy of production.",
        ),
        "sequence_would_collide": Reason(
            "After the rollback a sequence would give values that its column already has.",
            "Let the rollback script set the sequence past the greatest value of its column.",
        ),
    },
    "Scripts at work": {
        "check_failed": Reason(
            "A verify or smoke script returned false.",
            "Look at the row in the reason; correct the migration, or the check if that is wrong.",
        ),
        "deferred_constraint_violated": Reason(
            "A constraint or trigger that is deferred to COMMIT failed after the last statement of a script.",
            "Correct the script, or the rows that the reason names: COMMIT would have failed too.",
        ),
        "health_check_failed": Reason(
            "The application did not answer well at one of health_urls, after the change.",
            "Look at the application's log. If it was only slow to come up, give it more time (health_retries,"
            " health_delay_seconds), and deploy again.",
        ),
        "lock_not_available": Reason(
            "A lock was not granted within lock_timeout_seconds and lock_attempts, or 10 s where a step only reads: of"
            " a table, or of the database's own row in the list of databases (maintenance_mode, a restore's swap).",
            "The reason names who held it. Run again at a quieter time.",
        ),
        "postgresql_error": Reason(
            "PostgreSQL ended a step with an error; details.sqlstate has its code.",
            "Remove the cause that its message in the reason names, and run again.",
        ),
        "row_too_long": Reason(
            "A row, written as text, would be longer than the 1 GB that PostgreSQL can make; pg_dump fails likewise.",
            "Keep such values in large objects or files, or divide them: a bytea takes two characters a byte, and"
            " quotation marks and backslashes take two as well.",
        ),
        "setting_of_another_script": Reason(
            "A script reads a setting of the application's own that another script of the same transaction has set, and"
            " that PostgreSQL can empty but not take away.",
            "Take the migrations one at a time, or read the setting inside of nullif(…, '').",
        ),
        "statement_failed": Reason(
            "A statement of a script failed.",
            "Correct the script at the line that the reason names.",
        ),
    },
    "Production": {
        "aborted_for_blocked_sessions": Reason(
            "So many sessions waited behind the change (abort_blocked_sessions) that its statement was cancelled.",
            "Run again at a quieter time; the reason names who waited for what. For one run: a greater"
            " abort_blocked_sessions, or 0 for no limit.",
        ),
        "aborted_for_replica_lag": Reason(
            "A standby came to be further behind than abort_replica_lag_mb, and the change's statement was cancelled.",
            "Run again when it has caught up, or write the migration so that it writes less at a time.",
        ),
        "commit_unknown": Reason(
            "The connection was lost at COMMIT, and the server does not answer: whether it was committed is not known.",
            "When the server is back: ansible-playbook playbooks/status.yml shows what is applied.",
        ),
        "connection_lost_at_commit": Reason(
            "The connection was lost at COMMIT, and the transaction was rolled back.",
            "Run again when the server is steady.",
        ),
        "database_not_at_rest": Reason(
            "The status could not look at the database: it was locked, or changed, all the time.",
            "Type the same command again when the session that the reason names has ended.",
        ),
        "production_acts_otherwise_than_rehearsal": Reason(
            "The migration locked, rewrote or wrote something else in production than on the copy.",
            "The same deploy again makes a new backup and rehearses with today's rows.",
        ),
        "production_schema_differs_from_rehearsal": Reason(
            "The migration made another schema in production than on the copy.",
            "Look at the difference in the reason: the script depends on something that the copy does not have.",
        ),
        "rollback_schema_differs": Reason(
            "The rollback in production does not give back the schema as it was before the deploy.",
            "The reason says whether it was undone. Correct the rollback script by the difference, or put the backup"
            " back.",
        ),
        "rows_changed_unforeseen": Reason(
            "In a rollback whose statements commit one by one, one that seemed harmless destroyed rows. It was undone.",
            "Put that statement next to those that change rows: an event trigger or a cascade acts with it.",
        ),
        "rows_held_back": Reason(
            "The migration is deployed, but rows that a rollback had kept did not go back (fail_on_held_back is set).",
            "ansible-playbook playbooks/salvage.yml lists them with what stands in their way, and puts them back.",
        ),
        "salvage_would_delete_rows": Reason(
            "Putting back what a rollback had kept would delete rows of which nothing was kept; it was undone.",
            "Deploy with -e restore_salvage=false, then look at what is kept: ansible-playbook playbooks/salvage.yml.",
        ),
        "schema_changed_after_deploy": Reason(
            "The schema was changed between the COMMIT of the deploy and its verification.",
            "Find out who changed it; the reason names the difference.",
        ),
        "version_not_recorded": Reason(
            "The table of applied migrations does not record a migration that was deployed.",
            "Something else writes to that table. Look: ansible-playbook playbooks/status.yml.",
        ),
    },
    "Files on disk": {
        "files_cannot_follow": Reason(
            "Files cannot be renamed as the database says; none was renamed by this step.",
            "Remove the obstacles that the reason lists, and run again.",
        ),
        "files_disagree": Reason(
            "After renaming, files and database do not agree.",
            "Correct the paths that the reason lists, and run the same command again.",
        ),
        "library_cannot_rename_safely": Reason(
            "The file system can only rename by overwriting what is there, which could lose a file.",
            "Put library_root on a local file system, or rename the files yourself.",
        ),
        "library_host_unknown": Reason(
            "The step was started for a host that is not one of the library's.",
            "Run the whole playbook with the inventory's group library.",
        ),
        "library_in_use": Reason(
            "Another process is renaming files of this library.",
            "Wait until it has finished, and run again.",
        ),
        "library_journal_altered": Reason(
            "The journal of renames was changed after it was written.",
            "Compare library and database by hand, then remove the journal.",
        ),
        "library_journal_of_another_library": Reason(
            "The journal of renames belongs to another library or database, whose renames were not finished.",
            "Set library_root to the folder that the reason names, and run again.",
        ),
        "library_journal_unwritable": Reason(
            "The journal of renames cannot be written, and without it no file is renamed.",
            "Make room, correct the permissions, or choose another library_state_dir.",
        ),
        "library_unusable": Reason(
            "library_root cannot be opened, read, written or locked.",
            "Correct library_root, its mount or its permissions.",
        ),
        "renaming_stopped": Reason(
            "Renaming stopped half way.",
            "Remove the cause that the reason names, and run the same command again: it resumes from its journal.",
        ),
    },
    "Putting a backup back": {
        "another_restore_in_progress": Reason(
            "Another restore is swapping this database.",
            "Wait until it has finished, then look: ansible-playbook playbooks/status.yml.",
        ),
        "application_not_held_off": Reason(
            "Sessions of the application could not be ended, so nothing was swapped.",
            "Stop the application, or the sessions that the reason names, and run again.",
        ),
        "application_not_let_in": Reason(
            "Nothing was swapped, and the database, closed for the swap, could not be opened again: another transaction"
            " has touched it and does not end.",
            "End the session that the reason names, then: ansible-playbook playbooks/status.yml opens the database.",
        ),
        "backup_half_done": Reason(
            "The backup was made when a migration was half done, so that it is of neither state.",
            "Put back the backup of the run that had begun the migration; the reason names it.",
        ),
        "backup_missing": Reason(
            "The backup is no longer in backup_dir, or pgbackrest no longer has it; also where a change of production"
            " was about to rely on it.",
            "A deploy or rollback: find out what removes files there, and type the same command again. A restore:"
            " choose another run, of those that the reason lists, or bring the folder back.",
        ),
        "backup_not_proven": Reason(
            "The run made no backup, or one that was never proven by restoring it.",
            "Choose another run, of those that the reason lists.",
        ),
        "backup_of_another_database": Reason(
            "The backup is of another database, or of another history of this one.",
            "Check run_id and the target.",
        ),
        "database_missing": Reason(
            "The server has no database of this name that a backup could replace.",
            "Check db_name; the reason says how to restore by hand.",
        ),
        "database_not_of_this_run": Reason(
            "A database has the name of this run's copy, but the run did not make it; it was left alone.",
            "Find out what it is, and rename or drop it yourself.",
        ),
        "databases_not_renamed": Reason(
            "The databases could not be renamed, so nothing was swapped.",
            "Remove the cause that the reason names, and run again.",
        ),
        "ledger_not_carried_over": Reason(
            "The ledger could not be carried over into the restored database; nothing was swapped.",
            "Remove the cause that the reason names, and run again.",
        ),
        "prepared_transactions_open": Reason(
            "Prepared transactions are open, and a database with them cannot be renamed.",
            "End them with COMMIT PREPARED or ROLLBACK PREPARED.",
        ),
        "receipt_not_written_after_swap": Reason(
            "Production is the restored backup, but the receipt of it could not be written.",
            "Do not restore again. Look: ansible-playbook playbooks/status.yml.",
        ),
        "replaced_database_exists": Reason(
            "There is already a database with the name that the replaced one would get.",
            "Find out what it is, rename or drop it, and run again.",
        ),
        "restore_point_unusable": Reason(
            "No run has set the restore point that was named after that backup, or the recovery ended elsewhere.",
            "Choose another of those that the reason lists, or leave restore_to out.",
        ),
        "restore_run_not_named": Reason(
            "The command does not name the run whose backup is to be put back.",
            "Add -e run_id=<run_id>; the reason lists those that can be put back.",
        ),
        "run_unknown": Reason(
            "Neither the database nor backup_dir knows the run that was named.",
            "Choose one of those that the reason lists, and check backup_dir.",
        ),
        "server_disk_full": Reason(
            "The server's disk has no room for the restored database beside the live one.",
            "Make room on the server.",
        ),
        "subscriptions_enabled": Reason(
            "Subscriptions write to the database that is to be replaced.",
            "Stop them with the statements that the reason names, then run again.",
        ),
    },
    "Salvage by hand": {
        "export_file_unusable": Reason(
            "The file to export to is not named, already exists, or cannot be written.",
            "Name another file with -e salvage_file=/path/to/file.",
        ),
        "purge_not_confirmed": Reason(
            "Nothing was purged, because the purge was not confirmed.",
            "If what the reason lists may be deleted, type the command at its end.",
        ),
        "purge_not_named": Reason(
            "The command does not say what to purge.",
            "Add exactly one of -e salvage_item, -e salvage_older_than_days and -e salvage_of_run.",
        ),
        "salvage_item_not_exportable": Reason(
            "The item holds no rows that could be exported in this format.",
            "Take -e salvage_format=csv where the reason says so.",
        ),
        "salvage_item_not_named": Reason(
            "The command names no salvage item.",
            "Add -e salvage_item=<number>; ansible-playbook playbooks/salvage.yml lists the items.",
        ),
        "salvage_item_unknown": Reason(
            "There is no salvage item of this number.",
            "ansible-playbook playbooks/salvage.yml lists the items.",
        ),
        "salvage_item_waits_for_deploy": Reason(
            "The item goes back with the next deploy of its migration, which makes the rows to compare it with.",
            "Deploy the migration again, or type the command at the end of the reason to put the item back now.",
        ),
        "salvage_rows_held_back": Reason(
            "Not one row of the item can be put back.",
            "Remove the obstacles that the reason names and run again, or type one of the two commands at its end.",
        ),
        "salvage_table_changed": Reason(
            "The table that the rows came from is gone, or has lost columns.",
            "Deploy its migration or export the item, as the reason says.",
        ),
    },
    "The run and its records": {
        "artifacts_dir_unwritable": Reason(
            "run.json cannot be written on the controller.",
            "Correct artifacts_dir, its permissions or its disk.",
        ),
        "chain_incomplete": Reason(
            "The run ended before its last step, and no step of it failed.",
            "Run the whole playbook, without --tags, --skip-tags or --start-at-task.",
        ),
        "host_unreachable": Reason(
            "Ansible could not reach the host where a step runs.",
            "Repair the connection to the host, then look: ansible-playbook playbooks/status.yml.",
        ),
        "ledger_damaged": Reason(
            "The ledger no longer holds unchanged what an earlier step recorded.",
            "Start a new run; find out who writes to schema runbook.",
        ),
        "ledger_open_to_others": Reason(
            "Roles that do not own the runbook's schemas may write them, or read the rows that are kept there.",
            "Type the REVOKE commands that the reason names, and find out who granted it.",
        ),
        "password_unavailable": Reason(
            "db_password_file or db_password_command gave no password, or db_password is set besides.",
            "Correct the variable that the reason names, on the controller.",
        ),
        "pglast_missing": Reason(
            "The Python of the controller has no pglast, which parses the SQL scripts.",
            "Install pglast for the Python that runs ansible-playbook; nothing was touched.",
        ),
        "psycopg2_missing": Reason(
            "The Python of the host where the step runs has no psycopg2.",
            "Install psycopg2-binary for that Python, or set ansible_python_interpreter.",
        ),
        "receipt_altered": Reason(
            "A receipt was changed after it was written, so that the run no longer proves anything.",
            "Start a new run; find out who writes to schema runbook or to backup_dir.",
        ),
        "receipt_chain_broken": Reason(
            "Receipts of earlier runs were changed, or are missing at the end of their chain.",
            "Find out who writes to schema runbook; what the status says is what is left to rely on. To deploy all the"
            " same: -e accept_broken_chain=true.",
        ),
        "receipt_lost": Reason(
            "The ledger does not have the last receipt of this run: after a failover another server answers, which had"
            " not got it, or somebody has deleted it.",
            "Look at both servers before anybody writes to them: the reason says what is applied in the one that"
            " answers.",
        ),
        "receipt_of_another_database": Reason(
            "A receipt of this run belongs to another database.",
            "Start a new run against one database; check db_host and db_name.",
        ),
        "receipt_too_old": Reason(
            "A backup or rehearsal of this run is older than backup_max_age_minutes; where others have to approve the"
            " run, than approval_max_age_hours.",
            "Start a new run.",
        ),
        "receipt_unsigned": Reason(
            "A receipt of this run was not signed with receipt_key by the controller that drives the run.",
            "Start a new run. Unless somebody stopped the controller, find out who writes to schema runbook or to"
            " backup_dir.",
        ),
        "record_unusable": Reason(
            "run.json of this run cannot be read.",
            "Check artifacts_dir, and start a new run.",
        ),
        "run_has_ended": Reason(
            "A step was started for a run that has ended.",
            "Start a new run with the whole playbook.",
        ),
        "run_lock_lost": Reason(
            "A script released the runbook's own lock on the database, and another run began.",
            "Take pg_advisory_unlock_all() or DISCARD ALL out of the script. Look: ansible-playbook"
            " playbooks/status.yml.",
        ),
        "run_not_ended": Reason(
            "The run is still in progress, or was interrupted in the step that the reason names.",
            "If it no longer runs: ansible-playbook playbooks/status.yml shows what is true.",
        ),
        "step_could_not_run": Reason(
            "A step's module ended before it could report.",
            "Remove the cause that the reason names; ansible-playbook playbooks/status.yml shows what is true.",
        ),
        "step_crashed": Reason(
            "A step met an unexpected error: a defect of the runbook.",
            "Look: ansible-playbook playbooks/status.yml; and report the reason together with run.json.",
        ),
        "step_killed": Reason(
            "The process of a step was killed by a signal before it could report.",
            "Find out who sent it (the kernel does when memory runs out: dmesg). Look: ansible-playbook"
            " playbooks/status.yml; then run again.",
        ),
        "step_not_begun": Reason(
            "The code of a step cannot be loaded: the collection is damaged, or a package that it needs is.",
            "Install the collection and its requirements again, then type the same command again.",
        ),
        "step_out_of_order": Reason(
            "A step was started without those that it needs.",
            "Run the whole playbook: steps cannot be skipped.",
        ),
        "task_failed": Reason(
            "A task other than a step failed: a command of your own, or a variable of the playbook.",
            "Remove the cause that the reason names, and run again.",
        ),
    },
}

REASONS: dict[str, Reason] = {code: reason for part in PARTS.values() for code, reason in part.items()}
