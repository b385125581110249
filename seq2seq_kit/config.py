"""Configuration: pydantic models that refuse what they do not know, and say what they would accept.

A component's section names it and gives its options, or is the bare name::

    decoder: {name: lstm, size: 256, attention: luong}
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SerializeAsAny,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from seq2seq_kit.errors import ConfigError, PluginError

_SHOWN = 200
"""Characters of a wrong value that a message shows."""


class Config(BaseModel):
    """Base of all configuration sections: frozen, no unknown fields, no text or truth value taken for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known_fields(cls, values: Any) -> Any:
        return only_known_fields(values, cls.model_fields)

    @field_validator("*", mode="wrap")
    @classmethod
    def _no_coercion(cls, value: Any, validate_field: ValidatorFunctionWrapHandler) -> Any:
        """Pydantic's own strict mode would also refuse a list for a tuple, and YAML has no tuples."""
        result = validate_field(value)
        numbers = (bool, int, float)
        if type(result) in numbers and (type(value) not in numbers or (type(result) is bool) != (type(value) is bool)):
            wanted = "true or false" if type(result) is bool else "a number"
            raise PydanticCustomError("wrong_type", "must be {wanted}", {"wanted": wanted})
        return result


def only_known_fields(values: Any, known: Iterable[str]) -> Any:
    """``values`` as they are; a mapping with an unknown key is refused, the nearest known one named."""
    for key in values if isinstance(values, dict) else ():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            parts = {"key": repr(key), "hint": hint, "there_is": ", ".join(sorted(known))}
            raise PydanticCustomError("unknown_field", "there is no field {key}{hint} (there is: {there_is})", parts)
    return values


class ComponentConfig(Config):
    """Base of every component's configuration."""

    name: str
    """The component's name, bare or qualified by its distribution."""


class TaskConfig(ComponentConfig):
    """Base of a task's configuration, for what a run is told before the task is built."""

    reads_source: ClassVar[bool] = True
    """False: there is nothing to encode, and a run has no encoder (a language model)."""
    search_defaults: ClassVar[Mapping[str, Any]] = {}
    """Search options that a run of this task has where its ``search:`` section says nothing of them."""

    @property
    def longest_source(self) -> int:
        """Tokens of a source that the task lets through, if it cuts longer ones: ``data.max_length``, which leaves
        longer examples out of training, must not be below. 0: it cuts none."""
        return 0


def component_field(kind: str) -> Any:
    """The type of a field that holds a component's section: validated by the class which that component declares."""

    def resolve(value: Any) -> Any:
        from seq2seq_kit.registry import registry

        if isinstance(value, ComponentConfig):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            message = "must name a component ({kind}): its name, or a mapping with a 'name'"
            raise PydanticCustomError("component", message, {"kind": kind})
        try:
            config_class = registry().find(kind, value["name"]).load_config() or ComponentConfig
        except PluginError as error:
            raise PydanticCustomError("component", "{reason}", {"reason": str(error)}) from error
        return config_class.model_validate(value)

    return Annotated[SerializeAsAny[ComponentConfig], ComponentKind(kind), BeforeValidator(resolve)]


@dataclass(frozen=True)
class ComponentKind:
    """Marks a field as a component's section, for :func:`component_sections`."""

    kind: str


def component_sections(config: Config, prefix: str = "") -> Iterator[tuple[str, str, ComponentConfig]]:
    """All components that a configuration names, nested ones too: (path such as ``model.decoder``, kind, section)."""
    for name, field in type(config).model_fields.items():
        path = f"{prefix}{name}"
        value = getattr(config, name)
        marks = [*field.metadata, *(mark for part in get_args(field.annotation) for mark in get_args(part)[1:])]
        kind = next((mark.kind for mark in marks if isinstance(mark, ComponentKind)), None)
        several = value if isinstance(value, (list, tuple)) else [value]
        for index, section in enumerate(several):
            where = path if section is value else f"{path}.{index}"
            if kind and isinstance(section, ComponentConfig):
                yield where, kind, section
            if isinstance(section, Config):
                yield from component_sections(section, f"{where}.")


def validate(config_class: type[Config], values: Any, where: str) -> Any:
    """``config_class`` made of ``values``; raises :class:`ConfigError` with one line for each wrong field.

    Args:
        where: what the values are, for the message (a file name, ``"--set"``).
    """
    try:
        return config_class.model_validate(values)
    except ValidationError as error:
        details = [d for d in error.errors() if d["type"] != "default_factory_not_called"]  # follows from another one
        raise ConfigError("\n".join(f"{where}: {_explain(detail)}" for detail in details)) from None


def _explain(detail: Any) -> str:
    path = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"]
    if detail["type"] in ("component", "unknown_field", "sentence"):
        return f"{path}: {message}" if path else message
    if detail["type"] == "missing":
        return f"{path}: this field is required"
    return f"{path}: {message[0].lower()}{message[1:]}, got {_shown(detail['input'])}"


def _shown(value: Any) -> str:
    """A value in a message, where it may be a whole section."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
