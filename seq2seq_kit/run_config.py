"""The configuration of a run: one YAML file, one section a concern. Torch-free."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from seq2seq_kit.config import ComponentConfig, Config, TaskConfig, component_field, only_known_fields, validate
from seq2seq_kit.data.config import DataConfig
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.yaml_reader import read_yaml


class ModelConfig(Config):
    """The parts of the model. The attention belongs to the decoder's section."""

    encoder: component_field("encoder") | None = None  # type: ignore[valid-type]
    """None for a task without a source: a language model."""
    decoder: component_field("decoder")  # type: ignore[valid-type]
    share_embeddings: bool = False
    """Encoder and decoder use one embedding matrix (with ``tie_embeddings`` in the decoder's section, the output layer
    too), for tasks with one vocabulary for both sides and components of one embedding size."""


Beta = Annotated[float, Field(ge=0, lt=1)]


class LoraConfig(Config):
    """Low-rank adapters (Hu et al. 2021): W + alpha / rank · B A, of which only A and B are learned."""

    rank: int = Field(default=8, ge=1)
    """Rows of A and columns of B."""
    alpha: float = Field(default=16.0, gt=0)
    """How strongly the adapters count."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """The share of each input's features that the adapters do not see, drawn anew for each batch."""
    targets: list[str] = Field(min_length=1)
    """Which weights have adapters: patterns as in ``training.freeze``, for instance ``*.query_key_value``."""


