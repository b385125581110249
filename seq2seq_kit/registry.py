"""Finds components by kind and name, over all plugins and what a program registered by hand.

A name is bare (``lstm``) while unique, or qualified by its distribution (``seq2seq-kit/lstm``), which always works.
Two providers of one bare name are an error only when that bare name is used.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from seq2seq_kit.components import KINDS, Component
from seq2seq_kit.errors import PluginError, PluginFailure, UserError
from seq2seq_kit.plugins import BUILTIN, Plugins, Provided, Provider, cause, load_plugins, normalize

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

    @contextmanager
    def lend(self, components: Iterable[Component], provider: Provider) -> Iterator[None]:
        """``components`` are those of ``provider`` within the context, and gone after it.

        Raises:
            PluginError: the provider has a component of that kind and name already.
        """
        before, new = self._provided, [Provided(component, provider) for component in components]
        taken = {(p.component.kind, p.qualified_name) for p in before}
        for p in new:
            if (p.component.kind, p.qualified_name) in taken:
                raise PluginError(f"{provider} has the {p.component.kind} {p.component.name!r} already")
            taken.add((p.component.kind, p.qualified_name))
        self._provided = [*before, *new]
        try:
            yield
        finally:
            self._provided = [p for p in self._provided if p not in new]

    def provided(self, kind: str | None = None) -> list[Provided]:
        """All components, of one kind or of every kind, in the order of their providers."""
        return [p for p in self._provided if kind is None or p.component.kind == kind]

    def names(self, kind: str | None = None) -> list[str]:
        """The names to offer for a kind, or for all of them: bare where unique, qualified where not."""
        return sorted({self.short_name(p) for p in self.provided(kind)})

    def short_name(self, provided: Provided) -> str:
        """The shortest name that finds a component: bare, or qualified where another one of its kind has that too."""
        same = [p for p in self.provided(provided.component.kind) if p.component.name == provided.component.name]
        return provided.component.name if len(same) == 1 else provided.qualified_name

    def find(self, kind: str, name: str) -> Provided:
        """The component called ``name``; raises :class:`PluginError` when there is none or more than one."""
        if kind not in KINDS:
            raise PluginError(f"unknown kind {kind!r}; the kinds are {', '.join(KINDS)}")
        found = self.find_all(name, kind)
        if len(found) > 1:
            raise PluginError(self._ambiguous(kind, name, found))
        return found[0]

    def find_all(self, name: str, kind: str | None = None) -> list[Provided]:
        """All components called ``name``, of one kind or of every kind; raises :class:`PluginError` when none is."""
        distribution, slash, bare = name.rpartition("/")
        wanted = f"{normalize(distribution)}/{bare}" if slash else name
        found = [p for p in self.provided(kind) if wanted in (p.component.name, p.qualified_name)]
        if not found:
            raise PluginError(self._unknown(kind, wanted))
        return found

    def _ambiguous(self, kind: str, name: str, found: list[Provided]) -> str:
        providers = " and ".join(str(p.provider) for p in found)
        choices = " or ".join(repr(p.qualified_name) for p in found)
        return f"{kind} {name!r} is provided by {providers}; write {choices}"

    def _unknown(self, kind: str | None, name: str) -> str:
        """What is wrong, the nearest name, what there is, and why the wanted one may be missing."""
        names = self.names(kind)
        message = f"unknown {kind or 'component'} {name!r}"
        candidates = [p.qualified_name for p in self.provided(kind)] if "/" in name else names
        close = difflib.get_close_matches(name.lower(), candidates, n=1)
        elsewhere = [p.component.kind for p in self._provided if name in (p.component.name, p.qualified_name)]
        if close:
            message += f"; did you mean {close[0]!r}?"
        elif elsewhere:
            message += f": {name!r} is of the kind {' and '.join(elsewhere)}"
        message += f" (there is: {', '.join(names) or 'none'})"
        return "\n".join([message, *self._missing(name.rpartition("/")[0])])

    def _missing(self, distribution: str) -> Iterator[str]:
        """Why components of ``distribution`` (where it is empty: of any) may be missing, and what to do."""
        for broken in self.plugins.broken:
            if distribution in ("", broken.provider.distribution):
                yield str(broken)
        for disabled in self.plugins.disabled:
            if distribution in ("", disabled):
                yield f"{disabled} is disabled by S2S_DISABLE_PLUGINS"
        known = {p.distribution for p in [*self.plugins.providers, *(b.provider for b in self.plugins.broken)]}
        if distribution and distribution not in {*known, *self.plugins.disabled, SCRIPT.distribution}:
            yield f"{distribution} is not installed here: pip install {distribution}"


@cache
def registry() -> Registry:
    """The registry of this process; plugins are loaded at the first call."""
    return Registry(load_plugins())


def register(component: Component) -> None:
    """Register a component from a program: ``register(Component("attention", "mine", MyAttention, MyConfig))``."""
    registry().register(component)


def build(kind: str, config: Any, *args: Any, **kwargs: Any) -> Any:
    """Build the component that a validated configuration section names: ``Class(config, *args, **kwargs)``.

    Raises:
        PluginFailure: the class is a plugin's, and raised something that is no :class:`UserError`.
    """
    found = registry().find(kind, config.name)
    cls = found.load()
    try:
        return cls(config, *args, **kwargs)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        if found.provider.distribution in (BUILTIN, SCRIPT.distribution):  # ours, or the program's own
            raise
        component = f"the {kind} {found.component.name!r} of {found.provider}"
        raise PluginFailure(f"{component} cannot be built: {cause(error)}") from error
