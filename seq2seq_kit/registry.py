"""Finds components by kind and name, over all plugins and what a program registered by hand.

A name is bare (``lstm``) while unique, or qualified by its distribution (``seq2seq-kit/lstm``), which always works.
Two providers of one bare name are an error only when that bare name is used.
"""

from __future__ import annotations

import difflib
from functools import cache
from typing import Any

from seq2seq_kit.components import KINDS, Component
from seq2seq_kit.errors import PluginError
from seq2seq_kit.plugins import BUILTIN, Plugins, Provided, Provider, load_plugins

SCRIPT = Provider("script", "0", "register")
"""The provider of components that a program registered through the Python API."""


class Registry:
    """Looks up components; see :func:`registry` for the process-wide one."""

    def __init__(self, plugins: Plugins) -> None:
        self.plugins = plugins
        self._provided = list(plugins.provided)

    def register(self, component: Component) -> None:
        """Add a component for this process (the Python API's way in); a second one of that name replaces the first."""
        provided = Provided(component, SCRIPT)
        same = (component.kind, provided.qualified_name)
        self._provided = [p for p in self._provided if (p.component.kind, p.qualified_name) != same]
        self._provided.append(provided)

    def provided(self, kind: str | None = None) -> list[Provided]:
        """All components, of one kind or of every kind, in the order of their providers."""
        return [p for p in self._provided if kind is None or p.component.kind == kind]

    def names(self, kind: str) -> list[str]:
        """The names to offer for a kind: bare where unique, qualified where not."""
        bare = [p.component.name for p in self.provided(kind)]
        return sorted(
            p.component.name if bare.count(p.component.name) == 1 else p.qualified_name for p in self.provided(kind)
        )

    def find(self, kind: str, name: str) -> Provided:
        """The component called ``name``; raises :class:`PluginError` when there is none or more than one."""
        if kind not in KINDS:
            raise PluginError(f"unknown kind {kind!r}; the kinds are {', '.join(KINDS)}")
        found = [p for p in self.provided(kind) if name in (p.component.name, p.qualified_name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise PluginError(self._ambiguous(kind, name, found))
        raise PluginError(self._unknown(kind, name))

    def _ambiguous(self, kind: str, name: str, found: list[Provided]) -> str:
        providers = " and ".join(f"{p.provider.distribution} {p.provider.version}" for p in found)
        choices = " or ".join(repr(p.qualified_name) for p in found)
        return f"{kind} {name!r} is provided by {providers}; write {choices}"

    def _unknown(self, kind: str, name: str) -> str:
        names = self.names(kind)
        message = f"unknown {kind} {name!r}"
        close = difflib.get_close_matches(name, names, n=1)
        if close:
            message += f"; did you mean {close[0]!r}?"
        message += f" (there is: {', '.join(names) or 'none'})"
        distribution = name.partition("/")[0] if "/" in name else None
        for broken in self.plugins.broken:
            if distribution in (None, broken.provider.distribution):
                message += f"\n{broken}"
        if distribution in self.plugins.disabled:
            message += f"\n{distribution} is disabled by S2S_DISABLE_PLUGINS"
        elif distribution and distribution not in {p.distribution for p in self.plugins.providers}:
            message += f"\n{distribution} is not installed here: pip install {distribution}"
        return message


@cache
def registry() -> Registry:
    """The registry of this process; plugins are loaded at the first call."""
    return Registry(load_plugins())


def register(component: Component) -> None:
    """Register a component from a program: ``register(Component("attention", "mine", MyAttention, MyConfig))``."""
    registry().register(component)


def build(kind: str, config: Any, *args: Any, **kwargs: Any) -> Any:
    """Build the component that a validated configuration section names: ``Class(config, *args, **kwargs)``."""
    return registry().find(kind, config.name).component.load()(config, *args, **kwargs)


__all__ = ["BUILTIN", "SCRIPT", "Registry", "build", "register", "registry"]
