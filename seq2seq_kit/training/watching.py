"""Tells the callbacks of a run what happens, in order, and says whose fault it is when one of them fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import PluginFailure, UserError
from seq2seq_kit.plugins import cause
from seq2seq_kit.registry import build, registry
from seq2seq_kit.training.callbacks import Callback
from seq2seq_kit.training.interrupt import Interrupted

if TYPE_CHECKING:
    from seq2seq_kit.training.trainer import Trainer


class CallbackFailed(PluginFailure):
    """A plugin's callback raised something."""


class Watchers:
    """The callbacks of a run: our own first, then the configured ones, then those that a program passed.

    Args:
        configured: sections of ``training.callbacks``.
    """

    def __init__(
        self, own: Sequence[Callback], configured: Sequence[ComponentConfig], passed: Sequence[Callback]
    ) -> None:
        plugins: list[Callback] = [build("callback", section) for section in configured]
        self._names = {id(callback): _name(section) for callback, section in zip(plugins, configured, strict=True)}
        self._all = [*own, *plugins, *passed]
        self._started: list[Callback] = []

    def tell(self, hook: str, trainer: Trainer, *what: Any) -> None:
        """Call ``hook`` of each callback that was started; the first that raises ends it.

        Raises:
            CallbackFailed: a plugin's callback raised something; the message names the plugin, the hook and the cause.
        """
        for callback in self._started:
            self._call(callback, hook, trainer, *what)

    @contextmanager
    def watching(self, trainer: Trainer) -> Iterator[None]:
        """Starts them, and ends those that were started, in the opposite order, however the training ends."""
        try:
            for callback in self._all:
                self._call(callback, "on_start", trainer)
                self._started.append(callback)
            yield
        except BaseException as error:
            self._end(trainer, KeyboardInterrupt() if isinstance(error, Interrupted) else error)
            raise
        self._end(trainer, None)

    def _end(self, trainer: Trainer, failure: BaseException | None) -> None:
        """Every one is told, whatever the others do; the first failure of all is what the training ends with."""
        first = None
        for callback in reversed(self._started):
            for hook, what in (("on_failure", [failure]), ("on_end", [])):
                if hook == "on_failure" and failure is None:
                    continue
                try:
                    self._call(callback, hook, trainer, *what)
                except Exception as error:
                    if failure or first:
                        said = error if isinstance(error, UserError) else cause(error)
                        print(f"Warning: {said}", file=sys.stderr, flush=True)
                    else:
                        first = error
        self._started.clear()
        if first:
            raise first

    def _call(self, callback: Callback, hook: str, trainer: Trainer, *what: Any) -> None:
        try:
            getattr(callback, hook)(trainer, *what)
        except Exception as error:
            if id(callback) not in self._names:
                raise  # ours, or a program's: it comes out as it is
            why = error if isinstance(error, UserError) else cause(error)
            where = f"{self._names[id(callback)]}: {hook} failed at step {trainer.state.step:,}"
            raise CallbackFailed(f"{where}: {why}") from error


def _name(section: ComponentConfig) -> str:
    provided = registry().find("callback", section.name)
    return f"the callback {provided.component.name!r} of {provided.provider}"
