"""``metrics.jsonl`` and TensorBoard.

A line of ``metrics.jsonl`` is one JSON object. Both kinds have ``kind``, ``step`` (updates done), ``epoch`` (from 0)
and ``seconds`` (training time so far, over all resumes). Losses are means over target tokens, in nats.

``"kind": "train"``, the means over ``training.log_every`` steps
    ``loss``, ``gradient_norm`` (before clipping), ``tokens_per_second`` (target tokens, validation time left out),
    ``padding`` (the share of positions, source and target, that are padding, 0 to 1); of the last step
    ``learning_rate`` and ``teacher_forcing``; and ``target_tokens``, all that were trained on so far.
``"kind": "validation"``
    ``loss`` (of the criterion), ``nll`` and ``perplexity`` (without label smoothing), ``accuracy`` (of the next token
    after the reference, 0 to 1), each metric of the task (of the decoded sample), and ``best`` (true or false).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_kit.errors import UserError
from seq2seq_kit.sealed import explain_write_errors, write_atomically
from seq2seq_kit.training.callbacks import Callback, Record

if TYPE_CHECKING:
    from seq2seq_kit.training.trainer import Trainer

METRICS = "metrics.jsonl"


class JsonLines:
    """A file of one JSON object a line, to which a run appends. Each has ``kind`` and ``step``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep_until(self, last: Mapping[str, int]) -> None:
        """Drop what came after the step that ``last`` gives for each kind, as a resumed run writes it again."""
        kept = [record for record in read_metrics(self.path) if record["step"] <= last.get(record["kind"], -1)]
        write_atomically(self.path, "".join(map(_line, kept)).encode())

    def append(self, record: Record) -> None:
        """Write one more line."""
        with explain_write_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))


class MetricsLog(Callback):
    """Appends every record to ``metrics.jsonl``; a resumed run first drops what came after its checkpoint."""

    def on_start(self, trainer: Trainer) -> None:
        self._file = JsonLines(trainer.run / METRICS)
        self._file.keep_until({"train": trainer.state.step, "validation": trainer.state.validated_step})

    def on_log(self, trainer: Trainer, record: Record) -> None:
        self._file.append(record)

    on_validation = on_log


def _line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def read_metrics(path: Path) -> list[Record]:
    """The records of a ``metrics.jsonl``; none where there is no file. A line cut short by a kill is left out."""
    records = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("step"), int) and "kind" in record:
            records.append(record)
    return records


class TensorBoard(Callback):
    """Event files in ``tensorboard/``, under the names of ``metrics.jsonl``."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UserError(
                "training.tensorboard needs the package tensorboard: pip install 'seq2seq_kit[train]'"
            ) from None
        self._new_writer: Any = SummaryWriter

    def on_start(self, trainer: Trainer) -> None:
        self._writer = self._new_writer(str(trainer.run / "tensorboard"), purge_step=trainer.state.step + 1)

    def on_log(self, trainer: Trainer, record: Record) -> None:
        for name, value in record.items():
            if isinstance(value, float) and name != "seconds":
                self._writer.add_scalar(f"{record['kind']}/{name}", value, record["step"])

    on_validation = on_log

    def on_end(self, trainer: Trainer) -> None:
        self._writer.close()
