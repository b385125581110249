"""A plugin that is installed for the length of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seq2seq_kit.components import Component
from seq2seq_kit.errors import UserError
from seq2seq_kit.plugins import Provider, normalize
from seq2seq_kit.registry import registry


@contextmanager
def temporary_plugin(
    *components: Component, distribution: str = "temporary-plugin", version: str = "0"
) -> Iterator[None]:
    """A context in which ``components`` are there, as if a distribution that declares them were installed.

    ::

        with temporary_plugin(Component("attention", "mine", MyAttention, MyConfig)):
            train(...)  # with attention: mine

    Configurations find them by their bare names, and by ``distribution/name``. What is done in processes of their own
    does not see them.

    Args:
        distribution: the name that run folders record.
        version: the version that they record; with another one, and another ``state_version``, a later release of the
            plugin is tried on a run of this one.

    Raises:
        UserError: there are no components, or one is no ``Component``.
        PluginError: the distribution has a component of that kind and name already.
    """
    for component in components:
        if not isinstance(component, Component):
            raise UserError(f"temporary_plugin is given {component!r}; give Component objects")
    if not components:
        raise UserError("temporary_plugin is given no Component")
    provider = Provider(normalize(distribution), version, "temporary")
    with registry().lend(components, provider):
        yield
