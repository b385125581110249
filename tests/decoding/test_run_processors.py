"""A processor that a run's configuration names takes part in every search of the run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import seq2seq_kit
from seq2seq_kit import (
    Component,
    ComponentConfig,
    ConfigError,
    DecoderState,
    Memory,
    Processor,
    ProcessorOutput,
    TargetSpec,
    register,
)
from seq2seq_kit.run_config import load_config
from seq2seq_kit.training.runs import train


class FavourConfig(ComponentConfig):
    """Configuration of :class:`Favour`."""

    name: str = "favour"
    token: int
    bonus: float = 100.0


class Favour(Processor):
    """Adds to the score of one token in the first step of each sentence that has a source word."""

    needs_scores = False

    def __init__(self, config: FavourConfig, target: TargetSpec) -> None:
        assert config.token < target.vocab_size
        self.config = config

    def init(self, memory: Memory | None, batch_size: int) -> DecoderState:
        assert memory is not None
        return DecoderState(sentences={"long": memory.mask.sum(1) > 1})

    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput:
        first = (tokens.shape[2] == 1) & state.sentences["long"]  # [B]
        rows = first.repeat_interleave(tokens.shape[1]).nonzero().squeeze(1)
        token = torch.full_like(rows, self.config.token)
        return ProcessorOutput(rows=rows, tokens=token, values=torch.full(rows.shape, self.config.bonus))


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register(Component("processor", "favour", Favour, FavourConfig))


def test_it_is_trained_saved_and_used_by_name(tiny_config: Path, tmp_path: Path) -> None:
    overrides = ["training.max_steps=20", "training.validate_every=20", "processors=[{name: favour, token: 7}]"]
    train(load_config(tiny_config, overrides), tmp_path / "run")
    pipeline = seq2seq_kit.load(tmp_path / "run")
    seventh = pipeline.task.target_tokenizer.decode([7])
    outputs = pipeline.translate(["one two", "", "three"], batch_size=2)
    assert [o.text.split()[:1] == [seventh] for o in (outputs[0], outputs[2])] == [True, True]
    assert "".join(pipeline.stream("one two")) == outputs[0].text
    pipeline.processors.clear()
    assert pipeline.translate([""])[0].text == outputs[1].text  # it had its say on the others alone


def test_a_wrong_section_is_named(tiny_config: Path) -> None:
    with pytest.raises(ConfigError, match=r"processors\.0: unknown processor 'favor'; did you mean 'favour'"):
        load_config(tiny_config, ["processors=[favor]"])
    with pytest.raises(ConfigError, match=r"processors\.0\.token: this field is required"):
        load_config(tiny_config, ["processors=[favour]"])
