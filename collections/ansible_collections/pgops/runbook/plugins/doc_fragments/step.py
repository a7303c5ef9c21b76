# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the options that every step has."""

from __future__ import annotations

# How a server is reached: of the target, and of the server that holds the copy.
CONNECTION = """      login_host:
        description: Name or address of the server, or the folder of its socket. Empty means libpq's default.
        type: str
        default: ''
      login_port:
        description: Port of the server.
        type: int
        default: 5432
      login_user:
        description: {who} Empty means libpq's default.
        type: str
        default: ''
      login_password:
        description: Password of the role. Never written to a log, a command line or an artifact.
        type: str
        default: ''
      password_file:
        description:
          - File with the password on the controller, in place of O({of}.login_password).
          - Read by the action plugin; the module is given the password.
        type: str
        default: ''
      password_command:
        description:
          - Program and arguments that print the password, run on the controller without a shell, in place of
            O({of}.login_password).
          - Run by the action plugin; the module is given the password.
        type: raw
        default: []
      login_db:
        description: {database}
        type: str
        required: true
      ssl_mode:
        description: How TLS is negotiated (libpq's sslmode).
        type: str
        default: prefer
        choices: [allow, disable, prefer, require, verify-ca, verify-full]
      ca_cert:
        description:
          - Certificates of the authorities that sign servers', a file on the host where the module runs; or V(system).
            Empty means libpq's default.
        type: path
        default: ''
      ssl_cert:
        description: The client's certificate, a file on the host where the module runs. Empty means libpq's default.
        type: path
        default: ''
      ssl_key:
        description: Its key, a file that nobody but its owner may read. Empty means libpq's default.
        type: path
        default: ''
      service:
        description:
          - Section of pg_service.conf on the host where the module runs. What it says stands where an option here has
            its default.
        type: str
        default: ''
      options:
        description: Settings of the session (libpq's options), as C(-c work_mem=64MB). The runbook's own stand above.
        type: str
        default: ''
"""


