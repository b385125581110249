"""A dry run: parameters, memory and first batch are those of the training, and nothing is left behind."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.errors import ConfigError
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.training.callbacks import Callback
from seq2seq_kit.training.dry_run import dry_run
from seq2seq_kit.training.runs import train
from seq2seq_kit.training.trainer import Trainer

Tiny = Callable[..., RunConfig]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, and where the process is."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_parameters_and_memory_are_counted(tiny: Tiny, temporary: Path) -> None:
    found = dry_run(tiny(batch_tokens=200))
    assert not [path for path in temporary.iterdir() if not path.name.startswith("torchinductor")]  # nothing is left

    class Look(Callback):
        def on_start(self, trainer: Trainer) -> None:
            self.shapes = {name: tuple(p.shape) for name, p in trainer.model.named_parameters()}

    look = Look()
    train(tiny(max_steps=1), temporary / "run", callbacks=[look])
    assert {p.name: p.shape for p in found.parameters} == look.shapes and all(p.learned for p in found.parameters)
    numbers = sum(math.prod(p.shape) for p in found.parameters)
    memory = found.memory
    assert memory.weights == 4 * numbers and memory.shadow == 0
    assert memory.optimizer == 8 * numbers + 4 * len(found.parameters)  # two means, and a count for each tensor
    assert memory.update > 4 * numbers  # the gradients and something more
    assert memory.total == memory.weights + memory.optimizer + memory.update


def test_the_largest_batch_is_measured(tiny: Tiny) -> None:
    small, large = (dry_run(tiny(batch_tokens=tokens)).memory for tokens in (40, 120))
    for memory, tokens in ((small, 40), (large, 120)):
        examples, source, target = memory.batch
        assert 0.9 * 2 * tokens < examples * (source + target) <= 2 * tokens  # no batch can have more
    assert large.update > small.update and large.weights == small.weights


def test_what_is_frozen_adapted_or_averaged_shows(tiny: Tiny) -> None:
    frozen, averaged = dry_run(tiny(freeze=["encoder"])), dry_run(tiny(ema_decay=0.9, optimizer="sgd"))
    assert {p.name.split(".")[0] for p in frozen.parameters if not p.learned} == {"encoder"}
    learned = [p for p in frozen.parameters if p.learned]
    assert frozen.memory.optimizer == sum(8 * math.prod(p.shape) + 4 for p in learned)
    assert averaged.memory.shadow == averaged.memory.weights and averaged.memory.optimizer == 0
    adapted = dry_run(tiny(lora={"rank": 1, "targets": ["decoder"]}))
    assert adapted.memory.optimizer < frozen.memory.optimizer / 2
    assert {p.name[-2:] for p in adapted.parameters if p.learned} == {".a", ".b"}


def test_the_first_batch_can_be_read(tiny: Tiny, number_pairs: list[tuple[str, str]]) -> None:
    found = dry_run(tiny(max_steps=1))
    texts = [(" ".join(source[:-1]), " ".join(target[:-1])) for source, target in found.first_batch]
    assert texts and set(texts) <= set(number_pairs)
    assert {source[-1] for source, _ in found.first_batch} == {"</s>"}
    assert found.batches > 1 and found.report.read == len(number_pairs)


def test_of_a_stream_the_first_batches_are_looked_at(tiny_values: Callable[..., dict[str, Any]]) -> None:
    values = tiny_values(max_steps=1)
    plain, streamed = (
        dry_run(make_config({**values, "data": {**values["data"], "streaming": streaming}}, [], "test"))
        for streaming in (False, True)
    )
    assert streamed.memory.batch == plain.memory.batch and streamed.batches == plain.batches


def test_mistakes_are_those_of_a_training(tiny_values: Callable[..., dict[str, Any]], tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match="no parameter matches"):
        dry_run(tiny(freeze=["encodr"]))
