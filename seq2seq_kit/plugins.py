"""Loads plugins: the built-in one, then every distribution with an entry point in the group ``seq2seq_kit``.

Our own loader instead of pluggy's, because pluggy's stops at the first broken distribution. Here a plugin that cannot
be imported, or that declares something unusable, is rolled back, remembered with its cause, and never stops another.

Environment: ``S2S_DISABLE_PLUGINS`` (``*`` or distribution names, comma-separated: never imported) and
``S2S_PLUGINS_STRICT=1`` (a broken plugin is an error at once).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import pluggy

from seq2seq_kit import hookspecs
from seq2seq_kit.components import Component
from seq2seq_kit.errors import PluginError

GROUP = "seq2seq_kit"
BUILTIN = "seq2seq-kit"


@dataclass(frozen=True)
class Provider:
    """Where a component comes from."""

    distribution: str
    version: str
    entry_point: str


@dataclass(frozen=True)
class Provided:
    """A component with its provider."""

    component: Component
    provider: Provider

    @property
    def qualified_name(self) -> str:
        return f"{self.provider.distribution}/{self.component.name}"


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that could not be used, and why."""

    provider: Provider
    cause: str

    def __str__(self) -> str:
        p = self.provider
        return f"plugin {p.entry_point!r} of {p.distribution} {p.version} cannot be used: {self.cause}"


@dataclass
class Plugins:
    """What was found in the environment."""

    manager: pluggy.PluginManager
    providers: list[Provider] = field(default_factory=list)
    provided: list[Provided] = field(default_factory=list)
    broken: list[BrokenPlugin] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)


def normalize(distribution: str) -> str:
    """A distribution's name in its canonical spelling (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@cache
def load_plugins() -> Plugins:
    """Load all plugins once a process: ours first, the others by distribution and entry-point name."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager)
    disabled = {normalize(name.strip()) for name in os.environ.get("S2S_DISABLE_PLUGINS", "").split(",") if name.strip()}
    strict = os.environ.get("S2S_PLUGINS_STRICT", "") not in ("", "0")
    for entry_point in _sorted_entry_points():
        provider = _provider(entry_point)
        builtin = provider.distribution == BUILTIN
        if not builtin and ("*" in disabled or provider.distribution in disabled):
            plugins.disabled.append(provider.distribution)
            continue
        try:
            _register(plugins, entry_point, provider)
        except Exception as error:  # a stranger's module may raise anything; one broken plugin must not stop the rest
            if builtin:
                raise
            broken = BrokenPlugin(provider, f"{type(error).__name__}: {error}")
            if strict:
                raise PluginError(f"{broken} (S2S_PLUGINS_STRICT is set)") from error
            plugins.broken.append(broken)
    return plugins


def _sorted_entry_points() -> list[EntryPoint]:
    """Each entry point once (a path listed twice finds it twice), built-in first, then by distribution and name."""
    unique = {(_provider(ep).distribution, ep.name): ep for ep in reversed(list(entry_points(group=GROUP)))}
    return [unique[key] for key in sorted(unique, key=lambda key: (key[0] != BUILTIN, key))]


def _provider(entry_point: EntryPoint) -> Provider:
    dist = entry_point.dist
    if dist is None:
        return Provider("unknown", "0", entry_point.name)
    return Provider(normalize(dist.name), dist.version, entry_point.name)


def _register(plugins: Plugins, entry_point: EntryPoint, provider: Provider) -> None:
    module = entry_point.load()
    name = f"{provider.distribution}:{provider.entry_point}"
    plugins.manager.register(module, name=name)
    try:
        plugins.manager.check_pending()
        provided = [Provided(component, provider) for component in _components(module)]
        _check_distinct(provided, plugins.provided)
    except Exception:
        plugins.manager.unregister(name=name)  # nothing half-registered stays
        raise
    plugins.providers.append(provider)
    plugins.provided.extend(provided)


def _components(module: object) -> list[Component]:
    """Call this module's own ``register_components`` (pluggy would call every plugin's)."""
    implementation = getattr(module, "register_components", None)
    if implementation is None:
        return []
    components = list(implementation())
    for component in components:
        if not isinstance(component, Component):
            raise TypeError(f"register_components must return Component objects, got {component!r}")
    return components


def _check_distinct(new: list[Provided], present: list[Provided]) -> None:
    """A distribution may not declare a name twice; two distributions may (see the registry for what happens then)."""
    seen = {(p.component.kind, p.qualified_name) for p in present}
    for p in new:
        key = (p.component.kind, p.qualified_name)
        if key in seen:
            raise ValueError(f"the {p.component.kind} {p.component.name!r} is declared twice")
        seen.add(key)
