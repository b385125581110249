"""All that can be checked of a component that is installed, from its name alone: ``pytest --s2s NAME``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import yaml

from seq2seq_kit.config import ComponentConfig, validate
from seq2seq_kit.errors import ConfigError, UserError
from seq2seq_kit.interfaces import MemorySpec, SourceSpec, TargetSpec
from seq2seq_kit.plugins import Provided, normalize
from seq2seq_kit.registry import registry
from seq2seq_kit.testing.check_attention import ATTENTION_CHECKS, check_attention
from seq2seq_kit.testing.check_callback import CALLBACK_CHECKS, check_callback
from seq2seq_kit.testing.check_config import CONFIG_CHECKS, check_config
from seq2seq_kit.testing.check_criterion import CRITERION_CHECKS, check_criterion
from seq2seq_kit.testing.check_decoder import CHECKS as DECODER_CHECKS
from seq2seq_kit.testing.check_decoder import check_decoder
from seq2seq_kit.testing.check_encoder import ENCODER_CHECKS, check_encoder
from seq2seq_kit.testing.check_importer import IMPORTER_CHECKS, check_importer
from seq2seq_kit.testing.check_metric import METRIC_CHECKS, check_metric
from seq2seq_kit.testing.check_processor import PROCESSOR_CHECKS, check_processor
from seq2seq_kit.testing.check_schedule import SCHEDULE_CHECKS, check_schedule
from seq2seq_kit.testing.check_task import TASK_CHECKS, check_task
from seq2seq_kit.testing.check_tokenizer import TOKENIZER_CHECKS, check_tokenizer
from seq2seq_kit.testing.check_transform import TRANSFORM_CHECKS, WithFrames, check_transform, translation
from seq2seq_kit.testing.checks import Check
from seq2seq_kit.testing.report import ContractError, Finding, Report
from seq2seq_kit.yaml_reader import read_yaml

SOURCE, FRAMES, TARGET, MEMORY = SourceSpec(9), SourceSpec(feature_size=4), TargetSpec(11), MemorySpec(8)
QUERY_SIZE = 8
BUILD = "build"


@dataclass(frozen=True)
class Tester:
    """How a kind is checked.

    Args:
        make: builds the component of a class and its configuration, as small as can be.
        check: given what was built.
        checks: what that goes through.
    """

    make: Callable[[Any, Any], Any]
    check: Callable[[Any], Report]
    checks: Sequence[Check]


def _encoder(cls: Any, config: Any) -> Any:
    """With what it reads: tokens, or frames where it refuses those."""
    try:
        return cls(config, SOURCE), SOURCE
    except ConfigError:
        return cls(config, FRAMES), FRAMES


def _decoder(cls: Any, config: Any) -> Any:
    """With what it decodes from: nothing, where it refuses a memory."""
    try:
        return cls(config, TARGET, MEMORY), MEMORY
    except ConfigError:
        return cls(config, TARGET, None), None


def _processor(cls: Any, config: Any) -> Any:
    """What makes one, of which one is made here, so that what cannot be built is said."""
    cls(config, TARGET)
    return partial(cls, config, TARGET)


def _transform(cls: Any, config: Any) -> Any:
    """What makes one, with a task that it takes: of tokens, or of frames where it refuses those."""
    for task in (translation(), translation(WithFrames)):
        try:
            cls(config, task)
        except ConfigError as error:
            refusal = error
        else:
            return partial(cls, config), task
    raise refusal


def _callback(cls: Any, config: Any) -> Any:
    cls(config)
    return partial(cls, config)


TESTERS = {
    "encoder": Tester(_encoder, lambda built: check_encoder(*built), ENCODER_CHECKS),
    "decoder": Tester(_decoder, lambda built: check_decoder(*built, target=TARGET), DECODER_CHECKS),
    "attention": Tester(
        lambda cls, config: cls(config, QUERY_SIZE, MEMORY),
        lambda attention: check_attention(attention, MEMORY, QUERY_SIZE),
        ATTENTION_CHECKS,
    ),
    "task": Tester(lambda cls, config: cls(config), check_task, TASK_CHECKS),
    "tokenizer": Tester(lambda cls, config: cls(config), check_tokenizer, TOKENIZER_CHECKS),
    "criterion": Tester(lambda cls, config: cls(config, TARGET), check_criterion, CRITERION_CHECKS),
    "processor": Tester(_processor, lambda make: check_processor(make, TARGET), PROCESSOR_CHECKS),
    "transform": Tester(_transform, lambda built: check_transform(*built), TRANSFORM_CHECKS),
    "metric": Tester(lambda cls, config: cls(config), check_metric, METRIC_CHECKS),
    "schedule": Tester(lambda cls, config: cls(config), check_schedule, SCHEDULE_CHECKS),
    "callback": Tester(_callback, check_callback, CALLBACK_CHECKS),
    "importer": Tester(lambda cls, config: cls(config), check_importer, IMPORTER_CHECKS),
}
"""By their kinds, all of which there are."""


@dataclass(frozen=True)
class ComponentChecks:
    """The checks of one component.

    Args:
        options: ``field=value`` of its configuration, beside the defaults.
    """

    provided: Provided
    options: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Kind and name."""
        return f"{self.provided.component.kind} {self.provided.qualified_name}"

    @property
    def names(self) -> list[str]:
        """What is checked, in order."""
        config = [check.name for check in CONFIG_CHECKS] if self.provided.component.config else []
        return [*(f"config-{name}" for name in config), BUILD, *(check.name for check in self._tester.checks)]

    @cached_property
    def report(self) -> Report:
        """What was found; nothing is raised for a fault.

        Raises:
            UserError: the component cannot be loaded, or the options do not fit it.
        """
        cls, config = self.provided.load(), _config(self.provided, _values(self.options))
        found = [] if self.provided.component.config is None else list(_findings(lambda: check_config(config)))
        findings = [Finding(f"config-{f.check}", f.verdict, f.detail, f.broken) for f in found]
        try:
            built = self._tester.make(cls, config)
        except Exception as error:
            why = f"{type(error).__name__}: {error}; with sizes that fit each other it must be built"
            waiting = [Finding(check.name, "not checked", f"waits for {BUILD}") for check in self._tester.checks]
            return Report(self.subject, (*findings, Finding(BUILD, "FAILED", why, broken=True), *waiting))
        findings.append(Finding(BUILD, "ok", "it is built from its configuration"))
        findings.extend(_findings(lambda: self._tester.check(built)))
        return Report(self.subject, tuple(findings))

    @property
    def _tester(self) -> Tester:
        return TESTERS[self.provided.component.kind]