class TrainingConfig(Config):
    """How to train."""

    max_steps: int | None = Field(default=None, ge=1)
    """Stop after this many optimizer steps."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Stop after this much training time (validation included). At least one of the two limits must be given."""
    batch_tokens: int = Field(default=4096, ge=1)
    """Padded tokens a batch, the longer side counted; examples of like length are batched together."""
    batches_per_update: int = Field(default=1, ge=1)
    """Batches whose gradients are accumulated for one update (over all processes); the loss is the mean over all their
    target tokens, as if they were one."""
    optimizer: Literal["adam", "adamw", "adafactor", "sgd"] = "adam"
    """Adam (Kingma and Ba 2015), AdamW with decoupled weight decay (Loshchilov and Hutter 2019), Adafactor (Shazeer and
    Stern 2018; little memory; ``betas`` are not used), or SGD (with ``momentum``)."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """The peak learning rate, multiplied by ``schedule``."""
    betas: tuple[Beta, Beta] = (0.9, 0.98)
    """Decay of the running means of the gradient and of its square (Kingma and Ba 2015)."""
    epsilon: float = Field(default=1e-8, gt=0)
    """Added by Adam and AdamW to the root of the mean square; larger damps what is learned from few gradients."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Of SGD: the share of the last update that is repeated."""
    weight_decay: float = Field(default=0.0, ge=0)
    """How strongly weights are drawn to zero."""
    weight_decay_on: Literal["matrices", "all"] = "matrices"
    """What ``weight_decay`` draws: matrices and embeddings alone, or biases and the gains of norms too."""
    schedule: component_field("schedule") = {"name": "constant"}  # type: ignore[valid-type]
    """Multiplies the learning rate at each step."""
    teacher_forcing: component_field("schedule") = {"name": "constant"}  # type: ignore[valid-type]
    """The probability, at each step, that the decoder is fed the reference token and not its own output (1 to 0)."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Largest gradient norm (Pascanu et al. 2013); null: no clipping."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the arithmetic in training steps, under autocast; weights and optimizer stay float32. float16 scales the loss
    so that small gradients are not lost (Micikevicius et al. 2018)."""
    sharding: Literal["none", "fsdp"] = "none"
    """What each of several processes updates: all parameters (``none``), or a part of each, of which alone it has the
    optimizer's state (``fsdp``, fully sharded data parallelism; Zhao et al. 2023). The result is the same up to
    rounding."""
    compile: bool = False
    """Compile encoder and decoder with ``torch.compile`` for training steps, for all lengths at once; where that fails,
    the run says why and goes on without. It takes a minute of CPU time or more before the first step. On the CPU where
    it was measured it did not pay: a Transformer's steps then took 1.3 to 1.6 times as long. Not measured on GPUs."""
    on_out_of_memory: Literal["stop", "split"] = "stop"
    """What to do where a batch does not fit into memory: stop and name it, or compute it in halves."""
    matmul_precision: Literal["highest", "high", "medium"] = "highest"
    """How float32 matrices are multiplied in training steps, as ``torch.set_float32_matmul_precision`` says:
    ``medium`` allows factors rounded to bfloat16, ``high`` TF32 on GPUs. On CPUs without matrix units (AMX) nothing is
    rounded and nothing gained."""
    log_every: int = Field(default=10, ge=1)
    """Steps between records in ``metrics.jsonl``, each the mean over the steps since the one before."""
    validate_every: int = Field(default=500, ge=1)
    """Steps between validations; each saves the last checkpoint, and the best one if it is."""
    save_every: int | None = Field(default=None, ge=1)
    """Steps between further saves of the last checkpoint."""
    validation_examples: int | None = Field(default=500, ge=0)
    """How many dev examples to decode with the engine at a validation (the loss uses all); null: all; 0: none."""
    validation_metric: str | None = None
    """What makes a checkpoint the best: a metric of the task, or ``loss``. Default: the task's first metric, or the
    loss where nothing is decoded."""
    keep_best: int = Field(default=1, ge=1)
    """How many of the best checkpoints to keep. ``model.safetensors`` is the best; with 2 or more there is a
    ``weights-<step>.safetensors`` of each of them."""
    keep_last: int = Field(default=0, ge=0)
    """Of how many of the last validations to keep the weights too, as ``weights-<step>.safetensors``."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after this many validations without a better one."""
    samples: int = Field(default=3, ge=0)
    """Of how many decoded dev examples to show source, reference and output at a validation, and to keep them in
    ``samples.jsonl``."""
    attention_pictures: bool = False
    """Draw the attention of the first of them at each validation, into the run folder's ``attention/``."""
    tensorboard: bool = False
    """Also write TensorBoard event files into the run folder."""
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Validate and save the exponential moving average of the weights, of this decay (0.999, say); null: the weights
    themselves. After t updates the decay is at most (1 + t) / (10 + t)."""
    freeze: list[str] = []
    """Parameters that are not learned: names of parameters or of modules, with the wildcards of a shell
    (``encoder.*``)."""
    lora: LoraConfig | None = None
    """Learn low-rank adapters of some weights and nothing else; what is saved has them merged."""
    callbacks: list[component_field("callback")] = []  # type: ignore[valid-type]
    """Further callbacks, for instance a plugin's; see :class:`seq2seq_kit.training.callbacks.Callback`."""

    @model_validator(mode="after")
    def _fits_together(self) -> TrainingConfig:
        if self.max_steps is None and self.max_minutes is None:
            raise PydanticCustomError("sentence", "say when to stop: max_steps or max_minutes, or both")
        if self.lora and (self.freeze or self.ema_decay):
            other = "freeze" if self.freeze else "ema_decay"
            why = "all but the adapters is frozen" if self.freeze else "the mean of adapted weights is of no low rank"
            raise PydanticCustomError("sentence", "lora: leave {other} away: {why}", {"other": other, "why": why})
        if self.sharding == "fsdp":
            self._can_be_sharded()
        return self

    def _can_be_sharded(self) -> None:
        for field, value, remedy in (
            ("precision", "float16", "bfloat16, which needs no scale of the loss, or float32"),
            ("optimizer", "adafactor", "adamw: a part of a matrix does not have the sums of its rows and columns"),
            ("on_out_of_memory", "split", "stop: the other processes do not wait for a batch that is made again"),
        ):
            if getattr(self, field) == value:
                parts = {"field": field, "value": value, "remedy": remedy}
                raise PydanticCustomError(
                    "sentence", "sharding: fsdp does not go with {field}: {value}; use {remedy}", parts
                )


