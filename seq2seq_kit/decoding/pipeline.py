"""``load("RUN").translate(["How are you?"])``: a trained run as a Python object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import torch

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.decoding.generate import generate
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.device import check_device
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Example, Output
from seq2seq_kit.registry import registry


def load(
    run: str | Path, *, device: str = "cpu", threads: int | None = None, which: Literal["best", "last"] = "best"
) -> Pipeline:
    """Load a run folder.

    Args:
        run: the folder that ``s2s train`` wrote.
        device: where to decode, e.g. ``"cpu"`` or ``"cuda:0"``.
        threads: torch's threads for this process; None leaves them as they are.
        which: the best checkpoint by the validation metric, or the last one.

    Raises:
        CheckpointError: the folder is missing, damaged, or needs a plugin that is not installed.
    """
    if threads is not None:
        if threads < 1:
            raise UserError(f"threads must be at least 1, got {threads}")
        torch.set_num_threads(threads)
    return Pipeline(Path(run), check_device(device), which)


class Pipeline:
    """A trained run that answers. Its task's verb is a method: ``pipeline.translate(sentences, beam_size=5)``."""

    def __init__(self, run: Path, device: torch.device, which: Literal["best", "last"] = "best") -> None:
        loaded = load_run(run, which, device)
        self.run = run
        self.device = device
        self.config = loaded.config
        self.task = loaded.task
        self.model = loaded.model.eval()
        self.verb = registry().find("task", self.config.task.name).component.verb

    def __getattr__(self, name: str) -> Callable[..., list[Output]]:
        verb = self.__dict__.get("verb")
        if verb is not None and name == verb:
            return self.__call__
        task = self.config.task.name if "config" in self.__dict__ else "unknown"
        raise AttributeError(f"this run's task is {task!r}: it has no {name!r}; call .{verb}(…)")

    def __call__(self, sources: Iterable[str], *, batch_size: int = 32, **options: Any) -> list[Output]:
        """One output for each source, in order. ``options`` are fields of :class:`SearchOptions` (``beam_size=1``)."""
        if isinstance(sources, str):
            raise UserError("give a list of sentences, not one string: [sentence]")
        examples = (Example(source) for source in sources)
        return list(self.generate(examples, self.options(attention=True, **options), batch_size=batch_size))

    def generate(self, examples: Iterable[Example], options: SearchOptions, **how: Any) -> Iterator[Output]:
        """Decode a stream; see :func:`seq2seq_kit.decoding.generate.generate`."""
        return generate(self.model, self.task, examples, options, device=self.device, **how)

    def options(self, **changes: Any) -> SearchOptions:
        """The run's own search options with some of them changed."""
        known = [f.name for f in fields(SearchOptions)]
        for name in changes:
            if name not in known:
                raise UserError(f"there is no search option {name!r} (there is: {', '.join(known)})")
        return replace(self.config.search, **changes)