def component_checks(name: str, options: Sequence[str] = ()) -> list[ComponentChecks]:
    """The checks of every component of a distribution, or of those that are called ``name``.

    Args:
        options: ``field=value`` for all of them; see :class:`ComponentChecks`.

    Raises:
        PluginError: there is neither.
    """
    provided = [p for p in registry().provided() if p.provider.distribution == normalize(name)]
    return [ComponentChecks(p, tuple(options)) for p in provided or registry().find_all(name)]


def _findings(check: Callable[[], Report]) -> tuple[Finding, ...]:
    try:
        return check().findings
    except ContractError as error:
        return error.report.findings


def _config(provided: Provided, values: dict[str, Any]) -> ComponentConfig:
    config_class = provided.load_config() or ComponentConfig
    config: ComponentConfig = validate(
        config_class, {"name": provided.component.name, **values}, f"the options of {provided.component.name}"
    )
    return config


def _values(options: Sequence[str]) -> dict[str, Any]:
    values = {}
    for option in options:
        field, equals, text = option.partition("=")
        if not equals or not field.strip():
            raise UserError(f"{option!r}: write FIELD=VALUE, for instance size=8")
        try:
            values[field.strip()] = read_yaml(text)
        except yaml.YAMLError:
            raise UserError(f"{option!r}: {text!r} is not a YAML value") from None
    return values
