# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of PostgreSQL's system catalogs is not schema, each with its reason.

Every catalog and every column that is not named here is read as it is: what a new PostgreSQL version
adds is part of the fingerprint until somebody gives a reason against it. The catalogs are described in
the PostgreSQL manual, part "Internals", chapter "System Catalogs".
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CATALOGS_LEFT_OUT", "COLUMNS_LEFT_OUT", "FACT_NAMES"]

_CLUSTER = "belongs to the whole server, not to one database"
_CONTENT = "content, not schema: the content fingerprint has it"
_THROUGH = "read as facts of the objects that it describes"

CATALOGS_LEFT_OUT: Mapping[str, str] = {
    "pg_authid": _CLUSTER,
    "pg_auth_members": _CLUSTER,
    "pg_parameter_acl": _CLUSTER,
    "pg_replication_origin": _CLUSTER,
    "pg_shdepend": _CLUSTER,
    "pg_tablespace": _CLUSTER,
    "pg_largeobject": _CONTENT,
    "pg_largeobject_metadata": _CONTENT,
    "pg_statistic": "the planner's statistics change with ANALYZE",
    "pg_statistic_ext_data": "the planner's statistics change with ANALYZE",
    "pg_subscription_rel": "progress of replication",
    "pg_attrdef": _THROUGH,
    "pg_depend": _THROUGH + "; what follows from their definitions is not repeated",
    "pg_description": _THROUGH,
    "pg_enum": _THROUGH,
    "pg_inherits": _THROUGH,
    "pg_init_privs": "the baseline against which privileges of extensions' and system objects are read",
    "pg_seclabel": _THROUGH,
    "pg_shdescription": _THROUGH,
    "pg_shseclabel": _THROUGH,
    "pg_ts_config_map": _THROUGH,
}

_DEPARSED = "stands in the definition that PostgreSQL deparses"
_PHYSICAL = "physical: where and how the rows lie"
_LAZY = "a hint that is set early and cleared late: depends on history"
_COUNTED = "counts rows of another catalog, which are read themselves"
_BY_ITSELF = "PostgreSQL makes and names it by itself"
_OF_TYPE = "a property of the type"

COLUMNS_LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "pg_class": {
        "reltype": _BY_ITSELF,
        "relfilenode": _PHYSICAL,
        "relpages": _PHYSICAL,
        "reltuples": _PHYSICAL,
        "relallvisible": _PHYSICAL,
        "relallfrozen": _PHYSICAL,
        "reltoastrelid": _PHYSICAL + "; its options are read as options of the table",
        "relrewrite": _PHYSICAL,
        "relfrozenxid": _PHYSICAL,
        "relminmxid": _PHYSICAL,
        "relhasindex": _LAZY,
        "relhasrules": _LAZY,
        "relhastriggers": _LAZY,
        "relhassubclass": _LAZY,
        "relnatts": _COUNTED + "; dropped columns keep their slot",
        "relchecks": _COUNTED,
        "relispopulated": "content: the content fingerprint says whether a materialized view is populated",
    },
    "pg_attribute": {
        "attnum": "the order of the columns is an entry of its own, without the slots of dropped columns",
        "attlen": _OF_TYPE,
        "attbyval": _OF_TYPE,
        "attalign": _OF_TYPE,
        "attndims": "PostgreSQL does not enforce the number of dimensions and pg_dump does not keep it",
        "attcacheoff": _PHYSICAL,
        "atthasdef": _COUNTED,
        "atthasmissing": _PHYSICAL,
        "attmissingval": _PHYSICAL,
        "attisdropped": "dropped columns are no schema; dead_column_slots() counts them",
        "atttypmod": "part of the type's name",
        "attstattarget": "read with one value for 'default', which differs between versions",
    },
    "pg_index": {
        "indcheckxmin": "depends on the transactions that ran while the index was built",
    },
    "pg_constraint": {
        "conindid": "for a foreign key, the first of the matching unique indexes by OID: depends on history;"
        " else the index of the same name",
    },
    "pg_type": {
        "typrelid": _BY_ITSELF,
        "typarray": _BY_ITSELF,
        "typdefault": "read through typdefaultbin where there is one, because the stored text depends on"
        " the search_path of the session that made it",
        "typndims": "as pg_attribute.attndims",
        "typtypmod": "part of the base type's name",
    },
    "pg_proc": {
        "pronargs": _COUNTED,
        "pronargdefaults": _COUNTED,
        "proargtypes": _DEPARSED,
        "proallargtypes": _DEPARSED,
        "proargmodes": _DEPARSED,
        "proargnames": _DEPARSED,
    },
    "pg_trigger": {
        "tgargs": _DEPARSED,
        "tgnargs": _DEPARSED,
        "tgconstrindid": "as pg_constraint.conindid",
        "tgtype": _DEPARSED,
    },
    "pg_collation": {"collversion": "the version of the operating system's library when it was made"},
    "pg_database": {
        "datname": "the copy of a database has another name",
        "datfrozenxid": _PHYSICAL,
        "datminmxid": _PHYSICAL,
        "datcollversion": "the version of the operating system's library when it was made",
        "dathasloginevt": _LAZY,
    },
    "pg_subscription": {
        "subdbid": "always this database",
        "subskiplsn": "progress of replication",
        "subconninfo": "may hold a password: read as a digest",
    },
    "pg_user_mapping": {"umoptions": "may hold a password: read as a digest"},
    "pg_db_role_setting": {"setdatabase": "always this database", "setrole": "in the key"},
}

# Facts get the words of the manual where the column's name would puzzle the person on call.
FACT_NAMES: Mapping[str, str] = {
    "atttypid": "type",
    "attnotnull": "not null",
    "attcollation": "collation",
    "attidentity": "identity",
    "attgenerated": "generated",
    "attstorage": "storage",
    "attcompression": "compression",
    "relkind": "kind",
    "relam": "access method",
    "reltablespace": "tablespace",
    "relpersistence": "persistence",
    "relreplident": "replica identity",
    "relrowsecurity": "row security",
    "relforcerowsecurity": "force row security",
    "indisvalid": "valid",
    "indisready": "ready",
    "indislive": "live",
    "indisunique": "unique",
    "indisclustered": "clustered",
    "indisreplident": "is replica identity",
    "indrelid": "table",
    "convalidated": "validated",
    "conenforced": "enforced",
    "condeferrable": "deferrable",
    "condeferred": "deferred",
    "tgenabled": "enabled",
    "ev_enabled": "enabled",
    "evtenabled": "enabled",
    "provolatile": "volatility",
    "proparallel": "parallel",
    "prosecdef": "security definer",
    "proisstrict": "strict",
    "proleakproof": "leakproof",
    "prolang": "language",
    "procost": "cost",
    "prorows": "rows",
    "prosrc": "body",
    "extversion": "version",
    "seqstart": "start",
    "seqincrement": "increment",
    "seqmax": "maximum",
    "seqmin": "minimum",
    "seqcache": "cache",
    "seqcycle": "cycle",
    "seqtypid": "type",
    "typbasetype": "base type",
    "typnotnull": "not null",
    "stxstattarget": "statistics target",
}
# Every owner is "owner", every ACL "privileges", every text[] of options "option <name>".
