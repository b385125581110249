"""Run configurations: what is accepted, and what is said about what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from seq2seq_kit.config import Config, component_sections, validate
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.run_config import RunConfig, load_config, make_config

VALUES: dict[str, Any] = {
    "task": {"name": "translation", "source_tokenizer": "word", "target_tokenizer": {"name": "char"}},
    "data": {"train": ["train.tsv"], "dev": ["dev.tsv"]},
    "model": {"encoder": "lstm", "decoder": {"name": "gru", "size": 32, "attention": {"name": "luong"}}},
    "training": {"max_steps": 10},
}


def refusal(*overrides: str, values: dict[str, Any] = VALUES) -> str:
    with pytest.raises(ConfigError) as refused:
        make_config(values, list(overrides), "run.yaml")
    return str(refused.value)


def test_components_are_validated_by_their_own_classes_and_defaults_are_filled_in() -> None:
    config = make_config(VALUES, [], "run.yaml")
    assert type(config.model.encoder).__name__ == "LSTMEncoderConfig"
    assert config.model.decoder.attention.score == "general"
    assert config.criterion.name == "cross_entropy"
    assert config.search.beam_size == 5


def test_what_is_written_out_reads_back_as_the_same() -> None:
    config = make_config(VALUES, ["model.decoder.attention=bahdanau", "training.learning_rate=1e-3"], "run.yaml")
    written = config.model_dump(mode="json")
    assert written["model"]["decoder"]["attention"]["name"] == "bahdanau"
    assert make_config(written, [], "again") == config


def test_every_component_of_a_configuration_is_listed() -> None:
    values = {**VALUES, "task": {"name": "translation", "metrics": ["bleu", "chrf"]}}
    sections = {path: (kind, s.name) for path, kind, s in component_sections(make_config(values, [], "run.yaml"))}
    assert sections["model.encoder"] == ("encoder", "lstm")
    assert sections["model.decoder.attention"] == ("attention", "luong")
    assert sections["task.metrics.1"] == ("metric", "chrf")
    assert sections["training.teacher_forcing"] == ("schedule", "constant")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.decoder.sise=3", "run.yaml: model.decoder: there is no field 'sise'; did you mean 'size'? (there is: "),
        ("trianing={}", "run.yaml: there is no field 'trianing'; did you mean 'training'?"),
        ("search.beamsize=3", "run.yaml: search: there is no field 'beamsize'; did you mean 'beam_size'?"),
        ("model.encoder=lsmt", "run.yaml: model.encoder: unknown encoder 'lsmt'; did you mean 'lstm'?"),
        ("model.decoder.attention=conv", "run.yaml: model.decoder.attention: unknown attention 'conv'"),
        ("model.encoder=3", "run.yaml: model.encoder: must name a component (encoder)"),
        ("model.encoder={size: 3}", "run.yaml: model.encoder: must name a component (encoder)"),
        ("model.decoder.size=0", "run.yaml: model.decoder.size: input should be greater than or equal to 1, got 0"),
        ("model.decoder.size='8'", "run.yaml: model.decoder.size: must be a number, got '8'"),
        ("model.decoder.size=big", "run.yaml: model.decoder.size: "),
        ("model.decoder.size=1.5", "run.yaml: model.decoder.size: "),
        ("training.max_steps=true", "run.yaml: training.max_steps: must be a number, got True"),
        ("training.tensorboard=1", "run.yaml: training.tensorboard: must be true or false, got 1"),
        (
            "training.optimizer=sgdx",
            "run.yaml: training.optimizer: input should be 'adam', 'adamw', 'adafactor' or 'sgd', got 'sgdx'",
        ),
        ("data.train=train.tsv", "run.yaml: data.train: input should be a valid list, got 'train.tsv'"),
        ("training.max_steps=null", "run.yaml: training: say when to stop: max_steps or max_minutes, or both"),
        ("training.max_steps", "--set training.max_steps: write key=value"),
        ("seed.x=1", "--set seed.x=1: seed is not a section"),
        ("seed=[", "--set seed=[: '[' is not a YAML value"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(override: str, message: str) -> None:
    assert refusal(override, values={**VALUES, "seed": 1}).startswith(message)


def test_every_mistake_is_told_at_once() -> None:
    message = refusal("model.decoder.size=0", "training.max_steps=0", "seed=-1")
    assert message.count("run.yaml: ") == 3


def test_a_missing_field_is_named() -> None:
    values = {name: section for name, section in VALUES.items() if name != "task"}
    assert refusal(values=values) == "run.yaml: task: this field is required"


def test_overrides_leave_the_given_values_alone() -> None:
    make_config(VALUES, ["model.encoder.size=8", "model.decoder.size=8"], "run.yaml")
    assert VALUES["model"]["encoder"] == "lstm" and VALUES["model"]["decoder"]["size"] == 32


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must hold a mapping with the sections"),
        (b"- a\n", "must hold a mapping with the sections"),
        (b"a: [", "is not valid YAML"),
        (b"seed: 1\nseed: 2\n", "'seed' is given twice"),
        (b"a: \xff\n", "cannot be read"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as refused:
        load_config(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path)):
        load_config(tmp_path / name)


def test_whole_floats_and_lists_are_taken_where_they_mean_the_same() -> None:
    class Section(Config):
        count: int
        rate: float
        pair: tuple[float, float] = (0.0, 1.0)
        sizes: list[int] = Field(default=[1])

    section = validate(Section, {"count": 3.0, "rate": 1, "pair": [1, 2]}, "here")
    assert (section.count, section.rate, section.pair) == (3, 1.0, (1.0, 2.0))


def test_every_field_of_a_run_is_documented() -> None:
    from seq2seq_kit.run_config import DataConfig, ModelConfig, TrainingConfig

    self_explaining = {"seed", "task", "data", "model", "criterion", "training", "encoder", "decoder"}
    for section in (RunConfig, DataConfig, ModelConfig, TrainingConfig):
        bare = {name for name, field in section.model_fields.items() if not field.description}
        assert bare <= self_explaining, section
