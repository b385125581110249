"""The families of models that can be read, by the ``model_type`` of their ``config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seq2seq_kit import UserError

from .bart import BART
from .family import Config, Family
from .m2m100 import M2M100
from .marian import MARIAN
from .mbart import MBART
from .pegasus import PEGASUS
from .t5 import MT5_FAMILY, T5_FAMILY

FAMILIES: dict[str, Family] = {
    "marian": MARIAN,
    "bart": BART,
    "mbart": MBART,
    "m2m_100": M2M100,
    "pegasus": PEGASUS,
    "t5": T5_FAMILY,
    "mt5": MT5_FAMILY,
}
"""NLLB's models call themselves ``m2m_100``."""

REFUSED = ("quantization_config", "pruned_heads", "tie_encoder_decoder")
"""Fields of ``config.json`` that change a model in ways that the kit has not."""


def family_of(values: Mapping[str, Any], where: str) -> tuple[Family, Config]:
    """The family of a ``config.json`` with these values, and the whole configuration.

    Raises:
        UserError: an unknown family, another kind of model, a setting that is not supported; each by its name.
    """
    kind = values.get("model_type")
    if kind not in FAMILIES:
        raise UserError(f"{where}: model_type is {kind!r}: must be one of {', '.join(FAMILIES)}")
    for architecture in values.get("architectures") or []:
        if not architecture.endswith(("ForConditionalGeneration", "Model")):
            raise UserError(f"{where}: is a {architecture}: only models that generate text from text can be read")
    for field in REFUSED:
        if values.get(field):
            raise UserError(f"{where}: has {field}, which is not supported")
    family = FAMILIES[str(kind)]
    given = {name: value for name, value in values.items() if value is not None}
    return family, family.defaults | given
