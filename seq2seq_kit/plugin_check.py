"""``s2s plugins check``: all that can be said about a plugin distribution without importing torch or its models."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution
from typing import Literal

from seq2seq_kit.errors import PluginError
from seq2seq_kit.plugins import Provided, find_entry_points, load_plugins, normalize
from seq2seq_kit.registry import registry
from seq2seq_kit.source import find_class, find_module

SLOWEST_IMPORT = 1.0
"""Seconds that importing an entry point's module may take: every ``s2s`` command waits for it."""

_TIMED_IMPORT = """
import importlib, json, sys, time
import seq2seq_kit.hookspecs
start = time.perf_counter()
importlib.import_module(sys.argv[1])
print(json.dumps({"seconds": time.perf_counter() - start, "torch": "torch" in sys.modules}))
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked. A ``note`` is worth knowing and no fault."""

    what: str
    verdict: Literal["ok", "note", "FAILED"]
    detail: str


def check_plugin(name: str) -> list[Finding]:
    """Check a distribution; raises :class:`PluginError` when it is not installed, or disabled."""
    name = normalize(name)
    entry_points = {p: ep for p, ep in find_entry_points().items() if p.distribution == name}
    if not entry_points:
        return [Finding("entry point", "FAILED", _no_entry_point(name))]
    plugins = load_plugins()
    if name in plugins.disabled:
        raise PluginError(f"{name} is disabled by S2S_DISABLE_PLUGINS, so it was not loaded")
    findings: list[Finding] = []
    for provider, entry_point in entry_points.items():
        what = f"entry point {provider.entry_point!r}"
        findings.append(_check_import(what, entry_point))
        findings.extend(Finding(what, "FAILED", b.cause) for b in plugins.broken if b.provider == provider)
        for provided in plugins.provided:
            if provided.provider == provider:
                findings.extend(_check_component(provided))
    return findings


def _no_entry_point(name: str) -> str:
    try:
        distribution(name)
    except (PackageNotFoundError, ValueError):  # ValueError: an empty name
        others = ", ".join(dict.fromkeys(provider.distribution for provider in find_entry_points()))
        raise PluginError(f"there is no distribution {name!r} installed here (with plugins: {others})") from None
    return "it names no module in the entry-point group: [project.entry-points.seq2seq_kit] in its pyproject.toml"


def _check_import(what: str, entry_point: EntryPoint) -> Finding:
    """Import the module in a fresh interpreter: without torch, and quickly."""
    command = [sys.executable, "-c", _TIMED_IMPORT, entry_point.module]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return Finding(what, "FAILED", f"cannot be imported: {lines[-1] if lines else done.returncode}")
    seen = json.loads(done.stdout.splitlines()[-1])
    if seen["torch"]:
        return Finding(
            what, "FAILED", f"importing {entry_point.module} imports torch: name the model classes as strings"
        )
    if seen["seconds"] > SLOWEST_IMPORT:
        return Finding(
            what, "FAILED", f"importing {entry_point.module} takes {seen['seconds']:.1f} s: import less there"
        )
    return Finding(what, "ok", f"{entry_point.module} is imported in {1000 * seen['seconds']:.0f} ms, without torch")


def _check_component(provided: Provided) -> Iterator[Finding]:
    component = provided.component
    what = f"{component.kind} {component.name!r}"
    yield _check_class(what, "class", component.target)
    if component.config is not None:
        yield _check_class(what, "configuration class", component.config)
        yield from _check_config(what, provided)
    others = [p for p in registry().find_all(component.name, component.kind) if p.provider != provided.provider]
    if others:
        names = " and ".join(str(p.provider) for p in others)
        yield Finding(what, "note", f"also provided by {names}: users must write {provided.qualified_name!r}")
    if not component.summary:
        yield Finding(what, "note", "has no summary for s2s plugins list")


def _check_class(what: str, role: str, reference: str | type) -> Finding:
    if isinstance(reference, type):
        return Finding(
            what, "note", f"{role} {reference.__qualname__} is given itself, not by name: never loaded lazily"
        )
    try:
        found = find_class(reference)
    except PluginError as error:
        return Finding(what, "FAILED", f"{role}: {error}")
    if found:
        return Finding(what, "ok", f"{role} {reference}")
    module, _, name = reference.partition(":")
    spec = find_module(module)
    if spec is None:
        return Finding(what, "FAILED", f"{role}: there is no module {module}")
    if spec.origin is None or not spec.origin.endswith(".py"):
        return Finding(what, "note", f"{role} {reference}: {module} has no Python source to look into")
    return Finding(what, "FAILED", f"{role}: there is no class {name} in {module}")


def _check_config(what: str, provided: Provided) -> Iterator[Finding]:
    """The configuration derives from ComponentConfig, is named like the component, and documents its fields."""
    reference = provided.component.config
    try:
        found = find_class(reference) if reference is not None else None
    except PluginError:  # said already
        found = None
    if found is None:
        return
    if "ComponentConfig" not in found.bases:
        yield Finding(what, "FAILED", f"{found.name} does not derive from seq2seq_kit.ComponentConfig")
    names = [field.default for field in found.fields if field.name == "name"]
    if names and names[0] != provided.component.name:
        yield Finding(
            what, "FAILED", f"{found.name}.name must be {provided.component.name!r} by default, is {names[0]!r}"
        )
    bare = [field.name for field in found.fields if not field.doc and field.name != "name"]
    if bare:
        yield Finding(what, "note", f"{found.name}: no docstring for s2s plugins show: {', '.join(bare)}")
