"""Training from another run, of all parameters or of some: it starts where that ended, or says what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.decoding.pipeline import load
from seq2seq_kit.errors import CheckpointError, ConfigError
from seq2seq_kit.interfaces import Example
from seq2seq_kit.model import build_model
from seq2seq_kit.registry import build
from seq2seq_kit.run_config import RunConfig, make_config
from seq2seq_kit.training.callbacks import Callback
from seq2seq_kit.training.fine_tuning import start_from
from seq2seq_kit.training.parameter_names import matching
from seq2seq_kit.training.runs import resume, train
from seq2seq_kit.training.trainer import Trainer

Tiny = Callable[..., RunConfig]
Values = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fine_tuning") / "run"
    train(tiny(max_steps=20, validate_every=100), folder)
    return folder


class Start(Callback):
    def on_start(self, trainer: Trainer) -> None:
        self.weights = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}


def changed(before: dict[str, torch.Tensor], run: Path) -> set[str]:
    after = load_run(run, "last").model.state_dict()
    return {name for name, tensor in before.items() if not torch.equal(after[name], tensor)}


def test_it_starts_with_the_weights_and_the_tokenizers_of_the_run(
    tiny_values: Values, tmp_path: Path, run: Path
) -> None:
    """The new data have other words, and in another order: ids must still mean what they meant."""
    (tmp_path / "new.tsv").write_text("ten nine\tdix neuf\nzero\tzéro\n" * 5, encoding="utf-8")
    values = tiny_values(max_steps=2)
    values["data"]["train"] = [str(tmp_path / "new.tsv")]
    start = Start()
    train(make_config(values, [], "test"), tmp_path / "tuned", callbacks=[start], start=run)
    before = load_run(run).model.state_dict()
    assert all(torch.equal(start.weights[name], tensor) for name, tensor in before.items())
    assert changed(start.weights, tmp_path / "tuned")
    names = [path.name for path in (run / "tokenizers").iterdir()]
    assert all(
        (run / "tokenizers" / n).read_bytes() == (tmp_path / "tuned" / "tokenizers" / n).read_bytes() for n in names
    )
    resume(tmp_path / "tuned", ["training.max_steps=3"])  # is a run like any other
    assert load(tmp_path / "tuned").translate(["one two"])


def test_tokens_that_the_run_does_not_know_are_told(
    tiny_values: Values, tmp_path: Path, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "dev.tsv").write_text("one zero\tun deux\n", encoding="utf-8")
    values = tiny_values(max_steps=1)
    values["data"]["dev"] = [str(tmp_path / "dev.tsv")]
    train(make_config(values, [], "test"), tmp_path / "tuned", start=run)
    assert "33.3% of the development data's source tokens are unknown" in caplog.text  # one of one, zero and EOS
    assert "target tokens" not in caplog.text


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("task.source_tokenizer", "char", r"task\.source_tokenizer: is .*'char'.*'word'"),
        ("task.target_tokenizer", {"name": "word", "lowercase": True}, r"task\.target_tokenizer: is .*lowercase"),
        ("model.decoder.size", 17, r"parameter decoder\.\S+ has the shape \[\d+.*\] there and \[\d+.*\] here"),
        ("model.decoder.attention", "none", r"the parameter decoder\.attention\.\S+ is only there"),
    ],
)
def test_what_does_not_fit_is_named(
    tiny_values: Values, tmp_path: Path, run: Path, path: str, value: Any, message: str
) -> None:
    values = tiny_values(max_steps=1)
    section, *between, last = path.split(".")
    inner = values[section]
    for name in between:
        inner = inner[name]
    inner[last] = value
    with pytest.raises((ConfigError, CheckpointError), match=message):
        train(make_config(values, [], "test"), tmp_path / "tuned", start=run)
    assert not (tmp_path / "tuned").exists()


def test_a_vocabulary_that_does_not_fit_is_named_with_sizes_and_tokens(tiny: Tiny, run: Path) -> None:
    config = tiny()
    for sources, message in (
        (["ten"], r"the source vocabulary has 14 tokens there and 5 here \(token 4 is '\w+' there and 'ten' here\)"),
        (["a b c d e f g h i j"], r"has 14 tokens there and 14 here \(token 4 is '\w+' there and 'a' here\)"),
    ):
        task = build("task", config.task)
        task.prepare([Example(text, "un") for text in sources])
        model = build_model(config.model, task.source_spec, task.target_spec)
        with pytest.raises(CheckpointError, match=message):
            start_from(run, model, task)


def test_a_run_of_another_task_is_named(tiny_values: Values, tmp_path: Path, run: Path) -> None:
    values = tiny_values(max_steps=1)
    values["task"], values["model"] = "language_model", {"decoder": {**values["model"]["decoder"], "attention": "none"}}
    with pytest.raises(ConfigError, match=r"task: is 'language_model', but .* was trained for 'translation'"):
        train(make_config(values, [], "test"), tmp_path / "tuned", start=run)


def test_a_run_that_is_none_is_named(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none: there is no such run folder"):
        train(tiny(), tmp_path / "tuned", start=tmp_path / "none")


def test_frozen_parameters_stay(tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    start = Start()
    config = tiny(max_steps=8, freeze=["encoder", "*.attention.*", "decoder.output_layer.bias"])
    summary = train(config, tmp_path / "run", callbacks=[start])
    moved = changed(start.weights, tmp_path / "run")
    assert moved and not [
        n for n in moved if n.startswith("encoder.") or ".attention." in n or n.endswith("layer.bias")
    ]
    assert "decoder.embedding.weight" in moved
    learned = sum(x.numel() for n, x in start.weights.items() if n in moved)
    assert summary.parameters == learned
    assert f"are frozen, {learned:,} are learned" in capfd.readouterr().err
    resume(tmp_path / "run", ["training.max_steps=9"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze": ["encodr.*"]}, r"training\.freeze: no parameter matches 'encodr\.\*'; did you mean 'encoder"),
        ({"freeze": ["encoder", "*.qwerty"]}, r"no parameter matches '\*\.qwerty'"),
        ({"freeze": ["encoder", "decoder"]}, "leaves nothing to be learned"),
    ],
)
def test_a_pattern_that_cannot_work_is_an_error(
    tiny: Tiny, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(tiny(**options), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_patterns_name_parameters_and_modules() -> None:
    module = nn.ModuleDict({"a": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "ab": nn.Linear(2, 2)})
    module["tied"] = module["ab"]
    for pattern, expected in (
        ("a", ["a.0.weight", "a.0.bias", "a.1.weight", "a.1.bias"]),
        ("a.1", ["a.1.weight", "a.1.bias"]),
        ("a.?.bias", ["a.0.bias", "a.1.bias"]),
        ("*.weight", ["a.0.weight", "a.1.weight", "ab.weight", "tied.weight"]),
        ("tied", ["tied.weight", "tied.bias"]),
    ):
        assert list(matching(module, [pattern], "freeze")) == expected