class ModuleDocFragment:
    DOCUMENTATION = (
        r"""
options:
  target:
    description: The database to migrate, and how to reach it from the host where the module runs.
    type: dict
    required: true
    suboptions:
"""
        + CONNECTION.format(
            of="target", who="Role that owns the application's objects.", database="Name of the database."
        )
        + r"""  run:
    description: The run that the step belongs to.
    type: dict
    required: true
    suboptions:
      run_id:
        description: Name of the run, sortable by time.
        type: str
        required: true
      playbook:
        description: The playbook that runs.
        type: str
        required: true
        choices: [deploy, rehearse, emergency_rollback, restore, drill, salvage, status, history, cleanup, approve,
          new_migration]
      migration:
        description: Version or name of the migration, V(pending) or V(all).
        type: str
        default: ''
      sql_dir:
        description: Folder of the SQL on the controller.
        type: str
        default: sql
      up_to:
        description: Of pending migrations the last one that is wanted. Empty means all.
        type: str
        default: ''
      skip:
        description: Of pending migrations those that are left out, and with them what requires them.
        type: raw
        default: ''
      down_to:
        description:
          - Of an emergency rollback the migration that stays; all that are applied and come after it are taken back.
            Empty means that O(run.migration) says which one is.
          - C(tag:) and a name stand for the state after the deploy that has this tag.
        type: str
        default: ''
      tag:
        description: Of a deploy the name of the state after it, to which a rollback can go back.
        type: str
        default: ''
      exactly:
        description:
          - Of an emergency rollback the migrations that are taken back, where these are several that one run has
            deployed; in place of O(run.migration).
        type: list
        elements: str
        default: []
      version_table:
        description:
          - The application's own record of what is applied. Name of a tool, or a dictionary with C(tool), C(table),
            C(version) and C(description). Read on the controller; what modules need of it is in O(plan).
        type: raw
        default: ''
      sql_layout:
        description: How that folder is laid out; V(auto) finds it out by looking.
        type: str
        default: auto
      artifacts_dir:
        description: Folder for run.json and the receipts' mirror on the controller.
        type: str
        default: artifacts
      operator:
        description: Who runs it.
        type: str
        default: ''
      controller:
        description: Where it runs (host, boot and process), filled in by the action plugin.
        type: dict
        default: {}
      library_hosts:
        description:
          - Inventory hosts that hold the application's files. A migration whose header says so has its changes of
            paths written down for them.
        type: list
        elements: str
        default: []
      signed:
        description:
          - Signatures of this run's receipts by digest, filled in by the action plugin where there is a receipt_key,
            which itself never leaves the controller.
        type: dict
      last_receipt:
        description:
          - Digest of the last receipt of this run that the controller has been given, filled in by the action plugin. A
            ledger without it is that of another server, or somebody has deleted it.
        type: str
        default: ""
      died:
        description:
          - Why a process of this step could not report, filled in by the action plugin. The step then does nothing but
            to say what the ledger tells of that process, when no session of it is at work any more.
        type: dict
        suboptions:
          code:
            description: The short name of the reason.
            type: str
          reason:
            description: The reason, a sentence.
            type: str
  plan:
    description:
      - The migrations with their statements and digests.
      - Read from the SQL folder by the action plugin on the controller; do not fill it in by hand.
    type: dict
    default: {}
  progress_file:
    description:
      - New file for lines about the progress, on the host where the step works. Filled in by the action plugin, which
        reads it meanwhile.
    type: path
    default: ''
  backup_dir:
    description: Folder for backups on the host where the module runs.
    type: path
    default: backups
  backup_max_age_minutes:
    description: How old the backup, its proof and the rehearsal may be when they are relied on.
    type: int
    default: 60
attributes:
  check_mode:
    description: Can run in C(check_mode) and predict changes without making them.
    support: full
  diff_mode:
    description: Returns details on what has changed in diff mode.
    support: none
"""
    )

    COPY_TARGET = r"""
options:
  copy_target:
    description: The server that holds the copy; default is the target's own.
    type: dict
    suboptions:
""" + CONNECTION.format(
        of="copy_target",
        who="Role that may create databases there.",
        database="Name of a database to connect to; the copy has a name of its own.",
    )

    CLIENT_PROGRAMS = r"""
options:
  pg_bindir:
    description: Folder of PostgreSQL's client programs; empty means those on PATH.
    type: path
    default: ''
"""

    LOCK_WAITS = r"""
options:
  lock_timeout_seconds:
    description: How long one attempt waits for a lock, so that the application never queues behind it for longer.
    type: float
    default: 2
  lock_attempts:
    description: How many attempts are made to get the locks.
    type: int
    default: 10
  lock_pause_seconds:
    description: Pause between two attempts.
    type: float
    default: 3
"""

    LOCKS = (
        LOCK_WAITS
        + r"""
  statement_timeout_seconds:
    description: Greatest time of one statement in production; 0 means none.
    type: float
    default: 900
"""
    )

    ABORT = r"""
options:
  abort_blocked_sessions:
    description:
      - How many sessions may come to wait behind the change until its statement is cancelled and its transaction rolled
        back. Counted are those that have waited for O(abort_blocked_seconds) without a pause. 0 never does.
    type: int
    default: 0
  abort_blocked_seconds:
    description: How long they, or a standby, have to be in that state.
    type: float
    default: 1
  abort_replica_lag_mb:
    description: How many MB of WAL a connected standby may come to be behind until the same is done. 0 never does.
    type: float
    default: 0
"""

    ENCRYPTION = r"""
options:
  encryption:
    description: How the files of backups are encrypted on the host where this runs.
    type: dict
    suboptions:
      method:
        description: The program that does it; C(none) leaves them as pg_dump writes them.
        type: str
        default: none
        choices: [none, age, gpg]
      recipients:
        description: Public keys of age, or names of keys that GnuPG knows.
        type: list
        elements: str
        default: []
      identity:
        description: Of age a file with a secret key; of GnuPG its home folder, where empty means that of the user.
        type: path
        default: ''
"""

    ENGINE = r"""
options:
  engine:
    description: What makes backups and restores them, on the host where this runs.
    type: dict
    suboptions:
      name:
        description: C(pg_dump) of the database, or C(pgbackrest) of its whole server.
        type: str
        default: pg_dump
        choices: [pg_dump, pgbackrest]
      stanza:
        description: Of pgbackrest, the stanza of the server.
        type: str
        default: ''
      config:
        description: Of pgbackrest, its configuration file; empty means where it looks by itself.
        type: str
        default: ''
      backup_command:
        description:
          - Of pgbackrest, the words that start it on the host of the repository, which is the only one where it makes
            backups. They are run as the user that the server runs as. Empty where that is the database's host.
        type: list
        elements: str
        default: []
      type:
        description: Of pgbackrest, the kind of backup. One that builds on others is full where there are none.
        type: str
        default: incr
        choices: [full, diff, incr]
      scratch_dir:
        description: Of pgbackrest, the folder in which backups are restored to prove them.
        type: str
        default: ''
      keep_scratch:
        description: Of pgbackrest, whether what was restored stays there; the next restore copies only what differs.
        type: bool
        default: false
"""

    POLICY = r"""
options:
  max_lock_seconds:
    description:
      - How long a migration may hold a lock that stops reads or writes of a large table, measured on the copy.
    type: float
    default: 5
  large_table_mb:
    description: Size in MB from which a table counts as large.
    type: float
    default: 1024
  accept_table_rewrite:
    description: Whether a large table may be rewritten.
    type: raw
    default: false
  accept_data_loss:
    description:
      - Whether a migration whose header says 'Data Loss NONE' may delete rows or drop columns or tables.
      - Whether rows that a rollback does not give back may stay so where the header declares a loss.
    type: raw
    default: false
  accept_empty_rollback:
    description: Whether a rollback may change nothing.
    type: raw
    default: false
"""

    RESIDUE = r"""
options:
  accept_residue:
    description:
      - Whether what no rollback can take back (the place of a column, a label of an enum) may stay though the header of
        the rollback script does not declare it.
    type: raw
    default: false
"""

    SALVAGE = r"""
options:
  restore_salvage:
    description:
      - Whether rows and values that an earlier rollback of the migration kept go back when it is applied again.
    type: bool
    default: true
"""

    REPLICA_LAG = r"""
options:
  max_replica_lag_mb:
    description:
      - How many MB of WAL a connected standby may be behind when production is changed; 0 is no limit.
      - The default is what a server keeps of WAL for nobody (C(max_wal_size)); a standby that is further behind and has
        no slot is close to losing the connection. A rollback only says so.
    type: float
    default: 1024
"""

    SLOTS = r"""
options:
  accept_slot_loss:
    description: Whether replication slots may be lost (C(max_slot_wal_keep_size)) by the WAL that the run writes.
    type: bool
    default: false
"""

    NOT_IN_BACKUP = r"""
options:
  accept_rows_not_in_backup:
    description:
      - Whether tables that belong to an extension may have rows, of which C(pg_dump) has none.
    type: bool
    default: false
"""

    TAKE_OVER = r"""
options:
  take_over:
    description: Run whose controller is known to be dead and which no longer holds the database.
    type: str
    default: ''
  taken_over_because:
    description:
      - What is known of the controller of the run named by O(take_over), for the ledger. Filled in by the action
        plugin.
      - With V(named) only its name was given; with V(gone) its process was on the same machine and is there no more;
        with V(unseen) it cannot be looked at from here, and the lease of the run was over.
    type: str
    choices: [named, gone, unseen]
    default: named
  ended_elsewhere:
    description:
      - How the run named by O(take_over) ended by its run.json, whose end could not be written to the ledger; filled in
        by the action plugin.
      - It counts only where the ledger knows of no change that the run has made.
    type: dict
    suboptions:
      run_id:
        description: Its name.
        type: str
      outcome:
        description: Its outcome.
        type: str
      reason:
        description: Why it ended so.
        type: str
      record_sha256:
        description: Digest of its run.json.
        type: str
"""

    LIBRARY = r"""
options:
  library_host:
    description: Inventory name of the host on which this runs, one of C(run.library_hosts).
    type: str
    required: true
  library_root:
    description: Folder that holds the files. It may be a link; nothing below it is followed that is one.
    type: path
    required: true
  library_path_prefix:
    description:
      - How the database writes O(library_root) in front of its paths; paths that are not absolute are below it anyhow.
      - Empty means that the database writes O(library_root) itself.
    type: str
    default: ''
  library_state_dir:
    description: Folder for the journal of renames, outside of O(library_root).
    type: path
    default: /var/lib/pgops_runbook
  accept_missing_files:
    description: Whether rows whose file is missing are reported only.
    type: bool
    default: false
  accept_paths_elsewhere:
    description: Whether changed paths that are not below the library are left to somebody else.
    type: bool
    default: false
"""
