"""Decoded natively, a run keeps its packed weights alone; whoever asks for the others gets them back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_kit import load
from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.decoding.pipeline import Pipeline
from seq2seq_kit.errors import CheckpointError
from seq2seq_kit.run_config import load_config
from seq2seq_kit.training.runs import train

SOURCES = ["one two", "ten six three", "four five"]
TRANSFORMER = "{name: transformer, size: 16, layers: 1, heads: 2, feed_forward_size: 32}"


@pytest.fixture(scope="module")
def transformer_run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "transformer"
    model = [f"model.{part}={TRANSFORMER}" for part in ("encoder", "decoder")]
    train(load_config(tiny_config, ["training.max_steps=2", *model]), out)
    return out


@pytest.fixture(params=["transformer", "gru"])
def run(request: pytest.FixtureRequest, transformer_run: Path, tiny_run: Path) -> Path:
    return transformer_run if request.param == "transformer" else tiny_run


def answers(pipeline: Pipeline, **options: Any) -> list[tuple[str, float]]:
    return [(output.text, output.score) for output in pipeline.translate(SOURCES, **options)]


def weights_in_memory(pipeline: Pipeline) -> set[str]:
    parameters = pipeline._model._model.named_parameters()
    return {name for name, parameter in parameters if parameter.untyped_storage().nbytes() > 0}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_embeddings_alone_are_left(run: Path, precision: Any) -> None:
    pipeline, plain = load(run, precision=precision), load(run, precision=precision)
    assert len(weights_in_memory(pipeline)) > 8 and plain.model
    found = answers(pipeline)
    assert weights_in_memory(pipeline) == {"encoder.embedding.weight", "decoder.embedding.weight"}
    assert answers(plain) == found == answers(pipeline)
    assert "".join(pipeline.stream("one two")) == found[0][0]
    assert answers(pipeline, sampling="tokens", seed=1) == answers(plain, sampling="tokens", seed=1)


def test_they_come_back_and_stay(run: Path) -> None:
    pipeline, expected = load(run), load_run(run).model.state_dict()
    found, pairs = answers(pipeline), [("one two", "un deux"), ("four", "six")]
    assert pipeline.score(pairs) == load(run).score(pairs)
    model = pipeline.model
    state = model.state_dict()
    assert state.keys() == expected.keys() and all(torch.equal(x, expected[name]) for name, x in state.items())
    assert answers(pipeline) == found
    assert all(p.numel() > 0 for p in model.parameters())
    with torch.no_grad():  # and what is done to them shows
        for parameter in model.decoder.parameters():
            parameter.mul_(-1)
    assert answers(pipeline) != found


def test_in_inference_mode(run: Path) -> None:
    pipeline, whole = load(run), load(run)
    with torch.inference_mode():
        found = answers(pipeline)
        assert whole.model and answers(whole) == found == answers(pipeline)
        assert len(weights_in_memory(pipeline)) == 2
        assert pipeline.score([("one", "un")]) == whole.score([("one", "un")])
    assert answers(pipeline) == found
    assert not any(parameter.is_inference() for parameter in pipeline.model.parameters())


def test_another_precision(transformer_run: Path) -> None:
    pipeline = load(transformer_run)
    exact = answers(pipeline)
    pipeline.precision = "bf16"
    assert answers(pipeline) == answers(load(transformer_run, precision="bf16")) != exact
    pipeline.stepper, pipeline.precision = "python", "fp32"
    assert answers(pipeline) == answers(load(transformer_run, stepper="python"))


def test_what_runs_in_python_stays_whole(transformer_run: Path) -> None:
    pipeline = load(transformer_run, stepper="python")
    before = weights_in_memory(pipeline)
    answers(pipeline)
    assert weights_in_memory(pipeline) == before


def test_weights_that_have_changed_are_not_mixed(
    run: Path, transformer_run: Path, tiny_run: Path, tmp_path: Path
) -> None:
    here = Path(shutil.copytree(run, tmp_path / "run"))
    pipeline = load(here)
    found = answers(pipeline)
    last = load(here, which="last")
    answers(last)
    shutil.rmtree(here)
    with pytest.raises(CheckpointError, match="there is no such run folder"):
        pipeline.score([("one", "un")])
    shutil.copytree(tiny_run if run == transformer_run else transformer_run, here)
    with pytest.raises(CheckpointError, match="its weights have changed since the run was loaded: load it again"):
        _ = last.model
    assert answers(pipeline) == found
