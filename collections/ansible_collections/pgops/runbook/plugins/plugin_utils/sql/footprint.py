# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a script creates, as far as its top-level statements say it.

The footprint answers one question: is this migration already in place on a database that has no record of it?
Statements inside DO blocks and function bodies are not followed.
"""

from __future__ import annotations

from collections.abc import Iterable

from pglast import ast, enums

__all__ = ["Footprint", "footprint_of"]

#: {"tables": [[schema or None, name], ...], "columns": [[schema or None, table, column], ...], ...}
Footprint = dict[str, list[list[str | None]]]

_KINDS = ("tables", "columns", "indexes", "views", "functions", "types")
_Object = enums.ObjectType
_KIND_OF = {
    _Object.OBJECT_TABLE: "tables",
    _Object.OBJECT_FOREIGN_TABLE: "tables",
    _Object.OBJECT_INDEX: "indexes",
    _Object.OBJECT_VIEW: "views",
    _Object.OBJECT_MATVIEW: "views",
    _Object.OBJECT_FUNCTION: "functions",
    _Object.OBJECT_PROCEDURE: "functions",
    _Object.OBJECT_ROUTINE: "functions",
    _Object.OBJECT_TYPE: "types",
    _Object.OBJECT_DOMAIN: "types",
}


def footprint_of(statements: Iterable[ast.Node]) -> Footprint:
    """List what the statements create and do not drop again.

    An object that the script replaces (`CREATE OR REPLACE`, or a `DROP` of the same name before) may have
    been there before the migration, so alone it proves nothing: without any object that is new for certain
    the footprint is empty, which means "cannot be told from the catalog".
    """
    collector = _Collector()
    for statement in statements:
        collector.read(statement)
    return collector.footprint()


class _Collector:
    def __init__(self) -> None:
        # (kind, schema, name, part): part is the column's name, or a function's argument types.
        self.created: dict[tuple[str, str | None, str, str], bool] = {}  # -> new for certain
        self.index_table: dict[tuple[str | None, str], str] = {}
        self.temporary: set[str] = set()
        self.dropped: set[tuple[str, str]] = set()
        self.schema: str | None = None  # of unqualified names, when the script sets search_path itself

    def footprint(self) -> Footprint:
        result: Footprint = {kind: [] for kind in _KINDS}
        if not any(self.created.values()):
            return result
        for kind, schema, name, part in self.created:
            entry = [schema, name, part] if kind == "columns" else [schema, name]
            if entry not in result[kind]:
                result[kind].append(entry)
        return result

    def read(self, statement: ast.Node) -> None:
        if isinstance(statement, ast.VariableSetStmt):
            self._read_search_path(statement)
        elif isinstance(statement, ast.CreateSchemaStmt):
            outer, self.schema = self.schema, statement.schemaname
            for element in statement.schemaElts or ():
                self.read(element)
            self.schema = outer
        elif isinstance(statement, ast.CreateStmt):
            self._relation("tables", statement.relation)
        elif isinstance(statement, ast.CreateForeignTableStmt):
            self._relation("tables", statement.base.relation)
        elif isinstance(statement, ast.CreateTableAsStmt):
            self._relation(
                "views" if statement.objtype == _Object.OBJECT_MATVIEW else "tables", statement.into.rel
            )
        elif isinstance(statement, ast.SelectStmt) and statement.intoClause:
            self._relation("tables", statement.intoClause.rel)
        elif isinstance(statement, ast.ViewStmt):
            self._relation("views", statement.view, certain=not statement.replace)
        elif isinstance(statement, ast.IndexStmt):
            self._index(statement)
        elif isinstance(statement, ast.CreateFunctionStmt):
            arguments = _signature(p.argType for p in statement.parameters or () if p.mode.value in "divb")
            schema, name = _qualified(statement.funcname)
            self._create("functions", schema, name, arguments, certain=not statement.replace)
        elif isinstance(statement, (ast.CreateEnumStmt, ast.CreateRangeStmt)):
            self._create("types", *_qualified(statement.typeName))
        elif isinstance(statement, ast.CreateDomainStmt):
            self._create("types", *_qualified(statement.domainname))
        elif isinstance(statement, ast.CompositeTypeStmt):
            self._create("types", statement.typevar.schemaname, statement.typevar.relname)
        elif isinstance(statement, ast.AlterTableStmt):
            self._alter_table(statement)
        elif isinstance(statement, ast.DropStmt):
            self._read_drop(statement)
        elif isinstance(statement, ast.RenameStmt):
            self._rename(statement)
        elif isinstance(statement, ast.AlterObjectSchemaStmt):
            self._move(statement)

    def _read_search_path(self, statement: ast.VariableSetStmt) -> None:
        if statement.name != "search_path":
            return
        first = statement.args[0] if statement.args else None
        name = getattr(getattr(first, "val", None), "sval", None)
        self.schema = None if name in (None, "", "$user") or "," in name else name

    def _create(
        self, kind: str, schema: str | None, name: str, part: str = "", *, certain: bool = True
    ) -> None:
        certain = certain and (kind, part if kind == "columns" else name) not in self.dropped
        self.created.setdefault((kind, schema or self.schema, name, part), certain)

    def _is_temporary(self, relation: ast.RangeVar) -> bool:
        return (
            relation.relpersistence == "t"
            or relation.schemaname == "pg_temp"
            or (relation.schemaname is None and relation.relname in self.temporary)
        )

    def _relation(self, kind: str, relation: ast.RangeVar, *, certain: bool = True) -> None:
        if self._is_temporary(relation):
            self.temporary.add(relation.relname)
        else:
            self._create(kind, relation.schemaname, relation.relname, certain=certain)

    def _index(self, statement: ast.IndexStmt) -> None:
        # An index lives in its table's schema; without a name the server makes one up.
        if statement.idxname and not self._is_temporary(statement.relation):
            schema = statement.relation.schemaname
            self._create("indexes", schema, statement.idxname)
            self.index_table[schema or self.schema, statement.idxname] = statement.relation.relname

    def _alter_table(self, statement: ast.AlterTableStmt) -> None:
        table = statement.relation
        if statement.objtype != _Object.OBJECT_TABLE or self._is_temporary(table):
            return
        for command in statement.cmds:
            if command.subtype == enums.AlterTableType.AT_AddColumn:
                self._create("columns", table.schemaname, table.relname, command.def_.colname)
            elif command.subtype == enums.AlterTableType.AT_DropColumn:
                self._drop("columns", table.schemaname, table.relname, command.name)

    def _read_drop(self, statement: ast.DropStmt) -> None:
        kind = _KIND_OF.get(statement.removeType)
        if kind is None:
            return
        for item in statement.objects:
            if isinstance(item, ast.ObjectWithArgs):
                arguments = None if item.args_unspecified else _signature(item.objargs or ())
                self._drop(kind, *_qualified(item.objname), arguments)
            else:
                self._drop(kind, *_qualified(item.names if isinstance(item, ast.TypeName) else item))

    def _drop(self, kind: str, schema: str | None, name: str, part: str | None = None) -> None:
        self.dropped.add((kind, part or "" if kind == "columns" else name))
        schema = schema or self.schema
        for key in list(self.created):
            key_kind, key_schema, key_name, key_part = key
            if schema and key_schema and schema != key_schema:
                continue
            same = key_kind == kind and key_name == name and part in (None, key_part)
            if same or (kind == "tables" and self._belongs(key, name)):
                del self.created[key]

    def _belongs(self, key: tuple[str, str | None, str, str], table: str) -> bool:
        kind, schema, name, _part = key
        return (kind == "columns" and name == table) or (
            kind == "indexes" and self.index_table.get((schema, name)) == table
        )

    def _rename(self, statement: ast.RenameStmt) -> None:
        relation = statement.relation
        if statement.renameType == _Object.OBJECT_COLUMN and statement.relationType == _Object.OBJECT_TABLE:
            if not self._is_temporary(relation):
                self._drop("columns", relation.schemaname, relation.relname, statement.subname)
                self._create("columns", relation.schemaname, relation.relname, statement.newname)
            return
        kind = _KIND_OF.get(statement.renameType)
        if kind is None or kind == "functions" or (relation is not None and self._is_temporary(relation)):
            return
        if relation is not None:
            schema, name = relation.schemaname, relation.relname
        else:
            schema, name = _qualified(statement.object)
        self._rekey(kind, schema, name, schema, statement.newname)

    def _move(self, statement: ast.AlterObjectSchemaStmt) -> None:
        kind = _KIND_OF.get(statement.objectType)
        if kind in ("tables", "views", "indexes") and statement.relation is not None:
            relation = statement.relation
            self._rekey(kind, relation.schemaname, relation.relname, statement.newschema, relation.relname)

    def _rekey(self, kind: str, schema: str | None, name: str, to_schema: str | None, to_name: str) -> None:
        """Give an object its new name, and what hangs on a table with it."""
        schema, to_schema = schema or self.schema, to_schema or self.schema
        hanging = [
            (key, certain)
            for key, certain in self.created.items()
            if kind == "tables" and key[1] == schema and self._belongs(key, name)
        ]
        self._drop(kind, schema, name)
        self._create(kind, to_schema, to_name)
        for (key_kind, _schema, key_name, part), certain in hanging:
            own_name = to_name if key_kind == "columns" else key_name
            self.created[key_kind, to_schema, own_name, part] = certain
            if key_kind == "indexes":
                self.index_table[to_schema, own_name] = to_name


def _qualified(names: Iterable[ast.String]) -> tuple[str | None, str]:
    parts = [part.sval for part in names]
    return (parts[-2] if len(parts) > 1 else None), parts[-1]


def _signature(types: Iterable[ast.TypeName]) -> str:
    return ", ".join(
        ".".join(part.sval for part in item.names if part.sval != "pg_catalog")
        + "[]" * len(item.arrayBounds or ())
        for item in types
    )
