"""What the model writes: some development examples at each validation, and the attention of the first of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from seq2seq_kit.errors import UserError
from seq2seq_kit.evaluation.attention_picture import draw_attention
from seq2seq_kit.training.callbacks import Callback, Record
from seq2seq_kit.training.log import JsonLines

if TYPE_CHECKING:
    from seq2seq_kit.training.trainer import Trainer

SAMPLES = "samples.jsonl"
PICTURES = "attention"


class Samples(Callback):
    """Shows source, reference and output of the first examples that a validation decoded, and keeps them.

    A line of ``samples.jsonl`` is one JSON object: ``kind`` ("sample"), ``step``, ``id``, ``source``, ``references``,
    ``output`` and ``score``. With ``pictures``, ``attention/step-<step>.png`` is the attention of the first example,
    where the decoder gives any.

    Args:
        count: how many examples; always the same ones.
    """

    def __init__(self, count: int, pictures: bool, console: Console) -> None:
        self.count, self.pictures, self.console = count, pictures, console

    def on_start(self, trainer: Trainer) -> None:
        if self.pictures:
            try:
                import matplotlib  # noqa: F401
            except ImportError:
                raise UserError("training.attention_pictures needs pip install 'seq2seq_kit[plots]'") from None
        self._file = JsonLines(trainer.run / SAMPLES)
        if self._file.path.exists():
            self._file.keep_until({"sample": trainer.state.validated_step})

    def on_validation(self, trainer: Trainer, record: Record) -> None:
        decoded = trainer.decoded
        if decoded is None:
            return
        for example, output in list(zip(decoded.examples, decoded.outputs, strict=True))[: self.count]:
            sample = {"source": example.source, "references": example.references, "output": output.text}
            identity = {"kind": "sample", "step": record["step"], "id": example.id}
            self._file.append({**identity, **sample, "score": output.score})
            reference = example.references[0] if example.references else ""
            lines = {"source": example.source, "reference": reference, "output": output.text}
            text = "\n".join(f"  {name:<9}  {line}" for name, line in lines.items())
            self.console.print(text + "\n", highlight=False, markup=False, soft_wrap=True)
        if self.pictures and decoded.outputs and decoded.outputs[0].attention is not None:
            folder = trainer.run / PICTURES
            folder.mkdir(exist_ok=True)
            draw_attention(decoded.outputs[0], folder / f"step-{record['step']}.png")
