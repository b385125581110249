"""Reads classes from their source files without importing them: what ``s2s plugins show`` and ``check`` say about a
component needs neither torch nor a stranger's model code."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from typing import Any

import yaml

from seq2seq_kit.errors import PluginError


@dataclass(frozen=True)
class FieldSource:
    """One field of a configuration class, as its author wrote it."""

    name: str
    type: str
    default: str | None  # as YAML; None: the field is required
    doc: str


@dataclass(frozen=True)
class ClassSource:
    """A class: its docstring, its annotated fields (inherited ones first), and the names of all its bases."""

    name: str
    doc: str
    fields: tuple[FieldSource, ...]
    bases: tuple[str, ...]


def find_module(name: str) -> ModuleSpec | None:
    """Where an import would find a module. Unlike :func:`importlib.util.find_spec`, imports no parent package."""
    path, spec = None, None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        package = ".".join(parts[:depth])
        finders = (finder.find_spec(package, path) for finder in sys.meta_path)
        spec = next((found for found in finders if found is not None), None)
        if spec is None:
            return None
        path = spec.submodule_search_locations or []
    return spec


def find_class(reference: str | type) -> ClassSource | None:
    """The class that ``"package.module:Class"`` names, or ``None`` where there is no such module or class."""
    if isinstance(reference, type):
        reference = f"{reference.__module__}:{reference.__qualname__}"
    module, _, name = reference.partition(":")
    return _read(module).find_class(name)


@cache
def _read(name: str) -> _Module:
    """The parsed module of that name; an empty one where there is none, or none with a source."""
    spec = find_module(name)
    source = getattr(spec and spec.loader, "get_source", lambda _: None)(name)
    try:
        tree = ast.parse(source or "")
    except SyntaxError as error:
        raise PluginError(f"{spec and spec.origin}, line {error.lineno}: {error.msg}") from None
    return _Module(name, bool(spec and spec.submodule_search_locations), tree)


class _Module:
    """A parsed module: its top-level classes, assigned names and imports, those in ``if`` and ``try`` included."""

    def __init__(self, name: str, is_package: bool, tree: ast.Module) -> None:
        self.package = name if is_package else name.rpartition(".")[0]
        self.classes: dict[str, ast.ClassDef] = {}
        self.assigned: dict[str, ast.expr] = {}
        self.imported: dict[str, tuple[str, str]] = {}  # name here -> (module, name there)
        for node in _top_level(tree.body):
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Assign):
                self.assigned |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = (self._absolute(node), alias.name)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parents = self.package.split(".")
        return ".".join([*parents[: len(parents) - node.level + 1], *([node.module] if node.module else [])])

    def find_class(self, name: str, within: str = "") -> ClassSource | None:
        """The class called ``name`` here; in the bases of the class ``within``, that name is an imported one."""
        if name in self.classes and name != within:
            return self._describe(self.classes[name])
        if name in self.imported:
            module, there = self.imported[name]
            return _read(module).find_class(there)
        return None

    def _describe(self, node: ast.ClassDef) -> ClassSource:
        fields: dict[str, FieldSource] = {}
        bases: list[str] = []
        for base in node.bases:
            name = ast.unparse(base).rpartition(".")[2]
            bases.append(name)
            found = self.find_class(name, within=node.name)
            if found:
                bases.extend(found.bases)
                fields |= {field.name: field for field in found.fields}
        fields |= {field.name: field for field in self._fields(node)}
        return ClassSource(node.name, ast.get_docstring(node) or "", tuple(fields.values()), tuple(bases))

    def _fields(self, node: ast.ClassDef) -> Iterator[FieldSource]:
        for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
            if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
                continue
            if "ClassVar" in ast.unparse(statement.annotation):
                continue
            is_doc = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            doc = str(following.value.value) if is_doc else ""  # type: ignore[union-attr]
            default, limits = _default(statement.value)
            annotation = ast.unparse(_Readable(self).visit(statement.annotation))
            yield FieldSource(statement.target.id, ", ".join([annotation, *limits]), default, " ".join(doc.split()))


class _Readable(ast.NodeTransformer):
    """Writes an annotation for people: aliases resolved, ``Literal["a", "b"]`` as ``a | b``, components by kind."""

    def __init__(self, module: _Module) -> None:
        self.module = module

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id in self.module.assigned:
            return self.visit(self.module.assigned[node.id])
        if node.id in self.module.imported:
            module, there = self.module.imported[node.id]
            if module.partition(".")[0] == self.module.package.partition(".")[0]:
                source = _read(module)
                return _Readable(source).visit(source.assigned[there]) if there in source.assigned else node
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        called = ast.unparse(node.func)
        if called == "component_field" and node.args and isinstance(node.args[0], ast.Constant):
            return ast.Name(f"{node.args[0].value!s} component")
        return node

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        if ast.unparse(node.value) == "Literal":
            values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return ast.Name(" | ".join(_yaml(value) for value in values))
        if ast.unparse(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
            return self.visit(node.slice.elts[0])
        return self.generic_visit(node)


_LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def _default(value: ast.expr | None) -> tuple[str | None, list[str]]:
    """A field's default as YAML (None: required) and the limits that ``Field(...)`` sets."""
    if not (isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] == "Field"):
        return (None if value is None else _yaml(value)), []
    given = {keyword.arg: keyword.value for keyword in value.keywords}
    default = value.args[0] if value.args else given.get("default")
    limits = [f"{_LIMITS[name]} {ast.unparse(bound)}" for name, bound in given.items() if name in _LIMITS]
    if "default_factory" in given:
        return f"{ast.unparse(given['default_factory'])}()", limits
    required = default is None or (isinstance(default, ast.Constant) and default.value is ...)
    return (None if required else _yaml(default)), limits  # type: ignore[arg-type]


def _yaml(value: ast.expr) -> str:
    try:
        plain = ast.literal_eval(value)
    except ValueError:
        return ast.unparse(value)
    plain = list(plain) if isinstance(plain, tuple) else plain
    return yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=1000).removesuffix("...\n").strip()


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            for part in (node.body, node.orelse, *(handler.body for handler in getattr(node, "handlers", []))):
                yield from _top_level(part)
