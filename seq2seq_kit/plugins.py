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
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

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

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Provided:
    """A component with its provider."""

    component: Component
    provider: Provider

    @property
    def qualified_name(self) -> str:
        return f"{self.provider.distribution}/{self.component.name}"

    def load(self) -> Any:
        """The component's class; raises :class:`PluginError` when its module or class cannot be imported."""
        try:
            return self.component.load()
        except (Exception, SystemExit) as error:  # a stranger's module may raise anything
            raise self._unusable(self.component.target, error) from error

    def load_config(self) -> Any | None:
        """The component's configuration class, or ``None``; raises :class:`PluginError` when it is unusable."""
        from seq2seq_kit.config import ComponentConfig

        try:
            config = self.component.load_config()
        except (Exception, SystemExit) as error:
            raise self._unusable(self.component.config, error) from error
        if config is None or (isinstance(config, type) and issubclass(config, ComponentConfig)):
            return config
        raise self._unusable(self.component.config, TypeError("is not a subclass of seq2seq_kit.ComponentConfig"))

    def _unusable(self, reference: object, error: BaseException) -> PluginError:
        component = self.component
        return PluginError(
            f"{component.kind} {component.name!r} of {self.provider} cannot be used: {reference}: {cause(error)}"
        )


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that could not be used, and why."""

    provider: Provider
    cause: str

    def __str__(self) -> str:
        return f"plugin {self.provider.entry_point!r} of {self.provider} cannot be used: {self.cause}"


@dataclass
class Plugins:
    """What was found in the environment.

    ``providers``, ``provided`` and ``broken`` are in the order of loading; ``disabled`` names distributions.
    """

    manager: pluggy.PluginManager
    providers: list[Provider] = field(default_factory=list)
    provided: list[Provided] = field(default_factory=list)
    broken: list[BrokenPlugin] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)
    strict: bool = False

    def call(self, provider: Provider, hook: str, **arguments: object) -> list[Any]:
        """Call one plugin's implementation of a hook; its result in a list, or an empty list where it has none."""
        plugin = self.manager.get_plugin(_plugin_name(provider))
        others = [other for other in self.manager.get_plugins() if other is not plugin]
        results: list[Any] = self.manager.subset_hook_caller(hook, others)(**arguments)
        return results

    def package(self, provider: Provider) -> str:
        """The top-level package of a plugin's module."""
        module = self.manager.get_plugin(_plugin_name(provider))
        return str(getattr(module, "__name__", "")).partition(".")[0]

    def report(self, provider: Provider, error: BaseException) -> None:
        """Remember a plugin as broken; in strict mode raise :class:`PluginError`."""
        broken = BrokenPlugin(provider, cause(error))
        if self.strict:
            raise PluginError(f"{broken} (S2S_PLUGINS_STRICT is set)") from error
        self.broken.append(broken)


def cause(error: BaseException) -> str:
    """An exception in one line: its type and what it says."""
    return ": ".join([type(error).__name__, *([" ".join(str(error).split())] if str(error) else [])])


def normalize(distribution: str) -> str:
    """A distribution's name in its canonical spelling (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@cache
def load_plugins() -> Plugins:
    """Load all plugins once a process: ours first, the others by distribution and entry-point name."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins(manager, strict=os.environ.get("S2S_PLUGINS_STRICT", "") not in ("", "0"))
    disabled = {normalize(name.strip()) for name in os.environ.get("S2S_DISABLE_PLUGINS", "").split(",")}
    found = find_entry_points()
    if BUILTIN not in {provider.distribution for provider in found}:
        raise PluginError("seq2seq_kit is not installed in this environment, so it has no components: pip install it")
    for provider, entry_point in found.items():
        builtin = provider.distribution == BUILTIN
        if not builtin and not disabled.isdisjoint(("*", provider.distribution)):
            if provider.distribution not in plugins.disabled:
                plugins.disabled.append(provider.distribution)
            continue
        try:
            _register(plugins, entry_point, provider)
        except (Exception, SystemExit) as error:  # a stranger's module may raise anything
            if builtin:
                raise
            plugins.report(provider, error)
    return plugins


def find_entry_points() -> dict[Provider, EntryPoint]:
    """All entry points of our group: the built-in one first, then by distribution and name.

    A distribution that is found twice counts once, where an import would find it: first on the path.
    """
    found: dict[str, dict[Provider, EntryPoint]] = {}
    for distribution in distributions():
        if GROUP in (distribution.read_text("entry_points.txt") or ""):
            name, version = identity(distribution)
            entry_points = distribution.entry_points.select(group=GROUP)
            found.setdefault(name, {Provider(name, version, ep.name): ep for ep in entry_points})
    merged = {provider: ep for entry_points in found.values() for provider, ep in entry_points.items()}
    order = sorted(merged, key=lambda p: (p.distribution != BUILTIN, p.distribution, p.entry_point))
    return {provider: merged[provider] for provider in order}


def identity(distribution: Distribution) -> tuple[str, str]:
    """A distribution's normalized name and its version; unknown where an uninstallation left half of it behind."""
    try:
        metadata = distribution.metadata
        return normalize(metadata["Name"]), metadata["Version"] or "0"
    except Exception:  # no metadata file: each Python version raises something else
        return "unknown", "0"


def _register(plugins: Plugins, entry_point: EntryPoint, provider: Provider) -> None:
    module = entry_point.load()
    _check_marked(module)
    name = plugins.manager.register(module, name=_plugin_name(provider))
    try:
        plugins.manager.check_pending()
        provided = [Provided(component, provider) for component in _components(plugins, provider)]
        _check_distinct(provided, plugins.provided)
    except BaseException:
        plugins.manager.unregister(name=name)  # nothing half-registered stays
        raise
    plugins.providers.append(provider)
    plugins.provided.extend(provided)


def _plugin_name(provider: Provider) -> str:
    return f"{provider.distribution}:{provider.entry_point}"


def _check_marked(module: object) -> None:
    """Refuse a function named like a hook that pluggy would pass over, and a module without any hook."""
    hooks = [name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")]
    implemented = [name for name in hooks if hasattr(module, name)]
    for name in implemented:
        if not hasattr(getattr(module, name), f"{hookspecs.PROJECT}_impl"):
            raise TypeError(f"{name} lacks the decorator @hookimpl")
    if not any(hasattr(getattr(module, name, None), f"{hookspecs.PROJECT}_impl") for name in dir(module)):
        raise TypeError(f"implements none of the hooks ({', '.join(hooks)})")


def _components(plugins: Plugins, provider: Provider) -> list[Component]:
    caller = plugins.manager.hook.register_components
    if plugins.manager.get_plugin(_plugin_name(provider)) not in [impl.plugin for impl in caller.get_hookimpls()]:
        return []
    results = plugins.call(provider, "register_components") or [None]
    try:
        components = list(results[0])
    except TypeError:
        raise TypeError(f"register_components must return Component objects, returned {results[0]!r}") from None
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