_SEARCH_FIELDS = [f.name for f in dataclasses.fields(SearchOptions)]
SearchSection = Annotated[SearchOptions, BeforeValidator(lambda value: only_known_fields(value, _SEARCH_FIELDS))]


class RunConfig(Config):
    """The whole of it, as in the YAML file and in the run folder's ``checkpoint.json``."""

    seed: int = Field(default=1, ge=0, lt=2**63)
    task: component_field("task")  # type: ignore[valid-type]
    data: DataConfig
    model: ModelConfig
    criterion: component_field("criterion") = {"name": "cross_entropy"}  # type: ignore[valid-type]
    training: TrainingConfig
    search: SearchSection = {}  # type: ignore[assignment]
    """The options of decoding, in validation and as the defaults of the run's verb. What is not said here is as the
    task has it."""
    processors: list[component_field("processor")] = []  # type: ignore[valid-type]
    """What changes the scores of a search, in this order, after the built-in options; for instance a plugin's."""

    @model_validator(mode="after")
    def _reads_a_source_or_not(self) -> RunConfig:
        reads, encodes = _of_the_task(self.task).reads_source, self.model.encoder is not None
        if reads != encodes:
            problem = "has a source: say which encoder reads it" if reads else "has no source: leave the encoder out"
            parts = {"task": repr(self.task.name), "problem": problem}
            raise PydanticCustomError("sentence", "model.encoder: the task {task} {problem}", parts)
        return self

    @model_validator(mode="after")
    def _reads_what_is_cut(self) -> RunConfig:
        longest = self.task.longest_source if isinstance(self.task, TaskConfig) else 0
        if longest > self.data.max_length:
            parts = {"longest": longest, "max_length": self.data.max_length}
            raise PydanticCustomError(
                "sentence",
                "data.max_length: leaves out of training what is longer than {max_length} tokens, and the task cuts "
                "sources to {longest} (task.max_source_length): set it to {longest} or more",
                parts,
            )
        return self

    @field_validator("search", mode="before")
    @classmethod
    def _with_the_tasks_defaults(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, dict) and "task" in info.data:
            return {**_of_the_task(info.data["task"]).search_defaults, **value}
        return value


def _of_the_task(section: ComponentConfig) -> type[TaskConfig]:
    """What a task's section says of the run."""
    return type(section) if isinstance(section, TaskConfig) else TaskConfig


_LARGEST = 1_000_000
"""Bytes of a configuration file."""


def load_config(path: Path, overrides: list[str] | None = None) -> RunConfig:
    """Read a YAML file and apply ``key.path=value`` overrides (values are YAML); raises :class:`ConfigError`."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ConfigError(f"{path}: has more than {_LARGEST:,} bytes: it is no configuration")
        values = read_yaml(content.decode("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: it is not valid UTF-8 (byte {error.start + 1})") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold a mapping with the sections {', '.join(RunConfig.model_fields)}")
    return make_config(values, overrides or [], str(path))


def make_config(values: dict[str, Any], overrides: list[str], where: str) -> RunConfig:
    """A configuration from plain values and overrides; ``where`` names the values in a :class:`ConfigError`."""
    values = copy.deepcopy(values)
    for override in overrides:
        _override(values, override)
    config: RunConfig = validate(RunConfig, values, where)
    return config


class _Search(Config):
    search: SearchSection


def search_options(base: SearchOptions, overrides: list[str]) -> SearchOptions:
    """``base`` with ``field=value`` overrides (values are YAML, as in the ``search:`` section)."""
    values = dataclasses.asdict(base)
    for override in overrides:
        _override(values, override)
    validated: _Search = validate(_Search, {"search": values}, "--set")
    return validated.search


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        example = "training.max_steps=100" if "training" in values else "beam_size=5"
        raise ConfigError(f"--set {override}: write key=value, for instance --set {example}")
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if isinstance(inner, str):  # a component given by its bare name
            inner = values[section] = {"name": inner}
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override}: {section} is not a section")
        values = inner
    try:
        values[last] = read_yaml(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {override}: {text!r} is not a YAML value") from None
